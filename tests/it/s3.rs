//! The same program over a bucket: against a real S3-protocol server on this machine.
//!
//! `make test` installs the server; without it these tests fail, because what is not tested on S3 does not work on S3.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::bench::Bench;

const SYNTHETIC: &str = "pipelines/synthetic.yaml";

/// A server that ends with its last user.
pub struct Server {
    process: Child,
    port: u16,
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

impl Server {
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Arc::new(Self::start());
        *shared = Arc::downgrade(&server);
        server
    }

    fn start() -> Self {
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = project.join("target/s3-server/bin/python");
        assert!(python.exists(), "no S3 server at {}: `make s3-server` installs it", python.display());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(python)
            .arg(project.join("tests/s3-server.py"))
            .arg(port.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, port };
        let deadline = Instant::now() + Duration::from_secs(60);
        while server.request("GET", "/", b"").is_none() {
            assert!(Instant::now() < deadline, "the S3 server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// The status line of an answer; `None` when nobody answers.
    fn request(&self, method: &str, path: &str, body: &[u8]) -> Option<String> {
        self.answer(method, path, body)?.lines().next().map(str::to_owned)
    }

    /// A whole answer.
    fn answer(&self, method: &str, path: &str, body: &[u8]) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// The names in a bucket that begin so.
    fn list(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let answer = self.answer("GET", &format!("/{bucket}?list-type=2&prefix={prefix}"), b"").unwrap_or_default();
        answer.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0.to_owned())).collect()
    }

    fn put(&self, path: &str, body: &[u8]) {
        let status = self.request("PUT", path, body).unwrap_or_default();
        assert!(status.contains(" 200"), "PUT {path}: {status}");
    }

    /// A project whose calls reach a new bucket of this server.
    pub fn bench(&self, bucket: &str) -> Bench {
        self.put(&format!("/{bucket}"), b"");
        let mut bench = Bench::new();
        bench.set("AWS_ACCESS_KEY_ID", "test");
        bench.set("AWS_SECRET_ACCESS_KEY", "test");
        bench.set("AWS_REGION", "us-east-1");
        bench.set("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.port));
        bench.set("AWS_ALLOW_HTTP", "true");
        bench.set("WALKFORWARD_STORE", format!("s3://{bucket}/models/team"));
        bench
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn shipped(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn a_bucket_gives_the_digests_of_a_folder_and_is_audited_like_one() {
    let server = Server::shared();
    let bench = server.bench("same-digests");
    let in_bucket = bench.run(SYNTHETIC, &[]);
    assert!(!bench.path("artifacts/store").exists(), "something was written to the folder");
    assert_eq!(in_bucket.digests(), Bench::new().run(SYNTHETIC, &[]).digests());

    let again = bench.run(SYNTHETIC, &[]);
    assert!(again.all("reused"), "{:?}", again.outcomes());
    let models = bench.json(&["registry", "list"]);
    assert_eq!(models[0]["entries"], 1, "{models}");
    let audit = bench.json(&["audit", "synthetic-quality", "--level", "rebuild"]);
    assert_eq!(audit["verdict"], "verified", "{audit:#}");
}

#[test]
fn bars_in_a_bucket_are_read_like_those_in_a_folder() {
    let server = Server::shared();
    let bench = server.bench("market-data");
    server.put("/market-data/bars/ohlcv.parquet", &shipped("data/synthetic/ohlcv.parquet"));
    let text = bench.read(SYNTHETIC);
    let remote = text.replace("path: data/synthetic/ohlcv.parquet", "path: s3://market-data/bars");
    assert_ne!(text, remote);
    bench.write("remote.yaml", remote);
    let run = bench.run("remote.yaml", &["--shadow"]);
    assert_eq!(run.digest("train", "model"), Bench::new().run(SYNTHETIC, &["--shadow"]).digest("train", "model"));
}

#[test]
fn two_runs_of_a_group_exclude_each_other_through_the_bucket() {
    let server = Server::shared();
    let bench = server.bench("two-crons");
    bench.write(
        "slow.yaml",
        "as_of: 2026-01-04\nconcurrency: {group: g, on_conflict: skip}\nnodes:\n  slow:\n    kind: command\n    with: {argv: \
         [sh, -c, \"echo x > out; sleep 3\"], pass_env: [PATH], outputs: {out: {path: out}}}\n",
    );
    let mut first = bench.start(&["run", "slow.yaml", "--progress", "plain"]);
    let held = || bench.call(&["runs"]).stdout.contains("running");
    first.until("it is under way", held);
    let second = bench.call(&["run", "slow.yaml"]);
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert!(second.stdout.starts_with("Skipped: run "), "{}", second.stdout);
    let first = first.end();
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_eq!(bench.run("slow.yaml", &[]).outcome("slow"), "reused", "the group is free again");
}

/// A pipeline with one node that sleeps, in a group.
fn slow(seconds: u32, on_conflict: &str) -> String {
    format!(
        "as_of: 2026-01-04\nconcurrency: {{group: g, on_conflict: {on_conflict}}}\nnodes:\n  slow:\n    kind: command\n    \
         with: {{argv: [sh, -c, \"echo x > out; sleep {seconds}\"], pass_env: [PATH], outputs: {{out: {{path: out}}}}}}\n"
    )
}

#[test]
fn of_two_crons_at_once_one_runs_and_the_other_does_as_it_was_told() {
    let server = Server::shared();
    let mut bucket = server.bench("two-crons-told");
    bucket.set("WALKFORWARD_LEASE_SECONDS", "3");
    for bench in [bucket, Bench::new()] {
        for on_conflict in ["skip", "fail", "wait, wait_timeout: 30s"] {
            bench.write(&format!("{}.yaml", &on_conflict[..4]), slow(2, on_conflict));
        }
        let mut first = bench.start(&["run", "skip.yaml", "--progress", "plain"]);
        first.until("it is under way", || bench.call(&["runs"]).stdout.contains("running"));
        let skipped = bench.call(&["run", "skip.yaml"]);
        assert_eq!(skipped.code, Some(0), "{}", skipped.stderr);
        assert!(skipped.stdout.starts_with("Skipped: run "), "{}", skipped.stdout);
        let refused = bench.call(&["run", "fail.yaml"]);
        assert_eq!(refused.code, Some(75), "{}", refused.stderr);
        let waited = bench.run("wait.yaml", &[]);
        assert_eq!(first.end().code, Some(0));
        assert_eq!(waited.outcome("slow"), "reused", "it went on when the first was done, and found its result");
    }
}

#[test]
fn the_lease_of_a_killed_run_is_taken_over_when_it_has_expired() {
    let server = Server::shared();
    let mut bench = server.bench("taken-over");
    bench.set("WALKFORWARD_LEASE_SECONDS", "1");
    bench.write("slow.yaml", slow(30, "fail"));
    let mut killed = bench.start(&["run", "slow.yaml", "--progress", "none"]);
    killed.until("it is under way", || bench.call(&["runs"]).stdout.contains("running"));
    killed.kill();
    bench.write("slow.yaml", slow(0, "fail"));
    let early = bench.call(&["run", "slow.yaml"]);
    assert_eq!(early.code, Some(75), "a dead holder's lease still runs: {}", early.stdout);
    bench.write("slow.yaml", slow(0, "wait, wait_timeout: 60s"));
    assert_eq!(bench.run("slow.yaml", &[]).outcome("slow"), "succeeded");
    let entries = server.list("taken-over", "models/team/leases/group-g/log");
    assert_eq!(entries.len(), 1, "a free lock needs no history: {entries:?}");
    assert_ne!(entries[0], "models/team/leases/group-g/log/00000000000000000000.json", "its number has grown");
}

#[test]
fn racing_deploys_through_a_bucket_leave_one_promotion() {
    let server = Server::shared();
    let bench = server.bench("racing-deploys");
    let runs: Vec<_> = (0..3).map(|_| bench.start(&["run", SYNTHETIC, "--progress", "none"])).collect();
    for run in runs {
        let call = run.end();
        assert_eq!(call.code, Some(0), "{}", call.stderr);
    }
    let models = bench.json(&["registry", "list"]);
    assert_eq!(models[0]["entries"], 1, "{models}");
    assert_eq!(bench.json(&["audit", "synthetic-quality", "--level", "digests"])["verdict"], "verified");
}

#[test]
fn a_collection_beside_a_run_in_a_bucket_takes_nothing_from_it() {
    let server = Server::shared();
    let bench = server.bench("gc-beside-a-run");
    let expected = Bench::new().run(SYNTHETIC, &[]).digests();
    bench.run(SYNTHETIC, &["--shadow"]);
    let mut running = bench.start(&["run", SYNTHETIC, "--progress", "none"]);
    running.until("it is under way", || bench.call(&["runs"]).stdout.contains("running"));
    for _ in 0..2 {
        let call = bench.call(&["gc", "--keep-runs", "0", "--keep-days", "0", "--grace", "0s"]);
        assert!([Some(0), Some(75)].contains(&call.code), "{}", call.stderr);
    }
    let ended = running.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(bench.shown().digests(), expected);
    assert_eq!(bench.json(&["audit", "synthetic-quality", "--level", "digests"])["verdict"], "verified");
}

#[test]
fn a_large_file_goes_to_a_bucket_in_parts_and_comes_back() {
    let server = Server::shared();
    let bench = server.bench("large-file");
    // more than two parts, and unlike one another
    let large: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    bench.write("large.bin", &large);
    bench.write(
        "large.yaml",
        "as_of: 2026-01-04\nsources: {large: {path: large.bin, schema: file@1}}\nnodes:\n  copy:\n    kind: command\n    inputs: \
         {large: sources.large}\n    with: {argv: [sh, -c, \"cp inputs/large out\"], pass_env: [PATH], outputs: {out: {path: \
         out}}}\n    publish: {out: copy.bin}\n",
    );
    let first = bench.run("large.yaml", &[]);
    assert_eq!(first.outcome("copy"), "succeeded");
    assert!(std::fs::read(bench.path("copy.bin")).unwrap() == large);
    assert!(bench.run("large.yaml", &[]).all("reused"));
}

#[test]
fn a_profile_says_where_the_bucket_is_and_whose_keys_are_used() {
    let server = Server::shared();
    server.put("/by-profile", b"");
    let mut bench = Bench::new();
    bench.write(
        "home/.aws/config",
        format!("[profile team]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:{}\n", server.port),
    );
    bench.write("home/.aws/credentials", "[team]\naws_access_key_id = test\naws_secret_access_key = test\n");
    bench.set("HOME", bench.path("home").to_str().unwrap());
    bench.set("WALKFORWARD_STORE", "s3://by-profile/store");
    bench.set("AWS_EC2_METADATA_DISABLED", "true");
    let call = bench.call(&["plan", SYNTHETIC]);
    assert_eq!(call.code, Some(4), "without AWS_PROFILE there are no credentials: {}", call.stdout);
    for place in ["AWS_ACCESS_KEY_ID", "profile `default`", ".aws/credentials", "AWS_EC2_METADATA_DISABLED"] {
        assert!(call.stderr.contains(place), "{place}: {}", call.stderr);
    }
    bench.set("AWS_PROFILE", "team");
    let doctor = bench.call(&["doctor"]);
    assert!(doctor.stdout.contains("credentials from profile `team`"), "{}", doctor.stdout);
    assert!(doctor.stdout.contains("of 16 who created one name at once, 1 won"), "{}", doctor.stdout);
    assert!(bench.ok(&["plan", SYNTHETIC]).contains("train"));
}

/// A service that gives one answer to everything, and how many requests it has had.
fn answering(status: &'static str, code: &'static str) -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            *counted.lock().unwrap() += 1;
            let body = format!("<Error><Code>{code}</Code><Message>No.</Message></Error>");
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (port, asked)
}

#[test]
fn what_a_service_refuses_is_said_with_what_to_do_and_exit_code_4() {
    let cases = [
        ("403 Forbidden", "InvalidAccessKeyId", "does not know the access key", "AWS_ACCESS_KEY_ID"),
        ("403 Forbidden", "SignatureDoesNotMatch", "secret key does not belong", "AWS_SECRET_ACCESS_KEY"),
        ("403 Forbidden", "AccessDenied", "may not do so", "s3:GetObject"),
        ("400 Bad Request", "ExpiredToken", "session of these credentials is over", "new credentials"),
        ("404 Not Found", "NoSuchBucket", "no such bucket", "create the bucket"),
    ];
    for (status, code, what, advice) in cases {
        let (port, asked) = answering(status, code);
        let mut bench = Bench::new();
        for (name, value) in [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_REGION", "us-east-1")] {
            bench.set(name, value);
        }
        bench.set("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
        for args in [["run", SYNTHETIC], ["plan", SYNTHETIC]] {
            let call = bench.call(&[&args[..], &["--store", "s3://bucket/x"]].concat());
            assert_eq!(call.code, Some(4), "{code}: {}", call.stderr);
            let words = call.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            for expected in [what, advice, code, "s3://bucket/x"] {
                assert!(words.contains(expected), "{code}: `{expected}` is missing in {words}");
            }
        }
        assert_eq!(*asked.lock().unwrap(), 2, "{code}: what is refused is not asked for again");
    }
}

#[test]
fn a_service_that_is_down_is_said_so_with_exit_code_4() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut bench = Bench::new();
    for (name, value) in [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_REGION", "us-east-1")] {
        bench.set(name, value);
    }
    bench.set("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{free}"));
    let call = bench.call(&["runs", "--store", "s3://bucket/x"]);
    assert_eq!(call.code, Some(4), "{}", call.stderr);
    for expected in ["does not answer", "AWS_ENDPOINT_URL"] {
        assert!(call.stderr.contains(expected), "{}", call.stderr);
    }
}

#[test]
fn a_bucket_that_cannot_be_used_is_said_so_with_exit_code_4() {
    let server = Server::shared();
    let mut bench = server.bench("no-such-thing");
    bench.set("WALKFORWARD_STORE", "s3://there-is-no-such-bucket/x");
    let call = bench.call(&["run", SYNTHETIC]);
    assert_eq!(call.code, Some(4), "{}", call.stderr);
    assert!(call.stderr.contains("there-is-no-such-bucket"), "{}", call.stderr);
}
