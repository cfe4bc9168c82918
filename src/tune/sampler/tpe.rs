//! The tree-structured Parzen estimator: points that look more like good trials than like bad ones.
//!
//! Trials are split into a good and a bad set. A [`Mixture`] is laid over each; candidates are drawn from the good one
//! and the candidate with the largest log ratio of the two densities is proposed. Parameters with equal conditions form
//! a group and are modelled jointly, from the trials in which they exist.
//!
//! A pending trial is among the bad ones with half a trial's weight. With all of it (a "constant liar") the neighbourhood
//! of the best point, where most pending trials are, looks worse than it is for as long as trials are pending, which is
//! always; with none of it, proposals made together crowd into one place. How narrow the kernels of the good set should
//! be depends on the objective, which nobody knows: half of the proposals, drawn by lot, take narrower ones, so that some
//! refine the best point while others look around it.
//!
//! # References
//! Bergstra, Bardenet, Bengio and Kegl (2011); Watanabe (2023), both as in [`super::mixture`]; Song, Yu and Ermon
//! (2022), "A general recipe for likelihood-free Bayesian optimization" (weights by improvement); Schonlau, Welch and
//! Jones (1998), "Global versus local search in constrained optimization of computer models" (their power).

use crate::base::RandomStream;

use super::super::space::Axis;
use super::super::trial::TrialState;
use super::history::History;
use super::mixture::{Mixture, Smoothness};
use super::{Request, discrete, startup};

/// What distinguishes one estimator from another.
#[derive(Clone, Copy, Debug)]
struct Profile {
    /// Share of trials that are good.
    good_share: f64,
    /// Draws from the good mixture.
    candidates: usize,
    /// Mass that the choices of a kernel share, in units of 1 / kernels.
    choice_smoothing: f64,
    /// Whether good trials weigh by how much they beat the best bad trial.
    weigh_improvement: bool,
    /// Most kernels in the bad mixture.
    most_bad: usize,
    /// Whether start-up trials form a Latin hypercube.
    latin: bool,
    /// Whether points of a discrete space are tried at most once.
    unique: bool,
    /// Whether failed trials count as bad, so that a region that breaks the objective is left.
    failed_are_bad: bool,
    /// Weight of a pending trial in the bad set, where the newest finished ones have 1.
    pending_weight: f64,
    /// Whether the narrowest kernel of the good set depends on the proposal and on the size of the group.
    varied_widths: bool,
}

const TPE: Profile = Profile {
    good_share: 0.15,
    candidates: 64,
    choice_smoothing: 6.0,
    weigh_improvement: true,
    most_bad: 512,
    latin: true,
    unique: true,
    failed_are_bad: true,
    pending_weight: 0.5,
    varied_widths: true,
};

const OPTUNA5: Profile = Profile {
    good_share: 0.1,
    candidates: 24,
    choice_smoothing: 1.0,
    weigh_improvement: false,
    most_bad: usize::MAX,
    latin: false,
    unique: false,
    failed_are_bad: false,
    pending_weight: 1.0,
    varied_widths: false,
};

/// Most good trials.
const MOST_GOOD: usize = 25;

/// The newest trials of a set keep their full weight.
const NEWEST: usize = 25;

/// Share of proposals with narrower kernels in the good set, and how much narrower those are.
const NARROW_SHARE: f64 = 0.5;
const NARROW: f64 = 0.5;

/// A group of so many parameters has kernels as wide as the reference; a smaller one is filled by narrower ones, since
/// fewer points are needed to cover it.
const WIDE_GROUP: f64 = 6.0;

/// Improvements below this count as this much.
const LEAST_IMPROVEMENT: f64 = 1e-12;

/// Untried points that are scored when the draws found nothing new.
const MOST_SCORED: usize = 2048;

/// The default estimator.
pub(super) fn propose_tpe(request: &Request) -> Option<Vec<f64>> {
    propose(&TPE, request)
}

/// The reference estimator.
pub(super) fn propose_optuna5(request: &Request) -> Option<Vec<f64>> {
    propose(&OPTUNA5, request)
}

fn propose(profile: &Profile, request: &Request) -> Option<Vec<f64>> {
    let mut stream = request.stream();
    let accept = |point: &[f64]| !profile.unique || discrete::is_new(request, point);
    if let Some(point) = startup::uninformed(request, profile.latin, &mut stream) {
        return if accept(&point) { Some(point) } else { discrete::any_new(request, &mut stream) };
    }
    let models = Models::of(profile, request);
    match models.best_draw(request, &mut stream, accept) {
        Some(point) => Some(point),
        None => models.best_untried(request, &mut stream),
    }
}

