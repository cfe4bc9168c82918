//! Instances, their names, and which of them meet.

use super::{FILE, failed, instances, project, shell, text, write};
use crate::bench::{Bench, Report};

fn run(text: &str) -> (Bench, Report) {
    let bench = project(text);
    let report = bench.run(FILE, &[]);
    (bench, report)
}

/// Names of all nodes but `start`, which only stands there because a pipeline needs one more.
fn names_of(matrix: &str) -> Vec<String> {
    let (_, report) = run(&format!("nodes: {{fit: {{kind: noop, matrix: {matrix}}}}}"));
    instances(&report, "fit")
}

#[test]
fn a_matrix_is_one_instance_for_each_combination_named_by_its_values_in_the_order_of_the_file() {
    assert_eq!(
        names_of("{axes: {model: [tree, logistic], seed: [2, 1]}}"),
        [
            "fit[model=tree,seed=2]",
            "fit[model=tree,seed=1]",
            "fit[model=logistic,seed=2]",
            "fit[model=logistic,seed=1]"
        ]
    );
}

#[test]
fn values_on_an_axis_are_words_numbers_and_flags() {
    assert_eq!(names_of("{axes: {x: [a, 1, 0.5, true]}}"), ["fit[x=a]", "fit[x=1]", "fit[x=0.5]", "fit[x=true]"]);
}

#[test]
fn exclude_takes_out_every_combination_that_has_the_values_it_names() {
    assert_eq!(
        names_of("{axes: {x: [a, b], y: [1, 2, 3]}, exclude: [{x: a}, {x: b, y: 2}]}"),
        ["fit[x=b,y=1]", "fit[x=b,y=3]"]
    );
}

#[test]
fn include_adds_combinations_that_the_axes_do_not_make() {
    assert_eq!(
        names_of("{axes: {x: [a, b], y: [1]}, include: [{x: b, y: 7}, {y: 9, x: c}]}"),
        ["fit[x=a,y=1]", "fit[x=b,y=1]", "fit[x=b,y=7]", "fit[x=c,y=9]"]
    );
}

#[test]
fn a_range_counts_whole_numbers_up_to_its_end() {
    assert_eq!(names_of("{axes: {x: {range: {from: 1, to: 3}}}}"), ["fit[x=1]", "fit[x=2]", "fit[x=3]"]);
    assert_eq!(names_of("{axes: {x: {range: {from: 10, to: 25, step: 10}}}}"), ["fit[x=10]", "fit[x=20]"]);
}

#[test]
fn a_range_of_dates_steps_by_days_or_weeks() {
    assert_eq!(
        names_of("{axes: {day: {range: {from: 2026-01-30, to: 2026-02-01}}}}"),
        ["fit[day=2026-01-30]", "fit[day=2026-01-31]", "fit[day=2026-02-01]"]
    );
    assert_eq!(
        names_of("{axes: {day: {range: {from: 2026-01-04, to: 2026-01-20, step: 1w}}}}"),
        ["fit[day=2026-01-04]", "fit[day=2026-01-11]", "fit[day=2026-01-18]"]
    );
}

