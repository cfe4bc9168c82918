//! What must hold of every check: the same answer however the same data is written down, and an answer for data of any kind.

use proptest::prelude::*;

use super::tests::{autoregressive, run, sample, single, uncorrected};
use super::*;
use crate::base::{CancelToken, Seed};

const CALIBRATIONS: [Calibration; 5] = [
    Calibration::BlockPermutation,
    Calibration::ArSieve,
    Calibration::Rotation,
    Calibration::ReferenceWindows,
    Calibration::Iid,
];

/// Both windows of several columns, the last of categories.
fn data(seed: u64, shift: f64) -> (Sample, Sample) {
    let mut stream = Seed::new(seed).stream();
    let columns: Vec<Vec<f64>> = (0..3).map(|_| autoregressive(260, 0.5, &mut stream)).collect();
    let words: Vec<&str> = (0..260).map(|_| ["up", "down", "flat"][stream.below(3)]).collect();
    let part = |range: std::ops::Range<usize>, shift: f64| {
        let mut columns: Vec<Column> = columns
            .iter()
            .zip(["a", "b", "c"])
            .map(|(values, name)| Column::numbers(name, values[range.clone()].iter().map(|x| x + shift).collect()))
            .collect();
        columns.push(Column::words("regime", words[range.clone()].iter().copied()));
        Sample { time: range.map(|row| row as i64).collect(), columns }
    };
    (part(0..200, 0.0), part(200..260, shift))
}

fn verdicts(report: &ColumnDriftReport) -> Vec<(Verdict, Option<f64>)> {
    report.columns.iter().map(|column| (column.verdict, column.adjusted_p)).collect()
}

fn map_values(sample: &Sample, map: impl Fn(f64) -> f64) -> Sample {
    let mut mapped = sample.clone();
    for column in mapped.columns.iter_mut().filter(|column| column.categories.is_empty()) {
        column.values.iter_mut().for_each(|x| *x = map(*x));
    }
    mapped
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn names_scale_and_the_code_of_categories_do_not_matter(seed in 0_u64..1000, shift in 0.0_f64..1.5, scale in 0.01_f64..50.0, which in 0_usize..5) {
        let config = DriftConfig { calibration: CALIBRATIONS[which], replicates: 99, ..DriftConfig::default() };
        let (reference, current) = data(seed, shift);
        let plain = run(&reference, &current, &config);
        let scaled = run(&map_values(&reference, |x| x * scale), &map_values(&current, |x| x * scale), &config);
        prop_assert_eq!(verdicts(&plain), verdicts(&scaled));
        let rename = |sample: &Sample| {
            let mut renamed = sample.clone();
            renamed.columns.iter_mut().for_each(|column| column.name.insert_str(0, "other_"));
            renamed
        };
        prop_assert_eq!(verdicts(&plain), verdicts(&run(&rename(&reference), &rename(&current), &config)));
        // a window whose words came in another order has another code for them
        let mut recoded = current.clone();
        let regime = &mut recoded.columns[3];
        regime.categories.reverse();
        let last = regime.categories.len() as f64 - 1.0;
        regime.values.iter_mut().for_each(|code| *code = last - *code);
        prop_assert_eq!(verdicts(&plain), verdicts(&run(&reference, &recoded, &config)));
        prop_assert!(plain.columns.iter().all(|column| column.p.is_none_or(|p| p > 0.0)));
    }

    #[test]
    fn no_data_is_a_panic_and_no_p_is_zero(
        values in proptest::collection::vec(prop_oneof![Just(f64::NAN), Just(0.0), Just(-0.0), Just(1e300), -3.0_f64..3.0], 0..60),
        cut in 0_usize..60,
        which in 0_usize..5,
        statistic in 0_usize..8,
    ) {
        let cut = cut.min(values.len());
        let config = DriftConfig {
            calibration: CALIBRATIONS[which],
            statistic: DriftStatistic::ALL[statistic],
            replicates: 19,
            domain_classifier: true,
            correction: Correction::WestfallYoung,
            ..DriftConfig::default()
        };
        let twice = |values: &[f64]| sample(&[("x", values), ("y", values)]);
        let report = run(&twice(&values[..cut]), &twice(&values[cut..]), &config);
        prop_assert!(report.columns.iter().all(|column| column.p.is_none_or(|p| p > 0.0 && p <= 1.0)));
        prop_assert!(report.columns.iter().all(|column| column.adjusted_p.is_none_or(|p| p > 0.0 && p <= 1.0)));
    }
}

#[test]
fn threads_do_not_matter_to_any_calibration() {
    for calibration in CALIBRATIONS {
        let config = DriftConfig { calibration, replicates: 150, domain_classifier: true, ..DriftConfig::default() };
        let (reference, current) = data(3, 0.4);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(&reference, &current, &config))
        };
        assert_eq!(on(1), on(3), "{calibration:?}");
    }
}

