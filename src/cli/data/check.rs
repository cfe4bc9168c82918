//! `walkforward data check`: a quality report, symbol by symbol.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::super::error::CliError;
use super::super::render::table;
use super::super::{Session, now};
use super::DataPlace;
use crate::market::{BarLength, DefectKind, DoubtfulMove, Quality, SymbolQuality};

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckArgs {
    #[command(flatten)]
    place: DataPlace,
    /// How many defects to list; all are counted.
    #[arg(long, value_name = "N", default_value_t = 50)]
    list: usize,
}

/// Doubtful moves of a symbol that are listed.
const DOUBTS: usize = 3;
/// The exit code of a negative verdict.
const DEFECTS: u8 = 3;

pub(super) async fn check(session: &Session, args: &CheckArgs) -> Result<ExitCode, CliError> {
    let quality = args.place.open(session).await?.quality(now())?;
    session.print(&quality, || text(&quality, args.list))?;
    Ok(if quality.defects.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DEFECTS) })
}

fn text(quality: &Quality, list: usize) -> String {
    let mut text = String::new();
    let header =
        ["symbol", "bars", "first", "last", "missing", "longest gap", "volume 0", "unknown", "still", "defects"];
    let _ = writeln!(text, "{}\n", table(&header, quality.symbols.iter().map(row)));
    let _ = writeln!(
        text,
        "{} of {}, {}, a bar every {}, {} bars a year",
        count(quality.bars, "bar"),
        count(quality.symbols.len() as u64, "symbol"),
        count(quality.sessions, "session"),
        quality.bar_micros.map_or("?".to_owned(), length),
        quality.periods_per_year
    );
    for symbol in &quality.symbols {
        doubts(&mut text, &symbol.symbol, "a split?", &symbol.splits);
        doubts(&mut text, &symbol.symbol, "an outlier?", &symbol.outliers);
    }
    let ended: Vec<&str> =
        quality.symbols.iter().filter(|symbol| symbol.ended_early).map(|symbol| symbol.symbol.as_str()).collect();
    if !ended.is_empty() {
        let _ = writeln!(text, "end before the others, delisted or not brought up to date: {}", ended.join(", "));
    }
    if quality.has_survivors_only() {
        let _ =
            writeln!(text, "survivorship: no symbol ends before the others; are those that were delisted left out?");
    }
    let _ = write!(text, "{}", defects(quality, list));
    text
}

fn row(symbol: &SymbolQuality) -> Vec<String> {
    let day = |time: Option<crate::base::Timestamp>| time.map_or("-".to_owned(), |time| time.date());
    let gap = symbol
        .longest_gap
        .map_or("-".to_owned(), |(from, to)| format!("{} after {}", length(to.micros() - from.micros()), from.date()));
    vec![
        symbol.symbol.clone(),
        symbol.bars.to_string(),
        day(symbol.first),
        day(symbol.last),
        symbol.missing_sessions.to_string(),
        gap,
        symbol.zero_volume.to_string(),
        symbol.unknown_volume.to_string(),
        symbol.stale_bars.to_string(),
        symbol.defects.values().sum::<u64>().to_string(),
    ]
}

fn doubts(text: &mut String, symbol: &str, what: &str, moves: &[DoubtfulMove]) {
    for doubtful in moves.iter().take(DOUBTS) {
        let _ = writeln!(text, "{symbol} at {}: {what} from {} to {}", doubtful.ts, doubtful.from, doubtful.to);
    }
    if moves.len() > DOUBTS {
        let _ = writeln!(text, "{symbol}: {} more like that; `--json` lists them", moves.len() - DOUBTS);
    }
}

fn defects(quality: &Quality, list: usize) -> String {
    let mut text = String::new();
    let total: u64 = quality.defects.values().sum();
    if total == 0 {
        return "\nno bar has a defect\n".to_owned();
    }
    let _ = writeln!(text);
    for defect in quality.first_defects.iter().take(list) {
        let _ = writeln!(text, "{defect}");
    }
    if total > list as u64 {
        let _ = writeln!(text, "... {} in all; `--list {total}` lists more", total);
    }
    let kinds =
        DefectKind::ALL.iter().filter_map(|(kind, name, _)| Some(format!("{name} {}", quality.defects.get(kind)?)));
    let _ = writeln!(text, "\n{}: {}", count(total, "defect"), kinds.collect::<Vec<_>>().join(", "));
    let _ =
        writeln!(text, "`walkforward data import --on-bad-bar drop` leaves such bars out, `repair` mends what it can");
    text
}

fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A length of time: whole days as days, else minutes.
fn length(micros: i64) -> String {
    let day = BarLength::DAY.micros();
    match micros {
        _ if micros % day == 0 => format!("{}d", micros / day),
        _ if micros % 3_600_000_000 == 0 => format!("{}h", micros / 3_600_000_000),
        _ if micros % 60_000_000 == 0 => format!("{}m", micros / 60_000_000),
        _ => format!("{}s", micros as f64 / 1e6),
    }
}
