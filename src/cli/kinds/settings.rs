//! A JSON Schema as the lines of a table: one line a setting, nested ones by dotted path.

use serde_json::Value;

use super::shape::{Word, bounds, is_nullable, text, type_name, without_null, words};

/// A setting as a person reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Setting {
    /// Dotted path; `*` stands for any name, `[]` for any item of a list.
    pub path: String,
    /// What it is, in words of YAML.
    pub kind: String,
    /// What it is when left out; `None` where it must be given.
    pub default: Option<String>,
    /// Which values it takes.
    pub bounds: String,
    /// What it does.
    pub meaning: String,
    /// The words it may be.
    pub words: Vec<Word>,
}

/// One of several mappings, told from the others by the word under a key.
struct Variant<'a> {
    key: &'a str,
    word: &'a str,
    mapping: &'a Value,
}

/// The settings of a mapping, in the order of its schema.
pub(super) fn settings(schema: &Value) -> Vec<Setting> {
    let mut found = Vec::new();
    fields(schema, "", None, &mut found);
    found
}

/// Adds the fields of a mapping but the one that its own line shows.
fn fields(mapping: &Value, above: &str, shown: Option<&str>, found: &mut Vec<Setting>) {
    let required = mapping["required"].as_array();
    for (name, field) in mapping["properties"].as_object().into_iter().flatten() {
        if shown != Some(name) {
            let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
            setting(field, path, required.is_some_and(|names| names.contains(&Value::from(name.as_str()))), found);
        }
    }
}

fn setting(field: &Value, path: String, is_required: bool, found: &mut Vec<Setting>) {
    let shape = without_null(field);
    let variants = variants(shape);
    // the lines below have defaults of their own
    let is_split = !variants.is_empty() || shape.get("properties").is_some();
    let default = field.get("default").filter(|_| !is_split).map(text).unwrap_or_default();
    found.push(Setting {
        path: path.clone(),
        kind: type_name(shape) + if is_nullable(field) { " or null" } else { "" },
        default: (!is_required).then_some(default),
        bounds: bounds(shape),
        meaning: meaning(field),
        words: words(shape),
    });
    for Variant { key, word, mapping } in variants {
        let is_default = field["default"][key] == word;
        found.push(Setting {
            path: format!("{path}: {{{key}: {word}}}"),
            kind: "mapping".to_owned(),
            default: Some(if is_default { "default" } else { "" }.to_owned()),
            meaning: meaning(mapping),
            ..Setting::default()
        });
        fields(mapping, &path, Some(key), found);
    }
    fields(shape, &path, None, found);
    for (below, path) in [("additionalProperties", format!("{path}.*")), ("items", format!("{path}[]"))] {
        if let Some(below) = shape.get(below).filter(|below| below.get("properties").is_some()) {
            setting(below, path, false, found);
        }
    }
}

fn variants(shape: &Value) -> Vec<Variant<'_>> {
    shape["oneOf"].as_array().into_iter().flatten().filter_map(variant).collect()
}

fn variant(mapping: &Value) -> Option<Variant<'_>> {
    let mut fields = mapping["properties"].as_object()?.iter();
    fields.find_map(|(key, field)| Some(Variant { key, word: field["const"].as_str()?, mapping }))
}

fn meaning(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace("\n\n", " ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(schema: &Value) -> Vec<String> {
        let line = |it: Setting| {
            let default = it.default.map_or("required".to_owned(), |default| format!("[{default}]"));
            format!("{} | {} | {default} | {} | {}", it.path, it.kind, it.bounds, it.meaning)
        };
        settings(schema).into_iter().map(line).collect()
    }

    #[test]
    fn nested_mappings_are_dotted_paths_below_a_line_of_their_own() {
        let schema = json!({"properties": {
            "outer": {"type": "object", "description": "Above.", "default": {"inner": 3}, "properties": {
                "inner": {"type": "integer", "minimum": 1, "default": 3, "description": "Below."},
            }},
            "by_name": {"type": "object", "additionalProperties": {"type": "object", "description": "Each.", "properties": {
                "x": {"type": "number"},
            }}},
            "listed": {"type": "array", "items": {"type": "object", "properties": {"y": {"type": "string"}}}},
        }, "required": ["by_name"]});
        assert_eq!(
            lines(&schema),
            [
                "outer | mapping | [] |  | Above.",
                "outer.inner | whole number | [3] | at least 1 | Below.",
                "by_name | mapping of mappings | required |  | ",
                "by_name.* | mapping | [] |  | Each.",
                "by_name.*.x | number | [] |  | ",
                "listed | list of mappings | [] |  | ",
                "listed[] | mapping | [] |  | ",
                "listed[].y | text | [] |  | ",
            ]
        );
    }

    #[test]
    fn mappings_told_apart_by_a_word_have_a_line_each_and_their_fields_below() {
        let family = |name: &str, field: &str| {
            json!({"type": "object", "description": name, "required": ["kind"], "properties": {
                "kind": {"type": "string", "const": name}, field: {"type": "boolean", "default": true},
            }})
        };
        let model = json!({"oneOf": [family("line", "bent"), family("tree", "tall")], "default": {"kind": "tree"}});
        assert_eq!(
            lines(&json!({"properties": {"model": model}})),
            [
                "model | mapping | [] |  | ",
                "model: {kind: line} | mapping | [] |  | line",
                "model.bent | true or false | [true] |  | ",
                "model: {kind: tree} | mapping | [default] |  | tree",
                "model.tall | true or false | [true] |  | ",
            ]
        );
    }
}
