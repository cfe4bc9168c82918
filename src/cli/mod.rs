//! The command line: arguments, rendering, exit codes. The only place that prints, reads the clock or the environment.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | all went well |
//! | 1 | a node failed |
//! | 2 | wrong usage, or a pipeline with problems |
//! | 3 | a negative verdict: `--fail-on`, `plan --exit-code`, `status --exit-code`, a mismatch in `audit`, a feature that looks ahead |
//! | 4 | the store, the registry or a source cannot be used |
//! | 75 | another run holds the group, or a sweep is under way |
//! | 130, 143 | stopped by SIGINT, SIGTERM |

mod asked_model;
mod audit;
mod backfill;
mod backtest;
mod data;
mod diagnostic;
mod diff;
mod doctor;
#[cfg(test)]
mod documents;
mod error;
mod families;
mod fault;
mod features;
mod gc;
mod graph;
mod init;
mod inspect;
mod kinds;
mod logs;
mod metrics;
mod model;
mod monitor;
mod outside;
mod pipeline_args;
mod plan;
mod progress;
mod project;
mod reference;
mod registry;
mod render;
mod run;
mod schedule;
mod schema;
mod score;
mod shell;
mod signing;
mod status;
mod study;
mod trace;
mod validate;
mod verdict;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::artifact::{Store, StoreError};
use crate::base::Timestamp;
use crate::storage::{Access, Faults};
use error::CliError;
use pipeline_args::PipelineArgs;
use project::{BadProject, StoreOrigin, StorePlace};

