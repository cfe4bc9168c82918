//! `walkforward run`.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::error::CliError;
use super::outside::OutsideArgs;
use super::progress::{self, ProgressMode};
use super::render::run_report;
use super::{PipelineArgs, Session, diagnostic};
use crate::base::CancelToken;
use crate::engine::{self, RunOptions, RunReport, RunStatus};

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// Threads that nodes compute on; never changes a result.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..), default_value_t = default_threads())]
    threads: u16,
    /// Nodes that may run at once; never changes a result.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..), default_value_t = default_threads())]
    jobs: u16,
    /// How to show progress on stderr.
    #[arg(long, value_enum, default_value_t = ProgressMode::Auto)]
    progress: ProgressMode,
    /// Print nothing unless something fails.
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    outside: OutsideArgs,
}

fn default_threads() -> u16 {
    std::thread::available_parallelism().ok().and_then(|count| u16::try_from(count.get()).ok()).unwrap_or(1)
}

/// Carries a run out and tells the world outside how it ended.
pub(super) async fn run(session: &Session, args: &RunArgs) -> Result<ExitCode, CliError> {
    let run_id = uuid::Uuid::now_v7().to_string();
    let outside = args.outside.started(&run_id);
    let (code, warnings) = match carry_out(session, args, run_id).await {
        Ok((report, code)) => (ExitCode::from(code), outside.ended(&report, code).await),
        Err(error) => {
            // before the world outside, which may take its time
            let code = diagnostic::report(&error);
            (code, outside.broke_off(&diagnostic::render(&error, false), error.exit_code()).await)
        }
    };
    for warning in warnings {
        let _ = writeln!(std::io::stderr(), "warning: {warning}");
    }
    Ok(code)
}

/// The report of a run, and its exit code.
async fn carry_out(session: &Session, args: &RunArgs, run_id: String) -> Result<(RunReport, u8), CliError> {
    let cancel = CancelToken::new();
    let signals = tokio::spawn(watch_signals(cancel.clone()));
    let pipeline = args.pipeline.load()?;
    let store = session.open_store().await?;
    let sources = args.pipeline.pin(&pipeline, &store).await?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(usize::from(args.threads))
        .build()
        .map_err(|error| CliError::Usage(format!("cannot start {} threads: {error}", args.threads)))?;
    let (events, shown) = mpsc::unbounded_channel();
    let options =
        RunOptions { run_id, jobs: usize::from(args.jobs), pool: Arc::new(pool), now: super::clock(), cancel, events };
    let mode = if args.quiet { ProgressMode::None } else { args.progress };
    let display = tokio::spawn(progress::show(mode, shown));
    let result = engine::run(&pipeline, &store, sources, &options).await;
    // closes the channel, so that the display comes to its end before the result is printed
    drop(options);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), display).await;
    let report = result?;
    let doubtful = report.nodes.iter().any(|node| !node.nondeterministic.is_empty());
    if !(args.quiet && report.status == RunStatus::Succeeded) || doubtful {
        session.print(&report, || run_report(&report))?;
    }
    let code = match report.status {
        RunStatus::Succeeded => 0,
        RunStatus::Failed => 1,
        // the watcher ends with the code of the signal that it saw
        RunStatus::Cancelled => signals.await.unwrap_or(130),
    };
    Ok((report, code))
}

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
        std::process::exit(i32::from(code));
    });
    code
}
