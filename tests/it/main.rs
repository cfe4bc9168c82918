//! Behaviour through the binary and rules over the whole source tree.
//!
//! | file | what it holds |
//! |---|---|
//! | `bench` | a folder of its own for each test, the program in an empty environment, redaction |
//! | `architecture` | layers, file length, and who may print, read the clock or the environment |
//! | `diagnostics` | what a person reads when a pipeline is wrong, as snapshots |
//! | `audit` | what an audit verifies, and what it finds |
//! | `behaviour` | reuse, resume, damage, deployment and exit codes, end to end |
//! | `faults` | kills at every write, full disks, flipped bytes, races: what `make faults` counts |
//! | `gc` | what garbage collection keeps and removes, and that it harms no run |
//! | `s3` | the same over a bucket, against a real S3-protocol server |
//! | `orchestration` | every word of the language of pipelines, and runs that meet faults, end to end |
//! | `commands` | graph, diff, logs, schedule, init, doctor and where the store is |
//! | `outside` | what a run tells a monitor, Prometheus and CI systems |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod architecture;
mod audit;
mod behaviour;
mod bench;
mod commands;
mod diagnostics;
mod faults;
mod gc;
mod orchestration;
mod outside;
mod s3;
// the unit tests of what is sent have the same server
#[path = "../../src/cli/outside/server.rs"]
mod server;
