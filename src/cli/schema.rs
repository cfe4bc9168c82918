//! `walkforward schema`: JSON Schema of the files that people write, for their editors.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::Session;
use super::error::CliError;
use crate::pipeline::schema::pipeline_schema;
use crate::strategy;

/// A kind of file that people write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FileKind {
    /// A pipeline.
    Pipeline,
    /// A strategy, what a source with `schema: strategy@1` holds.
    Strategy,
}

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Of which file.
    #[arg(value_enum, default_value_t = FileKind::Pipeline)]
    file: FileKind,
}

pub(super) fn schema(session: &Session, args: &SchemaArgs) -> Result<ExitCode, CliError> {
    let schema = of(args.file);
    session.print(&schema, || text(&schema))?;
    Ok(ExitCode::SUCCESS)
}

fn of(file: FileKind) -> Value {
    match file {
        FileKind::Pipeline => pipeline_schema(),
        FileKind::Strategy => strategy::file_schema().to_value(),
    }
}

fn text(schema: &Value) -> String {
    format!("{schema:#}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_schemas_are_what_the_program_writes() {
        for (file, name) in [(FileKind::Pipeline, "pipeline"), (FileKind::Strategy, "strategy")] {
            let path = format!("docs/schema/{name}.json");
            let committed = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path));
            assert!(
                committed.unwrap_or_default() == text(&of(file)) + "\n",
                "{path} is out of date; write it anew with `walkforward schema {name} > {path}`"
            );
        }
    }
}
