//! Who is told, and that it is at least once.

use serde_json::Value;

use super::{FILE, failed, project, shell, write};
use crate::bench::{Bench, Report};

/// An entry of `notify` that keeps what it is told in a file.
fn tell(file: &str, more: &str) -> String {
    format!("  - {{command: [/bin/sh, -c, \"cat >> $0; echo >> $0\", \"@/{file}\"]{more}}}\n")
}

fn told(bench: &Bench, file: &str) -> Vec<Value> {
    super::lines(bench, file).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn run_of(report: &Report) -> String {
    report.0["run"].as_str().or(report.0["start"]["run"].as_str()).unwrap().to_owned()
}

#[test]
fn a_command_is_told_of_every_run_where_there_is_no_condition() {
    let bench = project(&format!("nodes: {{a: {{kind: noop}}}}\nnotify:\n{}", tell("told", "")));
    let first = bench.run(FILE, &[]);
    let second = bench.run(FILE, &[]);
    let told = told(&bench, "told");
    assert_eq!(told.len(), 2);
    assert_eq!(told[0]["text"], "small as of 2026-01-04 succeeded: 1 ran, 0 reused, 0 skipped");
    assert_eq!((&told[0]["run"], &told[1]["run"]), (&run_of(&first).into(), &run_of(&second).into()));
    assert_eq!((&told[1]["status"], &told[1]["nodes"][0]["outcome"]), (&"succeeded".into(), &"reused".into()));
    assert!(bench.stored("outbox").is_empty(), "what was sent is still due");
}

#[test]
fn a_condition_on_the_run_or_its_nodes_decides_who_is_told() {
    let verdict = "printf '{\\\"verdict\\\": \\\"%s\\\"}' $V > values.json; [ $V != wrong ]";
    let probe = super::shell_with(
        &verdict.replace("\\\"", "\""),
        "env: {V: \"${params.verdict}\"}, outputs: {}, values: {verdict: [drift, stable, wrong]}",
    );
    let entries = [
        tell("failed", ", when: run.status == \"failed\""),
        tell("drift", ", when: probe.verdict == \"drift\""),
        tell("node", ", when: probe.status != \"failed\" && run.status == \"succeeded\""),
    ];
    let bench = project(&format!(
        "params: {{verdict: {{type: string, default: stable}}}}\nnodes:\n  probe: {{{probe}}}\nnotify:\n{}",
        entries.concat()
    ));
    let count = || ["failed", "drift", "node"].map(|file| told(&bench, file).len());
    bench.run(FILE, &[]);
    assert_eq!(count(), [0, 0, 1]);
    bench.run(FILE, &["--set", "verdict=drift"]);
    assert_eq!(count(), [0, 1, 2]);
    let because = told(&bench, "drift")[0]["text"].as_str().unwrap().to_owned();
    assert_eq!(because, "small as of 2026-01-04 succeeded: probe.verdict == \"drift\"");
    // a node that failed has no values, so that nothing can be said of them
    failed(&bench, &["--set", "verdict=wrong"]);
    assert_eq!(count(), [1, 1, 2]);
    let sentence = told(&bench, "failed")[0]["text"].as_str().unwrap().to_owned();
    assert_eq!(sentence, "small as of 2026-01-04 failed: probe failed: `/bin/sh` ended with exit code 1");
}

#[test]
fn arguments_may_hold_the_id_of_the_run_params_and_the_environment() {
    let mut bench = project(
        "params: {to: {type: string, default: me}}
nodes: {a: {kind: noop}}
notify: [{command: [/bin/sh, -c, 'echo \"$0 $1 $2 $3\" > @/told', \"${run.id}\", \"${params.to}\", \"${env.TOKEN}\", \"${run.as_of}\"]}]",
    );
    bench.set("TOKEN", "hush");
    let report = bench.run(FILE, &[]);
    assert_eq!(bench.read("told"), format!("{} me hush 2026-01-04\n", run_of(&report)));
    for path in bench.stored("") {
        assert!(!String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains("hush"), "{}", path.display());
    }
}

#[test]
fn a_variable_that_is_not_set_is_refused_unless_the_entry_is_optional() {
    let text = |optional: &str| {
        let mut text = "nodes: {a: {kind: noop}}\nnotify:\n".to_owned();
        text.push_str(&format!("  - {{command: [/bin/sh, -c, 'echo > @/first', \"${{env.TOKEN}}\"]{optional}}}\n"));
        text + &tell("second", "")
    };
    let bench = project(&text(""));
    let call = bench.call(&["run", FILE]);
    assert_eq!(call.code, Some(2));
    assert!(call.stderr.contains("the environment variable `TOKEN` is not set"), "{}", call.stderr);
    bench.ok(&["validate", FILE]);
    bench.ok(&["plan", FILE]);

    write(&bench, &text(", optional: true"));
    bench.run(FILE, &[]);
    assert!(!bench.path("first").exists());
    assert_eq!(told(&bench, "second").len(), 1);
}

#[test]
fn a_message_that_is_not_taken_is_a_warning_and_stays_due_until_it_is() {
    let bench = project(&format!(
        "nodes: {{a: {{kind: noop}}}}\nnotify:\n  - {{command: [/bin/sh, -c, {}]}}\n",
        Value::from("[ -e @/up ] || { echo down >&2; exit 1; }; cat >> @/told; echo >> @/told")
    ));
    let call = bench.call(&["run", FILE, "--progress", "none"]);
    let run = run_of(&bench.shown());
    assert_eq!(call.code, Some(0), "whether a message is taken does not decide how a run ends");
    let warning = format!("warning: `notify` entry 1 of run {run}: `/bin/sh` ended with exit status: 1: down\n");
    assert_eq!(call.stderr, warning);
    assert_eq!(bench.stored("outbox").len(), 1);

    bench.write("up", "");
    let second = bench.run(FILE, &[]);
    let told = told(&bench, "told");
    assert_eq!(told.iter().map(|told| told["run"].as_str().unwrap()).collect::<Vec<_>>(), [run, run_of(&second)]);
    assert!(bench.stored("outbox").is_empty());
}

/// Writes down that a message is due, as a run does that is killed before it sends it.
fn write_down(bench: &Bench, pipeline: &str, run: &str, index: usize) {
    use walkforward::artifact::Store;
    use walkforward::engine::DueNotification;
    let due = DueNotification { run: run.to_owned(), pipeline: pipeline.to_owned(), index };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(bench.path("artifacts/store").to_str().unwrap()).await.unwrap();
        store.commit_record(&format!("outbox/{run}-{index}.json"), &due).await.unwrap();
    });
}

#[test]
fn a_message_of_a_run_that_was_killed_before_it_sent_it_is_sent_by_the_next() {
    let bench = project("nodes: {a: {kind: noop}}");
    let first = run_of(&bench.run(FILE, &[]));
    write_down(&bench, "small", &first, 1);
    write_down(&bench, "another", &first, 0);
    let entries =
        [tell("never", ", when: run.status == \"cancelled\""), tell("told", ", when: run.status == \"failed\"")];
    write(&bench, &format!("nodes: {{a: {{kind: noop}}}}\nnotify:\n{}", entries.concat()));
    bench.run(FILE, &[]);
    let told = told(&bench, "told");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["run"], *first);
    let left: Vec<_> = bench.stored("outbox");
    assert_eq!(left.len(), 1, "what another pipeline is to tell is left to it: {left:?}");
}

#[test]
fn a_message_finds_its_entry_where_another_is_switched_off_meanwhile() {
    let bench = project("nodes: {a: {kind: noop}}");
    let first = run_of(&bench.run(FILE, &[]));
    write_down(&bench, "small", &first, 1);
    let switched =
        tell("off", ", when: run.status == \"failed\", optional: true").replace("cat >>", "echo ${env.TOKEN} >>");
    let told_here = tell("told", ", when: run.status == \"failed\"");
    let text = format!(
        "nodes: {{a: {{kind: noop}}}}\nnotify:\n{switched}{told_here}{}",
        tell("last", ", when: run.status == \"failed\"")
    );
    write(&bench, &text);
    bench.run(FILE, &[]);
    assert_eq!(told(&bench, "told").len(), 1);
    assert!(told(&bench, "last").is_empty(), "the message went to the entry that follows its own");
}

#[test]
fn a_message_of_a_run_that_is_under_way_is_left_to_that_run() {
    let bench = project(&format!(
        "nodes:\n  a: {{{}, cache: off}}\nnotify:\n{}",
        shell("echo >> @/started; while [ ! -e @/go ]; do sleep 0.01; done; echo > out"),
        tell("told", "")
    ));
    let mut first = bench.start(&["run", FILE, "--progress", "none"]);
    first.until("the first run was under way", || bench.path("started").exists());
    let run = bench.json(&["runs"])[0]["start"]["run"].as_str().unwrap().to_owned();
    write_down(&bench, "small", &run, 0);
    let other = format!("nodes: {{a: {{kind: noop}}}}\nnotify:\n{}", tell("other", ""));
    bench.write("other.yaml", super::pipeline(&bench, "small", &other));
    let own = run_of(&bench.run("other.yaml", &[]));
    assert_eq!(told(&bench, "other").iter().map(|told| &told["run"]).collect::<Vec<_>>(), [&Value::from(own)]);
    bench.write("go", "");
    let call = first.end();
    assert_eq!(call.code, Some(0), "{}", call.stderr);
    assert_eq!(told(&bench, "told").len(), 1);
}
