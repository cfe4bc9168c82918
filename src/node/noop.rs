//! `noop`: does nothing, as fast as possible. Hidden from users; it serves benchmarks and tests of the orchestrator.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Behaviour, Descriptor, Executor, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort, ValueType,
};
use crate::artifact::{Artifact, ArtifactType, Scalar};

/// Writes its settings and the digests of its inputs.
pub struct Noop;

/// Settings of `noop`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoopConfig {
    /// Anything.
    #[serde(default)]
    payload: Value,
    /// Whether the output says nothing of the inputs: an upstream change then ends here.
    #[serde(default)]
    constant: bool,
}

impl Kind for Noop {
    type Config = NoopConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "noop",
        version: 1,
        doc: "Does nothing.",
        inputs: &[],
        outputs: &[OutputPort { name: "out", kind: ArtifactType::File, doc: "the settings and the inputs' digests" }],
        values: &[ValuePort { name: "inputs", kind: ValueType::Number, doc: "how many inputs there were" }],
        // it computes nothing, so that there is no reason to wake the threads that compute
        behaviour: Behaviour { open_inputs: true, hidden: true, executor: Executor::Thread, ..Behaviour::PURE },
    };

    fn run(config: &NoopConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        let single = context.inputs.values().map(|input| input.reference.sha256.to_string());
        let several = context.many.values().flatten();
        let several = several.filter_map(|(_, input)| input.as_ref().map(|input| input.reference.sha256.to_string()));
        let digests: Vec<String> = single.chain(several).collect();
        let mut text = config.payload.to_string();
        if !config.constant {
            digests.iter().for_each(|digest| text.push_str(&format!("\n{digest}")));
        }
        Ok(NodeOutput {
            outputs: [("out", Artifact::file(ArtifactType::File, text))].into(),
            values: [("inputs", Scalar::count(digests.len()))].into(),
            summary: String::new(),
        })
    }
}
