//! `--fail-on`: which decisions of nodes end a call with exit code 3.

use super::error::CliError;
use crate::artifact::Scalar;
use crate::engine::RunReport;
use crate::node::ValueType;
use crate::pipeline::Pipeline;

/// Exit code of a run that ended well and decided what the caller does not want.
const NEGATIVE: u8 = 3;

/// Words that a caller takes for failures.
pub(super) struct NegativeVerdicts<'a> {
    words: &'a [String],
}

impl<'a> NegativeVerdicts<'a> {
    /// Checks that each word is one that a node of the pipeline can decide.
    pub(super) fn new(pipeline: &Pipeline, words: &'a [String]) -> Result<Self, CliError> {
        let mut known: Vec<String> = pipeline
            .nodes
            .iter()
            .flat_map(|node| {
                let declared = node.kind.declared(&node.with).unwrap_or_default().values.into_values();
                let table = node.kind.descriptor().values.iter().map(|port| port.kind.clone());
                table.chain(declared).filter_map(|kind: ValueType| kind.words()).flatten().collect::<Vec<_>>()
            })
            .collect();
        known.sort();
        known.dedup();
        for word in words {
            if !known.contains(word) {
                let message =
                    format!("--fail-on {word}: no node of this pipeline decides that; known: {}", known.join(", "));
                return Err(CliError::Usage(message));
            }
        }
        Ok(Self { words })
    }

    /// 3 when a node decided one of the words, else 0.
    pub(super) fn exit_code(&self, report: &RunReport) -> u8 {
        let unwanted = |value: &Scalar| matches!(value, Scalar::Text(word) if self.words.contains(word));
        if report.nodes.iter().any(|node| node.values.values().any(unwanted)) { NEGATIVE } else { 0 }
    }
}
