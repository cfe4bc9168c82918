//! Why a backtest has no result.

/// What stops a simulation.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum BacktestError {
    /// Signals that do not belong to the bars.
    #[error("signals do not fit the bars of symbol {symbol}: {what}")]
    SignalsMismatch {
        /// Symbol index.
        symbol: usize,
        /// What does not fit.
        what: &'static str,
    },
    /// A window that is empty or ends after the data.
    #[error("window {start}..{end} does not lie in the data, expected sessions in 0..{sessions}")]
    Window {
        /// First session asked for.
        start: u32,
        /// Session after the last one asked for.
        end: u32,
        /// Sessions there are.
        sessions: u32,
    },
    /// The account is lost.
    #[error("equity fell to {equity} in session {session}")]
    Ruined {
        /// Session at whose close it was seen.
        session: u32,
        /// Equity then.
        equity: f64,
    },
    /// A rule of the prediction overlay outside its range.
    #[error("`{name}` is out of range, expected a number in 0..=1, found {found}")]
    OverlayRange {
        /// Name of the rule.
        name: &'static str,
        /// What was given.
        found: f64,
    },
    /// A limit on positions of a model outside its range.
    #[error("`{name}` is out of range, expected {expected}, found {found}")]
    LimitRange {
        /// Name of the limit.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What was given.
        found: f64,
    },
    /// A probability that is none.
    #[error("probability of symbol {symbol} in session {session} is {found}, expected a number in 0..=1")]
    Probability {
        /// Symbol index.
        symbol: u32,
        /// Signal session.
        session: u32,
        /// What was given.
        found: f64,
    },
    /// A candidate without a probability where the rules ask for one.
    #[error("no probability for symbol {symbol} in session {session}")]
    MissingProbability {
        /// Symbol index.
        symbol: u32,
        /// Signal session.
        session: u32,
    },
    /// An eligible candidate that decisions made before the simulation do not know.
    #[error("nothing was decided about symbol {symbol} in session {session}")]
    Undecided {
        /// Symbol index.
        symbol: u32,
        /// Signal session.
        session: u32,
    },
    /// More candidates without a probability than allowed.
    #[error("{missing} of {total} candidates have no probability, expected a share of at most {max_share}")]
    TooManyMissing {
        /// Candidates without one.
        missing: usize,
        /// Eligible candidates.
        total: usize,
        /// Largest share allowed.
        max_share: f64,
    },
    /// The work was asked to stop.
    #[error(transparent)]
    Cancelled(#[from] crate::base::Cancelled),
}
