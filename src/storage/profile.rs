//! What says how to reach a bucket over S3: variables, then a profile of `~/.aws`, then the machine itself.
//!
//! | what | looked for in this order |
//! |---|---|
//! | credentials | `AWS_ACCESS_KEY_ID`; a web identity in variables; the profile; the container; the instance |
//! | region | `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile |
//! | endpoint | `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT`, the profile's `services`, the profile |
//!
//! The profile is `AWS_PROFILE`, else `default` where there is one. `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` name
//! other files than `~/.aws/config` and `~/.aws/credentials`. Of a profile, keys, a session token, a web identity, region,
//! endpoints and the addressing style of `s3` are understood; single sign-on, roles of other profiles and programs that give
//! credentials are refused by name.
//!
//! Reference: AWS SDKs and Tools Reference Guide, "Shared config and credentials files" and "Standardized credential
//! providers".

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use object_store::aws::AmazonS3ConfigKey as Key;

use super::Access;

/// Why variables or profiles do not say how to reach a bucket.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A key without its other half.
    #[error("{place} has `{has}` and no `{lacks}`: set both, or neither")]
    Half {
        /// Variables, or a profile.
        place: String,
        /// What is there.
        has: &'static str,
        /// What is not.
        lacks: &'static str,
    },
    /// `AWS_PROFILE` names none.
    #[error("there is no profile `{name}` (`AWS_PROFILE`) in {files}; profiles there: {known}")]
    NoProfile {
        /// The name.
        name: String,
        /// Where it was looked for.
        files: String,
        /// Those that are there.
        known: String,
    },
    /// A profile needs what this program cannot do.
    #[error(
        "profile `{profile}` gets its credentials by `{key}`, which walkforward does not do itself; let the AWS command \
         line do it: eval \"$(aws configure export-credentials --profile {profile} --format env)\""
    )]
    Unsupported {
        /// The profile.
        profile: String,
        /// The setting that asks for it.
        key: &'static str,
    },
    /// No credentials anywhere.
    #[error(
        "no credentials for S3 were found. Looked at: {0}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    )]
    NoCredentials(String),
    /// A line of a file is not understood.
    #[error("{}:{line}: expected `[section]` or `key = value`, found `{found}`", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Its text up to a `=`, which a secret may follow.
        found: String,
    },
    /// A file is there and cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Settings of one S3 client.
#[derive(Default)]
pub(super) struct S3Settings {
    /// Later ones win.
    pub(super) pairs: Vec<(Key, String)>,
    /// Where credentials were looked for, for the case that the last place has none either.
    pub(super) looked_at: String,
    /// Where they come from.
    pub(super) from: String,
}

impl S3Settings {
    /// Where the bucket is and whose credentials are used, for a person; never a secret.
    pub(super) fn words(&self) -> String {
        let last = |keys: &[Key]| self.pairs.iter().rev().find(|(key, _)| keys.contains(key)).map(|(_, value)| value);
        let endpoint = last(&[Key::S3Endpoint]).or_else(|| last(&[Key::Endpoint]));
        let endpoint = endpoint.map_or("AWS", |endpoint| endpoint.as_str());
        let region =
            last(&[Key::Region, Key::DefaultRegion]).map_or("us-east-1 (by default)", |region| region.as_str());
        format!("endpoint {endpoint}, region {region}, credentials from {}", self.from)
    }
}

/// A profile's settings; those nested below a key are named `s3.addressing_style`.
type Section = BTreeMap<String, String>;

/// The sections of both files.
struct Profiles {
    profiles: BTreeMap<String, Section>,
    services: BTreeMap<String, Section>,
    /// Both files, and whether they are there.
    files: String,
}

