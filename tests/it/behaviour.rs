//! Reuse, resume, damage, deployment and exit codes, end to end.

mod command_line;
mod damage;
mod deploying;
mod kinds;
mod outcomes;
mod resuming;
mod reuse;
mod training;

const SYNTHETIC: &str = "pipelines/synthetic.yaml";
const WEEKLY: &str = "pipelines/weekly.yaml";
