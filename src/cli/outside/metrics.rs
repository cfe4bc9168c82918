//! A run as a text file for the textfile collector of Prometheus' node_exporter.
//!
//! All metrics are gauges of the last run of a pipeline. Pipelines write files of their own; HELP and TYPE lines are equal
//! in all of them, as the collector demands.

use std::fmt::Write as _;

use super::words::{OUTCOMES, elapsed_micros, epoch_seconds, node_seconds, outcome_name};
use crate::artifact::Scalar;
use crate::engine::{RunReport, RunStatus};

/// Metrics of one name.
struct Family {
    name: &'static str,
    help: &'static str,
    samples: Vec<Sample>,
}

/// Labels beside the pipeline, and the value as text.
type Sample = (Vec<(&'static str, String)>, String);

/// Writes a run in the text exposition format.
pub(super) fn exposition(report: &RunReport, exit_code: u8) -> String {
    let mut text = String::new();
    for family in families(report, exit_code) {
        let Family { name, help, samples } = family;
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let _ = write!(text, "{name}{{pipeline=\"{}\"", escaped(&report.pipeline));
            for (label, word) in labels {
                let _ = write!(text, ",{label}=\"{}\"", escaped(&word));
            }
            let _ = writeln!(text, "}} {value}");
        }
    }
    text
}

fn families(report: &RunReport, exit_code: u8) -> Vec<Family> {
    let family = |name, help, samples| Family { name, help, samples };
    let run = |name, help, value: String| family(name, help, vec![(Vec::new(), value)]);
    let success = u8::from(report.status == RunStatus::Succeeded);
    let duration = elapsed_micros(report.started, report.ended) as f64 / 1e6;
    vec![
        run("walkforward_run_success", "Whether the last run succeeded: 1 or 0.", success.to_string()),
        run("walkforward_run_exit_code", "Exit code of the last run.", exit_code.to_string()),
        run("walkforward_run_duration_seconds", "How long the last run took.", duration.to_string()),
        run(
            "walkforward_run_start_timestamp_seconds",
            "When the last run started.",
            epoch_seconds(report.started).to_string(),
        ),
        run(
            "walkforward_run_end_timestamp_seconds",
            "When the last run ended.",
            epoch_seconds(report.ended).to_string(),
        ),
        run(
            "walkforward_as_of_timestamp_seconds",
            "End of the data window of the last run.",
            epoch_seconds(report.as_of).to_string(),
        ),
        family("walkforward_run_nodes", "Nodes of the last run by outcome.", node_counts(report)),
        family("walkforward_node_duration_seconds", "How long a node of the last run took.", node_durations(report)),
        family("walkforward_node_value", "A value of a node; true is 1 and false is 0.", node_values(report)),
    ]
}

/// A sample for every outcome, also where it is 0: a series that comes and goes cannot be alerted on.
fn node_counts(report: &RunReport) -> Vec<Sample> {
    let count = |outcome| report.nodes.iter().filter(|node| node.outcome == outcome).count().to_string();
    OUTCOMES.iter().map(|&outcome| (vec![("outcome", outcome_name(outcome).to_owned())], count(outcome))).collect()
}

fn node_durations(report: &RunReport) -> Vec<Sample> {
    let sample = |node: &crate::engine::NodeRecord| {
        let labels = vec![
            ("node", node.node.clone()),
            ("kind", node.kind.clone()),
            ("outcome", outcome_name(node.outcome).to_owned()),
        ];
        (labels, node_seconds(node).to_string())
    };
    report.nodes.iter().map(sample).collect()
}

fn node_values(report: &RunReport) -> Vec<Sample> {
    let samples = |node: &crate::engine::NodeRecord| {
        let name = node.node.clone();
        let numbers = node.values.iter().filter_map(|(value, scalar)| Some((value.clone(), number(scalar)?)));
        let samples = numbers.map(move |(value, number)| (vec![("node", name.clone()), ("value", value)], number));
        samples.collect::<Vec<Sample>>()
    };
    report.nodes.iter().flat_map(samples).collect()
}

/// A value as a number; `None` where it is undefined or a word.
fn number(scalar: &Scalar) -> Option<String> {
    match scalar {
        Scalar::Bool(value) => Some(u8::from(*value).to_string()),
        Scalar::Int(value) => Some(value.to_string()),
        Scalar::Float(value) if value.is_finite() => Some(value.to_string()),
        Scalar::Float(_) | Scalar::Null | Scalar::Text(_) => None,
    }
}

/// A label's value: backslash, quote and line feed are all that the format gives a meaning to.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{failed_run, plain_run};
    use super::*;

    #[test]
    fn a_run_as_metrics() {
        insta::assert_snapshot!(exposition(&failed_run(), 1));
    }

    #[test]
    fn every_line_is_a_comment_or_a_sample_of_a_family_announced_before() {
        for (report, code) in [(failed_run(), 1), (plain_run(), 0)] {
            let text = exposition(&report, code);
            let mut announced = "";
            let mut seen = std::collections::BTreeSet::new();
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("# TYPE ") {
                    announced = rest.strip_suffix(" gauge").unwrap();
                } else if !line.starts_with("# HELP ") {
                    let (series, value) = line.rsplit_once(' ').unwrap();
                    assert!(series.starts_with(&format!("{announced}{{pipeline=\"")), "{line}");
                    assert!(series.ends_with("\"}") && value.parse::<f64>().unwrap().is_finite(), "{line}");
                    assert!(seen.insert(series.to_owned()), "twice: {line}");
                }
            }
            assert!(text.ends_with('\n'), "the collector refuses a last line without an end");
        }
    }

    #[test]
    fn labels_are_escaped_by_the_exposition_format() {
        assert_eq!(escaped("a\\b \"c\"\nd ü {x=1,y=2}"), "a\\\\b \\\"c\\\"\\nd ü {x=1,y=2}");
    }
}
