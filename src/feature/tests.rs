//! Reference values of pandas, and the laws every set keeps.

use super::set::Source;
use super::*;
use crate::expression::Names;
use crate::indicator::golden::{Table, assert_close, read};
use crate::market::{Bars, Series};
use proptest::prelude::*;

/// Each symbol of a reference file as bars of its own.
fn markets(table: &Table) -> Vec<(Bars, std::ops::Range<usize>)> {
    let one = |rows: std::ops::Range<usize>| {
        let column = |name: &str| table.slice(name, &rows).to_vec();
        let series = Series {
            symbol: table.symbols[rows.start].clone(),
            session: (0..rows.len() as u32).collect(),
            open: column("open"),
            high: column("high"),
            low: column("low"),
            close: column("close"),
            volume: column("volume"),
            extra: Default::default(),
        };
        let sessions = table.sessions[rows.clone()].to_vec();
        (Bars { sessions, series: vec![series], periods_per_year: 252.0 }, rows)
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

fn scaled_bars(bars: &Bars, price: f64, volume: f64) -> Bars {
    Bars { series: bars.series.iter().map(|series| scaled(series, price, volume)).collect(), ..bars.clone() }
}

fn named(name: &str) -> FeatureSet {
    FeatureSet::named(name).unwrap()
}

/// Every kernel and every expression, of all sets.
fn everything() -> FeatureSet {
    let mut specs = CATALOGUE.to_vec();
    for set in SETS {
        for (_, features) in set.groups() {
            specs.extend(features.into_iter().filter(|spec| !spec.is_kernel()));
        }
    }
    FeatureSet::compile("everything", specs, &Names::bars()).unwrap()
}

fn frame(set: &FeatureSet, bars: &Bars) -> FeatureFrame {
    set.compute(bars).unwrap().swap_remove(0)
}

fn more(yaml: &str) -> Result<FeatureSet, String> {
    let features: Features = serde_saphyr::from_str(yaml).map_err(|error| error.to_string())?;
    features.build().map_err(|error| format!("{}: {error}", error.path.join(".")))
}

#[test]
fn every_set_has_as_many_features_as_its_name_says() {
    for (name, count, look_back) in [("core40", 40, 252), ("full70", 70, 199), ("alpha158", 158, 60)] {
        let set = named(name);
        let names: std::collections::BTreeSet<String> = set.names().into_iter().collect();
        assert_eq!((set.specs().len(), names.len(), set.look_back()), (count, count, look_back), "{name}");
        assert!(set.specs().iter().all(|spec| !spec.formula.is_empty() && spec.doc.ends_with('.')), "{name}");
    }
    assert_eq!(SETS.len(), 3);
    let parts = |name: &str| -> Vec<usize> {
        Shipped::named(name).unwrap().groups().iter().map(|(_, features)| features.len()).collect()
    };
    assert_eq!(
        parts("full70"),
        [15, 12, 5, 8, 10, 12, 8],
        "price, technical, volume, time, lagged, rolling, volatility"
    );
    assert_eq!(parts("alpha158"), [9, 4, 29 * 5]);
}

#[test]
fn every_feature_has_its_own_name() {
    let names: std::collections::BTreeSet<String> = everything().names().into_iter().collect();
    assert_eq!(names.len(), everything().specs().len());
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let refused = |name: &str| FeatureSet::named(name).unwrap_err().to_string();
    assert_eq!(refused("core4"), "unknown feature set `core4`, expected one of `core40`, `full70`, `alpha158`");
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
    for (bars, rows) in markets(&input) {
        assert_eq!(expected.symbols[rows.start], bars.series[0].symbol);
        let frame = frame(&everything(), &bars);
        for name in expected.columns.keys() {
            let found = frame.column(name).unwrap_or_else(|| panic!("feature `{name}`"));
            assert_close(name, found, expected.slice(name, &rows), 1e-9, 1e-9);
        }
    }
}

#[test]
fn the_first_known_row_is_the_declared_look_back() {
    let input = read("features/input.parquet");
    let everything = everything();
    for (bars, _) in markets(&input) {
        let frame = frame(&everything, &bars);
        for (spec, column) in everything.specs().iter().zip(&frame.columns) {
            assert_eq!(column.len(), bars.series[0].len());
            assert_eq!(
                column.iter().position(|value| !value.is_nan()),
                Some(spec.look_back),
                "`{}` of {}",
                spec.name,
                bars.series[0].symbol
            );
        }
    }
}

#[test]
fn no_feature_looks_ahead() {
    let input = read("features/input.parquet");
    let everything = everything();
    assert_eq!(everything.expressions().look_ahead(), 0);
    for (bars, _) in markets(&input) {
        let sessions = bars.sessions.len();
        let cuts = [0, 1, 20, 119, 253, 640, sessions - 1, sessions, sessions + 5];
        assert!(truncation_check(&everything, &bars, &cuts).unwrap() > 100_000);
    }
}

fn cheat(name: &'static str, kernel: fn(&inputs::Inputs<'_>) -> Vec<f64>) -> FeatureSet {
    let spec = FeatureSpec {
        name: name.into(),
        formula: "c[+1]".into(),
        doc: "Peeks.".into(),
        look_back: 0,
        source: Source::Kernel(kernel),
    };
    let specs = named("core40").specs().iter().cloned().chain([spec]).collect();
    FeatureSet::compile("cheat", specs, &Names::bars()).unwrap()
}

#[test]
fn a_feature_that_looks_ahead_is_named() {
    let input = read("features/input.parquet");
    let (bars, _) = markets(&input).swap_remove(0);
    let tomorrow = cheat("tomorrow", |i| i.close.iter().skip(1).copied().chain([f64::NAN]).collect());
    let found = truncation_check(&tomorrow, &bars, &[100]).unwrap_err();
    let CausalityError::LooksAhead { feature, row, cut, with_future, .. } = found else { panic!("{found}") };
    assert_eq!((feature.as_str(), row, cut, with_future), ("tomorrow", 99, 100, bars.series[0].close[100]));
    let whole_sample = cheat("standardised", |i| {
        let mean = i.close.iter().sum::<f64>() / i.close.len() as f64;
        i.close.iter().map(|close| close / mean).collect()
    });
    let found = truncation_check(&whole_sample, &bars, &[100]).unwrap_err();
    assert!(matches!(found, CausalityError::LooksAhead { row: 0, .. }), "{found}");
}

#[test]
fn core40_and_full70_do_not_depend_on_the_units_of_price_and_volume() {
    let input = read("features/input.parquet");
    for (bars, _) in markets(&input) {
        for set in [named("core40"), named("full70")] {
            let before = frame(&set, &bars);
            for (price, volume) in [(0.01, 1.0), (1234.5, 1.0), (1.0, 1000.0), (3.3, 0.07)] {
                let after = frame(&set, &scaled_bars(&bars, price, volume));
                for ((name, before), after) in before.names.iter().zip(&before.columns).zip(&after.columns) {
                    assert_close(name, after, before, 1e-8, 1e-3);
                }
            }
        }
    }
}

#[test]
fn empty_short_and_missing_series_give_missing_values() {
    let everything = everything();
    assert!(everything.compute(&Bars::default()).unwrap().is_empty());
    let none = Bars { series: vec![Series::default()], ..Bars::default() };
    assert!(frame(&everything, &none).columns.iter().all(|column| column.is_empty()));

    let input = read("features/input.parquet");
    let (bars, _) = markets(&input).swap_remove(0);
    let lost = Bars { sessions: Vec::new(), ..scaled_bars(&bars, f64::NAN, f64::NAN) };
    for (spec, column) in everything.specs().iter().zip(frame(&everything, &lost).columns) {
        assert!(column.len() == bars.series[0].len() && column.iter().all(|value| value.is_nan()), "`{}`", spec.name);
    }
    let frame = frame(&everything, &scaled_bars(&bars, 1.0, 0.0));
    assert!(frame.column("vol_ratio_20").unwrap().iter().all(|value| value.is_nan()));
    assert!(frame.columns.iter().flat_map(|column| column.iter()).all(|value| !value.is_infinite()));
}

#[test]
fn alpha158_is_what_its_definitions_say_window_by_window() {
    let input = read("features/input.parquet");
    let (bars, _) = markets(&input).swap_remove(0);
    let found = frame(&named("alpha158"), &bars);
    let Series { open, high, low, close, volume, .. } = &bars.series[0];
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let deviation = |x: &[f64]| (x.iter().map(|v| (v - mean(x)).powi(2)).sum::<f64>() / (x.len() - 1) as f64).sqrt();
    let largest = |x: &[f64]| x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let smallest = |x: &[f64]| x.iter().copied().fold(f64::INFINITY, f64::min);
    let place = |x: &[f64], of: f64| x.iter().position(|v| *v == of).unwrap() as f64 + 1.0;
    let correlation = |x: &[f64], y: &[f64]| {
        let (x_mean, y_mean) = (mean(x), mean(y));
        let covariance: f64 = x.iter().zip(y).map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
        covariance / ((x.len() - 1) as f64 * deviation(x) * deviation(y))
    };
    let places = |d: usize| (1..=d).map(|i| i as f64).collect::<Vec<f64>>();
    // numpy's linear interpolation
    let quantile = |x: &[f64], q: f64| {
        let mut sorted = x.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = q * (x.len() - 1) as f64;
        let (below, share) = (at.floor() as usize, at.fract());
        sorted[below] + share * (sorted[(below + 1).min(x.len() - 1)] - sorted[below])
    };
    for t in [60, 61, 200, 777] {
        for d in [5, 10, 20, 30, 60] {
            let of = |x: &[f64]| x[t + 1 - d..=t].to_vec();
            let before = |x: &[f64]| x[t - d..t].to_vec();
            let (c, h, l, v) = (of(close), of(high), of(low), of(volume));
            let (c1, v1) = (before(close), before(volume));
            let pairs = |x: &[f64], y: &[f64], f: fn(f64, f64) -> f64| -> Vec<f64> {
                x.iter().zip(y).map(|(x, y)| f(*x, *y)).collect()
            };
            let slope = correlation(&places(d), &c) * deviation(&c) / deviation(&places(d));
            let intercept = mean(&c) - slope * mean(&places(d));
            let (up, down) = (pairs(&c, &c1, |x, y| (x - y).max(0.0)), pairs(&c, &c1, |x, y| (y - x).max(0.0)));
            let (v_up, v_down) = (pairs(&v, &v1, |x, y| (x - y).max(0.0)), pairs(&v, &v1, |x, y| (y - x).max(0.0)));
            let sum = |x: &[f64]| x.iter().sum::<f64>();
            let moved = pairs(&pairs(&c, &c1, |x, y| (x / y - 1.0).abs()), &v, |x, y| x * y);
            let (rises, falls) =
                (mean(&pairs(&c, &c1, |x, y| f64::from(x > y))), mean(&pairs(&c, &c1, |x, y| f64::from(x < y))));
            let below = c.iter().filter(|x| **x < close[t]).count() as f64;
            let ties = c.iter().filter(|x| **x == close[t]).count() as f64;
            let (imax, imin) = (place(&h, largest(&h)), place(&l, smallest(&l)));
            let expected = [
                ("ROC", close[t - d] / close[t]),
                ("MA", mean(&c) / close[t]),
                ("STD", deviation(&c) / close[t]),
                ("BETA", slope / close[t]),
                ("RSQR", correlation(&places(d), &c).powi(2)),
                ("RESI", (close[t] - (intercept + slope * d as f64)) / close[t]),
                ("MAX", largest(&h) / close[t]),
                ("MIN", smallest(&l) / close[t]),
                ("QTLU", quantile(&c, 0.8) / close[t]),
                ("QTLD", quantile(&c, 0.2) / close[t]),
                ("RANK", (below + (ties + 1.0) / 2.0) / d as f64),
                ("RSV", (close[t] - smallest(&l)) / (largest(&h) - smallest(&l) + 1e-12)),
                ("IMAX", imax / d as f64),
                ("IMIN", imin / d as f64),
                ("IMXD", (imax - imin) / d as f64),
                ("CORR", correlation(&c, &pairs(&v, &v, |x, _| (x + 1.0).ln()))),
                ("CORD", correlation(&pairs(&c, &c1, |x, y| x / y), &pairs(&v, &v1, |x, y| (x / y + 1.0).ln()))),
                ("CNTP", rises),
                ("CNTN", falls),
                ("CNTD", rises - falls),
                ("SUMP", sum(&up) / (sum(&up) + sum(&down) + 1e-12)),
                ("SUMN", sum(&down) / (sum(&up) + sum(&down) + 1e-12)),
                ("SUMD", (sum(&up) - sum(&down)) / (sum(&up) + sum(&down) + 1e-12)),
                ("VMA", mean(&v) / (volume[t] + 1e-12)),
                ("VSTD", deviation(&v) / (volume[t] + 1e-12)),
                ("WVMA", deviation(&moved) / (mean(&moved) + 1e-12)),
                ("VSUMP", sum(&v_up) / (sum(&v_up) + sum(&v_down) + 1e-12)),
                ("VSUMN", sum(&v_down) / (sum(&v_up) + sum(&v_down) + 1e-12)),
                ("VSUMD", (sum(&v_up) - sum(&v_down)) / (sum(&v_up) + sum(&v_down) + 1e-12)),
            ];
            assert_eq!(expected.len(), alpha158::OPERATORS.len());
            for (name, expected) in expected {
                let name = format!("{name}{d}");
                assert_close(&name, &[found.column(&name).unwrap()[t]], &[expected], 1e-9, 1e-6);
            }
        }
        let range = high[t] - low[t] + 1e-12;
        let (top, bottom) = (open[t].max(close[t]), open[t].min(close[t]));
        for (name, expected) in [
            ("KMID", (close[t] - open[t]) / open[t]),
            ("KLEN", (high[t] - low[t]) / open[t]),
            ("KMID2", (close[t] - open[t]) / range),
            ("KUP", (high[t] - top) / open[t]),
            ("KUP2", (high[t] - top) / range),
            ("KLOW", (bottom - low[t]) / open[t]),
            ("KLOW2", (bottom - low[t]) / range),
            ("KSFT", (2.0 * close[t] - high[t] - low[t]) / open[t]),
            ("KSFT2", (2.0 * close[t] - high[t] - low[t]) / range),
            ("OPEN0", open[t] / close[t]),
            ("HIGH0", high[t] / close[t]),
            ("LOW0", low[t] / close[t]),
            ("VWAP0", (high[t] + low[t] + close[t]) / 3.0 / close[t]),
        ] {
            assert_close(name, &[found.column(name).unwrap()[t]], &[expected], 1e-12, 1e-12);
        }
    }
}

#[test]
fn a_set_grows_by_periods_and_by_expressions_that_name_each_other() {
    assert_eq!(more("core40").unwrap().names(), named("core40").names());
    assert_eq!(more("{set: core40}").unwrap().names(), named("core40").names());
    let set = more(
        "{set: core40, lookback_periods: [5, 20, 50], columns: [vix],
          expressions: {a: b > 1 and vix > 30, b: 'close / lag(close, 3)'}}",
    )
    .unwrap();
    // of each seven, those that core40 has already: ret_5, ret_20, vol_20, high_20, low_20, vol_ratio_20, dist_sma_50
    assert_eq!(set.names().len(), 40 + 3 * 7 - 7 + 2);
    assert_eq!(set.names()[set.names().len() - 2..], ["b", "a"], "what is named comes first");
    assert_eq!(set.spec("a").unwrap().look_back, 3);
    assert_eq!(set.spec("zscore_50").unwrap().look_back, 49);
    assert_eq!(set.expressions().columns().into_iter().collect::<Vec<_>>(), ["close", "high", "low", "vix", "volume"]);
    let own = more("{set: none, expressions: {x: close > open}}").unwrap();
    assert_eq!((own.names(), own.type_of("x")), (vec!["x".to_owned()], crate::expression::Type::Boolean));
}

