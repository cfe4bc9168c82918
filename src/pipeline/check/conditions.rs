//! `when`: parsed and checked once for a node of the file, then bound to each instance.

use super::super::Text;
use super::super::condition::{self, Condition, ConditionType, ExpressionKind, Reference};
use super::super::file;
use super::super::matrix::Coordinates;
use super::super::params::ParamType;
use super::node::Checker;
use crate::artifact::Scalar;
use crate::base::{Problem, Span};
use crate::node::ValueType;

/// Words that a node's `.status` can be.
const STATUS_WORDS: [&str; 4] = ["succeeded", "skipped", "failed", "cancelled"];
/// Words that `run.status` can be.
const RUN_STATUS_WORDS: [&str; 3] = ["succeeded", "failed", "cancelled"];

impl Checker<'_> {
    /// The condition of a node, checked with the places of its instances.
    pub(super) fn condition(
        &self,
        when: &Text,
        places: &[Coordinates],
        problems: &mut Vec<Problem>,
    ) -> Option<Condition> {
        self.parsed(when, problems, &|reference| match reference {
            Reference::RunStatus => {
                let message = "`run.status` is known when the run has ended";
                Err(undefined(message.to_owned()).hint("it may stand in `notify` only"))
            }
            Reference::Matrix(axis) => matrix_type(axis, places),
            other => self.reference_type(other, places.first()),
        })
    }

    /// A condition on an ended run.
    pub(super) fn run_condition(&self, when: &Text, problems: &mut Vec<Problem>) -> Option<Condition> {
        let parsed = self.parsed(when, problems, &|reference| match reference {
            Reference::RunStatus => Ok(words(&RUN_STATUS_WORDS)),
            Reference::Matrix(axis) => matrix_type(axis, &[]),
            other => self.reference_type(other, None),
        })?;
        Some(self.bind(&parsed, &Coordinates::default()))
    }

    fn parsed(
        &self,
        when: &Text,
        problems: &mut Vec<Problem>,
        type_of: &dyn Fn(&Reference) -> Result<ConditionType, Problem>,
    ) -> Option<Condition> {
        let offset = file::text_offset(self.text, when.span);
        let mut place = |mut problem: Problem| {
            problem.span = self.place_in_block(when, offset, problem.span);
            problems.push(problem);
        };
        match Condition::parse(&when.value, offset) {
            Err(problem) => {
                place(problem);
                None
            }
            Ok(parsed) => {
                let found = condition::check(&parsed, offset, type_of);
                let sound = found.is_empty();
                found.into_iter().for_each(&mut place);
                sound.then_some(parsed)
            }
        }
    }

    /// The condition as one instance has it: names of nodes become those of the instances that it meets.
    pub(super) fn bind(&self, condition: &Condition, place: &Coordinates) -> Condition {
        condition.bind(&|reference| match reference {
            Reference::Matrix(axis) => Some(ExpressionKind::Literal(place.get(axis).cloned().unwrap_or(Scalar::Null))),
            Reference::Value { node, value } => {
                let node = self.instances.same(node, place).ok()?;
                Some(ExpressionKind::Reference(Reference::Value { node, value: value.clone() }))
            }
            Reference::Status(node) => Some(ExpressionKind::Reference(match self.instances.same(node, place) {
                Ok(instance) => Reference::Status(instance),
                Err(_) => {
                    let instances = self.instances.all(node, place).into_iter().map(|(_, name)| name).collect();
                    Reference::StatusOfAll { node: node.clone(), instances }
                }
            })),
            _ => None,
        })
    }

    /// Where a part of a condition stands in the file. A folded block loses line breaks and indentation, so that its
    /// parts have moved; each is found again as the same occurrence of the same words.
    fn place_in_block(&self, when: &Text, offset: usize, span: Span) -> Span {
        let value = when.value.as_str();
        if self.text[offset..].starts_with(value) {
            return span;
        }
        let start = (span.start - offset).min(value.len());
        let words = value.get(start..(start + span.len).min(value.len())).unwrap_or_default();
        let before = value.get(..start).unwrap_or_default().matches(words).count();
        let found = self.text[offset..].match_indices(words).nth(before).filter(|_| !words.is_empty());
        found.map_or(when.span, |(at, _)| Span { start: offset + at, len: span.len })
    }

    fn reference_type(&self, reference: &Reference, place: Option<&Coordinates>) -> Result<ConditionType, Problem> {
        match reference {
            Reference::AsOf => Ok(ConditionType::Text),
            Reference::Param(name) => match self.params.get(name) {
                Some(param) => Ok(match &param.kind {
                    ParamType::Int { .. } | ParamType::Float { .. } => ConditionType::Number,
                    ParamType::Bool => ConditionType::Bool,
                    ParamType::Enum(words) => ConditionType::Word(words.clone()),
                    ParamType::String | ParamType::Date | ParamType::Duration => ConditionType::Text,
                    ParamType::List => {
                        return Err(undefined(format!("`params.{name}` is a list and cannot be compared"))
                            .hint("compare a param of another type, or a value of a node"));
                    }
                }),
                None => Err(undefined(format!("no param `{name}` is declared"))
                    .suggest(name, self.params.keys().map(String::as_str))),
            },
            Reference::Status(node) if self.names.nodes.contains_key(node) => Ok(words(&STATUS_WORDS)),
            Reference::Value { node, value } => {
                let Some(face) = self.names.nodes.get(node) else {
                    return Err(self.unknown_node(node, Span::default()));
                };
                self.instances.same(node, place.unwrap_or(&Coordinates::default())).map_err(|(message, _)| {
                    undefined(message).hint(format!("run once for each: `for_each: {node}`"))
                })?;
                match face.values.get(value) {
                    Some(ValueType::Bool) => Ok(ConditionType::Bool),
                    Some(ValueType::Number) => Ok(ConditionType::Number),
                    Some(ValueType::Text) => Ok(ConditionType::Text),
                    Some(kind) => Ok(ConditionType::Word(kind.words().unwrap_or_default())),
                    None => {
                        let kind = face.kind.descriptor().name;
                        Err(undefined(format!("node `{node}` ({kind}) has no value `{value}`"))
                            .suggest(value, face.values.keys().map(String::as_str)))
                    }
                }
            }
            Reference::Status(node) | Reference::StatusOfAll { node, .. } => {
                Err(self.unknown_node(node, Span::default()))
            }
            Reference::Matrix(_) | Reference::RunStatus => Err(undefined(format!("`{reference}` is not known here"))),
        }
    }
}

fn undefined(message: String) -> Problem {
    Problem::new("condition::undefined", Span::default(), message)
}

fn words(known: &[&str]) -> ConditionType {
    ConditionType::Word(known.iter().map(|word| (*word).to_owned()).collect())
}

fn matrix_type(axis: &str, places: &[Coordinates]) -> Result<ConditionType, Problem> {
    let values: Vec<&Scalar> = places.iter().filter_map(|place| place.get(axis)).collect();
    match values.first() {
        None => {
            let axes: Vec<&str> = places.first().iter().flat_map(|place| &place.0).map(|own| &*own.axis).collect();
            Err(undefined(format!("there is no axis `{axis}` here")).suggest(axis, axes))
        }
        Some(Scalar::Bool(_)) => Ok(ConditionType::Bool),
        Some(Scalar::Int(_) | Scalar::Float(_)) => Ok(ConditionType::Number),
        Some(_) => {
            let mut texts: Vec<String> = values.iter().map(|value| value.to_string()).collect();
            texts.sort();
            texts.dedup();
            Ok(ConditionType::Word(texts))
        }
    }
}
