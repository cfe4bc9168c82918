//! Requests to addresses that a person gave: few, small, and sent again when the network or the server fails for a while.
//!
//! An address may carry a secret anywhere behind its host, so nothing in here shows more of one than scheme and host, not
//! even in an error. Redirects are not followed: they would carry the secret to a host that nobody named.
//!
//! A request that got no answer in time may have arrived all the same. It is sent again with the same `Idempotency-Key`; a
//! server that ignores the key sees it twice.

use std::fmt;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, StatusCode, Url};

/// The header that carries the signature of a body.
const SIGNATURE: &str = "X-Walkforward-Signature-256";

/// An address that may carry a secret: shown as scheme and host.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::cli) struct SecretUrl(String);

impl SecretUrl {
    /// Whether nothing was given, as by a variable that is set but empty.
    pub(super) fn is_empty(&self) -> bool {
        self.0.trim().is_empty()
    }

    /// Reads the address.
    pub(super) fn parse(&self) -> Result<Url, HttpError> {
        let url = Url::parse(self.0.trim()).map_err(|_| HttpError::Address)?;
        if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(HttpError::Address) }
    }
}

impl From<String> for SecretUrl {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parse().map_or_else(|_| "an invalid address".to_owned(), |url| origin(&url)))
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Scheme and host.
fn origin(url: &Url) -> String {
    format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    /// Not an address to send to. What was found instead is not shown: it may be a secret in the wrong place.
    #[error("expected an address like `https://host/path`")]
    Address,
    /// No client can be made on this machine.
    #[error("cannot connect to any host: {0}")]
    Client(String),
    /// Nobody answered.
    #[error("{to}: {why}")]
    NoAnswer {
        /// Scheme and host.
        to: String,
        /// What the system said.
        why: String,
    },
    /// The server refused.
    #[error("{to} answered {status}")]
    Refused {
        /// Scheme and host.
        to: String,
        /// Its answer.
        status: StatusCode,
    },
}

impl HttpError {
    /// Whether the same request may be taken a little later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Address | Self::Client(_) => false,
            Self::NoAnswer { .. } => true,
            Self::Refused { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
        }
    }
}

/// How long to wait, and for what.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    /// For an answer, connecting included.
    pub(super) answer: Duration,
    /// Before each further attempt.
    pub(super) pauses: Vec<Duration>,
}

impl Default for Patience {
    fn default() -> Self {
        Self { answer: Duration::from_secs(10), pauses: vec![Duration::from_secs(1), Duration::from_secs(4)] }
    }
}

/// A request.
#[derive(Clone)]
pub(super) struct Request {
    /// How.
    pub(super) method: Method,
    /// Where to.
    pub(super) url: Url,
    /// Equal for all attempts, different for any two messages.
    pub(super) key: String,
    /// Type of the body.
    pub(super) content_type: &'static str,
    /// What it says; empty for none.
    pub(super) body: String,
    /// The key that the body is signed with.
    pub(super) secret: Option<SigningSecret>,
}

/// A key that receivers share: never shown.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::cli) struct SigningSecret(String);

impl From<String> for SigningSecret {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret")
    }
}

impl SigningSecret {
    /// `sha256=` and the HMAC-SHA256 of a body in hexadecimal digits, as GitHub signs its webhooks.
    fn signature(&self, body: &str) -> String {
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, self.0.as_bytes());
        let tag = aws_lc_rs::hmac::sign(&key, body.as_bytes());
        tag.as_ref().iter().fold("sha256=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
    }
}

/// Sends a request until it is taken or patience ends.
///
/// # Errors
/// The address is wrong, or the last attempt was not answered with a code of 200 to 299.
pub(super) async fn send(request: &Request, patience: &Patience) -> Result<(), HttpError> {
    let client = client(&request.url, patience.answer)?;
    let mut pauses = patience.pauses.iter();
    loop {
        match attempt(&client, request, patience).await {
            Err(error) if error.may_pass() => match pauses.next() {
                Some(pause) => tokio::time::sleep(*pause).await,
                None => return Err(error),
            },
            last => return last,
        }
    }
}

/// Made for each request: runs send a handful, and one that sends nothing should not read the certificates.
fn client(url: &Url, answer: Duration) -> Result<Client, HttpError> {
    let builder = Client::builder()
        .user_agent(concat!("walkforward/", env!("CARGO_PKG_VERSION")))
        .timeout(answer)
        .redirect(reqwest::redirect::Policy::none());
    // without TLS no certificates are needed, and a small container may have none
    let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    // the server of the tests is on this machine, where a proxy of the environment cannot reach it
    #[cfg(test)]
    let builder = builder.no_proxy();
    builder.build().map_err(|error| HttpError::Client(root_cause(error)))
}

async fn attempt(client: &Client, request: &Request, patience: &Patience) -> Result<(), HttpError> {
    let to = || origin(&request.url);
    let mut call = client.request(request.method.clone(), request.url.clone()).header("Idempotency-Key", &request.key);
    if !request.body.is_empty() {
        call = call.header(CONTENT_TYPE, request.content_type).body(request.body.clone());
    }
    if let Some(secret) = &request.secret {
        call = call.header(SIGNATURE, secret.signature(&request.body));
    }
    let status = match call.send().await {
        Ok(answer) => answer.status(),
        Err(error) if error.is_timeout() => {
            let why = format!("no answer within {} s", patience.answer.as_secs_f64());
            return Err(HttpError::NoAnswer { to: to(), why });
        }
        Err(error) => return Err(HttpError::NoAnswer { to: to(), why: root_cause(error) }),
    };
    if status.is_success() { Ok(()) } else { Err(HttpError::Refused { to: to(), status }) }
}

