//! SHAP values against xgboost, lightgbm and the shap package; the laws of all explanations.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView2, Axis, Slice};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::model::Model;
use crate::model::interop::{Link, PlainModel, PlainNode, PlainSplit, PlainTree, PlainTrees, read_foreign};

fn golden(file: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/golden/interop/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn answers() -> Value {
    serde_json::from_slice(&golden("answers.json")).unwrap()
}

fn table(value: &Value) -> Array2<f64> {
    let row = |row: &Value| row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect::<Vec<_>>();
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(row).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

fn assert_near(found: &Array2<f64>, expected: ArrayView2<'_, f64>, tolerance: f64, what: &str) {
    assert_eq!(found.dim(), expected.dim(), "{what}");
    for (at, found) in found.indexed_iter() {
        assert!((found - expected[at]).abs() <= tolerance, "{what} {at:?}: {found} is not {}", expected[at]);
    }
}

#[test]
fn values_of_a_forest_are_those_of_the_shap_package() {
    let expected = &answers()["shap"];
    let model = PlainModel::of(&Model::from_json(&golden("explained_forest.model.json")).unwrap()).unwrap();
    let found = shapley(&model, table(&expected["background"]).view(), table(&expected["rows"]).view());
    assert!((found.base - expected["base"].as_f64().unwrap()).abs() < 1e-12);
    assert_near(&found.values, table(&expected["values"]).view(), 1e-12, "forest");
}

#[test]
fn values_of_a_boosted_model_are_those_of_its_own_library() {
    let found = answers();
    let rows = table(&found["rows"]);
    // xgboost adds in 32 bits; lightgbm rounds the covers of its inner nodes in the file
    for (file, answer, tolerance) in
        [("xgboost.json", "xgboost", 2e-6), ("xgboost_regression.json", "xgboost_regression", 2e-6)]
    {
        let model = read_foreign(&golden(file), None, &BTreeMap::new()).unwrap().model;
        let values = shapley(&PlainModel::of(&model).unwrap(), rows.view(), rows.view());
        let expected = table(&found[answer]["contributions"]);
        let columns = rows.ncols();
        assert_near(&values.values, expected.slice_axis(Axis(1), Slice::from(..columns)), tolerance, answer);
        assert!((values.base - expected[[0, columns]]).abs() < tolerance, "{answer}");
    }
}

#[test]
fn values_of_a_logistic_regression_are_those_of_the_shap_package() {
    let found = answers();
    let expected = &found["linear_shap"];
    let model = PlainModel::of(&Model::from_json(&golden("logistic.model.json")).unwrap()).unwrap();
    let values = shapley(&model, table(&expected["background"]).view(), table(&found["rows"]).view());
    assert!((values.base - expected["base"].as_f64().unwrap()).abs() < 1e-9);
    assert_near(&values.values, table(&expected["values"]).view(), 1e-9, "logistic");
}

/// A full tree of a depth whose questions, cuts and leaves come from a list of numbers.
fn tree_of(depth: usize, numbers: &[f64], columns: usize) -> PlainTree {
    fn grow(nodes: &mut Vec<PlainNode>, depth: usize, numbers: &[f64], columns: usize) -> usize {
        let at = nodes.len();
        let number = numbers[at % numbers.len()];
        nodes.push(PlainNode { split: None, value: number, cover: None });
        // some branches end early
        if depth > 0 && (at == 0 || number > -1.5) {
            let feature = (number.abs() * 1e3) as usize % columns;
            let left = grow(nodes, depth - 1, numbers, columns);
            let right = grow(nodes, depth - 1, numbers, columns);
            let split = PlainSplit { feature, threshold: number, missing_left: number > 0.0, left, right };
            nodes[at] = PlainNode { split: Some(split), value: 0.0, cover: None };
        }
        at
    }
    let mut nodes = Vec::new();
    grow(&mut nodes, depth, numbers, columns);
    PlainTree { nodes }
}

/// The mean of a tree over everything but the features in `known`, by its definition.
fn expectation(tree: &PlainTree, cover: &[f64], row: &[f64], known: usize, at: usize) -> f64 {
    let Some(split) = tree.nodes[at].split else { return tree.nodes[at].value };
    if known >> split.feature & 1 == 1 {
        return expectation(tree, cover, row, known, split.child(row[split.feature]));
    }
    let both = cover[split.left] + cover[split.right];
    let share = if both > 0.0 { cover[split.left] / both } else { 0.5 };
    share * expectation(tree, cover, row, known, split.left)
        + (1.0 - share) * expectation(tree, cover, row, known, split.right)
}

fn covers(tree: &PlainTree, rows: &Array2<f64>) -> Vec<f64> {
    let mut cover = vec![0.0; tree.nodes.len()];
    for row in rows.rows() {
        let mut at = 0;
        cover[0] += 1.0;
        while let Some(split) = tree.nodes[at].split {
            at = split.child(row[split.feature]);
            cover[at] += 1.0;
        }
    }
    cover
}

/// Shapley's formula, over all subsets.
fn by_definition(tree: &PlainTree, cover: &[f64], row: &[f64], columns: usize) -> Vec<f64> {
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    (0..columns)
        .map(|feature| {
            (0..1_usize << columns)
                .filter(|known| known >> feature & 1 == 0)
                .map(|known| {
                    let size = known.count_ones() as usize;
                    let weight = factorial(size) * factorial(columns - size - 1) / factorial(columns);
                    let with = expectation(tree, cover, row, known | 1 << feature, 0);
                    weight * (with - expectation(tree, cover, row, known, 0))
                })
                .sum()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn values_are_shapleys_by_definition_and_add_up(
        numbers in prop::collection::vec(-2.0_f64..2.0, 40..80),
        cells in prop::collection::vec(prop::option::weighted(0.9, -2.0_f64..2.0), 5 * 12),
        depth in 0_usize..7,
    ) {
        let columns = 5;
        let cells = cells.into_iter().map(|cell| cell.unwrap_or(f64::NAN)).collect();
        let rows = Array2::from_shape_vec((12, columns), cells).unwrap();
        let background = rows.slice_axis(Axis(0), Slice::from(..8)).to_owned();
        let trees: Vec<PlainTree> = (0..3).map(|skip| tree_of(depth, &numbers[skip..], columns)).collect();
        let model = PlainModel::Trees(PlainTrees { columns, base: 0.25, link: Link::Identity, trees: trees.clone() });
        let found = shapley(&model, background.view(), rows.view());
        for (at, row) in rows.rows().into_iter().enumerate() {
            let row = row.to_vec();
            let added = found.base + found.values.row(at).sum();
            prop_assert!((added - model.sum(&row)).abs() < 1e-9, "{} is not {}", added, model.sum(&row));
            let expected = trees.iter().map(|tree| by_definition(tree, &covers(tree, &background), &row, columns));
            let expected = expected.reduce(|a, b| a.iter().zip(&b).map(|(a, b)| a + b).collect()).unwrap();
            for feature in 0..columns {
                prop_assert!((found.values[[at, feature]] - expected[feature]).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn values_do_not_depend_on_the_number_of_threads() {
    let found = answers();
    let rows = table(&found["shap"]["rows"]);
    let model = PlainModel::of(&Model::from_json(&golden("explained_forest.model.json")).unwrap()).unwrap();
    let at = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| shapley(&model, rows.view(), rows.view()))
    };
    assert_eq!(at(1), at(2));
    assert_eq!(at(1), at(5));
}

fn grid(rows: usize) -> Array2<f64> {
    Array2::from_shape_fn((rows, 2), |(row, column)| if column == 0 { row as f64 } else { (row * 7 % 11) as f64 })
}

#[test]
fn both_curves_of_a_straight_line_are_that_line() {
    let line = |rows: ArrayView2<'_, f64>| rows.rows().into_iter().map(|row| 3.0 * row[0] - row[1]).collect::<Vec<_>>();
    let rows = grid(101);
    let curve = dependence(&line, rows.view(), 0, 10, 1000).unwrap();
    assert_eq!(curve.points.len(), 11);
    for pair in curve.points.windows(2) {
        let run = pair[1].value - pair[0].value;
        assert!((pair[1].partial - pair[0].partial - 3.0 * run).abs() < 1e-9);
        assert!((pair[1].effect - pair[0].effect - 3.0 * run).abs() < 1e-9);
        assert!(pair[1].low <= pair[1].partial && pair[1].partial <= pair[1].high);
    }
    assert_eq!(curve.points.iter().map(|point| point.rows).sum::<usize>(), 101);
}

#[test]
fn a_feature_that_the_model_does_not_read_has_flat_curves_and_a_constant_one_none() {
    let other = |rows: ArrayView2<'_, f64>| rows.column(1).mapv(f64::sin).to_vec();
    let curve = dependence(&other, grid(60).view(), 0, 8, 25).unwrap();
    assert!(curve.points.iter().all(|point| point.effect == 0.0 && point.partial == curve.points[0].partial));
    let mut constant = grid(60);
    constant.column_mut(0).fill(4.0);
    assert_eq!(dependence(&other, constant.view(), 0, 8, 25), None);
    let mut holes = grid(60);
    holes.column_mut(0).iter_mut().take(20).for_each(|cell| *cell = f64::NAN);
    assert_eq!(dependence(&other, holes.view(), 0, 8, 25).unwrap().missing, 20);
}
