//! Types of conditions: what may be compared with what, and which words can ever be equal.

use super::{Comparison, Condition, Expression, ExpressionKind, Reference};
use crate::artifact::Scalar;
use crate::base::Problem;

/// The type of a part of a condition.
#[derive(Clone, Debug, PartialEq)]
pub enum ConditionType {
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// Any text.
    Text,
    /// One of a closed set of words.
    Word(Vec<String>),
    /// Several values.
    List(Vec<ConditionType>),
}

impl ConditionType {
    fn describe(&self) -> String {
        match self {
            Self::Bool => "true or false".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Word(words) if words.len() == 1 => format!("the word {}", quoted(words)),
            Self::Word(words) => format!("one of {}", quoted(words)),
            Self::List(_) => "a list".to_owned(),
        }
    }
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// Checks a condition that starts at `offset` of the pipeline file, and returns every problem.
pub fn check(
    condition: &Condition,
    offset: usize,
    type_of: &dyn Fn(&Reference) -> Result<ConditionType, Problem>,
) -> Vec<Problem> {
    let mut checker = Checker { offset, type_of, problems: Vec::new() };
    checker.boolean(&condition.expression);
    checker.problems
}

struct Checker<'a> {
    offset: usize,
    type_of: &'a dyn Fn(&Reference) -> Result<ConditionType, Problem>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, at: &Expression, message: String) -> &mut Problem {
        let mut span = at.span;
        span.start += self.offset;
        self.problems.push(Problem::new("condition::type", span, message));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn boolean(&mut self, expression: &Expression) {
        match self.infer(expression) {
            None | Some(ConditionType::Bool) => {}
            Some(other) => {
                let message = format!("expected true or false, found {}", other.describe());
                self.report(expression, message).hint = Some("compare it: `==`, `<`, `in [...]`".to_owned());
            }
        }
    }

    /// The type of an expression; `None` when it has none, which is then already reported.
    fn infer(&mut self, expression: &Expression) -> Option<ConditionType> {
        match &expression.node {
            ExpressionKind::Literal(scalar) => Some(match scalar {
                Scalar::Bool(_) | Scalar::Null => ConditionType::Bool,
                Scalar::Int(_) | Scalar::Float(_) => ConditionType::Number,
                Scalar::Text(word) => ConditionType::Word(vec![word.clone()]),
            }),
            ExpressionKind::Reference(reference) => match (self.type_of)(reference) {
                Ok(found) => Some(found),
                Err(mut problem) => {
                    problem.span = expression.span;
                    problem.span.start += self.offset;
                    self.problems.push(problem);
                    None
                }
            },
            ExpressionKind::List(items) => {
                Some(ConditionType::List(items.iter().filter_map(|item| self.infer(item)).collect()))
            }
            ExpressionKind::Not(inner) => {
                self.boolean(inner);
                Some(ConditionType::Bool)
            }
            ExpressionKind::And(a, b) | ExpressionKind::Or(a, b) => {
                self.boolean(a);
                self.boolean(b);
                Some(ConditionType::Bool)
            }
            ExpressionKind::Compare(comparison, a, b) => {
                self.compare(expression, *comparison, a, b);
                Some(ConditionType::Bool)
            }
            ExpressionKind::In(item, list) => {
                self.member(item, list);
                Some(ConditionType::Bool)
            }
        }
    }

    fn compare(&mut self, whole: &Expression, comparison: Comparison, a: &Expression, b: &Expression) {
        let (Some(left), Some(right)) = (self.infer(a), self.infer(b)) else { return };
        let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if ordered && !(left == ConditionType::Number && right == ConditionType::Number) {
            let message = format!("only numbers have an order, found {} and {}", left.describe(), right.describe());
            self.report(whole, message).hint = Some("compare two numbers, or use `==`, `!=` or `in`".to_owned());
        } else {
            self.comparable(a, &left, b, &right);
        }
    }

    fn member(&mut self, item: &Expression, list: &Expression) {
        let ExpressionKind::List(candidates) = &list.node else {
            self.report(list, "expected a list after `in`".to_owned()).hint =
                Some("write it out: in [\"a\", \"b\"]".to_owned());
            return;
        };
        let Some(left) = self.infer(item) else { return };
        for candidate in candidates {
            if let Some(right) = self.infer(candidate) {
                self.comparable(item, &left, candidate, &right);
            }
        }
    }

    fn comparable(&mut self, a: &Expression, left: &ConditionType, b: &Expression, right: &ConditionType) {
        use ConditionType::{Text, Word};
        match (left, right) {
            (Word(words), Word(others)) if !words.iter().any(|word| others.contains(word)) => {
                // the literal is the side that was misspelt
                let (at, found, known) =
                    if matches!(b.node, ExpressionKind::Literal(_)) { (b, others, words) } else { (a, words, others) };
                let (found, known) = (found.clone(), known.clone());
                let problem = self.report(at, format!("expected one of {}, found {}", quoted(&known), quoted(&found)));
                if let [single] = found.as_slice() {
                    let suggested = problem.clone().suggest(single, known.iter().map(String::as_str));
                    *problem = suggested;
                }
            }
            (Word(_) | Text, Word(_) | Text) => {}
            (left, right) if left == right => {}
            (left, right) => {
                let message = format!("cannot compare {} with {}", left.describe(), right.describe());
                self.report(b, message).hint =
                    Some("compare values of one kind: words in quotes, numbers and true or false without".to_owned());
            }
        }
    }
}
