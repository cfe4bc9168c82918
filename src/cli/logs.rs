//! `walkforward logs`: what nodes wrote while they ran.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::Session;
use super::error::CliError;
use super::inspect::find_run;
use super::render::{moment, outcome_word, short_id, table};
use crate::base::{Timestamp, nearest};
use crate::engine::{self, NodeRecord, Outcome, RunView};

#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    /// The run's id, the end of it, or `latest`.
    #[arg(default_value = "latest")]
    run: String,
    /// The node whose log to print: its name, or a beginning of it that no other has. Without it, all attempts are
    /// listed.
    node: Option<String>,
    /// Which attempt, from 1; the last one otherwise.
    #[arg(long, value_name = "N", requires = "node")]
    attempt: Option<usize>,
    /// Print the last lines only.
    #[arg(long, value_name = "N", requires = "node")]
    tail: Option<usize>,
}

/// One attempt, or a node that made none.
#[derive(Debug, Serialize)]
struct AttemptRow {
    node: String,
    outcome: Outcome,
    /// From 1; `None` where the node did not run.
    attempt: Option<usize>,
    started: Timestamp,
    seconds: f64,
    log_bytes: Option<u64>,
    reason: String,
}

/// The log of one attempt.
#[derive(Debug, Serialize)]
struct AttemptText {
    run: String,
    node: String,
    attempt: usize,
    attempts: usize,
    reason: String,
    /// `None` when it wrote nothing.
    log: Option<String>,
}

