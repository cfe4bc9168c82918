//! Matrices, references to instances, policies, schedules, commands and pipelines that are wrong.

use super::{call, placed_and_hinted, refusal};
use crate::bench::Bench;

const SOUND: &str = r#"version: 1
name: sweep
as_of: 2026-01-04

schedule: {cron: "0 6 * * 1", timezone: Europe/Berlin, max_lateness: 12h}
concurrency: {group: sweep, on_conflict: wait, wait_timeout: 30m}
pools: {wide: 4, api: 1}
defaults: {timeout: 1h, cache: default, pool: wide}

params:
  models: {type: list, default: [tree, logistic]}

nodes:
  fetch:
    kind: command
    pool: api
    timeout: 10m
    retry: {max_attempts: 3, retry_on: [io, exit], backoff: {initial: 5s, factor: 2, max: 1m, jitter: true}}
    with:
      argv: [./fetch.py, --days, 30]
      files: [fetch.py]
      outputs: {bars: {type: bars, path: raw}}
      values: {rows: number, quality: [good, poor]}

  fit:
    kind: noop
    inputs: {bars: fetch.bars}
    matrix:
      axes:
        model: "${params.models}"
        seed: {range: {from: 1, to: 3}}
      exclude: [{model: tree, seed: 3}]
      include: [{model: forest, seed: 7}]
      max_parallel: 2
    with: {payload: "${matrix.model}"}
    publish: {out: "out/${matrix.model}-${matrix.seed}.txt"}

  score:
    kind: noop
    for_each: fit
    inputs: {fit: fit.out}
    when: matrix.seed < 9

  best:
    kind: noop
    needs: [fetch]
    when: fetch.quality == "good"
    inputs: {scores: "score[*].out", base: "fit[model=tree,seed=1].out"}

notify:
  - {when: run.status == "failed", command: [mail, ops]}
"#;

#[test]
fn the_sound_pipeline_is_valid() {
    let call = call(SOUND, &["validate", "small.yaml"]);
    assert_eq!((call.code, call.stderr.as_str()), (Some(0), ""));
    assert_eq!(call.stdout, "small.yaml is valid: 14 nodes, as of 2026-01-04\n");
}

fn spoilt(sound: &str, wrong: &str) -> String {
    assert_eq!(SOUND.matches(sound).count(), 1, "`{sound}` must stand once in the pipeline");
    SOUND.replace(sound, wrong)
}

const MODELS: &str = "model: \"${params.models}\"";
const SEEDS: &str = "seed: {range: {from: 1, to: 3}}";
const EXCLUDE: &str = "exclude: [{model: tree, seed: 3}]";
const INCLUDE: &str = "include: [{model: forest, seed: 7}]";

