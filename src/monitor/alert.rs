//! Who is told of which change: the file of alert rules, and the alerts that follow from a history.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Standing, changed_by};
use super::observation::Topic;
use crate::base::nearest;

/// The file of alert rules, `configs/alerts.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertsFile {
    /// Version of this file's format: 1.
    pub version: u32,
    /// Where alerts go, by name.
    pub routes: BTreeMap<String, Route>,
    /// What is told, and to whom.
    pub alerts: Vec<AlertRule>,
}

/// Where alerts go: exactly one of the three.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    /// POSTed as JSON to the address in this variable of the environment: an address may be a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_env: Option<String>,
    /// The variable with the key that webhooks are signed with: HMAC-SHA256 of the body, in `X-Walkforward-Signature-256`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<String>,
    /// A program and its arguments, without a shell; the alert is JSON on its stdin.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// A file that gets a line of JSON an alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What is told, and to whom. A change of state is told once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// Its name.
    pub name: String,
    /// The states that are told when they begin: `drift`, `ok`, `promoted`; all where none are named.
    #[serde(default)]
    pub becomes: Vec<String>,
    /// The pipeline; any where it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// The node; any where it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `drift` (columns and metrics one by one), `decision` (whole verdicts) or `metric`.
    #[serde(default = "decisions")]
    pub topic: TopicName,
    /// What it is said of, or what was decided: `rsi_14`, `performance`; any where it is not named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Runs in a row that a state must last before it is told.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub after: usize,
    /// The routes it takes.
    pub to: Vec<String>,
}

/// The word of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TopicName {
    /// Columns and metrics, one by one.
    Drift,
    /// Whole verdicts.
    Decision,
    /// Figures.
    Metric,
}

fn decisions() -> TopicName {
    TopicName::Decision
}

fn one() -> usize {
    1
}

impl From<TopicName> for Topic {
    fn from(name: TopicName) -> Self {
        match name {
            TopicName::Drift => Self::Drift,
            TopicName::Decision => Self::Decision,
            TopicName::Metric => Self::Metric,
        }
    }
}

/// Why a file of alert rules is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlertsError {
    /// A format of another version.
    #[error("expected `version: 1`, found `version: {0}`")]
    Version(u32),
    /// A route that goes nowhere, or to several places.
    #[error("route `{0}`: expected exactly one of `webhook_env`, `command` and `file`")]
    Route(String),
    /// A secret without a webhook.
    #[error("route `{0}`: `secret_env` signs webhooks, and this is none")]
    Secret(String),
    /// A rule names a route that is not there.
    #[error("alert `{alert}`: there is no route `{route}`{}", .near.as_deref().map_or_else(String::new, |near| format!(" (did you mean `{near}`?)")))]
    UnknownRoute {
        /// The rule.
        alert: String,
        /// The route.
        route: String,
        /// The route whose name is closest.
        near: Option<String>,
    },
    /// A rule that tells nobody.
    #[error("alert `{0}`: expected at least one route in `to`")]
    Nobody(String),
    /// Two rules of one name.
    #[error("expected names of alerts to be unique, found `{0}` twice")]
    Twice(String),
}

impl AlertsFile {
    /// Checks what types cannot.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn check(&self) -> Result<(), AlertsError> {
        if self.version != 1 {
            return Err(AlertsError::Version(self.version));
        }
        for (name, route) in &self.routes {
            let ways = [route.webhook_env.is_some(), !route.command.is_empty(), route.file.is_some()];
            if ways.into_iter().filter(|way| *way).count() != 1 {
                return Err(AlertsError::Route(name.clone()));
            }
            if route.secret_env.is_some() && route.webhook_env.is_none() {
                return Err(AlertsError::Secret(name.clone()));
            }
        }
        for (index, rule) in self.alerts.iter().enumerate() {
            if self.alerts[..index].iter().any(|other| other.name == rule.name) {
                return Err(AlertsError::Twice(rule.name.clone()));
            }
            if rule.to.is_empty() {
                return Err(AlertsError::Nobody(rule.name.clone()));
            }
            if let Some(route) = rule.to.iter().find(|route| !self.routes.contains_key(*route)) {
                let near = nearest(route, self.routes.keys().map(String::as_str)).map(str::to_owned);
                return Err(AlertsError::UnknownRoute { alert: rule.name.clone(), route: route.clone(), near });
            }
        }
        Ok(())
    }

    /// The alerts that a run brings, in the order of rules and series. Each is told once: it belongs to the run that changed
    /// the state, or that made it last long enough.
    pub fn due(&self, standings: &[Standing], run: &str) -> Vec<Alert> {
        let mut due = Vec::new();
        for rule in &self.alerts {
            for standing in changed_by(standings, run, rule.after).filter(|standing| rule.is_about(standing)) {
                for route in &rule.to {
                    due.push(Alert::new(rule, route, standing, run));
                }
            }
        }
        due
    }
}

impl AlertRule {
    fn is_about(&self, standing: &Standing) -> bool {
        let series = &standing.series;
        let fits = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        Topic::from(self.topic) == series.topic
            && fits(&self.pipeline, &series.pipeline)
            && fits(&self.node, &series.node)
            && (fits(&self.subject, &series.subject) || fits(&self.subject, &series.name))
            && (self.becomes.is_empty() || self.becomes.contains(&standing.state))
    }
}

