//! What a person reads when a pipeline is wrong: the place, what was expected and what was found, and the edit that mends it.
//!
//! Each test spoils one thing of [`SOUND`]. A snapshot is the whole of stderr; the assertions in
//! [`placed_and_hinted`] hold for all.

/// Each row is a test: its name, what stands in a sound pipeline, and what a hasty writer put there instead.
macro_rules! refused {
    ($($name:ident: $sound:expr => $wrong:expr;)*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(refusal(&spoilt($sound, $wrong), &[]));
        })*
    };
}

mod file;
mod orchestration;

use crate::bench::{Bench, Call};

const SOUND: &str = r#"version: 1
name: small
as_of: 2018-09-28

params:
  trees:   {type: int, default: 50, min: 1, max: 500}
  retrain: {type: enum, values: [auto, always, never], default: auto}

sources:
  bars:     {path: data/synthetic/ohlcv.parquet, schema: ohlcv@1}
  strategy: {path: configs/strategies/donchian.yaml, schema: strategy@1}

nodes:
  accumulate:
    kind: accumulate
    inputs: {bars: sources.bars, strategy: sources.strategy}

  train:
    kind: train
    when: params.retrain != "never"
    inputs: {data: accumulate.signals}
    with:
      model: {kind: random-forest, trees: "${params.trees}"}
      calibration: platt
"#;

/// [`SOUND`] with one thing replaced.
fn spoilt(sound: &str, wrong: &str) -> String {
    assert_eq!(SOUND.matches(sound).count(), 1, "`{sound}` must stand once in the pipeline");
    SOUND.replace(sound, wrong)
}

fn call(text: &str, args: &[&str]) -> Call {
    let bench = Bench::new();
    bench.write("small.yaml", text);
    let call = bench.call(args);
    assert!(!bench.path("artifacts/store/runs").exists(), "a refused pipeline was run");
    call
}

/// What `validate` says of a pipeline that it must refuse: with a place and a hint for each problem.
fn refusal(text: &str, args: &[&str]) -> String {
    let call = call(text, &[&["validate", "small.yaml"], args].concat());
    assert_eq!(call.code, Some(2), "{}", call.stderr);
    placed_and_hinted(&call)
}

fn placed_and_hinted(call: &Call) -> String {
    assert_eq!(call.stdout, "", "a refusal belongs to stderr");
    let problems = call.stderr.matches("× small.yaml:").count();
    assert!(problems > 0, "no place `file:line:column`:\n{}", call.stderr);
    assert_eq!(call.stderr.matches("  help: ").count(), problems, "a problem without a hint:\n{}", call.stderr);
    call.redacted_stderr()
}

