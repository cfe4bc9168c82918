//! Pipelines as nodes: their files are read and checked with the file that names them, so that nothing starts that
//! cannot end.

use std::sync::Arc;

use super::super::params::as_text;
use super::super::{LoadOptions, Pipeline};
use crate::base::yaml::Yaml;
use crate::base::{Located, Problem, Timestamp};
use crate::node::PipelineConfig;

/// Deeper than any nest of pipelines a person means.
const MAX_DEPTH: usize = 8;

/// The code of problems with the file that a node names.
const CHILD: &str = "pipeline::child";

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
    let refuse = |message: String| Problem::new(CHILD, place, message);
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
        let first = problems.first();
        let words = first.map(|problem| problem.message.as_str()).unwrap_or_default();
        let problem = refuse(format!("`{}` cannot be run: {words}", config.file));
        match first.filter(|problem| problem.code == CHILD).and_then(|problem| problem.hint.as_ref()) {
            // a circle shows only from here
            Some(hint) => problem.hint(hint),
            None => {
                problem.hint(format!("`walkforward validate {}` shows where; then look at `set` here", config.file))
            }
        }
    })
}
