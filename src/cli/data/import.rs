//! `walkforward data import`: any bars to one validated Parquet file.

use std::fmt::Write as _;
use std::fs::{File, Permissions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::super::error::CliError;
use super::super::{Session, now};
use super::DataPlace;
use crate::market::{Imported, OnBadBar};

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    #[command(flatten)]
    place: DataPlace,
    /// The Parquet file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What to do with a bar that cannot be true.
    #[arg(long, value_enum, default_value_t = Policy::Error)]
    on_bad_bar: Policy,
    /// Replace the file if it is there.
    #[arg(long)]
    force: bool,
}

/// As `on_bad_bar` of a node.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Policy {
    /// Write nothing, and name the bar.
    Error,
    /// Leave it out.
    Drop,
    /// Mend what the bar says how to mend, leave the others out.
    Repair,
}

/// Lines that are listed of what was dropped or repaired.
const LISTED: usize = 20;

pub(super) async fn import(session: &Session, args: &ImportArgs) -> Result<ExitCode, CliError> {
    let dataset = args.place.open(session).await?;
    let on_bad_bar = match args.on_bad_bar {
        Policy::Error => OnBadBar::Error,
        Policy::Drop => OnBadBar::Drop,
        Policy::Repair => OnBadBar::Repair,
    };
    let report = publish(&args.out, args.force, |file| {
        let (report, _) = dataset.import(on_bad_bar, now(), file)?;
        Ok(report)
    })?;
    session.print(&report, || text(&report, &args.out))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a file under another name and gives it its own once it is whole.
pub(super) fn publish<T>(
    path: &Path,
    force: bool,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let shown = path.display();
    if !force && path.exists() {
        return Err(CliError::Usage(format!("`{shown}` is there; give another name, or --force to replace it")));
    }
    let refused = |error: std::io::Error| CliError::DataFile(format!("cannot write `{shown}`: {error}"));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(refused)?;
    // as any file: who may read it is for the umask to say
    let anybody = Permissions::from_mode(0o666);
    let unfinished = tempfile::Builder::new().permissions(anybody).tempfile_in(folder).map_err(refused)?;
    let mut file = BufWriter::new(unfinished.as_file());
    let written = write(&mut file)?;
    file.flush().map_err(refused)?;
    drop(file);
    unfinished.persist(path).map_err(|error| refused(error.error))?;
    Ok(written)
}

fn text(report: &Imported, out: &Path) -> String {
    let mut text = String::new();
    for (lines, what) in [(&report.dropped_bars, "dropped"), (&report.repaired_cells, "repaired")] {
        for line in lines.iter().take(LISTED) {
            let _ = writeln!(text, "{what}: {line}");
        }
        if lines.len() > LISTED {
            let _ = writeln!(text, "{what}: ... {} in all; `--json` lists more", lines.len());
        }
    }
    let day = |time: Option<crate::base::Timestamp>| time.map_or("-".to_owned(), |time| time.date());
    let _ = writeln!(
        text,
        "{}: {} bars of {} symbols, {} to {}; {} dropped, {} repaired",
        out.display(),
        report.bars,
        report.symbols,
        day(report.first),
        day(report.last),
        report.dropped,
        report.repaired
    );
    text
}