pub(super) async fn logs(session: &Session, args: &LogsArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let view = match find_run(session, &store, &args.run).await {
        // one who gives a node only means the latest run
        Err(CliError::Usage(message)) if args.node.is_none() => {
            let latest = engine::read_run(&store, "latest").await?;
            let meant = latest.is_some_and(|latest| find_node(&latest, &args.run).is_ok());
            let hint = if meant { format!("; or: walkforward logs latest {}", args.run) } else { String::new() };
            return Err(CliError::Usage(message + &hint));
        }
        found => found?,
    };
    let Some(name) = &args.node else {
        let rows: Vec<AttemptRow> = view.nodes.iter().flat_map(attempt_rows).collect();
        session.print(&rows, || listed(&view, &rows))?;
        return Ok(ExitCode::SUCCESS);
    };
    let node = find_node(&view, name)?;
    let attempt = chosen(&view, node, args.attempt)?;
    let log = engine::read_log(&store, &view.start.run, view.start.at, node, attempt).await?;
    let found = AttemptText {
        run: view.start.run.clone(),
        node: node.node.clone(),
        attempt,
        attempts: node.attempts.len(),
        reason: node.attempts.get(attempt - 1).map_or_else(String::new, |attempt| attempt.reason.clone()),
        log: log.map(|log| tail(&log, args.tail).to_owned()),
    };
    session.print(&found, || match &found.log {
        Some(log) => log.clone(),
        None => format!("{} wrote no log in attempt {attempt} of {}.", found.node, found.attempts),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Finds a node by its name or by a beginning of it.
fn find_node<'a>(view: &'a RunView, name: &str) -> Result<&'a NodeRecord, CliError> {
    if let Some(node) = view.nodes.iter().find(|node| node.node == name) {
        return Ok(node);
    }
    let near: Vec<&NodeRecord> = view.nodes.iter().filter(|node| node.node.starts_with(name)).collect();
    let names = |nodes: &mut dyn Iterator<Item = &NodeRecord>| -> String {
        nodes.map(|node| node.node.as_str()).collect::<Vec<_>>().join(", ")
    };
    match near.as_slice() {
        [node] => Ok(node),
        [] => {
            let run = short_id(&view.start.run);
            let advice = match nearest(name, view.nodes.iter().map(|node| node.node.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", names(&mut view.nodes.iter())),
            };
            Err(CliError::Usage(format!("run {run} has no node `{name}`; {advice}")))
        }
        several => {
            let names = names(&mut several.iter().copied());
            Err(CliError::Usage(format!("`{name}` is the beginning of {} nodes: {names}", several.len())))
        }
    }
}

/// The attempt that was asked for, else the last one.
fn chosen(view: &RunView, node: &NodeRecord, wanted: Option<usize>) -> Result<usize, CliError> {
    let (name, made) = (&node.node, node.attempts.len());
    if made == 0 {
        let elsewhere = match &node.made_by {
            Some(run) if *run != view.start.run => {
                format!(": its result is that of run {0}, whose log is: walkforward logs {0} {name}", short_id(run))
            }
            _ if node.reason.is_empty() => String::new(),
            _ => format!(": {}", node.reason),
        };
        return Err(CliError::Usage(format!("`{name}` did not run in run {}{elsewhere}", short_id(&view.start.run))));
    }
    match wanted {
        None => Ok(made),
        Some(attempt) if (1..=made).contains(&attempt) => Ok(attempt),
        Some(attempt) => {
            let there = if made == 1 { "1 attempt".to_owned() } else { format!("attempts 1 to {made}") };
            Err(CliError::Usage(format!("`{name}` has no attempt {attempt}; there is {there}")))
        }
    }
}

/// The last lines of a text.
fn tail(log: &str, lines: Option<usize>) -> &str {
    let Some(lines) = lines else { return log };
    let text = log.trim_end_matches('\n');
    let starts = text.match_indices('\n').map(|(at, _)| at + 1).rev();
    if lines == 0 { "" } else { starts.into_iter().nth(lines - 1).map_or(log, |start| &log[start..]) }
}

fn attempt_rows(node: &NodeRecord) -> Vec<AttemptRow> {
    let outcome = node.outcome;
    let seconds = |from: Timestamp, to: Timestamp| (to.micros() - from.micros()) as f64 / 1e6;
    if node.attempts.is_empty() {
        let reason = node.reason.clone();
        let (node, started, seconds) = (node.node.clone(), node.started, seconds(node.started, node.ended));
        return vec![AttemptRow { node, outcome, attempt: None, started, seconds, log_bytes: None, reason }];
    }
    let last = node.attempts.len();
    let row = |(number, attempt): (usize, &engine::AttemptRecord)| AttemptRow {
        node: node.node.clone(),
        // all but the last were followed by another
        outcome: if number == last { outcome } else { Outcome::Failed },
        attempt: Some(number),
        started: attempt.started,
        seconds: seconds(attempt.started, attempt.ended),
        log_bytes: attempt.log.map(|log| log.bytes),
        reason: attempt.reason.clone(),
    };
    (1..).zip(&node.attempts).map(row).collect()
}

fn listed(view: &RunView, rows: &[AttemptRow]) -> String {
    let cells = rows.iter().map(|row| {
        let log = match (row.attempt, row.log_bytes) {
            (None, _) => "did not run".to_owned(),
            (Some(_), None) => "none".to_owned(),
            (Some(_), Some(bytes)) => format!("{bytes} bytes"),
        };
        let (attempt, took) = match row.attempt {
            None => (String::new(), String::new()),
            Some(attempt) => (attempt.to_string(), format!("{:.1} s", row.seconds)),
        };
        vec![
            row.node.clone(),
            attempt,
            outcome_word(row.outcome).to_owned(),
            moment(row.started),
            took,
            log,
            row.reason.clone(),
        ]
    });
    let run = short_id(&view.start.run);
    let rows = table(&["node", "attempt", "outcome", "started", "took", "log", "reason"], cells);
    format!("{} · run {run}\n\n{rows}\n\nTo read one: walkforward logs {run} NODE", view.start.pipeline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_lines() {
        let log = "one\ntwo\nthree\n";
        assert_eq!(tail(log, None), log);
        assert_eq!(tail(log, Some(0)), "");
        assert_eq!(tail(log, Some(2)), "two\nthree\n");
        assert_eq!(tail(log, Some(3)), log);
        assert_eq!(tail(log, Some(9)), log);
    }
}
