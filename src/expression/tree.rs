//! An expression as a tree, and the text it is printed as.

use std::fmt;

use crate::base::{Located, Span};

/// A part of an expression, with its place in the text.
///
/// Two trees are equal when they say the same: places are not compared.
#[derive(Clone, Debug)]
pub struct Tree {
    /// What it is.
    pub node: Node,
    /// Where it stands, in bytes of the expression's own text.
    pub span: Span,
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

/// The forms of a [`Tree`].
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A number, never negative: `-1` is the negation of 1.
    Number(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// `"text"`, to be compared with a parameter that is a word.
    Text(String),
    /// `null`, the missing value.
    Null,
    /// A column, or a definition made earlier.
    Name(String),
    /// `p.name`.
    Parameter(String),
    /// `-x` and `not x`.
    Unary(Unary, Box<Tree>),
    /// `x + y` and the like.
    Binary(Binary, Box<Tree>, Box<Tree>),
    /// `function(argument, ...)`, over all symbols of a date where `over date` follows.
    Call {
        /// Name of the function.
        function: String,
        /// Arguments in the order written.
        arguments: Vec<Argument>,
        /// Whether `over date` follows.
        over_date: bool,
    },
}

/// One argument of a call.
#[derive(Clone, Debug)]
pub struct Argument {
    /// `name` of `name=value`.
    pub name: Option<Located<String>>,
    /// What is passed.
    pub value: Tree,
}

impl PartialEq for Argument {
    fn eq(&self, other: &Self) -> bool {
        let name = |argument: &Self| argument.name.as_ref().map(|name| name.value.clone());
        name(self) == name(other) && self.value == other.value
    }
}

/// Operators with one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    /// `-x`
    Negative,
    /// `not x`
    Not,
}

/// Operators with two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `x or y`
    Or,
    /// `x and y`
    And,
    /// `x == y`
    Equal,
    /// `x != y`
    NotEqual,
    /// `x < y`
    Less,
    /// `x <= y`
    LessOrEqual,
    /// `x > y`
    Greater,
    /// `x >= y`
    GreaterOrEqual,
    /// `x + y`
    Add,
    /// `x - y`
    Subtract,
    /// `x * y`
    Multiply,
    /// `x / y`
    Divide,
    /// `x ^ y`
    Power,
}

impl Unary {
    /// As written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Negative => "-",
            Self::Not => "not ",
        }
    }
}

impl Binary {
    /// As written.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Or => "or",
            Self::And => "and",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Power => "^",
        }
    }

    /// How tightly it binds: see the table in [`super`].
    const fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual | Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide => 6,
            Self::Power => 8,
        }
    }
}

const NOT: u8 = 3;
const NEGATIVE: u8 = 7;
const ATOM: u8 = 9;

impl Node {
    fn strength(&self) -> u8 {
        match self {
            Self::Unary(Unary::Not, _) => NOT,
            Self::Unary(Unary::Negative, _) => NEGATIVE,
            Self::Binary(operator, ..) => operator.strength(),
            _ => ATOM,
        }
    }
}

/// Writes a tree, in parentheses where it binds less tightly than its place asks for.
fn within(tree: &Tree, least: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if tree.node.strength() < least { write!(f, "({tree})") } else { write!(f, "{tree}") }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Number(number) => write_number(*number, f),
            Node::Boolean(value) => write!(f, "{value}"),
            Node::Text(text) => write!(f, "\"{text}\""),
            Node::Null => f.write_str("null"),
            Node::Name(name) => f.write_str(name),
            Node::Parameter(name) => write!(f, "p.{name}"),
            Node::Unary(operator, inner) => {
                f.write_str(operator.symbol())?;
                within(inner, if *operator == Unary::Not { NOT } else { NEGATIVE }, f)
            }
            Node::Binary(Binary::Power, base, exponent) => {
                // the exponent may have a sign: 2 ^ -1
                within(base, ATOM, f)?;
                f.write_str(" ^ ")?;
                within(exponent, NEGATIVE, f)
            }
            Node::Binary(operator, left, right) => {
                let strength = operator.strength();
                // a comparison has no third side, everything else leans to the left
                within(left, if strength == Binary::Less.strength() { strength + 1 } else { strength }, f)?;
                write!(f, " {} ", operator.symbol())?;
                within(right, strength + 1, f)
            }
            Node::Call { function, arguments, over_date } => {
                write!(f, "{function}(")?;
                for (index, Argument { name, value }) in arguments.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    if let Some(name) = name {
                        write!(f, "{}=", name.value)?;
                    }
                    write!(f, "{value}")?;
                }
                f.write_str(if *over_date { ") over date" } else { ")" })
            }
        }
    }
}

/// Writes the shortest text that reads as the same number, without a fraction where there is none.
pub(super) fn write_number(number: f64, f: &mut impl fmt::Write) -> fmt::Result {
    if number.fract() == 0.0 && number.abs() < 1e15 { write!(f, "{number}") } else { write!(f, "{number:?}") }
}
