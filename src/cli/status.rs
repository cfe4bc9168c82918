//! `walkforward status`: how pipelines stand, and what needs attention.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::Session;
use super::error::CliError;
use super::inspect::DAMAGED;
use super::pipeline_args::PipelineArgs;
use super::render::{moment, short_id, table};
use crate::artifact::Store;
use crate::base::{MICROS_PER_DAY, Timestamp};
use crate::engine::{self, RunHead, RunStatus};
use crate::node::{SignalCount, count_signals};
use crate::pipeline::{Pipeline, Source};
use crate::registry::Registry;

/// Exit code when something needs attention, where the caller asks.
const ATTENTION: u8 = 3;
/// Runs that are looked through for those of a pipeline.
const LOOK_BACK: usize = 500;

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Pipeline files; without any, all in `pipelines/`.
    files: Vec<PathBuf>,
    /// End with exit code 3 when something needs attention.
    #[arg(long)]
    exit_code: bool,
}

/// How a pipeline stands.
#[derive(Serialize)]
struct Standing {
    file: String,
    pipeline: String,
    last_run: Option<LastRun>,
    last_success: Option<LastRun>,
    schedule: Option<Ticks>,
    models: Vec<ModelAge>,
    drift: Vec<DriftState>,
    attention: Vec<String>,
}

#[derive(Clone, Serialize)]
struct LastRun {
    run: String,
    as_of: Timestamp,
    started: Timestamp,
    state: &'static str,
}

/// What the schedule says.
#[derive(Serialize)]
struct Ticks {
    last: Timestamp,
    next: Option<Timestamp>,
    /// `done`, `running`, `due` or `missed`.
    state: &'static str,
}

/// A registered model that the pipeline reads.
#[derive(Serialize)]
struct ModelAge {
    source: String,
    model: String,
    alias: String,
    /// What it was decided on; absent where there is none yet.
    as_of: Option<Timestamp>,
    age_days: Option<i64>,
    /// Signals of the last run that came after it, and how many of them have an outcome.
    signals_since: Option<SignalCount>,
}

#[derive(Serialize)]
struct DriftState {
    node: String,
    decision: String,
    summary: String,
    as_of: Timestamp,
}

pub(super) async fn status(session: &Session, args: &StatusArgs) -> Result<ExitCode, CliError> {
    let files = if args.files.is_empty() { shipped()? } else { args.files.clone() };
    let store = session.existing_store().await?;
    let heads = engine::run_heads(&store, LOOK_BACK).await?;
    let mut standings = Vec::new();
    for file in files {
        let asked = PipelineArgs { file, as_of: None, set: Vec::new(), params: None, shadow: false };
        standings.push(standing(&asked, &store, &heads).await?);
    }
    session.print(&standings, || standings.iter().map(text).collect::<Vec<_>>().join("\n\n"))?;
    let calm = standings.iter().all(|standing| standing.attention.is_empty());
    Ok(if args.exit_code && !calm { ExitCode::from(ATTENTION) } else { ExitCode::SUCCESS })
}

fn shipped() -> Result<Vec<PathBuf>, CliError> {
    let entries = std::fs::read_dir("pipelines")
        .map_err(|error| CliError::Usage(format!("cannot read the folder `pipelines`: {error}; name the files")))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|path| path.extension().is_some_and(|suffix| suffix == "yaml" || suffix == "yml"));
    files.sort();
    Ok(files)
}

async fn standing(asked: &PipelineArgs, store: &Store, heads: &[RunHead]) -> Result<Standing, CliError> {
    let pipeline = asked.load()?;
    let now = super::now();
    let own: Vec<&RunHead> =
        heads.iter().filter(|head| head.start.pipeline == pipeline.name && head.start.parent.is_none()).collect();
    let mut runs = Vec::with_capacity(own.len().min(1));
    let succeeded = |head: &&&RunHead| head.end.as_ref().is_some_and(|end| end.status == RunStatus::Succeeded);
    let success = own.iter().find(succeeded).copied();
    for head in own.first().into_iter().chain(success.iter()) {
        runs.push(last_run(store, head).await?);
    }
    let last_run = runs.first().cloned();
    let last_success = success.and(runs.get(1).cloned());
    let mut attention = Vec::new();
    match last_run.as_ref().map(|run| run.state) {
        Some("failed") => attention.push("the last run failed: walkforward show".to_owned()),
        Some("interrupted") => {
            attention.push("the last run was interrupted: the same call goes on from there".to_owned());
        }
        Some(DAMAGED) => {
            attention.push("the record of the last run's end cannot be read: walkforward show".to_owned());
        }
        _ => {}
    }
    let schedule = ticks(&pipeline, now, last_success.as_ref(), last_run.as_ref());
    if let Some(Ticks { state: "missed", last, .. }) = &schedule {
        attention.push(format!("the tick of {} was missed: walkforward run {}", moment(*last), asked.file.display()));
    }
    let view = match success {
        Some(head) => engine::read_run(store, &head.start.run).await?,
        None => None,
    };
    let mut drift = Vec::new();
    for node in view.iter().flat_map(|view| &view.nodes).filter(|node| node.kind == "drift-check") {
        let Some(decision) = node.values.get("decision") else { continue };
        let (decision, as_of) = (decision.to_string(), success.map_or(now, |head| head.start.as_of));
        if decision == "drift" {
            attention.push(format!("{} found drift", node.node));
        }
        drift.push(DriftState { node: node.node.clone(), decision, summary: node.summary.clone(), as_of });
    }
    let models = models(&pipeline, store, view.as_ref(), now).await?;
    for due in engine::outbox(store).await?.iter().filter(|due| due.pipeline == pipeline.name) {
        attention.push(format!("a message about run {} was not sent; the next run tries again", short_id(&due.run)));
    }
    let file = asked.file.display().to_string();
    Ok(Standing { file, pipeline: pipeline.name, last_run, last_success, schedule, models, drift, attention })
}

