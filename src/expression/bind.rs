//! A program with its parameters known: a graph in which every different part of the expressions is one node.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Form, Typed, fits};
use super::function::{CrossSection, Declared, Function, Kernel, Type};
use super::kernel::{binary, known, unary};
use super::program::{Compiled, ParameterValue, ParameterValues};
use super::tree::{Argument, Binary, Node, Tree, Unary};
use crate::base::{Digest, Problem, Span};

/// Place of a node in a [`Bound`] graph; a node's inputs come before it.
pub(super) type Id = usize;

#[derive(Clone, Debug)]
pub(super) enum Work {
    Constant(f64, Type),
    Column(String),
    Unary(Unary, Id),
    Binary(Binary, Id, Id),
    Call { function: &'static Function, inputs: Vec<Id>, constants: Vec<f64> },
    CrossSection { function: &'static CrossSection, input: Id, constants: Vec<f64> },
}

impl Work {
    pub fn inputs(&self) -> Vec<Id> {
        match self {
            Self::Constant(..) | Self::Column(_) => Vec::new(),
            Self::Unary(_, inner) => vec![*inner],
            Self::Binary(_, left, right) => vec![*left, *right],
            Self::Call { inputs, .. } => inputs.clone(),
            Self::CrossSection { input, .. } => vec![*input],
        }
    }
}

/// One node, and what is known about it without any bar.
#[derive(Clone, Debug)]
pub(super) struct Knot {
    pub work: Work,
    /// Identity of the bound sub-expression, equal in every program that has it.
    pub digest: Digest,
    pub look_back: usize,
    pub look_ahead: usize,
    pub recursive: bool,
    /// How many functions over a date lie below it.
    pub stage: usize,
}

/// A value that is wanted.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub name: String,
    pub of: Type,
    pub node: Id,
}

/// Expressions with all parameters known.
#[derive(Clone, Debug)]
pub struct Bound {
    pub(super) knots: Vec<Knot>,
    pub(super) outputs: Vec<Output>,
    /// Hidden definitions too.
    pub(super) names: BTreeMap<String, Id>,
}

impl Bound {
    /// Bars before the current one that every wanted value needs: on a complete history all are known from this row on, unless
    /// a formula itself has none (a division by zero).
    pub fn look_back(&self) -> usize {
        self.outputs.iter().map(|output| self.knots[output.node].look_back).max().unwrap_or(0)
    }

    /// [`Self::look_back`] of one definition.
    pub fn look_back_of(&self, name: &str) -> Option<usize> {
        self.names.get(name).map(|&node| self.knots[node].look_back)
    }

    /// Bars after the current one that any wanted value needs: 0 proves that the program is causal, for every function reads the
    /// bars of its window and earlier ones only.
    pub fn look_ahead(&self) -> usize {
        self.outputs.iter().map(|output| self.knots[output.node].look_ahead).max().unwrap_or(0)
    }

    /// [`Self::look_ahead`] of one definition.
    pub fn look_ahead_of(&self, name: &str) -> Option<usize> {
        self.names.get(name).map(|&node| self.knots[node].look_ahead)
    }

    /// Whether a definition remembers everything since the history began (EMA, Wilder, OBV), and not only its look-back.
    pub fn is_recursive(&self, name: &str) -> Option<bool> {
        self.names.get(name).map(|&node| self.knots[node].recursive)
    }

    /// Whether any wanted value compares the symbols of a date, so that it cannot be had for one symbol alone.
    pub fn needs_all_symbols(&self) -> bool {
        self.outputs.iter().any(|output| self.knots[output.node].stage > 0)
    }

    /// Columns that the wanted values read.
    pub fn columns(&self) -> BTreeSet<&str> {
        let wanted = self.wanted();
        self.knots
            .iter()
            .zip(wanted)
            .filter_map(|(knot, wanted)| match &knot.work {
                Work::Column(name) if wanted => Some(name.as_str()),
                _ => None,
            })
            .collect()
    }

    /// Names and types of the wanted values, in order.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, Type)> {
        self.outputs.iter().map(|output| (output.name.as_str(), output.of))
    }

