//! Readers of the reference files that other tools made; for tests only.

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

/// Reads a JSON file under `tests/golden`.
pub fn json(path: &str) -> Value {
    let text = std::fs::read_to_string(full(path)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Reads the named cases of a JSON file under `tests/golden`.
pub fn cases(path: &str) -> Vec<Value> {
    json(path)["cases"].as_array().unwrap().clone()
}

/// Reads an array of numbers; null becomes NaN.
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|item| item.as_f64().unwrap_or(f64::NAN)).collect()
}

/// Reads an array of 0 and 1.
pub fn labels(value: &Value) -> Vec<bool> {
    numbers(value).iter().map(|number| *number == 1.0).collect()
}

/// Reads a Parquet file under `tests/golden` as rows of (column, field).
pub fn parquet_rows(path: &str) -> Vec<Vec<(String, Field)>> {
    let reader = SerializedFileReader::new(std::fs::File::open(full(path)).unwrap()).unwrap();
    reader.get_row_iter(None).unwrap().map(|row| row.unwrap().into_columns()).collect()
}

/// Reads the daily returns of one stock of `risk/returns.parquet`, in time order.
pub fn stock_returns(symbol: &str) -> Vec<f64> {
    let field = |row: &[(String, Field)], name: &str| row.iter().find(|(column, _)| column == name).unwrap().1.clone();
    parquet_rows("risk/returns.parquet")
        .iter()
        .filter(|row| matches!(field(row, "symbol"), Field::Str(name) if name == symbol))
        .map(|row| float(&field(row, "ret")))
        .collect()
}

/// A number of a Parquet field; null becomes NaN.
pub fn float(field: &Field) -> f64 {
    match field {
        Field::Double(number) => *number,
        Field::Float(number) => f64::from(*number),
        Field::Long(number) => *number as f64,
        Field::Int(number) => f64::from(*number),
        Field::Short(number) => f64::from(*number),
        Field::Byte(number) => f64::from(*number),
        Field::Bool(flag) => f64::from(u8::from(*flag)),
        _ => f64::NAN,
    }
}

/// Checks a value against a reference: null expects `None`, else the error may be `absolute` plus `relative` of it.
#[track_caller]
pub fn agrees(what: &str, ours: Option<f64>, reference: &Value, absolute: f64, relative: f64) {
    match (ours, reference.as_f64()) {
        (None, None) => assert!(reference.is_null(), "{what}: no value, reference {reference}"),
        (Some(ours), Some(theirs)) => {
            assert!((ours - theirs).abs() <= absolute + relative * theirs.abs(), "{what}: {ours}, reference {theirs}");
        }
        (ours, theirs) => panic!("{what}: {ours:?}, reference {theirs:?} ({reference})"),
    }
}

fn full(path: &str) -> String {
    format!("{}/tests/golden/{path}", env!("CARGO_MANIFEST_DIR"))
}
