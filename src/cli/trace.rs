//! `walkforward trace` and `walkforward cat`: one number back to its source bytes, and the bytes themselves.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Args;

use super::Session;
use super::error::CliError;
use crate::artifact::{ArtifactRef, Payload};
use crate::base::Timestamp;
use crate::engine::{self, Trace, TracedArtifact, find_artifact};
use crate::table::Table;

#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    /// A registered model (its champion), `MODEL@SLOT`, `MODEL@ALIAS`, a run, or the digest of an artifact.
    subject: String,
    /// The number: `candidate.roc_auc`, or the end of such a path.
    number: String,
}

pub(super) async fn trace(session: &Session, args: &TraceArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let found = engine::trace(&store, &args.subject, &args.number).await?;
    let found = found.map_err(|error| CliError::Usage(error.to_string()))?;
    session.print(&found, || text(&found))?;
    Ok(ExitCode::SUCCESS)
}

fn text(trace: &Trace) -> String {
    let mut text = format!("{}\n\n", trace.value);
    let _ = writeln!(text, "stands at {} in {}", trace.place, trace.artifact.name);
    let _ = writeln!(text, "  of {}", trace.subject);
    let _ = writeln!(text, "  {}", trace.artifact.object);
    for entry in &trace.entries {
        let _ = writeln!(text, "  referred to by {entry}");
    }
    text.push_str("\nMade by, last first\n");
    for node in &trace.nodes {
        let fingerprint = node.fingerprint.map_or("none".to_owned(), |fingerprint| fingerprint.to_string());
        let _ =
            writeln!(text, "\n{} ({})\n  recorded in {}, fingerprint {fingerprint}", node.node, node.kind, node.record);
        for (digest, name) in &node.reads {
            let _ = writeln!(text, "  reads  {digest}  {name}");
        }
        for written in &node.writes {
            let _ = writeln!(text, "  writes {}  {}", written.sha256, written.name);
        }
    }
    text.push_str("\nFrom\n");
    for source in &trace.sources {
        text.push('\n');
        text.push_str(&bytes_of(source));
    }
    text.push_str("\nEvery object is a file of the store whose name is its SHA-256: `sha256sum` verifies it.\n");
    text
}

fn bytes_of(artifact: &TracedArtifact) -> String {
    let mut text = format!("{}\n  {}  {}\n", artifact.name, artifact.sha256, artifact.object);
    for (name, file, object) in &artifact.files {
        let _ = writeln!(text, "  {name}: {} bytes  {object}", file.bytes);
    }
    text
}

#[derive(Debug, Args)]
pub(super) struct CatArgs {
    /// At least 8 digits of the artifact's digest.
    digest: String,
    /// The file of an artifact that has several.
    file: Option<String>,
    /// Print a table as CSV: numbers with all their digits, undefined ones as nothing, times in UTC.
    #[arg(long)]
    csv: bool,
}

pub(super) async fn cat(session: &Session, args: &CatArgs) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let found: Option<ArtifactRef> = find_artifact(&store, &args.digest).await?;
    let missing = || {
        let message = format!(
            "no record refers to one artifact `{}` in {}: expected at least 8 digits of a digest",
            args.digest, session.store
        );
        CliError::Usage(message)
    };
    let artifact = store.get(&found.ok_or_else(missing)?).await?;
    let bytes = match (artifact.payload, &args.file) {
        (Payload::File(bytes), None) => bytes,
        (Payload::File(_), Some(file)) => {
            return Err(CliError::Usage(format!("the artifact is one file, without a name: leave `{file}` out")));
        }
        (Payload::Large(_), _) => return Err(CliError::Usage("a bug: the artifact was not read".to_owned())),
        (Payload::Tree(mut files), file) => {
            let names: Vec<String> = files.keys().cloned().collect();
            let found = file.as_ref().and_then(|file| files.remove(file));
            found.ok_or_else(|| {
                CliError::Usage(format!("the artifact has several files; name one: {}", names.join(", ")))
            })?
        }
    };
    let bytes = match args.csv {
        false => bytes.to_vec(),
        true => {
            csv(&Table::from_parquet(bytes).map_err(|error| CliError::Usage(format!("--csv: {error}")))?).into_bytes()
        }
    };
    // a reader that has gone away, as `| head` does, is no error
    let _ = std::io::stdout().write_all(&bytes);
    Ok(ExitCode::SUCCESS)
}

/// For other tools: every time with its time of day.
fn csv(table: &Table) -> String {
    table.to_csv(Timestamp::rfc3339)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Values;

    #[test]
    fn a_table_as_csv_keeps_every_digit_and_quotes_what_would_be_read_as_two_cells() {
        let table = Table::new("t@1")
            .with("name", "", Values::Text(vec!["a,\"b\"".to_owned(), "c".to_owned()]))
            .with("x", "", Values::Float(vec![0.1 + 0.2, f64::NAN]))
            .with("ts", "", Values::Time(vec![0, 1]))
            .with("win", "", Values::Bool(vec![true, false]));
        let expected = "name,x,ts,win\n\"a,\"\"b\"\"\",0.30000000000000004,1970-01-01T00:00:00Z,true\nc,,1970-01-01T00:00:00.000001Z,false\n";
        assert_eq!(csv(&table), expected);
    }
}
