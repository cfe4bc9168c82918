//! Files, params, sources, inputs and conditions that are wrong.

use super::{SOUND, refusal, spoilt};

const BARS: &str = "{path: data/synthetic/ohlcv.parquet, schema: ohlcv@1}";
const TREES: &str = "{type: int, default: 50, min: 1, max: 500}";
const RETRAIN: &str = "{type: enum, values: [auto, always, never], default: auto}";
const WHEN: &str = "params.retrain != \"never\"";

refused! {
    a_version_of_the_language_that_there_is_not: "version: 1" => "version: 2";
    a_window_without_an_end: "as_of: 2018-09-28\n" => "";
    a_misspelt_key_of_the_file: "sources:" => "source:";
    a_node_without_a_kind: "    kind: accumulate\n" => "";
    a_node_that_is_a_list: "{bars: sources.bars, strategy: sources.strategy}" => "[sources.bars, sources.strategy]";
    a_node_with_a_name_of_two_words: "  train:" => "  train model:";
}

refused! {
    a_source_without_a_schema: ", schema: ohlcv@1" => "";
    a_source_of_a_schema_that_there_is_not: "ohlcv@1" => "ohlc@1";
    a_source_with_a_format: BARS => "{path: data/synthetic/ohlcv.parquet, schema: ohlcv@1, format: parquet}";
    a_source_from_nowhere: BARS => "{schema: ohlcv@1}";
    a_path_with_an_alias: BARS => "{path: data/synthetic/ohlcv.parquet, schema: ohlcv@1, alias: champion}";
    a_registered_model_with_a_path: BARS => "{registry: quality, path: model.json}";
    a_model_with_a_name_of_two_words: BARS => "{registry: my model}";
    a_part_of_a_model_that_there_is_not: BARS => "{registry: quality, part: modle}";
    a_misspelt_key_of_a_source: BARS => "{paht: data/synthetic/ohlcv.parquet, schema: ohlcv@1}";
    a_source_that_is_not_declared: "sources.bars" => "sources.bar";
}

refused! {
    a_param_without_a_type: TREES => "{default: 50}";
    a_param_of_a_type_that_there_is_not: TREES => "{type: integer, default: 50}";
    a_param_without_a_default: TREES => "{type: int}";
    a_param_that_is_a_number: TREES => "50";
    a_misspelt_key_of_a_param: TREES => "{type: int, default: 50, mni: 1}";
    an_enum_without_values: RETRAIN => "{type: enum, default: auto}";
    a_param_whose_default_is_in_quotes: TREES => "{type: int, default: \"50\"}";
    a_reference_to_nothing: "${params.trees}" => "${trees}";
}

refused! {
    an_input_without_its_source: "{bars: sources.bars, " => "{bars: {optional: true}, ";
    an_input_that_the_kind_does_not_have: "{bars: sources.bars, " => "{bars: sources.bars, bar: sources.bars, ";
    an_input_that_is_no_artifact: "accumulate.signals" => "accumulate";
    a_condition_on_a_param_that_is_not_declared: WHEN => "params.retrian != \"never\"";
    a_condition_on_a_node_that_is_not_there: WHEN => "acumulate.status == \"failed\"";
    a_condition_with_a_text_that_is_never_closed: WHEN => "params.retrain != \"never";
    a_condition_with_a_bracket_that_is_never_closed: WHEN => "(params.retrain != \"never\"";
    a_condition_with_a_function: WHEN => "failed(accumulate)";
    a_condition_of_two_conditions: WHEN => "accumulate.samples > 1 params.trees > 2";
    a_condition_that_compares_a_word_with_a_number: WHEN => "params.retrain != 3";
    a_condition_on_a_word_without_quotes: WHEN => "params.retrain != never";
}

#[test]
fn a_file_without_nodes() {
    let text = SOUND.split("nodes:").next().unwrap();
    insta::assert_snapshot!(refusal(text, &[]));
}
