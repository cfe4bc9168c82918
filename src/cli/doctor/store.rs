//! Whether the store can be reached and keeps its promises.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;

use super::{About, Finding};
use crate::artifact::{Store, StoreCheck, StoreError};
use crate::cli::error::CliError;
use crate::cli::{Session, new_id, now};
use crate::storage::{Acquired, Created, Storage, StorageError};

/// A store that takes longer for one check cannot be worked with.
const PATIENCE: Duration = Duration::from_secs(30);
/// Clocks that differ by less agree: S3 stamps whole seconds.
const SKEW_SECONDS: f64 = 5.0;

/// Looks at the store, and ends at the first thing without which the rest cannot be looked at.
pub(super) async fn findings(session: &Session) -> Vec<Finding> {
    if session.bad_project.is_some() {
        let found = "not looked at: the project file cannot be asked where it is";
        return vec![Finding::warning(About::Store, "store", found, "see `project` below")];
    }
    let location = session.store.as_str();
    let place = format!("{location} ({})", session.store_origin.words());
    let mut findings = Vec::new();
    let storage = match tokio::time::timeout(PATIENCE, existing(session)).await {
        Ok(Ok(store)) => {
            findings.push(ok("store", place));
            findings.push(ok("format", "the one that this version writes"));
            store.storage().clone()
        }
        Ok(Err(StoreError::Missing { .. })) => {
            let advice = "the first `walkforward run` makes it; or name another one with --store";
            findings.push(Finding::warning(About::Store, "store", format!("none yet at {place}"), advice));
            // a bucket is there before it holds a store, and whether it will do is worth knowing before the first run
            match session.access.open_existing(location) {
                Ok(Some(storage)) if location.contains("://") => storage,
                _ => return findings,
            }
        }
        Ok(Err(StoreError::Format { found, .. })) => {
            findings.push(ok("store", place));
            let advice = "use the version of walkforward that wrote it, or another store";
            let found = format!("`{found}` is not known to this version");
            findings.push(Finding::problem(About::Store, "format", found, advice));
            return findings;
        }
        Ok(Err(error)) => {
            let advice = error.advice().unwrap_or_else(|| match location.contains("://") {
                true => "check the address, the network, and the variables below".to_owned(),
                false => "check the path and who may read and write it".to_owned(),
            });
            findings.push(Finding::problem(About::Store, "store", format!("{place}: {}", words(&error)), advice));
            return findings;
        }
        Err(_) => {
            let found = format!("{place}: no answer in {} seconds", PATIENCE.as_secs());
            findings.push(Finding::problem(About::Store, "store", found, "check the address and the network"));
            return findings;
        }
    };
    if let Some(words) = storage.reached_by() {
        findings.push(ok("access", words));
    }
    findings.extend(probes(&storage).await);
    findings
}

async fn existing(session: &Session) -> Result<Store, StoreError> {
    Store::existing(session.access.open_existing(&session.store)?, &session.store).await
}

/// What a check of every object found.
pub(super) async fn objects_finding(session: &Session) -> Result<Finding, CliError> {
    const CHECK: &str = "objects";
    const MIB: f64 = 1_048_576.0;
    const NAMED: usize = 10;
    let store = session.existing_store().await?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let before = std::time::Instant::now();
    // of a bucket most of the time is spent waiting
    let StoreCheck { objects, bytes, damaged } = store.check(threads * 8).await?;
    let seconds = before.elapsed().as_secs_f64();
    let mib = bytes as f64 / MIB;
    let found = format!("{objects} objects, {mib:.0} MiB, in {seconds:.1} s ({:.0} MiB/s)", mib / seconds);
    if damaged.is_empty() {
        return Ok(ok(CHECK, format!("{found}: all are what they are said to be")));
    }
    let more = damaged.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    let names: Vec<&str> = damaged.iter().take(NAMED).map(String::as_str).collect();
    let advice = "results among them are made again when a run needs them; for the rest, `walkforward audit` says what \
                  rests on them";
    let found = format!("{found}; damaged: {}\n{}{more}", damaged.len(), names.join("\n"));
    Ok(Finding::problem(About::Store, CHECK, found, advice))
}

/// What has to be tried out. Each probe has names of its own and removes what it wrote.
async fn probes(storage: &Storage) -> Vec<Finding> {
    let id = new_id();
    let mut findings = Vec::new();
    let mut add = |check: &'static str, result: Result<Result<Finding, StorageError>, tokio::time::error::Elapsed>| {
        let failed = |found: String, advice: Option<String>| {
            let usual = || "check who may read, write, list and delete there, and whether there is room".to_owned();
            Finding::problem(About::Store, check, found, advice.unwrap_or_else(usual))
        };
        findings.push(match result {
            Ok(Ok(finding)) => finding,
            Ok(Err(error)) => failed(words(&error), error.advice()),
            Err(_) => failed(format!("no answer in {} seconds", PATIENCE.as_secs()), None),
        });
    };
    add("read, write, list", tokio::time::timeout(PATIENCE, objects(storage, &id)).await);
    add("create if absent", tokio::time::timeout(PATIENCE, creates(storage, &id)).await);
    add("locks", tokio::time::timeout(PATIENCE, locks(storage, &id)).await);
    add("clock", tokio::time::timeout(PATIENCE, clock(storage, &id)).await);
    findings
}

