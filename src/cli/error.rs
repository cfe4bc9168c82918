//! What can end a command, and with which exit code.

use crate::artifact::StoreError;
use crate::base::Problem;
use crate::engine::EngineError;
use crate::engine::gc::GcError;
use crate::market::MarketError;
use crate::registry::RegistryError;
use crate::synth::SynthError;

/// Why a command could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The pipeline file has problems.
    #[error("{path} has {}", count(.problems.len()))]
    Pipeline {
        /// The file.
        path: String,
        /// Its text.
        text: String,
        /// What is wrong with it.
        problems: Vec<Problem>,
    },
    /// A source that the pipeline file names cannot be read.
    #[error("{path}: a source cannot be read")]
    Source {
        /// The pipeline file.
        path: String,
        /// Its text.
        text: String,
        /// What is wrong, at the declaration of the source.
        problem: Problem,
    },
    /// The call itself is wrong.
    #[error("{0}")]
    Usage(String),
    /// Another run holds the group.
    #[error("{0}")]
    Busy(String),
    /// The run could not be carried out.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Market data that cannot be used.
    #[error(transparent)]
    Data(#[from] MarketError),
    /// Market data that is not there, or cannot be written.
    #[error("{0}")]
    DataFile(String),
    /// A synthetic market that cannot be made.
    #[error(transparent)]
    Synth(#[from] SynthError),
    /// Garbage collection.
    #[error(transparent)]
    Gc(#[from] GcError),
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

impl CliError {
    /// The exit code of the table in the module documentation.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Pipeline { .. } | Self::Usage(_) | Self::Synth(SynthError::Params(_)) => 2,
            Self::Registry(
                RegistryError::NoSuchProposal { .. }
                | RegistryError::WhichProposal { .. }
                | RegistryError::Overtaken { .. }
                | RegistryError::Retired { .. }
                | RegistryError::StillServing { .. },
            ) => 2,
            Self::Busy(_) | Self::Gc(GcError::Busy(_)) => 75,
            Self::Source { .. }
            | Self::Engine(_)
            | Self::Store(_)
            | Self::Registry(_)
            | Self::Gc(_)
            | Self::Data(_)
            | Self::DataFile(_)
            | Self::Synth(_) => 4,
        }
    }

    /// What to do about it, where that is known.
    pub(super) fn advice(&self) -> Option<String> {
        match self {
            Self::Store(store)
            | Self::Engine(EngineError::Store(store) | EngineError::Registry(RegistryError::Store(store)))
            | Self::Registry(RegistryError::Store(store))
            | Self::Gc(GcError::Store(store) | GcError::Registry(RegistryError::Store(store))) => store.advice(),
            _ => None,
        }
    }

    /// A stable code for people who look an error up.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Pipeline { .. } => "pipeline",
            Self::Usage(_) => "usage",
            Self::Busy(_) => "busy",
            Self::Source { .. } | Self::Engine(EngineError::Source { .. } | EngineError::File { .. }) => {
                "engine::source"
            }
            Self::Engine(EngineError::Publish { .. }) => "engine::publish",
            Self::Engine(EngineError::Store(_)) | Self::Store(_) | Self::Gc(GcError::Store(_)) => "store",
            Self::Engine(EngineError::Registry(_)) | Self::Registry(_) | Self::Gc(GcError::Registry(_)) => "registry",
            Self::Gc(GcError::Busy(_)) => "gc::busy",
            Self::Data(_) | Self::DataFile(_) => "data",
            Self::Synth(_) => "data::synth",
        }
    }
}
