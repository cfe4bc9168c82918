//! `walkforward data`: market data, looked at, brought into one form, or made.

mod check;
mod holdout;
mod import;
mod show;
mod synth;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Session;
use super::error::CliError;
use crate::engine::{Hold, read_dataset};
use crate::market::{Dataset, ReadOptions};
use crate::pipeline::parse_read_options;

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Say what is wrong or doubtful in bars, symbol by symbol; exit code 3 if a bar cannot be true.
    Check(check::CheckArgs),
    /// List who looked at the holdout of a data set, and how often it was opened.
    Holdout,
    /// Write bars as one validated Parquet file, sorted by symbol and time; with `--read`, adjusted, resampled or joined.
    Import(import::ImportArgs),
    /// Print bars as a node reads them, with every further column.
    #[command(visible_alias = "head")]
    Show(show::ShowArgs),
    /// Make a market whose truth is known: a planted edge, and a planted drift.
    Synth(synth::SynthArgs),
}

/// Bars outside the store.
#[derive(Debug, Args)]
struct DataPlace {
    /// Parquet or CSV: a file, a folder, a pattern in quotes as `'raw/**/*.csv'`, or `s3://bucket/prefix`.
    path: String,
    /// How files become bars, as under `read` of a source: YAML in quotes, as `'{file_name: "{symbol}"}'`, or a file of it.
    #[arg(long, value_name = "YAML")]
    read: Option<String>,
}

impl DataPlace {
    fn options(&self) -> Result<ReadOptions, CliError> {
        let Some(given) = &self.read else { return Ok(ReadOptions::default()) };
        let (path, text) = match std::fs::read_to_string(given) {
            Ok(text) => (given.clone(), text),
            Err(_) if given.contains(':') => ("--read".to_owned(), given.clone()),
            Err(error) => return Err(CliError::Usage(format!("--read: cannot read `{given}`: {error}"))),
        };
        parse_read_options(&text).map_err(|problems| CliError::Pipeline { path, text, problems })
    }

    /// The data set there; what is on disk stays there until it is read.
    async fn open(&self, session: &Session) -> Result<Dataset, CliError> {
        read_dataset(&self.path, &self.options()?, Hold::Remote, &session.access.nowhere())
            .await
            .map_err(CliError::DataFile)
    }
}

pub(super) async fn data(session: &Session, command: &DataCommand) -> Result<ExitCode, CliError> {
    match command {
        DataCommand::Check(args) => check::check(session, args).await,
        DataCommand::Holdout => holdout::holdout(session).await,
        DataCommand::Import(args) => import::import(session, args).await,
        DataCommand::Show(args) => show::show(session, args).await,
        DataCommand::Synth(args) => synth::synth(session, args),
    }
}
