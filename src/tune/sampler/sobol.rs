//! Points of a scrambled Sobol sequence: even in every parameter and every pair of them, at any length.
//!
//! # References
//! Joe and Kuo (2008), "Constructing Sobol sequences with better two-dimensional projections" (the directions); Owen
//! (1998), "Scrambling Sobol and Niederreiter-Xing points"; Burley (2020), "Practical hash-based Owen scrambling".

use super::super::space::Axis;
use super::{Request, discrete, startup};

/// Points of one sequence.
pub(super) const MOST_POINTS: u64 = 1 << 16;

/// Parameters of one point.
pub(super) const MOST_PARAMETERS: usize = sobol_burley::NUM_DIMENSIONS as usize;

/// Point `number` of the sequence that the seed of the study scrambles; in a discrete space a new one in its place when
/// it was tried.
pub(super) fn propose_sobol(request: &Request) -> Option<Vec<f64>> {
    let seed = request.seed.derive("sobol").value() as u32;
    let place = |position: usize| f64::from(sobol_burley::sample(request.number as u32, position as u32, seed));
    let point = startup::fill(request.space, |position, axis| match axis {
        Axis::Choice { choices } => (place(position) * *choices as f64).floor(),
        _ => axis.at_share(place(position)),
    });
    if discrete::is_new(request, &point) {
        return Some(point);
    }
    discrete::any_new(request, &mut request.stream())
}
