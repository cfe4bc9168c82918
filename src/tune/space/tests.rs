//! What is refused, and the round trips of what is accepted.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn refused(file: Value) -> SpaceError {
    serde_json::from_value::<SpaceFile>(file).unwrap().check().unwrap_err()
}

fn accepted(file: Value) -> SearchSpace {
    serde_json::from_value(file).unwrap()
}

#[test]
fn impossible_parameters_are_refused_with_their_name() {
    let name = || "p".to_owned();
    assert_eq!(refused(json!({})), SpaceError::Empty);
    assert_eq!(refused(json!({"p": {}})), SpaceError::Kind { name: name(), found: 0 });
    assert_eq!(refused(json!({"p": {"float": [0, 1], "int": [0, 1]}})), SpaceError::Kind { name: name(), found: 2 });
    assert_eq!(refused(json!({"p": {"float": [1, 1]}})), SpaceError::Bounds { name: name(), low: 1.0, high: 1.0 });
    assert_eq!(refused(json!({"p": {"int": [2, 1]}})), SpaceError::Bounds { name: name(), low: 2.0, high: 1.0 });
    let log = json!({"p": {"float": [0, 1], "log": true}});
    assert_eq!(refused(log), SpaceError::LogOfNonPositive { name: name(), low: 0.0 });
    let both = json!({"p": {"int": [1, 9], "log": true, "step": 2}});
    assert_eq!(refused(both), SpaceError::LogWithStep { name: name() });
    for step in [0.0, -1.0, 2.0] {
        let error = refused(json!({"p": {"float": [0, 1], "step": step}}));
        assert_eq!(error, SpaceError::Step { name: name(), step, range: 1.0, whole: false });
    }
    let half = refused(json!({"p": {"int": [0, 4], "step": 1.5}}));
    assert_eq!(half.to_string(), "parameter `p`: expected a step above 0 and at most 4, a whole number, found 1.5");
    assert_eq!(refused(json!({"p": {"int": [0, i64::MAX]}})), SpaceError::TooManyValues { name: name() });
    assert_eq!(refused(json!({"p": {"int": [i64::MIN, i64::MAX]}})), SpaceError::TooManyValues { name: name() });
    assert_eq!(refused(json!({"p": {"choice": []}})), SpaceError::NoChoices { name: name() });
    let twice = refused(json!({"p": {"choice": [1, "a", 1.0]}}));
    assert_eq!(twice, SpaceError::DuplicateChoice { name: name(), choice: json!(1.0) });
    assert!(matches!(refused(json!({"p": {"choice": [[1]]}})), SpaceError::NotScalar { .. }));
    let option = refused(json!({"p": {"choice": [1, 2], "step": 1}}));
    assert_eq!(option, SpaceError::OptionOnChoice { name: name(), option: "step" });
}

#[test]
fn impossible_conditions_are_refused() {
    let with = |when: Value| {
        refused(json!({"a": {"choice": ["x", "y"]}, "f": {"float": [0, 1]}, "p": {"int": [1, 2], "when": when}}))
    };
    assert!(matches!(with(json!({"exit": ["x"]})), SpaceError::UnknownParent { .. }));
    assert!(matches!(with(json!({"f": [0.5]})), SpaceError::ContinuousParent { .. }));
    assert!(matches!(with(json!({"a": ["z"]})), SpaceError::ImpossibleCondition { .. }));
    assert!(matches!(with(json!({"a": []})), SpaceError::EmptyCondition { .. }));
    assert!(matches!(with(json!({"p": [1]})), SpaceError::Cycle { .. }));
    let cycle = refused(json!({
        "a": {"choice": [1, 2], "when": {"b": [1]}}, "b": {"choice": [1, 2], "when": {"a": [1]}}, "c": {"int": [1, 2]},
    }));
    assert_eq!(cycle.to_string(), "the conditions of `a`, `b` wait for each other");
}

