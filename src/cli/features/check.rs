//! `walkforward features check`: the truncation test on a person's own bars.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use serde_json::json;

use super::{CheckArgs, asked, counted};
use crate::cli::error::CliError;
use crate::cli::{Session, now};
use crate::feature::{CausalityError, truncation_check};
use crate::market::{Bars, BarsRequest, OnBadBar, load_bars};

/// Exit code of a negative verdict.
const LOOKS_AHEAD: u8 = 3;

pub(super) fn check(session: &Session, args: &CheckArgs) -> Result<ExitCode, CliError> {
    let set = asked(args)?;
    let bars = read_bars(&args.data)?;
    let cuts = cuts(bars.sessions.len(), set.look_back());
    let found = truncation_check(&set, &bars, &cuts);
    let what = format!(
        "{} of `{}`, {}, {}",
        counted(set.specs().len(), "feature"),
        set.name(),
        counted(bars.series.len(), "symbol"),
        counted(bars.sessions.len(), "session")
    );
    let listed = cuts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let (compared, fault) = match found {
        Ok(compared) => (Some(compared), None),
        Err(fault @ CausalityError::LooksAhead { .. }) => (None, Some(fault)),
        Err(CausalityError::Evaluation(error)) => return Err(CliError::Usage(error.to_string())),
    };
    let report = json!({
        "set": set.name(),
        "features": set.names(),
        "symbols": bars.series.len(),
        "sessions": bars.sessions.len(),
        "cuts": cuts,
        "values_compared": compared,
        "looks_ahead": fault.as_ref().map(ToString::to_string),
    });
    session.print(&report, || match (&fault, compared) {
        (Some(fault), _) => format!("{what}\n{fault}"),
        (None, compared) => format!(
            "{what}\nhistories cut after {listed} sessions: {} values compared, none differs in any bit\nno feature looks ahead",
            compared.unwrap_or(0)
        ),
    })?;
    Ok(if fault.is_some() { ExitCode::from(LOOKS_AHEAD) } else { ExitCode::SUCCESS })
}

/// Sessions after which the history is cut: its beginning, around the look-back, quarters, and its end.
fn cuts(sessions: usize, look_back: usize) -> Vec<usize> {
    let around =
        [1, 2, look_back, look_back + 1, sessions / 4, sessions / 2, 3 * sessions / 4, sessions.saturating_sub(1)];
    let inside: BTreeSet<usize> = around.into_iter().filter(|&cut| cut > 0 && cut <= sessions).collect();
    inside.into_iter().collect()
}

/// Reads bars from files and folders.
pub(super) fn read_bars(paths: &[String]) -> Result<Bars, CliError> {
    let mut files: BTreeMap<String, Bytes> = BTreeMap::new();
    for path in paths {
        for file in files_of(Path::new(path))? {
            let bytes = std::fs::read(&file).map_err(|error| unreadable(&file, &error))?;
            files.insert(file.display().to_string(), Bytes::from(bytes));
        }
    }
    let request = BarsRequest { symbols: None, from: None, until: now(), on_bad_bar: OnBadBar::Error };
    let loaded = load_bars(&files, &request).map_err(|error| CliError::Usage(error.to_string()))?;
    Ok(loaded.bars)
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Usage(format!("cannot read `{}`: {error}", path.display()))
}

/// A file itself, or the Parquet and CSV files of a folder.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, CliError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let is_table = |file: &PathBuf| file.extension().is_some_and(|suffix| suffix == "parquet" || suffix == "csv");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|error| unreadable(path, &error))? {
        let file = entry.map_err(|error| unreadable(path, &error))?.path();
        if is_table(&file) {
            found.push(file);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(CliError::Usage(format!("`{}`: expected Parquet or CSV files in it, found none", path.display())));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_cut_inside_itself() {
        assert_eq!(cuts(100, 20), [1, 2, 20, 21, 25, 50, 75, 99]);
        assert_eq!(cuts(1, 20), [1]);
        assert!(cuts(0, 20).is_empty());
    }
}
