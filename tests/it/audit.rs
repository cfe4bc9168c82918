//! The audit: a whole model is verified at every level, and whatever was changed is found, if it has to do with the subject.

mod determinism;
mod node;
mod signed;

use crate::bench::{Bench, Call, read_json};
use serde_json::Value;

const SYNTHETIC: &str = "pipelines/synthetic.yaml";
const MODEL: &str = "synthetic-quality";

fn deployed() -> Bench {
    let bench = Bench::new();
    deploy(&bench);
    bench
}

/// Deploys a model of the synthetic market: the shipped pipeline with a smaller model and fewer resamples, whose gate asks for
/// no more than skill.
fn deploy(bench: &Bench) {
    let gate = "policy: {guardrails: {max_sharpe_drop: null, max_drawdown_rise: null, max_calibration_gap: null, \
                expectancy_not_worse: false, max_log_loss_ratio: null, min_brier_skill: null, min_mcc: null}}";
    let smaller = [
        ("{kind: random-forest, trees: 200}", "{kind: logistic}".to_owned()),
        ("confidence_threshold: 0.5}\n", "confidence_threshold: 0.5}\n      intervals: {resamples: 20}\n".to_owned()),
        ("{registry: synthetic-quality}", format!("{{registry: synthetic-quality, {gate}}}")),
    ];
    let mut text = bench.read(SYNTHETIC);
    for (shipped, small) in smaller {
        assert!(text.contains(shipped), "{shipped}");
        text = text.replace(shipped, &small);
    }
    bench.write(SYNTHETIC, text);
    let run = bench.run(SYNTHETIC, &[]);
    assert_eq!(run.node("deploy")["values"]["applied"], true);
}

fn audit(bench: &Bench, args: &[&str]) -> (Call, Value) {
    let call = bench.call(&[&["--json", "audit"], args].concat());
    let whole: Value = serde_json::from_str(&call.stdout).unwrap_or_else(|error| panic!("{error}\n{}", call.stderr));
    let result = whole["result"].clone();
    (call, result)
}

fn findings(report: &Value) -> &[Value] {
    report["findings"].as_array().unwrap()
}

fn of_status<'a>(report: &'a Value, status: &str) -> Vec<&'a Value> {
    findings(report).iter().filter(|finding| finding["status"] == status).collect()
}

/// `check what` of everything with a status.
fn words(report: &Value, status: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of_status(report, status)
        .iter()
        .map(|finding| format!("{} {}", text(&finding["check"]), text(&finding["what"])))
        .collect()
}

