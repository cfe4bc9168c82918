//! Conditions on the candidate alone, on the rows of the comparison.

use super::calibration::calibration_check;
use super::input::{GateInput, TradingNumbers};
use super::outcome::{Check, check, plain, signed};
use super::policy::{GatePolicy, Guardrails};
use crate::metric::compare::{HacEstimate, auc_influence, brier_row, cluster_by_time, log_loss_row};
use crate::registry::search::search_checks;
use crate::stats::sum::{mean, sum};

/// The AUC of the candidate with its error.
pub(super) fn candidate_auc(input: &GateInput) -> Option<HacEstimate> {
    let (auc, influence) = auc_influence(&input.labels, &input.candidate).ok()?;
    Some(HacEstimate::by_cosines(auc, &cluster_by_time(&input.time, &influence)))
}

/// Every condition that is switched on, on these rows.
pub(super) fn guardrail_checks(input: &GateInput, policy: &GatePolicy, auc: &HacEstimate, first: bool) -> Vec<Check> {
    let guardrails = &policy.guardrails;
    let mut checks = Vec::new();
    checks.extend(
        guardrails.min_auc.map(|bound| skill_check(auc, bound, first.then_some(guardrails.first_deploy_alpha))),
    );
    checks.extend(score_checks(input, guardrails));
    checks.extend(confusion_checks(input, guardrails));
    checks.extend(
        guardrails.max_calibration_gap.and_then(|gap| calibration_check(input, gap, guardrails.calibration_alpha)),
    );
    checks.extend(guardrails.min_coverage.map(|share| coverage_check(input, share, guardrails.threshold)));
    if guardrails.expectancy_not_worse && !input.r.is_empty() {
        checks.push(expectancy_check(input, guardrails.threshold));
    }
    let trading_matters = guardrails.max_sharpe_drop.is_some()
        || guardrails.max_drawdown_rise.is_some()
        || guardrails.min_trades.is_some();
    match &input.trading {
        Some(trading) => checks.extend(trading_checks(trading, guardrails)),
        // a backtest that could not be made is no reason to look away
        None if trading_matters => {
            let detail = "there is no backtest with the candidate to hold against the one without".to_owned();
            checks.push(check("backtest", false, None, None, detail));
        }
        None => {}
    }
    checks.extend(search_checks(input.search.as_ref(), guardrails));
    checks
}

fn skill_check(auc: &HacEstimate, bound: f64, alpha: Option<f64>) -> Check {
    match alpha {
        None => {
            let detail = format!("AUC {:.3} must exceed {bound}", auc.value);
            check("min_auc", auc.value > bound, Some(auc.value), Some(bound), detail)
        }
        Some(alpha) => {
            let lower = auc.lower_bound(alpha);
            let (shown, value) = (plain(lower), auc.value);
            let detail = format!("lower bound {shown} of AUC {value:.3} (se {:.3}) must exceed {bound}", auc.se);
            check("min_auc", lower.is_some_and(|lower| lower > bound), lower, Some(bound), detail)
        }
    }
}

fn score_checks(input: &GateInput, guardrails: &Guardrails) -> Vec<Check> {
    let rows = input.labels.len() as f64;
    let base = input.labels.iter().filter(|&&label| label).count() as f64 / rows;
    let average = |loss: fn(bool, f64) -> f64, p: &dyn Fn(usize) -> f64| {
        sum(input.labels.iter().enumerate().map(|(row, &label)| loss(label, p(row)))) / rows
    };
    let ratio = |loss: fn(bool, f64) -> f64| average(loss, &|row| input.candidate[row]) / average(loss, &|_| base);
    let mut checks = Vec::new();
    if let Some(bound) = guardrails.max_log_loss_ratio {
        let value = ratio(log_loss_row);
        let detail = format!("log loss over that of the base rate {value:.3} must be below {bound}");
        checks.push(check("max_log_loss_ratio", value < bound, Some(value), Some(bound), detail));
    }
    if let Some(bound) = guardrails.min_brier_skill {
        let value = 1.0 - ratio(brier_row);
        let detail = format!("Brier skill {value:.3} must exceed {bound}");
        checks.push(check("min_brier_skill", value > bound, Some(value), Some(bound), detail));
    }
    checks
}