/// Runs the whole life of a trading model from one YAML file.
#[derive(Debug, Parser)]
#[command(name = "walkforward", version, arg_required_else_help = true)]
struct Cli {
    /// Where artifacts, run records and the registry live: a folder or `s3://bucket/prefix`; default: `store` of
    /// configs/project.yaml, else artifacts/store.
    #[arg(long, global = true, env = "WALKFORWARD_STORE")]
    store: Option<String>,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Begin a project that runs: a pipeline, a strategy, some data. Nothing that is there is replaced.
    Init(init::InitArgs),
    /// Run a pipeline: what is in the store is reused, the rest runs.
    Run(run::RunArgs),
    /// Say what a run would do, and why, without doing it.
    Plan(plan::PlanArgs),
    /// Say why a node would run, be reused or be skipped: every part of its fingerprint that differs.
    Why(plan::WhyArgs),
    /// Run a pipeline as of many past dates, oldest first; deploys nothing unless told to.
    Backfill(backfill::BackfillArgs),
    /// Say how pipelines stand: last run, due and missed ticks, age of the model, drift.
    Status(status::StatusArgs),
    /// Look at what runs found out over time, and test who is told of changes.
    #[command(subcommand)]
    Monitor(monitor::MonitorCommand),
    /// Check what a model in production was made from, link by link, and make it again.
    Audit(audit::AuditArgs),
    /// Trade a strategy on files of bars with one account: result, signals, assumptions, doubts. Needs no store.
    Backtest(backtest::BacktestArgs),
    /// Score the signals of the newest bars with registered models: probability, decision and reason for each.
    Score(score::ScoreArgs),
    /// List the figures of a backtest with their formulas, or explain one.
    Metrics(metrics::MetricsArgs),
    /// Say where a number of a model comes from: the artifact, every node that led to it, and the bytes all began with.
    Trace(trace::TraceArgs),
    /// Print the bytes of an artifact, checked against its digest; a table as CSV if asked.
    Cat(trace::CatArgs),
    /// Check a pipeline file; needs no store and no data.
    Validate(validate::ValidateArgs),
    /// List runs, newest first.
    Runs(inspect::RunsArgs),
    /// Show a run, node by node.
    Show(inspect::ShowArgs),
    /// Say what differs between two runs.
    Diff(diff::DiffArgs),
    /// Print what a node wrote while it ran, or list the attempts of all nodes.
    Logs(logs::LogsArgs),
    /// Draw a pipeline: sources, nodes, and what flows between them.
    Graph(graph::GraphArgs),
    /// Say when a pipeline is due, and write that for cron, systemd or GitHub Actions.
    #[command(subcommand)]
    Schedule(schedule::ScheduleCommand),
    /// Look at the searches for parameters: what was found, which parameters mattered, how much of it is luck.
    #[command(subcommand)]
    Study(study::StudyCommand),
    /// Look at the model registry, or roll a model back.
    #[command(subcommand)]
    Registry(registry::RegistryCommand),
    /// Show a model, write it for another library, or look at one that another library saved.
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Remove what no model, no kept run and no pin refers to.
    Gc(gc::GcArgs),
    /// Keep a run or an object for good.
    #[command(subcommand)]
    Pin(gc::PinCommand),
    /// List the node kinds, or show one with its inputs, outputs, values and settings.
    Kinds(kinds::KindsArgs),
    /// List the model families, or show one with its parameters, their ranges and defaults.
    Families(families::FamiliesArgs),
    /// Look at feature sets, at the functions of expressions, and at what an expression means; check that none looks ahead.
    #[command(subcommand)]
    Features(features::FeaturesCommand),
    /// Look at market data before it is used, bring it into one form, or make some whose truth is known.
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Print the JSON Schema of pipeline or strategy files, for editors.
    Schema(schema::SchemaArgs),
    /// Look whether everything is there that a run needs: store, machine, files.
    Doctor(doctor::DoctorArgs),
    /// Print what lets a shell complete commands.
    Completions(reference::CompletionsArgs),
    /// Print the manual page, or write the pages of all commands.
    Man(reference::ManArgs),
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Run(_) => "run",
            Self::Plan(_) => "plan",
            Self::Why(_) => "why",
            Self::Backfill(_) => "backfill",
            Self::Status(_) => "status",
            Self::Monitor(_) => "monitor",
            Self::Audit(_) => "audit",
            Self::Backtest(_) => "backtest",
            Self::Score(_) => "score",
            Self::Metrics(_) => "metrics",
            Self::Trace(_) => "trace",
            Self::Cat(_) => "cat",
            Self::Validate(_) => "validate",
            Self::Runs(_) => "runs",
            Self::Show(_) => "show",
            Self::Diff(_) => "diff",
            Self::Logs(_) => "logs",
            Self::Graph(_) => "graph",
            Self::Schedule(_) => "schedule",
            Self::Study(_) => "study",
            Self::Registry(_) => "registry",
            Self::Model(_) => "model",
            Self::Gc(_) => "gc",
            Self::Pin(_) => "pin",
            Self::Kinds(_) => "kinds",
            Self::Families(_) => "families",
            Self::Features(_) => "features",
            Self::Data(_) => "data",
            Self::Schema(_) => "schema",
            Self::Doctor(_) => "doctor",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
        }
    }
}

/// Version of everything that `--json` prints.
const JSON_VERSION: u32 = 1;

/// What every command gets.
#[derive(Clone)]
struct Session {
    store: String,
    /// Who says that the store is there.
    store_origin: StoreOrigin,
    /// What the environment says about reaching it.
    access: Access,
    /// A project file that could not be asked where the store is.
    bad_project: Option<BadProject>,
    json: bool,
    /// The name of the command, for what it prints as JSON.
    command: &'static str,
    /// What tests have go wrong with the store.
    faults: Faults,
}

impl Session {
    /// Opens the store, made if it is missing.
    async fn open_store(&self) -> Result<Store, CliError> {
        let storage = self.access.open(self.store_location()?).map_err(StoreError::from)?;
        Ok(Store::over(storage.with_faults(self.faults.clone())).await?)
    }

    /// Opens the store to look at it.
    async fn existing_store(&self) -> Result<Store, CliError> {
        let location = self.store_location()?;
        let storage = self.access.open_existing(location).map_err(StoreError::from)?;
        Ok(Store::existing(storage, location).await?.with_faults(self.faults.clone()))
    }

    /// Opens the store to look at it, or an empty one where there is none.
    async fn store_or_none(&self) -> Result<Store, CliError> {
        match self.existing_store().await {
            Err(CliError::Store(StoreError::Missing { .. })) => Ok(Store::over(self.access.nowhere()).await?),
            other => other,
        }
    }

