//! The ledger: one row a run, node, and thing observed, as a table that is written once a run and never changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::observation::{Observation, Topic};
use crate::base::Timestamp;
use crate::table::{Table, TableError, Values};

/// Name and version of the table.
pub const HISTORY: &str = "history@1";

/// One observation, with the run and node that made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// The run.
    pub run: String,
    /// Its pipeline.
    pub pipeline: String,
    /// End of the data window.
    pub as_of: Timestamp,
    /// When the node ended.
    pub at: Timestamp,
    /// The node.
    pub node: String,
    /// Its kind.
    pub kind: String,
    /// Whether the result was in the store already: the same data looked at once more.
    pub reused: bool,
    /// What was observed.
    pub observation: Observation,
}

/// What a series of rows is about: rows of one subject in successive runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesKey {
    /// The pipeline.
    pub pipeline: String,
    /// The node.
    pub node: String,
    /// Metric, drift or decision.
    pub topic: Topic,
    /// What it is said of.
    pub subject: String,
    /// What was measured or decided.
    pub name: String,
}

impl HistoryRow {
    /// The series that the row belongs to.
    pub fn key(&self) -> SeriesKey {
        SeriesKey {
            pipeline: self.pipeline.clone(),
            node: self.node.clone(),
            topic: self.observation.topic,
            subject: self.observation.subject.clone(),
            name: self.observation.name.clone(),
        }
    }
}

impl SeriesKey {
    /// `node/subject name`, for people.
    pub fn words(&self) -> String {
        format!("{} {} {}", self.node, self.subject, self.name)
    }
}

/// Puts rows in the order of what they look at: data window, then the moment, then node and subject.
pub fn sort_history(rows: &mut [HistoryRow]) {
    rows.sort_by(|a, b| (a.as_of, a.at, &a.run).cmp(&(b.as_of, b.at, &b.run)).then_with(|| a.key().cmp(&b.key())));
}

/// The rows of each series, in the order of [`sort_history`].
pub fn by_series(rows: &[HistoryRow]) -> BTreeMap<SeriesKey, Vec<&HistoryRow>> {
    let mut series: BTreeMap<SeriesKey, Vec<&HistoryRow>> = BTreeMap::new();
    for row in rows {
        series.entry(row.key()).or_default().push(row);
    }
    series
}

/// The rows as a table.
pub fn to_table(rows: &[HistoryRow]) -> Table {
    let text = |of: fn(&HistoryRow) -> String| Values::Text(rows.iter().map(of).collect());
    let time = |of: fn(&HistoryRow) -> i64| Values::Time(rows.iter().map(of).collect());
    let number = |of: fn(&Observation) -> Option<f64>| {
        Values::Float(rows.iter().map(|row| of(&row.observation).unwrap_or(f64::NAN)).collect())
    };
    Table::new(HISTORY)
        .with("run", "the run", text(|row| row.run.clone()))
        .with("pipeline", "its pipeline", text(|row| row.pipeline.clone()))
        .with("as_of", "end of the data window, UTC", time(|row| row.as_of.micros()))
        .with("at", "when the node ended, UTC", time(|row| row.at.micros()))
        .with("node", "the node", text(|row| row.node.clone()))
        .with("kind", "its kind", text(|row| row.kind.clone()))
        .with(
            "reused",
            "the result was in the store already",
            Values::Bool(rows.iter().map(|row| row.reused).collect()),
        )
        .with("topic", "metric, drift or decision", text(|row| row.observation.topic.name().to_owned()))
        .with("subject", "what it is said of", text(|row| row.observation.subject.clone()))
        .with("name", "what was measured or decided", text(|row| row.observation.name.clone()))
        .with("value", "the number", number(|seen| seen.value))
        .with("lower", "lower end of its interval", number(|seen| seen.lower))
        .with("upper", "upper end of its interval", number(|seen| seen.upper))
        .with("p", "p-value after corrections", number(|seen| seen.p))
        .with(
            "verdict",
            "the word that was reached; empty for none",
            text(|row| row.observation.verdict.clone().unwrap_or_default()),
        )
}

/// Reads the rows of a table.
///
/// # Errors
/// It is another table, of another version, or lacks a column.
pub fn from_table(table: Table) -> Result<Vec<HistoryRow>, TableError> {
    let table = table.expect_schema(HISTORY)?;
    let (run, pipeline, node, kind) =
        (table.texts("run")?, table.texts("pipeline")?, table.texts("node")?, table.texts("kind")?);
    let (as_of, at, reused) = (table.times("as_of")?, table.times("at")?, table.bools("reused")?);
    let (topic, subject, name, verdict) =
        (table.texts("topic")?, table.texts("subject")?, table.texts("name")?, table.texts("verdict")?);
    let (value, lower, upper, p) =
        (table.floats("value")?, table.floats("lower")?, table.floats("upper")?, table.floats("p")?);
    let known = |x: f64| (!x.is_nan()).then_some(x);
    let row = |i: usize| {
        Some(HistoryRow {
            run: run[i].clone(),
            pipeline: pipeline[i].clone(),
            as_of: Timestamp::from_micros(as_of[i]),
            at: Timestamp::from_micros(at[i]),
            node: node[i].clone(),
            kind: kind[i].clone(),
            reused: reused[i],
            observation: Observation {
                topic: Topic::named(&topic[i])?,
                subject: subject[i].clone(),
                name: name[i].clone(),
                value: known(value[i]),
                lower: known(lower[i]),
                upper: known(upper[i]),
                p: known(p[i]),
                verdict: (!verdict[i].is_empty()).then(|| verdict[i].clone()),
            },
        })
    };
    Ok((0..table.rows()).filter_map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_survive_the_table_and_equal_rows_are_equal_bytes() {
        let row = |run: &str, observation: Observation| HistoryRow {
            run: run.to_owned(),
            pipeline: "weekly".to_owned(),
            as_of: Timestamp::from_micros(5),
            at: Timestamp::from_micros(7),
            node: "drift".to_owned(),
            kind: "drift-check".to_owned(),
            reused: run == "b",
            observation,
        };
        let mut rows = vec![
            row("b", Observation::decision("drift", "data", "ok")),
            row("a", Observation::metric("model", "auc", Some(0.6)).within(Some(0.5), None).at_p(Some(0.1))),
        ];
        sort_history(&mut rows);
        let bytes = to_table(&rows).to_parquet().unwrap();
        assert_eq!(from_table(Table::from_parquet(bytes.clone().into()).unwrap()).unwrap(), rows);
        assert_eq!(to_table(&rows).to_parquet().unwrap(), bytes);
        assert_eq!(by_series(&rows).len(), 2);
        assert!(from_table(Table::new("trials@1")).is_err());
    }
}