async fn objects(storage: &Storage, id: &str) -> Result<Finding, StorageError> {
    const CHECK: &str = "read, write, list";
    // a bucket is not listed whole: it may hold millions of objects
    let (name, below) = match storage.location().contains("://") {
        true => (format!("doctor/{id}"), "doctor"),
        false => (format!("doctor-{id}"), ""),
    };
    let bytes = Bytes::from_static(b"written by walkforward doctor\n");
    let created = storage.create(&name, bytes.clone()).await?;
    let found = async {
        let read = storage.get(&name).await?;
        let listed = storage.list(below).await?;
        Ok::<_, StorageError>((read, listed))
    };
    let found = found.await;
    storage.remove(&name).await?;
    let (read, listed) = found?;
    let gone = storage.get(&name).await?.is_none();
    let lacks = match (created, read == Some(bytes), listed.contains(&name), gone) {
        (Created::New, true, true, true) => return Ok(ok(CHECK, "an object was written, read, listed and removed")),
        (Created::Exists, ..) => "a name that was free counts as taken",
        (_, false, ..) => "what is read is not what was written",
        (_, _, false, _) => "what was written is not in the list",
        (_, _, _, false) => "what was removed is still there",
    };
    Ok(Finding::problem(About::Store, CHECK, lacks, "use another store: this one does not keep what it is given"))
}

async fn creates(storage: &Storage, id: &str) -> Result<Finding, StorageError> {
    const CHECK: &str = "create if absent";
    let report = storage.probe_create_if_absent(id).await?;
    let found = report.to_string();
    if report.is_reliable() {
        return Ok(ok(CHECK, found));
    }
    let advice = "nothing is deployed to this store: a promotion could be lost. Use a service that honours \
                  `If-None-Match: *`, or a local disk";
    Ok(Finding::problem(About::Store, CHECK, found, advice))
}

async fn locks(storage: &Storage, id: &str) -> Result<Finding, StorageError> {
    const CHECK: &str = "locks";
    let name = format!("doctor-{id}");
    let first = storage.try_lock(&name, &format!("{id}-first")).await?;
    let second = storage.try_lock(&name, &format!("{id}-second")).await?;
    let finding = match (&first, &second) {
        (Acquired::Ours(_), Acquired::Busy(_)) => ok(CHECK, "a lock that is held is busy for others"),
        (Acquired::Ours(_), Acquired::Ours(_)) => {
            let advice = "two runs at once may do the same work twice; on a network disk, mount it with locks (NFS 4)";
            Finding::warning(About::Store, CHECK, "two can hold one lock", advice)
        }
        (Acquired::Busy(_), _) => {
            Finding::warning(About::Store, CHECK, "a lock that nobody holds is busy", "try again, or use another store")
        }
    };
    for acquired in [first, second] {
        if let Acquired::Ours(lock) = acquired {
            lock.release().await?;
        }
    }
    for left in storage.list(&format!("leases/{name}")).await? {
        storage.remove(&left).await?;
    }
    Ok(finding)
}

async fn clock(storage: &Storage, id: &str) -> Result<Finding, StorageError> {
    let name = format!("doctor-{id}-clock");
    let before = now();
    let of_store = storage.clock(&name).await;
    let after = now();
    storage.remove(&name).await?;
    let of_store = of_store?;
    // the stamp was made somewhere between the two
    let nearest = of_store.micros().clamp(before.micros(), after.micros());
    Ok(skew((of_store.micros() - nearest) as f64 / 1e6))
}

/// What a clock of the store says that is ahead of ours by so many seconds, or behind.
fn skew(ahead_seconds: f64) -> Finding {
    const CHECK: &str = "clock";
    let by = ahead_seconds.abs();
    if by < SKEW_SECONDS {
        return ok(CHECK, format!("that of the store and that of this machine agree within {SKEW_SECONDS} seconds"));
    }
    let word = if ahead_seconds > 0.0 { "ahead of" } else { "behind" };
    let found = format!("that of the store is {by:.0} seconds {word} that of this machine");
    let advice =
        "set this machine's clock (`timedatectl set-ntp true`): it stamps records and decides when a schedule is due";
    Finding::warning(About::Store, CHECK, found, advice)
}

fn ok(check: &'static str, found: impl Into<String>) -> Finding {
    Finding::ok(About::Store, check, found)
}

/// An error with its root cause.
fn words(error: &dyn Error) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    let (words, cause) = (error.to_string(), root.to_string());
    if words.ends_with(&cause) { words } else { format!("{words}: {cause}") }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_sound_store_passes_every_probe_and_nothing_is_left_in_it() {
        let folder = tempfile::tempdir().unwrap();
        for storage in [Storage::open(folder.path().to_str().unwrap()).unwrap(), Storage::in_memory()] {
            for finding in probes(&storage).await {
                assert_eq!(finding.state, State::Ok, "{finding:?}");
            }
            assert_eq!(storage.list("").await.unwrap(), [""; 0]);
        }
    }

    #[test]
    fn a_skew_is_a_warning_that_says_which_way() {
        assert_eq!(skew(-1.5).state, State::Ok);
        assert!(skew(93.2).found.contains("93 seconds ahead of"));
        assert!(skew(-93.2).found.contains("93 seconds behind"));
    }
}
