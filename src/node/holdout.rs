//! The holdout of a data set, as nodes meet it.
//!
//! Nodes read bars up to the holdout. Only `accumulate` and `evaluate` read on, with `use: holdout`, and each such look is
//! recorded before it is taken ([`crate::artifact::HoldoutOpening`]). Signals of a holdout carry its name, and every other
//! node refuses them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{NodeContext, NodeError};
use crate::artifact::HoldoutOpening;
use crate::base::{Digest, Timestamp, canonical_of};
use crate::market::HoldoutOptions;

/// Which part of a data set a node works on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataUse {
    /// What comes before the holdout; everything, where the data set has none.
    #[default]
    Development,
    /// The holdout: each look at it is recorded, and costs.
    Holdout,
}

/// Records that a node looks at a holdout, before it does: the same kind, settings and inputs are the same look.
pub(super) fn record_look(
    holdout: &HoldoutOptions,
    kind: &str,
    config: &Value,
    context: &NodeContext,
) -> Result<(), NodeError> {
    let inputs: std::collections::BTreeMap<&String, Digest> =
        context.inputs.iter().map(|(port, input)| (port, input.reference.sha256)).collect();
    let decides = json!({"kind": kind, "config": config, "inputs": inputs, "as_of": context.as_of});
    let decides = canonical_of(&decides).map_err(NodeError::failed)?;
    let opening = HoldoutOpening {
        format: 1,
        name: holdout.name.clone(),
        start: holdout.start,
        until: context.as_of,
        kind: kind.to_owned(),
        look: Digest::of(&decides),
        run: context.registry.run().to_owned(),
    };
    context.ledger.open_holdout(&opening).map_err(NodeError::failed)
}

/// Refuses a window that reaches into the holdout.
pub(super) fn check_end(end: Option<Timestamp>, holdout: &HoldoutOptions) -> Result<(), NodeError> {
    match end.filter(|&end| end > holdout.start) {
        Some(end) => Err(NodeError::failed(format!(
            "the window ends on {end}, inside the holdout `{}` that begins on {}: end it there, or judge a model on the holdout \
             by `accumulate` and `evaluate` with `use: holdout`",
            holdout.name, holdout.start
        ))),
        None => Ok(()),
    }
}

/// There is no holdout to look at.
pub(super) fn no_holdout() -> NodeError {
    NodeError::failed(
        "`use: holdout` and the data set keeps nothing back: write `read: {holdout: {start: 2024-01-01}}` in the source of the \
         bars, or remove `use`",
    )
}
