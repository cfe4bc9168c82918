//! What the distances would be if nothing had changed: replicates by the chosen calibration, and their p-values.

use rayon::prelude::*;

use super::config::{Calibration, Correction, DriftConfig};
use super::permutation::{Circle, Plan};
use super::prepare::{Prepared, share_change};
use super::resampled::{of_the_least_likely, tail_shares};
use super::shift::StampSums;
use super::sieve::Sieve;
use super::split::Split;
use crate::base::{CancelToken, Cancelled, Seed};
use crate::stats::dependence::normal_scores;

/// Replicates per piece of parallel work: long enough to hide the scheduling, short enough to cancel soon.
const REPLICATES_PER_CHUNK: usize = 64;

/// Columns whose replicates are in memory at once.
const COLUMNS_AT_ONCE: usize = 64;

/// Statistics kept of a replicate: own distance, level, level beyond peers, missing share.
const KEPT: usize = 4;

/// The p-values of one column before any correction across columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tested {
    /// Of the values; `None` when a side has none.
    pub(super) values: Option<Likelihood>,
    /// Of the missing share; `None` when nothing or everything is missing.
    pub(super) missing: Option<Likelihood>,
    /// Of each piece of evidence on the values: own distance, level, level beyond peers.
    pub(super) evidence: [Option<f64>; 3],
}

/// A p-value and, where a correction asks for them, those of the draws.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Likelihood {
    pub(super) p: f64,
    /// The data itself, then the draws; empty where no correction asks for them.
    pub(super) draws: Vec<f64>,
}

/// Where the splits of the null distribution come from.
pub(super) enum Null {
    /// Permuted blocks of the circle.
    Blocks { replicates: usize },
    /// The current window at other places: offsets on a circle of so many stamps.
    Arcs { stamps: usize, starts: Vec<usize> },
    /// Simulated series under the observed split.
    Simulated { replicates: usize },
}

impl Null {
    pub(super) fn new(config: &DriftConfig, circle: &Circle, wanted: usize) -> Self {
        match config.calibration {
            Calibration::BlockPermutation | Calibration::Iid => Self::Blocks { replicates: wanted },
            Calibration::ArSieve => Self::Simulated { replicates: wanted },
            Calibration::Rotation => {
                let stamps = circle.stamps();
                let starts = evenly(stamps.saturating_sub(1), wanted);
                Self::Arcs { stamps, starts: starts.map(|start| (circle.reference + 1 + start) % stamps).collect() }
            }
            Calibration::ReferenceWindows => {
                let places = match circle.reference >= 2 * circle.current {
                    true => circle.reference + 1 - circle.current,
                    false => 0,
                };
                Self::Arcs { stamps: circle.reference, starts: evenly(places, wanted).collect() }
            }
        }
    }

    pub(super) fn replicates(&self) -> usize {
        match self {
            Self::Blocks { replicates } | Self::Simulated { replicates } => *replicates,
            Self::Arcs { starts, .. } => starts.len(),
        }
    }
}

/// At most `wanted` of the numbers below `places`, spread evenly.
fn evenly(places: usize, wanted: usize) -> impl Iterator<Item = usize> {
    let taken = places.min(wanted);
    (0..taken).map(move |index| index * places / taken)
}

