//! Faults at every point of a few writes, with a process that cannot end: its store is dead from then on.

use std::sync::{Arc, Mutex};

use super::*;
use crate::storage::{Created, Storage};

/// Keeps what was passed.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Stage for Notes {
    fn end(&self) {
        self.0.lock().unwrap().push("end".to_owned());
    }

    fn passed(&self, point: Point<'_>) {
        let when = if point.before { "before" } else { "after" };
        self.0.lock().unwrap().push(format!("{} {when} {} {}", point.number, point.deed, point.name));
    }
}

struct Bench {
    folder: tempfile::TempDir,
    storage: Storage,
    notes: Notes,
}

impl Bench {
    fn new(plan: Option<&str>) -> Self {
        let (folder, notes) = (tempfile::tempdir().unwrap(), Notes::default());
        let plan = plan.map(|text| text.parse().unwrap());
        let storage = Storage::open(folder.path().to_str().unwrap()).unwrap();
        let storage = storage.with_faults(Faults::new(plan, Box::new(notes.clone())));
        Self { folder, storage, notes }
    }

    async fn create(&self, name: &str, text: &'static str) -> Result<Created, String> {
        self.storage.create(name, text.into()).await.map_err(|error| error.to_string())
    }

    fn on_disk(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join(name)).ok()
    }
}

#[tokio::test]
async fn every_write_passes_a_point_before_and_one_after() {
    let bench = Bench::new(None);
    bench.create("a", "one").await.unwrap();
    bench.create("registry/b", "two").await.unwrap();
    bench.storage.flush(&["a".to_owned()]).await.unwrap();
    bench.storage.remove("a").await.unwrap();
    drop(bench.storage.try_lock("l", "me").await.unwrap());
    let notes = bench.notes.0.lock().unwrap().clone();
    let lock = bench.folder.path().join("locks/l.lock").display().to_string();
    let deeds = ["put a", "put registry/b", "flush a", "delete a", "lock l", &format!("unlock {lock}")];
    let expected = deeds
        .iter()
        .zip(0..)
        .flat_map(|(deed, at)| [format!("{} before {deed}", 2 * at + 1), format!("{} after {deed}", 2 * at + 2)]);
    assert_eq!(notes, expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_kill_before_a_write_leaves_nothing_and_one_after_it_leaves_it() {
    for (plan, left) in [("kill:1", None), ("kill:2", Some("whole"))] {
        let bench = Bench::new(Some(plan));
        assert!(bench.create("a", "whole").await.is_err());
        assert_eq!(bench.on_disk("a").as_deref(), left);
        assert!(bench.create("b", "later").await.is_err() && bench.storage.list("").await.is_err());
        assert_eq!(bench.notes.0.lock().unwrap().last().unwrap(), "end");
    }
}

#[tokio::test]
async fn a_torn_write_leaves_half_but_neither_of_what_is_flushed_nor_over_what_is_there() {
    let bench = Bench::new(Some("torn:1"));
    assert!(bench.create("a", "whole").await.is_err());
    assert_eq!(bench.on_disk("a").as_deref(), Some("wh"));
    let bench = Bench::new(Some("torn:1"));
    assert!(bench.create("registry/a", "whole").await.is_err());
    assert_eq!(bench.on_disk("registry/a"), None);
    let bench = Bench::new(Some("torn:3"));
    bench.create("a", "whole").await.unwrap();
    assert!(bench.create("a", "other").await.is_err());
    assert_eq!(bench.on_disk("a").as_deref(), Some("whole"));
}

#[tokio::test]
async fn a_power_cut_halves_what_was_never_flushed() {
    let bench = Bench::new(Some("cut:9"));
    for name in ["a", "b", "registry/c"] {
        bench.create(name, "whole").await.unwrap();
    }
    bench.storage.flush(&["b".to_owned()]).await.unwrap();
    assert!(bench.create("d", "whole").await.is_err());
    let left = ["a", "b", "registry/c", "d"].map(|name| bench.on_disk(name));
    assert_eq!(left, [Some("wh".to_owned()), Some("whole".to_owned()), Some("whole".to_owned()), None]);
}

#[tokio::test]
async fn a_refusal_lasts_and_says_why_and_a_lost_answer_does_not_last() {
    for (plan, kind) in [
        ("full:1", ErrorKind::StorageFull),
        ("read-only:1", ErrorKind::ReadOnlyFilesystem),
        ("denied:1", ErrorKind::PermissionDenied),
    ] {
        let bench = Bench::new(Some(plan));
        for _ in 0..2 {
            let refused = bench.storage.create("a", "x".into()).await.unwrap_err();
            let mut cause: &dyn std::error::Error = &refused;
            while let Some(next) = cause.source() {
                cause = next;
            }
            assert_eq!(cause.downcast_ref::<IoError>().unwrap().kind(), kind);
        }
        assert_eq!(bench.on_disk("a"), None);
    }
    let bench = Bench::new(Some("lost:2"));
    assert!(bench.create("a", "whole").await.is_err());
    assert_eq!(bench.create("a", "whole").await, Ok(Created::Exists));
}

#[tokio::test]
async fn a_full_disk_still_lets_go() {
    let bench = Bench::new(Some("full:3"));
    bench.create("a", "x").await.unwrap();
    bench.storage.remove("a").await.unwrap();
    assert_eq!(bench.on_disk("a"), None);
}

#[tokio::test]
async fn the_folder_can_go() {
    let bench = Bench::new(Some("gone:3"));
    bench.create("a", "x").await.unwrap();
    bench.create("b", "x").await.unwrap();
    assert_eq!((bench.on_disk("a"), bench.on_disk("b").as_deref()), (None, Some("x")));
}

#[test]
fn a_plan_is_read_and_what_is_none_is_refused() {
    assert_eq!("kill:17".parse(), Ok(FaultPlan { fault: Fault::Kill, at: 17 }));
    for (word, fault) in FAULTS {
        assert_eq!(format!("{word}:1").parse(), Ok(FaultPlan { fault: *fault, at: 1 }));
    }
    for wrong in ["", "kill", "kill:", "kill:0", "kill:-1", "burn:1"] {
        assert!(wrong.parse::<FaultPlan>().unwrap_err().contains("expected FAULT:POINT"), "{wrong}");
    }
}
