//! Discrete spaces: what was tried, what is left.

use crate::base::RandomStream;

use super::super::space::SearchSpace;
use super::{Request, startup};

/// Spaces up to this size are listed when draws find nothing new; larger ones are drawn from again.
const MOST_LISTED: u64 = 1 << 16;

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
    let points = all(request.space)?;
    Some(points.into_iter().filter(|point| is_new(request, point)).collect())
}

fn same(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(x, y)| x == y || (x.is_nan() && y.is_nan()))
}

/// Every point of a discrete space; `None` when there may be more than [`MOST_LISTED`].
fn all(space: &SearchSpace) -> Option<Vec<Vec<f64>>> {
    let mut bound = 1_u64;
    for axis in space.axes() {
        bound = bound.checked_mul(axis.cells()?).filter(|bound| *bound <= MOST_LISTED)?;
    }
    let mut points = vec![vec![f64::NAN; space.dimension()]];
    for &position in space.order() {
        let cells = space.axes()[position].cells()?;
        let mut longer = Vec::with_capacity(points.len());
        for point in points {
            if !space.is_active(position, &point) {
                longer.push(point);
                continue;
            }
            longer.extend((0..cells).map(|cell| {
                let mut next = point.clone();
                next[position] = cell as f64;
                next
            }));
        }
        points = longer;
    }
    Some(points)
}
