//! What the symbols did by themselves: the least that a strategy has to be worth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::market::Bars;

/// What a strategy is held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BenchmarkKind {
    /// Equal money in every symbol at its first close of the window, held to the end.
    #[default]
    BuyAndHold,
    /// Equal money in every symbol that trades, set right again at every close.
    EqualWeight,
    /// Nothing.
    None,
}

impl BenchmarkKind {
    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::BuyAndHold => "buy and hold",
            Self::EqualWeight => "equal weight",
            Self::None => "none",
        }
    }
}

/// Computes the return of a benchmark in each session of a window, without costs; empty for [`BenchmarkKind::None`].
///
/// It is bought at the close of the first session, so that session returns 0. A session without a bar returns 0 for that
/// symbol, and money for a symbol that is not there yet is cash.
pub fn benchmark_returns(bars: &Bars, window: std::ops::Range<u32>, kind: BenchmarkKind) -> Vec<f64> {
    let sessions = window.len();
    if kind == BenchmarkKind::None || bars.series.is_empty() {
        return Vec::new();
    }
    // value of one unit of money in each symbol, and how many symbols had a return
    let (mut value, mut change, mut traded) = (vec![0.0; sessions], vec![0.0; sessions], vec![0_u32; sessions]);
    for series in &bars.series {
        let first = series.session.partition_point(|session| *session < window.start);
        let (mut worth, mut last) = (1.0, None);
        let mut row = first;
        for at in 0..sessions {
            if series.session.get(row) == Some(&(window.start + at as u32)) {
                let close = series.close[row];
                if let Some(before) = last {
                    worth *= close / before;
                    change[at] += close / before - 1.0;
                    traded[at] += 1;
                }
                last = Some(close);
                row += 1;
            }
            value[at] += worth;
        }
    }
    let of_session = |at: usize| match kind {
        BenchmarkKind::BuyAndHold => at.checked_sub(1).map_or(0.0, |before| value[at] / value[before] - 1.0),
        _ => change[at] / f64::from(traded[at].max(1)),
    };
    (0..sessions).map(of_session).collect()
}
