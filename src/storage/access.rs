//! How a store is opened: its address, and what the surroundings say about reaching it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};

use super::StorageError;
use super::lock::LeaseTerms;
use super::objects::Storage;
use super::profile::s3_settings;

/// The schemes that an address may begin with.
pub(super) const SCHEMES: [&str; 3] = ["s3", "gs", "az"];
/// Says how many seconds a lease lasts.
const LEASE_SECONDS: &str = "WALKFORWARD_LEASE_SECONDS";

/// What the surroundings say about reaching stores: variables of the environment, as the caller found them. Without any, only
/// folders can be opened.
#[derive(Clone, Default)]
pub struct Access {
    variables: Arc<BTreeMap<String, String>>,
}

/// A client of a bucket.
struct Client {
    store: Arc<dyn ObjectStore>,
    /// Where credentials were looked for.
    looked_at: String,
    /// Where the bucket is and whose credentials are used.
    words: String,
}

/// Leaves out the values: some are secrets.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}

impl Access {
    /// Access with these variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: Arc::new(variables.into_iter().collect()) }
    }

    /// A variable; an empty one counts as not set.
    pub(super) fn get(&self, variable: &str) -> Option<&str> {
        self.variables.get(variable).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The variables whose names begin so, and their values.
    pub(super) fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let all = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
    }

    /// Opens a folder (created if missing) or a bucket: `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `az://container/prefix`. A bucket is not reached for before it is asked for an object.
    ///
    /// # Errors
    /// The address is not understood, the folder cannot be made, or nothing says how to reach the bucket.
    pub fn open(&self, location: &str) -> Result<Storage, StorageError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StorageError::Open {
            location: location.to_owned(),
            source,
        };
        let Some((scheme, rest)) = location.split_once("://") else {
            std::fs::create_dir_all(location).map_err(|error| failed(error.into()))?;
            return Storage::at_folder(FilePath::new(location), location, self.clone())
                .map_err(|error| failed(error.into()));
        };
        if !SCHEMES.contains(&scheme) {
            return Err(StorageError::Scheme(location.to_owned()));
        }
        let prefix = rest.split_once('/').map_or("", |(_, prefix)| prefix);
        let terms = self.lease_terms().map_err(|problem| failed(problem.into()))?;
        let Client { store, looked_at, words } = self.bucket(scheme, location).map_err(failed)?;
        Ok(Storage::in_bucket(store, Path::from(prefix), location, terms, self.clone()).reached(words, looked_at))
    }

    /// Opens a folder that is there, or a bucket; `None` where there is no such folder, and none is made.
    ///
    /// # Errors
    /// As [`Access::open`].
    pub fn open_existing(&self, location: &str) -> Result<Option<Storage>, StorageError> {
        let is_folder = !location.contains("://");
        // what cannot be looked at is opened, so that the error says why
        if is_folder && matches!(PathBuf::from(location).try_exists(), Ok(false)) {
            return Ok(None);
        }
        self.open(location).map(Some)
    }

    /// An empty store in memory, beside which buckets can be opened: to look at what would be in a store that is not there.
    pub fn nowhere(&self) -> Storage {
        Storage::in_memory().with_access(self.clone())
    }

    fn bucket(&self, scheme: &str, location: &str) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
        const UNTESTED: &str = "by its own variables; untested, unlike S3";
        let untested = |store| Client { store, looked_at: String::new(), words: UNTESTED.to_owned() };
        Ok(match scheme {
            "gs" => {
                let builder =
                    GoogleCloudStorageBuilder::new().with_client_options(client_options()).with_retry(retries());
                let builder = self.beginning_with("GOOGLE_").fold(builder, |builder, (name, value)| {
                    match name.to_ascii_lowercase().parse() {
                        Ok(key) => builder.with_config(key, value),
                        Err(_) => builder,
                    }
                });
                untested(Arc::new(builder.with_url(location).build()?))
            }
            "az" => {
                let builder = MicrosoftAzureBuilder::new().with_client_options(client_options()).with_retry(retries());
                let builder = self.beginning_with("AZURE_").fold(builder, |builder, (name, value)| {
                    match name.to_ascii_lowercase().parse() {
                        Ok(key) => builder.with_config(key, value),
                        Err(_) => builder,
                    }
                });
                untested(Arc::new(builder.with_url(location).build()?))
            }
            _ => {
                let settings = s3_settings(self)?;
                let (words, looked_at) = (settings.words(), settings.looked_at);
                let builder = AmazonS3Builder::new().with_client_options(client_options()).with_retry(retries());
                let pairs = settings.pairs.into_iter();
                let builder = pairs.fold(builder, |builder, (key, value)| builder.with_config(key, value));
                Client { store: Arc::new(builder.with_url(location).build()?), looked_at, words }
            }
        })
    }

    fn lease_terms(&self) -> Result<LeaseTerms, String> {
        const SHORTEST: f64 = 1.0;
        const LONGEST: f64 = 86_400.0;
        let Some(text) = self.get(LEASE_SECONDS) else { return Ok(LeaseTerms::default()) };
        match text.parse() {
            Ok(seconds) if (SHORTEST..=LONGEST).contains(&seconds) => {
                Ok(LeaseTerms { ttl: Duration::from_secs_f64(seconds), ..LeaseTerms::default() })
            }
            _ => Err(format!("{LEASE_SECONDS}: expected a number of seconds from 1 to 86400, found `{text}`")),
        }
    }
}

