//! The deployment gate: whether a candidate replaces the champion, and the one sentence that says why.
//!
//! [`decide`] is a pure function of recorded numbers, so that every past decision can be recomputed. It answers in this
//! order: is the comparison possible at all (else `invalid`), is there anything to decide (else `duplicate`), has the
//! champion had its time (else `kept`), do the guardrails hold on these rows (else `kept`), is the candidate better by the
//! rule (else `kept` or `inconclusive`), and does a person have to agree (else `promoted`).
//!
//! The paired test and the guardrails pay for overlapping rows: errors are those of per-stamp influences (see
//! [`crate::metric::compare`]). Calibration is judged by dependence-aware tests of the residuals instead of a limit on
//! the calibration error, which grows with the number of bins and shrinks with the number of rows.
//!
//! *Not guaranteed*: a holdout that was used before is optimistic. Uses are counted; only where they are limited does the
//! level pay for them.

mod calibration;
mod decide;
mod guardrails;
mod input;
mod outcome;
mod policy;
mod preconditions;
mod rule;
#[cfg(test)]
mod tests;

pub use decide::decide;
pub use input::{GateInput, PairedReturns, TradingNumbers};
pub(super) use outcome::check;
pub use outcome::{Check, GateDecision, GateOutcome};
pub use policy::{Approval, GatePolicy, GateRule, Guardrails, HARD_MIN_ROWS, policy_defect};