/// Changes one byte in the middle of a file.
fn flip(path: &std::path::Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn version(bench: &Bench) -> Value {
    let log = bench.stored("registry/synthetic-quality/log");
    read_json(&log[0])["body"]["action"]["promote"]["version"].clone()
}

#[test]
fn a_model_in_production_is_verified_down_to_a_rebuild_of_every_node() {
    let bench = deployed();
    let (call, report) = audit(&bench, &[MODEL, "--level", "rebuild"]);
    assert_eq!((call.code, report["verdict"].as_str()), (Some(0), Some("verified")), "{report:#}");
    let of_check = |check: &str| {
        let found = findings(&report).iter().filter(|finding| finding["check"] == check);
        found.map(|finding| finding["what"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(
        of_check("rebuild"),
        ["accumulate", "train", "evaluate"],
        "makers come before those that read from them"
    );
    assert_eq!(of_check("decisions"), ["drift", "deploy"]);
    assert_eq!(of_check("provenance"), ["synthetic-quality, slot 0"]);
    assert_eq!(of_check("values").len(), 1, "tables are read back");
}

#[test]
fn a_whole_run_is_rebuilt_with_its_deployment_in_a_registry_of_its_own() {
    let bench = deployed();
    let (call, report) = audit(&bench, &["latest", "--level", "rebuild"]);
    assert_eq!((call.code, report["verdict"].as_str()), (Some(0), Some("verified")), "{report:#}");
    let rebuilt = findings(&report).iter().filter(|finding| finding["check"] == "rebuild").count();
    assert_eq!(rebuilt, 5, "{report:#}");
}

#[test]
fn a_rebuild_is_the_same_from_another_folder_and_with_another_number_of_threads() {
    let bench = deployed();
    let other = Bench::new();
    other.copy_store(&bench);
    for threads in ["1", "3"] {
        let (_, report) = audit(&other, &[MODEL, "--level", "rebuild", "--threads", threads]);
        assert_eq!(report["verdict"], "verified", "{report:#}");
    }
}

#[test]
fn an_audit_changes_nothing_in_the_store() {
    let bench = deployed();
    let before = bench.stored("");
    audit(&bench, &["all", "--level", "rebuild"]);
    assert_eq!(bench.stored(""), before);
}

#[test]
fn a_byte_that_was_changed_is_found() {
    let bench = deployed();
    flip(&bench.blob(version(&bench)["evaluation"]["sha256"].as_str().unwrap()));
    let (call, report) = audit(&bench, &[MODEL, "--level", "digests"]);
    assert_eq!(call.code, Some(3));
    let wrong = words(&report, "mismatch");
    assert!(wrong.len() == 1 && wrong[0].starts_with("bytes evaluation"), "{report:#}");
}

#[test]
fn a_record_that_was_changed_is_found_and_so_is_a_registry_that_was() {
    let bench = deployed();
    let records = bench.stored("runs").into_iter().filter(|path| path.parent().unwrap().ends_with("nodes"));
    let mut records = records.map(|path| (std::fs::read_to_string(&path).unwrap(), path));
    let (text, record) = records.find(|(text, _)| text.contains("\"outcome\": \"succeeded\"")).unwrap();
    std::fs::write(record, text.replace("succeeded", "reused")).unwrap();
    let (call, report) = audit(&bench, &[MODEL, "--level", "chain"]);
    assert_eq!(call.code, Some(3), "{report:#}");
    assert!(words(&report, "mismatch").iter().any(|words| words.starts_with("records run ")), "{report:#}");

    let entry = &bench.stored("registry/synthetic-quality/log")[0];
    let text = std::fs::read_to_string(entry).unwrap();
    std::fs::write(entry, text.replace("champion", "champiom")).unwrap();
    let (call, report) = audit(&bench, &[MODEL]);
    assert_eq!(call.code, Some(3), "{report:#}");
    assert_eq!(words(&report, "mismatch"), ["registry log of synthetic-quality"]);
}

#[test]
fn what_was_removed_or_changed_beside_the_records_is_found() {
    let bench = deployed();
    let of = |end: &str| bench.stored("runs").into_iter().find(|path| path.to_string_lossy().ends_with(end)).unwrap();
    let last = |below: &str| bench.stored(below).pop().unwrap();
    let cases = [
        ("a log", of(".log"), "records run "),
        ("the lineage", of("openlineage.ndjson"), "records run "),
        ("records of nodes", of("nodes/000001.json"), "records run "),
        ("the newest entry", last("registry/synthetic-quality/log"), "registry log of synthetic-quality"),
    ];
    for (what, path, finding) in cases {
        let honest = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (call, report) = audit(&bench, &["all", "--level", "chain"]);
        assert_eq!(call.code, Some(3), "{what}: {report:#}");
        assert!(words(&report, "mismatch").iter().any(|words| words.starts_with(finding)), "{what}: {report:#}");
        std::fs::write(&path, honest).unwrap();
    }
    // without its witness an entry is missed by what stands beside it and by the run that deployed
    for file in
        bench.stored("registry/synthetic-quality/log").iter().chain(&bench.stored("registry/synthetic-quality/written"))
    {
        std::fs::remove_file(file).unwrap();
    }
    let (call, report) = audit(&bench, &["all", "--level", "chain"]);
    assert_eq!(call.code, Some(3), "{report:#}");
    assert_eq!(words(&report, "mismatch"), ["registry log of synthetic-quality"; 2], "{report:#}");
}

#[test]
fn damage_that_has_nothing_to_do_with_the_subject_is_found_by_an_audit_of_everything_only() {
    let bench = deployed();
    // a run of another pipeline, all of whose records are damaged
    bench.write(
        "other.yaml",
        "version: 1\nname: other\nas_of: 2018-09-28\nnodes:\n  echo:\n    kind: command\n    with: {argv: [sh, -c, \
         echo hello > out], outputs: {out: {path: out}}}\n",
    );
    let other = bench.run("other.yaml", &[]);
    let id = other.0["run"].as_str().unwrap().to_owned();
    let of_other = |path: &std::path::PathBuf| path.to_string_lossy().contains(&id);
    for path in bench.stored("runs").iter().filter(|path| of_other(path) && path.extension().unwrap() == "json") {
        flip(path);
    }
    flip(&bench.blob(other.digest("echo", "out")));

    let (call, report) = audit(&bench, &[MODEL]);
    assert_eq!((call.code, report["verdict"].as_str()), (Some(0), Some("verified")), "{report:#}");
    let (call, report) = audit(&bench, &["all"]);
    assert!(matches!(call.code, Some(3 | 4)), "{report:#}");
    let checks: std::collections::BTreeSet<&str> = findings(&report)
        .iter()
        .filter(|finding| finding["status"] != "verified")
        .map(|finding| finding["check"].as_str().unwrap())
        .collect();
    assert_eq!(checks.into_iter().collect::<Vec<_>>(), ["blobs", "records"], "{report:#}");
    let (_, report) = audit(&bench, &[&id]);
    assert!(findings(&report).iter().any(|finding| finding["check"] == "records"), "{report:#}");
    assert_ne!(report["verdict"], "verified");
}

#[test]
fn runs_artifacts_slots_aliases_and_everything_can_be_audited_and_what_is_not_there_is_refused() {
    let bench = deployed();
    let digest = bench.shown().digest("train", "model").to_owned();
    let model = ["synthetic-quality@0", "synthetic-quality@champion", "synthetic-quality@production"];
    for subject in ["latest", "all", &digest[..12]].into_iter().chain(model) {
        let (call, report) = audit(&bench, &[subject]);
        assert_eq!((call.code, report["verdict"].as_str()), (Some(0), Some("verified")), "{subject}: {report:#}");
    }
    let (_, report) = audit(&bench, &[&digest[..12]]);
    assert!(report["subject"].as_str().unwrap().ends_with("synthetic-quality slot 0"), "{report:#}");
    for nothing in ["synthetic-quality@7", "synthetic-quality@canary", "nobody", "ffffffffffff"] {
        let call = bench.call(&["audit", nothing]);
        assert_eq!(call.code, Some(2), "{nothing}");
        assert!(call.stderr.contains(&format!("nothing to audit under `{nothing}`")), "{}", call.stderr);
    }
}

#[test]
fn the_page_begins_with_the_verdict_and_says_what_it_does_not_show() {
    let bench = deployed();
    let text = bench.ok(&["audit", MODEL]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("Audit of synthetic-quality@champion: slot 0, model "), "{text}");
    assert_eq!(lines[2], "VERIFIED: every byte, where it comes from, and every decision.");
    let last = lines.last().unwrap();
    assert!(last.starts_with("Not shown: ") && last.contains("--level rebuild"), "{text}");
    let markdown = bench.ok(&["audit", MODEL, "--format", "markdown"]);
    assert!(markdown.starts_with("# Audit of synthetic-quality@champion: slot 0"), "{markdown}");
    assert!(markdown.contains("| digests | bytes of artifacts | 5 | 5 |"), "{markdown}");
}

#[test]
fn a_statement_names_what_was_verified_and_leaves_out_what_was_not() {
    let bench = deployed();
    let statement = || -> Value {
        let call = bench.call(&["audit", MODEL, "--format", "statement"]);
        serde_json::from_str(&call.stdout).unwrap_or_else(|error| panic!("{error}: {}", call.stderr))
    };
    let sound = statement();
    assert_eq!(sound["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(sound["predicateType"], "https://in-toto.io/attestation/svr/v0.1");
    assert_eq!(sound["subject"][0]["digest"]["sha256"], version(&bench)["model"]["sha256"]);
    let has = |statement: &Value, word: &str| {
        statement["predicate"]["properties"].as_array().unwrap().iter().any(|property| property == word)
    };
    assert!(has(&sound, "WALKFORWARD_LEVEL_DECISIONS") && !has(&sound, "WALKFORWARD_LEVEL_REBUILD"), "{sound:#}");

    flip(&bench.blob(version(&bench)["evaluation"]["sha256"].as_str().unwrap()));
    let broken = statement();
    assert!(
        !has(&broken, "WALKFORWARD_BYTES_OF_ARTIFACTS") && !has(&broken, "WALKFORWARD_LEVEL_DIGESTS"),
        "{broken:#}"
    );
    assert!(has(&broken, "WALKFORWARD_REGISTRY_LOG"), "{broken:#}");
    assert_eq!(broken["predicate"]["walkforward"]["verdict"], "mismatch");
}

#[test]
fn a_run_leaves_its_lineage_beside_its_record() {
    let bench = deployed();
    let file = bench.stored("runs").into_iter().find(|path| path.ends_with("openlineage.ndjson")).unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // the run and five nodes, each with a start and an end
    assert_eq!(events.len(), 12);
    assert_eq!(events.last().unwrap()["job"]["name"], "synthetic");
    let of = |job: &str, how: &str| {
        let found = events.iter().find(|event| event["job"]["name"] == job && event["eventType"] == how);
        found.unwrap_or_else(|| panic!("no {how} of {job}"))
    };
    let names = |event: &Value, side: &str| {
        event[side].as_array().unwrap().iter().map(|set| set["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let train = of("synthetic.train", "COMPLETE");
    assert_eq!(names(train, "inputs"), ["synthetic.accumulate.signals"]);
    assert_eq!(
        names(train, "outputs"),
        ["synthetic.train.model", "synthetic.train.predictions", "synthetic.train.report"]
    );
    let parent = &train["run"]["facets"]["parent"]["run"]["runId"];
    assert_eq!(parent, &of("synthetic", "START")["run"]["runId"]);
}

#[test]
fn the_commands_of_the_guide_derive_a_number_of_the_model_by_hand() {
    let mut bench = deployed();
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/audit.md")).unwrap();
    let (_, by_hand) = guide.split_once("## By hand").unwrap();
    let blocks: Vec<&str> = by_hand.split("```bash\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 6, "{}", blocks.len());
    bench.write("by_hand.sh", format!("set -euo pipefail\n{}", blocks.concat()));
    bench.set("PATH", path_with_the_program());
    let call = bench.script("by_hand.sh");
    assert_eq!(call.code, Some(0), "{}\n{}", call.stdout, call.stderr);
    for words in
        ["the entry is as it was written", "the number is right", "the bars are those of", "VERIFIED: every byte"]
    {
        assert!(call.stdout.contains(words), "{words}: {}", call.stdout);
    }
    assert!(!call.stdout.contains("WRONG"), "{}", call.stdout);
}

/// The program as a person has it, and python and the tools of a shell.
fn path_with_the_program() -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_walkforward")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{}:{path}", program.display())
}