/// Puts together what variables, profile and machine say.
pub(super) fn s3_settings(access: &Access) -> Result<S3Settings, ProfileError> {
    let profiles = Profiles::read(access)?;
    let (name, profile) = profiles.chosen(access)?;
    let mut settings = S3Settings::default();
    settings.pairs.extend(of_place(access, &profiles, profile));
    // a token without its keys belongs to nobody
    let from_variables = has_own_credentials(access)?;
    for (variable, value) in access.beginning_with("AWS_") {
        let is_stray = !from_variables && matches!(variable, "AWS_SESSION_TOKEN" | "AWS_SECRET_ACCESS_KEY");
        if let (false, Ok(key)) = (is_stray, variable.to_ascii_lowercase().parse()) {
            settings.pairs.push((key, value.to_owned()));
        }
    }
    let endpoint = settings.pairs.iter().rev().find(|(key, _)| matches!(key, Key::Endpoint | Key::S3Endpoint));
    if endpoint.is_some_and(|(_, url)| url.starts_with("http://")) {
        // whoever writes `http://` has said so
        settings.pairs.push((Key::Client(object_store::ClientConfigKey::AllowHttp), "true".to_owned()));
    }
    if from_variables || is_true(access.get("AWS_SKIP_SIGNATURE")) {
        settings.from = if from_variables { "variables" } else { "nowhere: requests are not signed" }.to_owned();
        return Ok(settings);
    }
    let of_profile = profile.map(|profile| credentials_of(name, profile)).transpose()?.unwrap_or_default();
    let machine = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_CONTAINER_CREDENTIALS_FULL_URI";
    let looked_at = format!(
        "AWS_ACCESS_KEY_ID (not set), profile `{name}` in {}, a container ({machine}: not set)",
        profiles.files
    );
    let in_container = machine.split(", ").any(|variable| access.get(variable).is_some());
    if of_profile.is_empty() && !in_container && is_true(access.get("AWS_EC2_METADATA_DISABLED")) {
        let looked_at = format!("{looked_at}; the instance was not asked (AWS_EC2_METADATA_DISABLED)");
        return Err(ProfileError::NoCredentials(looked_at));
    }
    settings.from = match (of_profile.is_empty(), in_container) {
        (false, _) => format!("profile `{name}`"),
        (true, true) => "the container".to_owned(),
        (true, false) => "the metadata of the instance".to_owned(),
    };
    settings.pairs.extend(of_profile);
    settings.looked_at = format!("{looked_at}, the metadata of the instance (no answer)");
    Ok(settings)
}

/// Whether the variables themselves hold credentials.
fn has_own_credentials(access: &Access) -> Result<bool, ProfileError> {
    let half = |has, lacks| ProfileError::Half { place: "the environment".to_owned(), has, lacks };
    const ID: &str = "AWS_ACCESS_KEY_ID";
    const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
    match (access.get(ID), access.get(SECRET)) {
        (Some(_), Some(_)) => Ok(true),
        (Some(_), None) => Err(half(ID, SECRET)),
        (None, Some(_)) => Err(half(SECRET, ID)),
        (None, None) => Ok(access.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some() && access.get("AWS_ROLE_ARN").is_some()),
    }
}

/// Region, endpoint and addressing style of a profile; what a variable says as well is left out.
fn of_place(access: &Access, profiles: &Profiles, profile: Option<&Section>) -> Vec<(Key, String)> {
    let Some(profile) = profile else { return Vec::new() };
    let said = |variables: &[&str]| variables.iter().any(|variable| access.get(variable).is_some());
    let mut pairs = Vec::new();
    if let Some(region) = profile.get("region").filter(|_| !said(&["AWS_REGION", "AWS_DEFAULT_REGION"])) {
        pairs.push((Key::Region, region.clone()));
    }
    let services = profile.get("services").and_then(|name| profiles.services.get(name));
    let endpoint = services.and_then(|services| services.get("s3.endpoint_url")).or(profile.get("endpoint_url"));
    let says_where = said(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]);
    match endpoint.filter(|_| !says_where) {
        Some(endpoint) => pairs.push((Key::Endpoint, endpoint.clone())),
        // with an endpoint of one's own the client would expect the bucket's name in it
        None if !says_where && profile.get("s3.addressing_style").is_some_and(|style| style == "virtual") => {
            pairs.push((Key::VirtualHostedStyleRequest, "true".to_owned()));
        }
        None => {}
    }
    pairs
}

