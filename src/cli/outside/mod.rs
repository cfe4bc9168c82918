//! What a run tells the world outside: a monitor, Prometheus, CI systems, people.
//!
//! | file | tells |
//! |---|---|
//! | `ping` | a monitor in the manner of healthchecks.io that the run started and how it ended |
//! | `metrics` | Prometheus, through node_exporter's textfile collector |
//! | `junit` | whatever reads JUnit reports |
//! | `github` | GitHub Actions: summary, outputs, annotations |
//! | `notify` | a webhook or a command |
//!
//! Nothing of it is part of the run: what cannot be told is a warning, never a failure, and changes no exit code.

mod due;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod fixtures;
pub(in crate::cli) mod github;
mod http;
mod junit;
mod metrics;
mod notify;
mod ping;
#[cfg(test)]
mod server;
pub(super) mod whole_file;
mod words;

use std::path::{Path, PathBuf};

use clap::Args;
use tokio::task::JoinHandle;

use super::render::run_report;
use crate::engine::RunReport;
pub(in crate::cli) use due::send_due;
use github::StepFiles;
use http::{HttpError, Patience, SecretUrl};
pub(in crate::cli) use notify::{Notification, Target, deliver};
use ping::Ping;

/// Whom to tell, beside the person who reads the terminal.
#[derive(Debug, Args)]
pub(in crate::cli) struct OutsideArgs {
    /// Tell a monitor that the run started and how it ended: URL/start, then URL/<exit code>, as healthchecks.io has it.
    #[arg(long, value_name = "URL", env = "WALKFORWARD_PING_URL", hide_env_values = true)]
    ping_url: Option<SecretUrl>,
    /// Write the figures of the run for Prometheus' textfile collector.
    #[arg(long, value_name = "PATH")]
    metrics_file: Option<PathBuf>,
    /// Write the run as a JUnit report.
    #[arg(long, value_name = "PATH")]
    junit: Option<PathBuf>,
}

impl OutsideArgs {
    /// Says that a run starts, without waiting for an answer; must be called inside the async runtime.
    pub(in crate::cli) fn started(&self, run: &str) -> Outside<'_> {
        self.started_with(run, StepFiles::from_env(), Patience::default())
    }

    fn started_with(&self, run: &str, step: StepFiles, patience: Patience) -> Outside<'_> {
        let monitor = self.ping_url.clone().filter(|url| !url.is_empty()).map(|url| {
            let ping = Ping::new(url, run, patience);
            let start = ping.clone();
            Monitor { ping, start: tokio::spawn(async move { start.start().await }) }
        });
        Outside { args: self, monitor, step }
    }
}

/// The world outside during one run.
#[must_use = "a monitor that hears of the start waits for the end"]
pub(in crate::cli) struct Outside<'a> {
    args: &'a OutsideArgs,
    monitor: Option<Monitor>,
    step: StepFiles,
}

struct Monitor {
    ping: Ping,
    start: JoinHandle<Result<(), HttpError>>,
}

impl Outside<'_> {
    /// Tells how the run ended, and returns what could not be told.
    pub(in crate::cli) async fn ended(self, report: &RunReport, exit_code: u8) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(path) = &self.args.metrics_file {
            let text = metrics::exposition(report, exit_code);
            warnings.extend(cannot_write("metrics", path, whole_file::write(path, &text)));
        }
        if let Some(path) = &self.args.junit {
            let written = junit::xml(report).map_err(std::io::Error::other);
            let written = written.and_then(|text| whole_file::write(path, &text));
            warnings.extend(cannot_write("JUnit report", path, written));
        }
        warnings.extend(self.step.append(report, exit_code));
        // last, because it may take a while
        if let Some(monitor) = self.monitor {
            warnings.extend(monitor.end(exit_code, &run_report(report)).await);
        }
        warnings
    }

    /// Tells that there is nothing to report on: the run could not be carried out. Files stay as they are.
    pub(in crate::cli) async fn broke_off(self, error: &str, exit_code: u8) -> Vec<String> {
        match self.monitor {
            Some(monitor) => monitor.end(exit_code, error).await,
            None => Vec::new(),
        }
    }
}

