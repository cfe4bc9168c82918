//! Pipelines as nodes: their files are read and checked with the file that names them, so that nothing starts that
//! cannot end.

use std::sync::Arc;

use super::super::params::as_text;
use super::super::{LoadOptions, Pipeline};
use crate::base::{Located, Problem, Timestamp};
use crate::node::PipelineConfig;
use crate::pipeline::yaml::Yaml;

/// Deeper than any nest of pipelines a person means.
const MAX_DEPTH: usize = 8;

/// Reads the pipeline that a node runs; `None` when files cannot be read here at all.
pub(super) fn child(
    config: &PipelineConfig,
    with: &Located<Yaml>,
    as_of: Timestamp,
    options: &LoadOptions,
) -> Result<Option<Arc<Pipeline>>, Problem> {
    let Some(read) = &options.read else { return Ok(None) };
    let place = match &with.value {
        Yaml::Map(fields) => fields.iter().find(|(key, _)| key.value == "file").map(|(_, value)| value.span),
        _ => None,
    };
    let place = place.unwrap_or(with.span);
    let refuse = |message: String| Problem::new("pipeline::child", place, message);
    if options.within.contains(&config.file) || options.within.len() >= MAX_DEPTH {
        let chain = options.within.join(" -> ");
        let message = format!("pipelines run each other in a circle: {chain} -> {}", config.file);
        return Err(refuse(message).hint("take one of these nodes out"));
    }
    let text = read(&config.file).map_err(|problem| {
        refuse(format!("cannot read the pipeline `{}`: {problem}", config.file))
            .hint("paths are relative to the folder the program is called from")
    })?;
    let inner = LoadOptions {
        set: config.set.iter().map(|(name, value)| (name.clone(), as_text(value))).collect(),
        as_of: Some(config.as_of.unwrap_or(as_of)),
        now: None,
        environment: None,
        read: options.read.clone(),
        shadow: options.shadow,
        within: options.within.iter().cloned().chain([config.file.clone()]).collect(),
    };
    super::load(&text, &inner).map(|pipeline| Some(Arc::new(pipeline))).map_err(|problems| {
        let first = problems.first().map(|problem| problem.message.as_str()).unwrap_or_default();
        refuse(format!("`{}` cannot be run: {first}", config.file))
            .hint(format!("`walkforward validate {}` shows where; then look at `set` here", config.file))
    })
}
