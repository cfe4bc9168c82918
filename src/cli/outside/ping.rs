//! Tells a monitor in the manner of healthchecks.io that a run started and how it ended, so that a run that never came
//! to its end is noticed by somebody else.

use reqwest::{Method, Url};

use super::http::{HttpError, Patience, Request, SecretUrl, send};

/// The longest text sent along, in bytes.
const MAX_BODY: usize = 10_000;

/// Pings for one run.
#[derive(Clone)]
pub(super) struct Ping {
    url: SecretUrl,
    run: String,
    patience: Patience,
}

impl Ping {
    pub(super) fn new(url: SecretUrl, run: &str, patience: Patience) -> Self {
        Self { url, run: run.to_owned(), patience }
    }

    /// Says that the run started: `URL/start?rid=<run>`.
    pub(super) async fn start(&self) -> Result<(), HttpError> {
        self.send(Method::GET, "start", String::new()).await
    }

    /// Says how it ended: `URL/<exit code>?rid=<run>`, with the end of what it printed.
    pub(super) async fn end(&self, exit_code: u8, screen: &str) -> Result<(), HttpError> {
        self.send(Method::POST, &exit_code.to_string(), last_part(screen.trim(), MAX_BODY).to_owned()).await
    }

    async fn send(&self, method: Method, signal: &str, body: String) -> Result<(), HttpError> {
        let url = address(self.url.parse()?, signal, &self.run);
        let key = format!("{}/{signal}", self.run);
        send(
            &Request { method, url, key, content_type: "text/plain; charset=utf-8", body, secret: None },
            &self.patience,
        )
        .await
    }
}

/// The address of a signal; a query that the address has is kept.
fn address(mut url: Url, signal: &str, run: &str) -> Url {
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(signal);
    }
    url.query_pairs_mut().append_pair("rid", run);
    url
}

/// The last whole lines of a text that fit; of a longer line its end.
fn last_part(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let part = &text[text.ceil_char_boundary(text.len() - most)..];
    match part.split_once('\n') {
        Some((_, lines)) if !lines.is_empty() => lines,
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixtures::closed_port;
    use super::super::server::Server;
    use super::*;

    const RUN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn ping(url: String) -> Ping {
        let pauses = vec![Duration::from_millis(1); 2];
        Ping::new(url.into(), RUN, Patience { answer: Duration::from_secs(5), pauses })
    }

    #[tokio::test]
    async fn start_and_end_are_told_with_the_run_and_the_exit_code() {
        let server = Server::answering(&[200]);
        let ping = ping(server.url("/ping/uuid"));
        ping.start().await.unwrap();
        ping.end(1, "\nFAILED: 1 of 7 nodes failed.\n").await.unwrap();
        let seen = server.seen();
        assert_eq!(seen[0].line, format!("GET /ping/uuid/start?rid={RUN} HTTP/1.1"));
        assert_eq!(seen[1].line, format!("POST /ping/uuid/1?rid={RUN} HTTP/1.1"));
        assert_eq!((seen[0].body.as_str(), seen[1].body.as_str()), ("", "FAILED: 1 of 7 nodes failed."));
        assert_ne!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));
    }

    #[tokio::test]
    async fn a_server_that_fails_once_is_pinged_again() {
        let server = Server::answering(&[500, 200]);
        ping(server.url("/")).end(0, "done").await.unwrap();
        let bodies: Vec<String> = server.seen().into_iter().map(|seen| seen.body).collect();
        assert_eq!(bodies, ["done", "done"]);
    }

    #[tokio::test]
    async fn a_dead_server_is_an_error_without_the_path() {
        let dead = ping(format!("http://127.0.0.1:{}/secret", closed_port()));
        let words = dead.start().await.unwrap_err().to_string();
        assert!(words.contains("Connection refused") && !words.contains("secret"), "{words}");
    }

    #[test]
    fn the_address_of_a_signal_keeps_the_query_and_takes_a_closing_slash() {
        let told = |url: &str| address(Url::parse(url).unwrap(), "143", "r").to_string();
        assert_eq!(told("https://hc-ping.com/uuid"), "https://hc-ping.com/uuid/143?rid=r");
        assert_eq!(told("https://hc-ping.com/key/slug/?create=1"), "https://hc-ping.com/key/slug/143?create=1&rid=r");
        assert_eq!(told("http://monitor"), "http://monitor/143?rid=r");
    }

    #[test]
    fn of_a_long_text_the_last_whole_lines_are_sent() {
        assert_eq!(last_part("first\nsecond\nthird", 100), "first\nsecond\nthird");
        assert_eq!(last_part("first\nsecond\nthird", 14), "second\nthird");
        assert_eq!(last_part("first\nsecond\nthird", 12), "third");
        assert_eq!(last_part("one long line", 4), "line");
        // a cut inside a letter takes the whole letter away
        assert_eq!(last_part("äöü", 3), "ü");
    }
}
