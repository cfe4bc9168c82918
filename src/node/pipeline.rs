//! `pipeline`: another pipeline file as one node, with a record of its own. The engine carries it out.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Behaviour, Descriptor, Executor, Kind, NodeContext, NodeError, NodeOutput, OutputPort, ValuePort, ValueType,
};
use crate::artifact::ArtifactType;
use crate::base::Timestamp;

/// Runs another pipeline.
pub struct Pipeline;

/// Settings of `pipeline`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PipelineConfig {
    /// The pipeline's file, relative to the folder the program is called from.
    pub file: String,
    /// End of its data window, exclusive; default: that of this run.
    #[serde(default)]
    pub as_of: Option<Timestamp>,
    /// Values of its params.
    #[serde(default)]
    pub set: Map<String, Value>,
}

impl Kind for Pipeline {
    type Config = PipelineConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "pipeline",
        version: 1,
        doc: "Runs another pipeline file as one node, with a record of its own.",
        inputs: &[],
        outputs: &[OutputPort {
            name: "record",
            kind: ArtifactType::Run,
            doc: "what became of its nodes: outcomes, fingerprints, digests and values",
        }],
        values: &[
            ValuePort {
                name: "result",
                kind: ValueType::Word(&["succeeded", "failed", "cancelled"]),
                doc: "how the run ended",
            },
            ValuePort { name: "ran", kind: ValueType::Number, doc: "nodes that ran" },
            ValuePort { name: "reused", kind: ValueType::Number, doc: "nodes whose result was in the store" },
            ValuePort { name: "run", kind: ValueType::Text, doc: "id of its run" },
        ],
        // its nodes are looked up one by one, so that there is nothing to gain from reusing the whole
        behaviour: Behaviour { reusable: false, executor: Executor::Engine, ..Behaviour::PURE },
    };

    fn run(_config: &PipelineConfig, _context: &NodeContext) -> Result<NodeOutput, NodeError> {
        Err(NodeError::failed("a bug: a pipeline is carried out by the engine"))
    }
}