    /// The value of a definition that is the same at every bar, NaN where it is null; `None` where it changes from bar to bar.
    pub fn constant(&self, name: &str) -> Option<f64> {
        match self.knots[*self.names.get(name)?].work {
            Work::Constant(value, _) => Some(value),
            _ => None,
        }
    }

    /// The canonical form of a definition: parameters and earlier names replaced by what they stand for.
    pub fn formula(&self, name: &str) -> Option<String> {
        self.names.get(name).map(|&node| self.tree(node).to_string())
    }

    /// Number of different parts.
    pub fn len(&self) -> usize {
        self.knots.len()
    }

    /// Says whether there is no part.
    pub fn is_empty(&self) -> bool {
        self.knots.is_empty()
    }

    /// Which nodes the wanted values rest on.
    pub(super) fn wanted(&self) -> Vec<bool> {
        let mut wanted = vec![false; self.knots.len()];
        self.outputs.iter().for_each(|output| wanted[output.node] = true);
        for id in (0..self.knots.len()).rev() {
            if wanted[id] {
                self.knots[id].work.inputs().into_iter().for_each(|input| wanted[input] = true);
            }
        }
        wanted
    }

    fn tree(&self, id: Id) -> Tree {
        let of = |node| Tree { node, span: Span::default() };
        of(match &self.knots[id].work {
            Work::Constant(value, of) => return constant_tree(*value, *of),
            Work::Column(name) => Node::Name(name.clone()),
            Work::Unary(operator, inner) => Node::Unary(*operator, Box::new(self.tree(*inner))),
            Work::Binary(operator, left, right) => {
                Node::Binary(*operator, Box::new(self.tree(*left)), Box::new(self.tree(*right)))
            }
            Work::Call { function, inputs, constants } => {
                self.call(function.name, function.arguments, inputs, constants, false)
            }
            Work::CrossSection { function, input, constants } => {
                self.call(function.name, function.arguments, &[*input], constants, true)
            }
        })
    }

    fn call(&self, name: &str, declared: &[Declared], inputs: &[Id], constants: &[f64], over_date: bool) -> Node {
        let (mut inputs, mut constants) = (inputs.iter(), constants.iter());
        let argument = |declared: &Declared| {
            let value = if declared.kind.is_constant() {
                constant_tree(*constants.next()?, Type::Number)
            } else {
                self.tree(*inputs.next()?)
            };
            Some(Argument { name: None, value })
        };
        Node::Call { function: name.to_owned(), arguments: declared.iter().filter_map(argument).collect(), over_date }
    }
}

fn constant_tree(value: f64, of: Type) -> Tree {
    let tree = |node| Tree { node, span: Span::default() };
    match of {
        _ if value.is_nan() => tree(Node::Null),
        Type::Boolean => tree(Node::Boolean(value != 0.0)),
        _ if value.is_sign_negative() => tree(Node::Unary(Unary::Negative, Box::new(tree(Node::Number(-value))))),
        _ => tree(Node::Number(value)),
    }
}

/// Says whether a constant true or false on one side of an operator makes the operator needless.
fn is_settled_by(operator: Binary, side: f64) -> bool {
    matches!(operator, Binary::And | Binary::Or) && !side.is_nan()
}

/// Builds a [`Bound`] graph, definition by definition.
pub(super) struct Binder<'a> {
    values: &'a ParameterValues,
    future: bool,
    bound: Bound,
    by_digest: BTreeMap<Digest, Id>,
    /// Node of each definition so far; none where it failed.
    defined: Vec<Option<Id>>,
}

impl<'a> Binder<'a> {
    pub fn new(values: &'a ParameterValues, future: bool) -> Self {
        let bound = Bound { knots: Vec::new(), outputs: Vec::new(), names: BTreeMap::new() };
        Self { values, future, bound, by_digest: BTreeMap::new(), defined: Vec::new() }
    }

    pub fn finish(self) -> Bound {
        self.bound
    }

    /// Adds a definition.
    pub fn define(&mut self, compiled: &Compiled) -> Result<(), Problem> {
        let bound = self.bind(&compiled.typed);
        self.defined.push(bound.as_ref().ok().copied());
        let node = match bound {
            Ok(node) => node,
            // it rests on a definition whose own problem is told already
            Err(None) => return Ok(()),
            Err(Some(problem)) => return Err(problem),
        };
        self.bound.names.insert(compiled.name.clone(), node);
        if compiled.shown {
            self.bound.outputs.push(Output { name: compiled.name.clone(), of: compiled.typed.of, node });
        }
        Ok(())
    }

