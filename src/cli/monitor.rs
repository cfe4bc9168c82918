//! `walkforward monitor`: what runs found out over time, and who is told of changes.

mod alerts;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::Session;
use super::error::CliError;
use super::inspect::find_run;
use super::render::{moment, short_id, table};
use crate::base::{Timestamp, nearest};
use crate::engine;
use crate::monitor::{HistoryRow, SeriesKey, Standing, Topic, standings, to_table};
pub(in crate::cli) use alerts::{AlertsArgs, after_run};

/// Exit code when something drifts, where the caller asks, and of a route that did not take its test.
const ATTENTION: u8 = 3;

#[derive(Debug, Subcommand)]
pub(super) enum MonitorCommand {
    /// Print what runs observed: every metric, drift statistic and decision, newest last.
    History(HistoryArgs),
    /// Say what two runs observed differently.
    Compare(CompareArgs),
    /// Say how everything that is judged stands: its state, since when, for how many runs, in which episode.
    Status(StatusArgs),
    /// Send a test alert on the way that real ones take.
    TestAlert(TestArgs),
}

/// Which rows of the history are meant.
#[derive(Debug, Args)]
struct Filter {
    /// Of this pipeline.
    #[arg(long)]
    pipeline: Option<String>,
    /// Of this node.
    #[arg(long)]
    node: Option<String>,
    /// metric, drift or decision.
    #[arg(long, value_parser = topic)]
    topic: Option<Topic>,
    /// Said of this column or model.
    #[arg(long)]
    subject: Option<String>,
    /// Of this metric, statistic or decision.
    #[arg(long)]
    name: Option<String>,
    /// With a data window that ends at this date or later.
    #[arg(long)]
    since: Option<Timestamp>,
}

fn topic(word: &str) -> Result<Topic, String> {
    Topic::named(word).ok_or_else(|| "expected `metric`, `drift` or `decision`".to_owned())
}

impl Filter {
    fn fits(&self, row: &HistoryRow) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        is(&self.pipeline, &row.pipeline)
            && is(&self.node, &row.node)
            && is(&self.subject, &row.observation.subject)
            && is(&self.name, &row.observation.name)
            && self.topic.is_none_or(|topic| topic == row.observation.topic)
            && self.since.is_none_or(|since| row.as_of >= since)
    }

    /// What to say when nothing fits: a word that is nearly one of those that are there.
    fn nothing(&self, rows: &[HistoryRow]) -> String {
        if rows.is_empty() {
            return "No run has observed anything yet.".to_owned();
        }
        type Known = fn(&HistoryRow) -> &str;
        let asked: [(&str, &Option<String>, Known); 4] = [
            ("pipeline", &self.pipeline, |row| &row.pipeline),
            ("node", &self.node, |row| &row.node),
            ("subject", &self.subject, |row| &row.observation.subject),
            ("name", &self.name, |row| &row.observation.name),
        ];
        for (what, word, known) in asked {
            let Some(word) = word.as_ref().filter(|word| rows.iter().all(|row| known(row) != word.as_str())) else {
                continue;
            };
            let near = nearest(word, rows.iter().map(known));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return format!("No run observed a {what} `{word}`{near}");
        }
        "No observation fits all of that.".to_owned()
    }
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    filter: Filter,
    /// How many rows to print, the newest.
    #[arg(long, short = 'n', default_value_t = 50)]
    limit: usize,
    /// Write all rows that fit as Parquet to this file instead.
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// The earlier run: its id, the end of it, or `latest`.
    before: String,
    /// The later run.
    after: String,
    /// Also what is equal.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    filter: Filter,
    /// Also what is calm.
    #[arg(long)]
    all: bool,
    /// End with exit code 3 when something drifts.
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// The route; all of them where none is named.
    route: Option<String>,
    #[command(flatten)]
    alerts: AlertsArgs,
}

