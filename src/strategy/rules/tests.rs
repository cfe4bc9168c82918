//! Rules files: what they mean, what is refused and where, and that the reference strategy is one of them.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::backtest::{PortfolioRules, simulate};
use crate::base::CancelToken;
use crate::market::{Bars, Series};
use crate::strategy::{
    Candidate, IndicatorCache, Side, Signals, Size, Strategy, StrategyError, StrategyFile, SymbolSignals,
    TrailDistance, signals,
};

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/strategies").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn read(text: &str) -> Strategy {
    Strategy::from_yaml(text).unwrap_or_else(|error| panic!("{error}"))
}

fn rules(body: &str) -> Strategy {
    read(&format!("version: 1\nkind: rules\n{body}"))
}

fn refusal(body: &str) -> String {
    Strategy::from_yaml(&format!("version: 1\nkind: rules\n{body}")).unwrap_err().to_string()
}

fn series(symbol: &str, rows: &[[f64; 4]]) -> Series {
    let column = |at: usize| rows.iter().map(|bar| bar[at]).collect();
    Series {
        symbol: symbol.to_owned(),
        session: (0..rows.len() as u32).collect(),
        open: column(0),
        high: column(1),
        low: column(2),
        close: column(3),
        volume: vec![1e7; rows.len()],
        ..Series::default()
    }
}

fn market(series: Vec<Series>) -> Bars {
    let sessions = series.iter().map(Series::len).max().unwrap_or(0);
    Bars { sessions: (0..sessions as i64).collect(), series, periods_per_year: 252.0 }
}

/// Bars that move as they please around a slow wave.
fn wave(symbol: &str, bars: usize, shift: f64) -> Series {
    let mut close = 100.0;
    let rows: Vec<[f64; 4]> = (0..bars)
        .map(|at| {
            let at = at as f64 + shift;
            let open = close;
            close *= 1.0 + 0.02 * (at / 17.0).sin() + 0.013 * (at * 1.7).sin() + 0.004 * (at * 0.37).cos();
            [open, open.max(close) * 1.004, open.min(close) * 0.996, close]
        })
        .collect();
    series(symbol, &rows)
}

fn of(strategy: &Strategy, bars: &Bars) -> Signals {
    signals(strategy, bars, &IndicatorCache::new()).unwrap()
}

/// Closes as given, highs and lows one unit away.
fn closes(values: &[f64]) -> Bars {
    let bar = |close: &f64| [*close, close + 1.0, close - 1.0, *close];
    market(vec![series("A", &values.iter().map(bar).collect::<Vec<_>>())])
}

fn only(found: Signals) -> SymbolSignals {
    found.symbols.into_iter().next().unwrap()
}

/// What decides a trade, to the bit; the rules file tells its triggers as features.
fn decisions(found: &Signals) -> Vec<Vec<(u32, u32, Side, bool, [u64; 4], Option<u64>)>> {
    let of = |it: &Candidate| {
        let numbers = [it.score, it.clearance, it.adv20, it.atr].map(f64::to_bits);
        (it.session, it.row, it.side, it.eligible, numbers, it.stop.map(f64::to_bits))
    };
    found.symbols.iter().map(|own| own.candidates.iter().map(of).collect()).collect()
}

fn assert_same_strategy(breakout: &Strategy, rules: &Strategy, bars: &Bars) {
    let (one, other) = (of(breakout, bars), of(rules, bars));
    assert_eq!(decisions(&one), decisions(&other));
    for (a, b) in one.symbols.iter().zip(&other.symbols) {
        assert_eq!((&a.exit_long, a.exit_short.len()), (&b.exit_long, b.exit_short.len()));
        for (at, it) in a.candidates.iter().enumerate() {
            let told =
                [f64::from(u8::from(it.fast)), f64::from(u8::from(it.slow)), it.fast_clearance, it.slow_clearance];
            for (feature, told) in b.features.iter().zip(told) {
                // before a channel exists the rule is null, where the flag says that it did not fire
                let is_same = feature[at].to_bits() == told.to_bits() || (feature[at].is_nan() && told == 0.0);
                assert!(is_same || (feature[at].is_nan() && told.is_nan()), "{} against {told}", feature[at]);
            }
        }
    }
    let run = |strategy: &Strategy, found: &Signals| {
        let window = 0..bars.sessions.len() as u32;
        simulate(bars, found, &PortfolioRules::from(strategy), window, None, &CancelToken::new()).unwrap()
    };
    let (one, other) = (run(breakout, &one), run(rules, &other));
    assert_eq!(one.trades, other.trades);
    assert_eq!(one.equity, other.equity);
}

