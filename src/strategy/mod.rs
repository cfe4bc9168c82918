//! Strategies: rules with declared parameters, and the signals they give on bars.
//!
//! A [`Strategy`] is a file whose every value was checked; nothing else can be run. [`signals`] turns it into [`Signals`]: entry
//! candidates and exit flags for each symbol, decided at the close of a bar from that bar and earlier ones. The simulator
//! reads `Signals` and nothing else of a strategy, so any rule that can be written as signals can be simulated.
//!
//! | kind | entry | exit |
//! |---|---|---|
//! | `breakout` | close clears its 20 or 55 bar channel above the trend average | hard ATR stop, close below the exit average |
//! | `rules` | expressions of the user | expressions, stop, target, trailing stop, break even, time |

mod breakout;
mod cache;
mod checked;
mod error;
mod execution;
mod file;
mod lint;
mod parameter;
mod percentile;
mod rules;
mod score;
mod section;
mod signals;

pub use cache::{Indicator, IndicatorCache};
pub use checked::{Execution, Strategy, signals};
pub use error::StrategyError;
pub use execution::{AtEnd, FillAt, OnGap, TrailDistance, TrailFrom, TrailingStop};
pub use file::{
    Channel, Commission, CostRules, DataRules, EligibilityRules, EntryRules, ExitRules, KINDS, RiskRules, ScoreWeights,
    StopAnchor, StopTrigger, StrategyFile, file_schema, kind_schemas,
};
pub use lint::StrategyLint;
pub use rules::{DeclaredParameter, ParameterType, RulesFile, RulesStrategy};
pub use section::Parameter;
pub(crate) use signals::in_session_order;
pub use signals::{Candidate, Side, Signals, Size, SymbolSignals};
