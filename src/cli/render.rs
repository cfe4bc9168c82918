//! Tables and reports as text.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};

use crate::engine::{NodeRecord, Outcome, RunReport, RunStatus};

/// Lines longer than this are folded where the terminal does not say its width.
const WIDTH: u16 = 130;

/// A table with a header line.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(line)).set_content_arrangement(ContentArrangement::Dynamic);
    if table.width().is_none() {
        table.set_width(WIDTH);
    }
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The last eight digits of a run id: enough for a person.
pub(super) fn short_id(id: &str) -> &str {
    id.get(id.len().saturating_sub(8)..).unwrap_or(id)
}

/// The word for an outcome.
pub(super) fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "done",
        Outcome::Reused => "reused",
        Outcome::Skipped => "skipped",
        Outcome::Failed => "FAILED",
        Outcome::Cancelled => "cancelled",
    }
}

/// What there is to say about a node in one line.
pub(super) fn result_of(node: &NodeRecord) -> &str {
    if node.reason.is_empty() { &node.summary } else { &node.reason }
}

/// The table of a run's nodes.
pub(super) fn nodes_table<'a>(nodes: impl IntoIterator<Item = &'a NodeRecord>) -> String {
    let rows = nodes.into_iter().map(|node| {
        vec![node.node.clone(), outcome_word(node.outcome).to_owned(), result_of(node).to_owned()]
    });
    table(&["node", "outcome", "result"], rows)
}

/// The last screen of a run.
pub(super) fn run_report(report: &RunReport) -> String {
    let count = |wanted: Outcome| report.nodes.iter().filter(|node| node.outcome == wanted).count();
    let (ran, reused, skipped) = (count(Outcome::Succeeded), count(Outcome::Reused), count(Outcome::Skipped));
    let mut text = String::new();
    let _ = writeln!(text, "{} · as of {} · run {}\n", report.pipeline, report.as_of, short_id(&report.run));
    let _ = writeln!(text, "{}\n", nodes_table(&report.nodes));
    let verdict = match report.status {
        RunStatus::Succeeded if ran == 0 => {
            format!("Nothing to do: {reused} nodes reused, {skipped} skipped, none had to run.")
        }
        RunStatus::Succeeded => format!("{ran} nodes ran, {reused} reused, {skipped} skipped."),
        RunStatus::Failed => format!("FAILED: {} of {} nodes failed.", count(Outcome::Failed), report.nodes.len()),
        RunStatus::Cancelled => {
            "Stopped. What had ended is kept: the same command goes on from there.".to_owned()
        }
    };
    let _ = writeln!(text, "{verdict}");
    for node in report.nodes.iter().filter(|node| !node.nondeterministic.is_empty()) {
        let ports: Vec<&str> = node.nondeterministic.keys().map(String::as_str).collect();
        let _ = writeln!(text, "WARNING: {} is not deterministic: {} differ from an earlier run.", node.node, ports.join(", "));
    }
    for path in &report.published {
        let _ = writeln!(text, "wrote {path}");
    }
    text
}
