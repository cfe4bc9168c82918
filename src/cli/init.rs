//! `walkforward init`: a project that runs, to begin from.

mod market;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::error::CliError;
use super::render::table;
use super::{Session, shell};

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The folder of the project, made if it is missing.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The pipeline to begin with.
    #[arg(long, value_enum, default_value_t = Example::Minimal)]
    example: Example,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Example {
    /// Collect signals, train a model, judge it.
    Minimal,
    /// The weekly cycle: look for drift, retrain, and deploy what is provably better.
    Weekly,
    /// Two model families with three seeds each, side by side.
    Sweep,
}

impl Example {
    fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Weekly => "weekly",
            Self::Sweep => "sweep",
        }
    }

    fn pipeline(self) -> &'static str {
        match self {
            Self::Minimal => include_str!("init/minimal.yaml"),
            Self::Weekly => include_str!("init/weekly.yaml"),
            Self::Sweep => include_str!("init/sweep.yaml"),
        }
    }
}

const PROJECT: &str = "\
# What holds for all pipelines of this project. --store and WALKFORWARD_STORE win over it.
store: artifacts/store        # a folder, or s3://bucket/prefix
";

const GITIGNORE: &str = "/artifacts/\n";

/// A file of the project.
struct Scaffold {
    path: String,
    about: &'static str,
    text: String,
}

/// What was made.
#[derive(Debug, Serialize)]
struct Made {
    folder: String,
    files: Vec<String>,
    next: Vec<String>,
}

pub(super) fn init(session: &Session, args: &InitArgs) -> Result<ExitCode, CliError> {
    let files = files(args.example);
    write(&args.folder, &files)?;
    let mut next = vec![format!("walkforward run pipelines/{}.yaml", args.example.name())];
    if args.folder != Path::new(".") {
        next.insert(0, format!("cd {}", shell::word(&args.folder.display().to_string())));
    }
    let made = Made {
        folder: args.folder.display().to_string(),
        files: files.iter().map(|file| file.path.clone()).collect(),
        next,
    };
    session.print(&made, || {
        let rows = files.iter().map(|file| vec![file.path.clone(), file.about.to_owned()]);
        format!("{}\n\nNext:\n  {}", table(&["made", ""], rows), made.next.join("\n  "))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn files(example: Example) -> Vec<Scaffold> {
    let file = |path: &str, about, text: &str| Scaffold { path: path.to_owned(), about, text: text.to_owned() };
    let name = example.name();
    let strategy = include_str!("init/breakout.yaml");
    vec![
        file(&format!("pipelines/{name}.yaml"), "the pipeline: what is done, and in which order", example.pipeline()),
        file("configs/strategies/breakout.yaml", "the strategy whose signals the model scores", strategy),
        file("configs/project.yaml", "where the store is", PROJECT),
        file("data/market.csv", "daily bars of an invented market; put your own here", &market::csv()),
        file(".gitignore", "keeps what runs make out of git", GITIGNORE),
        file("README.md", "the three commands", &include_str!("init/README.md").replace("EXAMPLE", name)),
    ]
}

/// Writes all files, or none when one of them is there already.
fn write(folder: &Path, files: &[Scaffold]) -> Result<(), CliError> {
    let there: Vec<&str> = files
        .iter()
        .map(|file| file.path.as_str())
        .filter(|path| folder.join(path).symlink_metadata().is_ok())
        .collect();
    if !there.is_empty() {
        return Err(CliError::Usage(format!(
            "nothing was written, because it would replace {}; choose another folder: walkforward init FOLDER",
            there.join(", ")
        )));
    }
    for file in files {
        let path = folder.join(&file.path);
        write_new(&path, &file.text)
            .map_err(|error| CliError::Usage(format!("cannot write `{}`: {error}", path.display())))?;
    }
    Ok(())
}

fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // a file that came since we looked is not replaced either
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}
