//! Alerts: which are due after a run, written down before they are sent, crossed out when they were taken.
//!
//! What cannot be delivered is a warning and stays due for the next run; no verdict and no exit code depends on it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::artifact::{Store, StoreError};
use crate::cli::error::CliError;
use crate::cli::outside::{Notification, Target, deliver};
use crate::cli::say;
use crate::engine::{self, RunReport};
use crate::monitor::{Alert, AlertsFile, Route, standings};

/// Where the rules are looked for when nobody says.
const DEFAULT_FILE: &str = "configs/alerts.yaml";

/// Where the rules of alerts are.
#[derive(Debug, Args)]
pub(in crate::cli) struct AlertsArgs {
    /// The file of alert rules; default: configs/alerts.yaml, where it is there.
    #[arg(long, value_name = "PATH", env = "WALKFORWARD_ALERTS")]
    alerts: Option<PathBuf>,
}

impl AlertsArgs {
    /// Reads the rules; `None` where nobody asked for any.
    pub(in crate::cli) fn load(&self) -> Result<Option<AlertsFile>, CliError> {
        let path = match &self.alerts {
            Some(path) => path.clone(),
            None if Path::new(DEFAULT_FILE).exists() => PathBuf::from(DEFAULT_FILE),
            None => return Ok(None),
        };
        let shown = path.display();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| CliError::Usage(format!("cannot read the alert rules `{shown}`: {error}")))?;
        // the reader says line and column
        let file: AlertsFile =
            serde_saphyr::from_str(&text).map_err(|error| CliError::Usage(format!("{shown}: {error}")))?;
        file.check().map_err(|error| CliError::Usage(format!("{shown}: {error}")))?;
        Ok(Some(file))
    }
}

/// Writes down what a run observed, and tells of what changed with it.
pub(in crate::cli) async fn after_run(store: &Store, report: &RunReport, rules: Option<&AlertsFile>) {
    if let Err(error) = tell(store, report, rules).await {
        say(&format!("warning: the history of this run could not be kept: {error}"));
    }
}

async fn tell(store: &Store, report: &RunReport, rules: Option<&AlertsFile>) -> Result<(), StoreError> {
    let rows = engine::keep_history(store, report).await?;
    let Some(rules) = rules else { return Ok(()) };
    if !rows.is_empty() {
        let mut history = engine::history(store).await?;
        history.retain(|row| row.pipeline == report.pipeline);
        for (index, alert) in rules.due(&standings(&history), &report.run).iter().enumerate() {
            store.commit_record(&due_name(&report.run, index), alert).await?;
        }
    }
    for warning in send_due(store, rules).await? {
        say(&format!("warning: {warning}"));
    }
    Ok(())
}

fn due_name(run: &str, index: usize) -> String {
    format!("alerts/due/{run}-{index:04}.json")
}

/// Sends everything that is due, oldest first, and returns what could not be sent.
pub(super) async fn send_due(store: &Store, rules: &AlertsFile) -> Result<Vec<String>, StoreError> {
    let mut warnings = Vec::new();
    for name in store.storage().list("alerts/due").await? {
        let alert: Alert = match store.read_record(&name).await {
            Ok(Some(alert)) => alert,
            Ok(None) | Err(StoreError::Record { .. }) => continue,
            Err(error) => return Err(error),
        };
        match send(&name, &alert, rules).await {
            Ok(()) => store.storage().remove(&name).await?,
            Err(problem) => {
                warnings.push(format!("alert `{}` on route `{}` stays due: {problem}", alert.alert, alert.route));
            }
        }
    }
    Ok(warnings)
}

async fn send(name: &str, alert: &Alert, rules: &AlertsFile) -> Result<(), String> {
    let route = rules.routes.get(&alert.route).ok_or_else(|| "the rules have no such route any more".to_owned())?;
    let key = name.trim_start_matches("alerts/due/").trim_end_matches(".json").to_owned();
    let payload = json!({"version": 1, "type": "alert", "alert": alert});
    deliver(&Notification { key, target: target(route)?, payload }).await
}

fn target(route: &Route) -> Result<Target, String> {
    let variable = |name: &String| std::env::var(name).map_err(|_| format!("the environment has no variable `{name}`"));
    if let Some(path) = &route.file {
        return Ok(Target::File(PathBuf::from(path)));
    }
    let Some(name) = &route.webhook_env else { return Ok(Target::Command(route.command.clone())) };
    let url = variable(name)?.into();
    match &route.secret_env {
        Some(name) => Ok(Target::SignedWebhook(url, variable(name)?.into())),
        None => Ok(Target::Webhook(url)),
    }
}

/// Writes test alerts down, sends them, and says of each route whether it took its own.
pub(super) async fn test(
    store: &Store,
    rules: &AlertsFile,
    routes: &[&String],
    run: &str,
) -> Result<Vec<(String, Result<(), String>)>, StoreError> {
    let mut results = Vec::new();
    for (index, route) in routes.iter().enumerate() {
        let name = due_name(run, index);
        let alert = Alert::test(route, run);
        store.commit_record(&name, &alert).await?;
        // read back as it was written down: what a run would send
        let alert: Alert = store.read_record(&name).await?.unwrap_or(alert);
        let result = send(&name, &alert, rules).await;
        // a test that failed is not sent again behind anyone's back
        store.storage().remove(&name).await?;
        results.push(((*route).clone(), result));
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn store() -> Store {
        Store::over(crate::storage::Storage::in_memory()).await.unwrap()
    }

    fn rules(route: Route) -> AlertsFile {
        AlertsFile { version: 1, routes: [("way".to_owned(), route)].into(), alerts: Vec::new() }
    }

    #[test]
    fn the_rules_in_the_guide_are_accepted() {
        let page = include_str!("../../../docs/guide/monitor.md");
        let block = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
        let file: AlertsFile = serde_saphyr::from_str(block).unwrap();
        assert_eq!((file.check(), file.alerts.len()), (Ok(()), 3));
    }

    #[tokio::test]
    async fn what_cannot_be_delivered_stays_due_and_goes_out_later_once() {
        let (store, folder) = (store().await, tempfile::tempdir().unwrap());
        let path = folder.path().join("alerts.ndjson");
        store.commit_record(&due_name("run", 0), &Alert::test("way", "run")).await.unwrap();
        let broken = rules(Route { command: vec!["/no/such/program".to_owned()], ..Route::default() });
        let warnings = send_due(&store, &broken).await.unwrap();
        assert!(warnings.len() == 1 && warnings[0].contains("stays due"), "{warnings:?}");
        let sound = rules(Route { file: Some(path.display().to_string()), ..Route::default() });
        assert_eq!(send_due(&store, &sound).await.unwrap(), [""; 0]);
        assert_eq!(send_due(&store, &sound).await.unwrap(), [""; 0]);
        let lines = std::fs::read_to_string(&path).unwrap();
        assert_eq!(lines.lines().count(), 1);
        assert!(lines.contains("this is a test of the route `way`"), "{lines}");
    }

    #[tokio::test]
    async fn a_test_leaves_nothing_due_also_when_it_fails() {
        let store = store().await;
        let route = Route { webhook_env: Some("WALKFORWARD_NO_SUCH_VARIABLE".to_owned()), ..Route::default() };
        let results = test(&store, &rules(route), &[&"way".to_owned()], "test-1").await.unwrap();
        let problem = results[0].1.as_ref().unwrap_err();
        assert_eq!(problem, "the environment has no variable `WALKFORWARD_NO_SUCH_VARIABLE`");
        assert!(store.storage().list("alerts").await.unwrap().is_empty());
    }
}
