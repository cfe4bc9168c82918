//! `leaderboard`: the evaluations of a sweep side by side, best first.
//!
//! It ranks; it does not judge. The best of many is partly luck: how many were compared, and which of them the best
//! cannot be told from, stands beside it.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::model_artifact::json_artifact;
use super::{
    Behaviour, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort, ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar};

/// Ranks the evaluations of several instances.
pub struct Leaderboard;

/// What evaluations are ranked by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RankBy {
    /// Area under the ROC curve; higher is better.
    #[default]
    Auc,
    /// Average precision; higher is better.
    AveragePrecision,
    /// Log loss; lower is better.
    LogLoss,
    /// Brier score; lower is better.
    Brier,
    /// Mean R of the signals that the model keeps; higher is better.
    ExpectancyR,
    /// Sharpe ratio of the backtest with the model; higher is better.
    SharpeWithModel,
}

/// A figure of an evaluation, with its interval where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Figure {
    value: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

/// Every column of the table: its name, what it is ranked by, and where in an evaluation it and its interval stand.
const COLUMNS: [(&str, RankBy, &str, &str); 6] = [
    ("AUC", RankBy::Auc, "/candidate/roc_auc", "/candidate/intervals/roc_auc"),
    (
        "average precision",
        RankBy::AveragePrecision,
        "/candidate/average_precision",
        "/candidate/intervals/average_precision",
    ),
    ("log loss", RankBy::LogLoss, "/candidate/log_loss", "/candidate/intervals/log_loss"),
    ("Brier", RankBy::Brier, "/candidate/brier", "/candidate/intervals/brier"),
    (
        "mean R kept",
        RankBy::ExpectancyR,
        "/expectancy/kept_by_candidate/mean_r",
        "/expectancy/kept_by_candidate/interval",
    ),
    ("Sharpe with model", RankBy::SharpeWithModel, "/uplift/with_model/returns/sharpe", ""),
];

impl RankBy {
    const fn lower_is_better(self) -> bool {
        matches!(self, Self::LogLoss | Self::Brier)
    }

    fn name(self) -> &'static str {
        COLUMNS.iter().find(|column| column.1 == self).map_or("", |column| column.0)
    }
}

fn figure(evaluation: &Value, value: &str, interval: &str) -> Figure {
    let number = |place: &str| evaluation.pointer(place).and_then(Value::as_f64);
    let end = |end: &str| if interval.is_empty() { None } else { number(&format!("{interval}/{end}")) };
    Figure { value: number(value), low: end("low"), high: end("high") }
}

/// Settings of `leaderboard`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaderboardConfig {
    /// What the evaluations are ranked by.
    #[serde(default)]
    rank_by: RankBy,
}

/// An evaluation in the table; without figures where its instance has no result.
#[derive(Clone, Debug, Serialize)]
struct Row {
    instance: String,
    rows: Option<u64>,
    figures: Vec<Figure>,
    /// Whether its interval overlaps that of the first.
    like_the_first: bool,
}

impl Row {
    fn by(&self, rank_by: RankBy) -> Option<Figure> {
        let at = COLUMNS.iter().position(|column| column.1 == rank_by)?;
        self.figures.get(at).copied()
    }
}