#[test]
fn the_sound_pipeline_is_valid() {
    let call = call(SOUND, &["validate", "small.yaml"]);
    assert_eq!((call.code, call.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(call.stdout);
}

#[test]
fn an_unknown_kind() {
    insta::assert_snapshot!(refusal(&spoilt("kind: train", "kind: trian"), &[]));
}

#[test]
fn a_misspelt_key_of_a_node() {
    insta::assert_snapshot!(refusal(&spoilt("    when:", "    needz: []\n    when:"), &[]));
}

#[test]
fn a_misspelt_setting() {
    insta::assert_snapshot!(refusal(&spoilt("calibration: platt", "calibraton: platt"), &[]));
}

#[test]
fn a_misspelt_parameter_of_a_model() {
    insta::assert_snapshot!(refusal(&spoilt("kind: random-forest, trees:", "kind: random-forest, tres:"), &[]));
}

#[test]
fn an_unknown_word_for_a_setting() {
    insta::assert_snapshot!(refusal(&spoilt("calibration: platt", "calibration: plat"), &[]));
}

#[test]
fn an_unknown_model_family() {
    insta::assert_snapshot!(refusal(&spoilt("kind: random-forest", "kind: random-forrest"), &[]));
}

#[test]
fn a_setting_of_the_wrong_type() {
    insta::assert_snapshot!(refusal(&spoilt("calibration: platt", "min_samples: many"), &[]));
}

#[test]
fn a_parameter_of_a_model_of_the_wrong_type() {
    insta::assert_snapshot!(refusal(&spoilt("\"${params.trees}\"", "many"), &[]));
}

#[test]
fn an_unknown_node_in_an_input() {
    insta::assert_snapshot!(refusal(&spoilt("accumulate.signals", "acumulate.signals"), &[]));
}

#[test]
fn an_output_of_the_wrong_type() {
    insta::assert_snapshot!(refusal(&spoilt("accumulate.signals", "accumulate.trades"), &[]));
}

#[test]
fn an_input_that_is_not_connected() {
    insta::assert_snapshot!(refusal(&spoilt("    inputs: {data: accumulate.signals}\n", ""), &[]));
}

#[test]
fn a_cycle() {
    let sound = "    kind: accumulate\n";
    insta::assert_snapshot!(refusal(&spoilt(sound, &format!("{sound}    needs: [train]\n")), &[]));
}

#[test]
fn a_node_that_is_written_twice() {
    insta::assert_snapshot!(refusal(&spoilt("  train:", "  accumulate:"), &[]));
}

#[test]
fn an_undefined_reference() {
    insta::assert_snapshot!(refusal(&spoilt("${params.trees}", "${params.tree}"), &[]));
}

#[test]
fn a_condition_on_a_word_that_can_never_be() {
    insta::assert_snapshot!(refusal(&spoilt("!= \"never\"", "== \"nevr\""), &[]));
}

#[test]
fn a_condition_that_orders_words() {
    insta::assert_snapshot!(refusal(&spoilt("params.retrain != \"never\"", "accumulate.samples > \"many\""), &[]));
}

#[test]
fn a_condition_that_is_neither_true_nor_false() {
    insta::assert_snapshot!(refusal(&spoilt("params.retrain != \"never\"", "accumulate.samples"), &[]));
}

#[test]
fn a_default_that_its_declaration_forbids() {
    insta::assert_snapshot!(refusal(&spoilt("default: 50", "default: 5000"), &[]));
}

#[test]
fn declarations_of_params_that_say_what_cannot_be() {
    let text = spoilt("min: 1, max: 500", "min: 500, max: 1").replace(
        "  retrain: {type: enum, values: [auto, always, never], default: auto}\n",
        "  retrain: {type: enum, values: [auto, always, never], default: auto, min: 1}\n  \
         least: {type: float, default: 1, min: low}\n  \
         switch: {type: enum, values: [\"on\", true], default: \"on\"}\n  \
         twice: {type: enum, values: [a, b, a], default: a}\n  \
         nothing: {type: enum, values: [], default: a}\n",
    );
    insta::assert_snapshot!(refusal(&text, &[]));
}

#[test]
fn keys_and_values_that_would_mean_nothing() {
    let text = spoilt("\nnodes:", "  champion: {registry: quality, schema: strategy@1}\n\nnodes:").replace(
        "as_of: 2018-09-28\n",
        "as_of: 2018-09-28\nschedule: {cron: \"0 0 0 * * 0\"}\nnotify: [{command: []}]\n",
    );
    insta::assert_snapshot!(refusal(&text, &[]));
}

#[test]
fn a_list_in_place_of_settings() {
    let with = "    with:\n      model: {kind: random-forest, trees: \"${params.trees}\"}\n      calibration: platt\n";
    insta::assert_snapshot!(refusal(&spoilt(with, "    with: {validation: [rolling, 504]}\n"), &[]));
}

#[test]
fn values_of_a_matrix_that_cannot_be_used() {
    let several = "matrix: {axes: {name: [a, b]}, exclude: [{name: [a, b]}]}";
    let text = spoilt("    kind: train\n", &format!("    kind: train\n    {several}\n"));
    let beside = "matrix: {axes: {seed: {range: {from: 1, to: 3}, too: 4}}}";
    let text = text.replace("    kind: accumulate\n", &format!("    kind: accumulate\n    {beside}\n"));
    insta::assert_snapshot!(refusal(&text, &[]));
}

#[test]
fn a_value_that_a_param_does_not_allow() {
    insta::assert_snapshot!(refusal(SOUND, &["--set", "trees=0"]));
}

#[test]
fn a_value_for_a_param_that_is_not_declared() {
    insta::assert_snapshot!(refusal(SOUND, &["--set", "tree=5"]));
}

#[test]
fn a_bracket_that_is_not_closed() {
    insta::assert_snapshot!(refusal(&spoilt("accumulate.signals}", "accumulate.signals"), &[]));
}

#[test]
fn several_mistakes_are_all_reported_in_the_order_of_the_file() {
    let text = spoilt("sources.bars, ", "sources.barz, ")
        .replace("accumulate.signals", "acumulate.signals")
        .replace("calibration: platt", "calibraton: platt");
    insta::assert_snapshot!(refusal(&text, &[]));
}

#[test]
fn as_json_each_problem_has_a_code_a_place_and_a_hint() {
    let text = spoilt("kind: train", "kind: trian").replace("kind: accumulate", "kind: accumulate\n    needz: []");
    let call = call(&text, &["validate", "small.yaml", "--json"]);
    assert_eq!((call.code, call.stderr.as_str()), (Some(2), ""));
    insta::assert_snapshot!(call.stdout);
}

#[test]
fn a_source_file_that_is_missing() {
    let call = call(&spoilt("ohlcv.parquet", "gone.parquet"), &["run", "small.yaml"]);
    assert_eq!(call.code, Some(4));
    insta::assert_snapshot!(placed_and_hinted(&call));
}
