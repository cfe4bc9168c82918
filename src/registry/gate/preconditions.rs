//! What must hold before anything can be compared.

use super::input::GateInput;
use super::outcome::{Check, check};
use super::policy::{GatePolicy, HARD_MIN_ROWS};
use crate::metric::compare::HacEstimate;

/// What is wrong with the rows, if anything.
pub(super) fn input_defect(input: &GateInput) -> Option<String> {
    let rows = input.labels.len();
    let champion = input.champion.as_deref();
    let mut lengths = vec![("time", input.time.len()), ("candidate", input.candidate.len())];
    lengths.extend(champion.map(|scores| ("champion", scores.len())));
    if !input.r.is_empty() {
        lengths.push(("r", input.r.len()));
    }
    if let Some((name, found)) = lengths.into_iter().find(|(_, found)| *found != rows) {
        return Some(format!("expected the same {rows} rows for all, found {found} in `{name}`"));
    }
    if let Some(row) = input.time.windows(2).position(|pair| pair[1] < pair[0]) {
        return Some(format!("expected rows in time order, found row {} before its predecessor", row + 1));
    }
    for (name, scores) in [("candidate", Some(input.candidate.as_slice())), ("champion", champion)] {
        let impossible = |p: &f64| !(0.0..=1.0).contains(p);
        if let Some(row) = scores.unwrap_or(&[]).iter().position(impossible) {
            return Some(format!("expected a probability in [0, 1] in `{name}`, found none in row {row}"));
        }
    }
    let infinite = input.r.iter().position(|r| r.is_infinite());
    infinite.map(|row| format!("expected a finite R multiple, found an infinite one in row {row}"))
}

/// Whether there are rows enough, and whether they are still unseen.
pub(super) fn size_checks(input: &GateInput, policy: &GatePolicy) -> Vec<Check> {
    let rows = input.labels.len();
    let positives = input.labels.iter().filter(|&&label| label).count();
    let fewest = positives.min(rows - positives);
    let at_least = |name: &str, found: usize, needed: usize, what: &str| {
        let detail = format!("{found} {what}, needs >= {needed}");
        check(name, found >= needed, Some(found as f64), Some(needed as f64), detail)
    };
    let mut checks = vec![
        at_least("min_rows", rows, policy.min_rows.max(HARD_MIN_ROWS), "rows with known outcome"),
        at_least("min_per_class", fewest, policy.min_per_class.max(1), "rows of the rarer class"),
    ];
    if let Some(most) = policy.max_holdout_uses {
        let uses = input.holdout_uses;
        let detail = format!("the holdout was used {uses} times, at most {most} allowed");
        checks.push(check("holdout_uses", uses <= most, Some(f64::from(uses)), Some(f64::from(most)), detail));
    }
    checks
}

/// Whether the time stamps are worth enough independent ones.
pub(super) fn effective_check(estimate: &HacEstimate, policy: &GatePolicy) -> Check {
    let (effective, needed) = (estimate.effective_n(), policy.min_effective);
    let detail = format!("{} time stamps are worth {effective:.1} independent ones, needs >= {needed}", estimate.n);
    check("min_effective", effective >= needed, Some(effective), Some(needed), detail)
}
