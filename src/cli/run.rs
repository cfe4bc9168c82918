//! `walkforward run`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::error::CliError;
use super::monitor::{AlertsArgs, after_run};
use super::outside::{OutsideArgs, send_due};
use super::pipeline_args::{PipelineArgs, environment, refresh};
use super::progress::{self, ProgressMode};
use super::render::{failures, run_report};
use super::signing::signing_key;
use super::verdict::NegativeVerdicts;
use super::{Session, diagnostic, shell};
use crate::artifact::Store;
use crate::attest::SigningKey;
use crate::base::CancelToken;
use crate::engine::{self, Admission, NodeRecord, PinnedSources, RunOptions, RunReport, RunStatus, Threads};
use crate::pipeline::{OnConflict, Pipeline};
use crate::storage::{Holder, Lock};

/// How much of a run may happen at once, and how it is shown.
#[derive(Clone, Debug, Args)]
pub(super) struct ExecutionArgs {
    /// Threads that nodes compute on, one for each core unless told; never changes a result.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Nodes that may run at once, one for each core unless told; never changes a result.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// How to show progress on stderr.
    #[arg(long, value_enum, default_value_t = ProgressMode::Auto)]
    progress: ProgressMode,
    /// Print nothing unless something fails.
    #[arg(long, short)]
    pub quiet: bool,
    /// Stop the run after so long, as `90s`, `10m` or `2h`: it then counts as failed.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    #[command(flatten)]
    execution: ExecutionArgs,
    /// Run these nodes although their results are in the store, and store the new ones: names with commas, or `all`.
    #[arg(long, value_name = "NODES")]
    refresh: Vec<String>,
    /// End with exit code 3 when a node decides one of these, as `drift` or `kept`.
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    fail_on: Vec<String>,
    /// End with exit code 1 when a node is found not to be deterministic.
    #[arg(long)]
    strict: bool,
    /// Execute every node that runs a second time, on another number of threads, and end with exit code 1 when it gives
    /// other bytes. A deployment is repeated in a registry of its own; a `command` has its effects twice.
    #[arg(long)]
    check_determinism: bool,
    #[command(flatten)]
    outside: OutsideArgs,
    #[command(flatten)]
    alerts: AlertsArgs,
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How a call ended that nothing prevented.
enum Called {
    /// It ran; with its exit code.
    Ran(Box<RunReport>, u8),
    /// It did not run, for this reason and with this exit code: another run is at it, and that is all right, or it was
    /// asked to stop before it began.
    Not(String, u8),
}

/// Carries a run out and tells the world outside how it ended.
pub(super) async fn run(session: &Session, args: &RunArgs) -> Result<ExitCode, CliError> {
    let run_id = super::new_id();
    let outside = args.outside.started(&run_id);
    let (code, warnings) = match carry_out(session, args, run_id).await {
        Ok(Called::Ran(report, code)) => (ExitCode::from(code), outside.ended(&report, code).await),
        Ok(Called::Not(why, code)) => (ExitCode::from(code), outside.broke_off(&why, code).await),
        Err(error) => {
            // before the world outside, which may take its time
            let code = diagnostic::report(session, &error);
            (code, outside.broke_off(&diagnostic::render(&error, false), error.exit_code()).await)
        }
    };
    for warning in warnings {
        super::say(&format!("warning: {warning}"));
    }
    Ok(code)
}

async fn carry_out(session: &Session, args: &RunArgs, run_id: String) -> Result<Called, CliError> {
    let runner = Runner::new(&args.execution).signing(signing_key()?).checking(args.check_determinism);
    let mut pipeline = args.pipeline.load_to_run()?;
    refresh(&mut pipeline, &args.refresh)?;
    let negative = NegativeVerdicts::new(&pipeline, &args.fail_on)?;
    let rules = args.alerts.load()?;
    let store = session.open_store().await?;
    let lock = match admit(&pipeline, &store, &run_id, &runner.cancel).await? {
        Admitted::Free(lock) => lock,
        Admitted::Skipped(why) => {
            if !args.execution.quiet {
                session.print(&json!({"skipped": why}), || why.clone())?;
            }
            return Ok(Called::Not(why, 0));
        }
        Admitted::Stopped(why) => {
            session.print(&json!({"stopped": why}), || why.clone())?;
            return Ok(Called::Not(why, runner.signal().await));
        }
    };
    send_due(&pipeline, &store, None).await;
    let ran = match args.pipeline.pin(&pipeline, &store).await {
        Ok(sources) => runner.run(&pipeline, &store, sources, run_id).await,
        Err(error) => Err(error),
    };
    give_back(lock).await;
    let report = ran?;
    let doubtful = report.nodes.iter().any(NodeRecord::is_doubtful);
    if report.status != RunStatus::Succeeded {
        let failures = failures(&store, &report, &rerun_words()).await;
        session.print(&report, || match args.execution.quiet {
            true => failures.trim_start().to_owned(),
            false => run_report(&report) + &failures,
        })?;
    } else if !args.execution.quiet || doubtful {
        session.print(&report, || run_report(&report))?;
    }
    send_due(&pipeline, &store, Some(&report)).await;
    after_run(&store, &report, rules.as_ref()).await;
    let code = match report.status {
        RunStatus::Succeeded if (args.strict || args.check_determinism) && doubtful => 1,
        RunStatus::Succeeded => negative.exit_code(&report),
        RunStatus::Failed => 1,
        RunStatus::Cancelled => runner.signal().await,
    };
    Ok(Called::Ran(Box::new(report), code))
}

/// Frees the group. On S3 a lease that is only dropped stands until it expires.
pub(super) async fn give_back(lock: Option<Lock>) {
    if let Some(lock) = lock {
        let _ = lock.release().await;
    }
}

/// The call as it was made, for whoever makes it again.
fn rerun_words() -> String {
    let words = std::env::args().enumerate().map(|(at, word)| if at == 0 { "walkforward".to_owned() } else { word });
    words.map(|word| shell::word(&word)).collect::<Vec<_>>().join(" ")
}

/// Whether a run may begin.
pub(super) enum Admitted {
    /// It may, as long as it holds the lock of its group, if it has one.
    Free(Option<Lock>),
    /// It is not needed, for this reason.
    Skipped(String),
    /// It was asked to stop while it waited.
    Stopped(String),
}

pub(super) async fn admit(
    pipeline: &Pipeline,
    store: &Store,
    run: &str,
    cancel: &CancelToken,
) -> Result<Admitted, CliError> {
    let Some(concurrency) = &pipeline.concurrency else { return Ok(Admitted::Free(None)) };
    let group = concurrency.group.as_str();
    let words = |holder: &Holder| {
        let since = holder.since.map(|at| format!(" since {}", super::render::moment(at))).unwrap_or_default();
        format!("run {} holds the group `{group}`{since}", holder.by)
    };
    let admission = engine::acquire(store.storage(), group, run, concurrency.on_conflict, cancel).await;
    match admission.map_err(crate::artifact::StoreError::from)? {
        Admission::Granted(lock) => Ok(Admitted::Free(Some(lock))),
        Admission::Skipped(holder) => Ok(Admitted::Skipped(format!("Skipped: {}.", words(&holder)))),
        Admission::Refused(holder) => Err(CliError::Busy(words(&holder))),
        Admission::TimedOut(holder) => {
            let waited = match concurrency.on_conflict {
                OnConflict::Wait(timeout) => humantime::format_duration(timeout).to_string(),
                OnConflict::Skip | OnConflict::Fail => "no time".to_owned(),
            };
            Err(CliError::Busy(format!("waited {waited}, and {}", words(&holder))))
        }
        Admission::Cancelled => Ok(Admitted::Stopped(format!("Stopped while waiting for the group `{group}`."))),
    }
}

/// What runs share that are carried out by one call.
pub(super) struct Runner<'a> {
    args: &'a ExecutionArgs,
    pub cancel: CancelToken,
    signer: Option<Arc<SigningKey>>,
    check: bool,
    signals: tokio::task::JoinHandle<u8>,
}

