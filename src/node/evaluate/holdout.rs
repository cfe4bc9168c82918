//! The rows of a holdout: signals that no model could have learnt from, read once the look at them is on record.

use super::EvaluateConfig;
use crate::node::bars::{Market, holdout_of};
use crate::node::holdout::{DataUse, no_holdout, record_look};
use crate::node::model_artifact::StoredModel;
use crate::node::signals::Signals;
use crate::node::{NodeContext, NodeError};

/// Reads the signals of the part of the data set that the node works on.
pub(super) fn signals(config: &EvaluateConfig, context: &NodeContext) -> Result<Signals, NodeError> {
    if config.data_use == DataUse::Development {
        return Signals::read(context.input("data")?);
    }
    let kept_back = holdout_of(context.input("bars")?)?.ok_or_else(no_holdout)?;
    let settings = serde_json::to_value(config).map_err(NodeError::failed)?;
    record_look(&kept_back, "evaluate", &settings, context)?;
    let signals = Signals::read_holdout(context.input("data")?)?;
    if signals.holdout.as_ref() != Some(&kept_back) {
        return Err(NodeError::failed(
            "`data` is not of the holdout of `bars`: connect an `accumulate` with `use: holdout` on the same source",
        ));
    }
    Ok(signals)
}

/// Reads the bars of the part of the data set that the node works on.
pub(super) fn market(config: &EvaluateConfig, context: &NodeContext) -> Result<Market, NodeError> {
    let bars = context.input("bars")?;
    if config.data_use == DataUse::Development {
        return config.universe.load(bars, context);
    }
    let settings = serde_json::to_value(config).map_err(NodeError::failed)?;
    Ok(config.universe.load_holdout(bars, "evaluate", &settings, context)?.0)
}

/// Refuses models that learnt from outcomes of the holdout: its rows would be no news to them.
pub(super) fn untouched(models: &[(&str, Option<&StoredModel>)], signals: &Signals) -> Result<(), NodeError> {
    let Some(holdout) = &signals.holdout else { return Err(no_holdout()) };
    for (who, model) in models {
        let until = model.map(|model| model.manifest.trained_until).filter(|until| *until >= holdout.start);
        if let Some(until) = until {
            return Err(NodeError::failed(format!(
                "the {who} learnt from outcomes up to {until}, and the holdout begins on {}: judge a model that was trained on \
                 the data set with that holdout",
                holdout.start
            )));
        }
    }
    Ok(())
}
