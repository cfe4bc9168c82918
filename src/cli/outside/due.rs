//! Sends the messages that are due: those of this run, and those that an earlier run was killed before sending.

use super::notify::{Notification, Target, deliver, payload};
use crate::artifact::Store;
use crate::cli::say;
use crate::engine::{self, DueNotification, RunReport};
use crate::pipeline::{Notify, NotifyTarget, Pipeline, RUN_ID};

/// Sends what is due for a pipeline. A message that cannot be sent is a warning, and stays due.
pub(in crate::cli) async fn send_due(pipeline: &Pipeline, store: &Store, report: Option<&RunReport>) {
    let due = match engine::outbox(store).await {
        Ok(due) => due,
        Err(error) => return say(&format!("warning: cannot read which messages are due: {error}")),
    };
    for due in due.iter().filter(|due| due.pipeline == pipeline.name) {
        let own = report.filter(|report| report.run == due.run);
        if let Err(problem) = send(pipeline, store, due, own).await {
            say(&format!("warning: `notify` entry {} of run {}: {problem}", due.index + 1, due.run));
        }
    }
}

async fn send(
    pipeline: &Pipeline,
    store: &Store,
    due: &DueNotification,
    own: Option<&RunReport>,
) -> Result<(), String> {
    let words = |error: crate::artifact::StoreError| error.to_string();
    let earlier = match own {
        Some(_) => None,
        None => {
            if engine::is_live(store.storage(), &due.run).await.map_err(|error| error.to_string())? {
                return Ok(());
            }
            // a run that never ended is gone on with, and its end is told of then
            engine::read_run(store, &due.run).await.map_err(words)?.and_then(|view| view.report())
        }
    };
    let entry = pipeline.notify.iter().find(|entry| entry.index == due.index);
    if let (Some(report), Some(entry)) = (own.or(earlier.as_ref()), entry) {
        deliver(&notification(entry, due, report)).await?;
    }
    due.done(store).await.map_err(words)
}

fn notification(entry: &Notify, due: &DueNotification, report: &RunReport) -> Notification {
    let fill = |text: &String| text.replace(RUN_ID, &report.run);
    let target = match &entry.target {
        NotifyTarget::Webhook(url) => Target::Webhook(fill(url).into()),
        NotifyTarget::Command(argv) => Target::Command(argv.iter().map(fill).collect()),
    };
    // how the run ended is said anyway
    let because = entry.when.as_ref().map(|when| when.text.split_whitespace().collect::<Vec<_>>().join(" "));
    let because = because.filter(|words| !words.starts_with("run.status"));
    Notification { key: format!("{}/{}", due.run, due.index), target, payload: payload(report, because.as_deref()) }
}
