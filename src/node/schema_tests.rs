//! What every kind's settings schema must keep: it says what the kind's own reader accepts, no less and no more.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{NodeKind, PathStep, find_kind, shown_kinds};
use crate::base::conformance::{conforms, defect};
use crate::pipeline::schema::with_references;

/// The fewest settings of a kind.
fn smallest(kind: &str) -> Value {
    match kind {
        "optimize-parameters" => json!({"objective": {"metric": "sharpe"}}),
        "deploy-if-better" => json!({"registry": "quality"}),
        "paper" => json!({"book": "daily"}),
        "import-model" => json!({"trained_until": "2026-01-01"}),
        "command" => json!({"argv": ["true"], "outputs": {"out": {"path": "out"}}}),
        "pipeline" => json!({"file": "pipelines/weekly.yaml"}),
        _ => json!({}),
    }
}

/// A setting that is no mapping: where it is, its schema, and a whole config that has it.
struct Leaf {
    kind: &'static dyn NodeKind,
    place: String,
    schema: Value,
    config: Value,
}

impl Leaf {
    fn name(&self) -> String {
        format!("{}{}", self.kind.descriptor().name, self.place)
    }

    /// Whether the kind accepts a config with another value here.
    fn accepts(&self, value: Value) -> Result<(), String> {
        let mut config = self.config.clone();
        *config.pointer_mut(&self.place).unwrap() = value;
        self.kind.normalise(&config).map(drop).map_err(|error| error.message)
    }
}

fn every_leaf() -> Vec<Leaf> {
    let mut found = Vec::new();
    for kind in shown_kinds() {
        let config = kind.normalise(&smallest(kind.descriptor().name)).unwrap();
        leaves(kind, kind.settings_schema().as_value(), "", &config, &mut found);
    }
    assert!(found.len() > 100, "only {} settings were found", found.len());
    found
}

fn leaves(kind: &'static dyn NodeKind, schema: &Value, place: &str, config: &Value, found: &mut Vec<Leaf>) {
    for (name, field) in schema["properties"].as_object().unwrap() {
        let place = format!("{place}/{name}");
        let mappings = field["oneOf"].as_array().into_iter().flatten().filter(|it| it["type"] == "object");
        let mappings: Vec<&Value> = mappings.collect();
        for mapping in &mappings {
            let word = &mapping["properties"]["kind"]["const"];
            let mut config = config.clone();
            *config.pointer_mut(&place).unwrap() = json!({"kind": word});
            leaves(kind, mapping, &place, &kind.normalise(&config).unwrap(), found);
        }
        if field.get("properties").is_some() {
            leaves(kind, field, &place, config, found);
        } else if mappings.is_empty() {
            found.push(Leaf { kind, place, schema: field.clone(), config: config.clone() });
        }
    }
}

/// Bounds that a value keeps only beside another value, and why.
const BESIDE_OTHERS: &[(&str, &str)] = &[
    ("train/validation/step", "a step is at least as long as a test window"),
    ("backtest/sizing/ml_scale/max", "the largest factor is at least the smallest"),
    ("score/sizing/ml_scale/max", "the largest factor is at least the smallest"),
    ("train/validation/folds", "only schemes that cut blocks read it"),
    ("train/validation/test_folds", "only the combinatorial scheme reads it"),
    ("train/selection/permutation/share", "only with `repeats` is it read"),
    ("train/selection/permutation/keep", "only with `repeats` is it read"),
    ("train/winsorise_share", "only `transform: winsorise` reads it"),
];

/// Words that a setting takes only beside another value, and why.
const WORDS_BESIDE_OTHERS: &[(&str, &str, &str)] = &[
    ("deploy-if-better/policy/test", "sharpe", "the test of Ledoit and Wolf is for `metric: sharpe`"),
    ("deploy-if-better/policy/test", "diebold_mariano", "that test is for losses, and the default metric is none"),
];

#[test]
fn every_settings_schema_is_a_json_schema_whose_defaults_and_examples_conform_to_it() {
    for kind in shown_kinds() {
        let schema = kind.settings_schema();
        assert_eq!(defect(schema.as_value()), None, "{}", kind.descriptor().name);
        assert_eq!(schema.get("additionalProperties"), Some(&json!(false)), "{}", kind.descriptor().name);
    }
}

#[test]
fn the_smallest_config_of_every_kind_conforms_before_and_after_defaults_are_filled_in() {
    for kind in shown_kinds() {
        let (name, schema) = (kind.descriptor().name, kind.settings_schema());
        let config = smallest(name);
        assert_eq!(conforms(schema.as_value(), &config), Ok(()), "{name}");
        assert_eq!(conforms(schema.as_value(), &kind.normalise(&config).unwrap()), Ok(()), "{name}");
    }
}

#[test]
fn a_default_in_a_schema_is_the_default_of_the_reader() {
    for leaf in every_leaf() {
        if let Some(default) = leaf.schema.get("default") {
            assert_eq!(leaf.config.pointer(&leaf.place), Some(default), "{}", leaf.name());
        }
    }
}