/// A request as a whole may take long, a large object over a slow line does; silence may not.
fn client_options() -> ClientOptions {
    const SILENCE: Duration = Duration::from_secs(60);
    const CONNECTING: Duration = Duration::from_secs(5);
    ClientOptions::new().with_timeout_disabled().with_read_timeout(SILENCE).with_connect_timeout(CONNECTING)
}

/// About ten seconds of trying: nodes that fail for the store are tried again by their own policy.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 7,
        retry_timeout: Duration::from_secs(120),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(variables: &[(&str, &str)]) -> Access {
        Access::of(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made_by_looking_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone");
        let looked_for = |path: &FilePath| Access::default().open_existing(path.to_str().unwrap()).unwrap();
        assert!(looked_for(&gone).is_none());
        assert!(!gone.exists());
        assert!(looked_for(folder.path()).is_some());
    }

    #[test]
    fn an_unknown_scheme_is_refused_and_the_known_ones_are_named() {
        let words = Access::default().open("ftp://host/x").unwrap_err().to_string();
        for scheme in SCHEMES {
            assert!(words.contains(&format!("{scheme}://")), "{words}");
        }
    }

    #[test]
    fn buckets_of_all_three_kinds_are_opened_without_reaching_for_them() {
        let keys = access(&[
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "y"),
            ("GOOGLE_SKIP_SIGNATURE", "true"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "account"),
            ("AZURE_SKIP_SIGNATURE", "true"),
        ]);
        for scheme in SCHEMES {
            let location = format!("{scheme}://bucket/a/prefix");
            assert_eq!(keys.open(&location).unwrap().location(), location);
        }
    }

    #[test]
    fn the_length_of_a_lease_can_be_set_and_nonsense_is_refused() {
        let terms = |text| access(&[(LEASE_SECONDS, text)]).lease_terms();
        assert_eq!(terms("2.5").unwrap().ttl, Duration::from_millis(2500));
        assert_eq!(terms("").unwrap().ttl, LeaseTerms::default().ttl);
        for nonsense in ["0", "-1", "soon", "NaN", "1e9"] {
            assert!(terms(nonsense).unwrap_err().contains(nonsense));
        }
    }

    #[test]
    fn values_of_variables_are_never_shown() {
        let words = format!("{:?}", access(&[("AWS_SECRET_ACCESS_KEY", "hidden")]));
        assert!(words.contains("AWS_SECRET_ACCESS_KEY") && !words.contains("hidden"), "{words}");
    }
}
