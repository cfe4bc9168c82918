//! The language of `when`: one boolean expression, a subset of CEL.
//!
//! Literals, references, `== != < <= > >= in && || !` and parentheses. No functions, no arithmetic. An expression is
//! checked against the types of what it refers to before anything runs: comparing a word with one that it can never be
//! is an error, not a branch that is never taken.

mod lexer;
mod parser;
mod types;

use std::fmt;

use crate::artifact::Scalar;
use crate::base::{Problem, Span};

pub use types::{ConditionType, check};

/// What a condition may refer to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// `params.name`.
    Param(String),
    /// `matrix.axis`.
    Matrix(String),
    /// `run.as_of`.
    AsOf,
    /// `run.status`: known when the run has ended.
    RunStatus,
    /// `node.status`.
    Status(String),
    /// The status of all instances of a node together: failed if one failed, and so on.
    StatusOfAll {
        /// The node.
        node: String,
        /// Its instances.
        instances: Vec<String>,
    },
    /// `node.value`.
    Value {
        /// The node.
        node: String,
        /// The value it declares.
        value: String,
    },
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Param(name) => write!(f, "params.{name}"),
            Self::Matrix(axis) => write!(f, "matrix.{axis}"),
            Self::AsOf => f.write_str("run.as_of"),
            Self::RunStatus => f.write_str("run.status"),
            Self::Status(node) | Self::StatusOfAll { node, .. } => write!(f, "{node}.status"),
            Self::Value { node, value } => write!(f, "{node}.{value}"),
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A parsed expression; every part knows its place in the condition's text.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// What it is.
    pub node: ExpressionKind,
    /// Where it stands, relative to the condition's text.
    pub span: Span,
}

/// The forms of an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpressionKind {
    /// A constant.
    Literal(Scalar),
    /// `[a, b]`
    List(Vec<Expression>),
    /// A name.
    Reference(Reference),
    /// `!a`
    Not(Box<Expression>),
    /// `a && b`
    And(Box<Expression>, Box<Expression>),
    /// `a || b`
    Or(Box<Expression>, Box<Expression>),
    /// `a == b` and the like.
    Compare(Comparison, Box<Expression>, Box<Expression>),
    /// `a in b`
    In(Box<Expression>, Box<Expression>),
}

/// A condition as written, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The text.
    pub text: String,
    /// Its meaning.
    pub expression: Expression,
}

impl Condition {
    /// Parses a condition whose text starts at `offset` of the pipeline file.
    ///
    /// # Errors
    /// The first place that is not of the language.
    pub fn parse(text: &str, offset: usize) -> Result<Self, Problem> {
        let expression = parser::parse(text).map_err(|mut problem| {
            problem.span.start += offset;
            problem
        })?;
        Ok(Self { text: text.to_owned(), expression })
    }

    /// The same condition with its references replaced: by a constant, or by another reference.
    #[must_use]
    pub(super) fn bind(&self, replace: &dyn Fn(&Reference) -> Option<ExpressionKind>) -> Self {
        let mut bound = self.clone();
        rewrite(&mut bound.expression, replace);
        bound
    }

    /// Every reference, in the order written.
    pub fn references(&self) -> Vec<(&Reference, Span)> {
        let mut found = Vec::new();
        collect(&self.expression, &mut found);
        found
    }
}

fn rewrite(expression: &mut Expression, replace: &dyn Fn(&Reference) -> Option<ExpressionKind>) {
    match &mut expression.node {
        ExpressionKind::Literal(_) => {}
        ExpressionKind::Reference(reference) => {
            if let Some(other) = replace(reference) {
                expression.node = other;
            }
        }
        ExpressionKind::List(items) => items.iter_mut().for_each(|item| rewrite(item, replace)),
        ExpressionKind::Not(inner) => rewrite(inner, replace),
        ExpressionKind::And(a, b)
        | ExpressionKind::Or(a, b)
        | ExpressionKind::Compare(_, a, b)
        | ExpressionKind::In(a, b) => {
            rewrite(a, replace);
            rewrite(b, replace);
        }
    }
}

fn collect<'a>(expression: &'a Expression, found: &mut Vec<(&'a Reference, Span)>) {
    match &expression.node {
        ExpressionKind::Literal(_) => {}
        ExpressionKind::Reference(reference) => found.push((reference, expression.span)),
        ExpressionKind::List(items) => items.iter().for_each(|item| collect(item, found)),
        ExpressionKind::Not(inner) => collect(inner, found),
        ExpressionKind::And(a, b)
        | ExpressionKind::Or(a, b)
        | ExpressionKind::Compare(_, a, b)
        | ExpressionKind::In(a, b) => {
            collect(a, found);
            collect(b, found);
        }
    }
}

/// What a reference stands for when a condition is evaluated.
#[derive(Clone, Debug, PartialEq)]
pub enum Known {
    /// A value.
    Value(Scalar),
    /// Nothing yet: the node has not ended.
    Pending(String),
    /// Nothing ever: the node was skipped or failed, so that whoever asks is skipped too.
    Absent(String),
}

/// The outcome of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// True or false.
    Decided(bool),
    /// It depends on a node that has not ended.
    Pending(String),
    /// It depends on a node that will never have a value.
    Absent(String),
}

/// Evaluates a condition; `&&` and `||` decide as soon as one side does, whatever the other is.
pub fn evaluate(condition: &Condition, lookup: &dyn Fn(&Reference) -> Known) -> Verdict {
    match truth(&condition.expression, lookup) {
        Ok(decided) => Verdict::Decided(decided),
        Err(open) => open,
    }
}

