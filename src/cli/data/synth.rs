//! `walkforward data synth`: a market whose truth is known.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::super::Session;
use super::super::error::CliError;
use super::import::publish;
use crate::market::MarketError;
use crate::synth::{PRESETS, Params, SynthError, Truth, bars_table, episodes_table, generate};
use crate::table::TableWriter;

/// The presets, for the help.
fn presets() -> String {
    let lines = PRESETS.iter().map(|(name, meaning, _)| format!("  {name:<18} {meaning}"));
    format!("Presets:\n{}", lines.collect::<Vec<_>>().join("\n"))
}

#[derive(Debug, Args)]
#[command(after_help = presets())]
pub(in crate::cli) struct SynthArgs {
    /// Which market.
    #[arg(long, default_value = "sample")]
    preset: String,
    /// The folder to write `ohlcv.parquet`, `truth_episodes.parquet` and `truth.json` to.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Change a parameter, as `symbols=5` or `drift_kind=none`; the truth lists all of them.
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Seed of the market.
    #[arg(long)]
    seed: Option<u64>,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
}

pub(super) fn synth(session: &Session, args: &SynthArgs) -> Result<ExitCode, CliError> {
    let refuse = |error| CliError::Synth(SynthError::Params(error));
    let mut params = Params::preset(&args.preset).map_err(refuse)?;
    for setting in &args.set {
        params = params.set(setting).map_err(refuse)?;
    }
    params.seed = args.seed.unwrap_or(params.seed);
    params.check().map_err(refuse)?;

    let path = |name: &str| args.out.join(name);
    let (truth, episodes) = publish(&path("ohlcv.parquet"), args.force, |file| {
        let none = bars_table("", &[], &Default::default());
        let mut writer = TableWriter::new(&none, file).map_err(SynthError::Write)?;
        let made = generate(&params, &mut |symbol, times, bars| Ok(writer.write(&bars_table(symbol, times, bars))?))?;
        writer.finish().map_err(SynthError::Write)?;
        Ok(made)
    })?;
    let written =
        |error: std::io::Error| CliError::DataFile(format!("cannot write to `{}`: {error}", args.out.display()));
    let table = episodes_table(&episodes).to_parquet().map_err(MarketError::Write)?;
    publish(&path("truth_episodes.parquet"), args.force, |file| file.write_all(&table).map_err(written))?;
    let words = serde_json::to_string_pretty(&truth).map_err(|error| CliError::DataFile(error.to_string()))?;
    publish(&path("truth.json"), args.force, |file| writeln!(file, "{words}").map_err(written))?;
    session.print(&truth, || text(args, &truth))?;
    Ok(ExitCode::SUCCESS)
}

fn text(args: &SynthArgs, truth: &Truth) -> String {
    let auc = truth.oracle_auc_volume_vs_kind;
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    format!(
        "{}: {} symbols, {} bars each, {} to {}\n{} breakouts planted, {} of them true; volume tells them apart with AUC {}{}",
        args.out.join("ohlcv.parquet").display(),
        truth.symbols.len(),
        truth.bars,
        truth.first,
        truth.last,
        truth.episodes,
        truth.episodes_true,
        number(auc.before),
        truth.drift_date.map_or(String::new(), |date| format!(", from {date} on {}", number(auc.after))),
    )
}
