//! Node kinds: what a step of a pipeline can do.
//!
//! A kind is a pure function from its config and its resolved inputs to artifacts and values. It sees nothing of
//! pipelines or plans: a [`NodeContext`] gives it the inputs' bytes, the end of the data window, a cancel token and a
//! place to report progress. The table [`KINDS`] feeds the parser, the suggestions and the reference page: a new kind
//! is one file and one row.
//!
//! A kind's `version` is bumped whenever its output may change for the same input; it is part of every fingerprint.

mod accumulate;
mod audit;
mod backtest;
mod bars;
mod command;
mod deploy_if_better;
mod drift_check;
mod evaluate;
mod explain;
mod holdout;
mod import_model;
mod kind;
mod leaderboard;
mod model_artifact;
mod model_files;
mod noop;
mod optimize_parameters;
mod paper;
mod pipeline;
#[cfg(test)]
mod schema_tests;
mod score;
mod scoring;
#[cfg(test)]
mod scoring_tests;
mod signal_features;
mod signals;
mod train;

pub use audit::{AuditConfig, AuditDepth};
pub use command::CommandError;
pub use kind::{
    Behaviour, ConfigError, Declared, Descriptor, Executor, InputArtifact, InputPort, Kind, Named, NodeContext,
    NodeError, NodeFiles, NodeKind, NodeOutput, OutputPort, PathStep, PinnedFile, ValuePort, ValueType, read_config,
};
pub use model_files::ModelFiles;
pub use optimize_parameters::{StudyRecord, StudyRecordError, probability};
pub use pipeline::PipelineConfig;
pub(crate) use scoring::{BacktestModel, backtest_model};
pub use signals::{SignalCount, count_signals};

/// Every kind a pipeline may name.
pub const KINDS: &[&dyn NodeKind] = &[
    &accumulate::Accumulate,
    &backtest::Backtest,
    &optimize_parameters::OptimizeParameters,
    &train::Train,
    &import_model::ImportModel,
    &evaluate::Evaluate,
    &explain::Explain,
    &drift_check::DriftCheck,
    &deploy_if_better::DeployIfBetter,
    &score::Score,
    &paper::Paper,
    &leaderboard::Leaderboard,
    &audit::Audit,
    &command::Command,
    &pipeline::Pipeline,
    &noop::Noop,
];

/// The kinds that people are told of.
pub fn shown_kinds() -> impl Iterator<Item = &'static dyn NodeKind> + Clone {
    KINDS.iter().copied().filter(|kind| !kind.descriptor().behaviour.hidden)
}

/// Finds a kind by name.
pub fn find_kind(name: &str) -> Option<&'static dyn NodeKind> {
    KINDS.iter().copied().find(|kind| kind.descriptor().name == name)
}
