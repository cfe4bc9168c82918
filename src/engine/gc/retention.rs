//! Which runs keep their records.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::base::{Days, Timestamp};

/// How many runs are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// So many of each pipeline, the newest.
    pub newest: usize,
    /// And all that are younger than this.
    pub days: Days,
}

/// Why a run keeps its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// It is under way.
    Live,
    /// A person pinned it.
    Pinned,
    /// It promoted a model: the evidence of a decision stays as long as the decision.
    Promoted,
    /// It is one of the newest of its pipeline.
    Newest,
    /// It is young.
    Young,
}

/// What the rule must know of a run.
pub(super) struct RunHead<'a> {
    pub(super) id: &'a str,
    /// `None` for a run that never began.
    pub(super) pipeline: Option<&'a str>,
    pub(super) at: Timestamp,
}

/// Runs that stay whatever their age, by id.
#[derive(Debug, Default)]
pub(super) struct Untouchable {
    pub(super) live: BTreeSet<String>,
    pub(super) pinned: BTreeSet<String>,
    pub(super) promoted: BTreeSet<String>,
}

/// Says for each run, newest first, why it is kept, if it is.
pub(super) fn retain(
    runs: &[RunHead<'_>],
    rule: Retention,
    untouchable: &Untouchable,
    now: Timestamp,
) -> Vec<Option<Because>> {
    let oldest = now.minus(rule.days);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let verdicts = runs.iter().map(|run| {
        let rank = run.pipeline.map(|pipeline| {
            let count = seen.entry(pipeline).or_default();
            *count += 1;
            *count
        });
        let reasons = [
            (untouchable.live.contains(run.id), Because::Live),
            (untouchable.pinned.contains(run.id), Because::Pinned),
            (untouchable.promoted.contains(run.id), Because::Promoted),
            (rank.is_some_and(|rank| rank <= rule.newest), Because::Newest),
            (run.at > oldest, Because::Young),
        ];
        reasons.into_iter().find(|(holds, _)| *holds).map(|(_, because)| because)
    });
    verdicts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn verdicts(runs: &[(&str, Option<&str>, &str)], newest: usize, days: i64) -> Vec<Option<Because>> {
        let heads: Vec<_> =
            runs.iter().map(|(id, pipeline, at)| RunHead { id, pipeline: *pipeline, at: day(at) }).collect();
        let named = |id: &str| [id.to_owned()].into();
        let untouchable = Untouchable { live: named("live"), pinned: named("pinned"), promoted: named("promoted") };
        retain(&heads, Retention { newest, days: Days(days) }, &untouchable, day("2026-06-01"))
    }

    #[test]
    fn the_newest_of_each_pipeline_and_all_young_ones_are_kept() {
        let runs = [
            ("5", Some("a"), "2026-05-31"),
            ("4", Some("a"), "2026-05-03"),
            ("3", Some("b"), "2026-03-01"),
            ("2", Some("a"), "2026-02-01"),
            ("1", Some("b"), "2026-01-01"),
        ];
        let (newest, young) = (Some(Because::Newest), Some(Because::Young));
        assert_eq!(verdicts(&runs, 1, 30), [newest, young, newest, None, None]);
        assert_eq!(verdicts(&runs, 0, 0), [None; 5]);
        assert_eq!(verdicts(&runs, 2, 0), [newest, newest, newest, None, newest]);
    }

    #[test]
    fn a_run_that_is_live_pinned_or_promoted_a_model_is_kept_at_any_age() {
        let runs = ["live", "pinned", "promoted", "none"].map(|id| (id, Some("a"), "2020-01-01"));
        let expected = [Some(Because::Live), Some(Because::Pinned), Some(Because::Promoted), None];
        assert_eq!(verdicts(&runs, 0, 0), expected);
    }

    #[test]
    fn a_run_that_never_began_is_kept_by_age_alone() {
        let runs = [("2", None, "2026-05-31"), ("1", None, "2026-01-01")];
        assert_eq!(verdicts(&runs, 10, 30), [Some(Because::Young), None]);
    }
}
