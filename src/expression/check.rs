//! Names resolved and types checked: a [`Tree`] to a [`Typed`] tree.

use std::collections::BTreeMap;

use super::function::{ArgumentKind, CrossSection, Declared, Function, Gives, Type};
use super::kernel::{binary, unary};
use super::names::Names;
use super::table::{CROSS_SECTIONS, FUNCTIONS};
use super::tree::{Argument, Binary, Node, Tree, Unary};
use crate::base::{Problem, Span, nearest};

/// A part of a checked expression.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub form: Form,
    pub of: Type,
    pub span: Span,
    /// Whether it is the same at every bar.
    pub constant: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Form {
    Number(f64),
    Boolean(bool),
    Text(String),
    Null,
    Column(String),
    Parameter(String),
    /// An earlier definition, by its place.
    Definition(usize),
    Unary(Unary, Box<Typed>),
    Binary(Binary, Box<Typed>, Box<Typed>),
    Call {
        function: &'static Function,
        arguments: Vec<Typed>,
    },
    CrossSection {
        function: &'static CrossSection,
        arguments: Vec<Typed>,
    },
}

/// An earlier definition as later ones see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Defined {
    pub place: usize,
    pub of: Type,
    pub constant: bool,
}

/// Numbers with a name.
const NAMED_NUMBERS: &[(&str, f64)] = &[("pi", std::f64::consts::PI)];

/// Says why a name cannot be given to a definition.
pub(super) fn taken(name: &str, names: &Names) -> Option<String> {
    if names.columns.contains(name) {
        Some(format!("`{name}` is a column of the bars"))
    } else if NAMED_NUMBERS.iter().any(|(known, _)| *known == name) {
        Some(format!("`{name}` is a number of the language"))
    } else {
        None
    }
}

/// Checks one expression.
///
/// # Errors
/// Every problem that can be told apart; each has its place.
pub(super) fn check(
    tree: &Tree,
    of: Option<Type>,
    names: &Names,
    defined: &BTreeMap<String, Defined>,
) -> Result<Typed, Vec<Problem>> {
    let mut checker = Checker { names, defined, problems: Vec::new() };
    let typed = checker.infer(tree);
    match (typed, of) {
        (Some(typed), Some(of)) => {
            checker.expect(&typed, of, "");
            checker.end(typed)
        }
        (Some(typed), None) => {
            if typed.of == Type::Text {
                checker.report("expression::type", typed.span, "expected a number, or true or false, found a word");
            }
            checker.end(typed)
        }
        (None, _) => Err(checker.problems),
    }
}

