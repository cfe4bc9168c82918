//! Text to tokens.

use crate::base::{Problem, Span};

/// A piece of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    /// A name, dots included.
    Name(String),
    /// `p.name` or `${p.name}`.
    Parameter(String),
    /// A sign or a word of the language.
    Symbol(&'static str),
}

impl Token {
    /// As it reads in a message.
    pub fn describe(&self) -> String {
        match self {
            Self::Number(number) => format!("the number {number}"),
            Self::Text(text) => format!("the text \"{text}\""),
            Self::Name(name) => format!("`{name}`"),
            Self::Parameter(name) => format!("`p.{name}`"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
        }
    }
}

/// Signs, the longer ones first, each with what it means.
const SIGNS: &[(&str, &str)] = &[
    ("&&", "and"),
    ("||", "or"),
    ("==", "=="),
    ("!=", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("**", "^"),
    ("<", "<"),
    (">", ">"),
    ("=", "="),
    ("!", "not"),
    ("+", "+"),
    ("-", "-"),
    ("*", "*"),
    ("/", "/"),
    ("^", "^"),
    ("(", "("),
    (")", ")"),
    (",", ","),
];

/// Words that are no names.
pub(super) const WORDS: &[&str] = &["and", "or", "not", "true", "false", "null", "over"];

pub(super) fn syntax(start: usize, len: usize, message: impl Into<String>) -> Problem {
    Problem::new("expression::syntax", Span { start, len }, message)
}

/// Splits a text into tokens with their places.
///
/// # Errors
/// The first place where no token begins.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Span)>, Problem> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, len) = match first {
            '0'..='9' | '.' => number(text, at)?,
            '"' | '\'' => quoted(text, at, first)?,
            '$' => braced(text, at)?,
            c if c.is_alphabetic() || c == '_' => word(text, at)?,
            c => sign(text, at, c)?,
        };
        found.push((token, Span { start: at, len }));
        at += len;
    }
    Ok(found)
}

fn sign(text: &str, at: usize, first: char) -> Result<(Token, usize), Problem> {
    let rest = &text[at..];
    if let Some((written, meant)) = SIGNS.iter().find(|(written, _)| rest.starts_with(written)) {
        return Ok((Token::Symbol(meant), written.len()));
    }
    let problem = syntax(at, first.len_utf8(), format!("expected a number, a name or an operator, found `{first}`"));
    Err(match first {
        '[' | ']' => problem.hint("a bar back is `lag(x, n)`, a window is an argument: `sma(close, 20)`"),
        '&' | '|' => problem.hint("write `and`, `or`"),
        '%' => problem.hint("a per cent is a fraction: write 0.05 for 5 %"),
        '{' | '}' => problem.hint("a parameter is `p.name`, or `${p.name}`"),
        _ => problem,
    })
}

fn number(text: &str, at: usize) -> Result<(Token, usize), Problem> {
    let rest = &text[at..];
    let mut len = 0;
    let mut before = ' ';
    for c in rest.chars() {
        let signed_exponent = matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
        if !(c.is_alphanumeric() || matches!(c, '.' | '_') || signed_exponent) {
            break;
        }
        len += c.len_utf8();
        before = c;
    }
    let digits = &rest[..len];
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((Token::Number(number), len)),
        Ok(_) => Err(syntax(at, len, format!("expected a finite number, found `{digits}`"))),
        Err(_) => Err(syntax(at, len, format!("expected a number, found `{digits}`"))),
    }
}

fn quoted(text: &str, at: usize, quote: char) -> Result<(Token, usize), Problem> {
    let body = &text[at + 1..];
    match body.find(quote) {
        Some(end) if !body[..end].contains(['"', '\\']) => Ok((Token::Text(body[..end].to_owned()), end + 2)),
        Some(end) => Err(syntax(at, end + 2, "expected a word without quotes or backslashes inside")),
        None => Err(syntax(at, text.len() - at, format!("this text is never closed: expected another {quote}"))),
    }
}

/// `${p.name}`
fn braced(text: &str, at: usize) -> Result<(Token, usize), Problem> {
    let rest = &text[at..];
    let end = rest.find('}');
    let name = end.and_then(|end| rest[..end].strip_prefix("${p."));
    match (name, end) {
        (Some(name), Some(end)) if is_name(name) => Ok((Token::Parameter(name.to_owned()), end + 1)),
        _ => {
            let len = end.map_or(1, |end| end + 1);
            Err(syntax(at, len, format!("expected a parameter, found `{}`", &rest[..len]))
                .hint("a parameter is `p.name`, or `${p.name}`"))
        }
    }
}

/// Says whether a text can be written as one name: letters, digits and underscores, parts joined by dots.
pub(super) fn is_name(text: &str) -> bool {
    let part = |part: &str| {
        part.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    !WORDS.contains(&text) && text.split('.').all(part)
}

fn word(text: &str, at: usize) -> Result<(Token, usize), Problem> {
    let rest = &text[at..];
    let len = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
    let word = &rest[..len];
    if let Some(symbol) = WORDS.iter().find(|known| **known == word) {
        return Ok((Token::Symbol(symbol), len));
    }
    if !is_name(word) {
        return Err(syntax(at, len, format!("expected a name, found `{word}`")));
    }
    let token = match word.strip_prefix("p.") {
        Some(name) => Token::Parameter(name.to_owned()),
        None => Token::Name(word.to_owned()),
    };
    Ok((token, len))
}
