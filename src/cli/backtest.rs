//! `walkforward backtest`: a strategy file on files of bars, without a pipeline and without a store.

mod screen;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::Session;
use super::asked_model::{ModelName, registered};
use super::error::CliError;
use super::outside::whole_file;
use super::score::merge;
use crate::backtest::report::{
    BacktestReport, BenchmarkKind, MlComparison, ReportInput, candidates_table, equity_page, equity_svg, equity_table,
    trades_table,
};
use crate::backtest::{BacktestError, MlLimits, MlOverlay, MlRules, MlSizing, PortfolioRules, simulate};
use crate::base::{CancelToken, Cancelled, Digest, Seed, Timestamp};
use crate::feature::Features;
use crate::market::{Bars, BarsRequest, Loaded, OnBadBar, load_bars};
use crate::node::{BacktestModel, InputArtifact, backtest_model, find_kind};
use crate::stats::bootstrap::IntervalPlan;
use crate::strategy::{IndicatorCache, Signals, Strategy, StrategyError, signals};
use crate::table::Table;

/// 9999-01-01: later than any bar.
const NO_END: Timestamp = Timestamp::from_micros(253_370_764_800_000_000);

/// What a strategy is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Benchmark {
    /// Equal money in every symbol, held to the end.
    BuyAndHold,
    /// Equal money in every symbol, set right again at every close.
    EqualWeight,
    /// Nothing.
    None,
}

