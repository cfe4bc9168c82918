//! `walkforward graph`: a pipeline as a picture.

mod dot;
mod drawing;
mod mermaid;

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::error::CliError;
use super::{PipelineArgs, Session};
use drawing::Drawing;

#[derive(Debug, Args)]
pub(super) struct GraphArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// What to write.
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    format: Format,
    /// Where the picture goes from its sources.
    #[arg(long, value_enum, default_value_t = Direction::Lr)]
    direction: Direction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Mermaid, as GitHub and GitLab draw it in Markdown.
    Mermaid,
    /// DOT, for Graphviz.
    Dot,
    /// Boxes and arrows as JSON; the same as `--json`.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Direction {
    /// From left to right.
    Lr,
    /// From top to bottom.
    Td,
}

pub(super) fn graph(session: &Session, args: &GraphArgs) -> Result<ExitCode, CliError> {
    let drawing = Drawing::of(&args.pipeline.load()?);
    let session = Session { json: session.json || args.format == Format::Json, ..session.clone() };
    session.print(&drawing, || match args.format {
        Format::Dot => dot::text(&drawing, args.direction),
        Format::Mermaid | Format::Json => mermaid::text(&drawing, args.direction),
    })?;
    Ok(ExitCode::SUCCESS)
}
