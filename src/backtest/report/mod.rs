//! A backtest as people read it: figures beside a benchmark, what became of every signal, what was assumed, and what makes
//! the result doubtful.
//!
//! | part | file |
//! |---|---|
//! | [`BacktestReport`], from a [`ReportInput`] | `build.rs` |
//! | buy and hold, equal weight | `benchmark.rs` |
//! | what the simulation took for granted | `assumptions.rs` |
//! | with the model and without it | `comparison.rs` |
//! | findings that should keep a reader from believing it | `doubts.rs` |
//! | trades, equity and candidates as tables | `tables.rs` |
//! | plots as text, SVG and a page | `plot.rs` |
//! | the report as Markdown | `markdown.rs` |
//!
//! Nothing here prints, and nothing decides: a doubt is a finding beside the figures, never a change to them.

mod assumptions;
mod benchmark;
mod build;
mod comparison;
mod doubts;
mod markdown;
mod plot;
mod tables;
#[cfg(test)]
mod tests;

pub use benchmark::{BenchmarkKind, benchmark_returns};
pub use build::{
    BacktestReport, ExitCount, ModelTag, REPORT_VERSION, ReportInput, SymbolResult, WorstDrawdown, YearReturn,
    metric_text, text_in_unit,
};
pub use comparison::{ComparedFigure, MlComparison};
pub use doubts::{DOUBTS, Doubt};
pub use markdown::markdown;
pub use plot::{equity_page, equity_svg, equity_text};
pub use tables::{candidates_table, equity_table, trades_table};