#[test]
fn a_setting_without_a_default_is_required_by_schema_and_reader_alike() {
    for kind in shown_kinds() {
        let (name, schema) = (kind.descriptor().name, kind.settings_schema());
        for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let mut config = smallest(name);
            config.as_object_mut().unwrap().remove(required.as_str().unwrap());
            assert!(conforms(schema.as_value(), &config).is_err(), "{name}: {required}");
            assert!(kind.normalise(&config).is_err(), "{name}: {required}");
        }
    }
}

#[test]
fn a_bound_in_a_schema_is_a_bound_of_the_reader() {
    let mut seen = 0;
    for leaf in every_leaf().iter().filter(|leaf| BESIDE_OTHERS.iter().all(|(name, _)| leaf.name() != *name)) {
        let bound = |keyword: &str| leaf.schema.get(keyword).and_then(Value::as_f64);
        let is_whole = leaf.schema["type"].as_str().or(leaf.schema["type"][0].as_str()) == Some("integer");
        let value = |number: f64| if is_whole { json!(number as i64) } else { json!(number) };
        let cases = [
            ("minimum", 0.0, -1.0),
            ("maximum", 0.0, 1.0),
            ("exclusiveMinimum", 1e-9, 0.0),
            ("exclusiveMaximum", -1e-9, 0.0),
        ];
        for (keyword, inside, outside) in cases {
            let Some(end) = bound(keyword) else { continue };
            seen += 1;
            assert_eq!(leaf.accepts(value(end + inside)), Ok(()), "{}: {keyword}", leaf.name());
            assert!(leaf.accepts(value(end + outside)).is_err(), "{}: {keyword} is not kept", leaf.name());
        }
    }
    assert!(seen > 50, "only {seen} bounds were found");
}

#[test]
fn the_words_of_a_schema_are_those_of_the_reader() {
    let mut seen = 0;
    for leaf in every_leaf() {
        let shape = if leaf.schema.get("anyOf").is_some() { &leaf.schema["anyOf"][0] } else { &leaf.schema };
        let alternatives = shape["oneOf"].as_array().into_iter().flatten().chain([shape]);
        let words = alternatives.flat_map(|it| it["enum"].as_array().cloned().or(Some(vec![it.get("const")?.clone()])));
        let words: Vec<Value> = words.flatten().filter(|word| !word.is_null()).collect();
        let beside = |word: &&Value| {
            WORDS_BESIDE_OTHERS.iter().all(|(name, only, _)| leaf.name() != *name || word.as_str() != Some(only))
        };
        for word in words.iter().filter(beside) {
            assert_eq!(leaf.accepts(word.clone()), Ok(()), "{}: {word}", leaf.name());
        }
        if !words.is_empty() {
            seen += 1;
            assert!(leaf.accepts(json!("no such word")).is_err(), "{}", leaf.name());
        }
    }
    assert!(seen > 20, "only {seen} settings with words were found");
}

#[test]
fn null_and_a_mapping_in_place_of_a_value_are_refused_where_the_schema_refuses_them() {
    for leaf in every_leaf() {
        for wrong in [json!(null), json!({"a": 1})] {
            let by_schema = conforms(&leaf.schema, &wrong).is_err();
            assert_eq!(leaf.accepts(wrong.clone()).is_err(), by_schema, "{}: {wrong}", leaf.name());
        }
    }
}

#[test]
fn a_list_in_place_of_a_mapping_is_refused_at_any_depth() {
    let mut seen = 0;
    for leaf in every_leaf() {
        let (above, _) = leaf.place.rsplit_once('/').unwrap();
        for list in [json!([]), json!([1]), json!(["word"])] {
            let mut config = leaf.config.clone();
            *config.pointer_mut(above).unwrap() = list;
            assert!(leaf.kind.normalise(&config).is_err(), "{}: {config}", leaf.name());
            seen += 1;
        }
    }
    assert!(seen > 300);
    let error = find_kind("accumulate").unwrap().normalise(&json!({"universe": {"window": []}})).unwrap_err();
    assert_eq!(error.path, ["universe", "window"].map(|key| PathStep::Key(key.to_owned())));
    assert_eq!(error.message, "expected a mapping, found a list");
}

#[test]
fn a_misspelt_key_at_any_depth_does_not_conform() {
    for leaf in every_leaf() {
        let schema = leaf.kind.settings_schema();
        assert_eq!(conforms(schema.as_value(), &leaf.config), Ok(()), "{}", leaf.name());
        let (above, name) = leaf.place.rsplit_once('/').unwrap();
        let mut config = leaf.config.clone();
        let fields = config.pointer_mut(above).and_then(Value::as_object_mut).unwrap();
        let value = fields.remove(name).unwrap();
        fields.insert(format!("{name}s"), value);
        assert!(conforms(schema.as_value(), &config).is_err(), "{}s", leaf.name());
        assert!(leaf.kind.normalise(&config).is_err(), "{}s", leaf.name());
    }
}

