//! Sources and results that are too large to be held in memory are the same artifacts as small ones.

use super::{FILE, project};
use crate::bench::Bench;
use walkforward::artifact::LARGE;
use walkforward::base::Digest;

/// Bytes that no compression makes small, more than are held in memory.
fn large() -> Vec<u8> {
    let numbers = 0..LARGE / 8 + 1000;
    numbers.flat_map(|number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes()).collect()
}

/// A large source goes through one program, as one file and in a folder, and comes back to another.
const PIPELINE: &str = "
sources: {data: {path: data.bin, schema: file@1}}
nodes:
  copy:
    kind: command
    inputs: {data: sources.data}
    with:
      argv: [/bin/sh, -c, 'mkdir both && cp inputs/data one && cp inputs/data both/large && echo small > both/small']
      outputs: {one: {path: one}, both: {path: both}}
    publish: {one: published/one, both: published/both}
  back:
    kind: command
    inputs: {one: copy.one, both: copy.both}
    with:
      argv: [/bin/sh, -c, 'cmp inputs/one inputs/both/large && cp inputs/both/small out']
      outputs: {out: {path: out}}
";

fn bench() -> (Bench, Vec<u8>) {
    let (bench, bytes) = (project(PIPELINE), large());
    bench.write("data.bin", &bytes);
    (bench, bytes)
}

#[test]
fn a_large_file_keeps_its_digest_from_source_to_result_to_copy() {
    let (bench, bytes) = bench();
    let report = bench.run(FILE, &[]);
    let digest = Digest::of(&bytes).to_string();
    assert_eq!(report.digest("copy", "one"), digest);
    assert!(std::fs::read(bench.blob(&digest)).unwrap() == bytes);
    for copy in ["published/one", "published/both/large"] {
        assert!(std::fs::read(bench.path(copy)).unwrap() == bytes, "{copy}");
    }
    assert_eq!(bench.read("published/both/small"), "small\n");
    let out = std::fs::read(bench.blob(report.digest("back", "out"))).unwrap();
    assert_eq!(out, b"small\n");
    assert!(bench.run(FILE, &[]).all("reused"));
    let audit = bench.json(&["audit", "latest", "--level", "rebuild"]);
    assert_eq!(audit["verdict"], "verified", "{audit}");
}

#[test]
fn a_large_result_that_rotted_is_made_again_and_a_large_source_that_changed_is_another() {
    let (bench, mut bytes) = bench();
    let report = bench.run(FILE, &[]);
    let digest = Digest::of(&bytes).to_string();
    let blob = bench.blob(&digest);
    let mut rotten = bytes.clone();
    rotten[12_345_678] ^= 1;
    std::fs::write(&blob, rotten).unwrap();
    let again = bench.run(FILE, &[]);
    assert_eq!(again.digests(), report.digests());
    assert!(std::fs::read(&blob).unwrap() == bytes, "it was not mended");

    bytes[1] ^= 1;
    bench.write("data.bin", &bytes);
    assert_eq!(bench.run(FILE, &[]).digest("copy", "one"), Digest::of(&bytes).to_string());
}
