//! The model-based sampler where it pays, the estimator beyond.

use super::{Request, gp, tpe};

/// Trials after which a model costs more than it gains.
const MOST_TRIALS: u64 = 250;

/// Parameters beyond which a model of so few trials says little.
const MOST_PARAMETERS: usize = 20;

/// Proposes as `gp` or as `tpe`; both begin with the same hypercube.
pub(super) fn propose_auto(request: &Request) -> Option<Vec<f64>> {
    if request.number < MOST_TRIALS && request.space.dimension() <= MOST_PARAMETERS {
        gp::propose_gp(request)
    } else {
        tpe::propose_tpe(request)
    }
}
