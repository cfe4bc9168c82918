//! Points that look at no results: uniform draws and the Latin hypercube of the start-up trials.

use crate::base::RandomStream;

use super::super::space::{Axis, SearchSpace};
use super::{Request, discrete};

/// A hypercube finer than this is no better than uniform draws.
const MOST_STRATA: u64 = 4096;

/// Draws every active parameter on its own; nothing is tried twice in a discrete space.
pub(super) fn propose_random(request: &Request) -> Option<Vec<f64>> {
    let mut stream = request.stream();
    let point = uniform(request.space, &mut stream);
    if discrete::is_new(request, &point) {
        return Some(point);
    }
    discrete::any_new(request, &mut stream)
}

/// A uniform point (log-uniform on a log scale).
pub(super) fn uniform(space: &SearchSpace, stream: &mut RandomStream) -> Vec<f64> {
    fill(space, |_, axis| uniform_on(axis, stream))
}

/// A uniform coordinate of one axis.
pub(super) fn uniform_on(axis: &Axis, stream: &mut RandomStream) -> f64 {
    match axis {
        Axis::Choice { choices } => stream.below(*choices as usize) as f64,
        _ => axis.at_share(stream.uniform()),
    }
}

/// The point of a start-up trial, or any point while nothing is known.
pub(super) fn uninformed(request: &Request, hypercube: bool, stream: &mut RandomStream) -> Option<Vec<f64>> {
    let startup = request.number < request.startup_trials;
    match (startup, hypercube) {
        (true, true) if request.startup_trials <= MOST_STRATA => Some(latin(request)),
        (true, _) => Some(uniform(request.space, stream)),
        (false, _) => (request.history.answered() == 0).then(|| uniform(request.space, stream)),
    }
}

/// Point `number` of a Latin hypercube of `startup_trials` points: on every axis each stratum is hit once, so that no
/// choice and no region is missed by chance (McKay, Beckman and Conover, 1979).
fn latin(request: &Request) -> Vec<f64> {
    let strata = request.startup_trials as usize;
    let jitter = request.seed.derive("startup").index(request.number);
    fill(request.space, |position, axis| {
        let name = &request.space.parameters()[position].name;
        let mut order: Vec<usize> = (0..strata).collect();
        request.seed.derive("startup").derive(name).stream().shuffle(&mut order);
        let stratum = order.get(request.number as usize).copied().unwrap_or(0);
        let within = jitter.derive(name).stream().uniform();
        axis.at_share((stratum as f64 + within) / strata as f64)
    })
}

/// Sets every active parameter, parents first.
pub(super) fn fill(space: &SearchSpace, mut draw: impl FnMut(usize, &Axis) -> f64) -> Vec<f64> {
    let mut point = vec![f64::NAN; space.dimension()];
    for &position in space.order() {
        if space.is_active(position, &point) {
            point[position] = draw(position, &space.axes()[position]);
        }
    }
    point
}
