//! A pipeline file and what a caller changes about it: arguments that many commands share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::error::CliError;
use crate::artifact::Store;
use crate::base::{Problem, Span, Timestamp};
use crate::engine::{EngineError, PinnedSources};
use crate::pipeline::{CacheMode, LoadOptions, LookUp, Pipeline, ReadFile};

/// A pipeline and what a caller changes about it.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct PipelineArgs {
    /// The pipeline file.
    pub file: PathBuf,
    /// End of the data window, exclusive: a date or a time in UTC.
    #[arg(long, value_name = "DATE")]
    pub as_of: Option<Timestamp>,
    /// Set a declared param; may be given several times.
    #[arg(long, value_name = "PARAM=VALUE", value_parser = assignment)]
    pub set: Vec<(String, String)>,
    /// Read values of params from a YAML or JSON file; `--set` wins over it.
    #[arg(long, value_name = "FILE")]
    pub params: Option<PathBuf>,
    /// Let nodes that change something outside the store (deployments) only say what they would do.
    #[arg(long)]
    pub shadow: bool,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("expected PARAM=VALUE, found `{text}`"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Looks variables up in the environment of this process.
pub(super) fn environment() -> LookUp {
    Arc::new(|name: &str| std::env::var(name).ok())
}

fn reader() -> ReadFile {
    Arc::new(|path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string()))
}

impl PipelineArgs {
    /// Reads the file to look at it: `notify` is not asked for its secrets.
    pub(super) fn load(&self) -> Result<Pipeline, CliError> {
        self.load_with(None)
    }

    /// Reads the file to run it.
    pub(super) fn load_to_run(&self) -> Result<Pipeline, CliError> {
        self.load_with(Some(environment()))
    }

    fn load_with(&self, environment: Option<LookUp>) -> Result<Pipeline, CliError> {
        let path = self.file.display().to_string();
        let text = std::fs::read_to_string(&self.file)
            .map_err(|source| CliError::Usage(format!("cannot read the pipeline `{path}`: {source}")))?;
        let options = LoadOptions {
            set: self.values()?,
            as_of: self.as_of,
            now: Some(super::now()),
            environment,
            read: Some(reader()),
            shadow: self.shadow,
            within: vec![path.clone()],
        };
        crate::pipeline::load(&text, &options).map_err(|problems| CliError::Pipeline { path, text, problems })
    }

    /// Values of params: those of the file, and over them those of the call.
    fn values(&self) -> Result<BTreeMap<String, String>, CliError> {
        let mut values = BTreeMap::new();
        if let Some(path) = &self.params {
            let refuse = |problem: String| CliError::Usage(format!("--params {}: {problem}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
            values = crate::pipeline::param_file(&text).map_err(|problem| refuse(problem.message))?;
        }
        values.extend(self.set.iter().cloned());
        Ok(values)
    }

    /// Reads all sources, programs and files; one that cannot be read is shown where the file declares it.
    pub(super) async fn pin(&self, pipeline: &Pipeline, store: &Store) -> Result<PinnedSources, CliError> {
        let error = match crate::engine::pin(pipeline, store, &environment()).await {
            Ok(pinned) => return Ok(pinned),
            Err(error) => error,
        };
        let (span, problem, label) = match &error {
            EngineError::Source { name, problem } => {
                let span = pipeline.source_spans.get(name).copied().unwrap_or_default();
                (span, format!("source `{name}`: {problem}"), "this source")
            }
            EngineError::File { node, problem } => {
                let span = pipeline.node(node).map_or_else(Span::default, |node| node.span);
                (span, format!("node `{node}`: {problem}"), "this node")
            }
            _ => return Err(error.into()),
        };
        let (what, hint) = problem.split_once("; ").unwrap_or((&problem, "correct the path, or put the data there"));
        let problem = Problem::new("engine::source", span, what).label(label).hint(hint);
        Err(CliError::Source { path: self.file.display().to_string(), text: pipeline.text.to_string(), problem })
    }
}

/// The names in a list. A comma parts two of them, unless it stands between the brackets of an instance.
fn parted(list: &str) -> Vec<&str> {
    let mut inside = false;
    let comma = |c: char| {
        inside = (inside || c == '[') && c != ']';
        c == ',' && !inside
    };
    list.split(comma).map(str::trim).collect()
}

/// Lets nodes run although their results are in the store: all, or those of these names.
pub(super) fn refresh(pipeline: &mut Pipeline, names: &[String]) -> Result<(), CliError> {
    for name in names.iter().flat_map(|list| parted(list)) {
        let all = name == "all";
        let mut found = false;
        for node in pipeline.nodes.iter_mut().filter(|node| all || node.id == name || node.group == name) {
            found = true;
            if node.policy.cache == CacheMode::Default {
                node.policy.cache = CacheMode::Refresh;
            }
        }
        if !found {
            let known: Vec<&str> = pipeline.nodes.iter().map(|node| node.group.as_str()).collect();
            let near = crate::base::nearest(name, known.iter().copied());
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(CliError::Usage(format!("--refresh {name}: there is no node `{name}`{hint}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_inside_the_name_of_an_instance_parts_nothing() {
        assert_eq!(parted("a, fit[x=1,y=2],b"), ["a", "fit[x=1,y=2]", "b"]);
        assert_eq!(parted("all"), ["all"]);
    }
}
