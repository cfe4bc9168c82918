//! Parameters addressed by dotted path, as searches and the command line give them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Parameter, StrategyError};

/// A tree of values with other values for some parameters, as `exit.hard_stop_atr_mult: 3.0`, read after each.
///
/// # Errors
/// A path that names no parameter, or a value of the wrong type.
pub(super) fn set<T: Serialize + DeserializeOwned>(
    file: &T,
    known: &[Parameter],
    values: &BTreeMap<&str, &Value>,
) -> Result<T, StrategyError> {
    let mut tree = serde_json::to_value(file).map_err(StrategyError::Encode)?;
    for (&path, &value) in values {
        let is_known = known.iter().any(|it| path == format!("{}.{}", it.section, it.name));
        let slot = if is_known { tree.pointer_mut(&format!("/{}", path.replace('.', "/"))) } else { None };
        let slot = slot.ok_or_else(|| unknown(path, known.iter().map(|it| format!("{}.{}", it.section, it.name))))?;
        *slot = value.clone();
        // read after each value, so that an error names the path it came from
        let read: Result<T, _> = serde_json::from_value(tree.clone());
        if let Err(source) = read {
            return Err(StrategyError::WrongType { path: path.to_owned(), found: value.to_string(), source });
        }
    }
    serde_json::from_value(tree).map_err(StrategyError::Encode)
}

/// Paths with a last word like the one written, else those of its section, else all.
pub(super) fn unknown(path: &str, known: impl Iterator<Item = String>) -> StrategyError {
    let known: Vec<String> = known.collect();
    let last = |path: &str| path.rsplit('.').next().unwrap_or(path).to_owned();
    let word = last(path);
    let section = path.split('.').next().unwrap_or(path);
    let alike = |name: &str| !word.is_empty() && (name.contains(&word) || word.contains(name));
    let pick =
        |keep: &dyn Fn(&str) -> bool| -> Vec<String> { known.iter().filter(|path| keep(path)).cloned().collect() };
    let mut suggestions = pick(&|path| alike(&last(path)));
    if suggestions.is_empty() {
        suggestions = pick(&|path| path.split('.').next() == Some(section));
    }
    if suggestions.is_empty() {
        suggestions = pick(&|_| true);
    }
    StrategyError::UnknownParameter { path: path.to_owned(), suggestions }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::strategy::{Strategy, StrategyFile};

    fn of(strategy: &Strategy) -> &StrategyFile {
        strategy.breakout().unwrap()
    }

    fn with(path: &str, value: Value) -> Result<Strategy, StrategyError> {
        Strategy::default().with_parameters(&BTreeMap::from([(path.to_owned(), value)]))
    }

    #[test]
    fn every_declared_parameter_is_reached_by_its_path() {
        let tree = serde_json::to_value(Strategy::default()).unwrap();
        for parameter in Strategy::parameters() {
            let path = format!("{}.{}", parameter.section, parameter.name);
            let value = tree.pointer(&format!("/{}", path.replace('.', "/"))).unwrap().clone();
            assert_eq!(with(&path, value).unwrap(), Strategy::default(), "{path}");
        }
    }

    #[test]
    fn a_value_is_set_and_the_rest_is_kept() {
        let strategy = with("costs.commission.min", json!(1.5)).unwrap();
        assert_eq!(of(&strategy).costs.commission.min, 1.5);
        assert_eq!(of(&strategy).exit, of(&Strategy::default()).exit);
        assert_eq!(of(&with("eligibility.ma_slope_min", json!(0.01)).unwrap()).eligibility.ma_slope_min, Some(0.01));
    }

    #[test]
    fn an_unknown_path_is_refused_with_suggestions() {
        let Err(StrategyError::UnknownParameter { suggestions, .. }) = with("exit.atr_mult", json!(1.0)) else {
            panic!()
        };
        assert!(suggestions.contains(&"exit.hard_stop_atr_mult".to_owned()), "{suggestions:?}");
        for path in ["exit", "kind", "costs.commission", "", "exit/atr", "exit.atr.x"] {
            assert!(matches!(with(path, json!(1)), Err(StrategyError::UnknownParameter { .. })), "{path}");
        }
    }

    #[test]
    fn wrong_types_and_ranges_name_the_path() {
        assert!(
            matches!(with("exit.atr", json!("ten")), Err(StrategyError::WrongType { path, .. }) if path == "exit.atr")
        );
        assert!(
            matches!(with("exit.atr", json!(0)), Err(StrategyError::OutOfRange { path, .. }) if path == "exit.atr")
        );
        let error = with("costs.commission.bps", json!(-1.0)).unwrap_err().to_string();
        assert!(error.contains("`costs.commission.bps`"), "{error}");
    }

    #[test]
    fn a_file_of_another_kind_or_with_an_unknown_key_is_refused() {
        let read = |value: Value| serde_json::from_value::<Strategy>(value).map_err(|error| error.to_string());
        assert!(read(json!({})).is_ok());
        assert!(read(json!({"kind": "momentum"})).unwrap_err().contains("breakout"));
        assert!(read(json!({"version": 2})).unwrap_err().contains("expected 1, found 2"));
        assert!(read(json!({"exit": {"stop": 1}})).unwrap_err().contains("unknown field"));
    }

    #[test]
    fn the_shipped_strategy_is_the_defaults() {
        // through the real place of `tests`, so that a build that links it from elsewhere finds the file too
        let tests = std::fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/tests")).unwrap();
        let path = tests.join("../configs/strategies/equity_breakout.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(serde_saphyr::from_str::<Strategy>(&text).unwrap(), Strategy::default());
    }
}