fn confusion_checks(input: &GateInput, guardrails: &Guardrails) -> Vec<Check> {
    let mut cells = [[0.0_f64; 2]; 2];
    for (&label, &p) in input.labels.iter().zip(&input.candidate) {
        cells[usize::from(label)][usize::from(p >= guardrails.threshold)] += 1.0;
    }
    let [[tn, fp], [missed, tp]] = cells;
    let threshold = guardrails.threshold;
    let mut checks = Vec::new();
    if let Some(bound) = guardrails.min_mcc {
        let scale = ((tp + fp) * (tp + missed) * (tn + fp) * (tn + missed)).sqrt();
        let mcc = (scale > 0.0).then(|| (tp * tn - fp * missed) / scale);
        let detail = match mcc {
            Some(mcc) => format!("MCC {mcc:.3} at threshold {threshold} must exceed {bound}"),
            None => format!("MCC is undefined: every row is on one side of threshold {threshold}"),
        };
        checks.push(check("min_mcc", mcc.is_some_and(|mcc| mcc > bound), mcc, Some(bound), detail));
    }
    if let Some(bound) = guardrails.min_f1 {
        let f1 = (tp + fp + missed > 0.0).then(|| 2.0 * tp / (2.0 * tp + fp + missed));
        let trivial = 2.0 * (tp + missed) / (2.0 * (tp + missed) + tn + fp);
        let detail = format!("F1 {} must reach {bound} (always yes has {trivial:.3})", plain(f1));
        checks.push(check("min_f1", f1.is_some_and(|f1| f1 >= bound), f1, Some(bound), detail));
    }
    checks
}

fn coverage_check(input: &GateInput, share: f64, threshold: f64) -> Check {
    let kept = input.candidate.iter().filter(|&&p| p >= threshold).count() as f64 / input.candidate.len().max(1) as f64;
    let detail = format!("the candidate keeps {:.1} % of the rows and must keep {:.1} %", 100.0 * kept, 100.0 * share);
    check("min_coverage", kept >= share, Some(kept), Some(share), detail)
}

fn expectancy_check(input: &GateInput, threshold: f64) -> Check {
    let known = || input.r.iter().zip(&input.candidate).filter(|(r, _)| !r.is_nan());
    let all: Vec<f64> = known().map(|(&r, _)| r).collect();
    let kept: Vec<f64> = known().filter(|(_, p)| **p >= threshold).map(|(&r, _)| r).collect();
    let (all, kept_mean) = (mean(&all), mean(&kept));
    let detail = format!(
        "expectancy {} R of the {} kept rows must not be below {} R of all rows",
        signed(kept_mean),
        kept.len(),
        signed(all)
    );
    let passed = kept_mean.zip(all).is_some_and(|(kept, all)| kept >= all);
    check("expectancy_not_worse", passed, kept_mean, all, detail)
}

fn trading_checks(trading: &TradingNumbers, guardrails: &Guardrails) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(drop) = guardrails.max_sharpe_drop {
        let bound = trading.unfiltered_sharpe.map(|sharpe| sharpe - drop);
        let detail = format!("filtered Sharpe {} must reach {}", plain(trading.filtered_sharpe), plain(bound));
        let passed = trading.filtered_sharpe.zip(bound).is_some_and(|(sharpe, bound)| sharpe >= bound);
        checks.push(check("max_sharpe_drop", passed, trading.filtered_sharpe, bound, detail));
    }
    if let Some(rise) = guardrails.max_drawdown_rise {
        let bound = trading.unfiltered_drawdown.map(|drawdown| drawdown + rise);
        let detail = format!("filtered drawdown {} must not exceed {}", plain(trading.filtered_drawdown), plain(bound));
        let passed = trading.filtered_drawdown.zip(bound).is_some_and(|(drawdown, bound)| drawdown <= bound);
        checks.push(check("max_drawdown_rise", passed, trading.filtered_drawdown, bound, detail));
    }
    if let Some(needed) = guardrails.min_trades {
        let found = trading.filtered_trades;
        let detail =
            format!("{} filtered trades, needs >= {needed}", found.map_or("unknown".to_owned(), |n| n.to_string()));
        let passed = found.is_some_and(|found| found >= needed);
        checks.push(check("min_trades", passed, found.map(|n| n as f64), Some(needed as f64), detail));
    }
    checks
}