/// The two mixtures of every group.
struct Models<'a> {
    candidates: usize,
    groups: Vec<(&'a [usize], Mixture, Mixture)>,
}

impl<'a> Models<'a> {
    fn of(profile: &Profile, request: &Request<'a>) -> Self {
        let lot = request.seed.derive("width").index(request.number).stream().uniform();
        let model = |group: &'a Vec<usize>| {
            let sets = Sets::split(profile, request, group);
            let axes: Vec<&Axis> = group.iter().map(|&position| &request.space.axes()[position]).collect();
            let mixture = |set: &Set, narrowing: f64| {
                let smoothness = Smoothness { choices: profile.choice_smoothing, narrowing };
                Mixture::new(&axes, &set.rows, &set.weights, set.prior_weight, smoothness)
            };
            let narrowing = if profile.varied_widths { narrowing(group.len(), lot) } else { 1.0 };
            (group.as_slice(), mixture(&sets.good, narrowing), mixture(&sets.bad, 1.0))
        };
        Self { candidates: profile.candidates, groups: request.space.groups().iter().map(model).collect() }
    }

    /// The best acceptable candidate of every group in turn; `None` when there is none.
    fn best_draw(
        &self,
        request: &Request,
        stream: &mut RandomStream,
        accept: impl Fn(&[f64]) -> bool,
    ) -> Option<Vec<f64>> {
        let mut point = vec![f64::NAN; request.space.dimension()];
        let only = self.groups.len() == 1;
        for (group, good, bad) in &self.groups {
            if !request.space.is_active(group[0], &point) {
                continue;
            }
            let mut candidates: Vec<Vec<f64>> = (0..self.candidates).map(|_| good.draw(stream)).collect();
            if only {
                // the group is the whole point, in the order of `group`
                candidates.retain(|candidate| accept(&placed(&point, group, candidate)));
            }
            let best = best_ratio(good, bad, &candidates)?;
            point = placed(&point, group, &candidates[best]);
        }
        accept(&point).then_some(point)
    }

    /// The untried point with the largest ratio; `None` when all have been tried.
    fn best_untried(&self, request: &Request, stream: &mut RandomStream) -> Option<Vec<f64>> {
        let Some(mut points) = discrete::untried(request) else { return discrete::any_new(request, stream) };
        if points.len() > MOST_SCORED {
            stream.shuffle(&mut points);
            points.truncate(MOST_SCORED);
        }
        let mut ratios = vec![0.0; points.len()];
        for (group, good, bad) in &self.groups {
            let active: Vec<usize> = (0..points.len()).filter(|&row| !points[row][group[0]].is_nan()).collect();
            let rows: Vec<Vec<f64>> = active.iter().map(|&row| taken(&points[row], group)).collect();
            let densities = good.log_densities(&rows).into_iter().zip(bad.log_densities(&rows));
            for (row, (of_good, of_bad)) in active.into_iter().zip(densities) {
                ratios[row] += of_good - of_bad;
            }
        }
        let best = first_largest(&ratios)?;
        points.into_iter().nth(best)
    }
}

/// What the least width of the good set's kernels is multiplied by.
fn narrowing(parameters: usize, lot: f64) -> f64 {
    let for_group = (parameters as f64 / WIDE_GROUP).min(1.0).sqrt();
    if lot < NARROW_SHARE { NARROW * for_group } else { for_group }
}

fn best_ratio(good: &Mixture, bad: &Mixture, candidates: &[Vec<f64>]) -> Option<usize> {
    let densities = good.log_densities(candidates).into_iter().zip(bad.log_densities(candidates));
    first_largest(&densities.map(|(good, bad)| good - bad).collect::<Vec<_>>())
}

fn first_largest(values: &[f64]) -> Option<usize> {
    (0..values.len()).reduce(|best, other| if values[other] > values[best] { other } else { best })
}

fn placed(point: &[f64], group: &[usize], coordinates: &[f64]) -> Vec<f64> {
    let mut placed = point.to_vec();
    for (&position, &coordinate) in group.iter().zip(coordinates) {
        placed[position] = coordinate;
    }
    placed
}

