//! An evaluation for people.

use std::fmt::Write as _;

use super::uplift::Side;
use super::{Evaluation, Expectancy};
use crate::metric::classification::{ClassificationReport, SCORES};
use crate::stats::bootstrap::Interval;

/// A number in three decimals.
pub(super) fn number(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
}

/// A number with its interval.
pub(super) fn with_range(value: Option<f64>, range: Option<Interval>) -> String {
    match range {
        Some(range) => format!("{} [{:.3}, {:.3}]", number(value), range.low, range.high),
        None => number(value),
    }
}

/// The result in one line.
pub(in crate::node) fn summary(evaluation: &Evaluation) -> String {
    let auc = |report: &ClassificationReport| {
        with_range(report.roc_auc, report.intervals.as_ref().and_then(|intervals| intervals.roc_auc))
    };
    let against = match &evaluation.champion {
        Some(champion) => format!(" against the champion's {}", auc(champion)),
        None => String::new(),
    };
    format!(
        "AUC {}{against} on {} unseen rows; Sharpe {} with the model, {} without",
        auc(&evaluation.candidate),
        evaluation.rows,
        number(evaluation.uplift.sharpe_with_model()),
        number(evaluation.uplift.sharpe())
    )
}

/// The whole evaluation as Markdown.
pub(super) fn markdown(evaluation: &Evaluation) -> String {
    let mut text = format!("# Evaluation\n\n{}.\n\n", span_of(evaluation));
    text.push_str(
        "Unseen by the models, that is. Where the strategy's parameters were searched on these sessions, outcomes and \
         backtest flatter the strategy; the columns can be compared with each other all the same.\n\n",
    );
    classification(&mut text, evaluation);
    comparison(&mut text, evaluation);
    expectancy(&mut text, evaluation);
    backtest(&mut text, evaluation);
    for doubt in doubts(evaluation) {
        let _ = writeln!(text, "**{doubt}**\n");
    }
    text
}

/// Which rows were judged.
pub(super) fn span_of(evaluation: &Evaluation) -> String {
    let day = |time: Option<crate::base::Timestamp>| time.map_or("-".to_owned(), |time| time.date());
    let left_out = match evaluation.left_out {
        0 => String::new(),
        rows => format!("; {rows} rows left out because another model may have seen them, or cannot score them"),
    };
    format!(
        "{} rows from {} to {}, each predicted by a model that had not seen it{left_out}",
        evaluation.rows,
        day(evaluation.from),
        day(evaluation.to),
    )
}

/// What should keep a reader from believing the figures.
pub(super) fn doubts(evaluation: &Evaluation) -> Vec<String> {
    evaluation.lints.iter().map(|lint| format!("Suspicious: {lint}")).collect()
}

fn classification(text: &mut String, evaluation: &Evaluation) {
    let mut columns = vec![("candidate", &evaluation.candidate_figures)];
    columns.extend(evaluation.champion_figures.as_ref().map(|figures| ("champion", figures)));
    columns.extend(evaluation.others.iter().map(|other| (other.name.as_str(), &other.figures)));
    let heads: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let _ = writeln!(text, "## Scores\n\n| score | {} |\n|---|{}", heads.join(" | "), "---|".repeat(columns.len()));
    for (at, row) in SCORES.iter().enumerate() {
        let cells: Vec<String> = columns
            .iter()
            .filter_map(|(_, figures)| figures.get(at))
            .map(|it| with_range(it.value, it.interval))
            .collect();
        let _ = writeln!(text, "| `{}` | {} |", row.name, cells.join(" | "));
    }
    for figure in evaluation.candidate_figures.iter().filter(|figure| figure.value.is_none()) {
        let _ =
            writeln!(text, "\n`{}` is undefined: {}.", figure.name, figure.reason.as_deref().unwrap_or("no reason"));
    }
    let level = evaluation.candidate.intervals.as_ref().and_then(|i| i.roc_auc).map_or(0.0, |range| range.level);
    let _ = writeln!(
        text,
        "\nIntervals: stationary block bootstrap, level {:.0} %. Threshold {}.\n",
        level * 100.0,
        evaluation.threshold
    );
}

fn comparison(text: &mut String, evaluation: &Evaluation) {
    if evaluation.comparison.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "## Candidate against champion\n\n| improvement of | estimate | 90 % interval | p | detectable |\n|---|---|---|---|---|"
    );
    for (metric, test) in &evaluation.comparison {
        let _ = writeln!(
            text,
            "| {metric} | {:.4} | [{}, {}] | {} | {} |",
            test.delta,
            number(test.low),
            number(test.high),
            number(test.p_greater),
            number(test.minimum_detectable)
        );
    }
    text.push_str("\nPaired tests on the same rows with dependence-robust errors; positive means that the candidate is better. Detectable is the improvement that these rows would find four times out of five.\n\n");
}

fn expectancy(text: &mut String, evaluation: &Evaluation) {
    let _ = writeln!(text, "## Outcome of the signals\n\n| signals | count | mean R |\n|---|---|---|");
    let names = [
        ("all", "all"),
        ("executed", "traded by the portfolio"),
        ("kept_by_candidate", "kept by the candidate"),
        ("kept_by_champion", "kept by the champion"),
    ];
    for (key, name) in names {
        if let Some(Expectancy { signals, mean_r, interval }) = evaluation.expectancy.get(key) {
            let _ = writeln!(text, "| {name} | {signals} | {} |", with_range(*mean_r, *interval));
        }
    }
    let executed = &evaluation.executed;
    let _ = writeln!(
        text,
        "\nThe candidate's AUC on the {} signals that the portfolio traded: {}.\n",
        executed.rows,
        number(executed.roc_auc)
    );
}

fn backtest(text: &mut String, evaluation: &Evaluation) {
    let uplift = &evaluation.uplift;
    let _ = writeln!(
        text,
        "## Backtest, {} to {}\n\n| | without the model | with the model |\n|---|---|---|",
        uplift.from.date(),
        uplift.to.date()
    );
    type Pick = fn(&Side) -> String;
    let rows: [(&str, Pick); 7] = [
        ("trades", |s| s.trades.trades.to_string()),
        ("total return", |s| number(s.returns.total_return)),
        ("CAGR", |s| number(s.returns.cagr)),
        ("Sharpe", |s| number(s.returns.sharpe)),
        ("maximum drawdown", |s| number(s.returns.drawdown.as_ref().map(|drawdown| drawdown.max_drawdown))),
        ("win rate", |s| number(s.trades.win_rate)),
        ("expectancy in R", |s| number(s.trades.expectancy_r)),
    ];
    for (name, pick) in rows {
        let with = uplift.with_model.as_ref().map_or("-".to_owned(), pick);
        let _ = writeln!(text, "| {name} | {} | {with} |", pick(&uplift.without_model));
    }
    let difference = with_range(uplift.sharpe_difference, uplift.sharpe_difference_interval);
    let _ = writeln!(text, "\nSharpe with the model less without: {difference}, both sides resampled together.\n");
    if let Some(reason) = &uplift.refused {
        let _ = writeln!(text, "The backtest with the model was not possible: {reason}.\n");
    }
}