impl<'a> Runner<'a> {
    /// Starts to listen for signals.
    pub(super) fn new(args: &'a ExecutionArgs) -> Self {
        let cancel = CancelToken::new();
        Self { args, signals: tokio::spawn(watch_signals(cancel.clone())), cancel, signer: None, check: false }
    }

    /// Signs what is said of promoted models.
    pub(super) fn signing(mut self, key: Option<SigningKey>) -> Self {
        self.signer = key.map(Arc::new);
        self
    }

    /// Executes every node twice.
    fn checking(mut self, check: bool) -> Self {
        self.check = check;
        self
    }

    /// Carries a run out, showing its progress.
    pub(super) async fn run(
        &self,
        pipeline: &Pipeline,
        store: &Store,
        sources: PinnedSources,
        run_id: String,
    ) -> Result<RunReport, CliError> {
        let threads = self.args.threads.map_or_else(cores, usize::from);
        // any other number would do: one more costs no time
        let check = self.check.then(|| Arc::new(Threads::new(threads + 1)));
        let (events, shown) = mpsc::unbounded_channel();
        let options = RunOptions {
            run_id,
            jobs: self.args.jobs.map_or_else(cores, usize::from),
            pool: Arc::new(Threads::new(threads)),
            now: super::clock(),
            cancel: self.cancel.clone(),
            events,
            timeout: self.args.timeout,
            environment: environment(),
            new_id: Arc::new(super::new_id),
            parent: None,
            signer: self.signer.clone(),
            check,
        };
        let mode = if self.args.quiet { ProgressMode::None } else { self.args.progress };
        let display = tokio::spawn(progress::show(mode, shown));
        let result = engine::run(pipeline, store, sources, &options).await;
        // closes the channel, so that the display comes to its end before the result is printed
        drop(options);
        let _ = tokio::time::timeout(Duration::from_secs(1), display).await;
        Ok(result?)
    }

    /// The exit code of the signal that stopped a run.
    pub(super) async fn signal(self) -> u8 {
        // the watcher ends with the code of the signal that it saw
        self.signals.await.unwrap_or(130)
    }
}

/// What running nodes get to end what they have started, once there is no more time.
const LAST_MOMENT: Duration = Duration::from_millis(200);

/// Waits for SIGINT or SIGTERM, asks the run to stop, and returns the exit code; a second signal ends the process.
async fn watch_signals(cancel: CancelToken) -> u8 {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return 130;
    };
    let code = tokio::select! {
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    };
    cancel.cancel();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // commands that do not obey are processes of their own, which would outlive this one
        cancel.hurry();
        tokio::time::sleep(LAST_MOMENT).await;
        std::process::exit(i32::from(code));
    });
    code
}
