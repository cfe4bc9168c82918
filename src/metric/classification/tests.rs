use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::base::{CancelToken, Seed};
use crate::metric::golden::{agrees, cases, float, json, labels, numbers, parquet_rows};
use crate::stats::bootstrap::IntervalPlan;
use crate::stats::order::midranks;

const EXACT: f64 = 1e-12;

#[test]
fn every_metric_agrees_with_scikit_learn() {
    for case in cases("stats/classification.json") {
        let (name, input, expect) = (case["name"].as_str().unwrap(), &case["input"], &case["expect"]);
        if input.get("P").is_some() || input.get("w").is_some() {
            continue;
        }
        let (labels, p) = (labels(&input["y"]), numbers(&input["p"]));
        let report = classification_report(&labels, &p, input["threshold"].as_f64().unwrap());
        let counts = report.confusion.unwrap();
        for (key, ours) in [
            ("tn", Some(counts.true_negative)),
            ("fp", Some(counts.false_positive)),
            ("fn", Some(counts.false_negative)),
            ("tp", Some(counts.true_positive)),
            ("accuracy", report.accuracy),
            ("precision", report.precision),
            ("recall", report.recall),
            ("specificity", report.specificity),
            ("f1", report.f1),
            ("fbeta_0_5", Some(counts.f_beta(0.5))),
            ("mcc", report.mcc),
            ("balanced_accuracy", report.balanced_accuracy),
            ("cohen_kappa", report.kappa),
            ("roc_auc", report.roc_auc),
            ("average_precision", report.average_precision),
            ("log_loss", report.log_loss),
            ("brier", report.brier),
            ("ece10_width", report.ece),
            ("mce10_width", report.mce),
            ("ece10_mass", report.ece_equal_mass),
            ("lift_at_10pct", report.lift_at_10pct),
            ("lift_at_20pct", report.lift_at_20pct),
            ("ks_class_separation", report.ks),
        ] {
            agrees(&format!("{name} {key}"), ours, &expect[key], EXACT, 0.0);
        }
    }
}

#[test]
fn weighted_metrics_agree_with_scikit_learn() {
    let all = cases("stats/classification.json");
    let case = all.iter().find(|case| case["name"] == "weighted").unwrap();
    let input = &case["input"];
    let (labels, p, w) = (labels(&input["y"]), numbers(&input["p"]), numbers(&input["w"]));
    let threshold = input["threshold"].as_f64().unwrap();
    check_basic("weighted", "", &case["expect"], &labels, &p, Some(&w), &[(threshold, "")]);
}

#[test]
fn large_rare_tied_and_extreme_samples_agree_with_scikit_learn() {
    let mut samples: BTreeMap<String, (Vec<bool>, Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for row in parquet_rows("classification/scores.parquet") {
        let text = |name: &str| row.iter().find(|(column, _)| column == name).unwrap().1.to_string();
        let number = |name: &str| float(&row.iter().find(|(column, _)| column == name).unwrap().1);
        let sample = samples.entry(text("case").trim_matches('"').to_owned()).or_default();
        sample.0.push(number("y") == 1.0);
        sample.1.push(number("score"));
        sample.2.push(number("weight"));
    }
    for case in json("classification/expected.json")["cases"].as_array().unwrap() {
        let name = case["case"].as_str().unwrap();
        let (labels, p, w) = &samples[name];
        let thresholds = [(0.3, "@0.3"), (0.5, "@0.5"), (0.7, "@0.7")];
        check_basic(name, "", case, labels, p, None, &thresholds);
        check_basic(name, "_w", case, labels, p, Some(w), &thresholds);

        let curve = reliability_curve(labels, p, None, Binning::EqualWidth, 10).unwrap();
        for (key, ours) in [
            ("frac_pos", curve.iter().map(|bin| bin.positive_rate).collect::<Vec<_>>()),
            ("mean_pred", curve.iter().map(|bin| bin.mean_probability).collect()),
        ] {
            let theirs = numbers(&case["calibration_uniform10"][key]);
            assert_eq!(ours.len(), theirs.len(), "{name} {key}");
            assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < EXACT), "{name} {key}");
        }
        let ece = expected_calibration_error(labels, p, None, Binning::EqualWidth, 10);
        agrees(&format!("{name} ece"), ece, &case["ece_uniform10_numpy"], EXACT, 0.0);
    }
}