impl Kind for Leaderboard {
    type Config = LeaderboardConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "leaderboard",
        version: 1,
        doc: "Ranks the evaluations of several instances, and says which the best cannot be told from.",
        inputs: &[InputPort {
            many: true,
            name: "evaluations",
            types: &[ArtifactType::Evaluation],
            required: true,
            doc: "evaluations on the same rows, as `evaluate[*].evaluation`",
        }],
        outputs: &[
            OutputPort {
                name: "table",
                kind: ArtifactType::Leaderboard,
                doc: "every figure of every instance, ranked",
            },
            OutputPort { name: "report", kind: ArtifactType::Report, doc: "the table in Markdown" },
        ],
        values: &[
            ValuePort { name: "best", kind: ValueType::Text, doc: "the instance that comes first" },
            ValuePort { name: "value", kind: ValueType::Number, doc: "its figure" },
            ValuePort { name: "compared", kind: ValueType::Number, doc: "instances that have a figure" },
            ValuePort {
                name: "like_the_best",
                kind: ValueType::Number,
                doc: "instances whose interval overlaps that of the best, the best included",
            },
            ValuePort { name: "same_rows", kind: ValueType::Bool, doc: "whether all were judged on equally many rows" },
            ValuePort { name: "missing", kind: ValueType::Number, doc: "instances without a result" },
        ],
        behaviour: Behaviour::PURE,
    };

    fn run(config: &LeaderboardConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let mut rows = Vec::new();
        for (instance, evaluation) in context.many.get("evaluations").into_iter().flatten() {
            let evaluation = evaluation.as_ref().map(super::InputArtifact::json).transpose()?;
            rows.push(row(instance, evaluation.as_ref()));
        }
        rank(&mut rows, config.rank_by);
        let compared = rows.iter().filter(|row| row.by(config.rank_by).is_some_and(|f| f.value.is_some())).count();
        let like = rows.iter().filter(|row| row.like_the_first).count();
        let missing = rows.iter().filter(|row| row.figures.is_empty()).count();
        let best = rows.first().filter(|_| compared > 0);
        let value = best.and_then(|row| row.by(config.rank_by)).and_then(|figure| figure.value);
        let columns: Vec<&str> = COLUMNS.iter().map(|column| column.0).collect();
        let table = json!({"version": 1, "rank_by": config.rank_by, "columns": columns, "rows": rows});
        let name = config.rank_by.name();
        let summary = match best {
            None => format!("none of {} instances has a {name}", rows.len()),
            Some(row) => {
                let value = value.unwrap_or(f64::NAN);
                let others =
                    if like > 1 { format!("; {} more cannot be told from it", like - 1) } else { String::new() };
                let rows = if same_rows(&rows) { "" } else { "; not all on the same rows" };
                format!("best of {compared} by {name}: {} with {value:.3}{others}{rows}", row.instance)
            }
        };
        Ok(NodeOutput {
            outputs: [
                ("table", json_artifact(ArtifactType::Leaderboard, &table)?),
                ("report", Artifact::file(ArtifactType::Report, markdown(&rows, config.rank_by, &summary))),
            ]
            .into(),
            values: [
                ("best", best.map_or(Scalar::Null, |row| Scalar::text(row.instance.clone()))),
                ("value", Scalar::number(value)),
                ("compared", Scalar::count(compared)),
                ("like_the_best", Scalar::count(like)),
                ("same_rows", Scalar::Bool(same_rows(&rows))),
                ("missing", Scalar::count(missing)),
            ]
            .into(),
            summary,
        })
    }
}

fn row(instance: &str, evaluation: Option<&Value>) -> Row {
    let figures = |found: &Value| COLUMNS.iter().map(|column| figure(found, column.2, column.3)).collect();
    Row {
        instance: instance.to_owned(),
        rows: evaluation.and_then(|found| found["rows"].as_u64()),
        figures: evaluation.map(figures).unwrap_or_default(),
        like_the_first: false,
    }
}