/// The innermost error: the ones around it name the whole address, or only say that something failed.
fn root_cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut root: &dyn std::error::Error = &error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::closed_port;
    use super::super::server::Server;
    use super::*;

    fn hasty() -> Patience {
        Patience { answer: Duration::from_secs(5), pauses: vec![Duration::from_millis(1); 2] }
    }

    fn to(url: &str) -> Request {
        let url = SecretUrl::from(url.to_owned()).parse().unwrap();
        let key = "run/0".to_owned();
        let body = "{}".to_owned();
        Request { method: Method::POST, url, key, content_type: "application/json", body, secret: None }
    }

    #[tokio::test]
    async fn a_signed_body_carries_its_hmac() {
        let server = Server::answering(&[200]);
        // RFC 4231, test case 2
        let body = "what do ya want for nothing?".to_owned();
        let secret = Some(SigningSecret::from("Jefe".to_owned()));
        send(&Request { body, secret, ..to(&server.url("/")) }, &hasty()).await.unwrap();
        let expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(server.seen()[0].header("x-walkforward-signature-256"), Some(expected));
        assert_eq!(format!("{:?}", SigningSecret::from("Jefe".to_owned())), "SigningSecret");
    }

    #[tokio::test]
    async fn a_request_says_what_it_is_and_who_sends_it() {
        let server = Server::answering(&[204]);
        send(&to(&server.url("/hook?token=1")), &hasty()).await.unwrap();
        let seen = server.seen();
        assert_eq!(seen.len(), 1);
        assert_eq!((seen[0].line.as_str(), seen[0].body.as_str()), ("POST /hook?token=1 HTTP/1.1", "{}"));
        assert_eq!(seen[0].header("idempotency-key"), Some("run/0"));
        assert_eq!(seen[0].header("content-type"), Some("application/json"));
        assert_eq!(seen[0].header("user-agent"), Some(concat!("walkforward/", env!("CARGO_PKG_VERSION"))));
    }

    #[tokio::test]
    async fn a_server_that_fails_for_a_while_is_asked_again_with_the_same_key() {
        let server = Server::answering(&[500, 429, 200]);
        send(&to(&server.url("/")), &hasty()).await.unwrap();
        let keys: Vec<Option<String>> =
            server.seen().iter().map(|seen| seen.header("idempotency-key").map(str::to_owned)).collect();
        assert_eq!(keys, vec![Some("run/0".to_owned()); 3]);
    }

    #[tokio::test]
    async fn a_server_that_goes_on_failing_is_asked_three_times() {
        let server = Server::answering(&[503]);
        let error = send(&to(&server.url("/secret?token=secret")), &hasty()).await.unwrap_err();
        assert_eq!(error.to_string(), "http://127.0.0.1 answered 503 Service Unavailable");
        assert_eq!(server.seen().len(), 3);
    }

    #[tokio::test]
    async fn a_refusal_and_a_redirect_are_final() {
        for (status, words) in [(404, "404 Not Found"), (301, "301 Moved Permanently")] {
            let server = Server::answering(&[status]);
            let error = send(&to(&server.url("/")), &hasty()).await.unwrap_err();
            assert_eq!(error.to_string(), format!("http://127.0.0.1 answered {words}"));
            assert_eq!(server.seen().len(), 1, "{status}");
        }
    }

    #[tokio::test]
    async fn a_dead_server_is_an_error_that_shows_no_more_than_its_host() {
        let url = format!("http://user:secret@127.0.0.1:{}/secret?secret=1", closed_port());
        let error = send(&to(&url), &hasty()).await.unwrap_err();
        let words = error.to_string();
        assert!(words.starts_with("http://127.0.0.1: Connection refused"), "{words}");
        assert!(!format!("{words}{error:?}").contains("secret"), "{error:?}");
    }

    #[tokio::test]
    async fn a_server_that_does_not_answer_is_not_waited_for_longer_than_patience() {
        // the system accepts the connection, and nobody answers it
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/secret", silent.local_addr().unwrap());
        let patience = Patience { answer: Duration::from_millis(50), pauses: Vec::new() };
        let error = send(&to(&url), &patience).await.unwrap_err();
        assert_eq!(error.to_string(), "http://127.0.0.1: no answer within 0.05 s");
    }

    #[test]
    fn patience_is_three_attempts_of_ten_seconds() {
        let patience = Patience::default();
        assert_eq!(patience.answer, Duration::from_secs(10));
        assert_eq!(patience.pauses, [Duration::from_secs(1), Duration::from_secs(4)]);
    }

    #[test]
    fn an_address_shows_scheme_and_host_only_and_nothing_of_what_is_no_address() {
        let secret =
            SecretUrl::from("https://user:secret@hooks.example.com:8443/services/secret?key=secret".to_owned());
        assert_eq!((secret.to_string(), format!("{secret:?}")), {
            let host = "https://hooks.example.com".to_owned();
            (host.clone(), host)
        });
        for wrong in ["hooks.example.com/secret", "secret:secret", "ftp://host/secret", ""] {
            let wrong = SecretUrl::from(wrong.to_owned());
            let words = format!("{wrong} {wrong:?} {}", wrong.parse().unwrap_err());
            assert!(!words.contains("secret") && words.contains("expected an address like"), "{words}");
        }
    }
}