fn taken(point: &[f64], group: &[usize]) -> Vec<f64> {
    group.iter().map(|&position| point[position]).collect()
}

/// Rows of one group with their weights.
struct Set {
    rows: Vec<Vec<f64>>,
    weights: Vec<f64>,
    prior_weight: f64,
}

struct Sets {
    good: Set,
    bad: Set,
}

impl Sets {
    fn split(profile: &Profile, request: &Request, group: &[usize]) -> Self {
        let history = request.history;
        let active = |row: &[f64]| !row[group[0]].is_nan();
        let answered = &history.best_first()[..history.answered()];
        let (best, rest) = answered.split_at(good_count(profile, answered.len()));
        let failed = if profile.failed_are_bad { &history.best_first()[answered.len()..] } else { &[] };
        // marked and collected in the order of numbers: cheaper than sorting the ranked trials back
        let mut sides = vec![None; history.len()];
        best.iter().for_each(|&trial| sides[trial] = Some(true));
        rest.iter().chain(failed).for_each(|&trial| sides[trial] = Some(false));
        let on = |side: bool| {
            (0..sides.len())
                .filter(|&trial| sides[trial] == Some(side) && active(history.row(trial)))
                .collect::<Vec<usize>>()
        };
        let (good, bad) = (on(true), on(false));
        let weights = if profile.weigh_improvement {
            improvements(history, &good, rest.first().copied())
        } else {
            by_age(good.len())
        };
        let prior_weight = if profile.weigh_improvement { mean_or_one(&weights) } else { 1.0 };
        let good =
            Set { rows: good.iter().map(|&trial| taken(history.row(trial), group)).collect(), weights, prior_weight };
        let mut bad_rows: Vec<&[f64]> = bad.iter().map(|&trial| history.row(trial)).collect();
        let finished = bad_rows.len();
        bad_rows.extend(request.pending.iter().map(Vec::as_slice).filter(|row| active(row)));
        let mut weights = by_age(bad_rows.len());
        weights[finished..].iter_mut().for_each(|weight| *weight *= profile.pending_weight);
        let (kept, weights) = thinned(weights, profile.most_bad, request);
        let rows = kept.into_iter().map(|row| taken(bad_rows[row], group)).collect();
        Self { good, bad: Set { rows, weights, prior_weight: 1.0 } }
    }
}

fn good_count(profile: &Profile, answered: usize) -> usize {
    ((profile.good_share * answered as f64).ceil() as usize).min(MOST_GOOD).min(answered)
}

fn mean_or_one(weights: &[f64]) -> f64 {
    if weights.is_empty() { 1.0 } else { weights.iter().sum::<f64>() / weights.len() as f64 }
}

/// How much each good trial beats the best bad one, to the power of 3/2: the generalised expected improvement of Schonlau,
/// Welch and Jones (1998), between the greed of a power of 1 and the reach of a power of 2. Trials that are not complete, or all of them when no bad trial is
/// complete, have nothing to compare with and get the least weight.
fn improvements(history: &History, good: &[usize], best_bad: Option<usize>) -> Vec<f64> {
    let bar = best_bad.map(|trial| history.rank(trial)).filter(|rank| rank.state == TrialState::Complete);
    let improvement = |&trial: &usize| match (history.rank(trial), bar) {
        (rank, Some(bar)) if rank.state == TrialState::Complete => (bar.loss - rank.loss).max(LEAST_IMPROVEMENT),
        _ => LEAST_IMPROVEMENT,
    };
    // a square root has the same bits everywhere, a power has not
    good.iter().map(improvement).map(|improvement| improvement * improvement.sqrt()).collect()
}

/// Weights in the order of numbers: full for the newest, falling linearly to 1/n for the oldest.
fn by_age(count: usize) -> Vec<f64> {
    let old = count.saturating_sub(NEWEST);
    let least = 1.0 / count.max(1) as f64;
    let weight = |place: usize| match old {
        _ if place >= old => 1.0,
        1 => least,
        _ => least + (1.0 - least) * place as f64 / (old - 1) as f64,
    };
    (0..count).map(weight).collect()
}

