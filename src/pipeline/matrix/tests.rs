//! Laws of matrices, through the text of a pipeline: what adding, excluding, including and following do to instances.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::pipeline::reference::Instances;
use crate::pipeline::{Coordinates, LoadOptions, Node, Pipeline, load};

/// Axes with their values; the first axis is `a`, then `b`, and so on.
type Axes = Vec<Vec<i64>>;

fn any_axes(most: usize) -> impl Strategy<Value = Axes> {
    let values = prop::collection::btree_set(-20_i64..20, 1..5).prop_map(|values| values.into_iter().collect());
    prop::collection::vec(values, 1..=most)
}

fn axis(index: usize, offset: usize) -> char {
    char::from(b'a' + u8::try_from(index + offset).unwrap())
}

/// `{a: [1, 2], b: [3]}`
fn written(axes: &Axes, offset: usize) -> String {
    let axes = axes.iter().enumerate().map(|(at, values)| format!("{}: {values:?}", axis(at, offset)));
    format!("{{{}}}", axes.collect::<Vec<_>>().join(", "))
}

/// `{a: 1, b: 3}`, for some of the axes.
fn combination<'a>(pairs: impl IntoIterator<Item = &'a (char, i64)>) -> String {
    let pairs: Vec<String> = pairs.into_iter().map(|(axis, value)| format!("{axis}: {value}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn read(nodes: &str) -> Pipeline {
    let text = format!("as_of: 2026-01-04\nnodes:\n{nodes}");
    load(&text, &LoadOptions::default()).unwrap_or_else(|problems| panic!("{text}\n{problems:?}"))
}

fn instances<'a>(pipeline: &'a Pipeline, group: &str) -> Vec<&'a Node> {
    pipeline.nodes.iter().filter(|node| node.group == group).collect()
}

fn names(matrix: &str) -> Vec<String> {
    let pipeline = read(&format!("  fit: {{kind: noop, matrix: {matrix}}}\n"));
    instances(&pipeline, "fit").into_iter().map(|node| node.id.clone()).collect()
}

fn product(axes: &Axes) -> usize {
    axes.iter().map(Vec::len).product()
}