#[derive(Debug, Args)]
pub(super) struct BacktestArgs {
    /// The strategy file; with `--model` it may be left out: the registry has the strategy of the model.
    #[arg(required_unless_present = "model")]
    strategy: Option<PathBuf>,
    /// Bars: Parquet or CSV files, or folders of them.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    bars: Vec<PathBuf>,
    /// Only these symbols, with commas between them; default: all.
    #[arg(long, value_delimiter = ',', value_name = "SYMBOL")]
    symbols: Option<Vec<String>>,
    /// First day to trade; earlier bars serve as warm-up.
    #[arg(long, value_name = "DATE")]
    from: Option<Timestamp>,
    /// End of the data, exclusive; default: all of it.
    #[arg(long, value_name = "DATE")]
    until: Option<Timestamp>,
    /// Another value for a parameter of the strategy, as `exit.exit_ma=50`; may be given several times.
    #[arg(long = "set", value_name = "PARAMETER=VALUE")]
    set: Vec<String>,
    /// A registered model, as `signal-quality` or `signal-quality@challenger`: the same window with it and without it. Its folds
    /// score signals that they had not seen, itself those after all it learnt from.
    #[arg(long, value_name = "NAME[@ALIAS]")]
    model: Option<ModelName>,
    /// How the model is used: settings of a `backtest` node, as `prediction.mode=filter`; may be given several times.
    #[arg(long = "ml", value_name = "SETTING=VALUE", requires = "model")]
    ml: Vec<String>,
    /// Let the model score signals of its own training span; every output then says so.
    #[arg(long, requires = "model")]
    allow_in_sample: bool,
    /// What the strategy is held against.
    #[arg(long, value_enum, default_value_t = Benchmark::BuyAndHold)]
    benchmark: Benchmark,
    /// Strategies that were tried before this one was chosen, for the deflated Sharpe ratio.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tried: Option<u32>,
    /// End of the data that the strategy was chosen on: what lies before it is in sample, and the report says so.
    #[arg(long, value_name = "DATE")]
    tuned_until: Option<Timestamp>,
    /// Leave bars out that cannot be true, and count them, instead of refusing the file.
    #[arg(long)]
    drop_bad_bars: bool,
    /// Replicates of the 95 % bootstrap intervals; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 500)]
    resamples: usize,
    /// Print every figure instead of the usual ones.
    #[arg(long)]
    all: bool,
    /// Write the trades, as Parquet or CSV by the ending of the name.
    #[arg(long, value_name = "FILE")]
    trades: Option<PathBuf>,
    /// Write the equity of every session, as Parquet or CSV.
    #[arg(long, value_name = "FILE")]
    equity: Option<PathBuf>,
    /// Write every signal and what became of it, as Parquet or CSV.
    #[arg(long, value_name = "FILE")]
    candidates: Option<PathBuf>,
    /// Write a plot of equity and drawdown.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the report with its plot as one page that loads nothing.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) async fn backtest(session: &Session, args: &BacktestArgs) -> Result<ExitCode, CliError> {
    check_endings(args)?;
    let asked = AskedModel::read(session, args).await?;
    let Chosen { name, strategy, digest } = chosen(args, asked.as_ref())?;
    let loaded = load(args)?;
    let bars = &loaded.bars;
    let start = args.from.map_or(0, |from| bars.sessions.partition_point(|&ts| ts < from.micros()));
    let window = start as u32..bars.sessions.len() as u32;
    if window.is_empty() {
        let last = bars.sessions.last().map_or_else(String::new, |&ts| Timestamp::from_micros(ts).date());
        let from = args.from.map_or_else(String::new, |from| from.to_string());
        return Err(CliError::Usage(format!(
            "no session from {from} on: the data ends on {last}; give an earlier `--from`"
        )));
    }
    let rules = PortfolioRules::from(&strategy);
    let cache = IndicatorCache::new();
    let found = signals(&strategy, bars, &cache).map_err(|error| CliError::Usage(error.to_string()))?;
    let never = CancelToken::new();
    let said = match &asked {
        Some(asked) => Some(asked.ask((&strategy, digest), (bars, &found), &window, args.allow_in_sample)?),
        None => None,
    };
    // where a model has a say, the sessions from its first probability on
    let start = said.as_ref().and_then(|(_, said)| said.first).unwrap_or(window.start);
    let window = start.max(window.start)..window.end;
    let overlay = said.as_ref().map(|(overlay, _)| overlay);
    let result = simulate(bars, &found, &rules, window.clone(), overlay, &never);
    let result = result.map_err(|error| no_result(bars, &error))?;
    let input = ReportInput {
        strategy: &name,
        strategy_lints: &strategy.lints_on(bars, &found, &cache),
        bars,
        dropped_bars: &loaded.dropped,
        rules: &rules,
        backtest: &result,
        benchmark: match args.benchmark {
            Benchmark::BuyAndHold => BenchmarkKind::BuyAndHold,
            Benchmark::EqualWeight => BenchmarkKind::EqualWeight,
            Benchmark::None => BenchmarkKind::None,
        },
        tried: args.tried,
        tuned_until: args.tuned_until,
        models: said.as_ref().map(|(_, said)| &said.tags),
    };
    let mut report = BacktestReport::of(&input);
    let plan = IntervalPlan { resamples: args.resamples, ..IntervalPlan::default() };
    let plan = (args.resamples > 0).then_some(&plan);
    let stopped = |error: Cancelled| CliError::Usage(error.to_string());
    if let Some(plan) = plan {
        report.add_intervals(&input, plan, Seed::new(0), &never).map_err(stopped)?;
    }
    if let (Some(asked), Some((_, said))) = (&asked, &said) {
        let off = simulate(bars, &found, &rules, window, None, &never).map_err(|error| no_result(bars, &error))?;
        let (sides, year) = ((&off, &result), bars.periods_per_year);
        let compared = MlComparison::of(&asked.name, said.in_sample, sides, year, plan, Seed::new(0), &never);
        report.add_model(compared.map_err(stopped)?);
    }
    let written = write_all(args, &input)?;
    session.print(&report, || screen::screen(&input, &report, args.all, &written))?;
    Ok(ExitCode::SUCCESS)
}

/// Why there is no result; sessions are told as days.
fn no_result(bars: &Bars, error: &BacktestError) -> CliError {
    CliError::Usage(match error {
        BacktestError::Ruined { session, equity } => {
            let at = bars.sessions.get(*session as usize).map_or(0, |ts| *ts);
            format!(
                "equity fell to {equity:.2} on {}: the account is lost; take less risk with `--set risk.risk_per_trade=...` \
                 or `--set risk.max_exposure=...`",
                Timestamp::from_micros(at)
            )
        }
        other => format!("the backtest has no result: {other}"),
    })
}

/// The strategy that is traded.
struct Chosen {
    name: String,
    strategy: Strategy,
    /// SHA-256 of its text.
    digest: Digest,
}