struct Checker<'a> {
    names: &'a Names,
    defined: &'a BTreeMap<String, Defined>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn end(self, typed: Typed) -> Result<Typed, Vec<Problem>> {
        if self.problems.is_empty() { Ok(typed) } else { Err(self.problems) }
    }

    fn report(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.problems.push(Problem::new(code, span, message));
    }

    /// Reports a part that is not of the type its place asks for; a literal null fits everywhere.
    fn expect(&mut self, found: &Typed, expected: Type, place: &str) {
        if found.of == expected || matches!(found.form, Form::Null) {
            return;
        }
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        let message = format!("{place}expected {}, found {}", expected.describe(), found.of.describe());
        let problem = Problem::new("expression::type", found.span, message);
        self.problems.push(match (expected, found.of) {
            (Type::Boolean, Type::Number) => problem.hint("compare it: `x > 0`"),
            (Type::Number, Type::Boolean) => problem.hint("turn it into a number: `if(test, 1, 0)`"),
            (_, Type::Text) => problem.hint("a word can only be compared with another: `p.name == \"word\"`"),
            _ => problem,
        });
    }

    /// The checked tree; `None` when its type cannot be told, which is then reported.
    fn infer(&mut self, tree: &Tree) -> Option<Typed> {
        let span = tree.span;
        let typed = |form, of, constant| Some(Typed { form, of, span, constant });
        match &tree.node {
            Node::Number(number) => typed(Form::Number(*number), Type::Number, true),
            Node::Boolean(value) => typed(Form::Boolean(*value), Type::Boolean, true),
            Node::Text(text) => typed(Form::Text(text.clone()), Type::Text, true),
            Node::Null => typed(Form::Null, Type::Number, true),
            Node::Name(name) => self.name(name, span),
            Node::Parameter(name) => match self.names.parameters.get(name) {
                Some(of) => typed(Form::Parameter(name.clone()), *of, true),
                None => {
                    let problem =
                        Problem::new("expression::unknown_parameter", span, format!("unknown parameter `p.{name}`"));
                    let known: Vec<String> = self.names.parameters.keys().map(|known| format!("p.{known}")).collect();
                    self.problems.push(problem.suggest(&format!("p.{name}"), known.iter().map(String::as_str)));
                    None
                }
            },
            Node::Unary(operator, inner) => {
                let inner = self.infer(inner)?;
                let of = if *operator == Unary::Not { Type::Boolean } else { Type::Number };
                self.expect(&inner, of, &format!("`{}`", operator.symbol().trim_end()));
                let constant = inner.constant;
                typed(Form::Unary(*operator, Box::new(inner)), of, constant)
            }
            Node::Binary(operator, left, right) => self.binary(*operator, left, right, span),
            Node::Call { function, arguments, over_date: false } => self.call(function, arguments, span),
            Node::Call { function, arguments, over_date: true } => self.cross_section(function, arguments, span),
        }
    }

    fn name(&mut self, name: &str, span: Span) -> Option<Typed> {
        if let Some(defined) = self.defined.get(name) {
            let Defined { place, of, constant } = *defined;
            return Some(Typed { form: Form::Definition(place), of, span, constant });
        }
        if self.names.columns.contains(name) {
            return Some(Typed { form: Form::Column(name.to_owned()), of: Type::Number, span, constant: false });
        }
        if let Some((_, number)) = NAMED_NUMBERS.iter().find(|(known, _)| *known == name) {
            return Some(Typed { form: Form::Number(*number), of: Type::Number, span, constant: true });
        }
        let problem = Problem::new("expression::unknown_name", span, format!("unknown name `{name}`"));
        let problem = if let Some(function) = Function::named(name) {
            problem.hint(format!("`{name}` is a function: write `{}`", function.signature()))
        } else if self.names.parameters.contains_key(name) {
            problem.hint(format!("a parameter is written `p.{name}`"))
        } else {
            let known = self.defined.keys().chain(&self.names.columns).map(String::as_str);
            problem.suggest(name, known.chain(NAMED_NUMBERS.iter().map(|(name, _)| *name)))
        };
        self.problems.push(problem);
        None
    }

    fn binary(&mut self, operator: Binary, left: &Tree, right: &Tree, span: Span) -> Option<Typed> {
        // both sides are looked at, so that the problems of both are told
        let (left, right) = (self.infer(left), self.infer(right));
        let (left, right) = (left?, right?);
        let place = format!("`{}`", operator.symbol());
        let of = match operator {
            Binary::Or | Binary::And => {
                self.expect(&left, Type::Boolean, &place);
                self.expect(&right, Type::Boolean, &place);
                Type::Boolean
            }
            Binary::Equal | Binary::NotEqual => {
                let wanted = if matches!(left.form, Form::Null) { right.of } else { left.of };
                self.expect(&right, wanted, &place);
                if matches!(left.form, Form::Null) || matches!(right.form, Form::Null) {
                    let problem = Problem::new("expression::type", span, "a comparison with null is always null");
                    self.problems.push(problem.hint("ask `is_null(x)`"));
                }
                Type::Boolean
            }
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                self.expect(&left, Type::Number, &place);
                self.expect(&right, Type::Number, &place);
                Type::Boolean
            }
            _ => {
                self.expect(&left, Type::Number, &place);
                self.expect(&right, Type::Number, &place);
                Type::Number
            }
        };
        let constant = left.constant && right.constant;
        Some(Typed { form: Form::Binary(operator, Box::new(left), Box::new(right)), of, span, constant })
    }

    fn call(&mut self, name: &str, arguments: &[Argument], span: Span) -> Option<Typed> {
        let Some(function) = Function::named(name) else {
            self.unknown_function(name, span, false);
            return None;
        };
        let arguments = self.arguments(name, &function.signature(), function.arguments, arguments, span)?;
        let of = match function.gives {
            Gives::Number => Type::Number,
            Gives::Boolean => Type::Boolean,
            Gives::Same => self.shared_type(function, &arguments)?,
        };
        let constant = function.reads.is_empty()
            && function.kernel.is_of_one_bar()
            && arguments.iter().all(|argument| argument.constant);
        Some(Typed { form: Form::Call { function, arguments }, of, span, constant })
    }

    /// The type that all `Any` arguments of a call have.
    fn shared_type(&mut self, function: &Function, arguments: &[Typed]) -> Option<Type> {
        let any = function.arguments.iter().zip(arguments).filter(|(declared, _)| declared.kind == ArgumentKind::Any);
        let any: Vec<&Typed> = any.map(|(_, found)| found).collect();
        let of = any.iter().find(|found| !matches!(found.form, Form::Null)).map_or(Type::Number, |found| found.of);
        if of == Type::Text {
            let span = any.first().map_or(Span::default(), |found| found.span);
            self.report(
                "expression::type",
                span,
                format!("`{}`: expected a number, or true or false, found a word", function.name),
            );
            return None;
        }
        for found in any {
            self.expect(found, of, &format!("`{}`", function.name));
        }
        Some(of)
    }

    fn cross_section(&mut self, name: &str, arguments: &[Argument], span: Span) -> Option<Typed> {
        let Some(function) = CrossSection::named(name) else {
            self.unknown_function(name, span, true);
            return None;
        };
        let arguments = self.arguments(name, &function.signature(), function.arguments, arguments, span)?;
        Some(Typed { form: Form::CrossSection { function, arguments }, of: Type::Number, span, constant: false })
    }

    fn unknown_function(&mut self, name: &str, span: Span, over_date: bool) {
        let place = Span { start: span.start, len: name.len() };
        let (kind, elsewhere, known): (_, _, Vec<&str>) = if over_date {
            let known = CROSS_SECTIONS.iter().map(|function| function.name);
            ("unknown function over a date", Function::named(name).is_some(), known.collect())
        } else {
            let names =
                |function: &'static Function| [function.name].into_iter().chain(function.aliases.iter().copied());
            ("unknown function", CrossSection::named(name).is_some(), FUNCTIONS.iter().flat_map(names).collect())
        };
        let problem = Problem::new("expression::unknown_function", place, format!("{kind} `{name}`"));
        self.problems.push(match nearest(name, known.iter().copied()) {
            _ if elsewhere && over_date => problem.hint(format!(
                "`{name}` looks at one symbol: leave out `over date`; over a date there are {}",
                known.join(", ")
            )),
            _ if elsewhere => problem.hint(format!("`{name}` looks at all symbols: add `over date`")),
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None if over_date => problem.hint(format!("known: {}", known.join(", "))),
            None => problem.hint("`walkforward features list --functions` prints those that exist"),
        });
    }

    /// Puts arguments in the declared order, by position and by name, and fills in defaults.
    fn arguments(
        &mut self,
        name: &str,
        signature: &str,
        declared: &[Declared],
        found: &[Argument],
        span: Span,
    ) -> Option<Vec<Typed>> {
        let place = Span { start: span.start, len: name.len() };
        let mut slots: Vec<Option<&Argument>> = vec![None; declared.len()];
        let mut named = false;
        for (index, argument) in found.iter().enumerate() {
            let slot = match &argument.name {
                None if named => {
                    let message = format!("`{name}`: expected `name=value` after a named argument");
                    self.problems
                        .push(Problem::new("expression::argument", argument.value.span, message).hint(signature));
                    return None;
                }
                None => index,
                Some(given) => {
                    named = true;
                    let Some(slot) = declared.iter().position(|declared| declared.name == given.value) else {
                        let message = format!("`{name}` has no argument `{}`", given.value);
                        let problem = Problem::new("expression::argument", given.span, message);
                        self.problems
                            .push(problem.suggest(&given.value, declared.iter().map(|declared| declared.name)));
                        return None;
                    };
                    slot
                }
            };
            match slots.get_mut(slot) {
                Some(free @ None) => *free = Some(argument),
                Some(Some(_)) => {
                    let message = format!("`{name}`: `{}` is given twice", declared[slot].name);
                    self.report("expression::argument", argument.value.span, message);
                    return None;
                }
                None => {
                    let expected = match declared.len() {
                        0 => "no arguments".to_owned(),
                        1 => "one argument".to_owned(),
                        many => format!("at most {many} arguments"),
                    };
                    let message = format!("`{name}`: expected {expected}, found {}", found.len());
                    let problem = Problem::new("expression::argument", argument.value.span, message);
                    self.problems.push(problem.hint(format!("write `{signature}`")));
                    return None;
                }
            }
        }
        let mut filled = Vec::with_capacity(declared.len());
        for (declared, slot) in declared.iter().zip(slots) {
            filled.push(match (slot, declared.kind.default()) {
                (Some(argument), _) => self.argument(name, declared, &argument.value),
                (None, Some(default)) => {
                    Some(Typed { form: Form::Number(default), of: Type::Number, span: place, constant: true })
                }
                (None, None) => {
                    let message = format!("`{name}`: expected the argument `{}`, found none", declared.name);
                    self.problems.push(
                        Problem::new("expression::argument", place, message).hint(format!("write `{signature}`")),
                    );
                    None
                }
            });
        }
        filled.into_iter().collect()
    }

    fn argument(&mut self, name: &str, declared: &Declared, value: &Tree) -> Option<Typed> {
        let found = self.infer(value)?;
        let place = format!("`{}` of `{name}`", declared.name);
        match declared.kind {
            ArgumentKind::Any => {}
            ArgumentKind::Boolean => self.expect(&found, Type::Boolean, &place),
            _ => self.expect(&found, Type::Number, &place),
        }
        if !declared.kind.is_constant() {
            return Some(found);
        }
        if !found.constant {
            let message = format!("{place}: expected a number that is the same at every bar, found one that changes");
            let problem = Problem::new("expression::argument", found.span, message);
            self.problems.push(problem.hint("write a literal, a parameter `p.name`, or arithmetic on them"));
        } else if let Some(number) = literal(&found)
            && let Err(problem) = fits(name, declared, number, found.span, self.names.future)
        {
            self.problems.push(problem);
        }
        Some(found)
    }
}