/// A change that is to be told on one route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// The rule.
    pub alert: String,
    /// The route.
    pub route: String,
    /// The run that brought it.
    pub run: String,
    /// The pipeline.
    pub pipeline: String,
    /// The node.
    pub node: String,
    /// What it is about.
    pub subject: String,
    /// What was measured or decided.
    pub name: String,
    /// The state before; null for the first.
    pub from: Option<String>,
    /// The state now.
    pub to: String,
    /// End of the data window where the state began.
    pub since: String,
    /// Runs that it has lasted.
    pub runs: usize,
    /// How often it was entered.
    pub episode: usize,
    /// The number behind it.
    pub value: Option<f64>,
    /// All of it in a sentence.
    pub message: String,
}

impl Alert {
    fn new(rule: &AlertRule, route: &str, standing: &Standing, run: &str) -> Self {
        let series = &standing.series;
        let from = standing.before.as_deref().unwrap_or("nothing");
        let message = format!(
            "{}: {} of `{}` in node `{}` went from {from} to {} as of {}{}",
            series.pipeline,
            series.name,
            series.subject,
            series.node,
            standing.state,
            &standing.since.to_string().chars().take(10).collect::<String>(),
            if standing.runs > 1 { format!(" and has been so for {} runs", standing.runs) } else { String::new() },
        );
        Self {
            alert: rule.name.clone(),
            route: route.to_owned(),
            run: run.to_owned(),
            pipeline: series.pipeline.clone(),
            node: series.node.clone(),
            subject: series.subject.clone(),
            name: series.name.clone(),
            from: standing.before.clone(),
            to: standing.state.clone(),
            since: standing.since.to_string(),
            runs: standing.runs,
            episode: standing.episodes,
            value: standing.value,
            message,
        }
    }

    /// An alert that says that it is a test.
    pub fn test(route: &str, run: &str) -> Self {
        Self {
            alert: "test-alert".to_owned(),
            route: route.to_owned(),
            run: run.to_owned(),
            pipeline: "test".to_owned(),
            node: "test".to_owned(),
            subject: "drift".to_owned(),
            name: "decision".to_owned(),
            from: Some("ok".to_owned()),
            to: "drift".to_owned(),
            since: String::new(),
            runs: 1,
            episode: 1,
            value: None,
            message: format!("this is a test of the route `{route}`: nothing drifted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::monitor::history::SeriesKey;

    fn file() -> AlertsFile {
        serde_saphyr::from_str(
            "version: 1\n\
             routes:\n  mail: {command: [mail, me]}\n  log: {file: alerts.ndjson}\n\
             alerts:\n  - {name: worse, becomes: [drift], subject: performance, to: [mail, log]}\n",
        )
        .unwrap()
    }

    fn standing(subject: &str, state: &str) -> Standing {
        let series = SeriesKey {
            pipeline: "weekly".into(),
            node: "drift".into(),
            topic: Topic::Decision,
            subject: "drift".into(),
            name: subject.into(),
        };
        let (verdict, state) = (state.to_owned(), state.to_owned());
        let at = Timestamp::from_micros(0);
        let (since, as_of, before) = (at, at, Some("ok".to_owned()));
        Standing { series, verdict, state, since, runs: 1, episodes: 1, before, value: None, as_of, run: "r".into() }
    }

    #[test]
    fn a_rule_tells_every_route_of_the_changes_it_is_about() {
        let standings = [standing("performance", "drift"), standing("data", "drift"), standing("performance", "ok")];
        let due = file().due(&standings, "r");
        let routes: Vec<&str> = due.iter().map(|alert| alert.route.as_str()).collect();
        assert_eq!(routes, ["mail", "log"]);
        assert_eq!(
            due[0].message,
            "weekly: performance of `drift` in node `drift` went from ok to drift as of 1970-01-01"
        );
        assert!(file().due(&standings, "another").is_empty());
    }

    #[test]
    fn files_that_make_no_sense_are_refused_with_their_reason() {
        assert_eq!(file().check(), Ok(()));
        let refused = |change: &dyn Fn(&mut AlertsFile)| {
            let mut file = file();
            change(&mut file);
            file.check().unwrap_err().to_string()
        };
        assert_eq!(refused(&|file| file.version = 2), "expected `version: 1`, found `version: 2`");
        assert_eq!(
            refused(&|file| file.alerts[0].to = vec!["mial".into()]),
            "alert `worse`: there is no route `mial` (did you mean `mail`?)"
        );
        assert!(refused(&|file| file.alerts[0].to.clear()).contains("at least one route"));
        assert!(refused(&|file| file.alerts.push(file.alerts[0].clone())).contains("`worse` twice"));
        let both = Route { file: Some("x".into()), command: vec!["y".into()], ..Route::default() };
        assert!(refused(&|file| drop(file.routes.insert("two".into(), both.clone()))).contains("exactly one of"));
        let signed = Route { file: Some("x".into()), secret_env: Some("KEY".into()), ..Route::default() };
        assert!(refused(&|file| drop(file.routes.insert("s".into(), signed.clone()))).contains("signs webhooks"));
        assert!(serde_saphyr::from_str::<AlertsFile>("version: 1\nroutes: {}\nalert: []\n").is_err());
    }
}