fn value(place: &Coordinates, axis: char) -> i64 {
    place.get(&axis.to_string()).unwrap().to_json().as_i64().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_combination_is_there_once_under_a_name_of_its_own(axes in any_axes(3)) {
        let found = names(&format!("{{axes: {}}}", written(&axes, 0)));
        prop_assert_eq!(found.len(), product(&axes));
        prop_assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
    }

    #[test]
    fn a_value_that_is_added_renames_nothing_and_moves_nothing(
        axes in any_axes(3),
        to in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
    ) {
        let before = names(&format!("{{axes: {}}}", written(&axes, 0)));
        let mut more = axes.clone();
        let values = &mut more[to.index(axes.len())];
        values.insert(place.index(values.len() + 1), 99);
        let after = names(&format!("{{axes: {}}}", written(&more, 0)));
        let stayed: Vec<&String> = after.iter().filter(|name| before.contains(name)).collect();
        prop_assert_eq!(stayed, before.iter().collect::<Vec<_>>());
        prop_assert_eq!(after.len(), product(&more));
    }

    #[test]
    fn exclude_leaves_what_it_does_not_match_in_whatever_order_it_is_written(
        axes in any_axes(3),
        picks in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 1..=3), 1..4),
    ) {
        // each names a value on some of the axes, so that one may match what another does
        let pairs = |picks: &Vec<prop::sample::Index>| -> Vec<(char, i64)> {
            axes.iter().enumerate().zip(picks).map(|((at, values), pick)| (axis(at, 0), values[pick.index(values.len())])).collect()
        };
        let excluded: BTreeSet<Vec<(char, i64)>> = picks.iter().map(pairs).collect();
        let whole = read(&format!("  fit: {{kind: noop, matrix: {{axes: {}}}}}\n", written(&axes, 0)));
        let matches = |node: &Node, pairs: &[(char, i64)]| pairs.iter().all(|(axis, v)| value(&node.place, *axis) == *v);
        let left: Vec<String> = instances(&whole, "fit")
            .into_iter()
            .filter(|node| !excluded.iter().any(|pairs| matches(node, pairs)))
            .map(|node| node.id.clone())
            .collect();
        prop_assume!(!left.is_empty());
        let list = |pairs: Vec<&Vec<(char, i64)>>| pairs.into_iter().map(combination).collect::<Vec<_>>().join(", ");
        for order in [excluded.iter().collect(), excluded.iter().rev().collect::<Vec<_>>()] {
            let found = names(&format!("{{axes: {}, exclude: [{}]}}", written(&axes, 0), list(order)));
            prop_assert_eq!(&found, &left);
        }
    }

    #[test]
    fn include_adds_itself_at_the_end_and_exclude_of_the_same_takes_it_out_again(axes in any_axes(3), new in 50_i64..60) {
        let axes_only = format!("axes: {}", written(&axes, 0));
        let before = names(&format!("{{{axes_only}}}"));
        let pairs: Vec<(char, i64)> = (0..axes.len()).map(|at| (axis(at, 0), new)).collect();
        let added = combination(&pairs);
        let after = names(&format!("{{{axes_only}, include: [{added}]}}"));
        prop_assert_eq!(&after[..before.len()], &before[..]);
        prop_assert_eq!(after.len(), before.len() + 1);
        prop_assert_eq!(names(&format!("{{{axes_only}, include: [{added}], exclude: [{added}]}}")), before);
    }

    #[test]
    fn who_follows_has_an_instance_for_each_times_those_of_its_own_matrix(parent in any_axes(2), own in any_axes(2)) {
        let pipeline = read(&format!(
            "  fit: {{kind: noop, matrix: {{axes: {}}}}}\n  score: {{kind: noop, for_each: fit, inputs: {{fit: fit.out}}, \
             matrix: {{axes: {}}}}}\n  all: {{kind: noop, inputs: {{scores: \"score[*].out\"}}}}\n  \
             best: {{kind: noop, for_each: fit, inputs: {{scores: \"score[*].out\"}}}}\n",
            written(&parent, 0),
            written(&own, 2),
        ));
        let scores = instances(&pipeline, "score");
        prop_assert_eq!(scores.len(), product(&parent) * product(&own));
        for score in &scores {
            // meets the parent at its own place, and no other
            let fit = score.dependencies().into_iter().next().unwrap();
            let place = fit.strip_prefix("fit").unwrap().trim_matches(['[', ']']).to_owned();
            prop_assert!(score.id.starts_with(&format!("score[{place},")), "{} meets {fit}", score.id);
        }
        prop_assert_eq!(pipeline.node("all").unwrap().dependencies().len(), scores.len());
        for best in instances(&pipeline, "best") {
            prop_assert_eq!(best.dependencies().len(), product(&own), "{}", best.id);
        }
    }

    #[test]
    fn every_instance_is_found_at_its_own_place_and_by_its_values(axes in any_axes(3)) {
        let pipeline = read(&format!("  fit: {{kind: noop, matrix: {{axes: {}}}}}\n", written(&axes, 0)));
        let nodes = instances(&pipeline, "fit");
        let family = nodes.iter().map(|node| node.place.clone()).collect();
        let known = Instances::new([("fit".to_owned(), family)].into());
        for node in nodes {
            prop_assert_eq!(known.same("fit", &node.place), Ok(node.id.clone()));
            let values: Vec<(String, String)> =
                node.place.0.iter().map(|own| (own.axis.to_string(), own.value.to_json().to_string())).collect();
            let pairs: Vec<(&str, &str)> = values.iter().map(|(axis, value)| (axis.as_str(), value.as_str())).collect();
            prop_assert_eq!(known.at("fit", &pairs, &Coordinates::default()), Ok(node.id.clone()));
            let here: Vec<String> = known.all("fit", &node.place).into_iter().map(|(_, name)| name).collect();
            prop_assert_eq!(here, [node.id.clone()]);
        }
        prop_assert_eq!(known.all("fit", &Coordinates::default()).len(), product(&axes));
    }
}

