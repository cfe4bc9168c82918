//! `walkforward families`: which model families there are, and the parameters of each, from the table that declares them.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::Session;
use super::error::CliError;
use super::render::table;
use crate::base::nearest;
use crate::model::{FAMILIES, Family, ModelConfig, Parameter, ParameterType, Weights};

#[derive(Debug, Args)]
pub(super) struct FamiliesArgs {
    /// The family to explain.
    name: Option<String>,
    /// Write the reference page of all families.
    #[arg(long, conflicts_with = "name")]
    markdown: bool,
}

pub(super) fn families(session: &Session, args: &FamiliesArgs) -> Result<ExitCode, CliError> {
    match &args.name {
        _ if args.markdown => session.print(&markdown(), markdown)?,
        None => session.print(&FAMILIES.iter().map(as_json).collect::<Vec<_>>(), || {
            let cells = |family: &Family| vec![family.name.to_owned(), tasks(family), family.doc.to_owned()];
            table(&["family", "learns", "what it is"], FAMILIES.iter().map(cells))
        })?,
        Some(name) => {
            let family = FAMILIES.iter().find(|family| family.name == name).ok_or_else(|| unknown(name))?;
            session.print(&as_json(family), || {
                let header = ["parameter", "values", "default", "meaning"];
                let rows = rows(family).into_iter().map(|row| row.map(|cell| cell.replace('`', "")).to_vec());
                format!("{}\nlearns: {}; {}\n\n{}", family.doc, tasks(family), promises(family), table(&header, rows))
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> CliError {
    // another name of a family, or one that is planned: the reader of pipelines knows what to say
    let advice = match ModelConfig::from_json(name, &Value::Null) {
        Ok(config) => format!("it is another name of `{}` with one parameter set", config.family()),
        Err(_) => match nearest(name, FAMILIES.iter().map(|family| family.name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`walkforward families` lists them".to_owned(),
        },
    };
    CliError::Usage(format!("there is no page on a model family `{name}`; {advice}"))
}

fn tasks(family: &Family) -> String {
    family.tasks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn promises(family: &Family) -> String {
    let weights = match family.weights {
        Weights::Repeats => "a weight of 2 counts as two rows",
        Weights::Shares => "weights are scaled to an average of 1",
        Weights::ByMember => "each member counts weights in its own way",
    };
    let validation = if family.validates { "; can stop early" } else { "" };
    format!("{weights}{validation}")
}

fn as_json(family: &Family) -> Value {
    let parameters = family.parameters.iter().map(|parameter| {
        json!({
            "name": parameter.name,
            "values": values(parameter).replace('`', ""),
            "range": parameter.bounds.map(|(low, high)| [low, high]),
            "log": parameter.log,
            "default": default(family, parameter),
            "doc": parameter.doc,
        })
    });
    json!({
        "name": family.name, "doc": family.doc, "tasks": family.tasks, "weights": family.weights,
        "stops_early": family.validates, "parameters": parameters.collect::<Vec<_>>(),
    })
}

/// What a family takes where nothing is said.
fn default(family: &Family, parameter: &Parameter) -> Value {
    let defaults = ModelConfig::from_json(family.name, &Value::Null).and_then(|config| {
        config.parameters().map_err(|source| crate::model::ModelError::Parameters { family: family.name, source })
    });
    defaults.map_or(Value::Null, |defaults| defaults[parameter.name].clone())
}

/// Type and bounds for people.
fn values(parameter: &Parameter) -> String {
    let listed = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let scale = if parameter.log { ", by ratio" } else { "" };
    let between = parameter.bounds.map_or_else(String::new, |(low, high)| format!(" from {low} to {high}{scale}"));
    match parameter.value {
        ParameterType::Whole => format!("whole number{between}"),
        ParameterType::Real => format!("number{between}"),
        ParameterType::Switch => "true or false".to_owned(),
        ParameterType::Words(words) => listed(words),
        ParameterType::ByFeature(words) => format!("by feature: {}", listed(words)),
        ParameterType::Other(what) => what.to_owned(),
    }
}

fn rows(family: &Family) -> Vec<[String; 4]> {
    let row = |parameter: &Parameter| {
        let default = match default(family, parameter) {
            Value::String(word) => word,
            other => other.to_string(),
        };
        [parameter.name.to_owned(), values(parameter), default, parameter.doc.to_owned()]
    };
    family.parameters.iter().map(row).collect()
}

/// The reference page, from the table.
fn markdown() -> String {
    let mut text = "# Model families\n\nWritten by `walkforward families --markdown`; do not edit. Which family when, and what all \
                    of them promise, stands in [models](../guide/models.md). A number \"by ratio\" is one that a search \
                    steps through on a logarithmic scale.\n"
        .to_owned();
    for family in FAMILIES {
        let _ = writeln!(
            text,
            "\n## {}\n\n{}\n\nLearns: {}; {}.\n\n| parameter | values | default | meaning |\n|---|---|---|---|",
            family.name,
            family.doc,
            tasks(family),
            promises(family)
        );
        for row in rows(family) {
            let [name, values, default, doc] = row.map(|cell| cell.replace('|', "\\|"));
            let _ = writeln!(text, "| `{name}` | {values} | `{default}` | {doc} |");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::documents::read;
    use super::*;

    #[test]
    fn the_committed_page_is_what_the_program_writes() {
        let path = "docs/reference/models.md";
        let is_current =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists() && read(path) == markdown();
        assert!(is_current, "{path} is out of date; write it anew with `walkforward families --markdown > {path}`");
    }

    #[test]
    fn a_family_that_is_not_there_is_answered_with_what_is() {
        assert!(
            unknown("lightgbm")
                .to_string()
                .ends_with("it is another name of `gradient-boosting` with one parameter set")
        );
        assert!(unknown("random-forrest").to_string().ends_with("did you mean `random-forest`?"));
    }
}
