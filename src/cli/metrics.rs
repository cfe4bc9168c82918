//! `walkforward metrics`: what each figure of a backtest is, from the table that computes it.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::Session;
use super::error::CliError;
use super::render::table;
use crate::base::nearest;
use crate::metric::trading::{METRICS, MetricGroup, MetricRow};

#[derive(Debug, Args)]
pub(super) struct MetricsArgs {
    /// The figure to explain.
    name: Option<String>,
    /// Write the reference page of all figures.
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
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
        None => session.print(&METRICS.iter().map(as_json).collect::<Vec<_>>(), || {
            table(&["figure", "unit", "formula"], METRICS.iter().map(|row| cells(row)[..3].to_vec()))
        })?,
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
    let advice = match nearest(name, METRICS.iter().map(|row| row.name)) {
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
