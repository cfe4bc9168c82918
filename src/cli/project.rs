//! Where the store is: `--store`, else `WALKFORWARD_STORE`, else `store` of `configs/project.yaml`, else `artifacts/store`.

use std::path::Path;

use clap::parser::ValueSource;

use super::error::CliError;
use super::pipeline_args::environment;
use crate::base::Problem;
use crate::pipeline::Project;

/// The file that holds for all pipelines of the current folder.
pub(super) const PROJECT_FILE: &str = "configs/project.yaml";
/// Where the store is when nobody says.
pub(super) const DEFAULT_STORE: &str = "artifacts/store";

/// Who says where the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreOrigin {
    /// `--store`.
    Flag,
    /// `WALKFORWARD_STORE`.
    Variable,
    /// The project file.
    Project,
    /// Nobody.
    Default,
}

impl StoreOrigin {
    /// As a person reads it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Flag => "--store",
            Self::Variable => "WALKFORWARD_STORE",
            Self::Project => PROJECT_FILE,
            Self::Default => "the default",
        }
    }
}

/// Where the store is, and who says so.
#[derive(Clone, Debug)]
pub(super) struct StorePlace {
    pub location: String,
    pub origin: StoreOrigin,
    /// Why the project file could not be asked.
    pub refused: Option<BadProject>,
}

/// A project file that cannot be used.
#[derive(Clone, Debug)]
pub(super) struct BadProject {
    text: String,
    problems: Vec<Problem>,
}

impl From<BadProject> for CliError {
    fn from(BadProject { text, problems }: BadProject) -> Self {
        Self::Pipeline { path: PROJECT_FILE.to_owned(), text, problems }
    }
}

impl StorePlace {
    /// Finds the place from what the call and the environment say, and asks the project file only where they say nothing.
    pub(super) fn find(given: Option<&str>, source: Option<ValueSource>) -> Self {
        let place = |location: &str, origin| Self { location: location.to_owned(), origin, refused: None };
        // a variable that is set to nothing is not set
        match given.filter(|location| !location.is_empty() || source == Some(ValueSource::CommandLine)) {
            Some(location) if source == Some(ValueSource::EnvVariable) => place(location, StoreOrigin::Variable),
            Some(location) => place(location, StoreOrigin::Flag),
            None => match read_project() {
                Ok(Project { store: Some(location), .. }) => place(&location, StoreOrigin::Project),
                Ok(Project { store: None, .. }) => place(DEFAULT_STORE, StoreOrigin::Default),
                Err(refused) => Self { refused: Some(refused), ..place(DEFAULT_STORE, StoreOrigin::Default) },
            },
        }
    }
}

/// Reads the project file of the current folder; one that is not there says nothing.
pub(super) fn read_project() -> Result<Project, BadProject> {
    let text = match std::fs::read_to_string(Path::new(PROJECT_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Project::default()),
        Err(error) => {
            let problem = Problem::new("project", crate::base::Span::default(), format!("cannot be read: {error}"));
            return Err(BadProject { text: String::new(), problems: vec![problem.hint("make it readable")] });
        }
    };
    Project::read(&text, &environment()).map_err(|problems| BadProject { text, problems })
}
