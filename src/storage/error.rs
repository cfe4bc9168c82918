//! What goes wrong between us and the disk or the bucket: what it was, and what to do about it.

use std::error::Error;
use std::io::ErrorKind;

use object_store::client::{HttpError, HttpErrorKind};

/// What went wrong between us and the disk or the bucket.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The store's address cannot be understood or opened.
    #[error("cannot open the store `{location}`")]
    Open {
        /// The address as given.
        location: String,
        /// Why not.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The scheme is not one we can speak.
    #[error(
        "`{0}` is no store: expected a folder, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`"
    )]
    Scheme(String),
    /// An operation failed for a reason that is known.
    #[error("cannot {operation} `{name}` in the store `{location}`: {trouble}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// The object's name.
        name: String,
        /// The store.
        location: String,
        /// What is wrong.
        trouble: Trouble,
        /// What the disk or the service said, in its own words.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// An operation failed.
    #[error("cannot {operation} `{name}` in the store `{location}`")]
    Operation {
        /// What was tried.
        operation: &'static str,
        /// The object's name.
        name: String,
        /// The store.
        location: String,
        /// Why it failed.
        #[source]
        source: object_store::Error,
    },
    /// Others were faster each time.
    #[error("`{name}` in the store `{location}` changes faster than it can be read; try again")]
    Contended {
        /// The object or folder.
        name: String,
        /// The store.
        location: String,
    },
    /// The store says that an object exists and then that it does not, again and again.
    #[error("the store `{location}` says that `{name}` exists and that it does not")]
    Unreliable {
        /// The object.
        name: String,
        /// The store.
        location: String,
    },
}

/// A reason that is known, with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No such bucket.
    #[error("there is no such bucket")]
    NoBucket,
    /// The access key is not known.
    #[error("the service does not know the access key")]
    UnknownKey,
    /// The secret is not the one of the key.
    #[error("the secret key does not belong to the access key")]
    WrongSecret,
    /// A session is over.
    #[error("the session of these credentials is over")]
    Expired,
    /// The clocks differ.
    #[error("the clock of this machine is wrong")]
    Clock,
    /// The bucket is in another region.
    #[error("the bucket is in another region")]
    Region,
    /// The credentials do not allow it.
    #[error("these credentials may not do so")]
    Forbidden,
    /// No credentials were found.
    #[error("no credentials were found")]
    NoCredentials {
        /// Where they were looked for.
        looked_at: String,
    },
    /// Nobody answers.
    #[error("the service does not answer")]
    Unreachable,
    /// The service does not know conditional writes.
    #[error("the service does not know `If-None-Match`")]
    NoConditions,
    /// The disk is full.
    #[error("there is no room left on the disk")]
    Full,
    /// The disk cannot be written to.
    #[error("the disk can only be read")]
    ReadOnly,
    /// The user may not.
    #[error("this user may not do so")]
    NotAllowed,
}

impl Trouble {
    /// What to do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::NoBucket => "create the bucket, or mend the address; with an endpoint of your own, check that too".into(),
            Self::UnknownKey => "check AWS_ACCESS_KEY_ID, or AWS_PROFILE and the profile in ~/.aws/credentials".into(),
            Self::WrongSecret => {
                "check AWS_SECRET_ACCESS_KEY, or AWS_PROFILE and the profile in ~/.aws/credentials".into()
            }
            Self::Expired => "get new credentials, then run the same command again: finished nodes are reused".into(),
            Self::Clock => "set it (`timedatectl set-ntp true`): requests are signed with the time".into(),
            Self::Region => "set AWS_REGION to the region of the bucket".into(),
            Self::Forbidden => {
                "allow s3:GetObject, s3:PutObject and s3:DeleteObject on the objects and s3:ListBucket on the bucket".into()
            }
            Self::NoCredentials { looked_at } => {
                format!("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE. Looked at: {looked_at}")
            }
            Self::Unreachable => {
                "check the network and the endpoint (AWS_ENDPOINT_URL), then run the same command again: finished nodes are \
                 reused"
                    .into()
            }
            Self::NoConditions => {
                "use a service that honours `If-None-Match: *`, as AWS S3, Cloudflare R2, MinIO and Ceph do".into()
            }
            Self::Full => {
                "make room (`walkforward gc` may help), then run the same command again: finished nodes are reused".into()
            }
            Self::ReadOnly => "use a store on a disk that can be written to (--store)".into(),
            Self::NotAllowed => "check who owns the folder and who may write there, or use another store (--store)".into(),
        }
    }

    /// Understands an error; `None` where it is none of these.
    fn of(error: &object_store::Error, looked_at: &str) -> Option<Self> {
        let words = words_of(error);
        let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
        Some(if says(&["NoSuchBucket", "ContainerNotFound", "specified bucket does not exist"]) {
            Self::NoBucket
        } else if says(&["InvalidAccessKeyId"]) {
            Self::UnknownKey
        } else if says(&["SignatureDoesNotMatch"]) {
            Self::WrongSecret
        } else if says(&["ExpiredToken", "TokenRefreshRequired", "InvalidToken"]) {
            Self::Expired
        } else if says(&["RequestTimeTooSkewed"]) {
            Self::Clock
        } else if says(&["PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"]) {
            Self::Region
        } else if says(&["169.254.169.254", "169.254.170.2", "latest/api/token", "latest/meta-data"]) {
            Self::NoCredentials { looked_at: looked_at.to_owned() }
        } else if matches!(error, object_store::Error::NotImplemented { .. }) || says(&["501 Not Implemented"]) {
            Self::NoConditions
        } else {
            return Self::of_causes(error);
        })
    }

    fn of_causes(error: &object_store::Error) -> Option<Self> {
        for cause in causes(error) {
            if let Some(http) = cause.downcast_ref::<HttpError>()
                && matches!(http.kind(), HttpErrorKind::Connect | HttpErrorKind::Timeout)
            {
                return Some(Self::Unreachable);
            }
            if let Some(disk) = cause.downcast_ref::<std::io::Error>() {
                match disk.kind() {
                    ErrorKind::StorageFull | ErrorKind::QuotaExceeded => return Some(Self::Full),
                    ErrorKind::ReadOnlyFilesystem => return Some(Self::ReadOnly),
                    ErrorKind::PermissionDenied => return Some(Self::NotAllowed),
                    _ => {}
                }
            }
        }
        let denied =
            matches!(error, object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. });
        denied.then_some(Self::Forbidden)
    }
}

