//! Whether a store keeps the one promise that everything rests on: of many creates of one name exactly one wins.
//!
//! Some services that speak S3 ignore the condition and let every create win; some file systems behind a network do so
//! now and then. A deployment on such a store could be lost without anybody noticing.

use std::fmt;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::{Created, Storage, StorageError};
use crate::base::Digest;

/// How many creates race.
const RACERS: usize = 16;
/// How often they do in a bucket: a service that is careless now and then may well pass once.
const RACES: usize = 3;

/// What came of races of creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeReport {
    /// How many tried to create the object.
    pub racers: usize,
    /// How many were told that it is theirs, in the race where that were most: one, or none where the answer to the one was
    /// lost.
    pub winners: usize,
    /// Whether the object held what the winner wrote, also after one more create.
    pub kept: bool,
}

impl ProbeReport {
    /// Whether create-if-absent can be relied on, as far as races can show.
    pub const fn is_reliable(&self) -> bool {
        self.winners <= 1 && self.kept
    }
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { racers, winners, kept } = self;
        write!(f, "of {racers} who created one name at once, {winners} won")?;
        if *kept { Ok(()) } else { f.write_str(", and what the winner wrote was not kept") }
    }
}

impl Storage {
    /// What the probe says about this store. It is tried out once for as long as the store is open.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn probed(&self, by: &str) -> Result<ProbeReport, StorageError> {
        self.probed.get_or_try_init(|| self.probe_create_if_absent(by)).await.copied()
    }

    /// Lets many creates of one name race, in a bucket several times, and removes what they left. `by` names who asks and must be its
    /// own.
    ///
    /// Races that go well prove little about a store that fails seldom; one that does not proves enough. They are run by
    /// one process: a network disk that fails between two machines is not found out.
    ///
    /// # Errors
    /// The store cannot be reached or refuses.
    pub async fn probe_create_if_absent(&self, by: &str) -> Result<ProbeReport, StorageError> {
        let mut worst = ProbeReport { racers: RACERS, winners: 0, kept: true };
        let races = if self.folder.is_some() { 1 } else { RACES };
        for race in 0..races {
            // what a killed probe leaves is removed like any other work in progress
            let name = format!("scratch/{}.json", Digest::of(format!("probe {race} by {by}").as_bytes()));
            let report = self.race(&name).await;
            // also after an error: some of the creates may have been carried out
            let removed = self.remove(&name).await;
            let report = report?;
            removed?;
            worst = ProbeReport { winners: worst.winners.max(report.winners), kept: report.kept, ..worst };
            if !worst.is_reliable() {
                break;
            }
        }
        Ok(worst)
    }

    async fn race(&self, name: &str) -> Result<ProbeReport, StorageError> {
        let mut racers: FuturesUnordered<_> =
            (0..RACERS).map(|racer| async move { (racer, self.create(name, body_of(racer)).await) }).collect();
        let (mut winners, mut failure) = (Vec::new(), None);
        while let Some((racer, created)) = racers.next().await {
            match created {
                Ok(Created::New) => winners.push(racer),
                Ok(Created::Exists) => {}
                // it may have been carried out: what is there tells
                Err(error) => failure = Some(error),
            }
        }
        let Some(found) = self.get(name).await? else {
            // nobody wrote anything: the store was not tried out
            return match failure {
                Some(error) => Err(error),
                None => Ok(ProbeReport { racers: RACERS, winners: winners.len(), kept: false }),
            };
        };
        let late = self.create(name, body_of(RACERS)).await?;
        let holds = |racer: usize| found == body_of(racer);
        let ours = match winners.as_slice() {
            [] => (0..RACERS).any(holds),
            several => several.iter().copied().any(holds),
        };
        let kept = late == Created::Exists && ours && self.get(name).await? == Some(found.clone());
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
