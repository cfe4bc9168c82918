//! What the sweep decides, on stores without a disk, and beside runs. What it keeps is tested through the program.

use std::sync::Arc;

use bytes::Bytes;
use object_store::memory::InMemory;

use super::*;
use crate::artifact::{Action, Artifact, ArtifactType, Commit, MadeBy};
use crate::base::{CancelToken, Days, Digest};
use crate::engine::{enter, is_live};

const NOTHING: Retention = Retention { newest: 0, days: Days(0) };

async fn in_memory() -> Store {
    Store::over(Storage::in_memory()).await.unwrap()
}

/// A store that locks as S3 does.
async fn leasing() -> Store {
    Store::over(Storage::leasing(Arc::new(InMemory::new()), Default::default())).await.unwrap()
}

async fn sweep(store: &Store, grace: Duration) -> GcReport {
    let options = GcOptions { by: format!("gc {grace:?}"), retention: NOTHING, grace, dry_run: None };
    collect(store, &options).await.unwrap()
}

/// Makes what a node would: an output and the action that names it.
async fn work(store: &Store, word: &str) -> Action {
    let output = store.put(&Artifact::file(ArtifactType::Report, word.as_bytes().to_vec())).await.unwrap();
    let action = Action {
        format: 1,
        fingerprint: Digest::of(format!("key of {word}").as_bytes()),
        parts: serde_json::Value::Null,
        outputs: [("report".to_owned(), output)].into(),
        logical: BTreeMap::new(),
        values: BTreeMap::new(),
        summary: String::new(),
        made_by: MadeBy { run: "run".to_owned(), node: "node".to_owned() },
        txn: word.to_owned(),
    };
    match store.commit_action(&action).await.unwrap() {
        Commit::Ours => action,
        Commit::Theirs(theirs) => theirs,
    }
}

fn removed(report: &GcReport) -> Vec<(Class, u64)> {
    let found = report.classes.iter().map(|(class, found)| (*class, found.removed.objects));
    found.filter(|(_, count)| *count > 0).collect()
}

#[tokio::test]
async fn an_object_goes_with_the_second_sweep_and_not_with_the_first() {
    for store in [in_memory().await, leasing().await] {
        let action = work(&store, "a").await;
        let first = sweep(&store, Duration::ZERO).await;
        assert_eq!(removed(&first), []);
        assert_eq!(first.classes[&Class::Blobs].waiting, Tally { objects: 1, bytes: 1 });
        assert!(store.find_action(action.fingerprint).await.unwrap().is_some());
        let second = sweep(&store, Duration::ZERO).await;
        assert_eq!(removed(&second), [(Class::Actions, 1), (Class::Blobs, 1)]);
        assert_eq!(store.storage().list("blobs").await.unwrap(), Vec::<String>::new());
        assert_eq!(removed(&sweep(&store, Duration::ZERO).await), []);
        assert_eq!(store.storage().list("gc").await.unwrap(), ["gc/00000000000000000002.json", "gc/clock"]);
    }
}

#[tokio::test]
async fn nothing_goes_before_its_grace_is_over() {
    let store = in_memory().await;
    work(&store, "a").await;
    for _ in 0..3 {
        assert_eq!(removed(&sweep(&store, Duration::from_secs(3600)).await), []);
    }
    // since the first sweep, not since the last
    tokio::time::sleep(Duration::from_millis(60)).await;
    sweep(&store, Duration::from_secs(3600)).await;
    assert_eq!(removed(&sweep(&store, Duration::from_millis(50)).await).len(), 2);
}

#[tokio::test]
async fn what_was_written_again_is_a_candidate_anew() {
    let store = in_memory().await;
    let action = work(&store, "a").await;
    sweep(&store, Duration::ZERO).await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    store.replace_action(&action).await.unwrap();
    assert_eq!(removed(&sweep(&store, Duration::ZERO).await), [(Class::Blobs, 1)]);
    assert_eq!(store.find_action(action.fingerprint).await.unwrap(), None, "a hole is noticed");
    assert_eq!(removed(&sweep(&store, Duration::ZERO).await), [(Class::Actions, 1)]);
}

#[tokio::test]
async fn what_the_program_does_not_know_is_left_alone() {
    let store = in_memory().await;
    let names = ["FORMAT", "blobs/readme", "leases/a/log/1.json", "locks/a.lock", "notes/mine.txt", "runs/x.json"];
    for name in &names[1..] {
        store.storage().create(name, Bytes::from_static(b"x")).await.unwrap();
    }
    for _ in 0..3 {
        sweep(&store, Duration::ZERO).await;
    }
    let mut left = store.storage().list("").await.unwrap();
    left.retain(|name| !name.starts_with("gc/"));
    assert_eq!(left, names);
}

