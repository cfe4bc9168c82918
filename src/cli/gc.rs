//! `walkforward gc` and `walkforward pin add | remove | list`.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::Session;
use super::error::CliError;
use super::render::{moment, table};
use crate::artifact::{Store, StoreError};
use crate::base::{CancelToken, Days};
use crate::engine;
use crate::engine::gc::{
    self, Because, Class, Explanation, GcOptions, GcReport, PinRecord, PinTarget, Retention, Standing, Tally,
};

#[derive(Debug, Args)]
pub(super) struct GcArgs {
    /// Keep the records of so many runs of each pipeline, and all they refer to.
    #[arg(long, value_name = "N", default_value_t = 50)]
    keep_runs: usize,
    /// Keep the records of all runs that are younger than so many days.
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    keep_days: u32,
    /// How long nothing must have referred to an object before it is removed, as `1d` or `12h`.
    #[arg(long, default_value = "1d", value_parser = duration)]
    grace: Duration,
    /// Say what this call would do, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print what keeps one object, by its digest or the beginning of it; changes nothing.
    #[arg(long, value_name = "DIGEST")]
    explain: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum PinCommand {
    /// Keep a run with all it refers to, or an object.
    Add {
        /// A run's id, the end of it or `latest`, or the beginning of a digest.
        target: String,
        /// Why; kept with the pin.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Take a pin away; what it kept may go once its grace is over.
    Remove {
        /// The beginning or the end of what `pin list` prints.
        target: String,
    },
    /// List what is pinned.
    List,
}

fn duration(text: &str) -> Result<Duration, String> {
    let span = text.parse::<jiff::Span>().ok();
    let exact = span.and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok());
    let expected = || format!("expected a duration like `1d` or `12h`, found `{text}`");
    exact.and_then(|exact| Duration::try_from(exact).ok()).ok_or_else(expected)
}

pub(super) async fn gc(session: &Session, args: &GcArgs) -> Result<ExitCode, CliError> {
    let store = session.open_store().await?;
    let retention = Retention { newest: args.keep_runs, days: Days(i64::from(args.keep_days)) };
    if let Some(prefix) = &args.explain {
        return explain(session, &store, &retention, prefix).await;
    }
    let options = GcOptions {
        by: format!("gc {}", uuid::Uuid::now_v7()),
        retention,
        grace: args.grace,
        dry_run: args.dry_run.then(super::now),
    };
    let report = gc::collect(&store, &options).await?;
    session.print(&report, || words(&report))?;
    Ok(ExitCode::SUCCESS)
}

async fn explain(session: &Session, store: &Store, retention: &Retention, prefix: &str) -> Result<ExitCode, CliError> {
    let found = gc::explain(store, retention, &prefix.to_ascii_lowercase(), super::now()).await?;
    let [explanation] = &found[..] else {
        let message = match found.len() {
            0 => format!("nothing in {} has a digest that begins with `{prefix}`", session.store),
            count => format!("{count} digests begin with `{prefix}`: give more digits"),
        };
        return Err(CliError::Usage(message));
    };
    session.print(explanation, || explained(explanation))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn pin(session: &Session, command: &PinCommand) -> Result<ExitCode, CliError> {
    let store = session.open_store().await?;
    match command {
        PinCommand::Add { target, reason } => add(session, &store, target, reason).await,
        PinCommand::Remove { target } => remove(session, &store, target).await,
        PinCommand::List => list(session, &store).await,
    }
}

async fn add(session: &Session, store: &Store, text: &str, reason: &str) -> Result<ExitCode, CliError> {
    // like a run: what is found here must still be there when the pin is written
    let id = format!("pin-{}", uuid::Uuid::now_v7());
    let entered = engine::enter(store.storage(), &id, &CancelToken::new()).await.map_err(StoreError::from)?;
    let added = add_found(session, store, text, reason).await;
    if let Some(lock) = entered {
        lock.release().await.map_err(StoreError::from)?;
    }
    let pin = added?;
    session.print(&pin, || format!("{} {} is pinned since {}.", what(&pin.target), pin.target.id(), moment(pin.at)))?;
    Ok(ExitCode::SUCCESS)
}

async fn add_found(session: &Session, store: &Store, text: &str, reason: &str) -> Result<PinRecord, CliError> {
    let found = gc::resolve_pin(store, text).await?;
    let [target] = &found[..] else {
        let message = match found.len() {
            0 => format!("no single run and no object `{text}` in {}; `walkforward runs` lists runs", session.store),
            _ => format!("`{text}` may be any of {}: give more of it", ids(&found)),
        };
        return Err(CliError::Usage(message));
    };
    Ok(gc::add_pin(store, target.clone(), reason, super::now()).await?)
}

async fn remove(session: &Session, store: &Store, text: &str) -> Result<ExitCode, CliError> {
    let means = |target: &PinTarget| target.id().starts_with(text) || target.id().ends_with(text);
    let pins = gc::list_pins(store).await?;
    let found: Vec<PinTarget> = pins.into_iter().map(|pin| pin.target).filter(means).collect();
    let [target] = &found[..] else {
        let message = match found.len() {
            0 => format!("nothing pinned is `{text}`; `walkforward pin list` shows what is"),
            _ => format!("`{text}` may be any of {}: give more of it", ids(&found)),
        };
        return Err(CliError::Usage(message));
    };
    gc::remove_pin(store, target).await?;
    session.print(&json!({"removed": target.id()}), || {
        format!("{} {} is not pinned any more.", what(target), target.id())
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn list(session: &Session, store: &Store) -> Result<ExitCode, CliError> {
    let pins = gc::list_pins(store).await?;
    session.print(&pins, || {
        if pins.is_empty() {
            return format!("Nothing is pinned in {}.", session.store);
        }
        let rows = pins
            .iter()
            .map(|pin| vec![what(&pin.target).to_owned(), pin.target.id(), moment(pin.at), pin.reason.clone()]);
        table(&["", "pinned", "since", "reason"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn what(target: &PinTarget) -> &'static str {
    match target {
        PinTarget::Run(_) => "run",
        PinTarget::Digest(_) => "object",
    }
}

fn ids(targets: &[PinTarget]) -> String {
    let ids: Vec<String> = targets.iter().map(|target| format!("{} {}", what(target), target.id())).collect();
    ids.join(", ")
}

/// Bytes to three digits.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 99.95 { 0 } else { 1 };
    format!("{value:.digits$} {}", UNITS[unit])
}

fn cell(tally: Tally) -> String {
    if tally == Tally::default() { "-".to_owned() } else { format!("{} ({})", tally.objects, size(tally.bytes)) }
}

fn class_word(class: Class) -> &'static str {
    match class {
        Class::Actions => "actions",
        Class::Runs => "run records",
        Class::Scratch => "scratch",
        Class::Blobs => "blobs",
        Class::Leftovers => "leftovers",
    }
}

fn because_word(because: Because) -> &'static str {
    match because {
        Because::Live => "under way",
        Because::Pinned => "pinned",
        Because::Promoted => "promoted a model",
        Because::Newest => "among the newest",
        Because::Young => "young",
    }
}

fn words(report: &GcReport) -> String {
    let mut text = String::new();
    let removed = if report.dry_run { "would go" } else { "removed" };
    let rows = report.classes.iter().map(|(class, found)| {
        let tallies = [found.kept, found.waiting, found.held_back, found.removed];
        std::iter::once(class_word(*class).to_owned()).chain(tallies.map(cell)).collect()
    });
    let _ = writeln!(text, "{}\n", table(&["", "kept", "in grace", "held back", removed], rows));
    let kept = report.kept_runs.iter().map(|(because, count)| format!("{count} {}", because_word(*because)));
    let kept: Vec<String> = kept.collect();
    let kept = if kept.is_empty() { "none".to_owned() } else { kept.join(", ") };
    let _ = writeln!(text, "Runs kept: {kept}; not kept: {}.", report.released_runs);
    let by = report.kept_by.iter().map(|(root, tally)| format!("{root} {}", cell(*tally)));
    let by: Vec<String> = by.collect();
    if !by.is_empty() {
        let _ = writeln!(text, "Blobs kept by: {}.", by.join(", "));
    }
    let total = |of: fn(&gc::ClassReport) -> Tally| {
        let tallies = report.classes.values().map(of);
        tallies.fold(Tally::default(), |sum, one| Tally {
            objects: sum.objects + one.objects,
            bytes: sum.bytes + one.bytes,
        })
    };
    let (gone, back) = (total(|class| class.removed), total(|class| class.held_back));
    if !report.live_runs.is_empty() {
        let live: Vec<&str> = report.live_runs.iter().map(String::as_str).collect();
        let _ = writeln!(text, "Nothing goes while a run is under way: {}.", live.join(", "));
    } else if back.objects > 0 {
        let _ = writeln!(text, "The lock was lost before all was removed; call it again.");
    }
    let verb = if report.dry_run { "Would remove" } else { "Removed" };
    let _ = writeln!(text, "{verb} {} objects, {}.", gone.objects, size(gone.bytes));
    for problem in &report.problems {
        let _ = writeln!(text, "WARNING: {problem}");
    }
    text
}

fn explained(explanation: &Explanation) -> String {
    let mut text = format!("{}\n", explanation.digest);
    if explanation.objects.is_empty() {
        text.push_str("is referred to and not in the store\n");
    }
    for (class, bytes, standing) in &explanation.objects {
        let standing = match standing {
            Standing::Kept => "is kept".to_owned(),
            Standing::Unmarked => "is referred to by nothing; no gc has found out yet".to_owned(),
            Standing::Candidate { since } => format!("is referred to by nothing since {}", moment(*since)),
        };
        let _ = writeln!(text, "{}, {}: {standing}", class_word(*class).trim_end_matches('s'), size(*bytes));
    }
    for chain in &explanation.chains {
        let _ = writeln!(text, "  {chain}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_a_day_has_24_hours() {
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("90m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in ["", "1", "-1d", "1mo", "soon"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_at_most_three_digits() {
        let sizes = [0, 999, 1000, 99_949, 99_951, 999_499, 999_501, 3_400_000_000];
        let expected = ["0 B", "999 B", "1.0 kB", "99.9 kB", "100 kB", "999 kB", "1.0 MB", "3.4 GB"];
        assert_eq!(sizes.map(size), expected);
    }
}
