//! What a program is given, and what is taken from it.

use super::{FILE, failed, lines, project, shell, shell_with, text, write};
use crate::bench::{Bench, Report};

fn run(node: &str) -> (Bench, Report) {
    let bench = project(&format!("nodes:\n  a: {{{node}}}"));
    let report = bench.run(FILE, &[]);
    (bench, report)
}

/// What a script wrote to its output `out`.
fn written(node: &str) -> String {
    let (bench, report) = run(node);
    text(&bench, &report, "a", "out")
}

#[test]
fn arguments_reach_the_program_as_they_are_without_a_shell() {
    let script = "for word; do printf '%s\\n' \"$word\"; done > out";
    let node = format!(
        "kind: command, with: {{argv: [/bin/sh, -c, {}, sh, 'a b', '*', '$HOME', '; exit 1', 3, true], outputs: {{out: {{path: out}}}}}}",
        serde_json::Value::from(script)
    );
    assert_eq!(written(&node), "a b\n*\n$HOME\n; exit 1\n3\ntrue\n");
}

#[test]
fn the_environment_is_empty_but_for_what_is_named() {
    let mut bench = project(&format!(
        "nodes:\n  a: {{{}}}",
        shell_with(
            "/usr/bin/env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= | sort > out; true",
            "env: {PLAIN: value, NUMBER: 3}, pass_env: [TOKEN, NOT_SET], outputs: {out: {path: out}}"
        )
    ));
    bench.set("TOKEN", "tell-nobody");
    bench.set("SECRET", "unheard");
    let report = bench.run(FILE, &[]);
    assert_eq!(text(&bench, &report, "a", "out"), "NUMBER=3\nPLAIN=value\nTOKEN=tell-nobody\n");
    let records = ["actions", "runs"].into_iter().flat_map(|below| bench.stored(below));
    for path in records {
        let record = std::fs::read_to_string(&path).unwrap();
        assert!(!record.contains("tell-nobody"), "{}: a passed variable was recorded", path.display());
    }
}

#[test]
fn a_passed_variable_does_not_reach_the_fingerprint_and_a_given_one_does() {
    let node = |value: &str| {
        let with = format!("env: {{X: {value}}}, pass_env: [TOKEN], outputs: {{out: {{path: out}}}}");
        format!("nodes:\n  a: {{{}}}", shell_with("echo > out", &with))
    };
    let mut bench = project(&node("one"));
    bench.set("TOKEN", "first");
    bench.run(FILE, &[]);
    bench.set("TOKEN", "second");
    assert!(bench.run(FILE, &[]).all("reused"));
    write(&bench, &node("two"));
    assert!(bench.run(FILE, &[]).all("succeeded"));
}

#[test]
fn the_working_folder_holds_inputs_and_files_and_nothing_else_and_vanishes() {
    let bench = project(&format!(
        "sources:
  note: {{path: configs/note.txt, schema: file@1}}
  strategy: {{path: configs/strategies/donchian.yaml, schema: strategy@1}}
  bars: {{path: data/synthetic/ohlcv.parquet, schema: ohlcv@1}}
nodes:
  a: {{{}, inputs: {{note: sources.note, strategy: sources.strategy, bars: sources.bars}}}}",
        shell_with(
            "find . -type f | sort > @/found; pwd > out; cat configs/tools/fetch.py inputs/note >> @/found",
            "files: [configs/tools/fetch.py], outputs: {out: {path: out}}"
        )
    ));
    bench.write("configs/note.txt", "noted\n");
    bench.write("configs/tools/fetch.py", "print()\n");
    let report = bench.run(FILE, &[]);
    assert_eq!(
        lines(&bench, "found"),
        [
            "./configs/tools/fetch.py",
            "./inputs/bars/ohlcv.parquet",
            "./inputs/note",
            "./inputs/strategy.yaml",
            "print()",
            "noted",
        ]
    );
    let folder = text(&bench, &report, "a", "out");
    assert!(!std::path::Path::new(folder.trim()).exists(), "{folder}");
}

#[test]
fn a_changed_script_runs_again_and_a_touched_one_does_not() {
    let bench = project(
        "nodes:
  a: {kind: command, with: {argv: [/bin/sh, tools/make.sh], files: [tools/make.sh], outputs: {out: {path: out}}}}",
    );
    bench.write("tools/make.sh", "echo one > out\n");
    assert_eq!(text(&bench, &bench.run(FILE, &[]), "a", "out"), "one\n");
    bench.write("tools/make.sh", "echo one > out\n");
    assert!(bench.run(FILE, &[]).all("reused"), "it was only touched");
    bench.write("tools/make.sh", "echo two > out\n");
    let changed = bench.run(FILE, &[]);
    assert_eq!((changed.outcome("a"), text(&bench, &changed, "a", "out").as_str()), ("succeeded", "two\n"));
    bench.write("tools/make.sh", "echo one > out\n");
    assert!(bench.run(FILE, &[]).all("reused"), "it was changed back");
}

