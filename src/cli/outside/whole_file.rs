//! Files that a reader finds whole or not at all.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Writes a file under a temporary name in the same folder, then renames it; folders that are missing are made.
///
/// The temporary name ends in `.tmp`: a collector that watches the folder for `*.prom` does not read it.
///
/// # Errors
/// The folder cannot be written to.
pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    write_bytes(path, text.as_bytes())
}

/// Writes a file of any bytes as [`write`] does.
///
/// # Errors
/// The folder cannot be written to.
pub(in crate::cli) fn write_bytes(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new()
        .prefix(".walkforward-")
        .suffix(".tmp")
        // as for any new file: its reader is seldom the user who runs the pipeline
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/run.prom");
        for text in ["first\n", "second\n"] {
            write(&path, text).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_is_readable_to_whom_any_other_new_file_is() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        std::fs::write(folder.path().join("other"), "").unwrap();
        write(&folder.path().join("ours"), "").unwrap();
        assert_eq!(mode("ours"), mode("other"));
    }
}
