//! Models and strategies of the registry, for commands that use them without a pipeline.

use super::Session;
use super::error::CliError;
use crate::artifact::{Artifact, ArtifactRef, Store};
use crate::base::Timestamp;
use crate::node::InputArtifact;
use crate::registry::{Registry, is_valid_name};

/// A registered model as it is asked for: `signal-quality`, or `signal-quality@challenger`.
#[derive(Clone, Debug)]
pub(super) struct ModelName {
    pub model: String,
    pub alias: String,
}

impl std::str::FromStr for ModelName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (model, alias) = text.split_once('@').unwrap_or((text, "champion"));
        match is_valid_name(model) && is_valid_name(alias) {
            true => Ok(Self { model: model.to_owned(), alias: alias.to_owned() }),
            false => Err(format!("expected the name of a registered model, or NAME@ALIAS, found `{text}`")),
        }
    }
}

/// What the registry has for a name.
pub(super) struct Registered {
    pub model: InputArtifact,
    pub strategy: InputArtifact,
}

/// Finds who holds the alias for a data window that ends at `as_of`: later promotions do not exist for it.
pub(super) async fn registered(
    session: &Session,
    store: &Store,
    name: &ModelName,
    as_of: Timestamp,
) -> Result<Registered, CliError> {
    let registry = Registry::new(store.clone());
    let history = registry.history(&name.model).await?;
    let (model, alias) = (&name.model, &name.alias);
    if history.entries.is_empty() {
        let known = registry.models().await?;
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(CliError::Usage(format!(
            "there is no registered model `{model}` in {}; known: {known}. A pipeline with `deploy-if-better` makes one, as \
             `walkforward run pipelines/weekly.yaml`",
            session.store
        )));
    }
    let Some(champion) = history.champion_as_of(alias, as_of) else {
        let now = history.champion(alias).map_or_else(
            || format!("nobody holds the alias `{alias}`"),
            |later| format!("the {alias} of now was decided as of {}", later.as_of),
        );
        return Err(CliError::Usage(format!(
            "`{model}` had no {alias} before {as_of}: {now}; `walkforward registry show {model}` lists all"
        )));
    };
    let load = async |reference: &ArtifactRef| {
        let artifact: Artifact = store.get(reference).await?;
        Ok::<_, CliError>(InputArtifact { reference: reference.clone(), artifact })
    };
    Ok(Registered { model: load(&champion.version.model).await?, strategy: load(&champion.version.strategy).await? })
}