/// Compares what the file has of score and threshold metrics, keys ending in `suffix`.
fn check_basic(
    name: &str,
    suffix: &str,
    expect: &Value,
    labels: &[bool],
    p: &[f64],
    weights: Option<&[f64]>,
    thresholds: &[(f64, &str)],
) {
    let check = |key: String, ours: Option<f64>| {
        if let Some(theirs) = expect.get(format!("{key}{suffix}")) {
            agrees(&format!("{name} {key}{suffix}"), ours, theirs, EXACT, 0.0);
        }
    };
    check("roc_auc".into(), roc_auc(labels, p, weights));
    check("average_precision".into(), average_precision(labels, p, weights));
    check("log_loss".into(), log_loss(labels, p, weights));
    check("brier".into(), brier(labels, p, weights));
    for (threshold, tag) in thresholds {
        let counts = confusion_at(labels, p, weights, *threshold).unwrap();
        check(format!("accuracy{tag}"), counts.accuracy());
        check(format!("precision{tag}"), Some(counts.precision()));
        check(format!("recall{tag}"), Some(counts.recall()));
        check(format!("f1{tag}"), Some(counts.f1()));
        check(format!("mcc{tag}"), Some(counts.mcc()));
        check(format!("balanced_accuracy{tag}"), counts.balanced_accuracy());
    }
}

#[test]
fn one_class_leaves_ranking_undefined_and_decisions_at_zero() {
    let report = classification_report(&[false; 3], &[0.2, 0.6, 0.7], 0.5);
    assert_eq!((report.roc_auc, report.ks, report.lift_at_10pct, report.brier_skill), (None, None, None, None));
    assert_eq!(
        (report.precision, report.f1, report.mcc, report.trivial_f1),
        (Some(0.0), Some(0.0), Some(0.0), Some(0.0))
    );
}

#[test]
fn unusable_rows_leave_everything_undefined() {
    let unusable: [(&[bool], &[f64]); 4] =
        [(&[], &[]), (&[true], &[f64::NAN]), (&[true, false], &[0.5]), (&[true, false], &[0.5, 1.2])];
    for (labels, p) in unusable {
        let report = classification_report(labels, p, 0.5);
        assert!(report.confusion.is_none() && report.roc_auc.is_none() && report.log_loss.is_none());
        assert!(report.brier.is_none() && report.trivial_f1.is_none() && report.reliability.is_empty());
    }
    assert_eq!(roc_auc(&[true, false], &[0.4, 0.6], Some(&[0.0, 0.0])), None);
    assert_eq!(brier(&[true, false], &[0.4, 0.6], Some(&[1.0, -1.0])), None);
}

#[test]
fn always_saying_yes_reaches_the_trivial_f1() {
    let labels = [true, false, false, true, false];
    let counts = confusion_at(&labels, &[1.0; 5], None, 0.5).unwrap();
    assert!((trivial_f1(&labels).unwrap() - counts.f1()).abs() < EXACT);
}

#[test]
fn intervals_contain_the_estimate_and_do_not_depend_on_the_thread_count() {
    let mut stream = Seed::new(3).stream();
    let p: Vec<f64> = (0..300).map(|_| stream.uniform()).collect();
    let labels: Vec<bool> = p.iter().map(|p| stream.uniform() < *p).collect();
    let draw = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let plan = IntervalPlan { resamples: 200, ..IntervalPlan::default() };
        pool.install(|| with_intervals(&labels, &p, 0.5, &plan, Seed::new(9), &CancelToken::new())).unwrap()
    };
    let report = draw(1);
    assert_eq!(report, draw(3));
    let intervals = report.intervals.unwrap();
    for (estimate, interval) in [
        (report.roc_auc, intervals.roc_auc),
        (report.log_loss, intervals.log_loss),
        (report.brier, intervals.brier),
        (report.f1, intervals.f1),
    ] {
        let (estimate, interval) = (estimate.unwrap(), interval.unwrap());
        assert!(interval.low < estimate && estimate < interval.high, "{estimate} {interval:?}");
    }
}

