use super::*;
use crate::base::Seed;
use proptest::prelude::*;
use serde_json::Value;

fn golden(name: &str) -> Value {
    let path = format!("{}/tests/golden/stats/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn labels(value: &Value) -> Vec<bool> {
    numbers(value).into_iter().map(|x| x == 1.0).collect()
}

fn close(ours: f64, expected: &Value, tolerance: f64, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((ours - expected).abs() <= tolerance, "{what}: {ours} expected {expected}");
}

fn check(test: &PairedTest, expect: &Value, what: &str) {
    close(test.delta, &expect["delta"], 1e-10, what);
    close(test.tau, &expect["tau"], 1e-10, what);
    assert_eq!(test.lag as u64, expect["L"].as_u64().unwrap(), "{what}");
    close(test.se, &expect["se"], 1e-10, what);
    close(test.dof, &expect["dof"], 1e-10, what);
    close(test.p_greater.unwrap(), &expect["p_greater"], 1e-10, what);
    assert_eq!(test.t.is_none(), expect["t"].is_null(), "{what}");
    if let Some(t) = test.t {
        close(t, &expect["t"], 1e-10, what);
        close(test.low.unwrap(), &expect["ci90"][0], 1e-10, what);
        close(test.high.unwrap(), &expect["ci90"][1], 1e-10, what);
    }
}

#[test]
fn paired_tests_equal_the_reference() {
    for case in golden("hac_paired_test")["cases"].as_array().unwrap() {
        let (name, input, expect) = (case["name"].as_str().unwrap(), &case["input"], &case["expect"]);
        if input.get("champion_returns").is_some() {
            let test = paired_sharpe(&numbers(&input["champion_returns"]), &numbers(&input["challenger_returns"]));
            check(&test.unwrap(), expect, name);
            continue;
        }
        let (y, a, b) = (labels(&input["y"]), numbers(&input["champion"]), numbers(&input["challenger"]));
        check(&paired_auc(&y, &a, &b).unwrap(), &expect["auc"], name);
        if expect["auc"].get("auc1").is_some() {
            let (auc, first) = auc_influence(&y, &a).unwrap();
            close(auc, &expect["auc"]["auc1"], 1e-12, name);
            let (_, second) = auc_influence(&y, &b).unwrap();
            for (i, expected) in expect["auc"]["influence_diff_first8"].as_array().unwrap().iter().enumerate() {
                close(second[i] - first[i], expected, 1e-10, name);
            }
        }
        if expect.get("brier_improvement").is_some() {
            check(&paired_log_loss(&y, &a, &b).unwrap(), &expect["log_loss_improvement"], name);
            check(&paired_brier(&y, &a, &b).unwrap(), &expect["brier_improvement"], name);
        }
    }
}

#[test]
fn delong_equals_proc() {
    for case in golden("delong")["cases"].as_array().unwrap() {
        let (name, input, expect) = (case["name"].as_str().unwrap(), &case["input"], &case["expect"]);
        let test = delong(&labels(&input["y"]), &numbers(&input["s1"]), &numbers(&input["s2"])).unwrap();
        close(test.auc_champion, &expect["auc1"], 1e-12, name);
        close(test.auc_challenger, &expect["auc2"], 1e-12, name);
        close(test.variance_champion, &expect["var1"], 1e-12, name);
        close(test.variance_challenger, &expect["var2"], 1e-12, name);
        close(test.covariance, &expect["cov"], 1e-12, name);
        close(test.delta, &expect["delta_auc2_minus_auc1"], 1e-12, name);
        close(-test.z, &expect["z"], 1e-9, name);
        let two_sided = expect["p_two_sided"].as_f64().unwrap();
        assert!((test.p_two_sided / two_sided - 1.0).abs() < 1e-9, "{name}");
        assert!((test.p_greater / expect["p_less"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{name}");
    }
}

#[test]
fn diebold_mariano_equals_r_forecast() {
    let file = golden("diebold_mariano");
    let cases = file["cases"].as_array().unwrap();
    for case in cases {
        let source =
            case["input"].get("same_errors_as").map_or(case, |name| cases.iter().find(|c| &c["name"] == name).unwrap());
        let power = case["input"]["power"].as_i64().unwrap() as i32;
        let loss = |key: &str| numbers(&source["input"][key]).iter().map(|e| e.abs().powi(power)).collect::<Vec<_>>();
        let horizon = case["input"]["h"].as_u64().unwrap() as usize;
        let test = diebold_mariano(&loss("e1"), &loss("e2"), horizon).unwrap();
        let name = case["name"].as_str().unwrap();
        close(test.statistic, &case["expect"]["stat"], 1e-10, name);
        close(test.p_greater, &case["expect"]["p_greater"], 1e-10, name);
        close(test.p_two_sided, &case["expect"]["p_two_sided"], 1e-10, name);
    }
}

#[test]
fn unusable_input_is_refused_with_its_cause() {
    let one_class = paired_auc(&[true; 4], &[0.1; 4], &[0.2; 4]);
    assert_eq!(one_class, Err(CompareError::OneClass { positives: 4, rows: 4 }));
    let short = paired_brier(&[true, false], &[0.5], &[0.5, 0.5]);
    assert_eq!(short, Err(CompareError::Length { what: "champion", expected: 2, found: 1 }));
    let missing = paired_brier(&[true, false], &[0.5, 0.5], &[0.5, f64::NAN]);
    assert_eq!(missing, Err(CompareError::NotFinite { what: "challenger", row: 1 }));
    assert!(paired_mean(&[]).is_err() && paired_log_loss(&[], &[], &[]).is_err());
    assert!(paired_sharpe(&[0.1; 9], &[0.1; 9]).is_err());
}

#[test]
fn a_constant_gain_is_no_test() {
    let test = paired_mean(&[0.1; 40]).unwrap();
    assert_eq!((test.t, test.p_greater, test.low, test.minimum_detectable), (None, None, None, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn exchanging_the_models_changes_the_sign(rows in proptest::collection::vec((any::<bool>(), 0.01_f64..0.99, 0.01_f64..0.99), 8..60)) {
        let y: Vec<bool> = rows.iter().map(|r| r.0).collect();
        prop_assume!(y.contains(&true) && y.contains(&false));
        let (a, b): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (r.1, r.2)).unzip();
        for test in [paired_auc, paired_log_loss, paired_brier] {
            let (forward, backward) = (test(&y, &a, &b).unwrap(), test(&y, &b, &a).unwrap());
            prop_assert!((forward.delta + backward.delta).abs() < 1e-12);
            prop_assert!((forward.se - backward.se).abs() < 1e-12);
        }
    }

    #[test]
    fn order_inside_a_time_stamp_does_not_matter(rows in proptest::collection::vec((0_i64..6, any::<bool>(), 0.01_f64..0.99, 0.01_f64..0.99), 12..40)) {
        let mut sorted = rows.clone();
        sorted.sort_by_key(|r| r.0);
        prop_assume!(sorted.iter().any(|r| r.1) && sorted.iter().any(|r| !r.1));
        let run = |rows: &[(i64, bool, f64, f64)]| {
            let time: Vec<i64> = rows.iter().map(|r| r.0).collect();
            let y: Vec<bool> = rows.iter().map(|r| r.1).collect();
            let (a, b): (Vec<f64>, Vec<f64>) = rows.iter().map(|r| (r.2, r.3)).unzip();
            paired_by_time(ScoreMetric::Auc, TestMethod::Auto, &rows_of(&time, &y, &a, &b)).unwrap()
        };
        let before = run(&sorted);
        let mut turned = sorted.clone();
        turned.reverse();
        turned.sort_by_key(|r| r.0);
        let after = run(&turned);
        prop_assert!((before.delta - after.delta).abs() < 1e-12 && (before.se - after.se).abs() < 1e-12);
    }
}

fn rows_of<'a>(time: &'a [i64], labels: &'a [bool], champion: &'a [f64], challenger: &'a [f64]) -> PairedRows<'a> {
    PairedRows { time, labels, champion, challenger, threshold: 0.5 }
}

/// Two models that see one signal through noise of equal strength.
fn equal_models(n: usize, phi: f64, seed: u64) -> (Vec<i64>, Vec<bool>, Vec<f64>, Vec<f64>) {
    let mut stream = Seed::new(seed).stream();
    let mut series = || -> Vec<f64> {
        let scale = (1.0 - phi * phi).sqrt();
        let mut state = stream.normal();
        let mut step = || {
            state = phi * state + scale * stream.normal();
            state
        };
        (0..n).map(|_| step()).collect()
    };
    let (signal, one, two) = (series(), series(), series());
    let mut luck = Seed::new(seed).derive("labels").stream();
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let labels = signal.iter().map(|s| luck.uniform() < logistic(*s)).collect();
    let score = |noise: &[f64]| signal.iter().zip(noise).map(|(s, e)| logistic((s + e) / 2.0)).collect();
    ((0..n as i64).collect(), labels, score(&one), score(&two))
}

#[test]
fn cosines_of_white_noise_are_orthonormal() {
    // of a pure cosine all power is in its own term: sum of squares n/2 over B terms
    let n = 400;
    let wave: Vec<f64> = (0..n).map(|t| (std::f64::consts::PI * 3.0 * (t as f64 + 0.5) / n as f64).cos()).collect();
    let estimate = HacEstimate::by_cosines(0.0, &wave);
    let expected = (n as f64 / 2.0 / estimate.dof / n as f64).sqrt();
    assert!((estimate.se - expected).abs() < 1e-12, "{} {expected}", estimate.se);
}

#[test]
fn the_slow_part_of_noisy_influences_is_not_missed() {
    let rejected = |method: TestMethod| {
        let runs = (0..400).filter(|seed| {
            let (time, y, a, b) = equal_models(500, 0.95, *seed);
            let test = paired_by_time(ScoreMetric::Auc, method, &rows_of(&time, &y, &a, &b)).unwrap();
            test.p_greater.unwrap() <= 0.10
        });
        runs.count()
    };
    let (cosines, bartlett) = (rejected(TestMethod::Auto), rejected(TestMethod::Hac));
    // 40 are due of 400; three standard errors above 10 % are 58
    assert!(cosines <= 58 && bartlett > cosines, "{cosines} {bartlett}");
}

#[test]
fn every_method_says_which_metrics_it_is_for() {
    let (time, y, a, b) = equal_models(300, 0.3, 1);
    let run = |metric, method| paired_by_time(metric, method, &rows_of(&time, &y, &a, &b));
    for metric in [
        ScoreMetric::Auc,
        ScoreMetric::LogLoss,
        ScoreMetric::Brier,
        ScoreMetric::AveragePrecision,
        ScoreMetric::Mcc,
        ScoreMetric::F1,
    ] {
        for method in [
            TestMethod::Auto,
            TestMethod::Hac,
            TestMethod::Delong,
            TestMethod::Bootstrap,
            TestMethod::Sharpe,
            TestMethod::DieboldMariano,
        ] {
            match (method.defect(metric), run(metric, method)) {
                (None, Ok(test)) => assert!(test.p_greater.is_some_and(|p| p > 0.0) && test.se > 0.0),
                (Some(defect), Err(error)) => assert_eq!(defect, error),
                (defect, found) => panic!("{metric:?} {method:?}: {defect:?} {found:?}"),
            }
        }
    }
    let refused = run(ScoreMetric::Brier, TestMethod::Delong).unwrap_err().to_string();
    assert_eq!(refused, "the test `delong` does not compare `brier`; DeLong's test is for `auc`");
}

#[test]
fn methods_agree_where_rows_are_independent() {
    let (time, y, a, b) = equal_models(2_000, 0.0, 5);
    let se = |metric, method| paired_by_time(metric, method, &rows_of(&time, &y, &a, &b)).unwrap().se;
    let delong = se(ScoreMetric::Auc, TestMethod::Delong);
    for method in [TestMethod::Auto, TestMethod::Hac, TestMethod::Bootstrap] {
        assert!((se(ScoreMetric::Auc, method) / delong - 1.0).abs() < 0.45, "{method:?}");
    }
    let dm = se(ScoreMetric::Brier, TestMethod::DieboldMariano);
    assert!((se(ScoreMetric::Brier, TestMethod::Bootstrap) / dm - 1.0).abs() < 0.45);
}

#[test]
fn models_without_a_difference_are_no_evidence_by_any_method() {
    let (time, y, a, _) = equal_models(300, 0.3, 2);
    for (metric, method) in [
        (ScoreMetric::Auc, TestMethod::Auto),
        (ScoreMetric::Auc, TestMethod::Delong),
        (ScoreMetric::Auc, TestMethod::Bootstrap),
        (ScoreMetric::Mcc, TestMethod::Auto),
        (ScoreMetric::Brier, TestMethod::DieboldMariano),
    ] {
        let test = paired_by_time(metric, method, &rows_of(&time, &y, &a, &a)).unwrap();
        assert_eq!((test.delta, test.se, test.p_greater), (0.0, 0.0, Some(1.0)), "{metric:?} {method:?}");
    }
    assert_eq!(paired_returns(TestMethod::Auto, &[0.1, 0.2, 0.3], &[0.1, 0.2, 0.3]).unwrap().p_greater, Some(1.0));
}

#[test]
fn the_bootstrap_agrees_with_ledoit_and_wolf() {
    let mut stream = Seed::new(3).stream();
    let (one, two): (Vec<f64>, Vec<f64>) = (0..1_000).map(|_| (stream.normal() + 0.1, stream.normal() + 0.1)).unzip();
    let se = |method| paired_returns(method, &one, &two).unwrap().se;
    assert!((se(TestMethod::Bootstrap) / se(TestMethod::Sharpe) - 1.0).abs() < 0.45);
    assert!((se(TestMethod::Hac) / se(TestMethod::Sharpe) - 1.0).abs() < 0.45);
}
