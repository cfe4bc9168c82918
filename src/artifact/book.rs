//! Books: append-only chains of records that were written once, as the account of what signals would have done.
//!
//! **Format 1**: `books/<book>/<slot>.json`, slots from 0. An entry holds the SHA-256 of the whole object before it, so that one
//! that was changed, put elsewhere or taken away is noticed. A slot is taken once: of two runs that append at the same moment one
//! gets it, and the other sees what stands there. Garbage collection leaves books alone.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::store::{Commit, Store, StoreError};
use crate::base::{Digest, Timestamp};

/// Format of the entries written by this version.
const FORMAT: u32 = 1;

/// One slot of a book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BookEntry<T> {
    /// Format of this record.
    pub format: u32,
    /// Its number, from 0.
    pub slot: u64,
    /// SHA-256 of the whole object in the slot before; `None` in slot 0.
    pub previous: Option<Digest>,
    /// End of the data window of the run that wrote it.
    pub as_of: Timestamp,
    /// Unique to the run that wrote it: tells a lost answer from a lost race.
    pub txn: String,
    /// What it says.
    pub content: T,
}

/// What can go wrong with a book.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An entry that does not follow from the one before it.
    #[error("the book `{book}` is broken at slot {slot}: {problem}")]
    Broken {
        /// The book.
        book: String,
        /// The slot.
        slot: u64,
        /// What is wrong.
        problem: &'static str,
    },
}

/// A book as it stands, checked.
#[derive(Clone, Debug)]
pub struct Book<T> {
    /// Its entries, by slot.
    pub entries: Vec<BookEntry<T>>,
    last_object: Option<Digest>,
}

/// The books of a store, for code that does not wait asynchronously. Must not be used on a thread that drives the runtime.
#[derive(Clone, Debug)]
pub struct Books {
    store: Store,
    runtime: Handle,
    txn: String,
}

impl Books {
    /// The books of a store, as the run `txn` writes them.
    pub fn new(store: Store, runtime: Handle, txn: impl Into<String>) -> Self {
        Self { store, runtime, txn: txn.into() }
    }

    /// Reads a book and checks slots, seals and chain; one that was never written has no entries.
    ///
    /// # Errors
    /// It is broken, or the store cannot be reached.
    pub fn read<T: DeserializeOwned>(&self, book: &str) -> Result<Book<T>, BookError> {
        self.runtime.block_on(read(&self.store, book))
    }

    /// Appends an entry after those of a book as it was read. Whoever was faster stays: their entry is returned.
    ///
    /// # Errors
    /// The store lets several win a slot, or cannot be reached.
    pub fn append<T: Clone + Serialize + DeserializeOwned>(
        &self,
        name: &str,
        book: &Book<T>,
        as_of: Timestamp,
        content: &T,
    ) -> Result<Commit<BookEntry<T>>, BookError> {
        let slot = book.entries.len() as u64;
        let entry = BookEntry {
            format: FORMAT,
            slot,
            previous: book.last_object,
            as_of,
            txn: self.txn.clone(),
            content: content.clone(),
        };
        let append = async {
            self.store.require_exclusive_creates(&format!("book-{name}/{}", self.txn)).await?;
            self.store.commit_record(&slot_name(name, slot), &entry).await
        };
        Ok(self.runtime.block_on(append)?)
    }
}

/// Reads a book and checks slots, seals and chain.
///
/// # Errors
/// It is broken, or the store cannot be reached.
pub async fn read<T: DeserializeOwned>(store: &Store, name: &str) -> Result<Book<T>, BookError> {
    let mut book = Book { entries: Vec::new(), last_object: None };
    let broken = |slot, problem| BookError::Broken { book: name.to_owned(), slot, problem };
    loop {
        let slot = book.entries.len() as u64;
        let Some((entry, bytes)) = store.read_sealed::<BookEntry<T>>(&slot_name(name, slot)).await? else { break };
        if entry.format != FORMAT {
            return Err(broken(slot, "its format is newer than this program"));
        }
        if entry.slot != slot || entry.previous != book.last_object {
            return Err(broken(slot, "it does not follow from the entry before it"));
        }
        book.entries.push(entry);
        book.last_object = Some(Digest::of(&bytes));
    }
    // entries are never removed: what stands behind a hole was once behind an entry
    let slots = store.storage().list(&format!("books/{name}")).await.map_err(StoreError::from)?.len();
    match slots > book.entries.len() {
        true => Err(broken(book.entries.len() as u64, "the slot is missing")),
        false => Ok(book),
    }
}

