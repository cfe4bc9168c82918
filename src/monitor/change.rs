//! What changed: states over time, and the moments when one became another.
//!
//! A drift that lasts is one thing, not one a week: an alert belongs to the moment when a verdict *becomes* another and has
//! stayed so for as many runs as are asked for. `inconclusive` neither starts nor ends an episode: to see nothing is no
//! change of what is there.

use serde::Serialize;

use super::history::{HistoryRow, SeriesKey, by_series};
use crate::base::Timestamp;

/// A verdict that says nothing about the state.
const BLIND: &str = "inconclusive";

/// How one series stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// What it is about.
    pub series: SeriesKey,
    /// The last verdict.
    pub verdict: String,
    /// The last verdict that was not blind; the state.
    pub state: String,
    /// As of when the state began.
    pub since: Timestamp,
    /// Runs that the state has lasted, blind ones left out, looks at the same data window counted once.
    pub runs: usize,
    /// How often the state was entered, this time included.
    pub episodes: usize,
    /// The state before; none for the first.
    pub before: Option<String>,
    /// The last number.
    pub value: Option<f64>,
    /// Data window of the last row.
    pub as_of: Timestamp,
    /// Run of the last row.
    pub run: String,
}

/// How every series with verdicts stands; rows are in the order of [`super::sort_history`].
pub fn standings(rows: &[HistoryRow]) -> Vec<Standing> {
    by_series(rows).into_iter().filter_map(|(key, rows)| standing(key, &rows)).collect()
}

/// One state of a series: its word, when it began, how long it lasted.
struct Episode<'a> {
    state: &'a str,
    since: Timestamp,
    runs: usize,
    last: Timestamp,
}

fn standing(series: SeriesKey, rows: &[&HistoryRow]) -> Option<Standing> {
    let judged: Vec<(&HistoryRow, &str)> =
        rows.iter().filter_map(|row| Some((*row, row.observation.verdict.as_deref()?))).collect();
    let (last, verdict) = judged.last()?;
    let mut episodes: Vec<Episode<'_>> = Vec::new();
    for (row, word) in &judged {
        match episodes.last_mut() {
            _ if *word == BLIND && judged.iter().any(|(_, word)| *word != BLIND) => {}
            Some(episode) if episode.state == *word => {
                // the same window looked at once more is no more evidence
                episode.runs += usize::from(row.as_of != episode.last);
                episode.last = row.as_of;
            }
            _ => episodes.push(Episode { state: word, since: row.as_of, runs: 1, last: row.as_of }),
        }
    }
    let current = episodes.last()?;
    let before = episodes.len().checked_sub(2).and_then(|at| episodes.get(at));
    Some(Standing {
        verdict: (*verdict).to_owned(),
        state: current.state.to_owned(),
        since: current.since,
        runs: current.runs,
        episodes: episodes.iter().filter(|episode| episode.state == current.state).count(),
        before: before.map(|episode| episode.state.to_owned()),
        value: last.observation.value,
        as_of: last.as_of,
        run: last.run.clone(),
        series,
    })
}

/// The standings that a run has just brought to their `after`-th run in a row: those that changed with it, for `after` 1.
/// A first state is a change only if it is not the calm one, `ok`.
pub fn changed_by<'a>(standings: &'a [Standing], run: &'a str, after: usize) -> impl Iterator<Item = &'a Standing> {
    let is_blind = |standing: &Standing| standing.verdict == BLIND && standing.state != BLIND;
    standings.iter().filter(move |standing| {
        standing.run == run
            && !is_blind(standing)
            && standing.runs == after.max(1)
            && (standing.before.is_some() || !matches!(standing.state.as_str(), "ok" | BLIND))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Days, MICROS_PER_DAY};
    use crate::monitor::{Observation, sort_history};

    /// One row a week with these verdicts; `=` looks at the same window once more.
    fn weekly(words: &[&str]) -> Vec<HistoryRow> {
        let mut week = 0;
        let mut rows: Vec<HistoryRow> = words
            .iter()
            .enumerate()
            .map(|(index, word)| {
                let (again, word) = match word.strip_prefix('=') {
                    Some(word) => (true, word),
                    None => (false, *word),
                };
                week += i64::from(!again);
                HistoryRow {
                    run: format!("run{index}"),
                    pipeline: "weekly".into(),
                    as_of: Timestamp::from_micros(week * 7 * MICROS_PER_DAY),
                    at: Timestamp::from_micros(index as i64),
                    node: "drift".into(),
                    kind: "drift-check".into(),
                    reused: again,
                    observation: Observation::drift("rsi", "ks", Some(0.2)).judged(word),
                }
            })
            .collect();
        sort_history(&mut rows);
        rows
    }

    fn last(words: &[&str]) -> Standing {
        standings(&weekly(words)).remove(0)
    }

    #[test]
    fn a_state_lasts_until_another_and_blind_runs_do_not_end_it() {
        let now = last(&["ok", "drift", "inconclusive", "drift", "drift"]);
        assert_eq!((now.state.as_str(), now.runs, now.episodes, now.before.as_deref()), ("drift", 3, 1, Some("ok")));
        assert_eq!(now.since, Timestamp::from_micros(14 * MICROS_PER_DAY));
        let blind = last(&["ok", "drift", "inconclusive"]);
        assert_eq!((blind.state.as_str(), blind.verdict.as_str()), ("drift", "inconclusive"));
        let again = last(&["drift", "ok", "drift"]);
        assert_eq!((again.episodes, again.runs), (2, 1));
    }

    #[test]
    fn the_same_window_looked_at_twice_is_one_run() {
        assert_eq!(last(&["ok", "drift", "=drift", "=drift"]).runs, 1);
    }

    #[test]
    fn a_change_is_told_once_and_only_when_it_has_lasted() {
        let told = |words: &[&str], after: usize| {
            let standings = standings(&weekly(words));
            let run = format!("run{}", words.len() - 1);
            changed_by(&standings, &run, after).count()
        };
        assert_eq!(told(&["ok", "drift"], 1), 1);
        assert_eq!(told(&["ok", "drift", "drift"], 1), 0, "it was told a week ago");
        assert_eq!(told(&["ok", "drift"], 2), 0, "it has to last two runs");
        assert_eq!(told(&["ok", "drift", "drift"], 2), 1);
        assert_eq!(told(&["drift", "ok"], 1), 1, "the end of it is told too");
        assert_eq!(told(&["ok"], 1), 0, "calm from the start is no change");
        assert_eq!(told(&["drift"], 1), 1);
        assert_eq!(told(&["ok", "drift", "inconclusive"], 1), 0);
        assert_eq!(Days(7).0 * MICROS_PER_DAY, weekly(&["ok"])[0].as_of.micros());
    }
}
