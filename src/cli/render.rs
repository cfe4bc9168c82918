//! Tables and reports as text.

use std::fmt::Write as _;

use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};

use crate::artifact::Store;
use crate::base::Timestamp;
use crate::engine::{self, NodeRecord, Outcome, RunReport, RunStatus};

/// Lines longer than this are folded where the terminal does not say its width.
const WIDTH: u16 = 130;

/// A table with a header line. The first column holds names, which are never folded: a person copies them.
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
    if let Some(names) = table.column_mut(0) {
        names.set_constraint(ColumnConstraint::ContentWidth);
    }
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A moment to the second, for people.
pub(super) fn moment(at: Timestamp) -> String {
    let text = Timestamp::from_micros(at.micros() - at.micros().rem_euclid(1_000_000)).to_string();
    text.replace('T', " ")
}

/// How long something took.
pub(super) fn seconds(from: Timestamp, to: Timestamp) -> String {
    let micros = u64::try_from(to.micros() - from.micros()).unwrap_or(0);
    let rounded = if micros < 10_000_000 { micros - micros % 100_000 } else { micros - micros % 1_000_000 };
    humantime::format_duration(std::time::Duration::from_micros(rounded)).to_string()
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
    let rows = nodes
        .into_iter()
        .map(|node| vec![node.node.clone(), outcome_word(node.outcome).to_owned(), result_of(node).to_owned()]);
    table(&["node", "outcome", "result"], rows)
}

fn nodes(count: usize) -> String {
    if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") }
}

/// The last screen of a run.
pub(super) fn run_report(report: &RunReport) -> String {
    let count = |wanted: Outcome| report.nodes.iter().filter(|node| node.outcome == wanted).count();
    let (ran, reused, skipped) = (count(Outcome::Succeeded), count(Outcome::Reused), count(Outcome::Skipped));
    let tried = |node: &&NodeRecord| node.outcome == Outcome::Skipped && node.fingerprint.is_some();
    let gave_up = report.nodes.iter().filter(tried).count();
    let mut text = String::new();
    let _ = writeln!(text, "\n{} · as of {} · run {}\n", report.pipeline, report.as_of, short_id(&report.run));
    let _ = writeln!(text, "{}\n", nodes_table(&report.nodes));
    let verdict = match report.status {
        // a skipped node with a key was tried, and found too little data
        RunStatus::Succeeded if ran == 0 && gave_up == 0 => {
            format!("Nothing to do: {} reused, {skipped} skipped, none had to run.", nodes(reused))
        }
        RunStatus::Succeeded if gave_up > 0 => {
            format!("{} ran, {reused} reused, {skipped} skipped, {gave_up} of them for want of data.", nodes(ran))
        }
        RunStatus::Succeeded => format!("{} ran, {reused} reused, {skipped} skipped.", nodes(ran)),
        RunStatus::Failed if !report.reason.is_empty() => format!("FAILED: {}.", report.reason),
        RunStatus::Failed => format!("FAILED: {} of {} failed.", count(Outcome::Failed), nodes(report.nodes.len())),
        RunStatus::Cancelled => "Stopped. What had ended is kept: the same command goes on from there.".to_owned(),
    };
    let _ = writeln!(text, "{verdict}");
    text.push_str(&determinism(report));
    for path in &report.published {
        let _ = writeln!(text, "published {path}");
    }
    text
}

/// What became of executing nodes twice, and which gave something else than another execution.
fn determinism(report: &RunReport) -> String {
    let mut text = String::new();
    let repeated: Vec<&NodeRecord> = report.nodes.iter().filter(|node| node.repeated_on.is_some()).collect();
    if let Some(threads) = repeated.iter().filter_map(|node| node.repeated_on).max() {
        let same = repeated.iter().filter(|node| !node.is_doubtful()).count();
        let _ = writeln!(
            text,
            "Executed a second time, on {threads} threads: {same} of {} gave the same bytes.",
            nodes(repeated.len())
        );
    }
    for node in report.nodes.iter().filter(|node| node.is_doubtful()) {
        let ports: Vec<&str> = node.nondeterministic.keys().map(String::as_str).collect();
        let ports = if ports.is_empty() { "its outputs".to_owned() } else { ports.join(", ") };
        let other = if node.repeated_on.is_some() { "the second execution" } else { "an earlier run" };
        let _ = writeln!(text, "WARNING: {} is not deterministic: {ports} differ from {other}.", node.node);
        for difference in &node.differences {
            let _ = writeln!(text, "  {difference}");
        }
    }
    text
}

/// The last lines of a log that are shown with a failure.
const LOG_LINES: usize = 10;

/// What went wrong, node by node: the reason, the end of the log, and the call that does it again.
pub(super) async fn failures(store: &Store, report: &RunReport, rerun: &str) -> String {
    let mut text = String::new();
    for node in report.nodes.iter().filter(|node| node.outcome == Outcome::Failed) {
        let attempt = node.attempts.len();
        let tries = if attempt > 1 { format!(" in {attempt} attempts") } else { String::new() };
        let _ = writeln!(text, "\n{} ({}) failed{tries}: {}", node.node, node.kind, node.reason);
        // a log that cannot be read must not hide the failure
        if let Ok(Some(log)) = engine::read_log(store, &report.run, report.started, node, attempt).await {
            let lines: Vec<&str> = log.lines().collect();
            for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
                let _ = writeln!(text, "  | {line}");
            }
            let _ = writeln!(text, "whole log: walkforward logs {} {}", short_id(&report.run), node.node);
        }
    }
    if report.status == RunStatus::Failed {
        let _ = writeln!(text, "\nagain, from what is there: {rerun}");
    }
    text
}
