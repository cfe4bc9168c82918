//! Where in a file something stands.
//!
//! A problem inside an expression knows its byte in the expression. YAML may have written that expression plainly, in quotes,
//! or folded over several lines, so the byte in the file is found by counting what all of these keep: every character that is no
//! white space.

use serde_path_to_error::Segment;

use crate::base::yaml::Yaml;
use crate::base::{Located, Problem, Span};

/// A step of a path, as keys and indices are written here.
pub(super) fn step(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Map { key } => Some(key.clone()),
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    }
}

/// The place that a path leads to, as far as it exists, and the key before it.
fn find<'a>(tree: &'a Located<Yaml>, path: &[String]) -> (&'a Located<Yaml>, Option<Span>, bool) {
    let (mut place, mut key_span) = (tree, None);
    for step in path {
        let next = match &place.value {
            Yaml::Map(fields) => fields.iter().find(|(key, _)| key.value == *step).map(|(key, value)| {
                key_span = Some(key.span);
                value
            }),
            Yaml::List(items) => step.parse::<usize>().ok().and_then(|at| items.get(at)),
            _ => None,
        };
        match next {
            Some(next) => place = next,
            None => return (place, key_span, false),
        }
    }
    (place, key_span, true)
}

/// A file that does not have the shape of a rules file.
pub(super) fn unreadable(tree: &Located<Yaml>, path: &[String], message: &str) -> Problem {
    let (place, key_span, _) = find(tree, path);
    // serde says which field it does not know, and which it does
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    let above = match (unknown, path.split_last()) {
        (Some((name, _)), Some((last, above))) if last == name => find(tree, above).0,
        _ => place,
    };
    if let Some((name, rest)) = unknown {
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        let fields = if let Yaml::Map(fields) = &above.value { fields.as_slice() } else { &[] };
        let span = fields.iter().find(|(key, _)| key.value == name).map_or(place.span, |(key, _)| key.span);
        let problem = Problem::new("strategy::unknown_key", span, format!("a rules file has no key `{name}` here"));
        // what a comma made of an expression between braces
        if !name.chars().all(|it| it.is_alphanumeric() || "_-".contains(it)) {
            return problem.hint("quote an expression that has a comma, or write it on a line of its own");
        }
        return problem.suggest(name, known);
    }
    let span = if matches!(place.value, Yaml::Map(_)) { key_span.unwrap_or(place.span) } else { place.span };
    let keys = if path.is_empty() { String::new() } else { format!("`{}`: ", path.join(".")) };
    Problem::new("strategy::shape", span, format!("{keys}{message}"))
}

/// A problem at a path, with its place in the file.
pub(super) fn located(text: &str, tree: &Located<Yaml>, path: &[String], mut problem: Problem) -> Problem {
    let (place, key_span, is_whole) = find(tree, path);
    let inside = problem.span;
    problem.span = match &place.value {
        Yaml::Text(value) if is_whole && inside.len > 0 => within(text, place.span, value, inside),
        Yaml::Map(_) | Yaml::Null => key_span.unwrap_or(place.span),
        _ => place.span,
    };
    problem
}

/// The bytes of the file that wrote some bytes of a value.
fn within(text: &str, place: Span, value: &str, inside: Span) -> Span {
    let written = &text[place.start.min(text.len())..];
    let first = written.chars().next().unwrap_or_default();
    // the header of a block (`>-`) is on a line of its own, a quote is one character
    let skipped = match first {
        '|' | '>' => written.find('\n').map_or(0, |newline| newline + 1),
        '"' | '\'' => 1,
        _ => 0,
    };
    let body = &written[skipped..];
    let place_of = |byte: usize| {
        let before = value[..value.floor_char_boundary(byte.min(value.len()))].chars();
        let count = before.filter(|character| !character.is_whitespace()).count();
        let mut seen = 0;
        let mut escaped = false;
        for (at, character) in body.char_indices() {
            if character.is_whitespace() || (first == '"' && character == '\\' && !escaped) {
                escaped = character == '\\';
                continue;
            }
            escaped = false;
            if seen == count {
                return at;
            }
            seen += 1;
        }
        body.trim_end().len()
    };
    let start = place_of(inside.start);
    let last = place_of((inside.start + inside.len).saturating_sub(1).max(inside.start));
    // a place is shown on one line
    let line_end = body[start..].find('\n').map_or(body.len(), |newline| start + newline);
    let end = (last + 1).min(line_end);
    Span { start: place.start + skipped + start, len: end.saturating_sub(start).max(1) }
}