#[test]
fn rows_of_one_stamp_may_come_in_any_order_also_beside_peers() {
    let mut stream = Seed::new(5).stream();
    let columns: Vec<Vec<f64>> = (0..3).map(|_| autoregressive(400, 0.3, &mut stream)).collect();
    let panel = |rows: std::ops::Range<usize>, turned: bool| {
        let order: Vec<usize> = rows.clone().map(|row| if turned { row ^ 1 } else { row }).collect();
        let time = rows.map(|row| row as i64 / 2).collect();
        let pick = |x: &Vec<f64>| order.iter().map(|&row| x[row]).collect();
        let columns = columns.iter().zip(["a", "b", "c"]).map(|(x, name)| Column::numbers(name, pick(x))).collect();
        Sample { time, columns }
    };
    let config = DriftConfig { replicates: 99, ..DriftConfig::default() };
    let check = |turned| run(&panel(0..300, turned), &panel(300..400, turned), &config);
    assert_eq!(check(false), check(true));
}

#[test]
fn every_calibration_sees_a_large_shift_and_is_calm_without_one() {
    let mut stream = Seed::new(8).stream();
    for calibration in CALIBRATIONS {
        let config = DriftConfig { calibration, ..uncorrected(399) };
        let calm = autoregressive(2_600, 0.3, &mut stream);
        let shifted: Vec<f64> = calm[2_500..].iter().map(|x| x + 2.0).collect();
        assert_eq!(single(&calm[..2_500], &shifted, &config).verdict, Verdict::Drift, "{calibration:?}");
        assert_ne!(single(&calm[..2_500], &calm[2_500..], &config).verdict, Verdict::Drift, "{calibration:?}");
    }
}

#[test]
fn a_calibration_that_cannot_reach_the_level_says_so() {
    let mut stream = Seed::new(9).stream();
    let series = autoregressive(1_100, 0.0, &mut stream);
    let config = DriftConfig { calibration: Calibration::ReferenceWindows, ..uncorrected(99) };
    let short = single(&series[..150], &series[150..250], &config);
    assert_eq!((short.verdict, short.smallest_adjusted_p), (Verdict::Inconclusive, 1.0));
    assert!(short.reason.contains("needs a longer reference"), "{}", short.reason);
    let panel = Sample { time: vec![1, 1], columns: vec![Column::numbers("x", vec![1.0, 2.0])] };
    let sieve = DriftConfig { calibration: Calibration::ArSieve, ..uncorrected(9) };
    let refused = column_drift(&panel, &panel, &sieve, Seed::new(1), &CancelToken::new()).unwrap_err();
    assert_eq!(refused, DriftError::Panel { rows: 4, stamps: 2 });
}

#[test]
fn one_of_many_columns_is_found_beside_its_peers_and_they_are_not_accused() {
    let mut stream = Seed::new(10).stream();
    let shared = autoregressive(1_500, 0.6, &mut stream);
    let columns: Vec<Vec<f64>> = (0..12)
        .map(|_| {
            autoregressive(1_500, 0.6, &mut stream).iter().zip(&shared).map(|(own, all)| 0.5 * own + all).collect()
        })
        .collect();
    let names: Vec<String> = (0..12).map(|i| format!("c{i}")).collect();
    let part = |range: std::ops::Range<usize>, shift: f64| {
        let mut columns: Vec<Column> = columns
            .iter()
            .zip(&names)
            .map(|(x, name)| Column::numbers(name.clone(), x[range.clone()].to_vec()))
            .collect();
        columns[0].values.iter_mut().for_each(|x| *x += shift);
        Sample { time: range.map(|row| row as i64).collect(), columns }
    };
    let config = DriftConfig { replicates: 999, ..DriftConfig::default() };
    let report = run(&part(0..1_200, 0.0), &part(1_200..1_500, 0.4), &config);
    let (found, evidence) = (&report.columns[0], report.columns[0].evidence.unwrap());
    assert_eq!(found.verdict, Verdict::Drift, "{}", found.reason);
    assert!(evidence.beyond_peers.unwrap() <= evidence.distance.unwrap(), "{evidence:?}");
    assert!(report.drifted <= 2, "{}", report.reason);
}