refused! {
    a_misspelt_key_of_a_matrix: "max_parallel: 2" => "max_paralel: 2";
    a_matrix_that_is_a_list: "for_each: fit" => "matrix: [1, 2]";
    a_matrix_without_axes: "for_each: fit" => "matrix: {max_parallel: 2}";
    an_axis_without_values: MODELS => "model: []";
    an_axis_that_is_a_word: MODELS => "model: tree";
    an_axis_with_a_value_twice: MODELS => "model: [tree, logistic, tree]";
    an_axis_with_a_value_that_names_no_instance: MODELS => "model: [\"tree, logistic\"]";
    an_axis_of_mappings: MODELS => "model: [{kind: tree}]";
    an_axis_with_a_name_that_no_reference_can_hold: MODELS => "\"a model\": [tree]";
    an_axis_that_refers_to_nothing: MODELS => "model: \"${params.modles}\"";
    a_misspelt_key_of_a_range: SEEDS => "seed: {range: {from: 1, to: 3, by: 2}}";
    a_range_that_is_empty: SEEDS => "seed: {range: {from: 3, to: 1}}";
    a_range_of_words: SEEDS => "seed: {range: {from: a, to: c}}";
    a_range_without_an_end: SEEDS => "seed: {range: {from: 1}}";
    a_range_of_dates_with_a_step_of_no_unit: SEEDS => "seed: {range: {from: 2026-01-04, to: 2026-06-28, step: 7}}";
    a_range_with_a_step_of_zero: SEEDS => "seed: {range: {from: 1, to: 3, step: 0}}";
    a_matrix_that_is_too_large: SEEDS => "seed: {range: {from: 1, to: 90000}}";
    an_exclude_that_matches_nothing: EXCLUDE => "exclude: [{model: tree, seed: 4}]";
    an_exclude_of_an_axis_that_is_not_there: EXCLUDE => "exclude: [{modle: tree}]";
    an_exclude_that_leaves_nothing: EXCLUDE => "exclude: [{model: tree}, {model: logistic}, {model: forest}]";
    an_include_that_lacks_an_axis: INCLUDE => "include: [{model: forest}]";
    an_include_that_is_there_already: INCLUDE => "include: [{model: tree, seed: 1}]";
    an_include_that_is_no_mapping: INCLUDE => "include: [forest]";
    no_instance_at_a_time: "max_parallel: 2" => "max_parallel: 0";
    a_flag_in_quotes: "max_parallel: 2" => "fail_fast: \"no\"";
    for_each_of_a_node_that_is_not_there: "for_each: fit" => "for_each: fitt";
    for_each_of_a_node_with_one_instance: "for_each: fit" => "for_each: fetch";
    for_each_in_a_circle: "    max_parallel: 2" => "    max_parallel: 2\n    for_each: score";
    an_axis_that_is_inherited_already: "for_each: fit" => "for_each: fit\n    matrix: {axes: {seed: [1]}}";
}

refused! {
    one_of_many_instances_without_saying_which: "scores: \"score[*].out\"" => "scores: score.out";
    an_instance_that_is_not_there: "fit[model=tree,seed=1].out" => "fit[model=tree,seed=5].out";
    an_instance_that_is_excluded: "fit[model=tree,seed=1].out" => "fit[model=tree,seed=3].out";
    an_instance_that_several_fit: "fit[model=tree,seed=1].out" => "fit[model=tree].out";
    an_instance_by_an_axis_that_is_not_there: "fit[model=tree,seed=1].out" => "fit[day=1].out";
    an_instance_in_words_that_mean_nothing: "fit[model=tree,seed=1].out" => "fit[tree].out";
    all_instances_of_a_node_that_is_not_there: "score[*].out" => "scores[*].out";
    an_output_of_all_instances_that_is_not_there: "score[*].out" => "score[*].result";
    a_matrix_reference_where_there_is_no_matrix: "needs: [fetch]" => "with: {payload: \"${matrix.model}\"}";
    a_misspelt_axis_in_a_reference: "{payload: \"${matrix.model}\"}" => "{payload: \"${matrix.modle}\"}";
    a_condition_on_an_axis_that_is_not_there: "when: matrix.seed < 9" => "when: matrix.sead < 9";
    a_condition_on_an_axis_with_a_word_it_never_has: "when: matrix.seed < 9" => "when: matrix.model == \"tre\"";
    a_condition_on_a_value_of_many_instances: "fetch.quality == \"good\"" => "score.inputs > 0";
    a_condition_that_ends_too_early: "fetch.quality == \"good\"" => "fetch.quality ==";
    a_condition_with_one_equals_sign: "fetch.quality == \"good\"" => "fetch.quality = \"good\"";
    a_condition_on_the_end_of_the_run_in_a_node: "fetch.quality == \"good\"" => "run.status == \"failed\"";
    a_condition_on_a_list: "fetch.quality == \"good\"" => "params.models == \"tree\"";
    a_need_of_a_node_that_is_not_there: "needs: [fetch]" => "needs: [fech]";
    a_need_that_is_no_list: "needs: [fetch]" => "needs: fetch";
}

