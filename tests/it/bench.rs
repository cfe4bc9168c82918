//! A folder of its own for each test, with the shipped files in it, and the program in an empty environment.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longer than any run of these tests on a busy machine takes; what waits this long will wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A project folder that vanishes with the value. The store is where it is by default: `artifacts/store`.
pub struct Bench {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

/// What a call of the program left behind.
#[derive(Debug)]
pub struct Call {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Bench {
    /// Copies pipelines and configs, which tests may edit, and links the data, which they must not.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("walkforward-it-").tempdir().unwrap();
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        for copied in ["pipelines", "configs"] {
            copy_folder(&project.join(copied), &folder.path().join(copied));
        }
        std::os::unix::fs::symlink(project.join("data"), folder.path().join("data")).unwrap();
        Self { folder, variables: Vec::new() }
    }

    /// A folder with nothing in it.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("walkforward-it-").tempdir().unwrap();
        Self { folder, variables: Vec::new() }
    }

    /// Sets a variable of the environment, which is empty otherwise.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Copies one folder of the data to `own/`, so that a test may change it.
    pub fn own_data(&self, name: &str) {
        let linked = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
        copy_folder(&linked, &self.path("own").join(name));
    }

    /// Takes over the store of another.
    pub fn copy_store(&self, other: &Self) {
        copy_folder(&other.path("artifacts/store"), &self.path("artifacts/store"));
    }

    /// Names of all files below a folder of the store, sorted.
    pub fn stored(&self, below: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect_files(&self.path("artifacts/store").join(below), &mut found);
        found.sort();
        found
    }

    /// The stored action of a node, by the kind and node it was made by.
    pub fn action_of(&self, node: &str) -> PathBuf {
        let made_by = |path: &PathBuf| read_json(path)["body"]["made_by"]["node"] == node;
        let found: Vec<PathBuf> = self.stored("actions").into_iter().filter(made_by).collect();
        assert_eq!(found.len(), 1, "expected one action of `{node}`, found {found:?}");
        found[0].clone()
    }

    /// Where the store keeps the bytes of a digest.
    pub fn blob(&self, digest: &str) -> PathBuf {
        self.path("artifacts/store/blobs/sha256").join(&digest[..2]).join(&digest[2..])
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_walkforward"));
        command.current_dir(self.folder.path()).env_clear().env("PATH", "/usr/bin:/bin").env("NO_COLOR", "1");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Calls the program and waits for its end.
    pub fn call(&self, args: &[&str]) -> Call {
        Call::from(self.command(args).output().unwrap())
    }

    /// Calls the program with further variables in its environment, and waits for its end.
    pub fn call_with(&self, variables: &[(&str, &str)], args: &[&str]) -> Call {
        Call::from(self.command(args).envs(variables.iter().copied()).output().unwrap())
    }

    /// Runs a script of bash in the folder.
    pub fn script(&self, name: &str) -> Call {
        let mut command = Command::new("/bin/bash");
        command.current_dir(self.folder.path()).env_clear().env("HOME", self.folder.path()).env("NO_COLOR", "1");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Call::from(command.arg(name).stdin(Stdio::null()).output().unwrap())
    }

    /// Calls the program and goes on while it runs.
    pub fn start(&self, args: &[&str]) -> Running {
        Running { child: Some(self.command(args).spawn().unwrap()) }
    }

    /// Starts the program as a shell without job control starts what stands before a `&`.
    pub fn start_ignoring_interrupts(&self, args: &[&str]) -> Running {
        self.start_by(&["/bin/sh", "-c", "trap '' INT; exec \"$0\" \"$@\""], args)
    }

    /// Starts the program as a terminal does: it leads a group of processes.
    pub fn start_in_a_group(&self, args: &[&str]) -> Running {
        self.start_by(&["/usr/bin/setsid"], args)
    }

    /// Starts the program by another one, which must become it.
    pub fn start_by(&self, starter: &[&str], args: &[&str]) -> Running {
        let program = self.command(args);
        let mut command = Command::new(starter[0]);
        command.current_dir(self.folder.path()).env_clear();
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.args(&starter[1..]).arg(program.get_program()).args(program.get_args());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running { child: Some(command.spawn().unwrap()) }
    }

    /// Calls the program, which must end well, and returns what it printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let call = self.call(args);
        assert_eq!(call.code, Some(0), "{args:?}\n{}\n{}", call.stdout, call.stderr);
        call.stdout
    }

    /// Calls the program with `--json`, which must end well, and reads what it printed.
    pub fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(&[&["--json"], args].concat());
        let mut whole: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}\n{text}"));
        assert_eq!(whole["version"], 1, "{text}");
        whole["result"].take()
    }

    /// Runs a pipeline, which must end well, and returns its report.
    pub fn run(&self, pipeline: &str, args: &[&str]) -> Report {
        Report(self.json(&[&["run", pipeline, "--progress", "none"], args].concat()))
    }

    /// The newest run, as `show` reads it back from the store.
    pub fn shown(&self) -> Report {
        Report(self.json(&["show"]))
    }
}

