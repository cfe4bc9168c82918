//! scipy's clusters, the published stability, and what each step may and may not drop.

use ndarray::{Array1, Array2, array};
use serde_json::Value;

use super::correlation::{complete_linkage, distances, redundant};
use super::*;
use crate::base::{CancelToken, Seed};
use crate::model::TrainingSet;
use crate::model::fixtures::{golden, numbers};

fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

#[test]
fn clusters_are_those_of_scipys_complete_linkage() {
    let file = &golden("training.json")["clusters"];
    let rows: Vec<Vec<f64>> = file["features"].as_array().unwrap().iter().map(numbers).collect();
    let features = Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap();
    for cut in file["cuts"].as_array().unwrap() {
        let bound = cut["bound"].as_f64().unwrap();
        let mut found = complete_linkage(&distances(features.view()), 1.0 - bound);
        found.sort();
        let expected: Vec<Vec<usize>> = cut["clusters"].as_array().unwrap().iter().map(indices).collect();
        assert_eq!(found, expected, "{bound}");
        // one of each cluster is left
        assert_eq!(redundant(features.view(), bound).len(), features.ncols() - expected.len());
    }
}

#[test]
fn stability_is_the_published_one() {
    for case in golden("training.json")["stability"].as_array().unwrap() {
        let kept: Vec<Vec<usize>> = case["kept"].as_array().unwrap().iter().map(indices).collect();
        let found = stability(&kept, case["features"].as_u64().unwrap() as usize).unwrap();
        assert!((found - case["stability"].as_f64().unwrap()).abs() < 1e-12);
    }
    assert_eq!(stability(&[vec![0, 2], vec![0, 2], vec![0, 2]], 4), Some(1.0));
    assert_eq!(stability(&[vec![0, 1], vec![0, 1]], 2), None);
    assert_eq!(stability(&[vec![0]], 4), None);
}

#[test]
fn constants_and_copies_are_dropped_and_the_reason_is_kept() {
    let mut stream = Seed::new(4).stream();
    let mut features = Array2::zeros((80, 5));
    for row in 0..80 {
        let (a, b) = (stream.normal(), stream.normal());
        // a constant, a feature, its mirror image with a gap, another one, a column without a value
        features.row_mut(row).assign(&array![3.0, a, if row == 5 { f64::NAN } else { -2.0 * a }, b, f64::NAN]);
    }
    let selection = Selection { min_variance: Some(0.0), max_correlation: Some(0.9), ..Selection::default() };
    let selected = selection.by_features(features.view());
    assert_eq!(selected.kept, [1, 3]);
    let reasons = [(0, DropReason::Variance(0.0)), (2, DropReason::CorrelatesWith(1)), (4, DropReason::Variance(0.0))];
    assert_eq!(selected.dropped, reasons);
    assert_eq!(Selection::default().by_features(features.view()), Selected::all(5));
}

#[test]
fn a_feature_that_is_shuffled_costs_what_the_model_made_of_it() {
    let mut stream = Seed::new(6).stream();
    let features = Array2::from_shape_fn((400, 3), |_| stream.normal());
    let target: Array1<f64> = features.column(1).mapv(|x| f64::from(u8::from(x > 0.0)));
    let set = TrainingSet::new(features.view(), target.view());
    let predict = |features: ndarray::ArrayView2<'_, f64>| -> Vec<f64> {
        features.rows().into_iter().map(|row| 1.0 / (1.0 + (-3.0 * row[1] - 0.3 * row[0]).exp())).collect()
    };
    let of = |seed: u64| permutation_importance(&predict, &set, 5, Seed::new(seed), &CancelToken::new()).unwrap();
    let importance = of(1);
    assert!(importance[1] > 0.5 && importance[0].abs() < 0.1 && importance[2] == 0.0, "{importance:?}");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(5).build().unwrap();
    assert_eq!(pool.install(|| of(1)), importance);
    assert_ne!(of(2), importance);
}

#[test]
fn the_strongest_features_are_kept_and_never_none() {
    let rule =
        |min_importance: f64, keep: Option<usize>| Permutation { min_importance, keep, ..Permutation::default() };
    let dropped = |importance: &[f64], rule: &Permutation| -> Vec<usize> {
        strongest(importance, rule).into_iter().map(|(column, _)| column).collect()
    };
    assert_eq!(dropped(&[0.1, -0.2, 0.0, 0.3], &rule(0.0, None)), [1, 2]);
    assert_eq!(dropped(&[0.1, 0.2, 0.05, 0.3], &rule(0.0, Some(2))), [0, 2]);
    assert_eq!(dropped(&[-0.1, -0.2, -0.1], &rule(0.0, None)), [1, 2]);
}

#[test]
fn bounds_that_make_no_sense_are_refused_at_their_key() {
    let defect = |text: &str| serde_json::from_str::<Selection>(text).unwrap().defect().map(|(place, _)| place);
    assert_eq!(defect(r#"{"min_variance": 0, "max_correlation": 0.9, "permutation": {"repeats": 5}}"#), None);
    assert_eq!(defect(r#"{"max_correlation": 1}"#), Some("max_correlation"));
    assert_eq!(defect(r#"{"permutation": {"repeats": 5, "share": 0.99}}"#), Some("permutation.share"));
    assert_eq!(defect(r#"{"permutation": {"repeats": 5, "keep": 0}}"#), Some("permutation.keep"));
    // a bound that nothing would read
    assert_eq!(defect(r#"{"permutation": {"keep": 10}}"#), Some("permutation.repeats"));
    assert!(serde_json::from_str::<Selection>(r#"{"variance": 1}"#).is_err());
}
