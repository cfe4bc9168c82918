//! YAML text to a tree in which every key and value knows its place.
//!
//! A tree instead of derived structs, because a reader that stops at the first mistake makes its user run it ten times.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

use super::{Located, Problem, Span};

/// A YAML value with places.
#[derive(Clone, Debug, PartialEq)]
pub enum Yaml {
    /// `null` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Located<Yaml>>),
    /// A mapping, in the order written.
    Map(Vec<(Located<String>, Located<Yaml>)>),
}

impl Yaml {
    /// What it is, for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Int(value) => format!("the number {value}"),
            Self::Float(value) => format!("the number {value}"),
            Self::Text(value) => format!("the text `{value}`"),
            Self::List(_) => "a list".to_owned(),
            Self::Map(_) => "a mapping".to_owned(),
        }
    }

    /// As JSON, places dropped.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Int(value) => (*value).into(),
            Self::Float(value) => (*value).into(),
            Self::Text(value) => value.clone().into(),
            Self::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Map(fields) => serde_json::Value::Object(
                fields.iter().map(|(key, field)| (key.value.clone(), field.value.to_json())).collect(),
            ),
        }
    }
}

/// Parses a document.
///
/// # Errors
/// Text that is no YAML, and every duplicate key.
pub fn parse(text: &str) -> Result<Located<Yaml>, Vec<Problem>> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
    };
    let whole = Span { start: 0, len: text.len().min(1) };
    let root: Spanned<Node> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let span = error.location().map_or(whole, |place| span_of(&place, text));
        let message = error.to_string();
        let first_line = message.lines().next().unwrap_or_default();
        // the place is shown with the problem
        let what = first_line.rsplit_once(" at line ").map_or(first_line, |(what, _)| what);
        vec![
            Problem::new("pipeline::yaml", span, format!("this is not valid YAML: {what}"))
                .label("the reader stopped here")
                .hint("look here and just above for a bracket or quote that is not closed, or a wrong indent"),
        ]
    })?;
    let mut problems = Vec::new();
    let tree = place(root, text, &mut problems);
    if problems.is_empty() { Ok(tree) } else { Err(problems) }
}

/// The tree as serde sees it, before byte offsets are worked out.
enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Node, E> {
        i64::try_from(value).map(Node::Int).map_err(|_| E::custom(format!("the number {value} is too large")))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = access.next_entry()? {
            fields.push(field);
        }
        Ok(Node::Map(fields))
    }
}

fn place(node: Spanned<Node>, text: &str, problems: &mut Vec<Problem>) -> Located<Yaml> {
    let span = span_of(&node.referenced, text);
    let value = match node.value {
        Node::Null => Yaml::Null,
        Node::Bool(value) => Yaml::Bool(value),
        Node::Int(value) => Yaml::Int(value),
        Node::Float(value) => Yaml::Float(value),
        Node::Text(value) => Yaml::Text(value),
        Node::List(items) => Yaml::List(items.into_iter().map(|item| place(item, text, problems)).collect()),
        Node::Map(fields) => Yaml::Map(place_fields(fields, text, problems)),
    };
    Located::new(value, span)
}

fn place_fields(
    fields: Vec<(Spanned<String>, Spanned<Node>)>,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Vec<(Located<String>, Located<Yaml>)> {
    let mut placed: Vec<(Located<String>, Located<Yaml>)> = Vec::with_capacity(fields.len());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (key, field) in fields {
        let key = Located::new(key.value, span_of(&key.referenced, text));
        let first = *seen.entry(key.value.clone()).or_insert(key.span.start);
        if first != key.span.start {
            let line = 1 + text[..first].matches('\n').count();
            problems.push(
                Problem::new(
                    "pipeline::duplicate_key",
                    key.span,
                    format!("`{}` is written twice in this mapping, first on line {line}", key.value),
                )
                .label("second time")
                .hint("rename or remove one of the two"),
            );
        }
        let field = place(field, text, problems);
        placed.push((key, field));
    }
    placed
}

fn span_of(location: &Location, text: &str) -> Span {
    let span = location.span();
    // a place where the text stopped being YAML comes without an offset
    let start = span.byte_offset().and_then(|offset| usize::try_from(offset).ok());
    let start = start.unwrap_or_else(|| offset_of(location.line(), location.column(), text)).min(text.len());
    let len = usize::try_from(span.byte_len().unwrap_or(0)).unwrap_or(0);
    // a mapping or a list has no end of its own: its first line stands for it
    let line = text[start..].find('\n').unwrap_or(text.len() - start);
    Span { start, len: if len == 0 { line.max(1) } else { len.min(line.max(1)) } }
}

/// The byte of a line and a column, both from 1 and in characters.
fn offset_of(line: u64, column: u64, text: &str) -> usize {
    let from_one = |count: u64| usize::try_from(count).unwrap_or(usize::MAX).saturating_sub(1);
    let mut before = 0;
    for (number, content) in text.split_inclusive('\n').enumerate() {
        if number == from_one(line) {
            let inside = content.char_indices().nth(from_one(column)).map_or(content.trim_end().len(), |(at, _)| at);
            return before + inside;
        }
        before += content.len();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_place() {
        let text = "a: 1\nb:\n  - x\n  - {c: 2.5, d: \"yes\"}\n";
        let tree = parse(text).unwrap();
        assert_eq!(tree.value.to_json(), serde_json::json!({"a": 1, "b": ["x", {"c": 2.5, "d": "yes"}]}));
        let Yaml::Map(fields) = &tree.value else { panic!("expected a mapping") };
        let (key, field) = &fields[1];
        assert_eq!(&text[key.span.start..][..key.span.len], "b");
        let Yaml::List(items) = &field.value else { panic!("expected a list") };
        assert_eq!(&text[items[0].span.start..][..items[0].span.len], "x");
    }

    #[test]
    fn every_duplicate_key_is_reported() {
        let problems = parse("a: 1\na: 2\nb: {c: 1, c: 2}\n").unwrap_err();
        let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "`a` is written twice in this mapping, first on line 1",
                "`c` is written twice in this mapping, first on line 3"
            ]
        );
    }

    #[test]
    fn text_that_is_no_yaml_is_refused_with_its_place() {
        let problems = parse("a: [1, 2\nb: 3\n").unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].message.starts_with("this is not valid YAML"), "{problems:?}");
        assert_eq!(problems[0].span.start, "a: [1, 2\nb".len(), "{problems:?}");
    }

    #[test]
    fn an_alias_repeats_what_it_names() {
        let tree = parse("a: &x {b: 1}\nc: *x\n").unwrap();
        assert_eq!(tree.value.to_json()["c"]["b"], 1);
    }
}
