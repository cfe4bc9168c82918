//! `walkforward run`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::error::CliError;
use super::progress::{self, ProgressMode};
use super::render::run_report;
use super::{PipelineArgs, Session};
use crate::artifact::StoreError;
use crate::base::CancelToken;
use crate::engine::{self, RunOptions, RunStatus};

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
}

fn default_threads() -> u16 {
    std::thread::available_parallelism().ok().and_then(|count| u16::try_from(count.get()).ok()).unwrap_or(1)
}

pub(super) async fn run(session: &Session, args: &RunArgs) -> Result<ExitCode, CliError> {
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
    let options = RunOptions {
        run_id: uuid::Uuid::now_v7().to_string(),
        jobs: usize::from(args.jobs),
        pool: Arc::new(pool),
        now: super::clock(),
        cancel,
        events,
    };
    let mode = if args.quiet { ProgressMode::None } else { args.progress };
    let display = tokio::spawn(progress::show(mode, shown));
    let entered = engine::enter(store.storage(), &options.run_id, &options.cancel).await.map_err(StoreError::from)?;
    let Some(entered) = entered else { return Ok(ExitCode::from(signals.await.unwrap_or(130))) };
    let result = engine::run(&pipeline, &store, sources, &options).await;
    // a lease that is not given back makes a sweep wait; that is no reason to fail a run that is done
    let _ = entered.release().await;
    // closes the channel, so that the display comes to its end before the result is printed
    drop(options);
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), display).await;
    let report = result?;
    let doubtful = report.nodes.iter().any(|node| !node.nondeterministic.is_empty());
    if !(args.quiet && report.status == RunStatus::Succeeded) || doubtful {
        session.print(&report, || run_report(&report))?;
    }
    Ok(match report.status {
        RunStatus::Succeeded => ExitCode::SUCCESS,
        RunStatus::Failed => ExitCode::from(1),
        // the watcher ends with the code of the signal that it saw
        RunStatus::Cancelled => ExitCode::from(signals.await.unwrap_or(130)),
    })
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
