//! `walkforward backfill`: a pipeline as of many past dates, oldest first.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::error::CliError;
use super::pipeline_args::PipelineArgs;
use super::render::{short_id, table};
use super::run::{Admitted, ExecutionArgs, Runner, admit, give_back};
use super::{Session, say};
use crate::artifact::Store;
use crate::base::{Days, Timestamp};
use crate::engine::{Outcome, RunReport, RunStatus};

/// More dates than a person means.
const MAX_RUNS: usize = 10_000;

#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// The first date, included.
    #[arg(long, value_name = "DATE")]
    from: Timestamp,
    /// The last date, included if a step meets it.
    #[arg(long, value_name = "DATE")]
    to: Timestamp,
    /// Distance between two dates, as `1w`; without it, the ticks of the pipeline's schedule.
    #[arg(long, value_name = "DAYS")]
    every: Option<Days>,
    /// Let deployments happen; without it they only say what they would do.
    #[arg(long)]
    apply: bool,
    /// Stop at the first run that fails.
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    execution: ExecutionArgs,
}

/// One run of a backfill.
#[derive(Serialize)]
struct Line {
    as_of: Timestamp,
    run: String,
    status: RunStatus,
    ran: usize,
    reused: usize,
    skipped: usize,
    reason: String,
}

impl Line {
    fn of(report: &RunReport) -> Self {
        let count = |outcome| report.nodes.iter().filter(|node| node.outcome == outcome).count();
        let failed = report.nodes.iter().find(|node| node.outcome == Outcome::Failed);
        Self {
            as_of: report.as_of,
            run: report.run.clone(),
            status: report.status,
            ran: count(Outcome::Succeeded),
            reused: count(Outcome::Reused),
            skipped: count(Outcome::Skipped),
            reason: failed.map_or_else(|| report.reason.clone(), |node| format!("{}: {}", node.node, node.reason)),
        }
    }
}

pub(super) async fn backfill(session: &Session, args: &BackfillArgs) -> Result<ExitCode, CliError> {
    let dates = dates(args)?;
    let store = session.open_store().await?;
    let runner = Runner::new(&args.execution).signing(super::signing::signing_key()?);
    // what deploys nothing needs no place of its own
    let lock = match args.apply {
        false => None,
        true => {
            let first = PipelineArgs { as_of: dates.first().copied(), ..args.pipeline.clone() }.load()?;
            match admit(&first, &store, &super::new_id(), &runner.cancel).await? {
                Admitted::Free(lock) => lock,
                Admitted::Skipped(why) | Admitted::Stopped(why) => return Err(CliError::Busy(why)),
            }
        }
    };
    let ran = run_all(args, &dates, &store, &runner).await;
    give_back(lock).await;
    let lines = ran?;
    let failed = lines.iter().filter(|line| line.status == RunStatus::Failed).count();
    let cancelled = lines.iter().any(|line| line.status == RunStatus::Cancelled);
    if !args.execution.quiet || failed > 0 {
        session.print(&lines, || text(&lines, dates.len(), args.apply))?;
    }
    if cancelled {
        return Ok(ExitCode::from(runner.signal().await));
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

async fn run_all(
    args: &BackfillArgs,
    dates: &[Timestamp],
    store: &Store,
    runner: &Runner<'_>,
) -> Result<Vec<Line>, CliError> {
    let mut lines: Vec<Line> = Vec::new();
    for (at, as_of) in dates.iter().enumerate() {
        let as_of_that = PipelineArgs { as_of: Some(*as_of), shadow: !args.apply, ..args.pipeline.clone() };
        let mut pipeline = as_of_that.load()?;
        // what happened in the past is no news
        pipeline.notify.clear();
        if !args.execution.quiet {
            say(&format!("as of {as_of} ({} of {})", at + 1, dates.len()));
        }
        let sources = as_of_that.pin(&pipeline, store).await?;
        let report = runner.run(&pipeline, store, sources, super::new_id()).await?;
        let status = report.status;
        lines.push(Line::of(&report));
        if status == RunStatus::Cancelled || (status == RunStatus::Failed && args.fail_fast) {
            break;
        }
    }
    Ok(lines)
}

fn dates(args: &BackfillArgs) -> Result<Vec<Timestamp>, CliError> {
    if args.pipeline.as_of.is_some() {
        return Err(CliError::Usage("a backfill has `--from` and `--to` in place of `--as-of`".to_owned()));
    }
    let dates: Vec<Timestamp> = match args.every {
        Some(Days(days)) if days < 1 => {
            return Err(CliError::Usage("--every: expected at least 1d".to_owned()));
        }
        Some(step) => {
            let stride = step.0.saturating_mul(crate::base::MICROS_PER_DAY);
            let next = |at: &Timestamp| Some(Timestamp::from_micros(at.micros().checked_add(stride)?));
            std::iter::successors(Some(args.from), next).take_while(|at| *at <= args.to).take(MAX_RUNS + 1).collect()
        }
        None => {
            let asked = PipelineArgs { as_of: Some(args.from), ..args.pipeline.clone() };
            let schedule = asked.load()?.schedule;
            let schedule = schedule.ok_or_else(|| {
                CliError::Usage("the pipeline has no `schedule`; give the distance of the dates: --every 1w".to_owned())
            })?;
            schedule.ticks(args.from, args.to)
        }
    };
    if dates.is_empty() || dates.len() > MAX_RUNS {
        let message =
            format!("from {} to {}: expected 1 to {MAX_RUNS} dates, found {}", args.from, args.to, dates.len());
        return Err(CliError::Usage(message));
    }
    Ok(dates)
}

fn text(lines: &[Line], asked: usize, applied: bool) -> String {
    let rows = lines.iter().map(|line| {
        let status = match line.status {
            RunStatus::Succeeded => "succeeded",
            RunStatus::Failed => "FAILED",
            RunStatus::Cancelled => "cancelled",
        };
        vec![
            line.as_of.to_string(),
            short_id(&line.run).to_owned(),
            status.to_owned(),
            line.ran.to_string(),
            line.reused.to_string(),
            line.skipped.to_string(),
            line.reason.clone(),
        ]
    });
    let table = table(&["as of", "run", "status", "ran", "reused", "skipped", "reason"], rows);
    let failed = lines.iter().filter(|line| line.status == RunStatus::Failed).count();
    let shadow = if applied { "" } else { "; nothing was deployed" };
    format!("{table}\n\n{} of {asked} dates, {failed} failed{shadow}.", lines.len())
}
