//! `walkforward schedule`: when a pipeline runs, and the files that let cron, systemd or GitHub start it.

mod crontab;
mod fields;
mod github;
mod job;
mod systemd;
mod times;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::error::CliError;
use super::render::table;
use super::{PipelineArgs, Session};
use crate::base::Timestamp;
use crate::pipeline::{Pipeline, Schedule};
use job::Job;
use times::Times;

#[derive(Debug, Subcommand)]
pub(super) enum ScheduleCommand {
    /// Write the schedule of a pipeline for cron, systemd or GitHub Actions.
    Print(PrintArgs),
    /// List when a pipeline is due next.
    Next(NextArgs),
}

#[derive(Debug, Args)]
pub(super) struct PrintArgs {
    /// The pipeline file.
    file: PathBuf,
    /// For whom to write it.
    #[arg(long, value_enum)]
    format: Format,
    /// The command line to start; otherwise this program with `run FILE`.
    #[arg(long, value_name = "COMMAND")]
    command: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct NextArgs {
    /// The pipeline file.
    file: PathBuf,
    /// How many times to list.
    #[arg(short = 'n', long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// List those after this date or time in UTC instead of now.
    #[arg(long, value_name = "DATE")]
    from: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines for `crontab -e`.
    Crontab,
    /// A service and its timer.
    Systemd,
    /// A workflow for GitHub Actions.
    Github,
}

/// A time at which a pipeline is due.
#[derive(Debug, Serialize)]
struct Tick {
    /// With the offset and the name of the schedule's time zone.
    local: String,
    utc: Timestamp,
}

pub(super) fn schedule(session: &Session, command: &ScheduleCommand) -> Result<ExitCode, CliError> {
    match command {
        ScheduleCommand::Print(args) => print(session, args),
        ScheduleCommand::Next(args) => next(session, args),
    }
}

fn print(session: &Session, args: &PrintArgs) -> Result<ExitCode, CliError> {
    let (pipeline, schedule) = load(&args.file)?;
    // what is written names the store, or relies on who says where it is
    session.store_location()?;
    let refuse = |problem: String| CliError::Usage(format!("{}: {problem}", args.file.display()));
    let times = Times::of(&schedule.cron).map_err(refuse)?;
    let job = Job::new(session, &args.file, &pipeline, args.command.as_deref())
        .map_err(|error| CliError::Usage(format!("cannot find out where this program and folder are: {error}")))?;
    let text = match args.format {
        Format::Crontab => crontab::text(&job, &schedule, &times),
        Format::Systemd => Ok(systemd::text(&job, &schedule, &times, super::now())),
        Format::Github => github::text(&job, &schedule, &times, super::now()),
    };
    let text = text.map_err(refuse)?;
    session.print(&text, || text.clone())?;
    Ok(ExitCode::SUCCESS)
}

fn next(session: &Session, args: &NextArgs) -> Result<ExitCode, CliError> {
    let (pipeline, schedule) = load(&args.file)?;
    let from = args.from.unwrap_or_else(super::now);
    let ticks = std::iter::successors(schedule.next_tick(from), |&tick| schedule.next_tick(tick));
    let ticks: Vec<Timestamp> = ticks.take(usize::from(args.count)).collect();
    let local = |tick: &Timestamp| schedule.local(*tick).map_or_else(String::new, |time| time.to_string());
    let report: Vec<Tick> = ticks.iter().map(|tick| Tick { local: local(tick), utc: *tick }).collect();
    session.print(&report, || {
        let head = format!("{} · {} · {}", pipeline.name, schedule.cron, schedule.timezone);
        if ticks.is_empty() {
            return format!("{head}\n\nIt is never due: no day matches.");
        }
        format!("{head}\n\n{}", tick_table(&schedule, &ticks))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn tick_table(schedule: &Schedule, ticks: &[Timestamp]) -> String {
    let utc = Schedule { timezone: "UTC".to_owned(), ..schedule.clone() };
    let cell = |schedule: &Schedule, tick: Timestamp, format: &str| {
        schedule.local(tick).map_or_else(String::new, |time| time.strftime(format).to_string())
    };
    let (with_offset, plain) = ("%a %Y-%m-%d %H:%M %:z", "%a %Y-%m-%d %H:%M");
    if schedule.timezone == utc.timezone {
        return table(&["UTC"], ticks.iter().map(|&tick| vec![cell(&utc, tick, plain)]));
    }
    let rows = ticks.iter().map(|&tick| vec![cell(schedule, tick, with_offset), cell(&utc, tick, plain)]);
    table(&[&schedule.timezone, "UTC"], rows)
}

/// Reads a pipeline that has a schedule.
fn load(file: &Path) -> Result<(Pipeline, Schedule), CliError> {
    let pipeline = PipelineArgs { file: file.to_owned(), ..PipelineArgs::default() }.load()?;
    match pipeline.schedule.clone() {
        Some(schedule) => Ok((pipeline, schedule)),
        None => Err(CliError::Usage(format!(
            "{} has no schedule; add, as an example: schedule: {{cron: \"0 6 * * 0\", timezone: UTC}}",
            file.display()
        ))),
    }
}
