//! `configs/project.yaml`: what holds for all pipelines of a project.

use serde_json::Value;

use super::file::Reader;
use super::template::fill_text;
use super::{LookUp, Text, keys, yaml};
use crate::base::Problem;
use crate::base::yaml::Yaml;

/// The settings of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// Where the store is.
    pub store: Option<String>,
    /// The file of the key that promotions are signed with.
    pub signing_key: Option<String>,
}

impl Project {
    /// Reads a project file. `${env.NAME}` may stand in its values, since nothing of it is recorded.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(text: &str, environment: &LookUp) -> Result<Self, Vec<Problem>> {
        let tree = yaml::parse(text)?;
        if tree.value == Yaml::Null {
            return Ok(Self::default());
        }
        let mut problems = Vec::new();
        let mut reader = Reader { problems: &mut problems };
        let fields = reader.mapping(&tree, "a project file", keys::PROJECT);
        let mut value = |key: &str, example: &str| {
            let text = fields.get(key).and_then(|value| reader.text(value, key))?;
            match filled(&text, key, example, environment) {
                Ok(value) => Some(value),
                Err(problem) => {
                    reader.report(problem);
                    None
                }
            }
        };
        let project = Self {
            store: value("store", "artifacts/store"),
            signing_key: value("signing_key", "configs/keys/signing.pem"),
        };
        if problems.is_empty() { Ok(project) } else { Err(problems) }
    }
}

/// A text with the environment filled in.
fn filled(text: &Text, key: &str, example: &str, environment: &LookUp) -> Result<String, Problem> {
    let resolve = |name: &str| match name.trim().strip_prefix("env.") {
        Some(variable) => environment(variable).map(Value::String).ok_or_else(|| {
            let message = format!("the environment variable `{variable}` is not set");
            Problem::new("pipeline::environment", text.span, message).hint("set it, or write the value itself")
        }),
        None => {
            let message = format!("`${{{name}}}` refers to nothing");
            Err(Problem::new("pipeline::undefined_reference", text.span, message).hint("known here: ${env.NAME}"))
        }
    };
    match fill_text(&text.value, text.span, &resolve)? {
        Value::String(filled) if !filled.trim().is_empty() => Ok(filled),
        _ => {
            let message = format!("`{key}`: expected a value, found nothing");
            Err(Problem::new("pipeline::type", text.span, message).hint(format!("write `{key}: {example}`")))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn read(text: &str) -> Result<Option<String>, String> {
        let environment: LookUp = Arc::new(|name| (name == "TEAM").then(|| "blue".to_owned()));
        let message = |problems: Vec<Problem>| problems.into_iter().map(|problem| problem.message).collect();
        Project::read(text, &environment).map(|project| project.store).map_err(message)
    }

    #[test]
    fn the_store_may_come_from_the_environment() {
        assert_eq!(read("store: artifacts/store\n"), Ok(Some("artifacts/store".to_owned())));
        assert_eq!(read("store: s3://bucket/${env.TEAM}/store\n"), Ok(Some("s3://bucket/blue/store".to_owned())));
        assert_eq!(read("# nothing yet\n"), Ok(None));
    }

    #[test]
    fn the_signing_key_is_a_path() {
        let environment: LookUp = Arc::new(|_| None);
        let project = Project::read("signing_key: configs/keys/signing.pem\n", &environment).unwrap();
        assert_eq!(project.signing_key.as_deref(), Some("configs/keys/signing.pem"));
    }

    #[test]
    fn what_is_unknown_unset_or_empty_is_refused() {
        assert_eq!(read("stor: x\n"), Err("a project file has no key `stor`".to_owned()));
        assert_eq!(read("store: 7\n"), Err("`store`: expected text, found the number 7".to_owned()));
        assert_eq!(read("store: ${env.GONE}\n"), Err("the environment variable `GONE` is not set".to_owned()));
        assert_eq!(read("store: ${run.as_of}\n"), Err("`${run.as_of}` refers to nothing".to_owned()));
        assert!(read("store: \"\"\n").unwrap_err().contains("found nothing"));
    }
}