    fn bind(&mut self, typed: &Typed) -> Result<Id, Option<Problem>> {
        Ok(match &typed.form {
            Form::Number(number) => self.constant(*number, Type::Number),
            Form::Boolean(value) => self.constant(f64::from(u8::from(*value)), Type::Boolean),
            Form::Null => self.constant(f64::NAN, typed.of),
            // reached by a broken caller only: a word outside a comparison is refused by the check
            Form::Text(_) => return Err(None),
            Form::Column(name) => self.add(Work::Column(name.clone())),
            Form::Parameter(name) => match self.parameter(name, typed)? {
                ParameterValue::Number(number) => self.constant(known(number), Type::Number),
                ParameterValue::Boolean(value) => self.constant(f64::from(u8::from(value)), Type::Boolean),
                ParameterValue::Text(_) => return Err(None),
            },
            Form::Definition(place) => return self.defined.get(*place).copied().flatten().ok_or(None),
            Form::Unary(operator, inner) => {
                let inner = self.bind(inner)?;
                match self.value(inner) {
                    Some(value) => self.constant(unary(*operator, value), typed.of),
                    None => self.add(Work::Unary(*operator, inner)),
                }
            }
            Form::Binary(operator, left, right) if left.of == Type::Text => {
                let equal = self.word(left)? == self.word(right)?;
                self.constant(f64::from(u8::from(equal == (*operator == Binary::Equal))), Type::Boolean)
            }
            Form::Binary(operator, left, right) => {
                let (left, right) = (self.bind(left)?, self.bind(right)?);
                match (self.value(left), self.value(right)) {
                    (Some(x), Some(y)) => self.constant(binary(*operator, x, y), typed.of),
                    (Some(side), None) if is_settled_by(*operator, side) => self.settled(*operator, side, right),
                    (None, Some(side)) if is_settled_by(*operator, side) => self.settled(*operator, side, left),
                    _ => self.add(Work::Binary(*operator, left, right)),
                }
            }
            Form::Call { function, arguments } => {
                let (mut inputs, constants) = self.arguments(function.name, function.arguments, arguments)?;
                for &column in function.reads {
                    inputs.push(self.add(Work::Column(column.to_owned())));
                }
                // a choice between rules that a parameter makes costs nothing, and does not wait for the other rule
                if let (Kernel::Choice, [test, then, other]) = (function.kernel, &inputs[..])
                    && let Some(test) = self.value(*test).filter(|test| !test.is_nan())
                {
                    return Ok(if test == 0.0 { *other } else { *then });
                }
                match self.folded(function, &inputs) {
                    Some(value) => self.constant(value, typed.of),
                    None => self.add(Work::Call { function, inputs, constants }),
                }
            }
            Form::CrossSection { function, arguments } => {
                let (inputs, constants) = self.arguments(function.name, function.arguments, arguments)?;
                let input = *inputs.first().ok_or(None)?;
                self.add(Work::CrossSection { function, input, constants })
            }
        })
    }

    /// Splits arguments into nodes and constants, each in the declared order.
    fn arguments(
        &mut self,
        name: &str,
        declared: &[Declared],
        arguments: &[Typed],
    ) -> Result<(Vec<Id>, Vec<f64>), Option<Problem>> {
        let (mut inputs, mut constants) = (Vec::new(), Vec::new());
        for (declared, argument) in declared.iter().zip(arguments) {
            let node = self.bind(argument)?;
            if !declared.kind.is_constant() {
                inputs.push(node);
                continue;
            }
            let value = self.value(node).unwrap_or(f64::NAN);
            fits(name, declared, value, argument.span, self.future).map_err(Some)?;
            constants.push(value);
        }
        Ok((inputs, constants))
    }

    /// The value of a call whose arguments are all constant, where it looks at one bar only.
    fn folded(&self, function: &Function, inputs: &[Id]) -> Option<f64> {
        let values: Option<Vec<f64>> = inputs.iter().map(|&input| self.value(input)).collect();
        let values = values.filter(|values| !values.is_empty())?;
        super::evaluate::at_bar(&function.kernel, &values)
    }