#[test]
fn misspelt_and_doubled_names_are_refused() {
    assert!(serde_json::from_str::<SpaceFile>(r#"{"p": {"flaot": [0, 1]}}"#).is_err());
    let twice = serde_json::from_str::<SpaceFile>(r#"{"p": {"float": [0, 1]}, "p": {"float": [0, 2]}}"#);
    assert!(twice.unwrap_err().to_string().contains("parameter `p` is written twice"));
}

#[test]
fn yaml_reads_like_json() {
    let yaml = "stop: {float: [0.5, 6], log: true, when: {exit: [atr]}}\nexit: {choice: [ma, atr]}\n";
    let json =
        json!({"exit": {"choice": ["ma", "atr"]}, "stop": {"float": [0.5, 6], "log": true, "when": {"exit": ["atr"]}}});
    let space: SearchSpace = serde_saphyr::from_str(yaml).unwrap();
    assert_eq!(space, accepted(json));
}

#[test]
fn parents_come_before_their_children_and_groups_share_conditions() {
    let space = accepted(json!({
        "a_len": {"int": [1, 5], "when": {"z_exit": ["ma"]}},
        "b_len": {"int": [1, 5], "when": {"z_exit": ["ma"]}},
        "c": {"float": [0, 1], "when": {"a_len": [2, 3]}},
        "z_exit": {"choice": ["ma", "atr"]},
    }));
    assert_eq!(space.order(), [3, 0, 1, 2]);
    assert_eq!(space.groups(), [vec![3], vec![0, 1], vec![2]]);
    let point = |exit: f64, a: f64| vec![a, 1.0, 0.5, exit];
    assert!(space.is_active(2, &point(0.0, 1.0)) && !space.is_active(2, &point(0.0, 0.0)));
    assert!(!space.is_active(0, &point(1.0, f64::NAN)) && !space.is_active(2, &point(1.0, f64::NAN)));
}

#[test]
fn grids_end_inside_their_range_and_read_like_decimals() {
    let space = accepted(json!({"p": {"float": [0.1, 0.45], "step": 0.1}, "q": {"int": [1, 10], "step": 4}}));
    let values: Vec<Value> =
        (0..4).map(|cell| space.parameters()[0].distribution.decode(f64::from(cell)).to_json()).collect();
    assert_eq!(values, [json!(0.1), json!(0.2), json!(0.3), json!(0.4)]);
    assert_eq!(space.axes()[1].cells(), Some(3));
    assert_eq!(space.parameters()[1].distribution.decode(2.0), ParamValue::Int(9));
}

#[test]
fn fine_grids_far_from_zero_keep_their_points_apart() {
    for (low, step) in [(1e6, 1e-4), (1e12, 1e-3), (-1e15, 0.5), (1e-9, 1e-12)] {
        let space = accepted(json!({"p": {"float": [low, low + 64.0 * step], "step": step}}));
        for cell in 0..space.axes()[0].cells().unwrap() {
            let params = space.decode(&[cell as f64]);
            assert_eq!(space.encode(&params), Some(vec![cell as f64]), "{low} {step}");
        }
    }
}

#[test]
fn values_outside_the_space_have_no_row() {
    let space = accepted(json!({"a": {"choice": [1, 2]}, "p": {"int": [1, 9], "step": 2, "when": {"a": [2]}}}));
    let row = |a: i64, p: Option<i64>| {
        let mut params = Params::from([("a".to_owned(), ParamValue::Choice(json!(a)))]);
        params.extend(p.map(|p| ("p".to_owned(), ParamValue::Int(p))));
        space.encode(&params)
    };
    assert_eq!(row(2, Some(5)), Some(vec![1.0, 2.0]));
    for (a, p) in [(2, Some(4)), (2, Some(11)), (2, None), (1, Some(5)), (3, None)] {
        assert_eq!(row(a, p), None, "{a} {p:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_and_values_round_trip(shares in prop::collection::vec(0.0..1.0_f64, 5)) {
        let space = accepted(json!({
            "a": {"float": [-3, 7]},
            "b": {"float": [1e-6, 1e3], "log": true},
            "c": {"float": [0.05, 0.95], "step": 0.15},
            "d": {"int": [1, 1000], "log": true},
            "e": {"choice": ["x", true, 3, null]},
        }));
        let point: Vec<f64> = space.axes().iter().zip(&shares).map(|(axis, share)| axis.at_share(*share)).collect();
        let params = space.decode(&point);
        let text = serde_json::to_string(&params).unwrap();
        prop_assert_eq!(serde_json::from_str::<Params>(&text).unwrap(), params.clone());
        let again = space.encode(&params).unwrap();
        for ((x, y), axis) in point.iter().zip(&again).zip(space.axes()) {
            prop_assert!((x - y).abs() <= 1e-12 * x.abs().max(1.0), "{:?}: {} {}", axis, x, y);
        }
        // what is stored is a fixed point: a continued study sees the bits an uninterrupted one saw
        prop_assert_eq!(space.decode(&again), params);
    }

    #[test]
    fn a_checked_space_is_written_as_it_was_read(low in -50_i64..50, width in 1_i64..90, step in 1_i64..9) {
        prop_assume!(step <= width);
        let space = accepted(json!({
            "n": {"int": [low, low + width], "step": step},
            "x": {"float": [low, low + width], "when": {"n": [low]}},
        }));
        let text = serde_json::to_string(&space).unwrap();
        prop_assert_eq!(serde_json::from_str::<SearchSpace>(&text).unwrap(), space);
    }
}
