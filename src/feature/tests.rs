//! Reference values of pandas, and the laws every set keeps.

use super::*;
use crate::indicator::golden::{Table, assert_close, read};
use crate::market::Series;
use proptest::prelude::*;

/// The symbols of a reference file; the file's own rows are the calendar.
fn symbols(table: &Table) -> Vec<(Series, std::ops::Range<usize>)> {
    let one = |rows: std::ops::Range<usize>| {
        let column = |name: &str| table.slice(name, &rows).to_vec();
        let series = Series {
            symbol: table.symbols[rows.start].clone(),
            session: rows.clone().map(|row| row as u32).collect(),
            open: column("open"),
            high: column("high"),
            low: column("low"),
            close: column("close"),
            volume: column("volume"),
            extra: Default::default(),
        };
        (series, rows)
    };
    table.blocks().into_iter().map(one).collect()
}

fn scaled(series: &Series, price: f64, volume: f64) -> Series {
    let by = |column: &[f64], factor: f64| column.iter().map(|value| value * factor).collect();
    Series {
        symbol: series.symbol.clone(),
        session: series.session.clone(),
        open: by(&series.open, price),
        high: by(&series.high, price),
        low: by(&series.low, price),
        close: by(&series.close, price),
        volume: by(&series.volume, volume),
        extra: series.extra.clone(),
    }
}

fn core40() -> FeatureSet {
    FeatureSet::named("core40").unwrap()
}

fn everything() -> FeatureSet {
    FeatureSet::from_specs("everything", CATALOGUE.to_vec())
}

#[test]
fn core40_has_forty_different_features() {
    let set = core40();
    assert_eq!(set.specs().len(), 40);
    let names: std::collections::BTreeSet<&str> = set.specs().iter().map(|spec| spec.name).collect();
    assert_eq!(names.len(), 40);
    assert!(set.specs().iter().all(|spec| !spec.formula.is_empty() && spec.doc.ends_with('.')));
    assert_eq!(set.look_back(), 252);
}

#[test]
fn every_feature_has_its_own_name() {
    let names: std::collections::BTreeSet<&str> = CATALOGUE.iter().map(|spec| spec.name).collect();
    assert_eq!(names.len(), CATALOGUE.len());
}

#[test]
fn sets_that_are_not_there_are_refused_with_what_is() {
    let refused = |name: &str| FeatureSet::named(name).unwrap_err();
    assert_eq!(refused("full70"), FeatureError::NotBuilt { name: "full70".into(), built: vec!["core40"] });
    assert_eq!(refused("alpha158").to_string(), "feature set `alpha158` is not built, expected one of `core40`");
    assert_eq!(refused("core4").to_string(), "unknown feature set `core4`, expected one of `core40`");
    assert_eq!(
        FeatureSet::of("mine", &["gap", "gap"]).unwrap_err(),
        FeatureError::DuplicateFeature { name: "gap".into() }
    );
    assert_eq!(FeatureSet::of("mine", &["gip"]).unwrap_err(), FeatureError::UnknownFeature { name: "gip".into() });
}

#[test]
fn values_equal_those_of_pandas() {
    let (input, expected) = (read("features/input.parquet"), read("features/expected.parquet"));
    assert_eq!(expected.columns.len(), 30);
    for (series, rows) in symbols(&input) {
        assert_eq!(expected.symbols[rows.start], series.symbol);
        let frame = everything().compute(&series, &input.sessions);
        for name in expected.columns.keys() {
            let found = frame.column(name).unwrap_or_else(|| panic!("feature `{name}`"));
            assert_close(name, found, expected.slice(name, &rows), 1e-9, 1e-9);
        }
    }
}

#[test]
fn the_first_known_row_is_the_declared_look_back() {
    let input = read("features/input.parquet");
    for (series, _) in symbols(&input) {
        let frame = everything().compute(&series, &input.sessions);
        for (spec, column) in CATALOGUE.iter().zip(&frame.columns) {
            assert_eq!(column.len(), series.len());
            assert_eq!(
                column.iter().position(|value| !value.is_nan()),
                Some(spec.look_back),
                "`{}` of {}",
                spec.name,
                series.symbol
            );
        }
    }
}

#[test]
fn no_feature_looks_ahead() {
    let input = read("features/input.parquet");
    for (series, _) in symbols(&input) {
        let cuts = [0, 1, 2, 20, 119, 253, 254, 640, series.len() - 1, series.len(), series.len() + 5];
        assert_eq!(truncation_check(&everything(), &series, &input.sessions, &cuts), Ok(()));
    }
}

