//! Messages about a run to people and programs: a webhook, or a command that reads JSON. Whether and when to send one is
//! decided elsewhere.

use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::http::{HttpError, Patience, Request, SecretUrl, SigningSecret, send};
use super::words::{outcome_name, printable, status_name};
use crate::engine::{Outcome, RunReport, RunStatus};

/// How long a command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a command is looked at.
const TICK: Duration = Duration::from_millis(20);

/// A message and where it goes.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Notification {
    /// Idempotency key, `<run id>/<index>`: a receiver that knows it drops the message.
    pub(in crate::cli) key: String,
    /// Where it goes.
    pub(in crate::cli) target: Target,
    /// What it says.
    pub(in crate::cli) payload: Value,
}

/// Where a message goes.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Target {
    /// POSTed to an address.
    Webhook(SecretUrl),
    /// Likewise, with the body signed.
    SignedWebhook(SecretUrl, SigningSecret),
    /// A line of JSON at the end of a file.
    File(std::path::PathBuf),
    /// On stdin of a command: program and arguments, without a shell, with the environment of the run. What it prints to
    /// stdout is dropped.
    Command(Vec<String>),
}

/// Sends a message.
///
/// # Errors
/// It was not taken: a webhook did not answer with 200 to 299 in three attempts; a command could not be started, failed,
/// or was killed after 30 s. Neither the path of an address nor the arguments of a command are part of the text.
pub(in crate::cli) async fn deliver(notification: &Notification) -> Result<(), String> {
    deliver_within(notification, &Patience::default(), COMMAND_TIMEOUT).await.map_err(|error| error.to_string())
}

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
enum NotifyError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("cannot add to `{path}`: {source}")]
    Append { path: String, source: std::io::Error },
    #[error("a command needs at least the name of a program")]
    NoCommand,
    #[error("cannot run `{program}`: {source}")]
    Start { program: String, source: std::io::Error },
    #[error("`{program}` was killed after {} s", .after.as_secs_f64())]
    Late { program: String, after: Duration },
    #[error("`{program}` ended with {status}{}", colon(.last_words))]
    Failed { program: String, status: ExitStatus, last_words: String },
}

fn colon(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

async fn deliver_within(
    notification: &Notification,
    patience: &Patience,
    command_timeout: Duration,
) -> Result<(), NotifyError> {
    let body = notification.payload.to_string();
    match &notification.target {
        Target::Webhook(url) => post(url, None, &notification.key, body, patience).await,
        Target::SignedWebhook(url, secret) => post(url, Some(secret.clone()), &notification.key, body, patience).await,
        Target::File(path) => {
            append(path, &body).map_err(|source| NotifyError::Append { path: path.display().to_string(), source })
        }
        Target::Command(argv) => command(argv, &body, command_timeout).await,
    }
}

async fn post(
    url: &SecretUrl,
    secret: Option<SigningSecret>,
    key: &str,
    body: String,
    patience: &Patience,
) -> Result<(), NotifyError> {
    let (url, key) = (url.parse()?, key.to_owned());
    let request = Request { method: Method::POST, url, key, content_type: "application/json", body, secret };
    Ok(send(&request, patience).await?)
}

/// One write, so that lines of two runs do not mix.
fn append(path: &std::path::Path, line: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(format!("{line}\n").as_bytes())
}

async fn command(argv: &[String], input: &str, timeout: Duration) -> Result<(), NotifyError> {
    let (program, arguments) = argv.split_first().ok_or(NotifyError::NoCommand)?;
    let failed = |source| NotifyError::Start { program: program.clone(), source };
    let mut errors = tempfile::tempfile().map_err(failed)?;
    let mut child = spawn(program, arguments, input, &errors).map_err(failed)?;
    match wait(&mut child, timeout).await.map_err(failed)? {
        None => Err(NotifyError::Late { program: program.clone(), after: timeout }),
        Some(status) if status.success() => Ok(()),
        Some(status) => {
            let last_words = last_line(&mut errors).unwrap_or_default();
            Err(NotifyError::Failed { program: program.clone(), status, last_words })
        }
    }
}

/// Starts a command in a process group of its own. Files stand where pipes usually do: nothing has to be pumped while it
/// runs, and a grandchild that outlives it holds nothing open.
fn spawn(program: &str, arguments: &[String], input: &str, errors: &std::fs::File) -> std::io::Result<Child> {
    let mut file = tempfile::tempfile()?;
    file.write_all(input.as_bytes())?;
    file.rewind()?;
    Command::new(program)
        .args(arguments)
        .stdin(file)
        .stdout(Stdio::null())
        .stderr(errors.try_clone()?)
        .process_group(0)
        .spawn()
}

/// Waits for the end; kills the whole group when time is up, and returns `None`.
async fn wait(child: &mut Child, timeout: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = tokio::time::Instant::now() + timeout;
    while tokio::time::Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        tokio::time::sleep(TICK).await;
    }
    let group = rustix::process::Pid::from_child(child);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL)?;
    child.wait()?;
    Ok(None)
}

