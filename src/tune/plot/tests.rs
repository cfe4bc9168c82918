//! Pictures are sound documents, whatever the study.

use super::super::importance::importance;
use super::super::trial::{Evaluation, Proposal};
use super::*;
use crate::base::Seed;
use crate::tune::sampler::{SamplerConfig, SamplerKind, suggest};

fn pictures(space: &str, score: impl Fn(u64) -> Evaluation) -> Vec<(&'static str, String)> {
    let space: SearchSpace = serde_json::from_str(space).unwrap();
    let sampler = SamplerConfig::from(SamplerKind::Random);
    let trials: Vec<Trial> = (0..40)
        .map(|number| {
            let params = suggest(&sampler, &space, Direction::Maximize, &[], &[], number, Seed::new(1)).unwrap();
            Trial::of(Proposal { number, params, ..Proposal::default() }, score(number))
        })
        .collect();
    let best = crate::tune::study::best_of(&trials, Direction::Maximize).unwrap();
    let importance = importance(&space, Direction::Maximize, &trials, Seed::new(2));
    let view = View {
        space: &space,
        direction: Direction::Maximize,
        trials: &trials,
        best,
        importance: &importance,
        metric: "a < b",
    };
    all(&view)
}

/// Every tag is closed, in order, and no number is undefined.
fn is_sound(svg: &str) -> bool {
    let body = svg.replace("/>", "");
    let opened = body.matches("<text").count();
    let texts = regex::Regex::new(r">[^<]*</text>").unwrap();
    opened == texts.find_iter(&body).count()
        && svg.starts_with("<svg ")
        && svg.ends_with("</svg>\n")
        && !svg.contains("NaN")
        && !svg.contains("inf\"")
}

#[test]
fn every_picture_is_a_sound_document() {
    let mixed = r#"{"x": {"float": [0, 1]}, "n": {"int": [1, 100], "log": true, "when": {"exit": ["a"]}},
        "exit": {"choice": ["a", "b & c"]}}"#;
    let varied = |number: u64| match number % 7 {
        3 => Evaluation::failed("no"),
        4 => Evaluation::pruned(-1.0),
        5 => Evaluation::complete(1e12),
        _ => Evaluation::complete(number as f64),
    };
    let found = pictures(mixed, varied);
    assert_eq!(
        found.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        ["history", "importances", "parallel", "slices", "contour"]
    );
    for (name, svg) in found {
        assert!(is_sound(&svg), "{name}");
    }
}

#[test]
fn equal_scores_and_a_single_parameter_are_drawn_too() {
    let found = pictures(r#"{"x": {"float": [0, 1]}}"#, |_| Evaluation::complete(2.0));
    assert!(found.len() == 4 && found.iter().all(|(_, svg)| is_sound(svg)));
}
