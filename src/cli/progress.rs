//! Progress on stderr: bars on a terminal, a line per state change elsewhere.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;

use super::render::{outcome_word, result_of};
use super::say;
use crate::engine::{NodeRecord, Outcome, RunEvent};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressMode {
    /// Bars on a terminal, lines elsewhere and where `CI` is set.
    Auto,
    /// A line per state change, and one a minute.
    Plain,
    /// One JSON object a line for each event.
    Json,
    /// Nothing.
    None,
}

const HEARTBEAT: Duration = Duration::from_secs(60);

/// Shows events until the run's end closes the channel.
pub(super) async fn show(mode: ProgressMode, mut events: UnboundedReceiver<RunEvent>) {
    let bars = std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
    match mode {
        ProgressMode::Auto if bars => show_bars(&mut events).await,
        ProgressMode::Auto | ProgressMode::Plain => show_lines(&mut events).await,
        ProgressMode::Json => {
            while let Some(event) = events.recv().await {
                if let Ok(line) = serde_json::to_string(&event) {
                    say(&line);
                }
            }
        }
        // to close the channel is to be told of nothing more
        ProgressMode::None => events.close(),
    }
}

/// How a node ended, without its result: on a terminal the table that follows has it.
fn ended_word(record: &NodeRecord) -> String {
    let seconds = (record.ended.micros() - record.started.micros()) as f64 / 1e6;
    let time = if record.outcome == Outcome::Succeeded { format!(" ({seconds:.1} s)") } else { String::new() };
    format!("{}: {}{time}", record.node, outcome_word(record.outcome))
}

fn ended_line(record: &NodeRecord) -> String {
    let result = result_of(record);
    let colon = if result.is_empty() { "" } else { ": " };
    format!("{}{colon}{result}", ended_word(record))
}

fn retry_line(event: &RunEvent) -> String {
    let RunEvent::Retrying { node, attempt, of, reason, pause, .. } = event else { return String::new() };
    format!("{node}: attempt {attempt} of {of} failed, next in {pause:.1} s: {reason}")
}

async fn show_lines(events: &mut UnboundedReceiver<RunEvent>) {
    let mut running: BTreeMap<String, (Instant, String)> = BTreeMap::new();
    loop {
        match tokio::time::timeout(HEARTBEAT, events.recv()).await {
            Err(_) => {
                let words: Vec<String> = running.iter().map(|(node, (_, at))| format!("{node} {at}")).collect();
                say(&format!("still running: {}", words.join(", ")));
            }
            Ok(None) => return,
            Ok(Some(event)) => match event {
                RunEvent::NodeStarted { node, .. } => {
                    say(&format!("{node}: running"));
                    running.insert(node, (Instant::now(), String::new()));
                }
                RunEvent::Progress { node, done, total, words } => {
                    if let Some((begun, at)) = running.get_mut(&node) {
                        *at = format!("{done}/{total} {words}{}", pace(begun.elapsed(), done, total));
                    }
                }
                RunEvent::NodeEnded { record } => {
                    running.remove(&record.node);
                    say(&ended_line(&record));
                }
                RunEvent::Retrying { .. } => say(&retry_line(&event)),
                RunEvent::Stopping { .. } => say("stopping: waiting for running nodes"),
                RunEvent::RunStarted { .. } | RunEvent::RunEnded { .. } => {}
            },
        }
    }
}

/// Rate and time left, once there is something to tell them from.
fn pace(elapsed: Duration, done: u64, total: u64) -> String {
    let seconds = elapsed.as_secs_f64();
    if done == 0 || done > total || seconds < 1.0 {
        return String::new();
    }
    let rate = done as f64 / seconds;
    let left = Duration::from_secs(((total - done) as f64 / rate).ceil() as u64);
    format!(" · {rate:.1} a second, about {} left", humantime::format_duration(left))
}

async fn show_bars(events: &mut UnboundedReceiver<RunEvent>) {
    let all = MultiProgress::new();
    let mut running: BTreeMap<String, ProgressBar> = BTreeMap::new();
    while let Some(event) = events.recv().await {
        match event {
            RunEvent::NodeStarted { node, .. } => {
                let bar = all.add(ProgressBar::new(0).with_style(spinner()).with_prefix(node.clone()));
                bar.enable_steady_tick(Duration::from_millis(100));
                running.insert(node, bar);
            }
            RunEvent::Progress { node, done, total, words } => {
                if let Some(bar) = running.get(&node) {
                    if bar.length() != Some(total) {
                        bar.set_style(if total > 0 { counted() } else { spinner() });
                        bar.set_length(total);
                    }
                    bar.set_position(done);
                    bar.set_message(words);
                }
            }
            RunEvent::NodeEnded { record } => {
                if let Some(bar) = running.remove(&record.node) {
                    bar.finish_and_clear();
                }
                let _ = all.println(ended_word(&record));
            }
            RunEvent::Retrying { .. } => {
                let _ = all.println(retry_line(&event));
            }
            RunEvent::Stopping { .. } => {
                let _ = all.println("stopping: waiting for running nodes");
            }
            RunEvent::RunStarted { .. } | RunEvent::RunEnded { .. } => {}
        }
    }
    let _ = all.clear();
}

fn spinner() -> ProgressStyle {
    style("{spinner} {prefix} {elapsed}")
}

fn counted() -> ProgressStyle {
    style("{spinner} {prefix} [{bar:30}] {pos}/{len} {elapsed} {msg} · {per_sec}, {eta} left")
}

fn style(template: &str) -> ProgressStyle {
    // both templates are constants; the default style is what a mistake in them would show
    ProgressStyle::with_template(template)
        .map(|style| style.progress_chars("=> "))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_told_once_it_is_known() {
        assert_eq!(pace(Duration::from_secs(10), 20, 100), " · 2.0 a second, about 40s left");
        assert_eq!(pace(Duration::from_secs(10), 0, 100), "");
        assert_eq!(pace(Duration::from_millis(10), 5, 100), "");
    }
}