fn last_line(file: &mut std::fs::File) -> std::io::Result<String> {
    /// More than any line that says something.
    const TAIL: u64 = 4096;
    let length = file.metadata()?.len();
    file.seek(std::io::SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let tail = String::from_utf8_lossy(&tail);
    Ok(tail.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned())
}

/// What a message says about a run: `text` is one sentence, which Slack and Mattermost show; the rest is for programs.
///
/// `because` is what made the message worth sending, where it is not the run's status.
pub(in crate::cli) fn payload(report: &RunReport, because: Option<&str>) -> Value {
    let nodes: Vec<Value> = report
        .nodes
        .iter()
        .map(|node| {
            json!({
                "node": node.node,
                "kind": node.kind,
                "outcome": outcome_name(node.outcome),
                "reason": node.reason,
                "summary": node.summary,
                "values": node.values,
            })
        })
        .collect();
    json!({
        "text": sentence(report, because),
        "run": report.run,
        "pipeline": report.pipeline,
        "as_of": report.as_of,
        "status": status_name(report.status),
        "nodes": nodes,
    })
}

fn sentence(report: &RunReport, because: Option<&str>) -> String {
    let count = |outcome| report.nodes.iter().filter(|node| node.outcome == outcome).count();
    let ended = match report.status {
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
        RunStatus::Cancelled => "was stopped",
    };
    let what = match (failure(report), because) {
        (Some(failure), Some(because)) => format!("{because}; {failure}"),
        (Some(failure), None) => failure,
        (None, Some(because)) => because.to_owned(),
        (None, None) => format!(
            "{} ran, {} reused, {} skipped",
            count(Outcome::Succeeded),
            count(Outcome::Reused),
            count(Outcome::Skipped)
        ),
    };
    format!("{} as of {} {ended}: {what}", report.pipeline, report.as_of)
}

/// The first failure, with the first line of its reason, and how many more there are.
fn failure(report: &RunReport) -> Option<String> {
    let mut failed = report.nodes.iter().filter(|node| node.outcome == Outcome::Failed);
    let first = failed.next()?;
    let reason = first.reason.lines().next().unwrap_or("without a reason");
    let more = failed.count();
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Some(format!("{} failed{more}: {}", first.node, printable(reason)))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::fixtures::{failed_run, plain_run};
    use super::super::server::Server;
    use super::*;

    const PATIENT: Duration = Duration::from_secs(20);

    fn webhook(url: String) -> Notification {
        let payload = payload(&failed_run(), None);
        Notification { key: format!("{}/0", failed_run().run), target: Target::Webhook(url.into()), payload }
    }

    fn shell(script: &str, arguments: &[&str]) -> Notification {
        let argv = [&["/bin/sh", "-c", script, "sh"], arguments].concat();
        let target = Target::Command(argv.into_iter().map(str::to_owned).collect());
        Notification { key: "run/0".to_owned(), target, payload: payload(&plain_run(), None) }
    }

    async fn outcome(notification: &Notification, timeout: Duration) -> Result<(), String> {
        let patience = Patience { answer: PATIENT, pauses: vec![Duration::from_millis(1); 2] };
        deliver_within(notification, &patience, timeout).await.map_err(|error| error.to_string())
    }

    #[test]
    fn a_failed_run_as_a_payload() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&payload(&failed_run(), None)).unwrap());
    }

    #[test]
    fn the_text_is_a_sentence_that_says_why_it_was_sent() {
        let text = |report: &RunReport, because| payload(report, because)["text"].as_str().unwrap().to_owned();
        assert_eq!(text(&plain_run(), None), "weekly as of 2026-11-22 succeeded: 1 ran, 0 reused, 0 skipped");
        assert_eq!(
            text(&plain_run(), Some("deploy.decision is promoted")),
            "weekly as of 2026-11-22 succeeded: deploy.decision is promoted"
        );
        let mut report = failed_run();
        report.nodes[4].outcome = Outcome::Failed;
        assert_eq!(
            text(&report, None),
            "weekly \"us\\eu\" as of 2026-11-22 failed: extract failed (and 1 more): `./extract.sh` ended with exit code 3"
        );
    }

    #[tokio::test]
    async fn a_webhook_gets_json_with_its_key_until_it_is_taken() {
        let server = Server::answering(&[500, 200]);
        let sent = webhook(server.url("/services/T0/secret"));
        outcome(&sent, PATIENT).await.unwrap();
        let seen = server.seen();
        assert_eq!(seen.len(), 2);
        for request in seen {
            assert_eq!(request.line, "POST /services/T0/secret HTTP/1.1");
            assert_eq!(request.header("idempotency-key"), Some("01890a5d-ac96-774b-bcce-b302099a8057/0"));
            assert_eq!(request.header("content-type"), Some("application/json"));
            assert_eq!(request.header("user-agent"), Some(concat!("walkforward/", env!("CARGO_PKG_VERSION"))));
            assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), sent.payload);
        }
    }

    #[tokio::test]
    async fn a_webhook_that_refuses_is_an_error_without_its_path() {
        let server = Server::answering(&[410]);
        let sent = webhook(server.url("/secret"));
        assert_eq!(outcome(&sent, PATIENT).await.unwrap_err(), "http://127.0.0.1 answered 410 Gone");
        assert!(!format!("{sent:?}").contains("secret"));
    }

    #[tokio::test]
    async fn a_command_gets_its_arguments_as_they_are_and_the_payload_on_stdin() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("$HOME; rm it");
        let sent = shell("cat > \"$1\"; printf '%s' \"$2\" >> \"$1\"", &[path.to_str().unwrap(), "*"]);
        outcome(&sent, PATIENT).await.unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), format!("{}*", sent.payload));
    }

    #[tokio::test]
    async fn a_command_that_does_not_read_its_input_is_no_failure() {
        let mut sent = shell("exit 0", &[]);
        sent.payload = Value::String("x".repeat(1 << 20));
        assert_eq!(deliver(&sent).await, Ok(()));
    }

    #[tokio::test]
    async fn a_failing_command_is_an_error_with_its_last_words() {
        let error = outcome(&shell("echo one >&2; echo two >&2; echo >&2; exit 3", &["secret"]), PATIENT).await;
        assert_eq!(error.unwrap_err(), "`/bin/sh` ended with exit status: 3: two");
        let silent = outcome(&shell("exit 4", &[]), PATIENT).await;
        assert_eq!(silent.unwrap_err(), "`/bin/sh` ended with exit status: 4");
    }

    #[tokio::test]
    async fn a_command_that_takes_too_long_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let id = folder.path().join("id");
        let script = "sleep 60 & echo $! > \"$1\"; wait";
        let started = Instant::now();
        let error = outcome(&shell(script, &[id.to_str().unwrap()]), Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(error, "`/bin/sh` was killed after 0.3 s");
        assert!(started.elapsed() < PATIENT);
        let child = std::fs::read_to_string(id).unwrap();
        let gone = || {
            let status = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
            status.is_empty() || status.contains(") Z ")
        };
        while !gone() {
            assert!(started.elapsed() < PATIENT, "its child still runs");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[tokio::test]
    async fn a_command_that_is_not_there_is_an_error_with_its_name() {
        let nothing = |argv: &[&str]| Notification {
            target: Target::Command(argv.iter().map(|word| (*word).to_owned()).collect()),
            ..shell("", &[])
        };
        let error = outcome(&nothing(&["/no/such/program"]), PATIENT).await.unwrap_err();
        assert_eq!(error, "cannot run `/no/such/program`: No such file or directory (os error 2)");
        let error = outcome(&nothing(&[]), PATIENT).await.unwrap_err();
        assert_eq!(error, "a command needs at least the name of a program");
    }
}
