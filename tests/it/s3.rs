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
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/s3-server/bin/moto_server");
        assert!(program.exists(), "no S3 server at {}: `make s3-server` installs it", program.display());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
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
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.lines().next().map(str::to_owned)
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

#[test]
fn a_bucket_that_cannot_be_used_is_said_so_with_exit_code_4() {
    let server = Server::shared();
    let mut bench = server.bench("no-such-thing");
    bench.set("WALKFORWARD_STORE", "s3://there-is-no-such-bucket/x");
    let call = bench.call(&["run", SYNTHETIC]);
    assert_eq!(call.code, Some(4), "{}", call.stderr);
    assert!(call.stderr.contains("there-is-no-such-bucket"), "{}", call.stderr);
}
