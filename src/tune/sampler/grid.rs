//! Every point of a grid, once, in an order that the seed shuffles: a study that is stopped early has looked everywhere.

use super::{Request, discrete};

/// Point `number` of the shuffled grid; `None` beyond its end, and for a grid that is too large to list.
pub(super) fn propose_grid(request: &Request) -> Option<Vec<f64>> {
    let mut points = discrete::all(request.space, Some(request.levels))?;
    request.seed.derive("grid").stream().shuffle(&mut points);
    points.into_iter().nth(usize::try_from(request.number).ok()?)
}
