//! walkforward runs the whole life of a trading model from one YAML file.
//!
//! The library holds all logic in layers, an arrow may only point down: `cli` -> `engine` -> `plan` -> `pipeline` ->
//! `node` -> the domain rooms -> `expression` -> `artifact`, `market` -> `attest`, `storage`, `table`, `indicator`, `metric`,
//! `stats` -> `base`.
//! `docs/ARCHITECTURE.md` says what is where and why; a test keeps the arrows.

pub mod artifact;
pub mod attest;
pub mod backtest;
pub mod base;
pub mod cli;
pub mod drift;
pub mod engine;
pub mod expression;
pub mod feature;
pub mod indicator;
pub mod label;
pub mod market;
pub mod metric;
pub mod model;
pub mod monitor;
pub mod node;
pub mod pipeline;
pub mod plan;
pub mod registry;
pub mod score;
pub mod split;
pub mod stats;
pub mod storage;
pub mod strategy;
pub mod synth;
pub mod table;
pub mod tune;