    fn parameter(&self, name: &str, typed: &Typed) -> Result<ParameterValue, Option<Problem>> {
        let problem = |message: String| Some(Problem::new("expression::parameter", typed.span, message));
        let value = self.values.get(name).ok_or_else(|| problem(format!("the parameter `p.{name}` has no value")))?;
        if value.of() != typed.of {
            let (expected, found) = (typed.of.describe(), value.of().describe());
            return Err(problem(format!("the parameter `p.{name}`: expected {expected}, found {found}")));
        }
        Ok(value.clone())
    }

    fn word(&self, typed: &Typed) -> Result<String, Option<Problem>> {
        match &typed.form {
            Form::Text(text) => Ok(text.clone()),
            Form::Parameter(name) => match self.parameter(name, typed)? {
                ParameterValue::Text(text) => Ok(text),
                _ => Err(None),
            },
            _ => Err(None),
        }
    }

    /// What `and` or `or` with one constant side comes to.
    fn settled(&mut self, operator: Binary, side: f64, other: Id) -> Id {
        let decisive = f64::from(u8::from(operator == Binary::Or));
        if side == decisive { self.constant(decisive, Type::Boolean) } else { other }
    }

    fn value(&self, id: Id) -> Option<f64> {
        match self.bound.knots[id].work {
            Work::Constant(value, _) => Some(value),
            _ => None,
        }
    }

    fn constant(&mut self, value: f64, of: Type) -> Id {
        // one null, one zero: they are the same constant
        let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
        self.add(Work::Constant(value, of))
    }

    /// The node that does this work: the one there is, or a new one.
    fn add(&mut self, work: Work) -> Id {
        let digest = self.digest(&work);
        if let Some(&id) = self.by_digest.get(&digest) {
            return id;
        }
        let (look_back, look_ahead, recursive, stage) = self.reach(&work);
        let id = self.bound.knots.len();
        self.bound.knots.push(Knot { work, digest, look_back, look_ahead, recursive, stage });
        self.by_digest.insert(digest, id);
        id
    }

    fn reach(&self, work: &Work) -> (usize, usize, bool, usize) {
        let inputs = work.inputs();
        let most = |of: fn(&Knot) -> usize| inputs.iter().map(|&input| of(&self.bound.knots[input])).max().unwrap_or(0);
        let (look_back, look_ahead) = (most(|knot| knot.look_back), most(|knot| knot.look_ahead));
        let recursive = inputs.iter().any(|&input| self.bound.knots[input].recursive);
        let stage = most(|knot| knot.stage);
        match work {
            Work::Call { function, constants, .. } => (
                look_back + (function.warm_up)(constants),
                look_ahead + function.look_ahead(constants),
                recursive || function.recursive,
                stage,
            ),
            Work::CrossSection { .. } => (look_back, look_ahead, recursive, stage + 1),
            _ => (look_back, look_ahead, recursive, stage),
        }
    }

    /// Identity of a node: what it does, its constants bit for bit, and the identities of its inputs. Format version 1.
    fn digest(&self, work: &Work) -> Digest {
        let mut bytes: Vec<u8> = vec![1];
        let (tag, name, constants): (u8, &str, &[f64]) = match work {
            Work::Constant(value, of) => (b'0' + *of as u8, "", &[*value]),
            Work::Column(name) => (b'c', name, &[]),
            Work::Unary(operator, _) => (b'u', operator.symbol(), &[]),
            Work::Binary(operator, ..) => (b'b', operator.symbol(), &[]),
            Work::Call { function, constants, .. } => (b'f', function.name, constants),
            Work::CrossSection { function, constants, .. } => (b'd', function.name, constants),
        };
        bytes.push(tag);
        bytes.extend(name.as_bytes());
        bytes.push(0);
        constants.iter().for_each(|constant| bytes.extend(constant.to_bits().to_le_bytes()));
        work.inputs().iter().for_each(|&input| bytes.extend(self.bound.knots[input].digest.bytes()));
        Digest::of(&bytes)
    }
}