refused! {
    a_pool_that_is_nearly_there: "pool: api" => "pool: apis";
    a_pool_that_is_not_declared: "pool: api" => "pool: gpu";
    a_pool_of_no_size: "api: 1}" => "api: 0}";
    a_pool_of_a_word: "api: 1}" => "api: one}";
    retry_as_a_word: "retry: {max_attempts: 3, retry_on: [io, exit], backoff: {initial: 5s, factor: 2, max: 1m, jitter: true}}" => "retry: often";
    no_attempt_at_all: "max_attempts: 3" => "max_attempts: 0";
    a_misspelt_key_of_retry: "max_attempts: 3" => "attempts: 3";
    a_failure_that_there_is_not: "[io, exit]" => "[io, network]";
    a_pause_without_a_unit: "initial: 5s" => "initial: 5";
    a_pause_that_shrinks: "factor: 2" => "factor: 0.5";
    a_timeout_without_a_unit: "timeout: 10m" => "timeout: 10";
    a_timeout_in_words: "timeout: 10m" => "timeout: ten minutes";
    a_word_for_the_cache_that_there_is_not: "cache: default" => "cache: never";
    a_misspelt_key_of_the_defaults: "cache: default" => "caches: default";
    a_cron_with_too_few_fields: "cron: \"0 6 * * 1\"" => "cron: \"0 6 * *\"";
    a_cron_with_an_hour_that_there_is_not: "cron: \"0 6 * * 1\"" => "cron: \"0 25 * * 1\"";
    a_schedule_without_a_cron: "cron: \"0 6 * * 1\", " => "";
    a_misspelt_timezone: "Europe/Berlin" => "Europe/Belrin";
    a_timezone_that_there_is_not: "Europe/Berlin" => "Moon";
    a_lateness_without_a_unit: "max_lateness: 12h" => "max_lateness: 12";
    a_word_for_a_conflict_that_there_is_not: "on_conflict: wait" => "on_conflict: queue";
    a_wait_timeout_where_nothing_waits: "on_conflict: wait" => "on_conflict: skip";
    a_misspelt_key_of_concurrency: "on_conflict: wait, " => "onconflict: wait, ";
    a_day_that_there_is_not: "as_of: 2026-01-04" => "as_of: 2026-13-04";
    an_entry_of_notify_that_tells_nobody: ", command: [mail, ops]" => "";
    an_entry_of_notify_that_tells_two: "command: [mail, ops]" => "command: [mail, ops], webhook: \"${env.URL}\"";
    an_entry_of_notify_with_a_command_that_is_no_list: "command: [mail, ops]" => "command: mail ops";
    a_word_that_a_run_never_ends_with: "run.status == \"failed\"" => "run.status == \"skipped\"";
}

refused! {
    two_outputs_for_one_path: "out/${matrix.model}-${matrix.seed}.txt" => "out/${matrix.model}.txt";
    a_published_output_that_is_not_there: "publish: {out:" => "publish: {outs:";
    a_path_that_is_a_number: "\"out/${matrix.model}-${matrix.seed}.txt\"" => "7";
    the_id_of_the_run_in_a_setting: "{payload: \"${matrix.model}\"}" => "{payload: \"${run.id}\"}";
    the_environment_in_a_setting: "{payload: \"${matrix.model}\"}" => "{payload: \"${env.TOKEN}\"}";
    a_reference_that_is_never_closed: "{payload: \"${matrix.model}\"}" => "{payload: \"is ${matrix.model\"}";
    a_node_with_a_reserved_name: "  best:" => "  run:";
    a_command_without_a_program: "argv: [./fetch.py, --days, 30]" => "argv: []";
    a_command_as_one_text: "argv: [./fetch.py, --days, 30]" => "argv: ./fetch.py --days 30";
    a_command_that_writes_elsewhere: "path: raw" => "path: ../raw";
    a_file_of_a_command_that_is_elsewhere: "files: [fetch.py]" => "files: [/etc/passwd]";
    an_output_of_a_type_that_there_is_not: "type: bars" => "type: bar";
    an_output_without_a_path: "{type: bars, path: raw}" => "{type: bars}";
    a_value_of_a_type_that_there_is_not: "rows: number" => "rows: integer";
    a_misspelt_setting_of_a_command: "files: [fetch.py]" => "file: [fetch.py]";
    a_command_that_leaves_nothing: "outputs: {bars: {type: bars, path: raw}}\n      values: {rows: number, quality: [good, poor]}" => "outputs: {}";
    an_output_that_the_command_does_not_declare: "bars: fetch.bars" => "bars: fetch.rows";
    a_value_that_the_command_does_not_declare: "fetch.quality ==" => "fetch.qualty ==";
}

