//! Faults of the store that tests ask for by the environment. Nobody else sets these variables.
//!
//! | variable | meaning |
//! |---|---|
//! | `WALKFORWARD_FAULT` | a fault and its point, as `kill:17` |
//! | `WALKFORWARD_FAULT_TRACE` | a file to which every point that is passed is added, a line each |
//! | `WALKFORWARD_FAULT_CLOCK` | seconds by which the clock is wrong, as `-3600` |

use std::fs::File;
use std::io::Write as _;
use std::sync::OnceLock;

use rustix::process::{Signal, getpid, kill_process};

use crate::storage::{Faults, Point, Stage};

const FAULT: &str = "WALKFORWARD_FAULT";
const TRACE: &str = "WALKFORWARD_FAULT_TRACE";
const CLOCK: &str = "WALKFORWARD_FAULT_CLOCK";

/// By how many microseconds the clock is to be wrong; 0 where the environment does not say.
pub(super) fn clock_error() -> i64 {
    static ERROR: OnceLock<i64> = OnceLock::new();
    let read = || std::env::var(CLOCK).ok()?.parse::<i64>().ok()?.checked_mul(1_000_000);
    *ERROR.get_or_init(|| read().unwrap_or(0))
}

/// The faults that the environment asks for: none where it is silent.
pub(super) fn from_env() -> Result<Faults, String> {
    let (fault, trace) = (std::env::var_os(FAULT), std::env::var_os(TRACE));
    if fault.is_none() && trace.is_none() {
        return Ok(Faults::default());
    }
    let fault = fault.map(|text| text.to_string_lossy().parse().map_err(|error| format!("{FAULT}: {error}")));
    let trace = trace.map(|path| {
        let open = File::options().create(true).append(true).open(&path);
        open.map_err(|error| format!("{TRACE}: cannot write to `{}`: {error}", path.to_string_lossy()))
    });
    Ok(Faults::new(fault.transpose()?, Box::new(Process { trace: trace.transpose()? })))
}

/// This process, as faults meet it.
struct Process {
    trace: Option<File>,
}

impl Stage for Process {
    fn end(&self) {
        // returns where the signal is refused, and then the store is dead
        let _ = kill_process(getpid(), Signal::KILL);
    }

    fn passed(&self, point: Point<'_>) {
        if let Some(mut trace) = self.trace.as_ref() {
            let when = if point.before { "before" } else { "after" };
            // one write, so that the line is whole when the process ends
            let _ = trace.write_all(format!("{} {when} {} {}\n", point.number, point.deed, point.name).as_bytes());
        }
    }
}
