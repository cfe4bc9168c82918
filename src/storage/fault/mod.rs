//! Faults on purpose, so that tests can see what is left after a kill, a power cut or a full disk at any write.
//!
//! Every write passes two *points*: one before it is carried out and one after. They are numbered from 1 in the order in
//! which they are passed. A fault happens at the point that was chosen:
//!
//! | word | before a write | after it |
//! |---|---|---|
//! | `kill` | the process ends | the process ends |
//! | `torn` | half of the bytes are written under the final name, then the process ends | as `kill` |
//! | `cut` | the process ends, and of all that was written and never flushed only half is left | the same |
//! | `lost` | the write fails and is not carried out | it is carried out, and its answer says that it failed |
//! | `full`, `read-only`, `denied` | this write and all later ones are refused with the system's error | the same |
//! | `gone` | the folder of the store is removed | the same |
//!
//! A store without faults does none of this and counts nothing. What cannot happen does not: an object that is flushed
//! before its create is answered is never torn under its name, and a bucket holds no halves.

mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub(super) use store::FaultyStore;

/// Writes an object whole.
pub(super) const PUT: &str = "put";
/// Removes an object or a file.
pub(super) const DELETE: &str = "delete";
/// Takes a lock of a folder.
pub(super) const LOCK: &str = "lock";
/// Frees a lock of a folder.
pub(super) const UNLOCK: &str = "unlock";
/// Makes an object survive a power cut.
pub(super) const FLUSH: &str = "flush";

/// What happens at the chosen point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process ends.
    Kill,
    /// The process ends in the middle of a write.
    Torn,
    /// The power goes: what was not flushed is half there.
    Cut,
    /// One write fails, or seems to.
    Lost,
    /// There is no room any more.
    Full,
    /// Nothing can be changed any more.
    ReadOnly,
    /// Nothing may be changed any more.
    Denied,
    /// The folder of the store is removed.
    Gone,
}

/// Every fault by its word.
const FAULTS: &[(&str, Fault)] = &[
    ("kill", Fault::Kill),
    ("torn", Fault::Torn),
    ("cut", Fault::Cut),
    ("lost", Fault::Lost),
    ("full", Fault::Full),
    ("read-only", Fault::ReadOnly),
    ("denied", Fault::Denied),
    ("gone", Fault::Gone),
];

/// A fault and the number of its point, written `kill:17`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultPlan {
    /// What happens.
    pub fault: Fault,
    /// At which point, from 1.
    pub at: u64,
}

impl FromStr for FaultPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = FAULTS.iter().map(|(word, _)| *word).collect();
        let expected =
            || format!("expected FAULT:POINT, as `kill:17`, with one of {}; found `{text}`", words.join(", "));
        let (word, at) = text.split_once(':').ok_or_else(expected)?;
        let fault = FAULTS.iter().find(|(known, _)| *known == word).map(|(_, fault)| *fault).ok_or_else(expected)?;
        let at = at.parse().ok().filter(|at| *at > 0).ok_or_else(expected)?;
        Ok(Self { fault, at })
    }
}

/// One passing of a point.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// Its number, from 1.
    pub number: u64,
    /// Whether the write is still to come.
    pub before: bool,
    /// What is written: `put`, `delete`, `flush`, ...
    pub deed: &'static str,
    /// The object.
    pub name: &'a str,
}

/// What the edge of the program lends to faults: a room may neither end the process nor write outside the store.
pub trait Stage: Send + Sync {
    /// Ends the process at once, as `kill -9` does. Where it returns, as in tests, the store is dead from then on.
    fn end(&self);

    /// Sees every point as it is passed.
    fn passed(&self, point: Point<'_>);
}

/// The faults of a store; none by default.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<Plot>>);

struct Plot {
    plan: Option<FaultPlan>,
    stage: Box<dyn Stage>,
    /// The folder of a local store.
    folder: OnceLock<PathBuf>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    passed: u64,
    /// The process should have ended.
    dead: bool,
    /// What was written and not flushed, by its name in the store.
    unflushed: BTreeSet<String>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faults").field(&self.0.as_ref().map(|plot| plot.plan)).finish()
    }
}

impl Faults {
    /// Faults to come; without a plan the points are only counted.
    pub fn new(plan: Option<FaultPlan>, stage: Box<dyn Stage>) -> Self {
        Self(Some(Arc::new(Plot { plan, stage, folder: OnceLock::new(), state: Mutex::default() })))
    }