fn truth(expression: &Expression, lookup: &dyn Fn(&Reference) -> Known) -> Result<bool, Verdict> {
    match &expression.node {
        ExpressionKind::Not(inner) => truth(inner, lookup).map(|value| !value),
        ExpressionKind::And(a, b) => either(truth(a, lookup), truth(b, lookup), false),
        ExpressionKind::Or(a, b) => either(truth(a, lookup), truth(b, lookup), true),
        ExpressionKind::Compare(comparison, a, b) => Ok(compare(*comparison, &value(a, lookup)?, &value(b, lookup)?)),
        ExpressionKind::In(item, list) => {
            let item = value(item, lookup)?;
            let ExpressionKind::List(items) = &list.node else { return Ok(false) };
            for candidate in items {
                if compare(Comparison::Equal, &item, &value(candidate, lookup)?) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        _ => Ok(value(expression, lookup)? == Scalar::Bool(true)),
    }
}

/// Joins two sides of which one value (`false` for and, `true` for or) decides alone.
fn either(a: Result<bool, Verdict>, b: Result<bool, Verdict>, decisive: bool) -> Result<bool, Verdict> {
    match (a, b) {
        (Ok(value), _) | (_, Ok(value)) if value == decisive => Ok(decisive),
        (Ok(_), Ok(_)) => Ok(!decisive),
        (Err(pending @ Verdict::Pending(_)), _) | (_, Err(pending @ Verdict::Pending(_))) => Err(pending),
        (Err(open), _) | (_, Err(open)) => Err(open),
    }
}

fn value(expression: &Expression, lookup: &dyn Fn(&Reference) -> Known) -> Result<Scalar, Verdict> {
    match &expression.node {
        ExpressionKind::Literal(scalar) => Ok(scalar.clone()),
        ExpressionKind::Reference(reference) => match lookup(reference) {
            Known::Value(scalar) => Ok(scalar),
            Known::Pending(node) => Err(Verdict::Pending(node)),
            Known::Absent(node) => Err(Verdict::Absent(node)),
        },
        _ => truth(expression, lookup).map(Scalar::Bool),
    }
}

/// Compares two values; an undefined value equals nothing but itself and has no order.
fn compare(comparison: Comparison, a: &Scalar, b: &Scalar) -> bool {
    use std::cmp::Ordering;
    let ordering = match (a, b) {
        (Scalar::Int(a), Scalar::Int(b)) => Some(a.cmp(b)),
        (Scalar::Int(_) | Scalar::Float(_), Scalar::Int(_) | Scalar::Float(_)) => number(a).partial_cmp(&number(b)),
        (Scalar::Text(a), Scalar::Text(b)) => Some(a.cmp(b)),
        (Scalar::Bool(a), Scalar::Bool(b)) => Some(a.cmp(b)),
        (Scalar::Null, Scalar::Null) => {
            return matches!(comparison, Comparison::Equal | Comparison::LessOrEqual | Comparison::GreaterOrEqual);
        }
        _ => None,
    };
    match comparison {
        Comparison::Equal => ordering == Some(Ordering::Equal),
        Comparison::NotEqual => ordering != Some(Ordering::Equal),
        Comparison::Less => ordering == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => ordering == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
    }
}

fn number(scalar: &Scalar) -> f64 {
    match scalar {
        Scalar::Int(value) => *value as f64,
        Scalar::Float(value) => *value,
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(reference: &Reference) -> Known {
        match reference.to_string().as_str() {
            "params.retrain" => Known::Value(Scalar::text("auto")),
            "drift.decision" => Known::Value(Scalar::text("drift")),
            "drift.auc" => Known::Value(Scalar::Float(0.6)),
            "drift.share" => Known::Value(Scalar::Null),
            "late.decision" => Known::Pending("late".to_owned()),
            _ => Known::Absent("gone".to_owned()),
        }
    }

    fn eval(text: &str) -> Verdict {
        evaluate(&Condition::parse(text, 0).unwrap(), &lookup)
    }

    #[test]
    fn expressions_mean_what_they_say() {
        let cases = [
            ("true", true),
            ("!(1 < 2)", false),
            ("params.retrain == \"auto\" && drift.decision in [\"drift\", \"no-reference\"]", true),
            ("drift.auc >= 0.6 && drift.auc < 1", true),
            ("drift.auc > 0.6 || 'a' == 'b'", false),
            ("true || false && false", true),
            ("drift.share < 1", false),
            ("drift.share != 1", true),
        ];
        for (text, expected) in cases {
            assert_eq!(eval(text), Verdict::Decided(expected), "{text}");
        }
    }

    #[test]
    fn a_side_that_decides_does_not_wait_for_the_other() {
        assert_eq!(eval("late.decision == \"x\" || true"), Verdict::Decided(true));
        assert_eq!(eval("late.decision == \"x\" && true"), Verdict::Pending("late".to_owned()));
        assert_eq!(eval("gone.x == 1"), Verdict::Absent("gone".to_owned()));
        assert_eq!(eval("gone.x == 1 || late.decision == \"x\""), Verdict::Pending("late".to_owned()));
    }

    #[test]
    fn a_syntax_error_knows_its_place() {
        let problem = Condition::parse("a.b == ", 100).unwrap_err();
        assert_eq!((problem.span.start, problem.code), (107, "condition::syntax"));
        assert!(Condition::parse("a.b = 1", 0).is_err());
        assert!(Condition::parse("a.b == 1)", 0).is_err());
        assert!(Condition::parse("f(x)", 0).is_err());
    }
}
