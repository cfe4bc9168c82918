//! JSON Schema of what a user may write, generated from the types that read it.
//!
//! A schema stands alone: everything is written out in place, without `$ref`, so that it may be put inside another.
//!
//! Not guaranteed: a rule about two values at once (`step` at least `test`) is known to the code that checks it, and to
//! no schema.

use std::ops::RangeInclusive;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::Value;

/// What `$schema` says of a schema that is a file of its own.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a type, with its doc comments as descriptions.
pub fn of<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema =
        settings.with_transform(RecursiveTransform(for_people)).into_generator().into_root_schema_for::<T>();
    // the name of a Rust type says nothing to who writes YAML
    schema.remove("title");
    schema
}

/// Unfolds the lines of doc comments, and drops the widths of Rust's numbers.
fn for_people(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text =
            text.split("\n\n").map(|part| part.lines().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n\n");
    }
    if ["integer", "number"].iter().any(|kind| has_type(schema, kind)) {
        schema.remove("format");
    }
}

fn has_type(schema: &Schema, wanted: &str) -> bool {
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == wanted),
        Some(kind) => kind == wanted,
        None => false,
    }
}

/// One of a closed set of words: name, other spellings, meaning.
pub fn words<'a>(table: impl IntoIterator<Item = (&'a str, &'a [&'a str], &'a str)>) -> Schema {
    let word = |(name, others, doc): (&'a str, &'a [&'a str], &'a str)| {
        if others.is_empty() {
            return json_schema!({"description": doc, "type": "string", "const": name});
        }
        let spellings: Vec<&str> = std::iter::once(name).chain(others.iter().copied()).collect();
        json_schema!({"description": doc, "type": "string", "enum": spellings})
    };
    let words: Vec<Schema> = table.into_iter().map(word).collect();
    json_schema!({"oneOf": words})
}

/// Bounds a number by a range, both ends included.
pub fn within<N: Into<Value> + Copy>(range: RangeInclusive<N>) -> impl Fn(&mut Schema) {
    move |schema: &mut Schema| {
        for (keyword, end) in [("minimum", *range.start()), ("maximum", *range.end())] {
            let end = end.into();
            // a range of reals around a whole number
            let whole = end.as_f64().filter(|end| has_type(schema, "integer") && end.fract() == 0.0);
            schema.insert(keyword.to_owned(), whole.map_or(end, |end| Value::from(end as i64)));
        }
    }
}

/// Bounds a level or a coverage: above 0 and below 1.
pub fn level(schema: &mut Schema) {
    schema.insert("exclusiveMinimum".to_owned(), 0.into());
    schema.insert("exclusiveMaximum".to_owned(), 1.into());
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    struct Inner {
        /// A whole number
        /// on two lines.
        #[schemars(transform = within(2.0..=9.0))]
        count: u32,
        /// A level.
        #[schemars(transform = level)]
        alpha: Option<f64>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Outer {
        /// What is inside.
        inner: Inner,
    }

    #[test]
    fn a_schema_is_written_out_in_place_with_its_doc_comments() {
        assert_eq!(
            *of::<Outer>().as_value(),
            json!({
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "inner": {
                        "description": "What is inside.",
                        "type": "object",
                        "properties": {
                            "count": {
                                "description": "A whole number on two lines.",
                                "type": "integer", "minimum": 2, "maximum": 9, "default": 0,
                            },
                            "alpha": {
                                "description": "A level.",
                                "type": ["number", "null"],
                                "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": null,
                            },
                        },
                    },
                },
                "required": ["inner"],
            })
        );
    }

    #[test]
    fn a_word_with_other_spellings_takes_them_all() {
        let schema = words([("var", &["value_at_risk"][..], "A quantile."), ("none", &[], "Nothing.")]);
        assert_eq!(schema.get("oneOf").unwrap()[0]["enum"], json!(["var", "value_at_risk"]));
        assert_eq!(schema.get("oneOf").unwrap()[1]["const"], "none");
    }
}