    /// Says whether there are none.
    pub(super) const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// Says where the store is, if it is in a folder.
    pub(super) fn set_folder(&self, folder: Option<&Path>) {
        if let (Some(plot), Some(folder)) = (&self.0, folder) {
            // a process has one store
            let _ = plot.folder.set(folder.to_owned());
        }
    }

    /// Passes the point before a write.
    ///
    /// # Errors
    /// The write must not be carried out.
    pub fn before(&self, deed: &'static str, name: &str) -> Result<(), IoError> {
        self.pass(deed, name, Some(None))
    }

    /// The same, of an object that may be left half under its name.
    pub(super) fn before_put(&self, name: &str, bytes: Option<&[u8]>) -> Result<(), IoError> {
        self.pass(PUT, name, Some(bytes))
    }

    /// Passes the point after a write.
    ///
    /// # Errors
    /// The write was carried out, and its answer is lost.
    pub fn after(&self, deed: &'static str, name: &str) -> Result<(), IoError> {
        self.pass(deed, name, None)
    }

    /// Notes that an object was written, and whether it would survive a power cut.
    pub(super) fn note(&self, name: &str, flushed: bool) {
        let Some(plot) = &self.0 else { return };
        let mut state = plot.state();
        if flushed {
            state.unflushed.remove(name);
        } else {
            state.unflushed.insert(name.to_owned());
        }
    }

    /// Refuses everything once the process should have ended.
    pub(super) fn alive(&self) -> Result<(), IoError> {
        match &self.0 {
            Some(plot) if plot.state().dead => Err(ended()),
            _ => Ok(()),
        }
    }

    /// Passes a point: `before` is there before a write, and holds the bytes of an object that may be torn.
    fn pass(&self, deed: &'static str, name: &str, before: Option<Option<&[u8]>>) -> Result<(), IoError> {
        match &self.0 {
            Some(plot) => plot.pass(deed, name, before),
            None => Ok(()),
        }
    }
}

impl Plot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, deed: &'static str, name: &str, before: Option<Option<&[u8]>>) -> Result<(), IoError> {
        // held to the end: nothing else is written while the process dies
        let mut state = self.state();
        if state.dead {
            return Err(ended());
        }
        state.passed += 1;
        let number = state.passed;
        self.stage.passed(Point { number, before: before.is_some(), deed, name });
        let Some(FaultPlan { fault, at }) = self.plan else { return Ok(()) };
        let now = number == at;
        // what takes no room is not refused by a full disk
        let frees = matches!(deed, DELETE | UNLOCK);
        match fault {
            Fault::Full if number >= at && before.is_some() && !frees => Err(ErrorKind::StorageFull.into()),
            Fault::ReadOnly if number >= at && before.is_some() => Err(ErrorKind::ReadOnlyFilesystem.into()),
            Fault::Denied if number >= at && before.is_some() => Err(ErrorKind::PermissionDenied.into()),
            Fault::Lost if now => Err(IoError::new(ErrorKind::TimedOut, "a fault on purpose: no answer")),
            Fault::Gone if now => self.folder.get().map_or(Ok(()), std::fs::remove_dir_all),
            Fault::Kill | Fault::Torn | Fault::Cut if now => {
                match (fault, before.flatten()) {
                    (Fault::Torn, Some(bytes)) => self.tear(name, bytes)?,
                    (Fault::Cut, _) => self.halve(&state.unflushed)?,
                    _ => {}
                }
                state.dead = true;
                self.stage.end();
                Err(ended())
            }
            _ => Ok(()),
        }
    }

    /// Leaves half of what was to be written under its name.
    fn tear(&self, name: &str, bytes: &[u8]) -> Result<(), IoError> {
        let Some(folder) = self.folder.get() else { return Ok(()) };
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, &bytes[..bytes.len() / 2])
    }

    /// Leaves half of everything that was never flushed.
    fn halve(&self, names: &BTreeSet<String>) -> Result<(), IoError> {
        let Some(folder) = self.folder.get() else { return Ok(()) };
        for name in names {
            // removed since
            let Ok(file) = std::fs::File::options().write(true).open(folder.join(name)) else { continue };
            file.set_len(file.metadata()?.len() / 2)?;
        }
        Ok(())
    }
}

fn ended() -> IoError {
    IoError::other("a fault on purpose: the process has ended")
}
