//! `walkforward completions` and `man`: what shells and `man` know about the commands, from the commands themselves.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::error::CliError;
use super::{Cli, Session};

const NAME: &str = "walkforward";

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder, made if it is missing, instead of printing the first.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(super) fn completions(session: &Session, args: &CompletionsArgs) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    session.print(&script, || script.clone())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(session: &Session, args: &ManArgs) -> Result<ExitCode, CliError> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut page)
            .map_err(|error| CliError::Usage(format!("cannot write the page: {error}")))?;
        let page = String::from_utf8_lossy(&page).into_owned();
        session.print(&page, || page.clone())?;
        return Ok(ExitCode::SUCCESS);
    };
    let pages = written(folder)
        .map_err(|error| CliError::Usage(format!("cannot write the pages to `{}`: {error}", folder.display())))?;
    session.print(&pages, || {
        format!("{} pages in {}; to read one: man -l {}/{NAME}.1", pages.len(), folder.display(), folder.display())
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Writes all pages, and returns their names.
fn written(folder: &Path) -> std::io::Result<Vec<String>> {
    std::fs::create_dir_all(folder)?;
    // in a folder of their own first, to know which they are
    let fresh = tempfile::tempdir_in(folder)?;
    clap_mangen::generate_to(Cli::command(), fresh.path())?;
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(fresh.path())? {
        let entry = entry?;
        let name = entry.file_name();
        std::fs::rename(entry.path(), folder.join(&name))?;
        pages.push(name.to_string_lossy().into_owned());
    }
    pages.sort();
    Ok(pages)
}
