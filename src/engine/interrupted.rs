//! What runs that were interrupted left undone, done by the next one: their lineage. A run that is killed writes none, and a
//! catalogue of data would wait for its end for ever.

use super::exclusive::is_live;
use super::journal::{StartRecord, folder_of, lineage_name, newest_run_folders, read_end, read_folder, read_start};
use super::lineage::of_interrupted;
use crate::artifact::{Store, StoreError};

/// How many runs back an interrupted one is looked for.
const LOOK_BACK: usize = 20;

/// Writes the lineage of the runs before this one that were interrupted, back to the last that ended.
pub(super) async fn write_lineage(store: &Store, own: &StartRecord) -> Result<(), StoreError> {
    let own = folder_of(&own.at, &own.run);
    let folders = newest_run_folders(store, LOOK_BACK).await?.into_iter().take(LOOK_BACK);
    for folder in folders.filter(|folder| *folder < own) {
        // one that never began has no lineage, and a damaged record says nothing to anybody
        let Some(start) = read_start(store, &folder).await? else { continue };
        match read_end(store, &folder).await {
            Err(StoreError::Record { .. }) => continue,
            // a run that is a node ends before the one that it is a node of
            Ok(Some(_)) if start.parent.is_some() => continue,
            Ok(Some(_)) => break,
            none => drop(none?),
        }
        if !is_live(store.storage(), &start.run).await? {
            write_one(store, &folder).await?;
        }
    }
    Ok(())
}

async fn write_one(store: &Store, folder: &str) -> Result<(), StoreError> {
    let view = match read_folder(store, folder).await {
        Err(StoreError::Record { .. }) | Ok(None) => return Ok(()),
        view => view?,
    };
    let (name, storage) = (lineage_name(folder), store.storage());
    let Some(lineage) = view.as_ref().map(of_interrupted) else { return Ok(()) };
    // it may be there in half, or from before a run that was stopped for long came to its next record
    if storage.get(&name).await?.is_none_or(|found| found != lineage) {
        storage.restore(&name, lineage.into()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::CancelToken;
    use crate::engine::event::RunStatus;
    use crate::engine::exclusive::enter;
    use crate::engine::journal::Journal;
    use crate::storage::Storage;

    fn start(run: &str, parent: Option<&str>) -> StartRecord {
        StartRecord {
            format: 1,
            run: run.to_owned(),
            pipeline: "weekly".to_owned(),
            params: BTreeMap::new(),
            as_of: "2026-01-04".parse().unwrap(),
            sources: BTreeMap::new(),
            files: BTreeMap::new(),
            definition: None,
            parent: parent.map(str::to_owned),
            program: "0.1.0".to_owned(),
            processor: "x86_64".to_owned(),
            at: "2026-01-05".parse().unwrap(),
        }
    }

    async fn lineage(store: &Store, run: &str) -> Option<String> {
        let name = lineage_name(&folder_of(&start(run, None).at, run));
        let found = store.storage().get(&name).await.unwrap();
        found.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_run_that_was_interrupted_gets_its_lineage_from_the_next_and_one_under_way_does_not() {
        let store = Store::over(Storage::in_memory()).await.unwrap();
        // before the last that ended, nothing is looked at any more
        drop(Journal::start(&store, &start("0-old", None)).await.unwrap());
        let ended = Journal::start(&store, &start("1-ended", None)).await.unwrap();
        ended.end(RunStatus::Succeeded, String::new(), "2026-01-05".parse().unwrap()).await.unwrap();
        drop(Journal::start(&store, &start("2-killed", None)).await.unwrap());
        drop(Journal::start(&store, &start("3-live", None)).await.unwrap());
        let _live = enter(store.storage(), "3-live", &CancelToken::new()).await.unwrap();
        let child = Journal::start(&store, &start("4-child", Some("2-killed/week"))).await.unwrap();
        child.end(RunStatus::Succeeded, String::new(), "2026-01-05".parse().unwrap()).await.unwrap();

        write_lineage(&store, &start("5-own", None)).await.unwrap();
        let of_killed = lineage(&store, "2-killed").await.unwrap();
        assert!(of_killed.contains("\"ABORT\"") && of_killed.contains("interrupted"), "{of_killed}");
        for none in ["0-old", "3-live", "5-own"] {
            assert_eq!(lineage(&store, none).await, None, "{none}");
        }
        // half of one is no lineage
        let name = lineage_name(&folder_of(&start("2-killed", None).at, "2-killed"));
        store.storage().restore(&name, "{".into()).await.unwrap();
        write_lineage(&store, &start("5-own", None)).await.unwrap();
        assert_eq!(lineage(&store, "2-killed").await.unwrap(), of_killed);
    }
}