fn install(bench: &Bench, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    bench.write("tools/program", script);
    std::fs::set_permissions(bench.path("tools/program"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_script_may_be_the_program_and_a_file_beside_it() {
    let bench = project(
        "nodes:
  a: {kind: command, with: {argv: [tools/program], files: [tools/program], outputs: {out: {path: out}}}}
  b: {kind: command, with: {argv: [/bin/sh, tools/program], files: [tools/program], outputs: {out: {path: out}}}}",
    );
    let script = "#!/bin/sh\n/bin/ls tools > out\n";
    install(&bench, script);
    let report = bench.run(FILE, &[]);
    assert_eq!(text(&bench, &report, "a", "out"), "program\n");
    assert_eq!(text(&bench, &report, "b", "out"), "program\n");
}

#[test]
fn the_bytes_of_the_program_are_part_of_the_fingerprint_and_its_place_on_the_path_is_not() {
    let mut bench = project("nodes: {a: {kind: command, with: {argv: [program], outputs: {out: {path: out}}}}}");
    install(&bench, "#!/bin/sh\necho one > out\n");
    bench.set("PATH", bench.path("tools").display().to_string());
    assert_eq!(text(&bench, &bench.run(FILE, &[]), "a", "out"), "one\n");
    assert!(bench.run(FILE, &[]).all("reused"));

    std::fs::rename(bench.path("tools"), bench.path("elsewhere")).unwrap();
    bench.set("PATH", format!("/nowhere:{}", bench.path("elsewhere").display()));
    assert!(bench.run(FILE, &[]).all("reused"), "it was only moved");

    install(&bench, "#!/bin/sh\necho two > out\n");
    bench.set("PATH", bench.path("tools").display().to_string());
    assert_eq!(text(&bench, &bench.run(FILE, &[]), "a", "out"), "two\n");
}

#[test]
fn a_program_or_a_file_that_is_not_there_is_refused_before_anything_runs() {
    let cases = [
        ("[no-such-program]", "", "there is no program `no-such-program` on the PATH"),
        ("[./small.yaml]", "", "`./small.yaml` is no program that can be run"),
        ("[/bin/true]", ", files: [gone.py]", "cannot read `gone.py`"),
    ];
    for (argv, files, words) in cases {
        let bench = project(&format!(
            "nodes:\n  first: {{kind: noop}}\n  a: {{kind: command, with: {{argv: {argv}{files}, outputs: {{out: {{path: out}}}}}}}}"
        ));
        let call = bench.call(&["run", FILE]);
        assert_eq!(call.code, Some(4), "{argv}: {}", call.stderr);
        assert!(call.stderr.contains(words), "{argv}: {}", call.stderr);
        assert!(bench.stored("runs").is_empty(), "{argv}");
    }
}

#[test]
fn a_program_that_changes_while_the_run_is_under_way_is_not_run() {
    let bench = project(&format!(
        "nodes:\n  first: {{{}}}\n  a: {{kind: command, needs: [first], with: {{argv: [tools/program], outputs: {{out: {{path: out}}}}}}}}",
        shell("printf '#!/bin/sh\\necho other > out\\n' > @/tools/program; echo > out")
    ));
    install(&bench, "#!/bin/sh\necho one > out\n");
    let report = failed(&bench, &[]);
    assert!(
        report.reason("a").ends_with("/tools/program` has changed since the run started; run again"),
        "{}",
        report.reason("a")
    );
    assert_eq!(bench.run(FILE, &[]).outcome("a"), "succeeded");
}

#[test]
fn an_output_may_be_a_file_or_a_folder_of_any_type() {
    let (bench, report) = run(&shell_with(
        "echo note > note.txt; mkdir -p tree/deep; echo 1 > tree/a; echo 2 > tree/deep/b; echo '# R' > r.md",
        "outputs: {note: {path: note.txt}, tree: {path: tree}, report: {path: r.md, type: report}}",
    ));
    let outputs = &report.node("a")["outputs"];
    assert_eq!((&outputs["note"]["type"], &outputs["tree"]["type"]), (&"file".into(), &"file".into()));
    assert_eq!(outputs["report"]["type"], "report");
    let files: Vec<&String> = outputs["tree"]["files"].as_object().unwrap().keys().collect();
    assert_eq!(files, ["a", "deep/b"]);
    assert_eq!(text(&bench, &report, "a", "note"), "note\n");
}

#[test]
fn an_output_that_was_not_written_is_a_failure_that_names_it() {
    let bench =
        project(&format!("nodes:\n  a: {{{}}}", shell_with("mkdir empty", "outputs: {gone: {path: sub/gone.csv}}")));
    let report = failed(&bench, &[]);
    assert_eq!(report.reason("a"), "the command ended well but did not write `sub/gone.csv` (output `gone`)");
    write(&bench, &format!("nodes:\n  a: {{{}}}", shell_with("mkdir empty", "outputs: {gone: {path: empty}}")));
    assert!(failed(&bench, &[]).reason("a").contains("did not write `empty`"), "an empty folder is no output");
}

const TYPED: &str = "outputs: {}, values: {n: number, flag: bool, word: [good, bad], note: text}";

#[test]
fn declared_values_are_read_from_values_json() {
    let (_, report) =
        run(&shell_with("echo '{\"n\": 0.5, \"flag\": true, \"word\": \"bad\", \"note\": null}' > values.json", TYPED));
    let values = &report.node("a")["values"];
    assert_eq!(*values, serde_json::json!({"n": 0.5, "flag": true, "word": "bad", "note": null}));
}

#[test]
fn values_that_are_not_as_declared_are_a_failure_that_says_so() {
    let cases = [
        ("true", "values.json: the command did not write it, although `values` are declared"),
        ("echo '{' > values.json", "values.json: EOF while parsing"),
        ("echo '[]' > values.json", "values.json: invalid type: sequence"),
        (
            "echo '{\"n\": 1, \"flag\": true, \"word\": \"good\"}' > values.json",
            "values.json: the declared value `note` is not in it",
        ),
        (
            "echo '{\"n\": \"1\", \"flag\": true, \"word\": \"good\", \"note\": \"\"}' > values.json",
            "values.json: `n`: expected \"number\", found \"1\"",
        ),
        (
            "echo '{\"n\": 1, \"flag\": true, \"word\": \"so-so\", \"note\": \"\"}' > values.json",
            "values.json: `word`: expected [\"good\",\"bad\"], found \"so-so\"",
        ),
        ("echo '{\"extra\": 1}' > values.json", "values.json: `extra` is not declared in `values`"),
    ];
    for (script, words) in cases {
        let report = failed(&project(&format!("nodes:\n  a: {{{}}}", shell_with(script, TYPED))), &[]);
        assert!(report.reason("a").starts_with(words), "{script}: {}", report.reason("a"));
    }
}

#[test]
fn a_failure_has_the_exit_code_and_the_last_line_of_stderr_and_the_log_has_all() {
    let bench = project(&format!(
        "nodes:\n  a: {{{}}}",
        shell("echo out one; echo err one >&2; echo err two >&2; echo >&2; exit 5")
    ));
    let report = failed(&bench, &[]);
    assert_eq!(report.reason("a"), "`/bin/sh` ended with exit code 5: err two");
    let log = bench.stored("runs").into_iter().find(|path| path.ends_with("logs/a.1.log")).unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    for line in ["out one", "err one", "err two", "failed: `/bin/sh` ended with exit code 5: err two"] {
        assert!(log.lines().any(|logged| logged.ends_with(&format!("Z {line}"))), "{line}: {log}");
    }
}

#[test]
fn a_program_that_a_signal_ends_is_a_failure() {
    let report = failed(&project(&format!("nodes:\n  a: {{{}}}", shell("kill -9 $$"))), &[]);
    assert_eq!(report.reason("a"), "`/bin/sh` ended with signal: 9 (SIGKILL)");
}

#[test]
fn the_last_line_of_stdout_sums_the_node_up() {
    let (_, report) = run(&shell("echo first; echo 3 rows fetched; echo careful >&2; echo > out"));
    assert_eq!(report.node("a")["summary"], "3 rows fetched");
}

#[test]
fn a_program_that_leaves_a_child_behind_does_not_hold_the_run_up() {
    let started = std::time::Instant::now();
    let bench = project(&format!("nodes:\n  a: {{{}}}", shell("sleep 60 & echo $! > @/sleepers; echo > out")));
    let report = bench.run(FILE, &[]);
    assert!(report.all("succeeded") && started.elapsed().as_secs() < 20);
    let _ = std::process::Command::new("kill").args(lines(&bench, "sleepers")).status();
}

#[test]
fn bars_that_a_command_fetched_feed_a_node_that_reads_bars() {
    let bench = project(&format!(
        "sources:
  strategy: {{path: configs/strategies/donchian.yaml, schema: strategy@1}}
  bars:     {{path: data/synthetic/ohlcv.parquet, schema: ohlcv@1}}
nodes:
  fetch:      {{{}}}
  accumulate: {{kind: accumulate, inputs: {{bars: fetch.bars, strategy: sources.strategy}}}}
  direct:     {{kind: accumulate, inputs: {{bars: sources.bars, strategy: sources.strategy}}}}",
        shell_with(
            "mkdir raw; cp @/data/synthetic/ohlcv.parquet raw/; echo '1 file'",
            "outputs: {bars: {path: raw, type: bars}}"
        )
    ));
    let report = bench.run(FILE, &["--as-of", "2018-09-28"]);
    assert_eq!(report.node("fetch")["summary"], "1 file");
    assert_eq!(report.digest("accumulate", "signals"), report.digest("direct", "signals"));
    // both have the same fingerprint: the bytes of the inputs are the same
    let outcomes = ["accumulate", "direct"].map(|node| report.outcome(node));
    assert!(outcomes.contains(&"succeeded"), "{outcomes:?}");
}

#[test]
fn a_single_file_of_bars_is_a_folder_of_one() {
    let (_, report) = run(&shell_with(
        "cp @/data/synthetic/ohlcv.parquet bars.parquet",
        "outputs: {bars: {path: bars.parquet, type: bars}}",
    ));
    assert!(report.node("a")["outputs"]["bars"]["files"]["bars.parquet"].is_object());
}
