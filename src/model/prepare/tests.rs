//! scikit-learn's and scipy's numbers, and the laws of the maps.

use ndarray::{Array2, array};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::fixtures::{golden, numbers};

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

const ALL: [Transform; 5] =
    [Transform::None, Transform::Standardise, Transform::Robust, Transform::RankNormal, Transform::Winsorise];

#[test]
fn the_maps_are_those_of_scikit_learn_numpy_and_scipy() {
    let file = &golden("training.json")["transforms"];
    let (train, new) = (matrix(&file["train"]), matrix(&file["new"]));
    for transform in &ALL[1..] {
        let name = serde_json::to_value(transform).unwrap();
        let expected = matrix(&file["expected"][name.as_str().unwrap()]);
        let found = Preparation::fit(*transform, file["tail"].as_f64().unwrap(), train.view()).apply(new.view());
        for ((at, found), expected) in found.indexed_iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-9, "{name} {at:?}: {found} is not {expected}");
        }
    }
}

#[test]
fn a_value_that_is_not_finite_is_left_to_the_learner() {
    let train = array![[1.0], [f64::NAN], [3.0], [8.0]];
    for transform in ALL {
        let maps = Preparation::fit(transform, 0.1, train.view());
        let found = maps.apply(array![[f64::NAN], [f64::INFINITY], [2.0]].view());
        assert!(found[[0, 0]].is_nan() && found[[1, 0]] == f64::INFINITY && found[[2, 0]].is_finite(), "{transform:?}");
        // neither an empty nor a constant column, nor a huge one, makes a value that is not finite
        let odd = array![[f64::NAN, 5.0, 1e300], [f64::NAN, 5.0, -1e300]];
        let found = Preparation::fit(transform, 0.1, odd.view()).apply(array![[2.0, 5.0, 1e300]].view());
        assert!(found.iter().all(|value| value.is_finite()), "{transform:?} {found}");
    }
}

#[test]
fn stored_maps_are_read_to_the_bit_and_refused_when_they_contradict_themselves() {
    let train = array![[1.0, 2.0], [5.0, 7.0], [3.0, 9.0]];
    for transform in ALL {
        let maps = Preparation::fit(transform, 0.1, train.view());
        let text = serde_json::to_string(&maps).unwrap();
        assert_eq!(serde_json::from_str::<Preparation>(&text).unwrap(), maps);
        assert!(maps.check(2).is_ok() && maps.check(3).is_err());
    }
    let of = |column: ColumnMap| Preparation { version: 1, columns: vec![column] }.check(1);
    assert!(of(ColumnMap::Affine { centre: 0.0, scale: 0.0 }).is_err());
    assert!(of(ColumnMap::Knots { x: vec![1.0, 1.0], z: vec![0.0, 1.0] }).is_err());
    assert!(of(ColumnMap::Clip { low: 1.0, high: 0.0 }).is_err());
    assert!(Preparation { version: 2, columns: vec![] }.check(0).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_map_rises(values in prop::collection::vec(-1e6_f64..1e6, 1..60), a in -2e6_f64..2e6, b in -2e6_f64..2e6) {
        let train = Array2::from_shape_vec((values.len(), 1), values).unwrap();
        for transform in ALL {
            let map = Preparation::fit(transform, 0.05, train.view()).columns.remove(0);
            prop_assert!(map.apply(a.min(b)) <= map.apply(a.max(b)), "{transform:?}");
        }
    }
}
