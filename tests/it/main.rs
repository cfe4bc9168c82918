//! Behaviour through the binary and rules over the whole source tree.
//!
//! | file | what it holds |
//! |---|---|
//! | `bench` | a folder of its own for each test, the program in an empty environment, redaction |
//! | `architecture` | layers, file length, and who may print, read the clock or the environment |
//! | `diagnostics` | what a person reads when a pipeline is wrong, as snapshots |
//! | `behaviour` | reuse, resume, damage, deployment and exit codes, end to end |
//! | `commands` | graph, diff, logs, schedule, init, doctor and where the store is |
//! | `outside` | what a run tells a monitor, Prometheus and CI systems |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod architecture;
mod behaviour;
mod bench;
mod commands;
mod diagnostics;
mod outside;
// the unit tests of what is sent have the same server
#[path = "../../src/cli/outside/server.rs"]
mod server;
