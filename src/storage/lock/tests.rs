//! One suite for every kind of lock, then what is particular to each.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use object_store::memory::InMemory;

use super::*;

const SHORT: LeaseTerms = LeaseTerms { ttl: Duration::from_millis(600), margin: Duration::from_millis(50) };

fn folder(path: &std::path::Path) -> Storage {
    Storage::open(path.to_str().unwrap()).unwrap()
}

fn leasing(terms: LeaseTerms) -> Storage {
    Storage::leasing(Arc::new(InMemory::new()), terms)
}

async fn taken(storage: &Storage, name: &str, by: &str) -> Lock {
    match storage.try_lock(name, by).await.unwrap() {
        Acquired::Ours(lock) => lock,
        Acquired::Busy(holder) => panic!("`{name}` is held by {holder:?}"),
    }
}

async fn busy(storage: &Storage, name: &str) -> Option<Holder> {
    match storage.try_lock(name, "somebody else").await.unwrap() {
        Acquired::Ours(_) => None,
        Acquired::Busy(holder) => Some(holder),
    }
}

async fn contract(storage: Storage) {
    assert_eq!(storage.lock_holder("a").await.unwrap(), None);
    let lock = taken(&storage, "a", "run 1").await;
    assert_eq!(busy(&storage, "a").await.unwrap().by, "run 1");
    assert_eq!(storage.lock_holder("a").await.unwrap().unwrap().by, "run 1");
    let other = taken(&storage, "a/../b", "run 2").await;
    assert!(!lock.lost() && !other.lost());
    let held = async |prefix| storage.held_locks(prefix).await.unwrap().into_keys().collect::<Vec<_>>();
    assert_eq!((held("a").await.len(), held("").await.len(), held("b").await.len()), (2, 2, 0));
    assert_eq!(held("a").await[0], "a");
    lock.release().await.unwrap();
    assert_eq!(storage.lock_holder("a").await.unwrap(), None);
    assert_eq!(held("a").await.len(), 1);
    let again = taken(&storage, "a", "run 3").await;
    assert_eq!(busy(&storage, "a").await.unwrap().by, "run 3");
    drop(again);
    other.release().await.unwrap();
    // a lease is given back in the background
    for _ in 0..200 {
        if storage.lock_holder("a").await.unwrap().is_none() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("a dropped lock stays held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_lock_keeps_the_contract() {
    let place = tempfile::tempdir().unwrap();
    contract(folder(place.path())).await;
    contract(Storage::in_memory()).await;
    contract(leasing(LeaseTerms::default())).await;
}

/// Contenders that take the lock as often as they can count those inside.
async fn exclusion(storages: Vec<Storage>, rounds: usize) {
    let (inside, entered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let contenders = storages.into_iter().enumerate().map(|(who, storage)| {
        let (inside, entered) = (Arc::clone(&inside), Arc::clone(&entered));
        tokio::spawn(async move {
            for _ in 0..rounds {
                match storage.try_lock("one", &format!("contender {who}")).await.unwrap() {
                    Acquired::Ours(lock) => {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two are inside");
                        tokio::task::yield_now().await;
                        entered.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        lock.release().await.unwrap();
                    }
                    Acquired::Busy(_) => assert!(storage.lock_holder("one").await.is_ok()),
                }
            }
        })
    });
    for contender in contenders.collect::<Vec<_>>() {
        contender.await.unwrap();
    }
    assert!(entered.load(Ordering::SeqCst) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_contenders_one_is_inside() {
    let place = tempfile::tempdir().unwrap();
    exclusion((0..6).map(|_| folder(place.path())).collect(), 200).await;
    let memory = Storage::in_memory();
    exclusion(vec![memory; 6], 200).await;
    exclusion(vec![leasing(LeaseTerms::default()); 4], 20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn looking_never_makes_a_free_lock_busy() {
    let place = tempfile::tempdir().unwrap();
    let storage = folder(place.path());
    let file = place.path().join("locks/watched.lock");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let watchers = (0..3).map(|_| {
        let (storage, done) = (storage.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            while !done.load(Ordering::SeqCst) {
                storage.lock_holder("watched").await.unwrap();
            }
        })
    });
    let watchers: Vec<_> = watchers.collect();
    for round in 0..500 {
        // left behind, so that there is something to look at while the lock is free
        std::fs::write(&file, "").unwrap();
        drop(taken(&storage, "watched", &format!("run {round}")).await);
    }
    done.store(true, Ordering::SeqCst);
    for watcher in watchers {
        watcher.await.unwrap();
    }
}

#[tokio::test]
async fn a_lock_file_says_who_and_since_when_and_goes_with_the_lock() {
    let place = tempfile::tempdir().unwrap();
    let storage = folder(place.path());
    let path = place.path().join("locks/weekly.lock");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, r#"{"by":"a run that was killed","pid":1}"#).unwrap();
    assert_eq!(storage.lock_holder("weekly").await.unwrap(), None, "a file without a lock is free");

    let before = storage.clock("clock").await.unwrap();
    let lock = taken(&storage, "weekly", "run 7").await;
    let holder = storage.lock_holder("weekly").await.unwrap().unwrap();
    let after = storage.clock("clock").await.unwrap();
    assert_eq!(holder.by, "run 7");
    assert!((before..=after).contains(&holder.since.unwrap()), "{before} {holder:?} {after}");
    assert!(std::fs::read_to_string(&path).unwrap().contains(&format!("\"pid\":{}", std::process::id())));
    drop(lock);
    assert!(!path.exists());
}

/// The other half of the test below: takes a lock and waits to be killed.
#[test]
#[ignore = "is started by another test, in a process of its own"]
fn holds_a_lock_until_killed() {
    let Ok(place) = std::env::var("LOCKED_STORE") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _lock = runtime.block_on(async { taken(&folder(place.as_ref()), "weekly", "the killed").await });
    std::thread::sleep(Duration::from_secs(60));
}

#[tokio::test]
async fn the_lock_of_a_killed_process_is_free_at_once() {
    let place = tempfile::tempdir().unwrap();
    let storage = folder(place.path());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "storage::lock::tests::holds_a_lock_until_killed"])
        .env("LOCKED_STORE", place.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut holder = None;
    for _ in 0..2000 {
        holder = storage.lock_holder("weekly").await.unwrap();
        if holder.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let held = busy(&storage, "weekly").await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(holder.map(|holder| holder.by).as_deref(), Some("the killed"));
    assert!(held.is_some());
    assert!(place.path().join("locks/weekly.lock").exists(), "nobody was left to remove it");
    let lock = taken(&storage, "weekly", "the next").await;
    assert_eq!(storage.lock_holder("weekly").await.unwrap().unwrap().by, "the next");
    drop(lock);
}

#[tokio::test]
async fn a_lease_is_renewed_while_its_lock_lives() {
    let storage = leasing(SHORT);
    let lock = taken(&storage, "group", "run 1").await;
    assert_eq!(lock.fence(), Some(0));
    tokio::time::sleep(SHORT.ttl * 2 + SHORT.margin).await;
    let holder = busy(&storage, "group").await.unwrap();
    assert_eq!(holder.by, "run 1");
    assert!(!lock.lost());
    lock.release().await.unwrap();
    assert!(taken(&storage, "group", "run 2").await.fence() > Some(0));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn leases_that_are_over_are_removed_where_their_name_is_never_taken_again() {
    let storage = leasing(SHORT);
    let (killed, other) = (runtime(), runtime());
    let lock = killed.block_on(taken(&storage, "run-2", "run 2"));
    // its process ends and gives nothing back
    drop(killed);
    other.block_on(async {
        taken(&storage, "group", "run 1").await.release().await.unwrap();
        taken(&storage, "run-1", "run 1").await.release().await.unwrap();
        let live = taken(&storage, "run-3", "run 3").await;
        let left = async || {
            storage.remove_free_locks("run-").await.unwrap();
            storage.folders("leases").await.unwrap()
        };
        assert_eq!(left().await, ["group", "run-2", "run-3"]);
        tokio::time::sleep(SHORT.ttl + SHORT.margin * 2).await;
        assert_eq!(left().await, ["group", "run-3"]);
        assert_eq!(storage.lock_holder("run-3").await.unwrap().unwrap().by, "run 3");
        live.release().await.unwrap();
        assert_eq!(left().await, ["group"]);
        assert!(taken(&storage, "group", "run 4").await.fence() > Some(0), "a group goes on counting");
    });
    drop(lock);
}

async fn until_lost(lock: &Lock) {
    for _ in 0..1000 {
        if lock.lost() {
            assert!(lock.lost_token().is_cancelled());
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the lock is still not lost");
}

/// A process that stands still is a runtime that nobody drives.
#[test]
fn who_was_paused_for_longer_than_the_lease_learns_that_it_is_lost() {
    let storage = leasing(SHORT);
    let (paused, other) = (runtime(), runtime());
    let lock = paused.block_on(taken(&storage, "group", "the paused"));
    let taken_over = other.block_on(async {
        tokio::time::sleep(SHORT.ttl + SHORT.margin * 2).await;
        taken(&storage, "group", "the next").await
    });
    assert!(!lock.lost(), "it has not run since");
    paused.block_on(until_lost(&lock));
    assert!(taken_over.fence() > lock.fence());
    // who lost it does not free it for the next
    paused.block_on(lock.release()).unwrap();
    assert_eq!(other.block_on(storage.lock_holder("group")).unwrap().unwrap().by, "the next");
    assert!(!taken_over.lost());
}

#[test]
fn a_lease_that_was_taken_over_is_lost_at_the_next_renewal() {
    let storage = leasing(LeaseTerms { ttl: Duration::from_secs(3), ..SHORT });
    let runtime = runtime();
    runtime.block_on(async {
        let lock = taken(&storage, "group", "run 1").await;
        storage.create("leases/group/log/00000000000000000001.json", "{}".into()).await.unwrap();
        tokio::time::timeout(Duration::from_secs(2), until_lost(&lock)).await.expect("long before its end");
        let holder = storage.lock_holder("group").await.unwrap().unwrap();
        assert_eq!(holder, Holder { by: "unknown".to_owned(), since: None }, "what cannot be read is somebody's");
    });
}

#[test]
fn who_cannot_reach_the_store_counts_the_lease_as_lost_before_others_may_take_it() {
    let world = Arc::new(crate::storage::simulated::World::default());
    let storage = Storage::leasing(Arc::new(world.seat(0)), SHORT);
    let runtime = runtime();
    let lock = runtime.block_on(async {
        let (world, done) = (Arc::clone(&world), Arc::new(AtomicBool::new(false)));
        let over = Arc::clone(&done);
        let turns = tokio::spawn(async move {
            while !over.load(Ordering::SeqCst) {
                world.let_through(0, crate::storage::simulated::Fault::None);
                tokio::task::yield_now().await;
            }
        });
        let mut locking = std::pin::pin!(storage.try_lock("group", "run 1"));
        // requests of the simulated store wake nobody: the future is polled again and again
        let lock = loop {
            tokio::select! {
                biased;
                answer = &mut locking => break answer.unwrap(),
                () = tokio::task::yield_now() => {}
            }
        };
        done.store(true, Ordering::SeqCst);
        turns.await.unwrap();
        lock
    });
    let Acquired::Ours(lock) = lock else { panic!("{lock:?}") };
    // from now on no request has a turn
    runtime.block_on(async {
        tokio::time::sleep(SHORT.ttl / 2).await;
        assert!(!lock.lost());
        until_lost(&lock).await;
    });
}

#[test]
fn names_stay_apart_and_inside_their_folder() {
    let long = "x".repeat(300);
    let names = ["weekly", "Weekly us5", "weekly/us5", "weekly-us5", "..", ".hidden", "", "é", &long, "a@b"];
    let safe: std::collections::BTreeSet<String> = names.iter().map(|name| safe_name(name)).collect();
    assert_eq!(safe.len(), names.len(), "{safe:?}");
    for name in &safe {
        assert!(name.len() <= 100 && !name.starts_with('.') && !name.contains('/'), "{name}");
    }
    assert!(safe.contains("weekly") && safe.iter().any(|name| name.starts_with("Weekly-us5@")), "{safe:?}");
}
