//! Laws of the splits, and the folds of other people's tools.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn any_spans() -> impl Strategy<Value = Vec<Span>> {
    prop::collection::vec((0_u32..300, 0_u32..40).prop_map(|(t0, held)| Span::new(t0, t0 + held)), 1..200)
}

fn any_config() -> impl Strategy<Value = WalkForward> {
    (any::<bool>(), 1_u32..120, 1_u32..50).prop_map(|(expanding, train, test)| WalkForward {
        scheme: if expanding { Scheme::Expanding } else { Scheme::Rolling },
        train,
        test,
        step: test,
        min_train_samples: 1,
        min_test_samples: 1,
        ..WalkForward::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_train_row_touches_the_test_block(spans in any_spans(), config in any_config()) {
        for fold in walk_forward(&spans, 0..300, &config).unwrap().folds {
            for &row in &fold.train {
                prop_assert!(fold.test.iter().all(|&tested| !spans[row].overlaps(spans[tested])));
                prop_assert!(spans[row].t1 < fold.test_window.start && fold.train_window.contains(&spans[row].t0));
            }
            for &row in &fold.purged {
                prop_assert!(spans[row].t1 >= fold.test_window.start);
            }
        }
    }

    #[test]
    fn test_rows_are_disjoint_in_time_order_and_cover_what_follows_the_first_train_window(
        spans in any_spans(), config in any_config()
    ) {
        let plan = walk_forward(&spans, 0..300, &config).unwrap();
        let tested: Vec<usize> = plan.folds.iter().flat_map(|fold| fold.test.clone()).collect();
        let skipped = |t0: u32| plan.skipped.iter().any(|fold| fold.test_window.contains(&t0));
        let mut expected: Vec<usize> =
            (0..spans.len()).filter(|&row| spans[row].t0 >= config.train && !skipped(spans[row].t0)).collect();
        let mut found = tested.clone();
        found.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);
        prop_assert!(plan.folds.windows(2).all(|pair| pair[0].test_window.end <= pair[1].test_window.start));
    }

    #[test]
    fn each_row_outside_the_test_blocks_is_kept_purged_or_embargoed(
        spans in any_spans(), folds in 2_usize..7, test_folds in 1_usize..4, embargo in 0_u32..10
    ) {
        prop_assume!(test_folds < folds);
        let blocks = Blocks { folds, test_folds, embargo, min_train_samples: 1, min_test_samples: 1 };
        let Ok(plan) = combinatorial_purged(&spans, blocks) else { return Ok(()) };
        prop_assert!(plan.looks_ahead);
        for fold in &plan.folds {
            for block in &fold.test_blocks {
                let tested: Vec<Span> =
                    fold.test.iter().map(|&row| spans[row]).filter(|span| block.contains(&span.t0)).collect();
                let (Some(opens), Some(closes)) =
                    (tested.iter().map(|span| span.t0).min(), tested.iter().map(|span| span.t1).max()) else { continue };
                for &row in &fold.train {
                    prop_assert!(spans[row].t1 < opens || spans[row].t0 > closes + embargo);
                }
            }
            let mut all = [&fold.train[..], &fold.test, &fold.purged, &fold.embargoed].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..spans.len()).collect::<Vec<_>>());
        }
        // every path is one prediction of every row
        if plan.skipped.is_empty() {
            for path in &plan.paths {
                let mut predicted: Vec<usize> = Vec::new();
                for (block, &index) in path.iter().enumerate() {
                    let fold = &plan.folds[index];
                    let windows: Vec<_> = plan.folds.iter().flat_map(|fold| fold.test_blocks.clone()).collect();
                    let mut windows: Vec<(u32, u32)> = windows.iter().map(|window| (window.start, window.end)).collect();
                    windows.sort_unstable();
                    windows.dedup();
                    let (start, end) = windows[block];
                    predicted.extend(fold.test.iter().filter(|&&row| (start..end).contains(&spans[row].t0)));
                }
                predicted.sort_unstable();
                prop_assert_eq!(predicted, (0..spans.len()).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_inner_split_never_looks_ahead(spans in any_spans(), share in 0.05_f64..0.6) {
        let rows: Vec<usize> = (0..spans.len()).step_by(2).collect();
        let split = inner_split(&spans, &rows, share).unwrap();
        for &row in &split.train {
            prop_assert!(split.validation.iter().all(|&later| spans[row].t1 < spans[later].t0));
        }
        prop_assert!(!split.validation.is_empty());
        prop_assert_eq!(split.train.len() + split.validation.len() + split.purged.len(), rows.len());
    }
}

#[test]
fn the_last_window_is_kept_when_it_has_enough_rows() {
    let spans: Vec<Span> = (0..100).map(|t| Span::new(t, t)).collect();
    let config = WalkForward {
        train: 30,
        test: 30,
        step: 30,
        min_train_samples: 30,
        min_test_samples: 10,
        ..WalkForward::default()
    };
    let plan = walk_forward(&spans, 0..100, &config).unwrap();
    assert_eq!(plan.folds.iter().map(|fold| fold.test_window.clone()).collect::<Vec<_>>(), [30..60, 60..90, 90..100]);
    let plan = walk_forward(&spans, 0..100, &WalkForward { min_test_samples: 11, ..config }).unwrap();
    assert_eq!(plan.skipped.len(), 1);
    assert_eq!(plan.skipped[0].reason.to_string(), "insufficient test samples: 10 < 11");
}

#[test]
fn too_short_a_history_gives_no_folds() {
    let plan = walk_forward(&[Span::new(3, 4)], 0..100, &WalkForward::default()).unwrap();
    assert_eq!(plan, FoldPlan::default());
}

#[test]
fn impossible_windows_are_refused() {
    let with = |change: fn(&mut WalkForward)| {
        let mut config = WalkForward::default();
        change(&mut config);
        walk_forward(&[Span::new(3, 4)], 0..1000, &config).unwrap_err()
    };
    assert_eq!(with(|config| config.test = 0), SplitError::Zero { field: "test" });
    assert_eq!(with(|config| config.step = 62), SplitError::OverlappingTests { step: 62, test: 63 });
    let error = walk_forward(&[Span::new(9, 9)], 0..9, &WalkForward::default()).unwrap_err();
    assert_eq!(error, SplitError::OutsideSessions { row: 0, t0: 9, start: 0, end: 9 });
    assert!(serde_json::from_str::<WalkForward>(r#"{"trian": 3}"#).is_err());
}

fn golden() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/splits/expected.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["cases"].as_array().unwrap().clone()
}

fn range(value: &Value) -> std::ops::Range<u32> {
    value[0].as_u64().unwrap() as u32..value[1].as_u64().unwrap() as u32
}

fn number(case: &Value, name: &str) -> Option<u32> {
    case["params"][name].as_u64().map(|value| value as u32)
}

/// One row a session. A gap of `g` rows before each test window is a label that lives `g` sessions.
fn rows(sessions: u32, gap: u32) -> Vec<Span> {
    (0..sessions).map(|t| Span::new(t, t + gap)).collect()
}

#[test]
fn walk_forward_gives_the_folds_of_scikit_learn_and_skfolio() {
    let mut compared = 0;
    for case in golden() {
        let folds = case["folds"].as_array().unwrap();
        let sessions = case["n"].as_u64().unwrap() as u32;
        let (gap, window, scheme) = match case["tool"].as_str().unwrap() {
            "sklearn TimeSeriesSplit" => {
                let scheme =
                    if number(&case, "max_train_size").is_some() { Scheme::Rolling } else { Scheme::Expanding };
                (number(&case, "gap").unwrap_or(0), number(&case, "max_train_size"), scheme)
            }
            "skfolio WalkForward" => {
                let is_expanding = case["params"]["expand_train"] == true;
                let scheme = if is_expanding { Scheme::Expanding } else { Scheme::Rolling };
                (number(&case, "purged_size").unwrap_or(0), None, scheme)
            }
            _ => continue,
        };
        let first = range(&folds[0]["test"]);
        // our windows begin with the data; theirs begin with the first test block
        let start = window.map_or(0, |window| first.start - window);
        let config = WalkForward {
            scheme,
            train: first.start - start,
            test: first.end - first.start,
            step: first.end - first.start,
            min_train_samples: 1,
            min_test_samples: (first.end - first.start) as usize,
            ..WalkForward::default()
        };
        let spans: Vec<Span> = rows(sessions, gap)[start as usize..].to_vec();
        let plan = walk_forward(&spans, start..sessions, &config).unwrap();
        assert_eq!(plan.folds.len(), folds.len(), "{case}");
        for (found, expected) in plan.folds.iter().zip(folds) {
            let sessions_of = |rows: &[usize]| rows.iter().map(|&row| spans[row].t0).collect::<Vec<_>>();
            assert_eq!(sessions_of(&found.train), range(&expected["train"]).collect::<Vec<_>>(), "{case}");
            assert_eq!(sessions_of(&found.test), range(&expected["test"]).collect::<Vec<_>>(), "{case}");
        }
        compared += 1;
    }
    assert_eq!(compared, 8);
}

#[test]
fn combinatorial_folds_are_those_of_skfolio() {
    let mut compared = 0;
    for case in golden().iter().filter(|case| case["tool"] == "skfolio CombinatorialPurgedCV") {
        let purged = number(case, "purged_size").unwrap();
        let spans = rows(case["n"].as_u64().unwrap() as u32, purged);
        let blocks = Blocks {
            folds: number(case, "n_folds").unwrap() as usize,
            test_folds: number(case, "n_test_folds").unwrap() as usize,
            embargo: number(case, "embargo_size").unwrap(),
            min_train_samples: 1,
            min_test_samples: 1,
        };
        let plan = combinatorial_purged(&spans, blocks).unwrap();
        let folds = case["folds"].as_array().unwrap();
        assert_eq!((plan.folds.len(), plan.skipped.len()), (folds.len(), 0));
        assert_eq!(plan.paths.len() as u64, case["n_test_paths"].as_u64().unwrap());
        for (found, expected) in plan.folds.iter().zip(folds) {
            let blocks: Vec<_> = expected["tests"].as_array().unwrap().iter().map(range).collect();
            assert_eq!(found.test_blocks, blocks);
            let train: Vec<usize> =
                expected["train"].as_array().unwrap().iter().map(|row| row.as_u64().unwrap() as usize).collect();
            assert_eq!(found.train, train, "{}", expected["tests"]);
            compared += 1;
        }
    }
    assert!(compared >= 15);
}

#[test]
fn a_path_takes_each_block_from_a_fold_that_tests_it() {
    let spans: Vec<Span> = (0..40).map(|t| Span::new(t, t)).collect();
    let blocks = Blocks { folds: 4, test_folds: 2, embargo: 0, min_train_samples: 1, min_test_samples: 1 };
    let plan = combinatorial_purged(&spans, blocks).unwrap();
    // folds in order: 01 02 03 12 13 23
    assert_eq!(plan.paths, [[0, 0, 1, 2], [1, 3, 3, 4], [2, 4, 5, 5]]);
}

#[test]
fn blocks_that_cannot_be_cut_are_refused() {
    let spans: Vec<Span> = (0..5).map(|t| Span::new(t, t)).collect();
    let with = |folds, test_folds| {
        let blocks = Blocks { folds, test_folds, embargo: 0, min_train_samples: 1, min_test_samples: 1 };
        combinatorial_purged(&spans, blocks).unwrap_err()
    };
    assert_eq!(with(1, 1), SplitError::TooFewFolds { folds: 1 });
    assert_eq!(with(6, 1), SplitError::FoldCount { folds: 6, sessions: 5 });
    assert_eq!(with(4, 4).to_string(), "`test_folds` must be between 1 and 3 for 4 folds, found 4");
    assert_eq!(with(20, 10), SplitError::TooManyCombinations { folds: 20, test_folds: 10, limit: MAX_COMBINATIONS });
}

#[test]
fn a_key_that_the_scheme_does_not_read_is_refused() {
    let check = |text: &str| serde_json::from_str::<Validation>(text).unwrap().check();
    assert!(check("{}").is_ok() && check(r#"{"scheme": "combinatorial", "folds": 8, "test_folds": 3}"#).is_ok());
    let refused = [
        (r#"{"folds": 5}"#, "`folds` belongs to the schemes that cut blocks, and the scheme is `rolling`"),
        (r#"{"scheme": "combinatorial", "train": 5}"#, "`train` belongs to walk-forward schemes"),
        (r#"{"scheme": "purged-k-fold", "test_folds": 2}"#, "`test_folds` belongs to `scheme: combinatorial`"),
        (r#"{"test": 0}"#, "`test` must be at least 1"),
        (r#"{"scheme": "purged-k-fold", "folds": 1}"#, "`folds` must be at least 2"),
    ];
    for (text, words) in refused {
        let error = check(text).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }
}

#[test]
fn a_step_that_is_not_given_is_the_length_of_a_test_window() {
    let config: Validation = serde_json::from_str(r#"{"test": 21}"#).unwrap();
    assert_eq!((config.windows().test, config.windows().step), (21, 21));
    assert_eq!(Validation::default().windows(), WalkForward::default());
}