impl Monitor {
    /// Waits for the ping at the start, if it is still under way: one that comes after the end would start a run anew.
    async fn end(self, exit_code: u8, screen: &str) -> Vec<String> {
        let start = self.start.await.unwrap_or(Ok(()));
        let end = self.ping.end(exit_code, screen).await;
        let failed = |when, result: Result<(), HttpError>| {
            result.err().map(|error| format!("the ping at the {when} of the run failed: {error}"))
        };
        [failed("start", start), failed("end", end)].into_iter().flatten().collect()
    }
}

fn cannot_write(what: &str, path: &Path, written: std::io::Result<()>) -> Option<String> {
    written.err().map(|error| format!("cannot write the {what} to `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::fixtures::{closed_port, failed_run, plain_run};
    use super::server::Server;
    use super::*;

    fn args(ping_url: Option<String>) -> OutsideArgs {
        OutsideArgs { ping_url: ping_url.map(SecretUrl::from), metrics_file: None, junit: None }
    }

    async fn tell(args: &OutsideArgs) -> Vec<String> {
        let patience = Patience { answer: Duration::from_secs(5), pauses: vec![Duration::from_millis(1); 2] };
        let outside = args.started_with(&plain_run().run, StepFiles::default(), patience);
        outside.ended(&failed_run(), 1).await
    }

    #[tokio::test]
    async fn the_start_is_told_before_the_end_also_when_it_has_to_be_said_twice() {
        let server = Server::answering(&[500, 200]);
        assert_eq!(tell(&args(Some(server.url("/ping")))).await, [""; 0]);
        let seen = server.seen();
        let paths: Vec<&str> = seen.iter().map(|seen| seen.line.split(['?', ' ']).nth(1).unwrap()).collect();
        assert_eq!(paths, ["/ping/start", "/ping/start", "/ping/1"]);
        assert!(seen[2].body.contains("FAILED: 1 of 6 nodes failed."), "{}", seen[2].body);
    }

    #[tokio::test]
    async fn a_dead_monitor_is_two_warnings_without_its_path() {
        let warnings = tell(&args(Some(format!("http://127.0.0.1:{}/secret", closed_port())))).await;
        let refused = |when| format!("the ping at the {when} of the run failed: http://127.0.0.1: Connection refused");
        assert_eq!(warnings.len(), 2);
        assert!(warnings[0].starts_with(&refused("start")), "{warnings:?}");
        assert!(warnings[1].starts_with(&refused("end")), "{warnings:?}");
    }

    #[tokio::test]
    async fn a_monitor_that_is_set_but_empty_is_none_and_one_that_is_no_address_a_warning() {
        assert_eq!(tell(&args(Some(" ".to_owned()))).await, [""; 0]);
        let warnings = tell(&args(Some("hc-ping.com/secret".to_owned()))).await;
        assert_eq!(warnings.len(), 2);
        assert!(!warnings.concat().contains("secret"), "{warnings:?}");
    }

    #[tokio::test]
    async fn a_run_that_could_not_be_carried_out_is_told_with_its_error() {
        let server = Server::answering(&[200]);
        let args = args(Some(server.url("/ping")));
        let outside = args.started_with("run", StepFiles::default(), Patience::default());
        assert_eq!(outside.broke_off("no such store", 4).await, [""; 0]);
        let last = server.seen().pop().unwrap();
        assert_eq!((last.line.as_str(), last.body.as_str()), ("POST /ping/4?rid=run HTTP/1.1", "no such store"));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_a_warning_and_the_others_are_written() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "").unwrap();
        let (metrics, junit) = (folder.path().join("file/run.prom"), folder.path().join("run.xml"));
        let args = OutsideArgs { metrics_file: Some(metrics), junit: Some(junit.clone()), ..args(None) };
        let warnings = tell(&args).await;
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].starts_with("cannot write the metrics to `"), "{warnings:?}");
        assert!(junit.exists());
    }
}
