//! The command line: arguments, rendering, exit codes. The only place that prints, reads the clock or the environment.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | all went well |
//! | 1 | a node failed |
//! | 2 | wrong usage, or a pipeline with problems |
//! | 3 | a negative verdict: `--fail-on`, `plan --exit-code`, `status --exit-code`, a mismatch in `audit` |
//! | 4 | the store, the registry or a source cannot be used |
//! | 75 | another run holds the group, or a sweep is under way |
//! | 130, 143 | stopped by SIGINT, SIGTERM |

mod audit;
mod backfill;
mod diagnostic;
#[cfg(test)]
mod documents;
mod error;
mod gc;
mod inspect;
mod kinds;
mod outside;
mod pipeline_args;
mod plan;
mod progress;
mod registry;
mod render;
mod run;
mod schema;
mod status;
mod validate;
mod verdict;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::artifact::Store;
use crate::base::Timestamp;
use error::CliError;
use pipeline_args::PipelineArgs;

/// Runs the whole life of a trading model from one YAML file.
#[derive(Debug, Parser)]
#[command(name = "walkforward", version, arg_required_else_help = true)]
struct Cli {
    /// Where artifacts, run records and the registry live: a folder or `s3://bucket/prefix`.
    #[arg(long, global = true, env = "WALKFORWARD_STORE", default_value = "artifacts/store")]
    store: String,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
    /// Check what a model in production was made from, link by link, and make it again.
    Audit(audit::AuditArgs),
    /// Check a pipeline file; needs no store and no data.
    Validate(validate::ValidateArgs),
    /// List runs, newest first.
    Runs(inspect::RunsArgs),
    /// Show a run, node by node.
    Show(inspect::ShowArgs),
    /// Look at the model registry, or roll a model back.
    #[command(subcommand)]
    Registry(registry::RegistryCommand),
    /// Remove what no model, no kept run and no pin refers to.
    Gc(gc::GcArgs),
    /// Keep a run or an object for good.
    #[command(subcommand)]
    Pin(gc::PinCommand),
    /// List the node kinds, or show one with its inputs, outputs, values and settings.
    Kinds(kinds::KindsArgs),
    /// Print the JSON Schema of pipeline or strategy files, for editors.
    Schema(schema::SchemaArgs),
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Plan(_) => "plan",
            Self::Why(_) => "why",
            Self::Backfill(_) => "backfill",
            Self::Status(_) => "status",
            Self::Audit(_) => "audit",
            Self::Validate(_) => "validate",
            Self::Runs(_) => "runs",
            Self::Show(_) => "show",
            Self::Registry(_) => "registry",
            Self::Gc(_) => "gc",
            Self::Pin(_) => "pin",
            Self::Kinds(_) => "kinds",
            Self::Schema(_) => "schema",
        }
    }
}

/// Version of everything that `--json` prints.
const JSON_VERSION: u32 = 1;

/// What every command gets.
#[derive(Clone)]
struct Session {
    store: String,
    json: bool,
    /// The name of the command, for what it prints as JSON.
    command: &'static str,
}

impl Session {
    async fn open_store(&self) -> Result<Store, CliError> {
        Ok(Store::open(&self.store).await?)
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
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// An id for a run: a version 7 UUID, so that ids sort by time.
fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

fn clock() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    Arc::new(now)
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let session = Session { store: cli.store, json: cli.json, command: cli.command.name() };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return diagnostic::report(&session, &CliError::Usage(format!("cannot start: {error}"))),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(&session, &args).await,
            Command::Plan(args) => plan::plan(&session, &args).await,
            Command::Why(args) => plan::why(&session, &args).await,
            Command::Backfill(args) => backfill::backfill(&session, &args).await,
            Command::Status(args) => status::status(&session, &args).await,
            Command::Audit(args) => audit::audit(&session, &args).await,
            Command::Validate(args) => validate::validate(&session, &args),
            Command::Runs(args) => inspect::runs(&session, &args).await,
            Command::Show(args) => inspect::show(&session, &args).await,
            Command::Registry(command) => registry::registry(&session, &command).await,
            Command::Gc(args) => gc::gc(&session, &args).await,
            Command::Pin(command) => gc::pin(&session, &command).await,
            Command::Kinds(args) => kinds::kinds(&session, &args),
            Command::Schema(args) => schema::schema(&session, &args),
        }
    });
    // a node body that did not stop in time must not hold the process
    runtime.shutdown_background();
    result.unwrap_or_else(|error| diagnostic::report(&session, &error))
}
