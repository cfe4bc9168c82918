//! What a scheduler starts: where, which command, with which variables.

use std::path::Path;

use crate::cli::project::StoreOrigin;
use crate::cli::{Session, shell};
use crate::pipeline::Pipeline;

/// A command line to be started on a schedule.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// The pipeline's name.
    pub name: String,
    /// The name in letters that unit files, groups and keys may have.
    pub slug: String,
    /// What it is for, in one line.
    pub description: String,
    /// The folder to start in: paths in a pipeline are relative to it.
    pub folder: String,
    /// The pipeline file.
    pub file: String,
    /// This program.
    pub program: String,
    /// A command line of the caller's own.
    pub command: Option<String>,
    /// `--store`, where the call has it.
    pub store_flag: Option<String>,
    /// The store, where a variable names it that a scheduler does not know.
    pub store_variable: Option<String>,
    /// Where the store is, whoever says so.
    pub store: String,
    /// Who runs it.
    pub user: Option<String>,
}

impl Job {
    pub(super) fn new(
        session: &Session,
        file: &Path,
        pipeline: &Pipeline,
        command: Option<&str>,
    ) -> std::io::Result<Self> {
        let folder = std::env::current_dir()?;
        // a path below the folder is the same one for whoever starts there
        let file = file.strip_prefix(&folder).unwrap_or(file);
        let store = |origin| (session.store_origin == origin).then(|| session.store.clone());
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self {
            slug: slug(&pipeline.name),
            name: words(&pipeline.name),
            description: words(&pipeline.description),
            folder: folder.display().to_string(),
            file: file.display().to_string(),
            program: std::env::current_exe()?.display().to_string(),
            command: command.map(words),
            store_flag: store(StoreOrigin::Flag),
            store_variable: store(StoreOrigin::Variable),
            store: session.store.clone(),
            user: std::env::var("USER").ok().filter(|user| !user.is_empty()),
        })
    }

    /// The words of the command, where the caller has none of their own.
    pub(super) fn words(&self, program: &str, flags: &[&str]) -> Vec<String> {
        let store = self.store_flag.iter().flat_map(|store| ["--store".to_owned(), store.clone()]);
        let run = [program.to_owned(), "run".to_owned(), self.file.clone()];
        run.into_iter().chain(store).chain(flags.iter().map(|flag| (*flag).to_owned())).collect()
    }

    /// The command as a shell reads it.
    pub(super) fn command_line(&self, program: &str, flags: &[&str]) -> String {
        match &self.command {
            Some(command) => command.clone(),
            None => self.words(program, flags).iter().map(|word| shell::word(word)).collect::<Vec<_>>().join(" "),
        }
    }

    /// A line that says what is started: its name, and what it is for.
    pub(super) fn title(&self) -> String {
        if self.description.is_empty() { self.name.clone() } else { format!("{}: {}", self.name, self.description) }
    }
}

/// A name in small letters, digits and `-`.
fn slug(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect();
    let plain = plain.trim_matches('-').to_owned();
    if plain.is_empty() { "pipeline".to_owned() } else { plain }
}

#[cfg(test)]
pub(super) mod fixtures {
    use super::Job;

    /// A job with a space in its folder, and signs in its names that some scheduler takes for its own.
    pub(in crate::cli::schedule) fn job() -> Job {
        Job {
            name: "weekly 100%".to_owned(),
            slug: super::slug("weekly 100%"),
            description: "Retrains the model.".to_owned(),
            folder: "/srv/my trading".to_owned(),
            file: "pipelines/weekly.yaml".to_owned(),
            program: "/usr/local/bin/walkforward".to_owned(),
            command: None,
            store_flag: None,
            store_variable: None,
            store: "artifacts/store".to_owned(),
            user: Some("trading".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn a_slug_has_plain_letters_only() {
        assert_eq!(slug("weekly 100%"), "weekly-100");
        assert_eq!(slug("ünïcode"), "n-code");
        assert_eq!(slug("%%"), "pipeline");
    }
}
