//! Faults on purpose, counted: what `make faults` prints as one table, and a quick part of it as tests.
//!
//! | file | faults |
//! |---|---|
//! | `kills` | the program is killed at each of its writes, with and without torn objects, on disk and in a bucket |
//! | `machine` | full disks, read-only folders, missing permissions, a store that vanishes, a clock that jumps |
//! | `damage` | each class of objects flipped, cut, emptied, exchanged and deleted |
//! | `races` | several processes at once |
//! | `collections` | garbage collections that are killed |
//!
//! After a fault the program is called again as if nothing had happened. A fault is *survived* when that call ends well with
//! the digests of an undisturbed run, one promotion stands in the registry, the audit verifies it, and a collection leaves
//! nothing behind.

mod collections;
mod damage;
mod kills;
mod machine;
mod project;
mod races;
mod table;

use table::{Row, assert_clean};

/// Faults that end the process, and what is left of the write.
const KILLS: &[(&str, &str)] = &[
    ("kill", "kill -9"),
    ("torn", "kill -9, the object half written"),
    ("cut", "power cut, all that was not flushed half gone"),
];

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// A seeded sample, for every test run.
    Quick,
    /// Everything.
    Full,
}

impl Scale {
    /// The cases to try: all, or so many of them, drawn with a seed that tells one sample from another.
    fn cases<T>(self, all: Vec<T>, quick: usize, seed: u64) -> Vec<T> {
        if self == Self::Full || all.len() <= quick {
            return all;
        }
        let mut stream = walkforward::base::Seed::new(seed).stream();
        // one of each stretch, so that no part of a run is left out
        let stretch = all.len() as f64 / quick as f64;
        let drawn = (0..quick).map(|at| ((at as f64 + stream.uniform()) * stretch) as usize);
        let drawn: std::collections::BTreeSet<usize> = drawn.collect();
        all.into_iter().enumerate().filter(|(at, _)| drawn.contains(at)).map(|(_, case)| case).collect()
    }
}

/// Every part of the table.
const PARTS: &[fn(Scale) -> Vec<Row>] = &[kills::rows, machine::rows, damage::rows, races::rows, collections::rows];

/// Prints the whole table; `make faults` calls it.
#[test]
#[ignore = "takes minutes: `make faults`"]
fn the_whole_table() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/faults.txt");
    let mut rows = Vec::new();
    for part in PARTS {
        rows.extend(part(Scale::Full));
        // the whole takes minutes: whoever waits may look
        std::fs::write(&path, table::render(&rows)).unwrap();
    }
    assert_clean(&rows);
}
