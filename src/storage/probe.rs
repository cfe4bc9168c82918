//! Whether a store keeps the one promise that everything rests on: of many creates of one name exactly one wins.
//!
//! Some services that speak S3 ignore the condition and let every create win; some file systems behind a network do so
//! now and then. A deployment on such a store could be lost without anybody noticing.

use bytes::Bytes;
use tokio::task::JoinSet;

use super::lock::safe_name;
use super::{Created, Storage, StorageError};

/// How many creates race.
const RACERS: usize = 16;

/// What came of a race of creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// How many tried to create the object.
    pub racers: usize,
    /// How many were told that it is theirs: one, or none where the answer to the one was lost.
    pub winners: usize,
    /// Whether the object holds what the winner wrote, also after one more create.
    pub kept: bool,
}

impl ProbeReport {
    /// Whether create-if-absent can be relied on, as far as one race can show.
    pub const fn is_reliable(&self) -> bool {
        self.winners <= 1 && self.kept
    }
}

impl Storage {
    /// Lets many creates of one name race, and removes what they left. `by` names who asks and must be its own.
    ///
    /// One race that goes well proves little about a store that fails now and then; one that does not proves enough.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn probe_create_if_absent(&self, by: &str) -> Result<ProbeReport, StorageError> {
        let name = format!("probe-{}", safe_name(by));
        let report = self.race(&name).await;
        // also after an error: some of the creates may have been carried out
        let removed = self.remove(&name).await;
        let report = report?;
        removed.map(|()| report)
    }

    async fn race(&self, name: &str) -> Result<ProbeReport, StorageError> {
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let (storage, name) = (self.clone(), name.to_owned());
            racers.spawn(async move { (racer, storage.create(&name, body_of(racer)).await) });
        }
        let mut winners = Vec::new();
        // a racer that panicked is one that did not win
        while let Some(ended) = racers.join_next().await {
            if let Ok((racer, created)) = ended
                && created? == Created::New
            {
                winners.push(racer);
            }
        }
        let late = self.create(name, body_of(RACERS)).await?;
        let found = self.get(name).await?;
        let holds = |racer: usize| found.as_ref() == Some(&body_of(racer));
        let ours = match winners.as_slice() {
            [] => (0..RACERS).any(holds),
            several => several.iter().copied().any(holds),
        };
        let kept = late == Created::Exists && ours;
        Ok(ProbeReport { racers: RACERS, winners: winners.len(), kept })
    }
}

fn body_of(racer: usize) -> Bytes {
    Bytes::from(format!("racer {racer}\n"))
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::pin::Pin;
    use std::sync::Arc;

    use futures_util::stream::BoxStream;
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{
        CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    };

    use super::*;
    use crate::storage::lock::LeaseTerms;

    type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

    /// A store that overwrites what it was asked to create.
    #[derive(Debug)]
    struct Careless(InMemory);

    impl fmt::Display for Careless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("careless store")
        }
    }

    impl ObjectStore for Careless {
        fn put_opts<'a, 'b, 'c>(
            &'a self,
            location: &'b Path,
            payload: PutPayload,
            options: PutOptions,
        ) -> Answer<'c, PutResult>
        where
            'a: 'c,
            'b: 'c,
        {
            self.0.put_opts(location, payload, PutOptions { mode: PutMode::Overwrite, ..options })
        }

        fn put_multipart_opts<'a, 'b, 'c>(
            &'a self,
            location: &'b Path,
            options: PutMultipartOptions,
        ) -> Answer<'c, Box<dyn MultipartUpload>>
        where
            'a: 'c,
            'b: 'c,
        {
            self.0.put_multipart_opts(location, options)
        }

        fn get_opts<'a, 'b, 'c>(&'a self, location: &'b Path, options: GetOptions) -> Answer<'c, GetResult>
        where
            'a: 'c,
            'b: 'c,
        {
            self.0.get_opts(location, options)
        }

        fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
            self.0.delete_stream(locations)
        }

        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.0.list(prefix)
        }

        fn list_with_delimiter<'a, 'b, 'c>(&'a self, prefix: Option<&'b Path>) -> Answer<'c, ListResult>
        where
            'a: 'c,
            'b: 'c,
        {
            self.0.list_with_delimiter(prefix)
        }

        fn copy_opts<'a, 'b, 'd, 'c>(&'a self, from: &'b Path, to: &'d Path, options: CopyOptions) -> Answer<'c, ()>
        where
            'a: 'c,
            'b: 'c,
            'd: 'c,
        {
            self.0.copy_opts(from, to, options)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_folder_and_memory_keep_the_promise_and_nothing_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        for storage in [Storage::open(folder.path().to_str().unwrap()).unwrap(), Storage::in_memory()] {
            let report = storage.probe_create_if_absent("me").await.unwrap();
            assert_eq!(report, ProbeReport { racers: 16, winners: 1, kept: true });
            assert!(report.is_reliable());
            assert_eq!(storage.list("").await.unwrap(), [""; 0]);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_store_that_lets_every_create_win_is_found_out() {
        let storage = Storage::leasing(Arc::new(Careless(InMemory::new())), LeaseTerms::default());
        let report = storage.probe_create_if_absent("me").await.unwrap();
        assert_eq!(report, ProbeReport { racers: 16, winners: 16, kept: false });
        assert!(!report.is_reliable());
        assert_eq!(storage.list("").await.unwrap(), [""; 0]);
    }
}