/// The credentials that a profile holds, none where it holds none.
fn credentials_of(name: &str, profile: &Section) -> Result<Vec<(Key, String)>, ProfileError> {
    let unsupported = |key| Err(ProfileError::Unsupported { profile: name.to_owned(), key });
    for key in ["source_profile", "credential_source", "sso_session", "sso_start_url", "login_session"] {
        if profile.contains_key(key) {
            return unsupported(key);
        }
    }
    let settings = [
        ("aws_access_key_id", Key::AccessKeyId),
        ("aws_secret_access_key", Key::SecretAccessKey),
        ("aws_session_token", Key::Token),
        ("web_identity_token_file", Key::WebIdentityTokenFile),
        ("role_arn", Key::RoleArn),
        ("role_session_name", Key::RoleSessionName),
    ];
    let has = |key: &str| profile.contains_key(key);
    for (has_one, lacks) in [
        ("aws_access_key_id", "aws_secret_access_key"),
        ("aws_secret_access_key", "aws_access_key_id"),
        ("web_identity_token_file", "role_arn"),
        ("role_arn", "web_identity_token_file"),
    ] {
        if has(has_one) && !has(lacks) {
            return Err(ProfileError::Half { place: format!("profile `{name}`"), has: has_one, lacks });
        }
    }
    if has("credential_process") && !has("aws_access_key_id") {
        return unsupported("credential_process");
    }
    Ok(settings.into_iter().filter_map(|(key, setting)| Some((setting, profile.get(key)?.clone()))).collect())
}

fn is_true(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
}

impl Profiles {
    fn read(access: &Access) -> Result<Self, ProfileError> {
        let home = access.get("HOME").map(Path::new);
        let place = |variable: &str, file: &str| {
            let given = access.get(variable).map(PathBuf::from);
            given.or_else(|| home.map(|home| home.join(".aws").join(file)))
        };
        let credentials = place("AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let config = place("AWS_CONFIG_FILE", "config");
        let mut all = Self { profiles: BTreeMap::new(), services: BTreeMap::new(), files: String::new() };
        let mut files = Vec::new();
        // keys of the credentials file win
        for (path, is_config) in [(config, true), (credentials, false)] {
            let Some(path) = path else { continue };
            let found = read_if_there(&path)?;
            files.push(format!("`{}`{}", path.display(), if found.is_some() { "" } else { " (no such file)" }));
            for (title, section) in sections(&path, &found.unwrap_or_default())? {
                let kind = title.split_once(char::is_whitespace).map(|(kind, name)| (kind, name.trim().to_owned()));
                match (is_config, kind) {
                    (true, Some(("profile", name))) => all.profiles.entry(name).or_default().extend(section),
                    (true, Some(("services", name))) => all.services.entry(name).or_default().extend(section),
                    (true, None) if title != "default" => {}
                    (_, None) => all.profiles.entry(title).or_default().extend(section),
                    // single sign-on and the like: profiles that need them are refused
                    (_, Some(_)) => {}
                }
            }
        }
        all.files = if files.is_empty() { "`~/.aws` (HOME is not set)".to_owned() } else { files.join(" and ") };
        Ok(all)
    }

    /// The profile to use and its name.
    fn chosen<'a>(&'a self, access: &'a Access) -> Result<(&'a str, Option<&'a Section>), ProfileError> {
        let Some(name) = access.get("AWS_PROFILE") else { return Ok(("default", self.profiles.get("default"))) };
        let no_profile = || ProfileError::NoProfile {
            name: name.to_owned(),
            files: self.files.clone(),
            known: match self.profiles.is_empty() {
                true => "none".to_owned(),
                false => self.profiles.keys().cloned().collect::<Vec<_>>().join(", "),
            },
        };
        self.profiles.get(name).map(|profile| (name, Some(profile))).ok_or_else(no_profile)
    }
}

