//! What a function declares: the parser, suggestions, reference page, look-back and contract tests read it from here.

use super::table::{CROSS_SECTIONS, FUNCTIONS};

/// What a part of an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// A number, or null.
    Number,
    /// True, false, or null.
    Boolean,
    /// A word: a literal or a parameter, to be compared with another one.
    Text,
}

impl Type {
    /// As it reads in a message.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Boolean => "true or false",
            Self::Text => "a word",
        }
    }
}

/// What an argument takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ArgumentKind {
    /// A number a bar.
    Number,
    /// True or false a bar.
    Boolean,
    /// Either; all such arguments of one call agree.
    Any,
    /// A whole number that does not change from bar to bar: a literal, a parameter, or arithmetic on them.
    Whole {
        /// Value when none is given.
        default: Option<f64>,
        /// Smallest value that means something.
        minimum: f64,
    },
    /// Bars back: a whole number, not negative except in a label.
    Shift,
    /// A number that does not change from bar to bar.
    Real {
        /// Value when none is given.
        default: Option<f64>,
        /// Smallest value.
        minimum: f64,
        /// Largest value.
        maximum: f64,
    },
}

impl ArgumentKind {
    /// Says whether the value must be known before any bar is seen.
    pub const fn is_constant(self) -> bool {
        matches!(self, Self::Whole { .. } | Self::Shift | Self::Real { .. })
    }

    /// Value when none is given.
    pub const fn default(self) -> Option<f64> {
        match self {
            Self::Whole { default, .. } | Self::Real { default, .. } => default,
            Self::Shift => Some(1.0),
            _ => None,
        }
    }
}

/// One declared argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Declared {
    /// Name, for `name=value` and the reference page.
    pub name: &'static str,
    /// What it takes.
    pub kind: ArgumentKind,
}

/// What a call gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gives {
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// What its [`ArgumentKind::Any`] arguments are.
    Same,
}

/// Where a function stands on the reference page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// One bar at a time.
    Bar,
    /// Earlier bars and changes.
    Change,
    /// Statistics of the last k bars.
    Window,
    /// Averages.
    Average,
    /// Momentum and trend.
    Trend,
    /// Place in a range.
    Range,
    /// Volatility and cost.
    Volatility,
    /// Volume.
    Volume,
    /// Conditions over time.
    Condition,
    /// Time of the bar.
    Calendar,
}

impl Group {
    /// Groups in the order of the reference page.
    pub const ALL: &'static [Self] = &[
        Self::Bar,
        Self::Change,
        Self::Window,
        Self::Average,
        Self::Trend,
        Self::Range,
        Self::Volatility,
        Self::Volume,
        Self::Condition,
        Self::Calendar,
    ];

    /// Heading on the reference page.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Bar => "Bar by bar",
            Self::Change => "Earlier bars and changes",
            Self::Window => "The last k bars",
            Self::Average => "Averages",
            Self::Trend => "Momentum and trend",
            Self::Range => "Place in the range",
            Self::Volatility => "Volatility and cost",
            Self::Volume => "Volume",
            Self::Condition => "Conditions over time",
            Self::Calendar => "Calendar",
        }
    }
}

/// How the columns of a call are computed from those of its arguments.
///
/// Arguments a bar come first, in their order, then the columns that the function reads by itself; constants likewise.
#[derive(Clone, Copy)]
pub(super) enum Kernel {
    /// One bar of one column; a missing value stays missing.
    One(fn(f64) -> f64),
    /// One bar of two columns; a missing value stays missing.
    Two(fn(f64, f64) -> f64),
    /// One bar of any columns, which decides about missing values itself.
    Bar(fn(&[f64]) -> f64),
    /// The second column where the first is true, the third where it is false.
    Choice,
    /// Whole columns and constants.
    Columns(fn(&[&[f64]], &[f64]) -> Vec<f64>),
    /// The start time of the bar, in microseconds UTC.
    Time(fn(i64) -> f64),
}

impl Kernel {
    /// Says whether it looks at one bar only, so that constants in give a constant out.
    pub const fn is_of_one_bar(&self) -> bool {
        matches!(self, Self::One(_) | Self::Two(_) | Self::Bar(_) | Self::Choice)
    }
}

/// A function of one symbol's bars.
#[derive(Clone, Copy)]
pub struct Function {
    /// Name.
    pub name: &'static str,
    /// Other names of the same function.
    pub aliases: &'static [&'static str],
    /// Where it stands on the reference page.
    pub group: Group,
    /// Formula in terms of its arguments, `x[-n]` for n bars ago.
    pub formula: &'static str,
    /// What it says, and when it is null beyond the rules that hold for all.
    pub doc: &'static str,
    /// Arguments in order.
    pub arguments: &'static [Declared],
    /// Columns of bars that it reads beside its arguments.
    pub reads: &'static [&'static str],
    /// What it gives.
    pub gives: Gives,
    /// Whether a value remembers everything since the history began, and not only the look-back.
    pub recursive: bool,
    /// Bars before the current one that the first value needs, for its constants in order.
    pub(super) warm_up: fn(&[f64]) -> usize,
    pub(super) kernel: Kernel,
}

impl Function {
    /// Finds a function by its name or another name of it.
    pub fn named(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|function| function.name == name || function.aliases.contains(&name))
    }

    /// The call as the reference page writes it: `sma(x, k=20)`.
    pub fn signature(&self) -> String {
        signature(self.name, self.arguments)
    }

    /// Bars that a call looks ahead: only `lag` in a label can.
    pub(super) fn look_ahead(&self, constants: &[f64]) -> usize {
        let constant = self.arguments.iter().filter(|argument| argument.kind.is_constant());
        constant
            .zip(constants)
            .filter(|(argument, _)| argument.kind == ArgumentKind::Shift)
            .map(|(_, bars)| (-bars).max(0.0) as usize)
            .max()
            .unwrap_or(0)
    }
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Function").field(&self.name).finish()
    }
}

/// A function over the symbols of one date, `name(x) over date`.
#[derive(Clone, Copy)]
pub struct CrossSection {
    /// Name.
    pub name: &'static str,
    /// Formula.
    pub formula: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// Arguments in order: the first is a number or a condition a bar, the others are constants.
    pub arguments: &'static [Declared],
    /// Replaces the known values of a date, in the order of symbols, by the results; null stands for none.
    pub(super) kernel: fn(&[f64], &[f64]) -> Vec<f64>,
}

impl CrossSection {
    /// Finds a function by name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CROSS_SECTIONS.iter().find(|function| function.name == name)
    }

    /// The call as the reference page writes it: `rank(x) over date`.
    pub fn signature(&self) -> String {
        format!("{} over date", signature(self.name, self.arguments))
    }
}

impl std::fmt::Debug for CrossSection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CrossSection").field(&self.name).finish()
    }
}

fn signature(name: &str, arguments: &[Declared]) -> String {
    let one = |argument: &Declared| match argument.kind.default() {
        Some(default) => format!("{}={default}", argument.name),
        None => argument.name.to_owned(),
    };
    format!("{name}({})", arguments.iter().map(one).collect::<Vec<_>>().join(", "))
}
