//! Discrete spaces: what was tried, what is left.

use crate::base::RandomStream;

use super::super::space::{Axis, SearchSpace};
use super::{Request, startup};

/// Spaces up to this size are listed when draws find nothing new; larger ones are drawn from again.
pub(super) const MOST_LISTED: u64 = 1 << 16;

/// Draws before a large space is taken as exhausted in practice.
const MOST_DRAWS: usize = 10_000;

/// Says whether a point is worth a trial: always in a continuous space, only untried ones in a discrete space.
pub(super) fn is_new(request: &Request, point: &[f64]) -> bool {
    !request.space.is_discrete()
        || !(request.history.has_seen(point) || request.pending.iter().any(|other| same(other, point)))
}

/// Any untried point; `None` when all have been tried.
pub(super) fn any_new(request: &Request, stream: &mut RandomStream) -> Option<Vec<f64>> {
    match untried(request) {
        Some(points) => {
            let chosen = stream.below(points.len());
            points.into_iter().nth(chosen)
        }
        None => (0..MOST_DRAWS).map(|_| startup::uniform(request.space, stream)).find(|point| is_new(request, point)),
    }
}

/// All untried points in the order of their coordinates; `None` when the space is too large to list.
pub(super) fn untried(request: &Request) -> Option<Vec<Vec<f64>>> {
    let points = all(request.space, None)?;
    Some(points.into_iter().filter(|point| is_new(request, point)).collect())
}

fn same(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(x, y)| x == y || (x.is_nan() && y.is_nan()))
}

/// Every point of a space whose continuous axes have that many levels, from one end to the other; `None` when there may
/// be more than [`MOST_LISTED`], and for a continuous axis without levels.
pub(super) fn all(space: &SearchSpace, levels: Option<u64>) -> Option<Vec<Vec<f64>>> {
    let cells = |axis: &Axis| axis.cells().or(levels);
    let mut bound = 1_u64;
    for axis in space.axes() {
        bound = bound.checked_mul(cells(axis)?).filter(|bound| *bound <= MOST_LISTED)?;
    }
    let mut points = vec![vec![f64::NAN; space.dimension()]];
    for &position in space.order() {
        let axis = &space.axes()[position];
        let count = cells(axis)?;
        let mut longer = Vec::with_capacity(points.len());
        for point in points {
            if !space.is_active(position, &point) {
                longer.push(point);
                continue;
            }
            longer.extend((0..count).map(|cell| {
                let mut next = point.clone();
                next[position] = match axis {
                    Axis::Continuous { .. } if count > 1 => axis.at_share(cell as f64 / (count - 1) as f64),
                    Axis::Continuous { .. } => axis.at_share(0.5),
                    _ => cell as f64,
                };
                next
            }));
        }
        points = longer;
    }
    Some(points)
}