#[test]
fn the_reference_strategy_written_as_rules_trades_the_same_to_the_bit() {
    let bars = market(vec![wave("A", 700, 0.0), wave("B", 700, 40.0), wave("C", 650, 111.0)]);
    let (breakout, rules) = (Strategy::default(), read(&shipped("breakout_rules.yaml")));
    let found = of(&breakout, &bars);
    assert!(found.symbols.iter().flat_map(|own| &own.candidates).filter(|it| it.eligible).count() > 50);
    assert_same_strategy(&breakout, &rules, &bars);
    let other = |paths: [&str; 3]| -> BTreeMap<String, Value> {
        paths.into_iter().map(str::to_owned).zip([json!(3.1), json!(30), json!(0.0)]).collect()
    };
    let of_breakout = other(["exit.hard_stop_atr_mult", "eligibility.trend_ma", "entry.slow_clearance"]);
    let of_rules = other(["parameters.stop_atr", "parameters.trend_ma", "parameters.slow_clearance"]);
    let (breakout, rules) =
        (breakout.with_parameters(&of_breakout).unwrap(), rules.with_parameters(&of_rules).unwrap());
    assert_same_strategy(&breakout, &rules, &bars);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn on_any_bars_the_reference_strategy_is_its_rules(moves in prop::collection::vec((0.95..1.05_f64, 0.97..1.04_f64), 70..140)) {
        let mut close = 100.0;
        let rows: Vec<[f64; 4]> = moves
            .iter()
            .map(|(gap, change)| {
                let open = close * gap;
                close = open * change;
                [open, open.max(close) * 1.01, open.min(close) * 0.99, close]
            })
            .collect();
        assert_same_strategy(&Strategy::default(), &read(&shipped("breakout_rules.yaml")), &market(vec![series("A", &rows)]));
    }
}

#[test]
fn every_shipped_strategy_trades_and_no_rule_of_it_is_idle() {
    let bars = market(vec![wave("A", 900, 0.0), wave("B", 900, 40.0)]);
    for name in ["breakout_rules.yaml", "ma_cross.yaml", "rsi_reversion.yaml", "bollinger.yaml"] {
        let strategy = read(&shipped(name));
        let cache = IndicatorCache::new();
        let found = signals(&strategy, &bars, &cache).unwrap();
        assert!(found.symbols.iter().any(|own| own.candidates.iter().any(|it| it.eligible)), "{name}");
        let codes: Vec<String> = strategy.lints().into_iter().map(|lint| lint.code).collect();
        for code in ["never_true", "unused_parameter", "unused_let", "no_exit"] {
            assert!(!codes.contains(&code.to_owned()), "{name}: {code}");
        }
        assert!(strategy.declared_space().len() >= 3, "{name}");
        // what a registry keeps is the file itself, with the values that were chosen
        let kept = serde_saphyr::to_string(&strategy).unwrap();
        assert_eq!(read(&kept), strategy, "{name}: {kept}");
    }
}

#[test]
fn a_chosen_value_is_the_default_of_the_file_that_is_kept() {
    let values =
        BTreeMap::from([("parameters.fast".to_owned(), json!(33)), ("risk.max_positions".to_owned(), json!(3))]);
    let chosen = read(&shipped("ma_cross.yaml")).with_parameters(&values).unwrap();
    let again = read(&serde_saphyr::to_string(&chosen).unwrap());
    assert_eq!(again.risk().max_positions, 3);
    let bars = market(vec![wave("A", 300, 0.0)]);
    assert_eq!(decisions(&of(&again, &bars)), decisions(&of(&chosen, &bars)));
    assert_ne!(decisions(&of(&again, &bars)), decisions(&of(&read(&shipped("ma_cross.yaml")), &bars)));
}

