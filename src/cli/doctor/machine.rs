//! What this machine has, and what the environment says.

use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use super::{About, Finding};
use crate::cli::Session;

const MIB: u64 = 1 << 20;
/// A run of the shipped examples needs a few MiB; one with long histories and many models a few hundred.
const LITTLE_ROOM: u64 = 1024 * MIB;
/// With less, even the record of a run may not fit.
const NO_ROOM: u64 = 64 * MIB;
/// Fewer open files than this are soon used up by nodes that run at the same time.
const FEW_FILES: u64 = 1024;

pub(super) fn findings(session: &Session) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !session.store.contains("://") {
        findings.push(disk(Path::new(&session.store)));
    }
    findings.push(open_files(getrlimit(Resource::Nofile).current));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    findings.push(ok("threads", threads.to_string()));
    findings.push(ok("version", format!("walkforward {}", env!("CARGO_PKG_VERSION"))));
    findings.push(environment(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())));
    findings
}

/// Room where the store is, or will be.
fn disk(store: &Path) -> Finding {
    let folder = store.ancestors().find(|folder| folder.exists()).map_or_else(|| PathBuf::from("."), Path::to_owned);
    match rustix::fs::statvfs(&folder) {
        Ok(found) => room(found.f_bavail.saturating_mul(found.f_frsize)),
        Err(error) => {
            let found = format!("cannot be asked about {}: {error}", folder.display());
            Finding::warning(About::Machine, "disk", found, "look with `df`")
        }
    }
}

fn room(free: u64) -> Finding {
    let found = format!("{:.1} GiB free", free as f64 / (1024 * MIB) as f64);
    match free {
        0..NO_ROOM => Finding::problem(About::Machine, "disk", found, "make room, or move the store: --store"),
        NO_ROOM..LITTLE_ROOM => Finding::warning(About::Machine, "disk", found, "make room before it is used up"),
        _ => ok("disk", found),
    }
}

fn open_files(limit: Option<u64>) -> Finding {
    const CHECK: &str = "open files";
    match limit {
        None => ok(CHECK, "no limit"),
        Some(limit) if limit < FEW_FILES => {
            Finding::warning(About::Machine, CHECK, format!("at most {limit}"), format!("`ulimit -n {FEW_FILES}`"))
        }
        Some(limit) => ok(CHECK, format!("at most {limit}")),
    }
}

/// Which variables are set that this program or the store reads. Their values are nobody's business.
fn environment(names: impl Iterator<Item = String>) -> Finding {
    let ours = |name: &String| name.starts_with("AWS_") || name.starts_with("WALKFORWARD_");
    let mut names: Vec<String> = names.filter(ours).collect();
    names.sort();
    let found = if names.is_empty() { "no AWS_ or WALKFORWARD_ variable".to_owned() } else { names.join(", ") };
    ok("variables set", found)
}

fn ok(check: &'static str, found: impl Into<String>) -> Finding {
    Finding::ok(About::Machine, check, found)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn little_room_is_a_warning_and_none_a_problem() {
        let state = |mib: u64| room(mib * MIB).state;
        assert_eq!([state(10), state(500), state(50_000)], [State::Problem, State::Warning, State::Ok]);
        assert_eq!([open_files(Some(256)).state, open_files(None).state], [State::Warning, State::Ok]);
    }

    #[test]
    fn variables_are_named_and_their_values_kept_back() {
        let names = ["PATH", "WALKFORWARD_STORE", "AWS_SECRET_ACCESS_KEY"].map(str::to_owned);
        assert_eq!(environment(names.into_iter()).found, "AWS_SECRET_ACCESS_KEY, WALKFORWARD_STORE");
    }
}