#[test]
fn features_that_cannot_be_are_refused_at_their_key() {
    for (yaml, expected) in [
        ("core4", ": unknown feature set `core4`, expected one of `core40`, `full70`, `alpha158`"),
        ("{set: core4}", "set: unknown feature set `core4`, expected one of `core40`, `full70`, `alpha158`"),
        ("{set: none}", ": expected at least one feature, found none"),
        ("{lookback_periods: [1]}", "lookback_periods: expected periods of at least 2 bars and at most 10000, found 1"),
        ("{expressions: {gap: close}}", "expressions.gap: feature `gap` is there twice: expected another name"),
        ("{expressions: {close: open}}", "expressions.close: feature `close` is there twice: expected another name"),
        ("{expressions: {a: b, b: c + 1, c: a}}", "expressions: features `a`, `b`, `c` are defined by each other"),
        ("{expressions: {a: a + 1}}", "expressions: features `a` are defined by each other"),
        (
            "{expressions: {a b: close}}",
            "expressions.a b: `a b`: expected a name of letters, digits and underscores that begins with a letter",
        ),
        ("{expressions: {a: clsoe}}", "expressions.a: `a`, byte 0: unknown name `clsoe` (did you mean `close`?)"),
        (
            "{expressions: {a: 'lag(close, -1)'}}",
            "expressions.a: `a`, byte 11: `n` of `lag`: expected 0 or more bars back, found -1, which looks ahead (only a label may look ahead)",
        ),
    ] {
        assert_eq!(more(yaml).unwrap_err(), expected, "{yaml}");
    }
    assert!(more("{sets: core40}").unwrap_err().contains("unknown field"));
}

#[test]
fn a_users_feature_is_causal_by_its_tree_and_by_the_experiment() {
    let input = read("features/input.parquet");
    let set =
        more("{set: none, expressions: {mine: 'rank(roc(close, 20)) over date + ema(close, 10) / close'}}").unwrap();
    assert_eq!(set.expressions().look_ahead(), 0);
    let [(mut bars, _), (other, _)] = <[_; 2]>::try_from(markets(&input)).unwrap();
    bars.series.extend(other.series);
    assert!(truncation_check(&set, &bars, &[1, 50, 300]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
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
        let bars = Bars { sessions, series: vec![series], periods_per_year: 252.0 };
        let cut = (share * steps.len() as f64) as usize;
        prop_assert!(truncation_check(&everything(), &bars, &[cut]).is_ok());
    }
}
