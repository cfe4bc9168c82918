//! `audit`: what an artifact was made from, checked link by link, as a step of a pipeline. The engine carries it out,
//! because it reads the records of runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Behaviour, Descriptor, Executor, InputPort, Kind, NodeContext, NodeError, NodeFiles, NodeOutput, OutputPort,
    ValuePort, ValueType,
};
use crate::artifact::ArtifactType;

/// Audits artifacts, a registered model, a run or the whole store.
pub struct Audit;

/// How deep an audit goes; each level includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditDepth {
    /// Every byte of everything that the subject was made from.
    Digests,
    /// And that records account for all of it.
    Chain,
    /// And that every decision follows from what was recorded.
    #[default]
    Decisions,
    /// And that every node, run again, gives the same bytes.
    Rebuild,
}

/// Settings of `audit`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditConfig {
    /// What to audit where no input is connected: a registered model, `MODEL@SLOT`, `MODEL@ALIAS`, a run, the digest of an
    /// artifact, or `all`; default: `all`.
    #[serde(default)]
    #[schemars(extend("examples" = ["signal-quality", "signal-quality@0", "all"]))]
    pub subject: Option<String>,
    /// How deep to go.
    #[serde(default)]
    pub level: AuditDepth,
    /// The public key, as a file in PEM, that the provenance of promotions must be signed by; without it, signatures are
    /// not looked at.
    #[serde(default)]
    #[schemars(extend("examples" = ["configs/keys/signing.pub.pem"]))]
    pub key: Option<String>,
}

/// Every type: any artifact has a history.
const ANY: [ArtifactType; ArtifactType::ALL.len()] = {
    let mut types = [ArtifactType::File; ArtifactType::ALL.len()];
    let mut at = 0;
    while at < types.len() {
        types[at] = ArtifactType::ALL[at].0;
        at += 1;
    }
    types
};

/// What an audit can come to.
const VERDICTS: &[&str] = &["verified", "cannot-tell", "mismatch", "unreadable"];

impl Kind for Audit {
    type Config = AuditConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "audit",
        version: 1,
        doc: "Checks what artifacts were made from, link by link, and makes them again; changes nothing.",
        inputs: &[InputPort {
            name: "subject",
            types: &ANY,
            required: false,
            many: true,
            doc: "what to audit: a model as the version it was promoted as, the record of a pipeline as its run",
        }],
        outputs: &[
            OutputPort { name: "report", kind: ArtifactType::Report, doc: "verdict and every check in Markdown" },
            OutputPort {
                name: "statement",
                kind: ArtifactType::File,
                doc: "the verdict as an in-toto statement (Simple Verification Result), in JSON",
            },
        ],
        values: &[
            ValuePort { name: "verdict", kind: ValueType::Word(VERDICTS), doc: "the worst of all checks" },
            ValuePort { name: "checks", kind: ValueType::Number, doc: "things that were checked" },
            ValuePort { name: "mismatches", kind: ValueType::Number, doc: "things that are not as recorded" },
            ValuePort { name: "unreadable", kind: ValueType::Number, doc: "things that cannot be read" },
            ValuePort {
                name: "cannot_tell",
                kind: ValueType::Number,
                doc: "things that cannot be checked, for a reason that is no fault",
            },
            ValuePort { name: "artifacts", kind: ValueType::Number, doc: "artifacts that the subject was made from" },
        ],
        // the store may have changed since, so that an earlier verdict is worth nothing
        behaviour: Behaviour { reusable: false, executor: Executor::Auditor, ..Behaviour::PURE },
    };

    fn run(_config: &AuditConfig, _context: &NodeContext) -> Result<NodeOutput, NodeError> {
        Err(NodeError::failed("a bug: an audit is carried out by the engine"))
    }

    fn files(config: &AuditConfig) -> NodeFiles {
        NodeFiles { program: None, others: config.key.iter().cloned().collect() }
    }
}
