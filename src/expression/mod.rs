//! The language of features, rules and labels: small, typed, total.
//!
//! ```text
//! close / lag(close, 10) - 1                       a number at every bar
//! close > highest(high, 20) * (1 + p.clearance)    true, false or null at every bar
//! rank(roc(close, 20)) over date                   a symbol's place among all symbols of the date
//! ```
//! **Grammar**, from the loosest to the tightest:
//!
//! | | |
//! |---|---|
//! | `x or y` | also `\|\|` |
//! | `x and y` | also `&&` |
//! | `not x` | also `!` |
//! | `==` `!=` `<` `<=` `>` `>=` | two sides, no third |
//! | `x + y`, `x - y` | |
//! | `x * y`, `x / y` | |
//! | `-x` | |
//! | `x ^ y` | also `**`; leans to the right, so that `-x ^ 2` is `-(x ^ 2)` |
//! | `f(x, k=20)`, `f(x) over date`, `(x)`, `1.5e-3`, `true`, `null`, `close`, `p.name`, `${p.name}`, `"word"` | |
//!
//! **Null.** A value that is not known is null, and so is one that is no finite number (`1/0`, `log(-1)`, an overflow).
//! Arithmetic and comparisons with null are null; `and`, `or` and `not` are those of Kleene's three values: `false and null` is false.
//! A window with a null in it is null, and what remembers its past (EMA, Wilder) starts afresh after one. A rule that is null has not
//! fired.
//!
//! **Causality** is proved from the tree: a function reads the current bar and those before it, `lag` refuses to look ahead outside
//! labels, and [`Bound::look_ahead`] counts the bars that a label does. [`Bound::look_back`] counts those before.
//!
//! **Sharing.** A [`Program`] is compiled once and bound to parameters as often as a study has trials; equal parts of its expressions
//! are one node of the [`Bound`] graph, and a [`ColumnCache`] shares windowed columns between trials by the identity of the bound
//! sub-expression.
//!
//! **Determinism.** Symbols are computed in parallel, each by one thread, and functions over a date in the order of symbols: the same
//! bits for any number of threads.
//!
//! ```
//! use walkforward::expression::{ColumnCache, Definition, Names, ParameterValue, Program, Type};
//! use walkforward::market::{Bars, Series};
//!
//! let names = Names::bars().with_parameter("fast", Type::Number);
//! let program = Program::compile(
//!     &[Definition::new("mean", "sma(close, p.fast)").hidden(), Definition::new("entry", "close > mean").boolean()],
//!     &names,
//! )
//! .unwrap();
//! let bound = program.bind(&[("fast".to_owned(), ParameterValue::Number(2.0))].into()).unwrap();
//! assert_eq!((bound.look_back(), bound.look_ahead()), (1, 0));
//!
//! let close = vec![1.0, 2.0, 1.0];
//! let series = Series { session: vec![0, 1, 2], close, ..Series::default() };
//! let bars = Bars { sessions: vec![0, 1, 2], series: vec![series], periods_per_year: 252.0 };
//! let found = bound.evaluate(&bars, Some(&ColumnCache::new())).unwrap();
//! let entry = found.column("entry", 0).unwrap();
//! assert!(entry[0].is_nan());
//! assert_eq!(entry[1..], [1.0, 0.0]);
//! ```
//!
//! A new function is one row in `table.rs`; suggestions, the reference page and the contract tests are made from it.

mod bind;
mod cache;
pub(crate) mod calendar;
mod check;
mod evaluate;
mod function;
mod kernel;
mod lexer;
mod names;
mod over_date;
mod parser;
mod program;
mod section;
mod table;
mod tree;

pub use bind::Bound;
pub use cache::{Column, ColumnCache};
pub use evaluate::{Evaluation, EvaluationError};
pub use function::{ArgumentKind, CrossSection, Declared, Function, Gives, Group, Type};
pub use names::{BAR_COLUMNS, Definition, Names};
pub use parser::parse;
pub use program::{ExpressionError, ParameterValue, ParameterValues, Program};
pub use table::{CROSS_SECTIONS, FUNCTIONS};
pub use tree::{Argument, Binary, Node, Tree, Unary};

#[cfg(test)]
mod golden;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
