//! What a training learns from, and which settings it refuses.

use ndarray::Array2;
use serde_json::{Value, json};

use super::rows::TrainingRows;
use super::*;
use crate::label::LabelKind;
use crate::market::HoldoutOptions;
use crate::node::find_kind;
use crate::split::Span;

/// Sixty signals of two symbols, one a session and symbol, each alive for four sessions.
fn signals() -> Signals {
    let rows = 60;
    let symbol = |row: usize| if row % 2 == 0 { "A" } else { "B" };
    let session = |row: usize| (row / 2) as u32;
    Signals {
        row: (0..rows).map(|row| format!("{}@{row}", symbol(row))).collect(),
        symbol: (0..rows).map(|row| symbol(row).to_owned()).collect(),
        ts: (0..rows).map(|row| i64::from(session(row)) * MICROS_PER_DAY).collect(),
        exit_ts: (0..rows).map(|row| i64::from(session(row) + 3) * MICROS_PER_DAY).collect(),
        span: (0..rows).map(|row| Span::new(session(row), session(row) + 3)).collect(),
        labelled: (0..rows).map(|row| row < 56).collect(),
        executed: vec![false; rows],
        win: (0..rows).map(|row| row % 3 == 0).collect(),
        r: (0..rows).map(|row| if row == 7 { f64::NAN } else { row as f64 / 10.0 - 2.0 }).collect(),
        label: vec![0.5; rows],
        label_kind: LabelKind::RMultiple,
        features: vec!["one".to_owned(), "two".to_owned()],
        matrix: Array2::zeros((rows, 2)),
        sessions: 33,
        strategy: String::new(),
        holdout: None,
    }
}

fn config(settings: Value) -> TrainConfig {
    serde_json::from_value(settings).unwrap()
}

fn rows(settings: Value) -> TrainingRows {
    TrainingRows::of(signals(), &config(settings)).unwrap()
}

#[test]
fn overlap_is_counted_among_the_rows_that_are_learnt_from_together() {
    let data = rows(json!({"sample_weight": "uniqueness"}));
    // two signals of A, far apart, and one of B: none shares its life with another of its symbol
    assert_eq!(data.weigh(&[0, 1, 40]).unwrap(), [1.0; 3]);
    // two signals of A, sessions 0 to 3 and 1 to 4: alone in one session of four
    let expected = (1.0 + 3.0 * 0.5) / 4.0;
    assert_eq!(data.weigh(&[0, 2]).unwrap(), [expected, expected]);
}

#[test]
fn age_is_counted_from_the_newest_row_that_is_learnt_from_with_it() {
    let data = rows(json!({"sample_weight": "recency", "recency_half_life": 5}));
    assert_eq!(data.weigh(&[0, 10]).unwrap(), [0.5, 1.0]);
    assert_eq!(data.weigh(&[0]).unwrap(), [1.0]);
    assert_eq!(rows(json!({"sample_weight": "none"})).weigh(&[0, 1]), None);
}

#[test]
fn a_row_without_the_number_that_is_learnt_is_left_out() {
    assert_eq!(rows(json!({})).rows.len(), 56);
    let of_r = rows(json!({"target": "r"}));
    assert_eq!(of_r.rows.len(), 55);
    assert!(of_r.values.iter().all(|value| value.is_finite()));
    let refused = TrainingRows::of(signals(), &config(json!({"target": "volatility"})));
    assert!(refused.err().unwrap().to_string().contains("they allow `win`, `r`"));
}

#[test]
fn what_became_known_after_a_time_is_new() {
    let data = rows(json!({}));
    // labelled signals are those of sessions 0 to 27, known three sessions later
    assert_eq!(data.known_after(20 * MICROS_PER_DAY), 2 * (27 - 17));
    assert_eq!(data.known_after(40 * MICROS_PER_DAY), 0);
}

#[test]
fn signals_of_a_holdout_are_refused() {
    let mut signals = signals();
    assert!(signals.refuse_holdout().is_ok());
    signals.holdout = Some(HoldoutOptions { start: "2020-01-01".parse().unwrap(), name: "last".to_owned() });
    let refusal = signals.refuse_holdout().unwrap_err().to_string();
    assert!(refusal.contains("holdout `last`") && refusal.contains("`use: holdout`"), "{refusal}");
}

#[test]
fn settings_that_make_no_sense_together_are_refused_at_their_key() {
    let refused = |settings: Value| {
        let error = find_kind("train").unwrap().normalise(&settings).unwrap_err();
        let steps = error.path.iter().map(|step| match step {
            super::super::PathStep::Key(key) => key.clone(),
            super::super::PathStep::Index(index) => index.to_string(),
        });
        (steps.collect::<Vec<_>>().join("."), error.message)
    };
    let cases = [
        (json!({"winsorise_share": 0.1}), "winsorise_share", "only `transform: winsorise` reads it"),
        (json!({"selection": {"max_correlation": 1.5}}), "selection.max_correlation", "between 0 and 1"),
        (json!({"validation": {"folds": 5}}), "validation", "`folds` belongs to the schemes that cut blocks"),
        (json!({"stopping_share": 0.9}), "stopping_share", "0.05 to 0.5"),
    ];
    for (settings, place, words) in cases {
        let (found, message) = refused(settings);
        assert_eq!(found, place, "{message}");
        assert!(message.contains(words), "{message}");
    }
}
