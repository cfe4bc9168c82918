//! `walkforward data show`: bars as a node reads them.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::super::error::CliError;
use super::super::{Session, now};
use super::DataPlace;
use crate::base::Timestamp;
use crate::market::{BarsRequest, OHLCV, OnBadBar, Series};

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    #[command(flatten)]
    place: DataPlace,
    /// Only these symbols, separated by commas; default: all.
    #[arg(long, value_delimiter = ',')]
    symbols: Option<Vec<String>>,
    /// No bar that starts before this day or time.
    #[arg(long)]
    from: Option<Timestamp>,
    /// No bar that has not closed by this day or time; default: now.
    #[arg(long)]
    until: Option<Timestamp>,
    /// How many bars of each symbol; of the last ones with `--tail`.
    #[arg(long, default_value_t = 5)]
    rows: usize,
    /// Show the last bars instead of the first.
    #[arg(long)]
    tail: bool,
}

/// A bar, for machines: an undefined number is null.
#[derive(Debug, Serialize)]
struct BarRow {
    symbol: String,
    ts: Timestamp,
    values: BTreeMap<String, Option<f64>>,
}

pub(super) async fn show(session: &Session, args: &ShowArgs) -> Result<ExitCode, CliError> {
    let dataset = args.place.open(session).await?;
    let until = args.until.unwrap_or_else(now);
    // what is bad is shown by `check`
    let request = BarsRequest { symbols: args.symbols.clone(), from: args.from, until, on_bad_bar: OnBadBar::Drop };
    let loaded = dataset.load(&request)?;
    let extra = dataset.options.extra_names();
    let names: Vec<&str> = OHLCV.into_iter().chain(extra.iter().map(String::as_str)).collect();
    let rows: Vec<BarRow> = loaded
        .bars
        .series
        .iter()
        .flat_map(|series| picked(series, args).map(|row| bar(series, row, &loaded.bars.sessions, &names)))
        .collect();
    session.print(&rows, || {
        let header: Vec<&str> = ["symbol", "ts"].into_iter().chain(names.iter().copied()).collect();
        let cells = |row: &BarRow| {
            let value =
                |name: &&str| row.values.get(*name).copied().flatten().map_or("-".to_owned(), |x| x.to_string());
            [row.symbol.clone(), row.ts.to_string()].into_iter().chain(names.iter().map(value)).collect()
        };
        let dropped = match loaded.dropped.len() {
            0 => String::new(),
            many => format!("\n{many} bad bars are left out; `walkforward data check` names them"),
        };
        format!("{}{dropped}", aligned(&header, &rows.iter().map(cells).collect::<Vec<_>>()))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A table that is as wide as it is: a number that is broken over two lines is read wrongly.
fn aligned(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            // words to the left, numbers to the right
            0 | 1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        format!(" {}\n", cells.collect::<Vec<_>>().join("   ").trim_end())
    };
    let body: String = rows.iter().map(|row| line(&mut row.iter().map(String::as_str))).collect();
    line(&mut header.iter().copied()) + &body
}

fn picked(series: &Series, args: &ShowArgs) -> std::ops::Range<usize> {
    let rows = args.rows.min(series.len());
    if args.tail { series.len() - rows..series.len() } else { 0..rows }
}

fn bar(series: &Series, row: usize, sessions: &[i64], names: &[&str]) -> BarRow {
    let value = |name: &&str| {
        let found = series.column(name).map(|values| values[row]).filter(|value| value.is_finite());
        ((*name).to_owned(), found)
    };
    BarRow {
        symbol: series.symbol.clone(),
        ts: Timestamp::from_micros(sessions[series.session[row] as usize]),
        values: names.iter().map(value).collect(),
    }
}
