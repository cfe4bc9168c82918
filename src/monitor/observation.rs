//! One thing that a run found out, in the form in which history keeps it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The key of a report under which its observations stand.
const KEY: &str = "observations";

/// What an observation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// How good a model or a strategy is.
    Metric,
    /// Whether something moved.
    Drift,
    /// What was decided.
    Decision,
}

impl Topic {
    /// The word in tables and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metric => "metric",
            Self::Drift => "drift",
            Self::Decision => "decision",
        }
    }

    /// The topic of a word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Metric, Self::Drift, Self::Decision].into_iter().find(|topic| topic.name() == word)
    }
}

/// A number or a word that a run found out: one row of history.
///
/// # NaN
/// An undefined number is `None`; what is not finite counts as undefined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// Metric, drift or decision.
    pub topic: Topic,
    /// What it is said of: a column, `candidate`, `champion`.
    pub subject: String,
    /// What was measured or decided: `auc`, `ks`, `deploy`.
    pub name: String,
    /// The number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Lower end of its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Upper end of its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<f64>,
    /// The p-value behind the verdict, after corrections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The word that was reached: `ok`, `drift`, `promoted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
}

impl Observation {
    /// A figure of a model or a strategy.
    pub fn metric(subject: impl Into<String>, name: impl Into<String>, value: Option<f64>) -> Self {
        Self::new(Topic::Metric, subject.into(), name.into(), value)
    }

    /// A drift statistic.
    pub fn drift(subject: impl Into<String>, name: impl Into<String>, value: Option<f64>) -> Self {
        Self::new(Topic::Drift, subject.into(), name.into(), value)
    }

    /// A decision, in one word.
    pub fn decision(subject: impl Into<String>, name: impl Into<String>, verdict: impl Into<String>) -> Self {
        Self::new(Topic::Decision, subject.into(), name.into(), None).judged(verdict)
    }

    fn new(topic: Topic, subject: String, name: String, value: Option<f64>) -> Self {
        let value = finite(value);
        Self { topic, subject, name, value, lower: None, upper: None, p: None, verdict: None }
    }

    /// Adds the interval.
    #[must_use]
    pub fn within(self, lower: Option<f64>, upper: Option<f64>) -> Self {
        Self { lower: finite(lower), upper: finite(upper), ..self }
    }

    /// Adds the p-value.
    #[must_use]
    pub fn at_p(self, p: Option<f64>) -> Self {
        Self { p: finite(p), ..self }
    }

    /// Adds the verdict.
    #[must_use]
    pub fn judged(self, verdict: impl Into<String>) -> Self {
        Self { verdict: Some(verdict.into()), ..self }
    }
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// Lists observations in a JSON report, where history finds them. A report that is no object stays as it is.
#[must_use]
pub fn with_observations(mut report: Value, observations: &[Observation]) -> Value {
    if let (Some(fields), Ok(listed)) = (report.as_object_mut(), serde_json::to_value(observations)) {
        fields.insert(KEY.to_owned(), listed);
    }
    report
}

/// Reads the observations of a report; none where it has none, or where a later version wrote them otherwise.
pub fn observations_of(report: &Value) -> Vec<Observation> {
    let listed = report.get(KEY).and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(|one| serde_json::from_value(one.clone()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn observations_survive_a_report() {
        let all = [
            Observation::metric("candidate", "auc", Some(0.61)).within(Some(0.55), Some(0.67)),
            Observation::drift("rsi_14", "ks", Some(0.2)).at_p(Some(0.001)).judged("drift"),
            Observation::decision("model", "deploy", "promoted"),
        ];
        let report = with_observations(json!({"version": 1}), &all);
        assert_eq!(observations_of(&report), all);
        assert_eq!(report["version"], 1);
    }

    #[test]
    fn what_is_not_finite_is_undefined_and_foreign_reports_have_none() {
        assert_eq!(Observation::metric("a", "b", Some(f64::NAN)).value, None);
        assert!(observations_of(&json!([1])).is_empty());
        assert!(observations_of(&json!({"observations": [{"later": true}]})).is_empty());
    }
}