/// Names of the books of a store, sorted.
///
/// # Errors
/// The store cannot be reached.
pub async fn book_names(store: &Store) -> Result<Vec<String>, StoreError> {
    Ok(store.storage().folders("books").await?)
}

fn slot_name(book: &str, slot: u64) -> String {
    format!("books/{book}/{slot:020}.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Storage;

    struct Bench {
        runtime: tokio::runtime::Runtime,
        store: Store,
    }

    impl Bench {
        fn new() -> Self {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let store = runtime.block_on(Store::over(Storage::in_memory())).unwrap();
            Self { runtime, store }
        }

        fn books(&self, txn: &str) -> Books {
            Books::new(self.store.clone(), self.runtime.handle().clone(), txn)
        }

        fn append(&self, txn: &str, content: &str) -> Commit<BookEntry<String>> {
            let books = self.books(txn);
            let book = books.read("paper").unwrap();
            books.append("paper", &book, Timestamp::from_micros(0), &content.to_owned()).unwrap()
        }

        fn contents(&self) -> Result<Vec<String>, BookError> {
            let book: Book<String> = self.books("reader").read("paper")?;
            Ok(book.entries.into_iter().map(|entry| entry.content).collect())
        }
    }

    #[test]
    fn entries_stay_as_they_were_written_and_in_order() {
        let bench = Bench::new();
        assert_eq!(bench.contents().unwrap(), Vec::<String>::new());
        assert_eq!(bench.append("1", "a"), Commit::Ours);
        assert_eq!(bench.append("2", "b"), Commit::Ours);
        assert_eq!(bench.contents().unwrap(), ["a", "b"]);
    }

    #[test]
    fn of_many_runs_that_append_at_once_exactly_one_gets_a_slot_and_all_see_the_same() {
        let bench = Bench::new();
        let empty: Book<String> = bench.books("0").read("paper").unwrap();
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..6)
                .map(|racer| {
                    let (books, empty) = (bench.books(&racer.to_string()), &empty);
                    scope.spawn(move || {
                        books.append("paper", empty, Timestamp::from_micros(0), &racer.to_string()).unwrap()
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Commit::Ours).count(), 1);
        let winner = bench.contents().unwrap();
        let theirs = outcomes.iter().filter_map(|outcome| match outcome {
            Commit::Theirs(entry) => Some(entry.content.clone()),
            Commit::Ours => None,
        });
        assert!(theirs.into_iter().all(|content| [content] == winner[..]));
    }

    #[test]
    fn a_changed_a_missing_and_a_copied_entry_are_noticed() {
        let name = |slot| slot_name("paper", slot);
        let cases: [fn(&Bench); 3] = [
            |bench| {
                let (storage, name) = (bench.store.storage(), slot_name("paper", 0));
                let bytes = bench.runtime.block_on(storage.get(&name)).unwrap().unwrap();
                let text = String::from_utf8(bytes.to_vec()).unwrap().replace("alpha", "omega");
                bench.runtime.block_on(storage.restore(&name, text.into())).unwrap();
            },
            |bench| bench.runtime.block_on(bench.store.storage().remove(&slot_name("paper", 0))).unwrap(),
            |bench| {
                let other = Bench::new();
                other.append("9", "other");
                let bytes = other.runtime.block_on(other.store.storage().get(&slot_name("paper", 0))).unwrap();
                bench.runtime.block_on(bench.store.storage().restore(&slot_name("paper", 0), bytes.unwrap())).unwrap();
            },
        ];
        for (at, damage) in cases.into_iter().enumerate() {
            let bench = Bench::new();
            bench.append("1", "alpha");
            bench.append("2", "beta");
            damage(&bench);
            assert!(bench.contents().is_err(), "case {at} of {}", name(0));
        }
    }
}
