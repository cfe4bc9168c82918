//! What the real libraries fitted and answered; what they read of ours is compared byte for byte with the files that
//! `tests/golden/interop/check.py` showed them.

use std::collections::BTreeMap;

use ndarray::Array2;
use serde_json::{Value, json};

use super::*;

fn golden(file: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/golden/interop/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn answers() -> Value {
    serde_json::from_slice(&golden("answers.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap_or(f64::NAN)).collect()
}

fn table(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

fn names() -> Vec<String> {
    serde_json::from_value(answers()["names"].clone()).unwrap()
}

fn stored(file: &str) -> Model {
    Model::from_json(&golden(file)).unwrap()
}

fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{what}, row {row}: {found} is not {expected}");
    }
}

fn calibrators() -> Vec<(Calibrator, Vec<f64>)> {
    let found = answers();
    let cases = found["calibrated"].as_array().unwrap();
    cases
        .iter()
        .map(|case| (serde_json::from_value(case["calibrator"].clone()).unwrap(), numbers(&case["p"])))
        .collect()
}

/// Every export that the libraries were shown: its file, the model, the calibrator and the format.
fn exports() -> Vec<(String, Model, Calibrator, ExportFormat)> {
    let (forest, logistic) = (stored("forest.model.json"), stored("logistic.model.json"));
    let none = Calibrator::None;
    let mut all = vec![
        ("forest.xgboost.json".to_owned(), forest.clone(), none.clone(), ExportFormat::Xgboost),
        ("forest.lightgbm.txt".to_owned(), forest.clone(), none.clone(), ExportFormat::Lightgbm),
        ("logistic.onnx".to_owned(), logistic, none.clone(), ExportFormat::Onnx),
    ];
    for (calibrator, _) in calibrators() {
        let kind = serde_json::to_value(calibrator.kind()).unwrap().as_str().unwrap().to_owned();
        all.push((format!("forest.{kind}.onnx"), forest.clone(), calibrator, ExportFormat::Onnx));
    }
    for library in ["xgboost.json", "xgboost_regression.json", "lightgbm.txt"] {
        let model = read_foreign(&golden(library), None, &BTreeMap::new()).unwrap().model;
        let name = library.split('.').next().unwrap();
        all.push((format!("from_{name}.xgboost.json"), model.clone(), none.clone(), ExportFormat::Xgboost));
        all.push((format!("from_{name}.lightgbm.txt"), model.clone(), none.clone(), ExportFormat::Lightgbm));
        all.push((format!("from_{name}.onnx"), model, none.clone(), ExportFormat::Onnx));
    }
    all
}

#[test]
fn exports_are_the_files_that_the_real_libraries_answered_for() {
    let folder = format!("{}/tests/golden/interop/exported", env!("CARGO_MANIFEST_DIR"));
    for (file, model, calibrator, format) in exports() {
        let bytes = export(&model, &calibrator, &names(), format).unwrap();
        if std::env::var_os("WALKFORWARD_WRITE_EXPORTS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(format!("{folder}/{file}"), &bytes).unwrap();
        }
        let shown = std::fs::read(format!("{folder}/{file}")).unwrap_or_default();
        assert!(
            bytes == shown,
            "{file} is not what the libraries were shown: write it again with WALKFORWARD_WRITE_EXPORTS=1, then run check.py"
        );
    }
}

#[test]
fn stored_models_say_what_scikit_learn_says() {
    let found = answers();
    let rows = table(&found["rows"]);
    for (file, answer) in [("forest.model.json", "forest"), ("logistic.model.json", "logistic")] {
        let predicted = stored(file).predict(rows.view()).to_vec();
        assert_near(&predicted, &numbers(&found[answer]), 1e-12, answer);
    }
    for (calibrator, expected) in calibrators() {
        let calibrated = calibrator.apply_all(&numbers(&found["forest"]));
        assert_near(&calibrated, &expected, 1e-12, "calibrated");
    }
}

#[test]
fn models_of_the_libraries_predict_here_what_they_predict_there() {
    let found = answers();
    let rows = table(&found["rows"]);
    for (file, answer, tolerance) in [
        ("xgboost.json", "xgboost", 0.0),
        ("xgboost_regression.json", "xgboost_regression", 0.0),
        ("lightgbm.txt", "lightgbm", 1e-6),
        ("lightgbm_regression.txt", "lightgbm_regression", 1e-6),
    ] {
        let read = read_foreign(&golden(file), None, &BTreeMap::new()).unwrap();
        assert_eq!(read.features, names(), "{file}");
        let predicted = read.model.predict(rows.view()).to_vec();
        assert_near(&predicted, &numbers(&found[answer]["prediction"]), tolerance, answer);
        let again = Model::from_json(&read.model.to_json().unwrap()).unwrap();
        assert_eq!(again.predict(rows.view()).to_vec(), predicted, "{file}");
    }
}

#[test]
fn the_plain_form_says_what_the_model_says() {
    let rows = table(&answers()["rows"]);
    for (file, model, _, _) in exports() {
        let plain = PlainModel::of(&model).unwrap();
        let mut row_by_row: Vec<f64> = rows.rows().into_iter().map(|row| plain.predict(&row.to_vec())).collect();
        assert_near(&row_by_row, &model.predict(rows.view()).to_vec(), 1e-6, &file);
        let infinite = vec![f64::INFINITY; 5];
        row_by_row.push(plain.predict(&infinite));
        assert_eq!(row_by_row.last(), Some(&plain.predict(&[f64::NAN; 5])), "{file}");
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused_by_name() {
    let (forest, logistic) = (stored("forest.model.json"), stored("logistic.model.json"));
    let platt = Calibrator::Platt { a: -1.0, b: 0.0 };
    let refusal = |model: &Model, calibrator: &Calibrator, names: &[String], format| {
        export(model, calibrator, names, format).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(&forest, &platt, &names(), ExportFormat::Lightgbm),
        "lightgbm cannot hold the calibration of this model: expected `onnx`, or to leave the calibration out"
    );
    assert_eq!(
        refusal(&logistic, &Calibrator::None, &names(), ExportFormat::Xgboost),
        "xgboost cannot hold a `logistic` model: its linear booster has no imputation of missing values; export `onnx`"
    );
    assert_eq!(
        refusal(&forest, &Calibrator::None, &names()[1..], ExportFormat::Onnx),
        "expected names of 5 features, found 4"
    );
    let mut odd = names();
    odd[2] = "two words".to_owned();
    assert!(refusal(&forest, &Calibrator::None, &odd, ExportFormat::Lightgbm).contains("`two words`"));
}

#[test]
fn foreign_files_that_cannot_be_said_here_are_refused_with_the_reason() {
    let none = BTreeMap::new();
    let mut document: Value = serde_json::from_slice(&golden("xgboost.json")).unwrap();
    document["learner"]["objective"]["name"] = "multi:softprob".into();
    let error = read_foreign(document.to_string().as_bytes(), None, &none).unwrap_err().to_string();
    assert!(error.contains("found `multi:softprob`"), "{error}");
    let error = read_foreign(b"\x80\x04pickle", None, &none).unwrap_err().to_string();
    assert!(error.contains("pickle"), "{error}");
    let error = read_foreign(&golden("forest.model.json"), None, &none).unwrap_err().to_string();
    assert!(error.contains("needs no import"), "{error}");
    for cut in [10, 700, 4000] {
        assert!(read_foreign(&golden("lightgbm.txt")[..cut], None, &none).is_err());
        assert!(read_foreign(&golden("xgboost.json")[..cut], None, &none).is_err());
    }
}

#[test]
fn features_are_renamed_and_nameless_ones_named() {
    let rename = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    };
    let read =
        |names: Option<&[String]>, pairs: &[(&str, &str)]| read_foreign(&golden("xgboost.json"), names, &rename(pairs));
    assert_eq!(read(None, &[("rsi", "rsi14")]).unwrap().features[0], "rsi14");
    assert!(matches!(read(None, &[("rsj", "rsi14")]), Err(InteropError::Rename { .. })));
    assert!(matches!(read(None, &[("rsi", "adx")]), Err(InteropError::SameName { .. })));
    let mut nameless: Value = serde_json::from_slice(&golden("xgboost.json")).unwrap();
    nameless["learner"]["feature_names"] = json!([]);
    let bytes = nameless.to_string();
    let error = read_foreign(bytes.as_bytes(), None, &BTreeMap::new()).unwrap_err();
    assert_eq!(error.to_string(), "expected names of 5 features, found 0");
    let named = read_foreign(bytes.as_bytes(), Some(&names()), &BTreeMap::new()).unwrap();
    assert_eq!(named.features, names());
}
