//! Text to tokens.

use crate::artifact::Scalar;
use crate::base::{Problem, Span};

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Literal(Scalar),
    /// A dotted name.
    Name(String),
    /// An operator or a bracket.
    Symbol(&'static str),
}

/// Longer symbols first: `<=` must not be read as `<`.
const SYMBOLS: [&str; 15] = ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "(", ")", "[", "]", ",", "-"];

/// Splits a text into tokens.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, Problem> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, len) = if first == '"' || first == '\'' {
            quoted(text, at, first)?
        } else if first.is_ascii_digit() {
            number(text, at)?
        } else if first.is_alphabetic() || first == '_' {
            word(&text[at..])
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| text[at..].starts_with(**symbol)) {
            (Token::Symbol(symbol), symbol.len())
        } else {
            let hint =
                if first == '=' { "equality is written `==`" } else { "known: == != < <= > >= in && || ! ( ) [ ]" };
            return Err(syntax(at, first.len_utf8(), format!("unexpected `{first}` in a condition")).hint(hint));
        };
        found.push((token, Span { start: at, len }));
        at += len;
    }
    Ok(found)
}

pub(super) fn syntax(start: usize, len: usize, message: String) -> Problem {
    Problem::new("condition::syntax", Span { start, len }, message)
        .hint("a condition is written as `drift.decision == \"drift\" && params.retrain != \"never\"`")
}

fn quoted(text: &str, at: usize, quote: char) -> Result<(Token, usize), Problem> {
    let body = &text[at + 1..];
    let end = body
        .find(quote)
        .ok_or_else(|| syntax(at, text.len() - at, format!("this text is never closed: expected another {quote}")))?;
    Ok((Token::Literal(Scalar::text(&body[..end])), end + 2))
}

fn number(text: &str, at: usize) -> Result<(Token, usize), Problem> {
    let rest = &text[at..];
    let len = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).unwrap_or(rest.len());
    let digits = &rest[..len];
    let scalar = digits.parse().map(Scalar::Int).or_else(|_| digits.parse().map(Scalar::Float));
    scalar
        .map(|scalar| (Token::Literal(scalar), len))
        .map_err(|_| syntax(at, len, format!("expected a number, found `{digits}`")))
}

fn word(rest: &str) -> (Token, usize) {
    // without arithmetic a hyphen in a name is no minus
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let bytes: Vec<(usize, char)> = rest.char_indices().collect();
    let mut len = 0;
    for (index, (at, c)) in bytes.iter().enumerate() {
        // a dash belongs to a name only between letters: node ids may have one
        let dash = *c == '-' && bytes.get(index + 1).is_some_and(|(_, next)| next.is_alphanumeric());
        if !part(*c) && !dash {
            break;
        }
        len = at + c.len_utf8();
    }
    let token = match &rest[..len] {
        "true" => Token::Literal(Scalar::Bool(true)),
        "false" => Token::Literal(Scalar::Bool(false)),
        "in" => Token::Symbol("in"),
        name => Token::Name(name.to_owned()),
    };
    (token, len)
}