impl Call {
    /// What was printed to stderr with everything that differs from run to run replaced at the same width.
    pub fn redacted_stderr(&self) -> String {
        redact(&self.stderr)
    }
}

impl From<Output> for Call {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A program that runs; killed when the test ends before it does.
pub struct Running {
    child: Option<Child>,
}

impl Running {
    /// Waits until something is so; fails the test when the program ends before, or it never is.
    pub fn until(&mut self, what: &str, mut so: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let child = self.child.as_mut().unwrap();
        while !so() {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before {what}");
            assert!(Instant::now() < deadline, "waited too long until {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Sends it a signal by name.
    pub fn signal(&self, name: &str) {
        self.send(name, "");
    }

    /// Sends a signal to it and all processes of its group.
    pub fn signal_group(&self, name: &str) {
        self.send(name, "-");
    }

    fn send(&self, name: &str, group: &str) {
        let target = format!("{group}{}", self.child.as_ref().unwrap().id());
        assert!(Command::new("kill").args(["-s", name, "--", &target]).status().unwrap().success());
    }

    /// Waits for its end.
    pub fn end(mut self) -> Call {
        Call::from(self.child.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A run as `run --json` and `show --json` print it.
#[derive(Debug)]
pub struct Report(pub Value);

impl Report {
    pub fn nodes(&self) -> &[Value] {
        self.0["nodes"].as_array().unwrap()
    }

    pub fn node(&self, name: &str) -> &Value {
        self.nodes().iter().find(|node| node["node"] == name).unwrap_or_else(|| panic!("no node `{name}`"))
    }

    pub fn outcome(&self, name: &str) -> &str {
        self.node(name)["outcome"].as_str().unwrap()
    }

    pub fn reason(&self, name: &str) -> &str {
        self.node(name)["reason"].as_str().unwrap()
    }

    /// `node outcome`, sorted by node.
    pub fn outcomes(&self) -> Vec<String> {
        let word = |field: &Value| field.as_str().unwrap().to_owned();
        let mut found: Vec<String> =
            self.nodes().iter().map(|node| format!("{} {}", word(&node["node"]), word(&node["outcome"]))).collect();
        found.sort();
        found
    }

    pub fn all(&self, outcome: &str) -> bool {
        self.nodes().iter().all(|node| node["outcome"] == outcome)
    }

    /// `node.port digest` of every artifact, sorted.
    pub fn digests(&self) -> Vec<String> {
        let of = |node: &Value| {
            let name = node["node"].as_str().unwrap().to_owned();
            let outputs = node["outputs"].as_object().unwrap().clone();
            outputs.into_iter().map(move |(port, found)| format!("{name}.{port} {}", found["sha256"].as_str().unwrap()))
        };
        let mut found: Vec<String> = self.nodes().iter().flat_map(of).collect();
        found.sort();
        assert!(!found.is_empty(), "a run without artifacts proves nothing");
        found
    }

    /// The digest of one artifact, `node.port`.
    pub fn digest(&self, node: &str, port: &str) -> &str {
        self.node(node)["outputs"][port]["sha256"].as_str().unwrap_or_else(|| panic!("no artifact `{node}.{port}`"))
    }
}

pub fn read_json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn collect_files(folder: &Path, found: &mut Vec<PathBuf>) {
    // a folder that is not there yet, or that vanishes while the program writes, holds nothing
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.path().is_dir() {
            collect_files(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// Replaces run ids, digests and times by marks of the same width, so that tables keep their shape.
pub fn redact(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | ':' | '.');
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if is_word(first) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (word, after) = rest.split_at(end);
        redacted.push_str(&redact_word(word));
        rest = after;
    }
    redacted
}

fn redact_word(word: &str) -> String {
    let hexadecimal = |text: &str| text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    let is_id = |text: &str| text.len() == 36 && text.matches('-').count() == 4 && hexadecimal(&text.replace('-', ""));
    // the short forms: a run by its last 8 digits, a blob by its first 12
    let is_short =
        |text: &str| [8, 12, 64].contains(&text.len()) && hexadecimal(text) && text.chars().any(|c| c.is_ascii_digit());
    let is_time = |text: &str| text.len() > 11 && text.ends_with('Z') && text.as_bytes()[10] == b'T';
    if is_id(word) || is_short(word) {
        "#".repeat(word.len())
    } else if is_time(word) {
        // sub-second digits that are zero are not written: the width is that of a full time
        format!("{:T<27}", "")
    } else {
        word.to_owned()
    }
}

#[test]
fn redaction_keeps_widths_and_leaves_words_alone() {
    let id = "01a1fe48-09b9-7718-8cc7-78a2eceaba4b";
    let text = format!("run {id} at 2026-11-21T13:24:56.377842Z of 2018-09-28: eceaba4b, d508cca8868b; AUC 0.680");
    let expected =
        format!("run {} at {} of 2018-09-28: ########, ############; AUC 0.680", "#".repeat(36), "T".repeat(27));
    assert_eq!(redact(&text), expected);
}
