//! The command line: arguments, rendering, exit codes. The only place that prints, reads the clock or the environment.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | all went well |
//! | 1 | a node failed |
//! | 2 | wrong usage, or a pipeline with problems |
//! | 4 | the store, the registry or a source cannot be used |
//! | 75 | another one is under way |
//! | 130, 143 | stopped by SIGINT, SIGTERM |

mod diagnostic;
mod error;
mod gc;
mod inspect;
mod plan;
mod progress;
mod registry;
mod render;
mod run;
mod validate;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::artifact::Store;
use crate::base::{Problem, Timestamp};
use crate::engine::{EngineError, PinnedSources};
use crate::pipeline::{LoadOptions, Pipeline};
use error::CliError;

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
    Plan(PipelineArgs),
    /// Check a pipeline file; needs no store and no data.
    Validate(PipelineArgs),
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
    /// List the node kinds with their inputs, outputs and values.
    Kinds,
}

/// A pipeline and what a caller changes about it.
#[derive(Debug, Args)]
struct PipelineArgs {
    /// The pipeline file.
    file: PathBuf,
    /// End of the data window, exclusive: a date or a time in UTC.
    #[arg(long, value_name = "DATE")]
    as_of: Option<Timestamp>,
    /// Set a declared param; may be given several times.
    #[arg(long, value_name = "PARAM=VALUE", value_parser = assignment)]
    set: Vec<(String, String)>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("expected PARAM=VALUE, found `{text}`"))?;
    Ok((name.to_owned(), value.to_owned()))
}

impl PipelineArgs {
    fn load(&self) -> Result<Pipeline, CliError> {
        let path = self.file.display().to_string();
        let text = std::fs::read_to_string(&self.file)
            .map_err(|source| CliError::Usage(format!("cannot read the pipeline `{path}`: {source}")))?;
        let options = LoadOptions { set: self.set.iter().cloned().collect(), as_of: self.as_of, now: Some(now()) };
        crate::pipeline::load(&text, &options).map_err(|problems| CliError::Pipeline { path, text, problems })
    }

    /// Reads all sources; one that cannot be read is shown where the file declares it.
    async fn pin(&self, pipeline: &Pipeline, store: &Store) -> Result<PinnedSources, CliError> {
        let error = match crate::engine::pin(pipeline, store).await {
            Ok(pinned) => return Ok(pinned),
            Err(error) => error,
        };
        match (&error, std::fs::read_to_string(&self.file)) {
            (EngineError::Source { name, problem }, Ok(text)) => {
                let span = pipeline.source_spans.get(name).copied().unwrap_or_default();
                let (what, hint) =
                    problem.split_once("; ").unwrap_or((problem, "correct the path, or put the data there"));
                let problem = Problem::new("engine::source", span, format!("source `{name}`: {what}"))
                    .label("this source")
                    .hint(hint);
                Err(CliError::Source { path: self.file.display().to_string(), text, problem })
            }
            _ => Err(error.into()),
        }
    }
}

/// What every command gets.
struct Session {
    store: String,
    json: bool,
}

impl Session {
    async fn open_store(&self) -> Result<Store, CliError> {
        Ok(Store::open(&self.store).await?)
    }

    /// Prints a result: as JSON when asked for, else as text.
    fn print<T: serde::Serialize>(&self, report: &T, text: impl FnOnce() -> String) -> Result<(), CliError> {
        let words = if self.json {
            serde_json::to_string_pretty(report).map_err(|error| CliError::Usage(error.to_string()))?
        } else {
            text()
        };
        // a reader that has gone away, as `| head` does, is no error
        let _ = writeln!(std::io::stdout(), "{}", words.trim_end());
        Ok(())
    }
}

fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

fn clock() -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
    Arc::new(now)
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let session = Session { store: cli.store, json: cli.json };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return diagnostic::report(&CliError::Usage(format!("cannot start: {error}"))),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Run(args) => run::run(&session, &args).await,
            Command::Plan(args) => plan::plan(&session, &args).await,
            Command::Validate(args) => validate::validate(&session, &args),
            Command::Runs(args) => inspect::runs(&session, &args).await,
            Command::Show(args) => inspect::show(&session, &args).await,
            Command::Registry(command) => registry::registry(&session, &command).await,
            Command::Gc(args) => gc::gc(&session, &args).await,
            Command::Pin(command) => gc::pin(&session, &command).await,
            Command::Kinds => inspect::kinds(&session),
        }
    });
    // a node body that did not stop in time must not hold the process
    runtime.shutdown_background();
    result.unwrap_or_else(|error| diagnostic::report(&error))
}