fn read_if_there(path: &Path) -> Result<Option<String>, ProfileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(source) => Err(ProfileError::Unreadable { path: path.to_owned(), source }),
    }
}

/// The sections of a file. An indented `key = value` belongs to the key above it that has no value.
fn sections(path: &Path, text: &str) -> Result<Vec<(String, Section)>, ProfileError> {
    let mut found: Vec<(String, Section)> = Vec::new();
    let mut above: Option<String> = None;
    for (number, raw) in (1..).zip(text.lines()) {
        let line = raw.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            found.push((title.trim().to_owned(), Section::new()));
            above = None;
            continue;
        }
        let unclear = || ProfileError::Line {
            path: path.to_owned(),
            line: number,
            found: line.split('=').next().unwrap_or_default().trim().to_owned(),
        };
        let (key, value) = line.split_once('=').ok_or_else(unclear)?;
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim().to_owned());
        let (_, section) = found.last_mut().ok_or_else(unclear)?;
        let indented = raw.starts_with(char::is_whitespace);
        match &above {
            Some(above) if indented => section.insert(format!("{above}.{key}"), value),
            _ if value.is_empty() => {
                above = Some(key);
                None
            }
            _ => {
                above = None;
                section.insert(key, value)
            }
        };
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A home with both files, and variables beside it.
    fn settings(
        config: &str,
        credentials: &str,
        variables: &[(&str, &str)],
    ) -> Result<BTreeMap<String, String>, ProfileError> {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".aws");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("config"), config).unwrap();
        std::fs::write(folder.join("credentials"), credentials).unwrap();
        let mut all = vec![("HOME".to_owned(), home.path().to_str().unwrap().to_owned())];
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let found = s3_settings(&Access::of(all))?;
        Ok(found.pairs.into_iter().map(|(key, value)| (key.as_ref().to_owned(), value)).collect())
    }

    const CREDENTIALS: &str = "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = d/=\n\n[team]\n\
                               aws_access_key_id=TEAM # of the team\naws_secret_access_key=t\naws_session_token = token\n";

    #[test]
    fn the_default_profile_is_used_where_no_variable_says_otherwise() {
        let found = settings("[default]\nregion = eu-central-1\n", CREDENTIALS, &[]).unwrap();
        assert_eq!(found["aws_access_key_id"], "DEFAULT");
        assert_eq!(found["aws_secret_access_key"], "d/=", "a secret may hold a `=`");
        assert_eq!(found["aws_region"], "eu-central-1");
        assert!(!found.contains_key("aws_session_token"));
    }

    #[test]
    fn a_profile_brings_its_keys_region_and_endpoint() {
        let config = "[profile team]\nregion = eu-west-1\nservices = local\nendpoint_url = https://elsewhere\n\
                      [services local]\ns3 =\n  endpoint_url = http://127.0.0.1:9000\n";
        let found = settings(config, CREDENTIALS, &[("AWS_PROFILE", "team")]).unwrap();
        assert_eq!((&found["aws_access_key_id"][..], &found["aws_session_token"][..]), ("TEAM", "token"));
        assert_eq!((&found["aws_region"][..], &found["aws_endpoint"][..]), ("eu-west-1", "http://127.0.0.1:9000"));
        assert_eq!(found["allow_http"], "true", "an endpoint that begins with `http://` says so itself");
    }

    #[test]
    fn variables_win_over_the_profile() {
        let config = "[default]\nregion = eu-west-1\nendpoint_url = https://elsewhere\n";
        let variables = [
            ("AWS_ACCESS_KEY_ID", "MINE"),
            ("AWS_SECRET_ACCESS_KEY", "m"),
            ("AWS_DEFAULT_REGION", "us-east-2"),
            ("AWS_ENDPOINT_URL_S3", "https://mine"),
        ];
        let found = settings(config, CREDENTIALS, &variables).unwrap();
        assert_eq!((&found["aws_access_key_id"][..], &found["aws_secret_access_key"][..]), ("MINE", "m"));
        assert_eq!(found.get("aws_region"), None);
        assert_eq!((&found["aws_default_region"][..], found.get("aws_endpoint")), ("us-east-2", None));
    }

    #[test]
    fn a_token_without_keys_is_not_mixed_with_the_keys_of_a_profile() {
        let found = settings("", CREDENTIALS, &[("AWS_SESSION_TOKEN", "stale")]).unwrap();
        assert_eq!((found["aws_access_key_id"].as_str(), found.get("aws_session_token")), ("DEFAULT", None));
    }

    #[test]
    fn a_person_is_told_where_and_by_whom_and_never_a_secret() {
        let access = Access::of(
            [("AWS_ACCESS_KEY_ID", "MINE"), ("AWS_SECRET_ACCESS_KEY", "hidden"), ("AWS_ENDPOINT", "http://here")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let words = s3_settings(&access).unwrap().words();
        assert_eq!(words, "endpoint http://here, region us-east-1 (by default), credentials from variables");
    }

    #[test]
    fn an_addressing_style_holds_where_no_endpoint_is_given() {
        let config = "[default]\ns3 =\n    addressing_style = virtual\n";
        let style = |variables| settings(config, CREDENTIALS, variables).unwrap();
        assert_eq!(style(&[])["aws_virtual_hosted_style_request"], "true");
        assert!(!style(&[("AWS_ENDPOINT_URL", "https://x")]).contains_key("aws_virtual_hosted_style_request"));
    }

    fn refusal(config: &str, credentials: &str, variables: &[(&str, &str)]) -> String {
        settings(config, credentials, variables).unwrap_err().to_string()
    }

    #[test]
    fn what_is_missing_or_not_understood_is_named() {
        let words = refusal("", CREDENTIALS, &[("AWS_PROFILE", "taem")]);
        assert!(words.contains("`taem`") && words.ends_with("profiles there: default, team"), "{words}");

        let words = refusal("", "", &[("AWS_ACCESS_KEY_ID", "x")]);
        assert!(words.contains("`AWS_ACCESS_KEY_ID` and no `AWS_SECRET_ACCESS_KEY`"), "{words}");

        let words = refusal("", "[default]\naws_secret_access_key = x\n", &[]);
        assert!(words.contains("profile `default`") && words.contains("no `aws_access_key_id`"), "{words}");

        let words = refusal("[default]\nregion = x\nwhat is this\n", "", &[]);
        assert!(words.contains("config:3:") && words.contains("`what is this`"), "{words}");

        let words = refusal("", "aws_secret_access_key = hidden\n", &[]);
        assert!(words.contains("credentials:1:") && !words.contains("hidden"), "{words}");
    }

    #[test]
    fn ways_to_credentials_that_are_not_built_are_refused_with_a_way_that_works() {
        for key in ["sso_session", "credential_process", "source_profile"] {
            let words = refusal(&format!("[profile dev]\n{key} = x\n"), "", &[("AWS_PROFILE", "dev")]);
            assert!(words.contains(key) && words.contains("aws configure export-credentials --profile dev"), "{words}");
        }
        // keys in variables need nothing of the profile
        let keys = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")];
        assert!(settings("[default]\nsso_session = x\n", "", &keys).is_ok());
    }

    #[test]
    fn where_nothing_is_found_the_message_says_where_it_was_looked_for() {
        let words = refusal("", "", &[("AWS_EC2_METADATA_DISABLED", "true")]);
        for place in
            ["AWS_ACCESS_KEY_ID", "profile `default`", ".aws/credentials", ".aws/config", "container", "instance"]
        {
            assert!(words.contains(place), "{place}: {words}");
        }
        let nowhere = s3_settings(&Access::of([("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned())]));
        assert!(nowhere.err().unwrap().to_string().contains("HOME is not set"));
    }
}