/// The strategy of the file, or that of the model, with other values for some parameters.
fn chosen(args: &BacktestArgs, asked: Option<&AskedModel>) -> Result<Chosen, CliError> {
    let (name, path, text) = match (&args.strategy, asked) {
        (Some(file), _) => {
            let path = file.display().to_string();
            let text = std::fs::read_to_string(file)
                .map_err(|error| CliError::Usage(format!("{path}: cannot read the strategy: {error}")))?;
            (file.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned()), path, text)
        }
        (None, Some(asked)) => {
            let bytes = asked.strategy.bytes().map_err(|error| CliError::Usage(error.to_string()))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            (format!("strategy of {}", asked.name), "the strategy of the registry entry".to_owned(), text)
        }
        (None, None) => return Err(CliError::Usage("expected a strategy file, or `--model`".to_owned())),
    };
    let strategy = Strategy::from_yaml(&text).map_err(|error| match error {
        StrategyError::Problems { text, problems } => CliError::Pipeline { path: path.clone(), text, problems },
        other => CliError::Usage(format!("{path}: {other}")),
    })?;
    let values: BTreeMap<String, Value> = args.set.iter().map(|word| setting(word)).collect::<Result<_, _>>()?;
    if let (Some(_), Some((parameter, _))) = (asked, values.first_key_value()) {
        return Err(CliError::Usage(format!(
            "`--set {parameter}=...`: the model was trained on signals of its own strategy, and another value makes other signals; leave \
             one of `--set` and `--model` out"
        )));
    }
    let strategy = strategy.with_parameters(&values).map_err(|error| CliError::Usage(format!("`--set`: {error}")))?;
    Ok(Chosen { name, strategy, digest: Digest::of(text.as_bytes()) })
}

/// A model of the registry, and how it is used.
struct AskedModel {
    name: String,
    model: InputArtifact,
    strategy: InputArtifact,
    rules: MlRules,
    limits: MlLimits,
    sizing: MlSizing,
    features: Features,
}

impl AskedModel {
    async fn read(session: &Session, args: &BacktestArgs) -> Result<Option<Self>, CliError> {
        let Some(name) = &args.model else { return Ok(None) };
        let store = session.existing_store().await?;
        let found = registered(session, &store, name, args.until.unwrap_or(NO_END)).await?;
        let mut given = Map::new();
        for word in &args.ml {
            let (name, value) = setting(word).map_err(|_| {
                CliError::Usage(format!("`--ml {word}`: expected SETTING=VALUE, as `--ml prediction.mode=filter`"))
            })?;
            merge(&mut given, &name.split('.').collect::<Vec<_>>(), value);
        }
        let allowed = ["prediction", "limits", "sizing", "features"];
        if let Some(other) = given.keys().find(|key| !allowed.contains(&key.as_str())) {
            return Err(CliError::Usage(format!(
                "`--ml {other}`: expected a setting that begins with {}",
                allowed.map(|it| format!("`{it}`")).join(", ")
            )));
        }
        let kind = find_kind("backtest").ok_or_else(|| CliError::Usage("no kind `backtest`".to_owned()))?;
        let with = kind.normalise(&Value::Object(given)).map_err(|error| {
            let hint = error.hint.map_or_else(String::new, |hint| format!("; {hint}"));
            CliError::Usage(format!("`--ml`: {}{hint}", error.message))
        })?;
        let usage = |error: serde_json::Error| CliError::Usage(format!("`--ml`: {error}"));
        Ok(Some(Self {
            name: if name.alias == "champion" { name.model.clone() } else { format!("{}@{}", name.model, name.alias) },
            model: found.model,
            strategy: found.strategy,
            rules: serde_json::from_value(with["prediction"].clone()).map_err(usage)?,
            limits: serde_json::from_value(with["limits"].clone()).map_err(usage)?,
            sizing: serde_json::from_value(with["sizing"].clone()).map_err(usage)?,
            features: serde_json::from_value(with["features"].clone()).map_err(usage)?,
        }))
    }

    fn ask(
        &self,
        strategy: (&Strategy, Digest),
        signals: (&Bars, &Signals),
        window: &std::ops::Range<u32>,
        allow_in_sample: bool,
    ) -> Result<(MlOverlay, BacktestModel), CliError> {
        let set = self.features.build().map_err(|error| CliError::Usage(format!("`--ml features`: {error}")))?;
        let said = backtest_model(&self.name, &self.model, strategy, &set, signals, window, allow_in_sample);
        let mut said = said.map_err(|error| CliError::Usage(error.to_string()))?;
        let overlay = MlOverlay {
            rules: self.rules.clone(),
            limits: Some(self.limits.clone()),
            sizing: self.sizing,
            probability: std::mem::take(&mut said.probability),
            past: std::mem::take(&mut said.past),
        };
        Ok((overlay, said))
    }
}