async fn last_run(store: &Store, head: &RunHead) -> Result<LastRun, CliError> {
    let state = super::inspect::state_word(store, head).await?;
    Ok(LastRun { run: head.start.run.clone(), as_of: head.start.as_of, started: head.start.at, state })
}

fn ticks(pipeline: &Pipeline, now: Timestamp, success: Option<&LastRun>, last: Option<&LastRun>) -> Option<Ticks> {
    let schedule = pipeline.schedule.as_ref()?;
    let tick = schedule.last_tick(now)?;
    let late = schedule.max_lateness.and_then(|late| i64::try_from(late.as_micros()).ok());
    // a pipeline that always works on one window is done when it ran after the tick
    let done = success.is_some_and(|run| run.as_of >= tick || run.started >= tick);
    let state = if done {
        "done"
    } else if last.is_some_and(|run| run.state == "running") {
        "running"
    } else if late.is_some_and(|late| now.micros() - tick.micros() > late) {
        "missed"
    } else if late.is_none() && success.is_some_and(|run| run.started < tick) {
        // without a limit a tick is missed when the next one has come, and nothing ran in between
        let before = schedule.last_tick(Timestamp::from_micros(tick.micros() - 1));
        if before.is_some_and(|before| success.is_some_and(|run| run.started < before && run.as_of < before)) {
            "missed"
        } else {
            "due"
        }
    } else {
        "due"
    };
    Some(Ticks { last: tick, next: schedule.next_tick(now), state })
}

async fn models(
    pipeline: &Pipeline,
    store: &Store,
    view: Option<&engine::RunView>,
    now: Timestamp,
) -> Result<Vec<ModelAge>, CliError> {
    let registry = Registry::new(store.clone());
    let mut found: Vec<ModelAge> = Vec::new();
    for (source, declared) in &pipeline.sources {
        let Source::Registry { model, alias, .. } = declared else { continue };
        if found.iter().any(|age| age.model == *model && age.alias == *alias) {
            continue;
        }
        let champion = registry.history(model).await?.champion(alias);
        let as_of = champion.map(|champion| champion.as_of);
        let mut signals_since = None;
        if let (Some(since), Some(view)) = (as_of, view) {
            let signals = view.nodes.iter().filter(|node| node.kind == "accumulate");
            // the first in the pipeline's order: the signals of the strategy in production
            if let Some(table) = signals.filter_map(|node| node.outputs.get("signals")).next() {
                signals_since = count_signals(&store.get(table).await?, since).ok();
            }
        }
        found.push(ModelAge {
            source: source.clone(),
            model: model.clone(),
            alias: alias.clone(),
            as_of,
            age_days: as_of.map(|as_of| (now.micros() - as_of.micros()).div_euclid(MICROS_PER_DAY)),
            signals_since,
        });
    }
    Ok(found)
}

fn text(standing: &Standing) -> String {
    let mut rows = Vec::new();
    let mut row = |what: &str, words: String| rows.push(vec![what.to_owned(), words]);
    let run = |run: &LastRun| {
        format!("{} · {} · as of {} · started {}", run.state, short_id(&run.run), run.as_of, moment(run.started))
    };
    match (&standing.last_run, &standing.last_success) {
        (None, _) => row("last run", "never".to_owned()),
        (Some(last), Some(success)) if last.run != success.run => {
            row("last run", run(last));
            row("last success", run(success));
        }
        (Some(last), _) => row("last run", run(last)),
    }
    if let Some(ticks) = &standing.schedule {
        let next = ticks.next.map(|next| format!("; next {}", moment(next))).unwrap_or_default();
        row("schedule", format!("tick of {}: {}{next}", moment(ticks.last), ticks.state));
    }
    for model in &standing.models {
        let what = format!("{} of {}", model.alias, model.model);
        let words = match (model.as_of, model.age_days) {
            (Some(as_of), Some(days)) => {
                let since = match &model.signals_since {
                    Some(count) => {
                        format!("; {} signals since, {} of them with an outcome", count.signals, count.labelled)
                    }
                    None => String::new(),
                };
                format!("decided as of {as_of}, {days} days ago{since}")
            }
            _ => "none yet".to_owned(),
        };
        row(&what, words);
    }
    for drift in &standing.drift {
        row(&format!("drift ({})", drift.node), format!("{} as of {}", drift.decision, drift.as_of));
    }
    for problem in &standing.attention {
        row("ATTENTION", problem.clone());
    }
    format!("{} · {}\n\n{}", standing.pipeline, standing.file, table(&["", "now"], rows))
}