fn words(name: &str, counts: &[(&'static str, usize)]) -> Sample {
    let mut all: Vec<&str> = counts.iter().flat_map(|(word, count)| std::iter::repeat_n(*word, *count)).collect();
    Seed::new(1).stream().shuffle(&mut all);
    Sample { time: (0..all.len() as i64).collect(), columns: vec![Column::words(name, all)] }
}

#[test]
fn categories_that_come_and_go_are_named_and_judged_by_their_number() {
    let reference = words("regime", &[("up", 200), ("down", 200), ("flat", 100)]);
    let changed = words("regime", &[("up", 60), ("halt", 60)]);
    let report = run(&reference, &changed, &uncorrected(199));
    let column = &report.columns[0];
    assert_eq!(
        (column.verdict, report.categories.verdict, report.numbers.verdict),
        (Verdict::Drift, Verdict::Drift, Verdict::Ok)
    );
    let categories = column.categories.as_ref().unwrap();
    assert_eq!((categories.new.as_slice(), categories.vanished.len()), (["halt".to_owned()].as_slice(), 2));
    assert!(column.reason.contains("new: `halt`; gone: `down`, `flat`"), "{}", column.reason);
    let odd = words("regime", &[("up", 48), ("down", 48), ("flat", 24), ("halt", 1)]);
    let report = run(&reference, &odd, &uncorrected(199));
    assert_eq!(report.columns[0].verdict, Verdict::Ok, "{}", report.columns[0].reason);
    assert!(report.columns[0].reason.contains("new: `halt`"), "{}", report.columns[0].reason);
    assert_eq!(report.columns[0].categories.as_ref().unwrap().rare, 1);
}

#[test]
fn the_effect_of_categories_is_cramers_v() {
    use crate::stats::two_sample::chi2_homogeneity;
    let (before, after) = ([188_u64, 156, 109, 47], [28_u64, 36, 43, 23]);
    let sample = |counts: [u64; 4]| {
        let named: Vec<(&'static str, usize)> =
            ["a", "b", "c", "d"].into_iter().zip(counts).map(|(name, count)| (name, count as usize)).collect();
        words("x", &named)
    };
    let report = run(&sample(before), &sample(after), &uncorrected(9)).columns.remove(0);
    // held against scipy in stats
    let expected = chi2_homogeneity(&before, &after).unwrap();
    assert!((report.statistic.unwrap() - expected.chi2).abs() < 1e-9);
    assert!((report.effect.unwrap() - expected.cramers_v).abs() < 1e-12);
}

#[test]
fn a_column_may_have_rules_of_its_own_and_an_unknown_one_is_refused() {
    let mut stream = Seed::new(12).stream();
    let x = autoregressive(500, 0.0, &mut stream);
    let shifted: Vec<f64> = x[400..].iter().map(|v| v + 1.0).collect();
    let own = |name: &str, own: ColumnOverride| {
        let columns = [(name.to_owned(), own)].into();
        let config = DriftConfig { columns, ..uncorrected(199) };
        let (reference, current) = (sample(&[("rsi", &x[..400])]), sample(&[("rsi", &shifted)]));
        column_drift(&reference, &current, &config, Seed::new(1), &CancelToken::new())
    };
    assert_eq!(own("rsi", ColumnOverride::default()).unwrap().verdict, Verdict::Drift);
    let lenient = own("rsi", ColumnOverride { min_effect: Some(0.9), ..ColumnOverride::default() }).unwrap();
    assert_eq!(lenient.verdict, Verdict::Ok);
    let other =
        own("rsi", ColumnOverride { statistic: Some(DriftStatistic::Psi), ..ColumnOverride::default() }).unwrap();
    assert_eq!(other.columns[0].test, DriftStatistic::Psi);
    let none = own("rsi", ColumnOverride { ignore: true, ..ColumnOverride::default() }).unwrap();
    assert_eq!((none.columns.len(), none.verdict), (0, Verdict::Inconclusive));
    let unknown = own("rsj", ColumnOverride::default()).unwrap_err();
    assert_eq!(unknown.to_string(), "the settings name a column `rsj`, which is not there (did you mean `rsi`?)");
}

#[test]
fn performance_by_the_raw_rule_is_named_and_has_no_test() {
    let window = |probability: f64| Scored {
        time: (0..60).collect(),
        label: (0..60).map(|row| row % 2 == 0).collect(),
        probability: (0..60).map(|row| if row % 2 == 0 { probability } else { 1.0 - probability }).collect(),
        r: Vec::new(),
    };
    let config = PerformanceConfig { rule: PerformanceRule::MaeRise, ..PerformanceConfig::default() };
    let worse = performance_drift(&window(0.8), &window(0.7), &config).unwrap();
    assert_eq!(worse.verdict, Verdict::Drift, "{}", worse.reason);
    assert!(worse.reason.starts_with("mae went from 0.200 to 0.300: +50.0 % (limit 20 %)"), "{}", worse.reason);
    assert_eq!(performance_drift(&window(0.8), &window(0.79), &config).unwrap().verdict, Verdict::Ok);
    assert_eq!(performance_drift(&window(0.8), &Scored::default(), &config).unwrap().verdict, Verdict::Inconclusive);
}