pub(super) async fn monitor(session: &Session, command: &MonitorCommand) -> Result<ExitCode, CliError> {
    match command {
        MonitorCommand::History(args) => history(session, args).await,
        MonitorCommand::Compare(args) => compare(session, args).await,
        MonitorCommand::Status(args) => status(session, args).await,
        MonitorCommand::TestAlert(args) => test_alert(session, args).await,
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

/// A probability that never claims to be 0.
fn probability(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

fn day(at: Timestamp) -> String {
    moment(at).chars().take(10).collect()
}

async fn history(session: &Session, args: &HistoryArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let all = engine::history(&store).await?;
    let mut rows: Vec<HistoryRow> = all.iter().filter(|row| args.filter.fits(row)).cloned().collect();
    if let Some(path) = &args.to {
        let cannot = |error: &dyn std::fmt::Display| {
            CliError::DataFile(format!("cannot write the history to `{}`: {error}", path.display()))
        };
        let bytes = to_table(&rows).to_parquet().map_err(|error| cannot(&error))?;
        super::outside::whole_file::write_bytes(path, &bytes).map_err(|error| cannot(&error))?;
        let written = serde_json::json!({"path": path, "rows": rows.len()});
        session.print(&written, || format!("Wrote {} rows to {}.", rows.len(), path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let before = rows.len().saturating_sub(args.limit);
    rows.drain(..before);
    session.print(&rows, || {
        if rows.is_empty() {
            return args.filter.nothing(&all);
        }
        let lines = rows.iter().map(|row| {
            let seen = &row.observation;
            let interval = match (seen.lower, seen.upper) {
                (Some(lower), Some(upper)) => format!("{lower:.3} .. {upper:.3}"),
                _ => String::new(),
            };
            vec![
                day(row.as_of),
                short_id(&row.run).to_owned(),
                row.node.clone(),
                seen.subject.clone(),
                seen.name.clone(),
                number(seen.value),
                interval,
                seen.p.map_or_else(String::new, probability),
                seen.verdict.clone().unwrap_or_default(),
            ]
        });
        let text = table(&["as of", "run", "node", "subject", "name", "value", "interval", "p", "verdict"], lines);
        if before > 0 { format!("{text}\n({before} older rows: -n {})", before + rows.len()) } else { text }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// One series in two runs.
#[derive(Serialize)]
struct Difference {
    series: SeriesKey,
    before: Option<Seen>,
    after: Option<Seen>,
}

#[derive(Serialize, PartialEq)]
struct Seen {
    value: Option<f64>,
    verdict: Option<String>,
}

async fn compare(session: &Session, args: &CompareArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let mut runs = Vec::new();
    for asked in [&args.before, &args.after] {
        let view = find_run(session, &store, asked).await?;
        runs.push((view.start.as_of, view.start.run.clone(), engine::observed(&store, &view).await?));
    }
    let seen = |rows: &[HistoryRow], series: &SeriesKey| {
        let row = rows.iter().find(|row| row.key() == *series);
        row.map(|row| Seen { value: row.observation.value, verdict: row.observation.verdict.clone() })
    };
    let mut keys: Vec<SeriesKey> = runs.iter().flat_map(|(_, _, rows)| rows.iter().map(HistoryRow::key)).collect();
    keys.sort();
    keys.dedup();
    let pairs = keys.into_iter().map(|series| Difference {
        before: seen(&runs[0].2, &series),
        after: seen(&runs[1].2, &series),
        series,
    });
    let found: Vec<Difference> = pairs.filter(|pair| args.all || pair.before != pair.after).collect();
    session.print(&found, || {
        let head = format!(
            "run {} as of {} and run {} as of {}",
            short_id(&runs[0].1),
            day(runs[0].0),
            short_id(&runs[1].1),
            day(runs[1].0)
        );
        if found.is_empty() {
            return format!("{head} observed the same.");
        }
        let verdict = |seen: &Option<Seen>| match seen {
            Some(seen) => seen.verdict.clone().unwrap_or_default(),
            None => "not observed".to_owned(),
        };
        let value = |seen: &Option<Seen>| number(seen.as_ref().and_then(|seen| seen.value));
        let rows = found.iter().map(|pair| {
            let values =
                pair.before.as_ref().and_then(|seen| seen.value).zip(pair.after.as_ref().and_then(|seen| seen.value));
            vec![
                pair.series.words(),
                value(&pair.before),
                value(&pair.after),
                values.map_or_else(String::new, |(before, after)| format!("{:+.4}", after - before)),
                verdict(&pair.before),
                verdict(&pair.after),
            ]
        });
        format!("{head}\n{}", table(&["what", "before", "after", "change", "verdict before", "after"], rows))
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn status(session: &Session, args: &StatusArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let all = engine::history(&store).await?;
    let rows: Vec<HistoryRow> = all.iter().filter(|row| args.filter.fits(row)).cloned().collect();
    let standings = standings(&rows);
    let is_calm = |standing: &&Standing| standing.state != "drift" && standing.series.topic == Topic::Drift;
    let shown: Vec<&Standing> = standings.iter().filter(|standing| args.all || !is_calm(standing)).collect();
    session.print(&shown, || {
        if standings.is_empty() {
            return args.filter.nothing(&all);
        }
        let lines = shown.iter().map(|standing| {
            let blind = if standing.verdict == standing.state { "" } else { " (now inconclusive)" };
            vec![
                standing.series.words(),
                format!("{}{blind}", standing.state),
                day(standing.since),
                standing.runs.to_string(),
                standing.episodes.to_string(),
                standing.before.clone().unwrap_or_default(),
                number(standing.value),
            ]
        });
        let text = table(&["what", "state", "since", "runs", "episode", "before", "value"], lines);
        match standings.len() - shown.len() {
            0 => text,
            calm => format!("{text}\n{calm} more columns and metrics without drift: --all"),
        }
    })?;
    let drifts = standings.iter().any(|standing| standing.state == "drift");
    Ok(if args.exit_code && drifts { ExitCode::from(ATTENTION) } else { ExitCode::SUCCESS })
}

/// What a route said to its test.
#[derive(Serialize)]
struct Tested {
    route: String,
    taken: bool,
    problem: Option<String>,
}

async fn test_alert(session: &Session, args: &TestArgs) -> Result<ExitCode, CliError> {
    let rules = args.alerts.load()?.ok_or_else(|| {
        CliError::Usage("there are no alert rules: expected configs/alerts.yaml, or `--alerts PATH`".to_owned())
    })?;
    let routes: Vec<&String> = match &args.route {
        None => rules.routes.keys().collect(),
        Some(asked) => match rules.routes.keys().find(|route| *route == asked) {
            Some(route) => vec![route],
            None => {
                let near = nearest(asked, rules.routes.keys().map(String::as_str));
                let known = || rules.routes.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let near = near
                    .map_or_else(|| format!("; there are: {}", known()), |near| format!("; did you mean `{near}`?"));
                return Err(CliError::Usage(format!("there is no route `{asked}`{near}")));
            }
        },
    };
    let store = session.open_store().await?;
    let run = format!("test-{}", super::new_id());
    let results = alerts::test(&store, &rules, &routes, &run).await?;
    let tested: Vec<Tested> = results
        .into_iter()
        .map(|(route, result)| Tested { route, taken: result.is_ok(), problem: result.err() })
        .collect();
    session.print(&tested, || {
        let lines = tested.iter().map(|tested| match &tested.problem {
            None => format!("{}: taken", tested.route),
            Some(problem) => format!("{}: NOT taken: {problem}", tested.route),
        });
        lines.collect::<Vec<_>>().join("\n")
    })?;
    let all = tested.iter().all(|tested| tested.taken);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(ATTENTION) })
}
