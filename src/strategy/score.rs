//! The technical score: a weighted mean of percentiles.

use super::percentile::expanding_percentile;
use super::{SymbolSignals, in_session_order};

/// A component of the score: its weight, and its value at each candidate by symbol.
pub(super) struct Component {
    pub weight: f64,
    pub values: Vec<Vec<f64>>,
}

/// Sets the score of every eligible candidate: the weighted mean of the percentiles of its components among the eligible
/// candidates of earlier sessions. Components of weight 0 are not looked at; without any other the scores stay as they are.
pub(super) fn set_scores(symbols: &mut [SymbolSignals], components: &[Component]) {
    let total: f64 = components.iter().map(|component| component.weight).sum();
    if total == 0.0 {
        return;
    }
    let order = in_session_order(symbols, |candidate| candidate.eligible);
    let sessions: Vec<u32> = order.iter().map(|&(session, ..)| session).collect();
    let mut scores = vec![0.0; order.len()];
    for Component { weight, values } in components.iter().filter(|component| component.weight > 0.0) {
        let values: Vec<f64> = order.iter().map(|&(_, symbol, at)| values[symbol as usize][at as usize]).collect();
        for (score, percentile) in scores.iter_mut().zip(expanding_percentile(&sessions, &values)) {
            *score += weight / total * percentile;
        }
    }
    for (&(_, symbol, at), score) in order.iter().zip(scores) {
        symbols[symbol as usize].candidates[at as usize].score = score;
    }
}