impl StorageError {
    /// An operation that failed, understood where it can be. `looked_at` says where credentials were looked for.
    pub(super) fn of(
        operation: &'static str,
        name: &str,
        location: &str,
        looked_at: &str,
        source: object_store::Error,
    ) -> Self {
        let (name, location) = (name.to_owned(), location.to_owned());
        match Trouble::of(&source, looked_at) {
            Some(trouble) => Self::Refused { operation, name, location, trouble, source: said(&source) },
            None => Self::Operation { operation, name, location, source },
        }
    }

    /// Whether the same request may do better later.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::Refused { trouble, .. } => matches!(trouble, Trouble::Unreachable),
            Self::Operation { .. } | Self::Contended { .. } | Self::Unreliable { .. } => true,
            Self::Open { .. } | Self::Scheme(_) => false,
        }
    }

    /// What to do about it, where that is known.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Refused { trouble, .. } => Some(trouble.advice()),
            Self::Open { source, .. } => match source.downcast_ref::<std::io::Error>()?.kind() {
                ErrorKind::PermissionDenied => Some(Trouble::NotAllowed.advice()),
                ErrorKind::ReadOnlyFilesystem => Some(Trouble::ReadOnly.advice()),
                ErrorKind::StorageFull => Some(Trouble::Full.advice()),
                _ => None,
            },
            Self::Unreliable { .. } => Some("see what `walkforward doctor` says about the store".to_owned()),
            Self::Scheme(_) | Self::Operation { .. } | Self::Contended { .. } => None,
        }
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn words_of(error: &object_store::Error) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What was said: code and message of a service's answer, an error of the disk as it was, else the innermost cause.
fn said(error: &object_store::Error) -> Box<dyn Error + Send + Sync> {
    if let Some(disk) = causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>()) {
        let copy = disk.raw_os_error().map(std::io::Error::from_raw_os_error);
        return copy.unwrap_or_else(|| std::io::Error::new(disk.kind(), disk.to_string())).into();
    }
    let words = words_of(error);
    let tag = |name: &str| {
        let (_, rest) = words.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text.trim().to_owned())
    };
    match (tag("Code"), tag("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}").into(),
        (Some(code), None) => code.into(),
        _ => causes(error).last().map_or_else(String::new, ToString::to_string).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: object_store::Error) -> StorageError {
        StorageError::of("create", "FORMAT", "s3://bucket/x", "the profile", source)
    }

    fn answered(body: &str) -> object_store::Error {
        object_store::Error::PermissionDenied { path: "x/FORMAT".to_owned(), source: body.into() }
    }

    #[test]
    fn an_answer_of_the_service_becomes_what_is_wrong_and_what_to_do() {
        let cases = [
            ("NoSuchBucket", Trouble::NoBucket),
            ("InvalidAccessKeyId", Trouble::UnknownKey),
            ("SignatureDoesNotMatch", Trouble::WrongSecret),
            ("ExpiredToken", Trouble::Expired),
            ("RequestTimeTooSkewed", Trouble::Clock),
            ("AccessDenied", Trouble::Forbidden),
        ];
        for (code, expected) in cases {
            let body = format!("403: <Error><Code>{code}</Code><Message>No.</Message></Error>");
            let error = of(answered(&body));
            let StorageError::Refused { trouble, source, .. } = &error else { panic!("{error:?}") };
            assert_eq!((trouble, source.to_string()), (&expected, format!("{code}: No.")));
            assert!(error.advice().is_some());
            assert!(error.to_string().starts_with("cannot create `FORMAT` in the store `s3://bucket/x`: "), "{error}");
        }
    }

    #[test]
    fn who_has_no_credentials_learns_where_they_were_looked_for() {
        let source = "Error performing PUT http://169.254.169.254/latest/api/token in 1s".into();
        let error = of(object_store::Error::Generic { store: "S3", source });
        assert!(error.advice().unwrap().contains("Looked at: the profile"), "{error}");
    }

    #[test]
    fn trouble_of_the_disk_is_told_apart() {
        let kinds = [
            (ErrorKind::StorageFull, Trouble::Full),
            (ErrorKind::ReadOnlyFilesystem, Trouble::ReadOnly),
            (ErrorKind::PermissionDenied, Trouble::NotAllowed),
        ];
        for (kind, expected) in kinds {
            let source = std::io::Error::from(kind).into();
            let error = of(object_store::Error::Generic { store: "disk", source });
            assert!(matches!(&error, StorageError::Refused { trouble, .. } if *trouble == expected), "{error:?}");
        }
    }

    #[test]
    fn what_is_not_understood_keeps_its_cause() {
        let error = of(object_store::Error::Generic { store: "S3", source: "of another kind".into() });
        assert!(matches!(error, StorageError::Operation { .. }) && error.advice().is_none());
    }
}
