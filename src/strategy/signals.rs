//! What a strategy says about bars, in the words the simulator understands.

use super::TrailingStop;

/// Direction of a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Gains when the price rises.
    #[default]
    Long,
    /// Gains when the price falls.
    Short,
}

impl Side {
    /// 1 for long, -1 for short.
    pub const fn sign(self) -> f64 {
        match self {
            Self::Long => 1.0,
            Self::Short => -1.0,
        }
    }
}

/// How the quantity of an entry is found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Size {
    /// The share of equity at risk over the distance to the stop, from information at the signal.
    #[default]
    Risk,
    /// A fixed quantity; all limits apply.
    Units(f64),
    /// A fixed value in the currency of the account, over the close of the signal bar; all limits apply.
    Notional(f64),
    /// A share of the equity at the signal, over the close of the signal bar; all limits apply.
    Share(f64),
    /// All free cash at the fill; only the cash limit applies.
    AllCash,
}

/// One trigger: a symbol that may be entered at the open after a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Session of the signal bar.
    pub session: u32,
    /// Row of the signal bar in its series.
    pub row: u32,
    /// Direction.
    pub side: Side,
    /// Whether the symbol passes the eligibility rules at this bar.
    pub eligible: bool,
    /// Stop level S0 measured from the signal close; `None` for an entry without a stop.
    pub stop: Option<f64>,
    /// Limit at which the gain is taken, measured from the signal close as the stop is.
    pub take_profit: Option<f64>,
    /// A stop that follows the price.
    pub trailing: Option<TrailingStop>,
    /// Gain in R after which the stop is moved to the net entry, once the close of that bar is past; needs `stop`.
    pub break_even: Option<f64>,
    /// Own bars after the entry bar at whose close the position is told to leave.
    pub time_stop: Option<u32>,
    /// How the quantity is found.
    pub size: Size,
    /// Technical score in [0, 1]: ranks the candidates of a session.
    pub score: f64,
    /// Close over the channel it cleared, minus 1; ties of the score.
    pub clearance: f64,
    /// Whether the fast trigger fired.
    pub fast: bool,
    /// Whether the slow trigger fired.
    pub slow: bool,
    /// Close over the fast channel, minus 1; NaN before the channel exists.
    pub fast_clearance: f64,
    /// Close over the slow channel, minus 1; NaN before the channel exists.
    pub slow_clearance: f64,
    /// 20 bar average traded value; NaN without volume.
    pub adv20: f64,
    /// Average true range of the signal bar; NaN before it exists.
    pub atr: f64,
}

impl Candidate {
    /// An eligible long entry without stop, target or ranking, to be filled in.
    pub const fn at(session: u32, row: u32) -> Self {
        Self {
            session,
            row,
            side: Side::Long,
            eligible: true,
            stop: None,
            take_profit: None,
            trailing: None,
            break_even: None,
            time_stop: None,
            size: Size::Risk,
            score: 0.0,
            clearance: 0.0,
            fast: false,
            slow: false,
            fast_clearance: f64::NAN,
            slow_clearance: f64::NAN,
            adv20: f64::NAN,
            atr: f64::NAN,
        }
    }
}

/// The signals of one symbol.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SymbolSignals {
    /// Triggers by rising row.
    pub candidates: Vec<Candidate>,
    /// For each bar, whether a long position is to leave at the next open; empty for never.
    pub exit_long: Vec<bool>,
    /// For each bar, whether a short position is to leave at the next open; empty for never.
    pub exit_short: Vec<bool>,
    /// For each bar, the average true range that trailing stops measure by; empty where none does. NaN leaves a stop where
    /// it is.
    pub atr: Vec<f64>,
    /// Features that the strategy itself declares, each with a value a candidate.
    pub features: Vec<Vec<f64>>,
}

impl SymbolSignals {
    /// Whether a position of this side is told at the close of a row to leave.
    pub fn exits(&self, side: Side, row: usize) -> bool {
        let flags = match side {
            Side::Long => &self.exit_long,
            Side::Short => &self.exit_short,
        };
        flags.get(row).copied().unwrap_or(false)
    }
}

/// The signals of a universe, one entry a series of the bars, in the same order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signals {
    /// By symbol index.
    pub symbols: Vec<SymbolSignals>,
}

/// Where a candidate stands: its session, its symbol, its position in the symbol's list.
pub(crate) type Place = (u32, u32, u32);

/// Lists the kept candidates by session and symbol, in one pass over each: a counting sort by session.
pub(crate) fn in_session_order(symbols: &[SymbolSignals], keep: impl Fn(&Candidate) -> bool) -> Vec<Place> {
    let kept = || {
        symbols.iter().enumerate().flat_map(|(symbol, own)| {
            let candidates = own.candidates.iter().enumerate().filter(|(_, candidate)| keep(candidate));
            candidates.map(move |(at, candidate)| (candidate.session, symbol as u32, at as u32))
        })
    };
    let mut next: Vec<usize> = Vec::new();
    for (session, ..) in kept() {
        let after = session as usize + 1;
        if next.len() <= after {
            next.resize(after + 1, 0);
        }
        next[after] += 1;
    }
    let mut start = 0;
    for slot in &mut next {
        start += *slot;
        *slot = start;
    }
    // next[s] is now the first place of session s, and moves on as they are filled
    let mut order = vec![(0, 0, 0); start];
    for place in kept() {
        let slot = &mut next[place.0 as usize];
        order[*slot] = place;
        *slot += 1;
    }
    order
}