/// `exit.exit_ma=50` as a parameter and its value; a word that is no YAML number or flag is text.
fn setting(word: &str) -> Result<(String, Value), CliError> {
    let (name, value) = word.split_once('=').ok_or_else(|| {
        CliError::Usage(format!("`--set {word}`: expected PARAMETER=VALUE, as `--set exit.exit_ma=50`"))
    })?;
    Ok((name.trim().to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}

fn load(args: &BacktestArgs) -> Result<Loaded, CliError> {
    let mut files = BTreeMap::new();
    for path in &args.bars {
        let fault =
            |error: std::io::Error| CliError::Usage(format!("{}: cannot read the bars: {error}", path.display()));
        let found = files_of(path).map_err(fault)?;
        if found.is_empty() {
            let path = path.display();
            return Err(CliError::Usage(format!(
                "{path}: expected `.parquet` or `.csv` files of bars in this folder, found none"
            )));
        }
        for file in found {
            let bytes = std::fs::read(&file).map_err(fault)?;
            files.insert(file.display().to_string(), Bytes::from(bytes));
        }
    }
    let request = BarsRequest {
        symbols: args.symbols.clone(),
        from: None,
        until: args.until.unwrap_or(NO_END),
        on_bad_bar: if args.drop_bad_bars { OnBadBar::Drop } else { OnBadBar::Error },
    };
    load_bars(&files, &request).map_err(|error| {
        let words = error.to_string().replace("set `on_bad_bar: drop`", "give `--drop-bad-bars`");
        CliError::Usage(words)
    })
}

/// The file itself, or the files of bars in a folder, by name.
fn files_of(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries =
        std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let is_bars = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "parquet" || ending == "csv");
    let mut files: Vec<PathBuf> = entries.into_iter().filter(is_bars).collect();
    files.sort();
    Ok(files)
}

/// Tables are written by the ending of their names: a wrong one is refused before anything is computed.
fn check_endings(args: &BacktestArgs) -> Result<(), CliError> {
    for (option, path) in [("--trades", &args.trades), ("--equity", &args.equity), ("--candidates", &args.candidates)] {
        let Some(path) = path else { continue };
        if !matches!(path.extension().and_then(|ending| ending.to_str()), Some("parquet" | "csv")) {
            let path = path.display();
            return Err(CliError::Usage(format!(
                "`{option} {path}`: expected a name that ends in `.parquet` or `.csv`"
            )));
        }
    }
    Ok(())
}

/// Writes what was asked for, and lists it.
fn write_all(args: &BacktestArgs, input: &ReportInput<'_>) -> Result<Vec<String>, CliError> {
    type Make = fn(&ReportInput<'_>) -> Table;
    type Draw = fn(&ReportInput<'_>) -> String;
    let tables: [(&Option<PathBuf>, Make); 3] =
        [(&args.trades, trades_table), (&args.equity, equity_table), (&args.candidates, candidates_table)];
    let texts: [(&Option<PathBuf>, Draw); 2] = [(&args.svg, equity_svg), (&args.html, equity_page)];
    let mut written = Vec::new();
    let mut write = |path: &Path, bytes: Bytes| {
        let fault = |error: std::io::Error| CliError::Usage(format!("{}: cannot write: {error}", path.display()));
        whole_file::write_bytes(path, &bytes).map_err(fault)?;
        written.push(path.display().to_string());
        Ok::<(), CliError>(())
    };
    for (path, make) in tables {
        let Some(path) = path else { continue };
        let table = make(input);
        let bytes = if path.extension().is_some_and(|ending| ending == "csv") {
            Bytes::from(table.to_csv(|time| time.to_string()))
        } else {
            table.to_parquet().map_err(|error| CliError::Usage(error.to_string()))?
        };
        write(path, bytes)?;
    }
    for (path, draw) in texts {
        if let Some(path) = path {
            write(path, Bytes::from(draw(input)))?;
        }
    }
    Ok(written)
}