#[test]
fn all_instances_where_one_is_taken() {
    let text = super::SOUND
        .replace("    kind: accumulate\n", "    kind: accumulate\n    matrix: {axes: {min: [1, 2]}}\n")
        .replace("accumulate.signals", "\"accumulate[*].signals\"");
    insta::assert_snapshot!(refusal(&text, &[]));
}

#[test]
fn what_is_wrong_with_many_instances_is_said_for_some() {
    let text = "as_of: 2026-01-04\nnodes:
  fit: {kind: noop, matrix: {axes: {x: {range: {from: 1, to: 9}}}}}
  even: {kind: noop, for_each: fit, matrix: {axes: {y: [1]}, exclude: [{x: 1}, {x: 3}, {x: 5}, {x: 7}, {x: 9}]}}
  best: {kind: noop, for_each: fit, matrix: {axes: {z: [1]}}, inputs: {even: \"even[y=1].out\"}}
";
    insta::assert_snapshot!(refusal(text, &[]));
}

#[test]
fn a_variable_of_the_environment_that_is_not_set() {
    let text = SOUND.replace("command: [mail, ops]", "webhook: \"${env.ALERT_WEBHOOK}\"");
    let call = call(&text, &["run", "small.yaml"]);
    assert_eq!(call.code, Some(2));
    insta::assert_snapshot!(placed_and_hinted(&call));
}

#[test]
fn all_instances_where_there_are_none() {
    let text = "as_of: 2026-01-04\nnodes:
  fit: {kind: noop, matrix: {axes: {x: [1, 2]}}}
  even: {kind: noop, for_each: fit, matrix: {axes: {y: [1]}, exclude: [{x: 1}]}}
  best: {kind: noop, for_each: fit, inputs: {even: \"even[*].out\"}}
";
    insta::assert_snapshot!(refusal(text, &[]));
}

#[test]
fn a_pipeline_file_that_is_not_there() {
    let text = "as_of: 2026-01-04\nnodes:\n  inner: {kind: pipeline, with: {file: inner.yaml}}\n";
    insta::assert_snapshot!(refusal(text, &[]));
}

#[test]
fn a_pipeline_inside_that_is_wrong() {
    let bench = Bench::new();
    bench.write(
        "small.yaml",
        "as_of: 2026-01-04\nnodes:\n  inner: {kind: pipeline, with: {file: inner.yaml, set: {n: 1}}}\n",
    );
    bench.write("inner.yaml", "nodes: {a: {kind: noop}}\n");
    insta::assert_snapshot!(placed_and_hinted(&bench.call(&["validate", "small.yaml"])));
}

#[test]
fn pipelines_that_run_each_other() {
    let bench = Bench::new();
    bench.write("small.yaml", "as_of: 2026-01-04\nnodes:\n  inner: {kind: pipeline, with: {file: inner.yaml}}\n");
    bench.write("inner.yaml", "nodes: {back: {kind: pipeline, with: {file: small.yaml}}}\n");
    insta::assert_snapshot!(placed_and_hinted(&bench.call(&["validate", "small.yaml"])));
}

#[test]
fn a_program_that_is_not_installed() {
    let bench = Bench::new();
    bench.write(
        "small.yaml",
        "as_of: 2026-01-04\nnodes:\n  fetch: {kind: command, with: {argv: [fetch-bars], outputs: {out: {path: out}}}}\n",
    );
    let call = bench.call(&["run", "small.yaml"]);
    assert_eq!(call.code, Some(4));
    insta::assert_snapshot!(placed_and_hinted(&call));
}