#[test]
fn a_cancelled_bootstrap_says_so() {
    let cancel = CancelToken::new();
    cancel.cancel();
    let plan = IntervalPlan::default();
    assert!(with_intervals(&[true, false], &[0.4, 0.6], 0.5, &plan, Seed::new(1), &cancel).is_err());
}

#[test]
fn a_report_survives_json() {
    let report = classification_report(&[true, false, true], &[0.9, 0.4, 0.3], 0.5);
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<ClassificationReport>(&text).unwrap(), report);
}

/// Every pair of a positive and a negative row, ties one half.
fn auc_by_pairs(labels: &[bool], p: &[f64]) -> f64 {
    let (mut wins, mut pairs) = (0.0, 0.0);
    for (i, _) in labels.iter().enumerate().filter(|(_, label)| **label) {
        for (j, _) in labels.iter().enumerate().filter(|(_, label)| !**label) {
            pairs += 1.0;
            wins += if p[i] > p[j] { 1.0 } else { 0.5 * f64::from(u8::from(p[i] == p[j])) };
        }
    }
    wins / pairs
}

/// Rows with both classes, probabilities on a coarse grid so that ties are common, whole weights.
fn sample() -> impl Strategy<Value = (Vec<bool>, Vec<f64>, Vec<f64>)> {
    prop::collection::vec((any::<bool>(), 0..=12_u8, 0..4_u8), 4..60).prop_map(|mut rows| {
        rows[0].0 = true;
        rows[1].0 = false;
        (rows[0].2, rows[1].2) = (1, 1);
        let labels = rows.iter().map(|row| row.0).collect();
        let p = rows.iter().map(|row| f64::from(row.1) / 12.0).collect();
        (labels, p, rows.iter().map(|row| f64::from(row.2)).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn auc_counts_pairs_and_ranks((labels, p, _) in sample()) {
        let auc = roc_auc(&labels, &p, None).unwrap();
        prop_assert!((auc - auc_by_pairs(&labels, &p)).abs() < EXACT);
        let positives = labels.iter().filter(|label| **label).count() as f64;
        let ranks: f64 = midranks(&p).iter().zip(&labels).filter(|(_, label)| **label).map(|(rank, _)| rank).sum();
        let negatives = labels.len() as f64 - positives;
        let mann_whitney = (ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives);
        prop_assert!((auc - mann_whitney).abs() < EXACT);
    }

    #[test]
    fn ranking_survives_a_monotone_transform((labels, p, _) in sample()) {
        let bent: Vec<f64> = p.iter().map(|p| p * p * 0.7 + 0.1).collect();
        prop_assert_eq!(roc_auc(&labels, &p, None), roc_auc(&labels, &bent, None));
        prop_assert_eq!(average_precision(&labels, &p, None), average_precision(&labels, &bent, None));
        prop_assert_eq!(ks_separation(&labels, &p, None), ks_separation(&labels, &bent, None));
    }

    #[test]
    fn swapping_labels_and_scores_changes_nothing_symmetric((labels, p, _) in sample()) {
        let flipped: Vec<bool> = labels.iter().map(|label| !label).collect();
        let mirrored: Vec<f64> = p.iter().map(|p| 1.0 - p).collect();
        let auc = roc_auc(&labels, &p, None).unwrap();
        prop_assert!((auc - (1.0 - roc_auc(&flipped, &p, None).unwrap())).abs() < EXACT);
        let brier_gap = brier(&labels, &p, None).unwrap() - brier(&flipped, &mirrored, None).unwrap();
        prop_assert!(brier_gap.abs() < EXACT);
        let loss_gap = log_loss(&labels, &p, None).unwrap() - log_loss(&flipped, &mirrored, None).unwrap();
        prop_assert!(loss_gap.abs() < 1e-10);
    }

    #[test]
    fn the_order_of_rows_does_not_matter((labels, p, w) in sample(), seed in any::<u64>()) {
        let mut order: Vec<usize> = (0..labels.len()).collect();
        Seed::new(seed).stream().shuffle(&mut order);
        let shuffled_labels: Vec<bool> = order.iter().map(|&row| labels[row]).collect();
        let shuffled_p: Vec<f64> = order.iter().map(|&row| p[row]).collect();
        let shuffled_w: Vec<f64> = order.iter().map(|&row| w[row]).collect();
        let before = every_weighted_metric(&labels, &p, Some(&w));
        let after = every_weighted_metric(&shuffled_labels, &shuffled_p, Some(&shuffled_w));
        prop_assert!(before.iter().zip(&after).all(|(a, b)| (a - b).abs() < EXACT), "{:?} {:?}", before, after);
    }

    #[test]
    fn a_whole_weight_is_that_many_rows((labels, p, w) in sample()) {
        let repeats = |row: usize| std::iter::repeat_n(row, w[row] as usize);
        let rows: Vec<usize> = (0..labels.len()).flat_map(repeats).collect();
        let repeated_labels: Vec<bool> = rows.iter().map(|&row| labels[row]).collect();
        let repeated_p: Vec<f64> = rows.iter().map(|&row| p[row]).collect();
        let weighted = every_weighted_metric(&labels, &p, Some(&w));
        let repeated = every_weighted_metric(&repeated_labels, &repeated_p, None);
        let equal = weighted.iter().zip(&repeated).all(|(a, b)| (a - b).abs() < EXACT);
        prop_assert!(equal, "{:?} {:?}", weighted, repeated);
    }

    #[test]
    fn shares_stay_between_their_bounds((labels, p, w) in sample()) {
        for (metric, value) in every_weighted_metric(&labels, &p, Some(&w)).iter().enumerate() {
            let low = if metric == MCC { -1.0 - EXACT } else { 0.0 };
            let high = if metric == LOG_LOSS { 37.0 } else { 1.0 + EXACT };
            prop_assert!((low..=high).contains(value), "metric {} is {}", metric, value);
        }
    }

    #[test]
    fn the_parts_of_the_brier_score_add_up((labels, p, w) in sample(), bins in 1..12_usize) {
        for binning in [Binning::EqualWidth, Binning::EqualMass] {
            let parts = brier_decomposition(&labels, &p, Some(&w), binning, bins).unwrap();
            let total = parts.reliability - parts.resolution + parts.uncertainty + parts.within_bin;
            prop_assert!((total - brier(&labels, &p, Some(&w)).unwrap()).abs() < EXACT);
        }
    }

    #[test]
    fn bins_hold_every_row_once((labels, p, _) in sample(), bins in 1..12_usize) {
        for binning in [Binning::EqualWidth, Binning::EqualMass] {
            let curve = reliability_curve(&labels, &p, None, binning, bins).unwrap();
            prop_assert_eq!(curve.iter().map(|bin| bin.rows).sum::<usize>(), labels.len());
            prop_assert!(curve.windows(2).all(|pair| pair[0].high <= pair[1].low));
        }
    }
}

const LOG_LOSS: usize = 3;
const MCC: usize = 6;

fn every_weighted_metric(labels: &[bool], p: &[f64], w: Option<&[f64]>) -> Vec<f64> {
    let counts = confusion_at(labels, p, w, 0.5).unwrap();
    vec![
        roc_auc(labels, p, w).unwrap(),
        average_precision(labels, p, w).unwrap(),
        ks_separation(labels, p, w).unwrap(),
        log_loss(labels, p, w).unwrap(),
        brier(labels, p, w).unwrap(),
        counts.f1(),
        counts.mcc(),
        counts.balanced_accuracy().unwrap(),
        expected_calibration_error(labels, p, w, Binning::EqualWidth, 10).unwrap(),
        maximum_calibration_error(labels, p, w, Binning::EqualWidth, 10).unwrap(),
    ]
}
