//! The key that promotions are signed with: `WALKFORWARD_SIGNING_KEY`, else `signing_key` of `configs/project.yaml`.

use super::error::CliError;
use super::pipeline_args::environment;
use super::project::{PROJECT_FILE, read_project};
use crate::attest::{SigningKey, VerifyingKey};

/// The variable that names the file of the key.
const VARIABLE: &str = "WALKFORWARD_SIGNING_KEY";

/// The configured key; `None` where nobody names one. One that is named and cannot be used is an error: a promotion that
/// should be signed must not go unsigned.
pub(super) fn signing_key() -> Result<Option<SigningKey>, CliError> {
    // a variable that is set to nothing is not set
    let named = environment()(VARIABLE).filter(|path| !path.is_empty()).map(|path| (path, VARIABLE));
    let (path, origin) = match named {
        Some(found) => found,
        None => match read_project()?.signing_key {
            Some(path) => (path, PROJECT_FILE),
            None => return Ok(None),
        },
    };
    let refuse = |problem: String| CliError::Usage(format!("the signing key `{path}` ({origin}): {problem}"));
    let text = std::fs::read_to_string(&path).map_err(|error| refuse(error.to_string()))?;
    SigningKey::from_pem(&text).map(Some).map_err(|error| refuse(error.to_string()))
}

/// Reads a public key.
pub(super) fn read_public_key(path: &str) -> Result<VerifyingKey, CliError> {
    let refuse = |problem: String| CliError::Usage(format!("--key {path}: {problem}"));
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    VerifyingKey::from_pem(&text).map_err(|error| refuse(error.to_string()))
}