#[test]
fn instances_of_a_large_matrix_are_counted_before_they_are_made() {
    let axis = |name: &str| format!("{name}: {{range: {{from: 1, to: 19000}}}}");
    let text = format!(
        "as_of: 2026-01-04\nnodes: {{fit: {{kind: noop, matrix: {{axes: {{{}, {}, {}}}}}}}}}\n",
        axis("a"),
        axis("b"),
        axis("c")
    );
    let problems = load(&text, &LoadOptions::default()).unwrap_err();
    assert_eq!(problems[0].message, "this matrix has more than 20000 combinations");
}

#[test]
fn a_value_with_a_name_is_known_by_it_and_stands_for_its_value() {
    let text = "as_of: 2026-01-04
sources:
  bars: {path: data/us5, schema: ohlcv@1}
  strategy: {path: s.yaml, schema: strategy@1}
nodes:
  signals:
    kind: accumulate
    matrix: {axes: {universe: {tech: [AAPL, MSFT], all: null}, seed: [1, 2]}}
    inputs: {bars: sources.bars, strategy: sources.strategy}
    with: {universe: {symbols: '${matrix.universe}'}}
    publish: {signals: '${matrix.universe}-${matrix.seed}.parquet'}
  fit:
    kind: train
    when: matrix.universe == \"tech\"
    inputs: {data: 'signals[universe=tech,seed=2].signals'}
    matrix: {axes: {universe: [tech]}}
";
    let pipeline = load(text, &LoadOptions::default()).unwrap_or_else(|problems| panic!("{problems:?}"));
    let found: Vec<(&str, String, &str)> = instances(&pipeline, "signals")
        .into_iter()
        .map(|node| (node.id.as_str(), node.with["universe"]["symbols"].to_string(), node.publish["signals"].as_str()))
        .collect();
    let tech = r#"["AAPL","MSFT"]"#.to_owned();
    let expected = [
        ("signals[universe=tech,seed=1]", tech.clone(), "tech-1.parquet"),
        ("signals[universe=tech,seed=2]", tech, "tech-2.parquet"),
        ("signals[universe=all,seed=1]", "null".to_owned(), "all-1.parquet"),
        ("signals[universe=all,seed=2]", "null".to_owned(), "all-2.parquet"),
    ];
    assert_eq!(found, expected);
    let fit = instances(&pipeline, "fit")[0].dependencies().into_iter().collect::<Vec<_>>();
    assert_eq!(fit, ["signals[universe=tech,seed=2]"]);
}

#[test]
fn names_on_an_axis_are_held_to_what_values_are() {
    let refusal = |matrix: &str| {
        let text = format!("as_of: 2026-01-04\nnodes: {{fit: {{kind: noop, matrix: {matrix}}}}}\n");
        load(&text, &LoadOptions::default()).unwrap_err().swap_remove(0).message
    };
    assert!(refusal("{axes: {u: {a/b: [1]}}}").contains("`a/b` is empty or holds one of"));
    assert!(refusal("{axes: {u: {a: [1], range: [2]}}}").contains("expected a list of words or numbers"));
    assert!(refusal("{axes: {u: {}}}").contains("expected a list of words or numbers"));
    let unknown = refusal("{axes: {u: {a: [1], b: [2]}, n: [1]}, include: [{u: c, n: 1}]}");
    assert_eq!(unknown, "axis `u` has no value of the name `c`");
    // a name may come back through `include` on another axis' value, and through `exclude`
    assert_eq!(names("{axes: {u: {a: [1], b: [2]}, n: [1]}, include: [{u: a, n: 9}], exclude: [{u: b}]}").len(), 2);
}
