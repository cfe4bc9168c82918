//! scikit-learn's numbers, and the laws of calibration.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::ModelError;

fn golden(file: &str) -> Value {
    let path = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= tolerance, "{what}: {a} is not {b}");
    }
}

fn cases() -> Vec<(String, Vec<f64>, Vec<f64>, Option<Vec<f64>>, Value)> {
    golden("stats/calibration.json")["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|case| case["input"].get("p").is_some())
        .map(|case| {
            let input = &case["input"];
            let weights = input.get("w").map(numbers);
            let name = case["name"].as_str().unwrap().to_owned();
            (name, numbers(&input["p"]), numbers(&input["y"]), weights, case["expect"].clone())
        })
        .collect()
}

#[test]
fn isotonic_regression_is_that_of_scikit_learn() {
    let mut compared = 0;
    for (name, p, y, w, expect) in cases() {
        let fitted = Calibrator::fit(CalibrationKind::Isotonic, &p, &y, w.as_deref()).unwrap();
        let Calibrator::Isotonic { x, y } = &fitted else { unreachable!() };
        let expect = &expect["isotonic"];
        assert_near(x, &numbers(&expect["x_thresholds"]), 0.0, &name);
        assert_near(y, &numbers(&expect["y_thresholds"]), 1e-12, &name);
        assert_near(&fitted.apply_all(&numbers(&expect["grid"])), &numbers(&expect["pred_grid"]), 1e-12, &name);
        compared += 1;
    }
    assert!(compared >= 4);
}

#[test]
fn platt_scaling_is_that_of_scikit_learn() {
    for (name, p, y, w, expect) in cases() {
        let fitted = Calibrator::fit(CalibrationKind::Platt, &p, &y, w.as_deref()).unwrap();
        let Calibrator::Platt { a, b } = fitted else { unreachable!() };
        let platt = &expect["platt_on_p"];
        assert_near(&[a, b], &[platt["a"].as_f64().unwrap(), platt["b"].as_f64().unwrap()], 1e-5, &name);
        let Some(grid) = platt.get("pred_grid") else { continue };
        let points = numbers(&expect["isotonic"]["grid"]);
        assert_near(&fitted.apply_all(&points), &numbers(grid), 1e-6, &name);
    }
    for (name, p, y, w, expect) in cases() {
        let Some(logit) = expect.get("platt_on_logit") else { continue };
        let fitted = Calibrator::fit(CalibrationKind::PlattLogit, &p, &y, w.as_deref()).unwrap();
        let Calibrator::PlattLogit { a, b } = fitted else { unreachable!() };
        assert_near(&[a, b], &[logit["a"].as_f64().unwrap(), logit["b"].as_f64().unwrap()], 1e-5, &name);
    }
}

#[test]
fn beta_calibration_is_the_constrained_optimum_that_scipy_finds() {
    let file = golden("model/beta_calibration.json");
    for case in file["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (p, y) = (numbers(&case["p"]), numbers(&case["y"]));
        let w = case.get("w").map(numbers);
        let fitted = Calibrator::fit(CalibrationKind::Beta, &p, &y, w.as_deref()).unwrap();
        assert_near(&fitted.apply_all(&numbers(&case["grid"])), &numbers(&case["calibrated"]), 1e-6, name);
        let Calibrator::Beta { a, b, c } = fitted else { unreachable!() };
        assert_near(&[a, b, c], &numbers(&case["abc"]), 1e-4, name);
    }
}

#[test]
fn nonsense_is_refused_by_row() {
    let fit = |p: &[f64], y: &[f64], w: Option<&[f64]>| Calibrator::fit(CalibrationKind::Platt, p, y, w);
    assert!(matches!(fit(&[], &[], None), Err(ModelError::TooFewRows { .. })));
    assert!(matches!(fit(&[0.5, f64::NAN], &[0.0, 1.0], None), Err(ModelError::Probability { row: 1, .. })));
    assert!(matches!(fit(&[0.5, 0.5], &[0.0, 2.0], None), Err(ModelError::Label { row: 1, .. })));
    assert!(matches!(fit(&[0.5], &[0.0, 1.0], None), Err(ModelError::Shape { .. })));
    assert!(matches!(fit(&[0.5], &[1.0], Some(&[0.0])), Err(ModelError::NoWeight)));
}

const KINDS: [CalibrationKind; 5] = [
    CalibrationKind::None,
    CalibrationKind::Platt,
    CalibrationKind::PlattLogit,
    CalibrationKind::Beta,
    CalibrationKind::Isotonic,
];

#[test]
fn the_table_names_every_kind() {
    let names = KINDS.map(|kind| serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned());
    assert_eq!(names.to_vec(), CALIBRATIONS.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
}

#[test]
fn one_row_one_class_and_equal_probabilities_give_a_probability() {
    for kind in KINDS {
        for (p, y) in [(vec![0.3], vec![1.0]), (vec![0.3; 5], vec![0.0; 5]), (vec![0.0, 1.0], vec![0.0, 1.0])] {
            let fitted = Calibrator::fit(kind, &p, &y, None).unwrap();
            for point in [0.0, 0.3, 1.0] {
                assert!((0.0..=1.0).contains(&fitted.apply(point)), "{kind:?} {p:?} {y:?}");
            }
            assert!(fitted.apply(f64::NAN).is_nan(), "{kind:?}");
        }
    }
}

fn any_rows() -> impl Strategy<Value = Vec<(f64, bool, u8)>> {
    // a coarse grid, so that ties are common
    prop::collection::vec((0_u8..=20, any::<bool>(), 1_u8..4), 2..60)
        .prop_map(|rows| rows.into_iter().map(|(p, y, w)| (f64::from(p) / 20.0, y, w)).collect())
}

fn columns(rows: &[(f64, bool, u8)]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let p = rows.iter().map(|row| row.0).collect();
    (p, rows.iter().map(|row| f64::from(u8::from(row.1))).collect(), rows.iter().map(|row| f64::from(row.2)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn isotonic_and_beta_never_decrease_and_stay_probabilities(rows in any_rows()) {
        let (p, y, w) = columns(&rows);
        for kind in [CalibrationKind::Isotonic, CalibrationKind::Beta] {
            let fitted = Calibrator::fit(kind, &p, &y, Some(&w)).unwrap();
            let line: Vec<f64> = (0..=100).map(|i| fitted.apply(f64::from(i) / 100.0)).collect();
            prop_assert!(line.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{kind:?} {line:?}");
            prop_assert!(line.iter().all(|value| (0.0..=1.0).contains(value)));
        }
    }

    #[test]
    fn a_weight_is_a_repeat_and_row_order_does_not_matter(rows in any_rows()) {
        let (p, y, w) = columns(&rows);
        let mut repeated: Vec<_> = rows.iter().flat_map(|&row| vec![row; usize::from(row.2)]).collect();
        repeated.reverse();
        let (repeated_p, repeated_y, _) = columns(&repeated);
        for kind in KINDS {
            let weighted = Calibrator::fit(kind, &p, &y, Some(&w)).unwrap();
            let reference = Calibrator::fit(kind, &repeated_p, &repeated_y, None).unwrap();
            for &point in &p {
                prop_assert!((weighted.apply(point) - reference.apply(point)).abs() < 1e-6, "{kind:?}");
            }
        }
    }

    #[test]
    fn the_stored_calibrator_is_the_same_to_the_bit(rows in any_rows()) {
        let (p, y, w) = columns(&rows);
        for kind in KINDS {
            let fitted = Calibrator::fit(kind, &p, &y, Some(&w)).unwrap();
            let text = serde_json::to_string(&fitted).unwrap();
            prop_assert_eq!(serde_json::from_str::<Calibrator>(&text).unwrap(), fitted);
        }
    }
}