#[test]
fn a_search_space_conforms_exactly_when_its_parameters_do() {
    let kind = find_kind("optimize-parameters").unwrap();
    let schema = kind.settings_schema();
    let both = |space: Value| {
        let mut config = smallest("optimize-parameters");
        config["space"] = space.clone();
        let accepted = kind.normalise(&config).is_ok();
        assert_eq!(conforms(schema.as_value(), &config).is_ok(), accepted, "{space}");
        accepted
    };
    assert!(both(json!({"exit.exit_ma": {"int": [10, 50], "step": 5}})));
    assert!(both(json!({"risk.risk_per_trade": {"float": [0.005, 0.015], "log": true}})));
    assert!(both(
        json!({"exit.exit_ma": {"choice": [20]}, "exit.atr": {"int": [5, 9], "when": {"exit.exit_ma": [20]}}})
    ));
    assert!(!both(json!({})));
    assert!(!both(json!({"exit.exit_mb": {"int": [10, 50]}})));
    assert!(!both(json!({"exit.exit_ma": {}})));
    assert!(!both(json!({"exit.exit_ma": {"int": [10]}})));
    assert!(!both(json!({"exit.exit_ma": {"int": [10, 50], "choice": [20]}})));
    assert!(!both(json!({"exit.exit_ma": {"choice": [20, 50], "step": 10}})));
    assert!(!both(json!({"exit.exit_ma": {"choice": []}})));
    assert!(!both(json!({"exit.exit_ma": {"choice": [20, 20.0]}})));
    assert!(!both(json!({"exit.exit_ma": {"choice": [[20]]}})));
    assert!(!both(json!({"exit.exit_ma": {"int": [10, 50], "step": 0}})));
}

#[test]
fn names_and_times_conform_exactly_when_they_are_read() {
    let cases = [
        ("deploy-if-better", "/registry", &["a", "signal-quality", "a.b_c-9", "", "-a", ".a", "a b", "a/b", "é"][..]),
        ("deploy-if-better", "/champion_stale_after", &["0d", "52w", "1000000y", "1000001d", "2m", "d", "-1d", "1.5y"]),
        (
            "accumulate",
            "/universe/window/end",
            &[
                "2026-01-04",
                "2026-01-04T15:30:00Z",
                "2026-01-04T15:30Z",
                "2026-01-04 15:30:00.25+01:00",
                "2026-01-04T15:30:00",
                "2026-1-4",
                "yesterday",
                "",
            ],
        ),
    ];
    let leaves = every_leaf();
    for (kind, place, texts) in cases {
        let leaf = leaves.iter().find(|leaf| leaf.name() == format!("{kind}{place}")).unwrap();
        for text in texts {
            assert_eq!(
                conforms(&leaf.schema, &json!(text)).is_ok(),
                leaf.accepts(json!(text)).is_ok(),
                "{place}: {text}"
            );
        }
    }
}

/// The pipelines that come with the program, as plain values.
fn shipped_pipelines() -> Vec<(String, Value)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        (path.display().to_string(), serde_saphyr::from_str(&text).unwrap())
    };
    std::fs::read_dir(folder).unwrap().map(read).collect()
}

/// What references stand for: the defaults of params, and the first value of each axis.
fn references(pipeline: &Value) -> BTreeMap<String, Value> {
    let fields = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let params = fields(&pipeline["params"]).into_iter();
    let params = params.map(|(name, param)| (format!("${{params.{name}}}"), param["default"].clone()));
    let mut known: BTreeMap<String, Value> = params.collect();
    let nodes = fields(&pipeline["nodes"]);
    for (axis, values) in nodes.values().flat_map(|node| fields(&node["matrix"]["axes"])) {
        let first = filled(&values, &known)[0].clone();
        known.insert(format!("${{matrix.{axis}}}"), first);
    }
    known
}

/// Replaces values that are references by what those stand for.
fn filled(value: &Value, known: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => known.get(text).cloned().unwrap_or_else(|| {
            let inside = |text: String, (name, value): (&String, &Value)| match value {
                Value::String(value) => text.replace(name, value),
                _ => text,
            };
            known.iter().fold(text.clone(), inside).into()
        }),
        Value::Array(items) => items.iter().map(|item| filled(item, known)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), filled(field, known))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

#[test]
fn the_settings_of_every_shipped_pipeline_conform_as_written_and_with_references_filled_in() {
    let (mut seen, pipelines) = (0, shipped_pipelines());
    for (path, pipeline) in &pipelines {
        let known = references(pipeline);
        for (node, written) in pipeline["nodes"].as_object().unwrap() {
            let Some(with) = written.get("with") else { continue };
            let mut schema = find_kind(written["kind"].as_str().unwrap()).unwrap().settings_schema().to_value();
            assert_eq!(conforms(&schema, &filled(with, &known)), Ok(()), "{path}: {node}");
            with_references(&mut schema);
            assert_eq!(conforms(&schema, with), Ok(()), "{path}: {node}");
            seen += 1;
        }
    }
    assert!(seen >= 3 * pipelines.len() && !pipelines.is_empty(), "only {seen} nodes have settings");
}