    fn store_location(&self) -> Result<&str, CliError> {
        match &self.bad_project {
            Some(refused) => Err(refused.clone().into()),
            None => Ok(&self.store),
        }
    }

    /// Prints a result: as JSON when asked for, else as text.
    fn print<T: serde::Serialize>(&self, report: &T, text: impl FnOnce() -> String) -> Result<(), CliError> {
        let words = if self.json {
            let whole = serde_json::json!({"version": JSON_VERSION, "command": self.command, "result": report});
            serde_json::to_string_pretty(&whole).map_err(|error| CliError::Usage(error.to_string()))?
        } else {
            text()
        };
        // a reader that has gone away, as `| head` does, is no error
        let _ = writeln!(std::io::stdout(), "{}", words.trim_end());
        Ok(())
    }
}

/// Writes a line to stderr.
fn say(line: &str) {
    // stderr that has gone away is no reason to stop
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond().saturating_add(fault::clock_error()))
}

/// An id for a run: a version 7 UUID, so that ids sort by time.
fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn clock() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    Arc::new(now)
}

/// What the environment says about reaching stores.
fn environment() -> Access {
    Access::of(
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
    )
}

/// Runs the program.
pub fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let StorePlace { location, origin, refused } =
        StorePlace::find(cli.store.as_deref(), matches.value_source("store"));
    let faults = match fault::from_env() {
        Ok(faults) => faults,
        Err(error) => Cli::command().error(clap::error::ErrorKind::ValueValidation, error).exit(),
    };
    let session = Session {
        store: location,
        store_origin: origin,
        access: environment(),
        bad_project: refused,
        json: cli.json,
        command: cli.command.name(),
        faults,
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return diagnostic::report(&session, &CliError::Usage(format!("cannot start: {error}"))),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Init(args) => init::init(&session, &args),
            Command::Run(args) => run::run(&session, &args).await,
            Command::Plan(args) => plan::plan(&session, &args).await,
            Command::Why(args) => plan::why(&session, &args).await,
            Command::Backfill(args) => backfill::backfill(&session, &args).await,
            Command::Status(args) => status::status(&session, &args).await,
            Command::Monitor(command) => monitor::monitor(&session, &command).await,
            Command::Audit(args) => audit::audit(&session, &args).await,
            Command::Backtest(args) => backtest::backtest(&session, &args).await,
            Command::Score(args) => score::score(&session, &args).await,
            Command::Metrics(args) => metrics::metrics(&session, &args),
            Command::Trace(args) => trace::trace(&session, &args).await,
            Command::Cat(args) => trace::cat(&session, &args).await,
            Command::Validate(args) => validate::validate(&session, &args),
            Command::Runs(args) => inspect::runs(&session, &args).await,
            Command::Show(args) => inspect::show(&session, &args).await,
            Command::Diff(args) => diff::diff(&session, &args).await,
            Command::Logs(args) => logs::logs(&session, &args).await,
            Command::Graph(args) => graph::graph(&session, &args),
            Command::Schedule(command) => schedule::schedule(&session, &command),
            Command::Study(command) => study::study(&session, &command).await,
            Command::Model(command) => model::model(&session, &command).await,
            Command::Registry(command) => registry::registry(&session, &command).await,
            Command::Gc(args) => gc::gc(&session, &args).await,
            Command::Pin(command) => gc::pin(&session, &command).await,
            Command::Kinds(args) => kinds::kinds(&session, &args),
            Command::Families(args) => families::families(&session, &args),
            Command::Features(command) => features::features(&session, &command),
            Command::Data(command) => data::data(&session, &command).await,
            Command::Schema(args) => schema::schema(&session, &args),
            Command::Doctor(args) => doctor::doctor(&session, &args).await,
            Command::Completions(args) => reference::completions(&session, &args),
            Command::Man(args) => reference::man(&session, &args),
        }
    });
    // a node body that did not stop in time must not hold the process
    runtime.shutdown_background();
    result.unwrap_or_else(|error| diagnostic::report(&session, &error))
}