#[test]
fn a_cut_history_gives_the_same_signals_and_so_does_any_number_of_threads() {
    let (whole, cut) = (700, 520);
    let of_length = |bars: usize| market(vec![wave("A", bars, 0.0), wave("B", bars, 40.0), wave("C", bars, 71.0)]);
    for name in ["breakout_rules.yaml", "ma_cross.yaml", "rsi_reversion.yaml", "bollinger.yaml"] {
        let strategy = read(&shipped(name));
        let with_threads = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            decisions(&pool.install(|| of(&strategy, &of_length(whole))))
        };
        let (one, four) = (with_threads(1), with_threads(4));
        assert_eq!(one, four, "{name}");
        let earlier = decisions(&of(&strategy, &of_length(cut)));
        for (whole, cut) in one.iter().zip(&earlier) {
            assert_eq!(&whole[..cut.len()], &cut[..], "{name}");
            assert!(whole.len() >= cut.len());
        }
    }
}

#[test]
fn the_strategy_of_the_guide_compiles() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/strategies.md");
    let guide = std::fs::read_to_string(path).unwrap();
    let shown: Vec<&str> = guide.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let strategies: Vec<&&str> = shown.iter().filter(|text| text.starts_with("kind: rules")).collect();
    assert!(!strategies.is_empty());
    strategies.into_iter().for_each(|text| drop(read(text)));
}

#[test]
fn stop_target_and_trail_are_measured_from_the_close_and_mirrored() {
    let flat: Vec<f64> = vec![100.0; 30];
    let rest = "trailing_stop: {percent: 0.1}\nbreak_even: 1\ntime_stop: 7\nsizing: {share: 0.25}\n";
    let one = |side: &str, stop: &str, target: &str| {
        let rules = rules(&format!("entry: {{{side}: close > 0}}\nstop: {stop}\ntake_profit: {target}\n{rest}"));
        only(of(&rules, &closes(&flat))).candidates[29]
    };
    let long = one("long", "{percent: 0.05}", "{r: 2}");
    assert_eq!((long.stop, long.take_profit, long.size), (Some(95.0), Some(110.0), Size::Share(0.25)));
    assert_eq!((long.break_even, long.time_stop), (Some(1.0), Some(7)));
    assert!(matches!(long.trailing.unwrap().distance, TrailDistance::Percent(share) if share == 0.1));
    let short = one("short", "{percent: 0.05}", "{r: 2}");
    assert_eq!((short.side, short.stop, short.take_profit), (Side::Short, Some(105.0), Some(90.0)));
    // every true range is 2
    let by_atr = one("short", "{atr: 1.5}", "{atr: 3}");
    assert_eq!((by_atr.stop, by_atr.take_profit), (Some(103.0), Some(94.0)));
    let by_level = one("long", "{level: {long: low - 4}}", "{level: {long: high + 9}}");
    assert_eq!((by_level.stop, by_level.take_profit), (Some(95.0), Some(110.0)));
}

#[test]
fn a_number_that_is_null_or_means_nothing_makes_no_order() {
    let rising: Vec<f64> = (0..30).map(|at| 100.0 + f64::from(at)).collect();
    let eligible = |body: &str| {
        let own = only(of(&rules(&format!("entry: {{long: close > 0}}\n{body}")), &closes(&rising)));
        assert_eq!(own.candidates.len(), 30, "every trigger is listed");
        own.candidates.iter().filter(|it| it.eligible).count()
    };
    assert_eq!(eligible("stop: {percent: 0.1}"), 30);
    assert_eq!(eligible("stop: {atr: 2, period: 10}"), 20);
    assert_eq!(eligible("stop: {percent: 0.1}\neligible: close > sma(close, 5)"), 26);
    assert_eq!(eligible("stop: {level: {long: close + 1}}"), 0);
    assert_eq!(eligible("stop: {percent: 0.1}\ntake_profit: {level: {long: close - 1}}"), 0);
    assert_eq!(eligible("stop: {percent: 0.1}\nscore: [{value: 'roc(close, 10)'}]"), 20);
    assert_eq!(eligible("stop: {percent: 0.1}\nscore: [{value: 'roc(close, 10)', weight: 0}]"), 30);
    assert_eq!(eligible("sizing: {units: close - 110}"), 19);
}