#[tokio::test]
async fn while_a_run_is_under_way_nothing_goes() {
    for store in [in_memory().await, leasing().await] {
        work(&store, "a").await;
        sweep(&store, Duration::ZERO).await;
        let run = enter(store.storage(), "1", &CancelToken::new()).await.unwrap().unwrap();
        let beside = sweep(&store, Duration::ZERO).await;
        assert_eq!(removed(&beside), []);
        assert_eq!(beside.live_runs, ["1".to_owned()].into());
        assert_eq!(beside.classes[&Class::Blobs].held_back.objects, 1);
        assert!(is_live(store.storage(), "1").await.unwrap());
        run.release().await.unwrap();
        assert_eq!(removed(&sweep(&store, Duration::ZERO).await).len(), 2);
    }
}

#[tokio::test]
async fn two_collections_at_once_are_refused() {
    let store = in_memory().await;
    let _other = store.storage().try_lock(GC_LOCK, "the other").await.unwrap();
    let options = GcOptions { by: "me".to_owned(), retention: NOTHING, grace: Duration::ZERO, dry_run: None };
    let refused = collect(&store, &options).await;
    assert!(matches!(refused, Err(GcError::Busy(holder)) if holder.by == "the other"));
}

#[tokio::test]
async fn a_pinned_tree_keeps_its_files_and_a_pinned_fingerprint_its_outputs() {
    let store = in_memory().await;
    let files = ["one", "two"].map(|name| (name.to_owned(), Bytes::from_static(name.as_bytes())));
    let tree = store.put(&Artifact::tree(ArtifactType::Model, files.into())).await.unwrap();
    let action = work(&store, "kept").await;
    work(&store, "not kept").await;
    for target in [tree.sha256, action.fingerprint].map(PinTarget::Digest) {
        add_pin(&store, target, "", Timestamp::from_micros(0)).await.unwrap();
    }
    sweep(&store, Duration::ZERO).await;
    assert_eq!(removed(&sweep(&store, Duration::ZERO).await), [(Class::Actions, 1), (Class::Blobs, 1)]);
    assert!(store.get(&tree).await.is_ok());
    assert_eq!(store.find_action(action.fingerprint).await.unwrap(), Some(action));
}

#[tokio::test]
async fn an_action_stays_while_all_that_it_made_stays() {
    let store = in_memory().await;
    let action = work(&store, "a").await;
    add_pin(&store, PinTarget::Digest(action.outputs["report"].sha256), "", Timestamp::from_micros(0)).await.unwrap();
    sweep(&store, Duration::ZERO).await;
    assert_eq!(removed(&sweep(&store, Duration::ZERO).await), []);
    assert_eq!(store.find_action(action.fingerprint).await.unwrap(), Some(action));
}

#[tokio::test]
async fn a_damaged_pin_stops_the_collection() {
    let store = in_memory().await;
    work(&store, "a").await;
    sweep(&store, Duration::ZERO).await;
    store.storage().create("pins/x.json", Bytes::from_static(b"{}")).await.unwrap();
    let options = GcOptions { by: "me".to_owned(), retention: NOTHING, grace: Duration::ZERO, dry_run: None };
    assert!(matches!(collect(&store, &options).await, Err(GcError::Store(_))));
    assert_eq!(store.storage().list("blobs").await.unwrap().len(), 1);
}

/// Runs that reuse or make one of a few results, without a record of it, while one collection after the other removes all
/// that nothing refers to. Only their lock is between them and a hole.
async fn runs_beside_collections(store: Store) {
    const RUNS: usize = 8;
    let lanes = (0..3).map(|lane| {
        let store = store.clone();
        tokio::spawn(async move {
            for round in 0..RUNS {
                let lock =
                    enter(store.storage(), &format!("{lane}-{round}"), &CancelToken::new()).await.unwrap().unwrap();
                let word = format!("result {}", (lane + round) % 4);
                let made = match store.find_action(Digest::of(format!("key of {word}").as_bytes())).await.unwrap() {
                    Some(found) => found,
                    None => work(&store, &word).await,
                };
                // longer than two collections take: long enough to become a candidate and to go
                for _ in 0..4 {
                    tokio::time::sleep(Duration::from_millis(4)).await;
                    assert!(store.get(&made.outputs["report"]).await.is_ok(), "a run lost what it had found");
                }
                lock.release().await.unwrap();
            }
        })
    });
    let lanes: Vec<_> = lanes.collect();
    let mut gone = 0;
    while lanes.iter().any(|lane| !lane.is_finished()) {
        gone += removed(&sweep(&store, Duration::ZERO).await).len();
        tokio::task::yield_now().await;
    }
    for lane in lanes {
        lane.await.unwrap();
    }
    gone += removed(&sweep(&store, Duration::ZERO).await).len() + removed(&sweep(&store, Duration::ZERO).await).len();
    assert!(gone > 0, "nothing was ever removed: this proves nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_never_loses_what_it_has_found() {
    let place = tempfile::tempdir().unwrap();
    runs_beside_collections(Store::open(place.path().to_str().unwrap()).await.unwrap()).await;
    runs_beside_collections(in_memory().await).await;
    runs_beside_collections(leasing().await).await;
}
