//! Runs made by hand, with every outcome and every character that some format gives a meaning to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::artifact::Scalar;
use crate::base::Timestamp;
use crate::engine::{NodeRecord, Outcome, RunReport, RunStatus};

/// A port that nobody listens on.
pub(super) fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A node that took a second and a half.
pub(super) fn node(kind: &str, name: &str, outcome: Outcome) -> NodeRecord {
    NodeRecord {
        node: name.to_owned(),
        kind: kind.to_owned(),
        outcome,
        reason: String::new(),
        summary: String::new(),
        fingerprint: None,
        parts: Value::Null,
        outputs: BTreeMap::new(),
        logical: BTreeMap::new(),
        values: BTreeMap::new(),
        made_by: None,
        nondeterministic: BTreeMap::new(),
        differences: Vec::new(),
        repeated_on: None,
        attempts: Vec::new(),
        started: at("2026-11-22T06:00:01Z"),
        ended: at("2026-11-22T06:00:02.5Z"),
    }
}

/// A run of one node that succeeded.
pub(super) fn plain_run() -> RunReport {
    let mut accumulate = node("accumulate", "accumulate", Outcome::Succeeded);
    accumulate.summary = "1176 signals of 5 symbols".to_owned();
    accumulate.values = BTreeMap::from([("rows".to_owned(), Scalar::Int(1176))]);
    RunReport {
        run: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
        pipeline: "weekly".to_owned(),
        as_of: at("2026-11-22"),
        params: BTreeMap::new(),
        status: RunStatus::Succeeded,
        reason: String::new(),
        started: at("2026-11-22T06:00:00Z"),
        ended: at("2026-11-22T06:01:00.25Z"),
        nodes: vec![accumulate],
        published: Vec::new(),
    }
}

/// A run in which something went wrong in every way.
pub(super) fn failed_run() -> RunReport {
    let mut reused = node("accumulate", "accumulate", Outcome::Reused);
    reused.summary = "1176 signals, 43 % won, mean +0.39 R".to_owned();
    reused.values = BTreeMap::from([
        ("rows".to_owned(), Scalar::Int(1176)),
        ("mean_r".to_owned(), Scalar::Float(0.393_125)),
        ("enough".to_owned(), Scalar::Bool(true)),
        ("hit_rate".to_owned(), Scalar::Null),
    ]);
    let mut drift = node("drift-check", "drift", Outcome::Succeeded);
    drift.summary = "features drift (3 of 45) | p < 0.05 & *large*".to_owned();
    drift.values = BTreeMap::from([
        ("decision".to_owned(), Scalar::text("drift")),
        ("note".to_owned(), Scalar::text("two\nlines, EOF")),
        ("stale".to_owned(), Scalar::Bool(false)),
    ]);
    let mut train = node("train", "train[model=\"logistic\",seed=1]", Outcome::Succeeded);
    train.summary = "out of fold AUC 0.451 [0.370, 0.541]".to_owned();
    train.values = BTreeMap::from([("auc".to_owned(), Scalar::Float(0.451))]);
    let mut extract = node("command", "extract", Outcome::Failed);
    extract.reason =
        "`./extract.sh` ended with exit code 3\n\u{1b}[31mfatal:\u{1b}[0m no <bars> & no \"volume\"\t\u{0}at \
                      C:\\data"
            .to_owned();
    let mut evaluate = node("evaluate", "evaluate", Outcome::Skipped);
    evaluate.reason = "extract failed".to_owned();
    let mut deploy = node("deploy-if-better", "deploy", Outcome::Cancelled);
    deploy.reason = "not started".to_owned();
    RunReport {
        pipeline: "weekly \"us\\eu\"".to_owned(),
        params: BTreeMap::from([
            ("symbols".to_owned(), json!(["AAPL", "MSFT"])),
            ("trials".to_owned(), json!(50)),
            ("tag".to_owned(), json!("a|b <c>")),
        ]),
        status: RunStatus::Failed,
        reason: String::new(),
        nodes: vec![reused, drift, train, extract, evaluate, deploy],
        published: vec!["artifacts/reports/weekly-2026-11-22.md".to_owned()],
        ..plain_run()
    }
}