/// Keeps the newer half of `most` rows and a systematic sample of the older ones that carries their total weight.
fn thinned(weights: Vec<f64>, most: usize, request: &Request) -> (Vec<usize>, Vec<f64>) {
    if weights.len() <= most {
        return ((0..weights.len()).collect(), weights);
    }
    let newest = weights.len() - most / 2;
    let draws = most - most / 2;
    let total: f64 = weights[..newest].iter().sum();
    let each = total / draws as f64;
    let mut mark = each * request.seed.derive("thin").index(request.number).stream().uniform();
    let (mut kept, mut kept_weights, mut sum) = (Vec::with_capacity(most), Vec::with_capacity(most), 0.0);
    for (row, weight) in weights[..newest].iter().enumerate() {
        sum += weight;
        let mut marks = 0.0;
        while mark < sum {
            marks += 1.0;
            mark += each;
        }
        if marks > 0.0 {
            kept.push(row);
            kept_weights.push(marks * each);
        }
    }
    kept.extend(newest..weights.len());
    kept_weights.extend_from_slice(&weights[newest..]);
    (kept, kept_weights)
}

#[cfg(test)]
mod tests {
    use super::super::super::study::Direction;
    use super::super::super::trial::{Evaluation, Proposal, Trial};
    use super::*;
    use crate::base::Seed;

    #[test]
    fn weights_fall_linearly_beyond_the_newest() {
        assert_eq!(by_age(25), vec![1.0; 25]);
        assert_eq!(by_age(26)[..2], [1.0 / 26.0, 1.0]);
        let weights = by_age(30);
        let least = 1.0 / 30.0;
        for (place, weight) in weights.iter().enumerate() {
            // linspace(1/30, 1, 5), then ones
            let expected = if place < 5 { least + (1.0 - least) * place as f64 / 4.0 } else { 1.0 };
            assert!((weight - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn thinning_keeps_the_newest_and_the_total_weight() {
        let space = serde_json::from_str(r#"{"x": {"float": [0, 1]}}"#).unwrap();
        let history = History::new(&space, Direction::Minimize);
        for (count, number) in [(512, 0), (513, 1), (700, 2), (5000, 3)] {
            let seed = Seed::new(3);
            let request =
                Request { space: &space, history: &history, pending: &[], number, seed, startup_trials: 10, levels: 5 };
            let weights = by_age(count);
            let (kept, thin) = thinned(weights.clone(), 512, &request);
            assert!(kept.len() <= 512 && kept.windows(2).all(|pair| pair[0] < pair[1]));
            assert!(kept.ends_with(&(count - 256..count).collect::<Vec<_>>()));
            let (all, left): (f64, f64) = (weights.iter().sum(), thin.iter().sum());
            // the last mark may fall on either side of the end
            assert!((all - left).abs() <= 1.0, "{count}: {all} {left}");
        }
    }

    #[test]
    fn half_of_the_proposals_have_narrower_kernels_and_small_groups_the_narrowest() {
        assert_eq!([narrowing(6, 0.7), narrowing(6, 0.3), narrowing(12, 0.7)], [1.0, 0.5, 1.0]);
        assert!(narrowing(1, 0.7) < narrowing(3, 0.7) && narrowing(3, 0.7) < 1.0);
    }

    #[test]
    fn a_pending_trial_has_half_the_weight_of_a_bad_one() {
        let space = serde_json::from_str(r#"{"x": {"float": [0, 1]}}"#).unwrap();
        let mut history = History::new(&space, Direction::Minimize);
        for number in 0..20 {
            let params = space.decode(&[number as f64 / 20.0]);
            let evaluation = Evaluation::complete(number as f64);
            let proposal = Proposal { number, params, ..Default::default() };
            history.push(&space, &Trial::of(proposal, evaluation));
        }
        let pending = [vec![0.99], vec![0.98]];
        let seed = Seed::new(3);
        let request = Request {
            space: &space,
            history: &history,
            pending: &pending,
            number: 22,
            seed,
            startup_trials: 8,
            levels: 5,
        };
        let weights = |profile| Sets::split(profile, &request, &[0]).bad.weights;
        assert_eq!(weights(&TPE)[17..], [0.5, 0.5]);
        assert_eq!(weights(&OPTUNA5)[18..], [1.0, 1.0]);
    }

    #[test]
    fn the_good_set_grows_with_the_history_up_to_its_cap() {
        let counts = |profile| [0, 1, 7, 10, 100, 1000].map(|answered| good_count(profile, answered));
        assert_eq!(counts(&TPE), [0, 1, 2, 2, 15, 25]);
        assert_eq!(counts(&OPTUNA5), [0, 1, 1, 1, 10, 25]);
    }
}
