use super::permutation::{Circle, Plan};
use super::statistic::SortedColumn;
use super::*;
use crate::base::{CancelToken, RandomStream, Seed};
use proptest::prelude::*;
use serde_json::Value;

fn golden(name: &str) -> Value {
    let path = format!("{}/tests/golden/stats/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

pub(super) fn column(name: &str, values: &[f64]) -> Column {
    Column::numbers(name, values.to_vec())
}

/// One row per time stamp.
pub(super) fn sample(columns: &[(&str, &[f64])]) -> Sample {
    let rows = columns.first().map_or(0, |(_, values)| values.len());
    Sample {
        time: (0..rows as i64).collect(),
        columns: columns.iter().map(|(name, values)| column(name, values)).collect(),
    }
}

pub(super) fn autoregressive(n: usize, phi: f64, stream: &mut RandomStream) -> Vec<f64> {
    let scale = (1.0 - phi * phi).sqrt();
    let mut state = stream.normal();
    let step = |_| {
        state = phi * state + scale * stream.normal();
        state
    };
    (0..n).map(step).collect()
}

pub(super) fn run(reference: &Sample, current: &Sample, config: &DriftConfig) -> ColumnDriftReport {
    column_drift(reference, current, config, Seed::new(7), &CancelToken::new()).unwrap()
}

pub(super) fn single(reference: &[f64], current: &[f64], config: &DriftConfig) -> ColumnReport {
    run(&sample(&[("x", reference)]), &sample(&[("x", current)]), config).columns.remove(0)
}

pub(super) fn uncorrected(replicates: usize) -> DriftConfig {
    DriftConfig { correction: Correction::None, replicates, ..DriftConfig::default() }
}

fn close(ours: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((ours - expected).abs() <= tolerance, "{what}: {ours} expected {expected}");
}

#[test]
fn permuted_distances_equal_the_reference_for_given_plans() {
    let file = golden("resampling_plans");
    let case = &file["cases"][0];
    let (input, expect) = (&case["input"], &case["expect"]);
    let n_ref = input["n_ref"].as_u64().unwrap() as usize;
    let block = input["block"].as_u64().unwrap() as usize;
    let plans: Vec<Plan> = input["plans"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plan| Plan {
            block,
            offset: plan["offset"].as_u64().unwrap() as usize,
            chosen: numbers(&plan["blocks"]).into_iter().map(|b| b as usize).collect(),
        })
        .collect();
    for (index, row) in input["X"].as_array().unwrap().iter().enumerate() {
        let values = numbers(row);
        let circle = Circle::from_rows(n_ref, values.len() - n_ref);
        for (statistic, key, p_key) in
            [(DriftStatistic::Ks, "ks", "p_ks"), (DriftStatistic::Wasserstein, "wasserstein", "p_wasserstein")]
        {
            let sorted = SortedColumn::new(&values, &circle.stamp_of_row, circle.stamps(), statistic);
            let observed = sorted.distance(statistic, &circle.observed()).unwrap();
            close(observed, expect[key][index].as_f64().unwrap(), 1e-12, key);
            let mut marks = vec![0; circle.stamps()];
            let permuted: Vec<f64> = plans
                .iter()
                .map(|plan| {
                    plan.mark(&circle, &mut marks);
                    sorted.distance(statistic, &marks).unwrap()
                })
                .collect();
            if statistic == DriftStatistic::Ks {
                for (ours, expected) in permuted.iter().zip(expect["ks_null_first5"].as_array().unwrap()) {
                    close(*ours, expected[index].as_f64().unwrap(), 1e-12, "null");
                }
            }
            let exceeded = permuted.iter().filter(|&&d| column::at_least(d, observed)).count();
            let p = (1 + exceeded) as f64 / (1 + plans.len()) as f64;
            assert_eq!(p, expect[p_key][index].as_f64().unwrap(), "{p_key} {index}");
        }
    }
}

#[test]
fn prepared_distances_equal_the_plain_ones() {
    use crate::stats::two_sample;
    let mut stream = Seed::new(3).stream();
    for ties in [false, true] {
        let mut draw = |n: usize, shift: f64| -> Vec<f64> {
            let values = autoregressive(n, 0.3, &mut stream).into_iter().map(|x| x + shift);
            if ties { values.map(|x| (x * 2.0).round() / 2.0).collect() } else { values.collect() }
        };
        let (x, y) = (draw(120, 0.0), draw(45, 0.4));
        let circle = Circle::from_rows(120, 45);
        let pooled = [x.as_slice(), y.as_slice()].concat();
        let distance = |statistic| {
            let sorted = SortedColumn::new(&pooled, &circle.stamp_of_row, circle.stamps(), statistic);
            sorted.distance(statistic, &circle.observed()).unwrap()
        };
        close(distance(DriftStatistic::Ks), two_sample::kolmogorov_smirnov(&x, &y).unwrap(), 1e-12, "ks");
        close(distance(DriftStatistic::CramerVonMises), two_sample::cramer_von_mises(&x, &y).unwrap(), 1e-9, "cvm");
        close(distance(DriftStatistic::Wasserstein), two_sample::wasserstein(&x, &y).unwrap(), 1e-12, "wasserstein");
    }
}

/// The acceptance series: 120 of 2,500 rows, the last 500 current.
pub(super) fn acceptance(name: &str) -> Vec<(Vec<f64>, Vec<f64>)> {
    use arrow::array::Float32Array;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let path = format!("{}/tests/golden/stats/acceptance_{name}.parquet", env!("CARGO_MANIFEST_DIR"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap().build().unwrap();
    let mut series: Vec<Vec<f64>> = Vec::new();
    for batch in reader {
        let arrays: Vec<Float32Array> =
            batch.unwrap().columns().iter().filter_map(|array| array.as_any().downcast_ref().cloned()).collect();
        series.resize(arrays.len(), Vec::new());
        for (values, array) in series.iter_mut().zip(&arrays) {
            values.extend(array.values().iter().map(|&x| f64::from(x)));
        }
    }
    series
        .into_iter()
        .map(|mut values| {
            let current = values.split_off(2_000);
            (values, current)
        })
        .collect()
}

pub(super) fn share_of_alarms(series: &[(Vec<f64>, Vec<f64>)], config: &DriftConfig) -> f64 {
    let alarms = series.iter().filter(|(x, y)| single(x, y, config).verdict == Verdict::Drift).count();
    alarms as f64 / series.len() as f64
}

#[test]
fn stationary_series_rarely_alarm_and_shifted_ones_do() {
    let share = |name: &str| share_of_alarms(&acceptance(name)[..40], &uncorrected(199));
    let (calm, shifted) = (share("null_phi80"), share("shift50_phi50"));
    assert!(calm <= 0.10 && shifted >= 0.95, "{calm} {shifted}");
}

#[test]
fn independent_rows_calibrated_as_such_see_what_a_block_plan_cannot() {
    let mut stream = Seed::new(1).stream();
    let (x, y) = (autoregressive(300, 0.0, &mut stream), autoregressive(40, 0.0, &mut stream));
    let y: Vec<f64> = y.iter().map(|v| v + 1.0).collect();
    let config = DriftConfig { calibration: Calibration::Iid, ..uncorrected(499) };
    let mut unordered = sample(&[("x", &x)]);
    unordered.time.clear();
    let report = run(&unordered, &sample(&[("x", &y)]), &config);
    assert_eq!((report.columns[0].verdict, report.columns[0].block, report.columns[0].tau), (Verdict::Drift, 1, 1.0));
}

#[test]
fn a_permutation_p_is_never_zero() {
    let (x, y) = (vec![0.0; 200], vec![1.0; 60]);
    for statistic in [
        DriftStatistic::Ks,
        DriftStatistic::CramerVonMises,
        DriftStatistic::Psi,
        DriftStatistic::Wasserstein,
        DriftStatistic::JensenShannon,
    ] {
        let report = single(&x, &y, &DriftConfig { statistic, ..uncorrected(99) });
        assert!(report.p.unwrap() >= 0.01, "{statistic:?}");
        assert!(report.statistic.unwrap().is_finite(), "{statistic:?}");
    }
}

#[test]
fn equal_constants_are_ok_and_different_constants_drift() {
    let same = single(&[2.0; 300], &[2.0; 100], &uncorrected(199));
    assert_eq!((same.verdict, same.p, same.effect), (Verdict::Ok, Some(1.0), Some(0.0)));
    let moved = single(&[2.0; 300], &[3.0; 100], &uncorrected(199));
    assert_eq!((moved.verdict, moved.effect), (Verdict::Drift, Some(1.0)));
}

#[test]
fn an_empty_or_missing_window_is_inconclusive_and_never_ok() {
    let full = vec![0.5; 100];
    for (x, y) in [(vec![], vec![]), (full.clone(), vec![]), (vec![], full), (vec![f64::NAN; 60], vec![f64::NAN; 60])] {
        let report = run(&sample(&[("x", &x)]), &sample(&[("x", &y)]), &uncorrected(49));
        assert_eq!(report.verdict, Verdict::Inconclusive);
        assert_eq!((report.columns[0].p, report.columns[0].statistic), (None, None));
    }
    assert_eq!(run(&Sample::default(), &Sample::default(), &uncorrected(9)).verdict, Verdict::Inconclusive);
}

#[test]
fn values_that_go_missing_are_drift() {
    let mut stream = Seed::new(2).stream();
    let x = autoregressive(400, 0.2, &mut stream);
    let all_gone = single(&x, &[f64::NAN; 100], &uncorrected(199));
    assert_eq!((all_gone.verdict, all_gone.p), (Verdict::Drift, None));
    let half_gone: Vec<f64> =
        x[..100].iter().enumerate().map(|(i, v)| if i % 2 == 0 { f64::NAN } else { *v }).collect();
    let report = single(&x, &half_gone, &uncorrected(199));
    assert_eq!(report.verdict, Verdict::Drift);
    assert!(report.reason.starts_with("missing share went from 0.0 % to 50.0 %"), "{}", report.reason);
}

#[test]
fn a_blind_window_says_how_many_rows_it_needs() {
    let mut stream = Seed::new(4).stream();
    let series = autoregressive(1_100, 0.95, &mut stream);
    let report = single(&series[..1_000], &series[1_000..], &uncorrected(199));
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert!(report.needs_rows.unwrap() > 100 && report.reason.contains("needs >="), "{}", report.reason);
    let tiny = single(&series, &series[..20], &uncorrected(199));
    assert!(tiny.needs_rows.unwrap() >= 30);
}

#[test]
fn a_random_walk_is_told_to_be_differenced() {
    let mut stream = Seed::new(6).stream();
    let mut price = 100.0;
    let walk: Vec<f64> = (0..1_500)
        .map(|_| {
            price += stream.normal();
            price
        })
        .collect();
    assert!(single(&walk[..1_200], &walk[1_200..], &uncorrected(99)).advice.is_some());
    let calm = autoregressive(1_500, 0.8, &mut stream);
    assert!(single(&calm[..1_200], &calm[1_200..], &uncorrected(99)).advice.is_none());
}

#[test]
fn a_small_but_certain_change_is_ok() {
    let mut stream = Seed::new(8).stream();
    let x = autoregressive(20_000, 0.0, &mut stream);
    let y: Vec<f64> = autoregressive(20_000, 0.0, &mut stream).iter().map(|v| v + 0.1).collect();
    let report = single(&x, &y, &uncorrected(199));
    assert!(report.verdict == Verdict::Ok && report.adjusted_p.unwrap() <= 0.05, "{}", report.reason);
}

#[test]
fn many_columns_raise_the_number_of_permutations_to_what_the_correction_needs() {
    let mut stream = Seed::new(9).stream();
    let columns: Vec<Vec<f64>> = (0..10).map(|_| autoregressive(200, 0.0, &mut stream)).collect();
    let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    let part = |range: std::ops::Range<usize>| {
        let columns: Vec<(&str, &[f64])> =
            names.iter().zip(&columns).map(|(n, c)| (n.as_str(), &c[range.clone()])).collect();
        sample(&columns)
    };
    let config = DriftConfig { replicates: 99, ..DriftConfig::default() };
    // ten tests of three pieces of evidence each, at 5 %
    assert_eq!(run(&part(0..150), &part(150..200), &config).replicates, 600);
    let ks = DriftConfig { statistic: DriftStatistic::Ks, ..config };
    assert_eq!(run(&part(0..150), &part(150..200), &ks).replicates, 200);
}

#[test]
fn malformed_windows_are_refused_with_their_cause() {
    let check = |reference: &Sample, current: &Sample, config: &DriftConfig| {
        column_drift(reference, current, config, Seed::new(1), &CancelToken::new()).unwrap_err()
    };
    let good = sample(&[("x", &[1.0, 2.0])]);
    let other = sample(&[("y", &[1.0, 2.0])]);
    let config = DriftConfig::default();
    assert_eq!(check(&good, &other, &config), DriftError::MissingColumn { column: "y".into(), window: "reference" });
    assert_eq!(
        check(&good, &Sample::default(), &config),
        DriftError::MissingColumn { column: "x".into(), window: "current" }
    );
    let unordered = Sample { time: vec![2, 1], ..good.clone() };
    assert_eq!(check(&good, &unordered, &config), DriftError::Unordered { window: "current", row: 1 });
    let short = Sample { time: vec![1], ..good.clone() };
    assert!(matches!(check(&short, &good, &config), DriftError::Length { expected: 1, found: 2, .. }));
    let infinite = sample(&[("x", &[1.0, f64::INFINITY])]);
    assert!(matches!(check(&infinite, &good, &config), DriftError::Value { row: 1, .. }));
    let twice = sample(&[("x", &[1.0]), ("x", &[1.0])]);
    assert!(matches!(check(&twice, &good, &config), DriftError::DuplicateColumn { .. }));
    let level = DriftConfig { alpha: 1.5, ..config };
    assert!(matches!(check(&good, &good, &level), DriftError::Config { field: "alpha", .. }));
    let unreachable = DriftConfig { alpha: 1e-9, ..DriftConfig::default() };
    assert!(matches!(check(&good, &good, &unreachable), DriftError::Config { field: "alpha", .. }));
}

#[test]
fn a_cancelled_check_stops() {
    let cancel = CancelToken::new();
    cancel.cancel();
    let x = sample(&[("x", &[1.0; 50])]);
    let stopped = column_drift(&x, &x, &DriftConfig::default(), Seed::new(1), &cancel);
    assert!(matches!(stopped, Err(DriftError::Cancelled(_))));
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let mut stream = Seed::new(12).stream();
    let (x, y) = (autoregressive(400, 0.6, &mut stream), autoregressive(120, 0.6, &mut stream));
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| single(&x, &y, &uncorrected(499)))
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn settings_are_read_strictly() {
    let config: DriftConfig =
        serde_json::from_str(r#"{"statistic": "cramer_von_mises", "calibration": "iid"}"#).unwrap();
    assert_eq!((config.statistic, config.alpha), (DriftStatistic::CramerVonMises, 0.05));
    assert!(serde_json::from_str::<DriftConfig>(r#"{"alfa": 0.1}"#).is_err());
    assert!(serde_json::from_str::<PerformanceConfig>(r#"{"metric": "mae"}"#).is_err());
}

#[test]
fn a_report_survives_json() {
    let report = run(&sample(&[("x", &[1.0; 40])]), &sample(&[("x", &[f64::NAN; 40])]), &uncorrected(19));
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<ColumnDriftReport>(&text).unwrap(), report);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn order_within_a_stamp_scale_and_names_do_not_matter(seed in 0_u64..1000, scale in 0.1_f64..20.0, symbols in 1_usize..4) {
        let mut stream = Seed::new(seed).stream();
        let mut panel = |stamps: usize| -> Sample {
            let values: Vec<f64> = (0..symbols).flat_map(|_| autoregressive(stamps, 0.4, &mut stream)).collect();
            let rows = (0..stamps).flat_map(|t| (0..symbols).map(move |s| (t, s)));
            let (time, values): (Vec<i64>, Vec<f64>) = rows.map(|(t, s)| (t as i64, values[s * stamps + t])).unzip();
            Sample { time, columns: vec![column("x", &values)] }
        };
        let (reference, current) = (panel(80), panel(40));
        let turn = |sample: &Sample, name: &str| {
            let values = sample.columns[0].values.chunks(symbols).flat_map(|group| group.iter().rev().copied());
            Sample { time: sample.time.clone(), columns: vec![column(name, &values.collect::<Vec<_>>())] }
        };
        let config = uncorrected(99);
        let mut turned = run(&turn(&reference, "y"), &turn(&current, "y"), &config).columns.remove(0);
        let plain = run(&reference, &current, &config).columns.remove(0);
        turned.name.clone_from(&plain.name);
        prop_assert_eq!(&turned, &plain);
        let stretch = |sample: &Sample| {
            let values: Vec<f64> = sample.columns[0].values.iter().map(|x| x * scale).collect();
            Sample { time: sample.time.clone(), columns: vec![column("x", &values)] }
        };
        let stretched = run(&stretch(&reference), &stretch(&current), &config).columns.remove(0);
        prop_assert_eq!((stretched.p, stretched.statistic, stretched.verdict), (plain.p, plain.statistic, plain.verdict));
    }
}

/// Trades whose probability is informative by `skill`; 0 makes it noise, negative turns it round.
fn scored(rows: usize, skill: f64, stream: &mut RandomStream) -> Scored {
    let mut window = Scored::default();
    for row in 0..rows {
        let signal = stream.normal();
        let label = skill * signal + stream.normal() > 0.0;
        window.time.push(row as i64 / 2);
        window.label.push(label);
        window.probability.push(1.0 / (1.0 + (-1.5 * signal).exp()));
        window.r.push(if label { 1.5 } else { -1.0 });
    }
    window
}

#[test]
fn a_model_that_stopped_working_is_drift_and_one_that_works_is_ok() {
    let mut stream = Seed::new(26).stream();
    let (before, same, flipped) =
        (scored(600, 1.0, &mut stream), scored(200, 1.0, &mut stream), scored(100, -1.0, &mut stream));
    let config = PerformanceConfig::default();
    let calm = performance_drift(&before, &same, &config).unwrap();
    assert_eq!(calm.verdict, Verdict::Ok, "{}", calm.reason);
    let broken = performance_drift(&before, &flipped, &config).unwrap();
    assert_eq!(broken.verdict, Verdict::Drift, "{}", broken.reason);
    assert!(broken.metrics[0].lower.unwrap() > 0.0 && broken.metrics.len() == 3);
    let skill = broken.metrics.iter().find(|m| m.metric == PerformanceMetric::LogLossSkill).unwrap();
    assert_eq!(skill.verdict, Verdict::Drift);
}

#[test]
fn an_unchanged_model_rarely_alarms() {
    let mut stream = Seed::new(22).stream();
    let mut alarms = [0; 3];
    for _ in 0..300 {
        let (before, after) = (scored(300, 0.8, &mut stream), scored(80, 0.8, &mut stream));
        let config = PerformanceConfig::default();
        for (count, metric) in alarms.iter_mut().zip(performance_drift(&before, &after, &config).unwrap().metrics) {
            *count += usize::from(metric.verdict == Verdict::Drift);
        }
    }
    // 5 % of 300 is 15; three standard errors above is 26
    assert!(alarms.iter().all(|&count| count <= 26), "{alarms:?}");
}

#[test]
fn performance_without_enough_data_is_inconclusive() {
    let mut stream = Seed::new(23).stream();
    let before = scored(300, 1.0, &mut stream);
    let mut one_class = scored(60, 1.0, &mut stream);
    one_class.label.fill(true);
    for window in [Scored::default(), scored(12, 1.0, &mut stream), one_class] {
        let report = performance_drift(&before, &window, &PerformanceConfig::default()).unwrap();
        assert_eq!(report.verdict, Verdict::Inconclusive);
        assert!(report.reason.contains("needs >="), "{}", report.reason);
    }
    let mut without_r = scored(60, 1.0, &mut stream);
    without_r.r.clear();
    let config = PerformanceConfig { metric: PerformanceMetric::Expectancy, ..PerformanceConfig::default() };
    assert_eq!(performance_drift(&before, &without_r, &config).unwrap().verdict, Verdict::Inconclusive);
}

#[test]
fn impossible_probabilities_are_refused() {
    let mut stream = Seed::new(24).stream();
    let good = scored(60, 1.0, &mut stream);
    let mut bad = good.clone();
    bad.probability[7] = f64::NAN;
    let refused = performance_drift(&good, &bad, &PerformanceConfig::default());
    assert!(matches!(refused, Err(DriftError::Value { row: 7, .. })));
}

#[test]
fn predictions_are_one_more_column() {
    let mut stream = Seed::new(25).stream();
    let (before, after) = (scored(400, 1.0, &mut stream), scored(100, 1.0, &mut stream));
    let calm = prediction_drift(
        (&before.time, &before.probability),
        (&after.time, &after.probability),
        &DriftConfig::default(),
        Seed::new(1),
        &CancelToken::new(),
    );
    let report = calm.unwrap();
    assert_eq!((report.columns[0].name.as_str(), report.current_stamps), ("probability", 50));
}