/// Checks the value of a constant argument.
pub(super) fn fits(name: &str, declared: &Declared, value: f64, span: Span, future: bool) -> Result<(), Problem> {
    /// More bars than any history has.
    const MOST: f64 = 100_000_000.0;
    let place = format!("`{}` of `{name}`", declared.name);
    let shown = if value.is_nan() { "null".to_owned() } else { value.to_string() };
    let refuse = |expected: String| {
        Err(Problem::new("expression::argument", span, format!("{place}: expected {expected}, found {shown}")))
    };
    let whole = value.fract() == 0.0 && value.abs() <= MOST;
    match declared.kind {
        ArgumentKind::Whole { minimum, .. } if !(whole && value >= minimum) => {
            refuse(format!("a whole number of at least {minimum}"))
        }
        ArgumentKind::Shift if !whole => refuse("a whole number of bars".to_owned()),
        ArgumentKind::Shift if value < 0.0 && !future => Err(Problem::new(
            "expression::look_ahead",
            span,
            format!("{place}: expected 0 or more bars back, found {shown}, which looks ahead"),
        )
        .hint("only a label may look ahead")),
        ArgumentKind::Real { minimum, maximum, .. } if !(value >= minimum && value <= maximum) => {
            refuse(format!("a number from {minimum} to {maximum}"))
        }
        _ => Ok(()),
    }
}

/// The value of a part that is known without parameters.
fn literal(typed: &Typed) -> Option<f64> {
    match &typed.form {
        Form::Number(number) => Some(*number),
        Form::Null => Some(f64::NAN),
        Form::Unary(operator, inner) => literal(inner).map(|inner| unary(*operator, inner)),
        Form::Binary(operator, left, right) if left.of == Type::Number => {
            Some(binary(*operator, literal(left)?, literal(right)?))
        }
        _ => None,
    }
}