#[test]
fn a_feature_that_looks_ahead_is_named() {
    let input = read("features/input.parquet");
    let (series, _) = symbols(&input).swap_remove(0);
    let tomorrow = FeatureSpec {
        name: "tomorrow",
        formula: "c[+1]",
        doc: "Peeks.",
        look_back: 0,
        kernel: |i| i.close.iter().skip(1).copied().chain([f64::NAN]).collect(),
    };
    let mut specs = core40().specs().to_vec();
    specs.push(tomorrow);
    let found =
        truncation_check(&FeatureSet::from_specs("cheat", specs), &series, &input.sessions, &[100]).unwrap_err();
    assert_eq!((found.feature.as_str(), found.row, found.cut), ("tomorrow", 99, 100));
    assert_eq!(found.with_future, series.close[100]);
}

#[test]
fn a_whole_sample_statistic_is_caught_too() {
    let input = read("features/input.parquet");
    let (series, _) = symbols(&input).swap_remove(0);
    let standardised = FeatureSpec {
        name: "standardised",
        formula: "c / mean(c)",
        doc: "Uses the mean of the future.",
        look_back: 0,
        kernel: |i| {
            let mean = i.close.iter().sum::<f64>() / i.close.len() as f64;
            i.close.iter().map(|close| close / mean).collect()
        },
    };
    let set = FeatureSet::from_specs("cheat", vec![standardised]);
    assert_eq!(truncation_check(&set, &series, &input.sessions, &[100]).unwrap_err().row, 0);
}

#[test]
fn core40_does_not_depend_on_the_units_of_price_and_volume() {
    let input = read("features/input.parquet");
    for (series, _) in symbols(&input) {
        let frame = core40().compute(&series, &input.sessions);
        for (price, volume) in [(0.01, 1.0), (1234.5, 1.0), (1.0, 1000.0), (3.3, 0.07)] {
            let other = core40().compute(&scaled(&series, price, volume), &input.sessions);
            for ((name, before), after) in frame.names.iter().zip(&frame.columns).zip(&other.columns) {
                assert_close(name, after, before, 1e-8, 1e-3);
            }
        }
    }
}

#[test]
fn empty_short_and_missing_series_give_missing_values() {
    let none = core40().compute(&Series::default(), &[]);
    assert!(none.columns.len() == 40 && none.columns.iter().all(Vec::is_empty));

    let input = read("features/input.parquet");
    let (series, _) = symbols(&input).swap_remove(0);
    let lost = scaled(&series, f64::NAN, f64::NAN);
    for (spec, column) in CATALOGUE.iter().zip(everything().compute(&lost, &[]).columns) {
        assert!(column.len() == series.len() && column.iter().all(|value| value.is_nan()), "`{}`", spec.name);
    }
    let still = Series { volume: vec![0.0; series.len()], ..series.clone() };
    let frame = core40().compute(&still, &input.sessions);
    assert!(frame.column("vol_ratio_20").unwrap().iter().all(|value| value.is_nan()));
    assert!(frame.columns.iter().flatten().all(|value| !value.is_infinite()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn truncation_holds_on_any_bars(
        steps in prop::collection::vec((-0.1..0.1_f64, 0.0..0.05_f64, 0u32..3), 1..320),
        missing in prop::collection::btree_set(0usize..320, 0..4),
        share in 0.0..1.0_f64,
    ) {
        let mut series = Series { symbol: "X".into(), ..Series::default() };
        let mut price: f64 = 10.0;
        for (row, (step, reach, volume)) in steps.iter().enumerate() {
            let open = price;
            price *= 1.0 + step;
            series.session.push(row as u32);
            series.open.push(open);
            series.high.push(open.max(price) * (1.0 + reach));
            series.low.push(open.min(price) * (1.0 - reach));
            series.close.push(price);
            series.volume.push(if missing.contains(&row) { f64::NAN } else { f64::from(*volume) });
        }
        let sessions: Vec<i64> = (0..steps.len() as i64).map(|day| day * 86_400_000_000).collect();
        let cut = (share * steps.len() as f64) as usize;
        prop_assert_eq!(truncation_check(&everything(), &series, &sessions, &[cut]), Ok(()));
    }
}
