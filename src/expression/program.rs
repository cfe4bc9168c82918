//! Several named expressions as one program: compiled once, bound to parameters as often as a study has trials.

use std::collections::{BTreeMap, BTreeSet};

use super::bind::{Binder, Bound};
use super::check::{Defined, Form, Typed, check, taken};
use super::function::Type;
use super::lexer::is_name;
use super::names::{Definition, Names};
use super::parser::parse;
use super::tree::Tree;
use crate::base::{Problem, Span};

/// Something wrong in one of several expressions.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{name}`, byte {}: {}{}", .problem.span.start, .problem.message, hint(.problem))]
pub struct ExpressionError {
    /// The expression, by its place among the definitions.
    pub definition: usize,
    /// Its name.
    pub name: String,
    /// What is wrong; the span counts bytes of the expression's own text.
    pub problem: Problem,
}

fn hint(problem: &Problem) -> String {
    problem.hint.as_ref().map_or_else(String::new, |hint| format!(" ({hint})"))
}

/// A value for a declared parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum ParameterValue {
    /// A number.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// A word.
    Text(String),
}

impl ParameterValue {
    /// The type it has.
    pub const fn of(&self) -> Type {
        match self {
            Self::Number(_) => Type::Number,
            Self::Boolean(_) => Type::Boolean,
            Self::Text(_) => Type::Text,
        }
    }
}

/// Values of parameters by name.
pub type ParameterValues = BTreeMap<String, ParameterValue>;

#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub name: String,
    pub tree: Tree,
    pub typed: Typed,
    pub shown: bool,
}

/// Parsed and checked expressions, in the order of their definition; each may use those before it by name.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) definitions: Vec<Compiled>,
    pub(super) names: Names,
}

impl Program {
    /// Parses and checks expressions.
    ///
    /// # Errors
    /// Every problem found, in the order of definitions: of a text that does not parse the first, else all that its check tells apart.
    pub fn compile(definitions: &[Definition], names: &Names) -> Result<Self, Vec<ExpressionError>> {
        let mut known: BTreeMap<String, Defined> = BTreeMap::new();
        let mut broken: BTreeSet<&str> = BTreeSet::new();
        let mut compiled = Vec::with_capacity(definitions.len());
        let mut errors = Vec::new();
        for (place, definition) in definitions.iter().enumerate() {
            let name = &definition.name;
            let mut found = match nameable(definition, names, &known) {
                Some(problem) => vec![problem],
                None => Vec::new(),
            };
            match parse(&definition.text).map_err(|problem| vec![problem]).and_then(|tree| {
                let typed = check(&tree, definition.of, names, &known)?;
                Ok((tree, typed))
            }) {
                Ok((tree, typed)) => {
                    known.insert(
                        name.clone(),
                        Defined { place: compiled.len(), of: typed.of, constant: typed.constant },
                    );
                    compiled.push(Compiled { name: name.clone(), tree, typed, shown: definition.shown });
                }
                Err(problems) => {
                    broken.insert(name);
                    // what is unknown only because its own definition is wrong was told there
                    found.extend(problems.into_iter().filter(|problem| {
                        let span = problem.span;
                        let word = definition.text.get(span.start..span.start + span.len).unwrap_or_default();
                        problem.code != "expression::unknown_name" || !broken.contains(word) || word == name
                    }));
                }
            }
            errors.extend(found.into_iter().map(|problem| ExpressionError {
                definition: place,
                name: name.clone(),
                problem,
            }));
        }
        if errors.is_empty() { Ok(Self { definitions: compiled, names: names.clone() }) } else { Err(errors) }
    }

    /// Binds parameters: every constant is known, every common part of the expressions is one node.
    ///
    /// Values of parameters that no expression names are not looked at.
    ///
    /// # Errors
    /// A parameter without a value or with one of another type; a window, a lag or another constant that is out of its range.
    pub fn bind(&self, values: &ParameterValues) -> Result<Bound, Vec<ExpressionError>> {
        let mut binder = Binder::new(values, self.names.future);
        let mut errors = Vec::new();
        for (definition, compiled) in self.definitions.iter().enumerate() {
            if let Err(problem) = binder.define(compiled) {
                errors.push(ExpressionError { definition, name: compiled.name.clone(), problem });
            }
        }
        if errors.is_empty() { Ok(binder.finish()) } else { Err(errors) }
    }

    /// The tree of a definition as it was written.
    pub fn tree(&self, name: &str) -> Option<&Tree> {
        self.find(name).map(|compiled| &compiled.tree)
    }

    /// The type of a definition.
    pub fn type_of(&self, name: &str) -> Option<Type> {
        self.find(name).map(|compiled| compiled.typed.of)
    }

    /// Names of the definitions whose values are wanted, in order.
    pub fn outputs(&self) -> Vec<&str> {
        self.definitions.iter().filter(|compiled| compiled.shown).map(|compiled| compiled.name.as_str()).collect()
    }

    /// Parameters that the expressions name.
    pub fn parameters(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        self.definitions.iter().for_each(|compiled| parameters(&compiled.typed, &mut found));
        found
    }

    fn find(&self, name: &str) -> Option<&Compiled> {
        self.definitions.iter().find(|compiled| compiled.name == name)
    }
}

/// Says why a definition cannot have its name.
fn nameable(definition: &Definition, names: &Names, known: &BTreeMap<String, Defined>) -> Option<Problem> {
    let name = &definition.name;
    let problem = |message: String| Some(Problem::new("expression::name", Span::default(), message));
    if known.contains_key(name) {
        return problem(format!("`{name}` is defined twice"));
    }
    if let Some(why) = taken(name, names) {
        return problem(format!("{why}: expected another name"));
    }
    if !definition.shown && (!is_name(name) || name.starts_with("p.")) {
        return problem(format!("expected a name of letters, digits and underscores, found `{name}`"));
    }
    None
}

fn parameters<'a>(typed: &'a Typed, found: &mut BTreeSet<&'a str>) {
    match &typed.form {
        Form::Parameter(name) => {
            found.insert(name);
        }
        Form::Unary(_, inner) => parameters(inner, found),
        Form::Binary(_, left, right) => {
            parameters(left, found);
            parameters(right, found);
        }
        Form::Call { arguments, .. } | Form::CrossSection { arguments, .. } => {
            arguments.iter().for_each(|argument| parameters(argument, found));
        }
        _ => {}
    }
}