#[test]
fn an_axis_may_be_a_param_and_a_range_may_have_params_as_ends() {
    let bench = project(
        "params: {models: {type: list, default: [a, b]}, last: {type: int, default: 2}}
nodes:
  fit: {kind: noop, matrix: {axes: {model: \"${params.models}\", x: {range: {from: 1, to: \"${params.last}\"}}}}}",
    );
    assert_eq!(bench.run(FILE, &[]).nodes().len(), 4);
    let other = bench.run(FILE, &["--set", "models=c", "--set", "last=1"]);
    assert_eq!(instances(&other, "fit"), ["fit[model=c,x=1]"]);
}

#[test]
fn a_value_of_an_axis_keeps_its_type_as_a_whole_value_and_is_written_out_inside_a_text() {
    let (bench, report) = run("nodes:
  fit: {kind: noop, matrix: {axes: {x: [1, b]}}, with: {payload: {whole: \"${matrix.x}\", inside: \"is ${matrix.x}\"}}}");
    assert_eq!(text(&bench, &report, "fit[x=1]", "out"), r#"{"whole":1,"inside":"is 1"}"#);
    assert_eq!(text(&bench, &report, "fit[x=b]", "out"), r#"{"whole":"b","inside":"is b"}"#);
}

#[test]
fn a_value_that_is_added_renames_nothing_and_only_the_new_instance_runs() {
    let fit = |values: &str| {
        format!(
            "nodes: {{fit: {{kind: noop, matrix: {{axes: {{x: {values}}}}}, with: {{payload: \"${{matrix.x}}\"}}}}}}"
        )
    };
    let bench = project(&fit("[a, c]"));
    bench.run(FILE, &[]);
    write(&bench, &fit("[a, b, c]"));
    assert_eq!(bench.run(FILE, &[]).outcomes(), ["fit[x=a] reused", "fit[x=b] succeeded", "fit[x=c] reused"],);
}

#[test]
fn for_each_has_the_coordinates_of_its_parent_and_meets_its_outputs() {
    let (bench, report) = run("nodes:
  fit: {kind: noop, matrix: {axes: {x: [1, 2]}}, with: {payload: \"${matrix.x}\"}}
  score: {kind: noop, for_each: fit, inputs: {model: fit.out}, with: {payload: \"of ${matrix.x}\"}}
  report: {kind: noop, for_each: score, inputs: {score: score.out, model: fit.out}}");
    assert_eq!(instances(&report, "report"), ["report[x=1]", "report[x=2]"]);
    for x in ["1", "2"] {
        let (fit, score) = (format!("fit[x={x}]"), format!("score[x={x}]"));
        let expected = format!("\"of {x}\"\n{}", report.digest(&fit, "out"));
        assert_eq!(text(&bench, &report, &score, "out"), expected);
        let expected = format!("null\n{}\n{}", report.digest(&fit, "out"), report.digest(&score, "out"));
        assert_eq!(text(&bench, &report, &format!("report[x={x}]"), "out"), expected);
    }
}

#[test]
fn for_each_times_a_matrix_of_its_own() {
    let (bench, report) = run("nodes:
  fit: {kind: noop, matrix: {axes: {x: [1, 2]}}, with: {payload: \"${matrix.x}\"}}
  score:
    kind: noop
    for_each: fit
    inputs: {model: fit.out}
    matrix: {axes: {day: [mon, tue]}, exclude: [{x: 2, day: mon}]}
    with: {payload: \"${matrix.x} on ${matrix.day}\"}");
    assert_eq!(instances(&report, "score"), ["score[x=1,day=mon]", "score[x=1,day=tue]", "score[x=2,day=tue]"]);
    let expected = format!("\"2 on tue\"\n{}", report.digest("fit[x=2]", "out"));
    assert_eq!(text(&bench, &report, "score[x=2,day=tue]", "out"), expected);
}

#[test]
fn two_nodes_that_follow_the_same_node_meet_by_the_axes_they_share() {
    let (bench, report) = run("nodes:
  fit: {kind: noop, matrix: {axes: {x: [1, 2]}}}
  left: {kind: noop, for_each: fit, with: {payload: \"left ${matrix.x}\"}}
  right: {kind: noop, for_each: fit, matrix: {axes: {y: [a, b]}}, inputs: {left: left.out}, with: {payload: \"${matrix.y}\"}}");
    let expected = format!("\"b\"\n{}", report.digest("left[x=2]", "out"));
    assert_eq!(text(&bench, &report, "right[x=2,y=b]", "out"), expected);
}

#[test]
fn all_instances_come_in_the_order_of_the_file() {
    let (bench, report) = run("nodes:
  all: {kind: noop, inputs: {fits: \"fit[*].out\"}}
  fit: {kind: noop, matrix: {axes: {x: [3, 1, 2]}}, with: {payload: \"${matrix.x}\"}}");
    let digests = ["fit[x=3]", "fit[x=1]", "fit[x=2]"].map(|name| report.digest(name, "out"));
    assert_eq!(text(&bench, &report, "all", "out"), format!("null\n{}", digests.join("\n")));
    assert_eq!(report.node("all")["values"]["inputs"], 3);
}

#[test]
fn who_follows_a_node_takes_all_instances_at_its_own_place() {
    let (bench, report) = run("nodes:
  fit: {kind: noop, matrix: {axes: {x: [1, 2]}}}
  score: {kind: noop, for_each: fit, matrix: {axes: {day: [mon, tue]}}, with: {payload: \"${matrix.x} ${matrix.day}\"}}
  best: {kind: noop, for_each: fit, inputs: {scores: \"score[*].out\"}}");
    let digests = ["score[x=2,day=mon]", "score[x=2,day=tue]"].map(|name| report.digest(name, "out"));
    assert_eq!(text(&bench, &report, "best[x=2]", "out"), format!("null\n{}", digests.join("\n")));
}

#[test]
fn one_instance_is_chosen_by_its_values() {
    let (bench, report) = run("nodes:
  fit: {kind: noop, matrix: {axes: {x: [a, b], y: [1, 2]}}, with: {payload: \"${matrix.x}${matrix.y}\"}}
  one: {kind: noop, inputs: {fit: \"fit[y=2,x=b].out\"}}
  score: {kind: noop, for_each: fit, inputs: {base: \"fit[x=a].out\"}}");
    let expected = format!("null\n{}", report.digest("fit[x=b,y=2]", "out"));
    assert_eq!(text(&bench, &report, "one", "out"), expected);
    // what is not named is that of its own place
    let expected = format!("null\n{}", report.digest("fit[x=a,y=2]", "out"));
    assert_eq!(text(&bench, &report, "score[x=b,y=2]", "out"), expected);
}

/// Three instances of which the second fails, and a node that takes them all.
fn one_of_three_fails(optional: &str) -> Bench {
    let script = "echo $X > out; [ $X != 2 ]";
    let with = format!("env: {{X: \"x${{matrix.x}}\"}}, {}", "outputs: {out: {path: out}}");
    let fit = super::shell_with(&script.replace("$X != 2", "$X != x2"), &with);
    project(&format!(
        "nodes:
  fit: {{{fit}, matrix: {{axes: {{x: [1, 2, 3]}}, fail_fast: false}}}}
  all: {{kind: noop, inputs: {{fits: {{from: \"fit[*].out\"{optional}}}}}}}"
    ))
}

#[test]
fn all_instances_of_an_optional_input_are_those_that_have_a_result() {
    let bench = one_of_three_fails(", optional: true");
    let report = failed(&bench, &[]);
    assert_eq!(report.outcomes(), ["all succeeded", "fit[x=1] succeeded", "fit[x=2] failed", "fit[x=3] succeeded"]);
    let digests = ["fit[x=1]", "fit[x=3]"].map(|name| report.digest(name, "out"));
    assert_eq!(text(&bench, &report, "all", "out"), format!("null\n{}", digests.join("\n")));
}

#[test]
fn all_instances_of_a_required_input_are_all_or_the_node_is_skipped() {
    let report = failed(&one_of_three_fails(""), &[]);
    assert_eq!((report.outcome("all"), report.reason("all")), ("skipped", "fit[x=2] failed"));
}

#[test]
fn a_command_finds_all_instances_by_their_places() {
    let (bench, report) = run(&format!(
        "nodes:
  fit: {{kind: noop, matrix: {{axes: {{model: [tree, logistic], seed: [1]}}}}, with: {{payload: \"${{matrix.model}}\"}}}}
  all: {{{}, inputs: {{fits: \"fit[*].out\"}}}}",
        shell("for file in inputs/fits/*; do echo \"$file $(cat \"$file\")\"; done > out")
    ));
    let expected = "inputs/fits/model=logistic,seed=1 \"logistic\"\ninputs/fits/model=tree,seed=1 \"tree\"\n";
    assert_eq!(text(&bench, &report, "all", "out"), expected);
}