#[test]
fn a_bar_that_says_both_sides_is_a_candidate_for_neither() {
    let torn = rules("entry: {long: close > 0, short: close > 104}\nsizing: all_cash");
    let own = only(of(&torn, &closes(&[100.0, 105.0])));
    assert_eq!(own.candidates.iter().map(|it| it.eligible).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_problem_in_an_expression_is_shown_at_its_place_in_the_file() {
    let plain = refusal("let:\n  fast: smaa(close, 10)\nentry: {long: close > fast}\nsizing: all_cash\n");
    insta::assert_snapshot!(plain);
    let quoted = refusal("entry:\n  long: \"crosses_above(close, hihg)\"\nsizing: all_cash\n");
    insta::assert_snapshot!(quoted);
    let folded = refusal("entry:\n  long: >\n    close > sma(close, 20)\n    and volume > lowe\nsizing: all_cash\n");
    insta::assert_snapshot!(folded);
    let parameter = refusal(
        "parameters: {fast: {type: int, default: 0}}\nentry: {long: 'close > sma(close, p.fast)'}\nstop: {atr: p.slow}\n",
    );
    insta::assert_snapshot!(parameter);
}

#[test]
fn what_has_not_the_shape_of_a_rules_file_is_refused_with_the_key() {
    let cases = [
        ("entry: {long: close > 0}\nstpo: {atr: 2}\n", "did you mean `stop`"),
        ("entry: {}\nsizing: all_cash\n", "expected a rule for `long`, for `short`, or for both"),
        ("entry: {long: close > 0}\n", "`sizing: risk` is measured in the distance to the stop"),
        (
            "entry: {long: close > 0}\nstop: {atr: 2, percent: 0.1}\n",
            "exactly one of atr, percent, level, found atr and percent",
        ),
        ("entry: {long: close > 0}\nstop: {}\n", "found none"),
        ("entry: {long: close > 0}\nstop: {percent: 1.5}\n", "above 0 and below 1, found 1.5"),
        ("entry: {short: close > 0}\nstop: {level: {long: low}}\n", "a level for `short`"),
        ("entry: {long: close > 0}\nsizing: all_cash\ntake_profit: {r: 2}\n", "found no `stop`"),
        ("entry: {long: close}\nsizing: all_cash\n", "expected true or false, found a number"),
        ("entry: {long: 'lag(close, -1) > close'}\nsizing: all_cash\n", "only a label may look ahead"),
        ("entry: {long: sma(close, 5) > close}\nsizing: all_cash\n", "quote an expression that has a comma"),
        (
            "entry: {long: close > 0}\nsizing: all_cash\nrisk: {max_positions: 0}\n",
            "`risk.max_positions` is out of range",
        ),
        ("entry: {long: close > 0}\nsizing: {unit: 3}\n", "unit"),
        (
            "parameters: {a: {type: int, default: 5, range: [10, 20]}}\nentry: {long: close > p.a}\nsizing: all_cash\n",
            "a whole number from 10 to 20, found 5",
        ),
        (
            "parameters: {a: {type: categorical, default: x, values: [y]}}\nentry: {long: p.a == \"y\"}\nsizing: all_cash\n",
            "expected one of \"y\", found \"x\"",
        ),
        (
            "parameters: {a: {type: bool, default: true, step: 1}}\nentry: {long: p.a}\nsizing: all_cash\n",
            "`step` means something for an int or a float only",
        ),
    ];
    for (body, words) in cases {
        let found = refusal(body);
        assert!(found.contains(words), "{body}: {found}");
        assert!(found.contains("^"), "no place is shown: {found}");
    }
}

#[test]
fn a_value_outside_its_declared_range_is_refused_by_path() {
    let strategy = read(&shipped("ma_cross.yaml"));
    let with = |path: &str, value: Value| strategy.with_parameters(&BTreeMap::from([(path.to_owned(), value)]));
    assert!(
        matches!(with("parameters.fast", json!(500)), Err(StrategyError::OutOfRange { path, .. }) if path == "parameters.fast")
    );
    assert!(with("parameters.fast", json!(20.5)).is_err() && with("parameters.fast", json!(20.0)).is_ok());
    let Err(StrategyError::UnknownParameter { suggestions, .. }) = with("parameters.fats", json!(1)) else { panic!() };
    assert!(suggestions.contains(&"parameters.fast".to_owned()), "{suggestions:?}");
    assert!(matches!(with("exit.exit_ma", json!(20)), Err(StrategyError::UnknownParameter { .. })));
    assert!(matches!(with("risk.max_positions", json!("two")), Err(StrategyError::WrongType { .. })));
    assert!(matches!(with("risk.max_positions", json!(0)), Err(StrategyError::OutOfRange { .. })));
}

#[test]
fn trials_share_the_columns_of_equal_parts() {
    let (bars, cache) = (market(vec![wave("A", 400, 0.0), wave("B", 400, 9.0)]), IndicatorCache::new());
    let strategy = read(&shipped("ma_cross.yaml"));
    let try_with = |fast: u32| {
        let values = BTreeMap::from([("parameters.fast".to_owned(), json!(fast))]);
        signals(&strategy.with_parameters(&values).unwrap(), &bars, &cache).unwrap();
        cache.columns().len()
    };
    let (first, second, again) = (try_with(10), try_with(12), try_with(10));
    // the other fast average and its two crosses, for each symbol
    assert_eq!((second - first, again), (2 * 3, second));
}

#[test]
fn an_entry_that_can_never_be_true_is_named_with_the_reason() {
    let why = |entry: &str| {
        let body = format!(
            "parameters: {{low: {{type: float, default: 30}}}}\nlet: {{r: 'rsi(close, 14)'}}\nentry: {{long: '{entry}'}}\nsizing: all_cash\n"
        );
        rules(&body).lints().into_iter().find(|lint| lint.code == "never_true").map(|lint| lint.message)
    };
    assert!(why("r < p.low and close > open and r > 70").unwrap().contains("nothing is left for `rsi(close, 14)`"));
    assert!(why("r > 100").is_some() && why("r < 0").is_some() && why("r >= 100").is_none());
    assert!(why("close > max(high, 20)").unwrap().contains("are `highest`"));
    assert!(why("close < min(low, 20)").is_some() && why("close > highest(high, 20)").is_none());
    assert!(why("close > close").is_some() && why("r < p.low or r > 70").is_none() && why("false").is_some());
}

#[test]
fn what_only_bars_show_is_named_too() {
    let codes = |body: &str| {
        let (bars, cache) = (market(vec![wave("A", 300, 0.0)]), IndicatorCache::new());
        let strategy = rules(body);
        let found = signals(&strategy, &bars, &cache).unwrap();
        strategy.rules().unwrap().lints_on(&bars, &found, &cache).into_iter().map(|lint| lint.code).collect::<Vec<_>>()
    };
    assert_eq!(codes("entry: {long: close > 1e9}\nsizing: all_cash"), ["never_fires"]);
    assert_eq!(codes("entry: {long: close > 0}\neligible: close < 0\nsizing: all_cash"), ["never_eligible"]);
    assert_eq!(codes("entry: {long: close > 0}\nstop: {level: {long: 'sma(close, 5)'}}"), ["stop_beyond_price"]);
    let dead = "let: {slow: 'close > highest(close, 55)', fast: 'close > highest(close, 20)'}\nentry: {long: slow or fast}\nsizing: all_cash";
    assert_eq!(codes(dead), ["dead_trigger"]);
    assert!(codes("entry: {long: close > open}\nsizing: all_cash").is_empty());
}

#[test]
fn an_unused_parameter_and_a_position_without_an_end_are_named() {
    let body = "parameters: {a: {type: int, default: 5}}\nlet: {b: close}\nentry: {long: close > 0}\nsizing: all_cash";
    let codes: Vec<String> = rules(body).lints().into_iter().map(|lint| lint.code).collect();
    for code in ["unused_parameter", "unused_let", "no_exit"] {
        assert!(codes.contains(&code.to_owned()), "{codes:?}");
    }
}

#[test]
fn rules_without_a_text_name_the_keys() {
    let tree = json!({"kind": "rules", "entry": {"long": "close > smaa(close, 3)"}, "sizing": "all_cash"});
    let refusal = serde_json::from_value::<Strategy>(tree).unwrap_err().to_string();
    assert!(refusal.contains("`entry.long`") && refusal.contains("did you mean `sma`"), "{refusal}");
    let breakout = StrategyFile { kind: "rules".to_owned(), ..StrategyFile::default() };
    assert!(matches!(Strategy::try_from(breakout), Err(StrategyError::UnknownKind { .. })));
}