/// Sorts best first, what has no figure last; equals keep their order.
fn rank(rows: &mut [Row], rank_by: RankBy) {
    let key = |row: &Row| row.by(rank_by).and_then(|figure| figure.value);
    rows.sort_by(|a, b| match (key(a), key(b)) {
        (Some(a), Some(b)) if rank_by.lower_is_better() => a.total_cmp(&b),
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    let Some(first) = rows.first().and_then(|row| row.by(rank_by)).filter(|figure| figure.value.is_some()) else {
        return;
    };
    for (at, row) in rows.iter_mut().enumerate() {
        let overlaps = match (row.by(rank_by), first.low, first.high) {
            (Some(Figure { low: Some(low), high: Some(high), .. }), Some(first_low), Some(first_high)) => {
                low <= first_high && first_low <= high
            }
            _ => false,
        };
        row.like_the_first = at == 0 || overlaps;
    }
}

/// Whether all figures come from equally many rows: if not, they are not of the same rows.
fn same_rows(rows: &[Row]) -> bool {
    let mut counts = rows.iter().filter_map(|row| row.rows);
    let first = counts.next();
    counts.all(|count| Some(count) == first)
}

fn markdown(rows: &[Row], rank_by: RankBy, summary: &str) -> String {
    let mut text = format!("# Leaderboard\n\n{summary}.\n\n");
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.0).collect();
    let _ = writeln!(text, "| | instance | rows | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(names.len()));
    for (at, row) in rows.iter().enumerate() {
        if row.figures.is_empty() {
            let _ = writeln!(text, "| | {} | no result |{}", row.instance, " |".repeat(names.len()));
            continue;
        }
        let cells: Vec<String> = row.figures.iter().map(|figure| cell(*figure)).collect();
        let mark = if row.like_the_first { "*" } else { "" };
        let rows = row.rows.unwrap_or(0);
        let _ = writeln!(text, "| {}{mark} | {} | {rows} | {} |", at + 1, row.instance, cells.join(" | "));
    }
    if !same_rows(rows) {
        text.push_str(
            "\nThe instances were judged on different rows: a part of every difference is a difference of rows.\n",
        );
    }
    let direction = if rank_by.lower_is_better() { "lower" } else { "higher" };
    let _ = writeln!(
        text,
        "\nRanked by {} ({direction} is better). \\* The interval overlaps that of the first: the rows do not tell them \
         apart. The first of many is partly luck: its figure is the more flattering the more were compared. Confirm it on \
         rows that played no part in the choice.",
        rank_by.name()
    );
    text
}

fn cell(figure: Figure) -> String {
    match figure {
        Figure { value: Some(value), low: Some(low), high: Some(high) } => format!("{value:.3} [{low:.3}, {high:.3}]"),
        Figure { value: Some(value), .. } => format!("{value:.3}"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(auc: f64, log_loss: f64) -> Value {
        let interval = json!({"low": auc - 0.05, "high": auc + 0.05});
        json!({"rows": 300, "candidate": {"roc_auc": auc, "log_loss": log_loss, "intervals": {"roc_auc": interval}}})
    }

    fn rows() -> Vec<Row> {
        vec![
            row("model=a", Some(&evaluation(0.55, 0.70))),
            row("model=b", None),
            row("model=c", Some(&evaluation(0.62, 0.60))),
            row("model=d", Some(&evaluation(0.70, 0.65))),
        ]
    }

    fn order(rank_by: RankBy) -> Vec<String> {
        let mut rows = rows();
        rank(&mut rows, rank_by);
        rows.iter().map(|row| format!("{}{}", row.instance, if row.like_the_first { "*" } else { "" })).collect()
    }

    #[test]
    fn the_best_comes_first_and_what_has_no_result_last() {
        assert_eq!(order(RankBy::Auc), ["model=d*", "model=c*", "model=a", "model=b"]);
        assert_eq!(order(RankBy::LogLoss), ["model=c*", "model=d", "model=a", "model=b"]);
        assert_eq!(order(RankBy::Brier), ["model=a", "model=b", "model=c", "model=d"]);
    }

    #[test]
    fn the_report_says_what_cannot_be_told_apart() {
        let mut rows = rows();
        rank(&mut rows, RankBy::Auc);
        let text = markdown(&rows, RankBy::Auc, "summary");
        assert!(same_rows(&rows) && !text.contains("different rows"), "{text}");
        assert!(text.contains("| 1* | model=d | 300 | 0.700 [0.650, 0.750] | - | 0.650 | - | - | - |"), "{text}");
        assert!(text.contains("| | model=b | no result |"), "{text}");
    }
}
