//! The process of a command: its lines go to the log, a stop goes to the whole process group.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::CommandConfig;
use crate::base::{CancelToken, Digest};
use crate::node::{NodeContext, NodeError, PinnedFile};

/// How often a waiting node looks whether it was asked to stop.
const TICK: Duration = Duration::from_millis(50);
/// Ticks that a process may take to end by itself once asked: 5 s.
const GRACE_TICKS: u32 = 100;
/// Ticks to wait for last lines after the process has ended: a child of its own may hold the pipe open for ever.
const DRAIN_TICKS: u32 = 10;
/// The longest line that is kept whole.
const MAX_LINE: usize = 4096;

/// Why a command did not do what it was declared to do.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It ended with an exit code other than 0, or by a signal.
    #[error("`{program}` ended with {how}{last}")]
    Exit {
        /// The program.
        program: String,
        /// The exit code or the signal.
        how: String,
        /// The last line it wrote, after a colon.
        last: String,
    },
    /// It was replaced since the run started.
    #[error("`{path}` has changed since the run started; run again")]
    Changed {
        /// The program's file.
        path: String,
    },
    /// It ended well but lacks an output.
    #[error("the command ended well but did not write `{path}` (output `{output}`)")]
    Missing {
        /// The output.
        output: String,
        /// Where it was to be.
        path: String,
    },
    /// Its values cannot be used.
    #[error("values.json: {problem}")]
    Values {
        /// What is wrong.
        problem: String,
    },
}

/// Runs the program to its end; the last line it wrote to stdout sums it up.
pub(super) fn run(config: &CommandConfig, folder: &Path, context: &NodeContext) -> Result<Option<String>, NodeError> {
    let program = &config.argv[0].0;
    let pinned = context.files.get(program);
    let pinned = pinned.ok_or_else(|| NodeError::failed(format!("a bug: `{program}` was not looked up")))?;
    unchanged(pinned)?;
    let mut command = std::process::Command::new(&pinned.path);
    command.args(config.argv[1..].iter().map(|word| &word.0)).current_dir(folder).env_clear();
    command.envs(config.env.iter().map(|(name, value)| (name, &value.0)));
    for name in &config.pass_env {
        if let Some(value) = (context.environment)(name) {
            command.env(name, value);
        }
    }
    // a group of its own: a stop must reach what the program has started
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = |source| NodeError::failed(CommandError::Start { program: program.clone(), source });
    let mut child = command.spawn().map_err(start)?;
    let (lines, received) = channel();
    if let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) {
        read_lines(out, lines.clone(), false);
        read_lines(err, lines, true);
    }
    let (status, said) = follow(&mut child, &received, context)?;
    if status.success() {
        return Ok(said.out);
    }
    let how = match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    };
    let last = said.err.or(said.out).map(|line| format!(": {line}")).unwrap_or_default();
    Err(NodeError::failed(CommandError::Exit { program: program.clone(), how, last }))
}

fn unchanged(pinned: &PinnedFile) -> Result<(), NodeError> {
    let bytes = std::fs::read(&pinned.path).map_err(NodeError::failed)?;
    if Digest::of(&bytes) == pinned.sha256 {
        return Ok(());
    }
    Err(NodeError::failed(CommandError::Changed { path: pinned.path.display().to_string() }))
}

struct Line {
    is_error: bool,
    text: String,
}

fn read_lines(pipe: impl Read + Send + 'static, lines: Sender<Line>, is_error: bool) {
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        // a line may be no UTF-8, and may be longer than anyone wants to read
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
            bytes.truncate(MAX_LINE);
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            if lines.send(Line { is_error, text }).is_err() {
                return;
            }
            bytes.clear();
        }
    });
}

/// The last lines that were not empty.
#[derive(Default)]
struct Said {
    out: Option<String>,
    err: Option<String>,
}

impl Said {
    fn take(&mut self, line: Line, context: &NodeContext) {
        (context.log)(&line.text);
        if line.text.is_empty() {
            return;
        }
        context.report(0, 0, &line.text);
        *(if line.is_error { &mut self.err } else { &mut self.out }) = Some(line.text);
    }
}

fn follow(child: &mut Child, lines: &Receiver<Line>, context: &NodeContext) -> Result<(ExitStatus, Said), NodeError> {
    let mut said = Said::default();
    let mut ended: Option<ExitStatus> = None;
    let mut ticks = 0;
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => said.take(line, context),
            // both pipes are closed: the process has ended or is about to
            Err(RecvTimeoutError::Disconnected) if ended.is_none() && !context.cancel.is_cancelled() => {
                ended = child.try_wait().map_err(NodeError::failed)?;
                if ended.is_none() {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            Err(RecvTimeoutError::Disconnected) if ended.is_some() => break,
            Err(_) => {
                ended = child.try_wait().map_err(NodeError::failed)?;
                ticks += u32::from(ended.is_some());
                if ticks > DRAIN_TICKS {
                    break;
                }
            }
        }
        if context.cancel.is_cancelled() {
            stop(child, &context.cancel).map_err(NodeError::failed)?;
            lines.try_iter().for_each(|line| said.take(line, context));
            return Err(NodeError::Cancelled);
        }
    }
    match ended {
        Some(status) => Ok((status, said)),
        None => Ok((child.wait().map_err(NodeError::failed)?, said)),
    }
}

/// Asks the process group to end, and ends it when it does not, or when there is no time.
fn stop(child: &mut Child, cancel: &CancelToken) -> std::io::Result<()> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let send = |signal| group.map_or(Ok(()), |group| kill_process_group(group, signal));
    // a group that is gone already is what we want
    let _ = send(Signal::TERM);
    for _ in 0..GRACE_TICKS {
        if child.try_wait()?.is_some() || cancel.is_hurried() {
            break;
        }
        std::thread::sleep(TICK);
    }
    let _ = send(Signal::KILL);
    child.wait().map(drop)
}