/// Tests every column.
pub(super) fn test_columns(
    columns: &[Prepared],
    circle: &Circle,
    null: &Null,
    config: &DriftConfig,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<Vec<Tested>, Cancelled> {
    let keep_draws = config.correction == Correction::WestfallYoung;
    let mut tested = Vec::with_capacity(columns.len());
    for batch in columns.chunks(COLUMNS_AT_ONCE) {
        let drawn = match null {
            Null::Simulated { replicates } => simulate(batch, circle, *replicates, seed, cancel)?,
            Null::Blocks { .. } | Null::Arcs { .. } => resample(batch, circle, null, seed, cancel)?,
        };
        let judged: Vec<Tested> =
            batch.par_iter().zip(drawn).map(|(column, drawn)| judge(column, circle, &drawn, keep_draws)).collect();
        tested.extend(judged);
    }
    Ok(tested)
}

/// The statistics of one replicate of one column. What is undefined counts as far out, which errs on the side of no alarm.
type Drawn = [f64; KEPT];

fn far(distance: Option<f64>) -> f64 {
    distance.unwrap_or(f64::INFINITY)
}

fn resample(
    columns: &[Prepared],
    circle: &Circle,
    null: &Null,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<Vec<Vec<Drawn>>, Cancelled> {
    let mut by_block: Vec<usize> = (0..columns.len()).collect();
    by_block.sort_by_key(|&index| columns[index].block);
    let stamps = match null {
        Null::Arcs { stamps, .. } => *stamps,
        _ => circle.stamps(),
    };
    in_chunks(columns.len(), null.replicates(), cancel, |replicates, rows: &mut [Vec<Drawn>]| {
        let mut marks = vec![0; stamps];
        for replicate in replicates {
            for group in by_block.chunk_by(|&a, &b| columns[a].block == columns[b].block) {
                let block = columns[group[0]].block;
                let split = match null {
                    Null::Arcs { stamps, starts } => Split::arc(*stamps, starts[replicate], circle.current, block),
                    _ => Split::permuted(circle, &Plan::draw(circle, block, seed, replicate)),
                };
                split.mark(&mut marks);
                for &index in group {
                    rows[index].push(measure(&columns[index], &marks, &split));
                }
            }
        }
    })
}

fn measure(column: &Prepared, marks: &[u8], split: &Split) -> Drawn {
    let series = column.apart.as_ref().unwrap_or(&column.series);
    let mut drawn = [0.0; KEPT];
    if column.distance.is_some() {
        for (kept, distance) in drawn.iter_mut().zip(series.distances(column.rules.statistic, marks, split)) {
            *kept = far(distance);
        }
    }
    if column.missing_change.is_some() {
        drawn[3] = far(share_change(series.sorted.missing_shares(marks)));
    }
    drawn
}

/// Runs replicates in chunks on all threads, and puts their results together in order.
fn in_chunks(
    columns: usize,
    replicates: usize,
    cancel: &CancelToken,
    work: impl Fn(std::ops::Range<usize>, &mut [Vec<Drawn>]) + Sync,
) -> Result<Vec<Vec<Drawn>>, Cancelled> {
    let firsts: Vec<usize> = (0..replicates).step_by(REPLICATES_PER_CHUNK).collect();
    let chunks = firsts
        .into_par_iter()
        .map(|first| {
            cancel.check()?;
            let chunk = first..replicates.min(first + REPLICATES_PER_CHUNK);
            let mut rows = vec![Vec::with_capacity(chunk.len()); columns];
            work(chunk, &mut rows);
            Ok(rows)
        })
        .collect::<Result<Vec<_>, Cancelled>>()?;
    let mut joined = vec![Vec::with_capacity(replicates); columns];
    for chunk in chunks {
        for (all, some) in joined.iter_mut().zip(chunk) {
            all.extend(some);
        }
    }
    Ok(joined)
}

/// Draws series of every column under the observed split. The missing share is not simulated: its splits are permuted.
fn simulate(
    columns: &[Prepared],
    circle: &Circle,
    replicates: usize,
    seed: Seed,
    cancel: &CancelToken,
) -> Result<Vec<Vec<Drawn>>, Cancelled> {
    let marks = circle.observed();
    let sieves: Vec<Option<Sieve>> = columns.iter().map(|column| fit(column, circle)).collect();
    let tables: Vec<Vec<f64>> = columns.iter().map(|column| normal_scores(column.series.sorted.values())).collect();
    in_chunks(columns.len(), replicates, cancel, |replicates, rows: &mut [Vec<Drawn>]| {
        let mut permuted = vec![0; circle.stamps()];
        for replicate in replicates {
            let own = seed.derive("ar_sieve").index(replicate as u64);
            for (index, column) in columns.iter().enumerate() {
                let mut drawn = [0.0; KEPT];
                if let Some(sieve) = &sieves[index] {
                    let split = Split::observed(circle, column.block);
                    drawn = simulated(column, &sieve.draw(circle.stamps(), own), &tables[index], &marks, &split);
                }
                if column.missing_change.is_some() {
                    Split::permuted(circle, &Plan::draw(circle, column.block, seed, replicate)).mark(&mut permuted);
                    drawn[3] = far(share_change(column.series.sorted.missing_shares(&permuted)));
                }
                rows[index].push(drawn);
            }
        }
    })
}

fn fit(column: &Prepared, circle: &Circle) -> Option<Sieve> {
    // one row a stamp; a missing score is the middle
    let series: Vec<f64> =
        column.scores[..circle.reference].iter().map(|z| if z.is_nan() { 0.0 } else { *z }).collect();
    Sieve::fit(&series)
}

/// Gives the column's own values to the places of a simulated series, by rank.
fn simulated(column: &Prepared, series: &[f64], table: &[f64], marks: &[u8], split: &Split) -> Drawn {
    let mut places: Vec<u32> = column.series.sorted.stamps().to_vec();
    places.sort_by(|&a, &b| series[a as usize].total_cmp(&series[b as usize]).then(a.cmp(&b)));
    let mut drawn = [0.0; KEPT];
    if column.series.level.is_some() {
        let mut scores = vec![f64::NAN; split.stamps];
        places.iter().zip(table).for_each(|(&place, &score)| scores[place as usize] = score);
        let stamps: Vec<u32> = (0..split.stamps as u32).collect();
        drawn[1] = far(StampSums::new(&scores, &stamps, split.stamps).studentised_shift(split));
    }
    drawn[0] = far(column.series.sorted.reordered(places).distance(column.rules.statistic, marks));
    drawn
}

/// The evidence on a column, and how likely each piece and the least likely of all are.
fn judge(column: &Prepared, circle: &Circle, drawn: &[Drawn], keep_draws: bool) -> Tested {
    let with_draws = |observed: f64, kept: usize| -> Vec<f64> {
        std::iter::once(observed).chain(drawn.iter().map(|drawn| drawn[kept])).collect()
    };
    let missing = column.missing_change.map(|change| likelihood(tail_shares(&with_draws(change, 3)), keep_draws));
    let Some(own) = column.distance else { return Tested { missing, ..Tested::default() } };
    let split = Split::observed(circle, column.block);
    let [_, level, beyond] = column.series.distances(column.rules.statistic, &circle.observed(), &split);
    let observed = [Some(own), level, beyond];
    let p: Vec<(usize, Vec<f64>)> = observed
        .into_iter()
        .enumerate()
        .filter_map(|(kept, distance)| Some((kept, tail_shares(&with_draws(distance?, kept)))))
        .collect();
    let mut evidence = [None; 3];
    p.iter().for_each(|(kept, shares)| evidence[*kept] = shares.first().copied());
    let of_itself: Vec<Vec<f64>> = p.iter().filter(|(kept, _)| *kept < 2).map(|(_, shares)| shares.clone()).collect();
    let of_all: Vec<Vec<f64>> = p.into_iter().map(|(_, shares)| shares).collect();
    let of_itself = of_the_least_likely(&of_itself).first().copied().unwrap_or(1.0);
    let mut values = likelihood(of_the_least_likely(&of_all), keep_draws);
    values.p = supported(values.p, of_itself);
    Tested { values: Some(values), missing, evidence }
}

/// Peers may sharpen what a column says, not speak in its place: what looks odd beside others may be that the *others*
/// moved. So their word counts only when the column's own values lean the same way at [`LEANING`]. A p can only rise by
/// this, so that what held of its level still holds.
fn supported(with_peers: f64, of_itself: f64) -> f64 {
    if of_itself <= LEANING { with_peers } else { with_peers.max(of_itself) }
}

/// The level at which a column's own values must speak for a change before its peers are listened to.
const LEANING: f64 = 0.1;

fn likelihood(shares: Vec<f64>, keep_draws: bool) -> Likelihood {
    let p = shares.first().copied().unwrap_or(1.0);
    Likelihood { p, draws: if keep_draws { shares } else { Vec::new() } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_spread_evenly_and_never_repeated() {
        assert_eq!(evenly(5, 9).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(evenly(10, 4).collect::<Vec<_>>(), [0, 2, 5, 7]);
        assert_eq!(evenly(0, 4).count(), 0);
    }

    #[test]
    fn peers_are_heard_only_when_the_column_itself_leans_that_way() {
        assert_eq!(supported(0.001, 0.06), 0.001);
        assert_eq!(supported(0.001, 0.4), 0.4);
        assert_eq!(supported(0.5, 0.4), 0.5);
    }
}
