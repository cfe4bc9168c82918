//! `walkforward metrics`: what each figure of a backtest and each score of a model is, from the tables that compute them.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::Session;
use super::error::CliError;
use super::render::table;
use crate::base::nearest;
use crate::metric::classification::SCORES;
use crate::metric::regression::REGRESSION;
use crate::metric::trading::{METRICS, MetricGroup, MetricRow};

#[derive(Debug, Args)]
pub(super) struct MetricsArgs {
    /// The figure to explain.
    name: Option<String>,
    /// Write the reference page of all figures.
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
}

/// A score of a model, as it is explained.
struct Explained {
    name: &'static str,
    group: &'static str,
    formula: &'static str,
    source: &'static str,
    undefined: &'static str,
    blind: &'static str,
}

/// The group of scores of numeric predictions.
const NUMERIC: &str = "Numeric predictions";

/// Every score of a model, in the order of its page.
fn scores() -> Vec<Explained> {
    let of_classes = SCORES.iter().map(|row| Explained {
        name: row.name,
        group: row.group,
        formula: row.formula,
        source: row.source,
        undefined: row.undefined,
        blind: row.blind,
    });
    let of_numbers = REGRESSION.iter().map(|row| Explained {
        name: row.name,
        group: NUMERIC,
        formula: row.formula,
        source: row.source,
        undefined: row.undefined,
        blind: row.blind,
    });
    of_classes.chain(of_numbers).collect()
}

impl Explained {
    fn as_json(&self) -> serde_json::Value {
        json!({
            "name": self.name, "group": self.group, "formula": self.formula, "source": self.source,
            "undefined": self.undefined, "blind": self.blind,
        })
    }

    fn lines(&self) -> String {
        let names = ["score", "formula", "source", "undefined when", "cannot see"];
        let cells = [self.name, self.formula, self.source, self.undefined, self.blind];
        names.iter().zip(cells).map(|(name, cell)| format!("{name:16}{cell}\n")).collect()
    }
}

pub(super) fn metrics(session: &Session, args: &MetricsArgs) -> Result<ExitCode, CliError> {
    let as_json = |row: &MetricRow| {
        json!({
            "name": row.name, "group": row.group, "unit": row.unit, "formula": row.formula, "source": row.source,
            "undefined": row.undefined,
        })
    };
    match &args.name {
        _ if args.markdown => session.print(&markdown(), markdown)?,
        None => {
            let all: Vec<_> = METRICS.iter().map(as_json).chain(scores().iter().map(Explained::as_json)).collect();
            session.print(&all, || {
                let figures = table(&["figure", "unit", "formula"], METRICS.iter().map(|row| cells(row)[..3].to_vec()));
                let scored = scores();
                let rows =
                    scored.iter().map(|row| vec![row.name.to_owned(), row.group.to_owned(), row.formula.to_owned()]);
                format!("{figures}\n\n{}", table(&["score", "of", "formula"], rows))
            })?;
        }
        Some(name) if scores().iter().any(|row| row.name == name) => {
            for row in scores().iter().filter(|row| row.name == name) {
                session.print(&row.as_json(), || row.lines())?;
            }
        }
        Some(name) => {
            let row = METRICS.iter().find(|row| row.name == name).ok_or_else(|| unknown(name))?;
            session.print(&as_json(row), || {
                let names = ["figure", "unit", "formula", "source", "undefined when"];
                names.iter().zip(cells(row)).map(|(name, cell)| format!("{name:16}{cell}\n")).collect()
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> CliError {
    let scored = scores();
    let known = METRICS.iter().map(|row| row.name).chain(scored.iter().map(|row| row.name));
    let advice = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`walkforward metrics` lists them".to_owned(),
    };
    CliError::Usage(format!("there is no figure `{name}`; {advice}"))
}

fn cells(row: &MetricRow) -> [String; 5] {
    [row.name, row.unit.name(), row.formula, row.source, row.undefined].map(str::to_owned)
}

/// The reference page, from the table.
fn markdown() -> String {
    let mut text = "# Figures of a backtest\n\nWritten by `walkforward metrics --markdown`; do not edit. Where a figure is \
                    undefined it is null, and the reason stands beside it; it is never 0 or infinite instead.\n\nr are returns \
                    of sessions, b those of the benchmark, n is the number of sessions, P the sessions of a year, R the net \
                    profit of a trade over the risk taken with it. Returns are simple, the risk-free rate is 0, and equity \
                    starts at 1. A share of 0.1 is 10 %.\n"
        .to_owned();
    for (group, title) in MetricGroup::ALL {
        let _ = writeln!(
            text,
            "\n## {title}\n\n| figure | unit | formula | source | undefined when |\n|---|---|---|---|---|"
        );
        for row in METRICS.iter().filter(|row| row.group == *group) {
            let [name, unit, formula, source, undefined] = cells(row).map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(text, "| `{name}` | {unit} | `{formula}` | {source} | {undefined} |");
        }
    }
    text.push_str(
        "\n# Scores of a model\n\nTP, FP, TN, FN count decisions at the threshold, P and N rows of either class, n rows; p is the \
         probability that was said, q the share of positive rows, b a bin. Every score has a stationary block bootstrap interval in \
         `evaluate`.\n",
    );
    let scored = scores();
    for group in scored.chunk_by(|a, b| a.group == b.group) {
        let title = group.first().map_or("", |row| row.group);
        let _ = writeln!(
            text,
            "\n## {title}\n\n| score | formula | source | undefined when | cannot see |\n|---|---|---|---|---|"
        );
        for row in group {
            let cells =
                [row.name, row.formula, row.source, row.undefined, row.blind].map(|cell| cell.replace('|', "\\|"));
            let [name, formula, source, undefined, blind] = cells;
            let _ = writeln!(text, "| `{name}` | `{formula}` | {source} | {undefined} | {blind} |");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::documents::read;
    use super::*;

    #[test]
    fn the_committed_page_is_what_the_program_writes() {
        let path = "docs/reference/metrics.md";
        let is_current =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists() && read(path) == markdown();
        assert!(is_current, "{path} is out of date; write it anew with `walkforward metrics --markdown > {path}`");
    }
}
