//! The language by examples: what is read how, what is refused with which words, what is null.

use super::*;
use crate::base::Problem;
use crate::market::{Bars, Series};

fn names() -> Names {
    Names::bars()
        .with_column("vix")
        .with_column("h4.close")
        .with_parameter("fast", Type::Number)
        .with_parameter("channel", Type::Text)
        .with_parameter("strict", Type::Boolean)
}

fn parameters() -> ParameterValues {
    [
        ("fast".to_owned(), ParameterValue::Number(2.0)),
        ("channel".to_owned(), ParameterValue::Text("high".to_owned())),
        ("strict".to_owned(), ParameterValue::Boolean(false)),
    ]
    .into()
}

fn compile(text: &str) -> Result<Program, Vec<ExpressionError>> {
    Program::compile(&[Definition::new("x", text)], &names())
}

fn bind(text: &str) -> Bound {
    compile(text).unwrap_or_else(|errors| panic!("{text}: {}", errors[0])).bind(&parameters()).unwrap()
}

/// Two symbols: A trades in all four sessions, B misses the second.
fn bars() -> Bars {
    let series = |symbol: &str, session: Vec<u32>, close: Vec<f64>| {
        let bars = close.len();
        Series {
            symbol: symbol.to_owned(),
            session,
            open: close.clone(),
            high: close.iter().map(|price| price + 1.0).collect(),
            low: close.iter().map(|price| price - 1.0).collect(),
            volume: vec![10.0; bars],
            extra: [("vix".to_owned(), vec![20.0; bars]), ("h4.close".to_owned(), vec![f64::INFINITY; bars])].into(),
            close,
        }
    };
    Bars {
        sessions: (0..4).map(|day| day * crate::base::MICROS_PER_DAY).collect(),
        series: vec![
            series("A", vec![0, 1, 2, 3], vec![4.0, 2.0, 8.0, 8.0]),
            series("B", vec![0, 2, 3], vec![1.0, 9.0, 8.0]),
        ],
        periods_per_year: 252.0,
    }
}

fn values(text: &str, symbol: usize) -> Vec<Option<f64>> {
    let found = bind(text).evaluate(&bars(), None).unwrap();
    found.column("x", symbol).unwrap().iter().map(|value| (!value.is_nan()).then_some(*value)).collect()
}

fn problems(text: &str) -> Vec<Problem> {
    let errors = match compile(text) {
        Err(errors) => errors,
        Ok(program) => program.bind(&parameters()).err().unwrap_or_default(),
    };
    errors.into_iter().map(|error| error.problem).collect()
}

#[test]
fn operators_bind_as_in_mathematics() {
    for (text, printed) in [
        ("1+2*3", "1 + 2 * 3"),
        ("(1+2)*3", "(1 + 2) * 3"),
        ("1-(2-3)-4", "1 - (2 - 3) - 4"),
        ("-2^2", "-2 ^ 2"),
        ("(-2)^2", "(-2) ^ 2"),
        ("2**-1^2", "2 ^ -1 ^ 2"),
        ("not close>1 && volume>2||open<3", "not close > 1 and volume > 2 or open < 3"),
        ("!(close>1 and open<1)", "not (close > 1 and open < 1)"),
        ("close/lag(close,10)-1", "close / lag(close, 10) - 1"),
        ("rank( roc(close,20) )over date", "rank(roc(close, 20)) over date"),
        ("${p.fast}+p.fast", "p.fast + p.fast"),
        ("macd(close, fast=5)", "macd(close, fast=5)"),
        ("1e-12 + .5 + 20.0", "1e-12 + 0.5 + 20"),
        ("p.channel == 'high'", "p.channel == \"high\""),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), printed, "{text}");
    }
}

#[test]
fn every_problem_has_its_place_and_says_what_was_expected_and_found() {
    let mut told = String::new();
    for text in [
        "",
        "close +",
        "close > 1 > 2",
        "sma(close, 20",
        "close)",
        "close = 3",
        "close[1]",
        "close & open",
        "5 %",
        "1.2.3",
        "1e999",
        "\"high",
        "${fast}",
        "clsoe / open",
        "rsi > 30",
        "fast > 1",
        "p.fats",
        "emaa(close, 10)",
        "zebra(close)",
        "demean(close)",
        "ema(close, 5) over date",
        "rank(close) over night",
        "sma(close)",
        "sma(close, 20, 3)",
        "sma(close, k=20, k=3)",
        "sma(close, window=3)",
        "sma(k=3, close)",
        "hour(1)",
        "sma(close, 2.5)",
        "sma(close, 0)",
        "sma(close, volume)",
        "sma(close, p.fast - 2)",
        "lag(close, -5)",
        "lag(close, p.fast - 3)",
        "quantile(close, 5, 1.5)",
        "close and open",
        "not close",
        "if(close, 1, 2)",
        "if(close > 1, 1, open > 2)",
        "(close > 1) + 1",
        "close == null",
        "p.channel",
        "p.channel == close",
        "count(close, 5)",
        "clsoe + opne",
    ] {
        let found = problems(text);
        assert!(!found.is_empty(), "{text:?} is accepted");
        for Problem { code, message, span, hint, .. } in found {
            assert!(span.start + span.len <= text.len(), "{text}: {span:?}");
            let caret = format!("{}{}", " ".repeat(span.start), "^".repeat(span.len.max(1)));
            told += &format!("{text}\n{caret} {code}: {message}\n");
            told += &hint.map_or_else(String::new, |hint| format!("{} {hint}\n", " ".repeat(span.start)));
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn what_is_read_fits_on_every_stack() {
    let deepest = format!("{}1{}", "abs(".repeat(47), ")".repeat(47));
    let longest = vec!["close"; 128].join(" + ");
    for text in [&deepest, &longest] {
        assert_eq!(parse(text).unwrap().to_string(), *text);
        assert!(bind(text).formula("x").is_some());
    }
    for text in
        ["(".repeat(100_000), "-".repeat(100_000), "not ".repeat(50_000), "1+".repeat(100_000), "abs(".repeat(50_000)]
    {
        let message = parse(&text).unwrap_err().message;
        assert!(message.contains("at most 256 parts") || message.contains("at most 48 levels"), "{message}");
    }
}

#[test]
fn null_is_what_is_not_known_and_what_is_no_number() {
    assert_eq!(values("lag(close, 1)", 0), [None, Some(4.0), Some(2.0), Some(8.0)]);
    assert_eq!(values("1 / (close - 8)", 0), [Some(-0.25), Some(-1.0 / 6.0), None, None]);
    assert_eq!(values("log(2 - close)", 0), [None; 4]);
    assert_eq!(values("h4.close", 0), [None; 4]);
    assert_eq!(values("is_null(lag(close, 1))", 0), [Some(1.0), Some(0.0), Some(0.0), Some(0.0)]);
    assert_eq!(values("coalesce(lag(close, 1), -1)", 0), [Some(-1.0), Some(4.0), Some(2.0), Some(8.0)]);
    assert_eq!(values("if(lag(close, 1) > 3, 1, 0)", 0), [None, Some(1.0), Some(0.0), Some(1.0)]);
    assert_eq!(values("lag(close, 1) > 3 or close > 3", 0), [Some(1.0), Some(1.0), Some(1.0), Some(1.0)]);
    assert_eq!(values("lag(close, 1) > 3 and close > 3", 0), [None, Some(0.0), Some(0.0), Some(1.0)]);
    assert_eq!(values("if(close > 3, null, close)", 0), [None, Some(2.0), None, None]);
}

#[test]
fn channels_exclude_the_current_bar_and_windows_include_it() {
    assert_eq!(values("highest(close, 2)", 0), [None, None, Some(4.0), Some(8.0)]);
    assert_eq!(values("max(close, 2)", 0), [None, Some(4.0), Some(8.0), Some(8.0)]);
    assert_eq!(values("max2(close, 3)", 0), [Some(4.0), Some(3.0), Some(8.0), Some(8.0)]);
    assert_eq!(values("argmax(close, 3)", 0), [None, None, Some(3.0), Some(2.0)]);
}

#[test]
fn a_date_has_the_symbols_that_traded_then() {
    assert_eq!(values("rank(close) over date", 0), [Some(1.0), Some(1.0), Some(0.5), Some(0.75)]);
    assert_eq!(values("rank(close) over date", 1), [Some(0.5), Some(1.0), Some(0.75)]);
    assert_eq!(values("demean(delta(close, 1)) over date", 1), [None, Some((8.0 - 6.0) / 2.0), Some(-0.5)]);
    assert_eq!(values("share(close > 3) over date", 1), [Some(0.5), Some(1.0), Some(1.0)]);
    // over dates upon over dates, with a window between
    assert_eq!(values("rank(delta(rank(close) over date, 1)) over date", 0), [None, Some(1.0), Some(0.5), Some(1.0)]);
}

#[test]
fn parameters_choose_windows_and_rules() {
    assert_eq!(bind("sma(close, p.fast)").formula("x").unwrap(), "sma(close, 2)");
    let choice = bind(
        "highest(if(p.channel == \"high\", high, close), 2 * p.fast + 1) > close or p.strict and rsi(close, 14) > 5",
    );
    assert_eq!(choice.formula("x").unwrap(), "highest(high, 5) > close");
    assert_eq!(choice.look_back(), 5, "the rule that is not taken costs nothing");
    assert_eq!(choice.columns().into_iter().collect::<Vec<_>>(), ["close", "high"]);
    let program = compile("sma(close, p.fast)").unwrap();
    let refused = |values: ParameterValues| program.bind(&values).unwrap_err()[0].to_string();
    assert_eq!(refused(ParameterValues::new()), "`x`, byte 11: the parameter `p.fast` has no value");
    let word = [("fast".to_owned(), ParameterValue::Text("quick".into()))].into();
    assert_eq!(refused(word), "`x`, byte 11: the parameter `p.fast`: expected a number, found a word");
}

#[test]
fn equal_parts_are_one_node_whatever_they_are_called() {
    let program = Program::compile(
        &[
            Definition::new("slow", "mean(close, 10*2)").hidden(),
            Definition::new("a", "close / slow - 1"),
            Definition::new("b", "close/sma(close,20)-1 > a"),
        ],
        &Names::bars(),
    )
    .unwrap();
    let bound = program.bind(&ParameterValues::new()).unwrap();
    assert_eq!(bound.formula("b").unwrap(), "close / sma(close, 20) - 1 > close / sma(close, 20) - 1");
    assert_eq!(program.outputs(), ["a", "b"]);
    assert_eq!(bound.outputs().collect::<Vec<_>>(), [("a", Type::Number), ("b", Type::Boolean)]);
    let cache = ColumnCache::new();
    bound.evaluate(&bars(), Some(&cache)).unwrap();
    assert_eq!(cache.len(), 2, "one mean a symbol");
    bound.evaluate(&bars(), Some(&cache)).unwrap();
    assert_eq!(cache.len(), 2);
}

#[test]
fn a_full_cache_changes_no_value() {
    let bound = bind("sma(close, 2) + rank(close) over date");
    let (none, full) = (ColumnCache::with_limit(0), ColumnCache::new());
    let [a, b, c] =
        [None, Some(&none), Some(&full)].map(|cache| bound.evaluate(&bars(), cache).unwrap().into_columns());
    assert!(none.is_empty() && full.len() == 4);
    let bits = |columns: &[(String, Type, Vec<Column>)]| -> Vec<u64> {
        columns
            .iter()
            .flat_map(|(_, _, columns)| columns)
            .flat_map(|column| column.iter().map(|x| x.to_bits()))
            .collect()
    };
    assert_eq!(bits(&a), bits(&b));
    assert_eq!(bits(&a), bits(&c));
}

#[test]
fn names_are_defined_once_and_before_their_use() {
    let refused = |definitions: &[(&str, &str)]| {
        let definitions: Vec<Definition> =
            definitions.iter().map(|(name, text)| Definition::new(*name, *text).hidden()).collect();
        let errors = Program::compile(&definitions, &Names::bars()).unwrap_err();
        errors.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(refused(&[("a", "1"), ("a", "2")]), ["`a`, byte 0: `a` is defined twice"]);
    assert_eq!(refused(&[("close", "1")]), ["`close`, byte 0: `close` is a column of the bars: expected another name"]);
    assert_eq!(refused(&[("a", "b"), ("b", "1")]).len(), 1);
    assert_eq!(
        refused(&[("a-b", "1")]),
        ["`a-b`, byte 0: expected a name of letters, digits and underscores, found `a-b`"]
    );
    // the second problem would only repeat the first
    assert_eq!(refused(&[("trend", "emaa(close, 3)"), ("a", "close > trend")]).len(), 1);
    let typed = Program::compile(&[Definition::new("entry", "close").boolean()], &Names::bars()).unwrap_err();
    assert_eq!(typed[0].to_string(), "`entry`, byte 0: expected true or false, found a number (compare it: `x > 0`)");
}

#[test]
fn a_label_may_look_ahead_and_says_how_far() {
    let names = Names::bars().with_future();
    let program =
        Program::compile(&[Definition::new("y", "lag(close, -5) / close - 1 + lag(close, 2)")], &names).unwrap();
    let bound = program.bind(&ParameterValues::new()).unwrap();
    assert_eq!((bound.look_ahead(), bound.look_back()), (5, 2));
    assert_eq!(bound.formula("y").unwrap(), "lag(close, -5) / close - 1 + lag(close, 2)");
}

#[test]
fn a_column_that_is_not_there_is_named() {
    let mut bars = bars();
    bars.series[1].extra.remove("vix");
    let error = bind("vix > 20").evaluate(&bars, None).unwrap_err();
    assert_eq!(error.to_string(), "`B` has no column `vix`, expected every symbol to carry what the expressions name");
    assert!(bind("close > 20").evaluate(&bars, None).is_ok(), "only what is read has to be there");
}

#[test]
fn calendar_functions_read_the_start_of_the_bar() {
    // 1970-01-01 was a Thursday
    assert_eq!(values("weekday()", 1), [Some(3.0), Some(5.0), Some(6.0)]);
    assert_eq!(values("day() + 100 * month() + hour()", 0)[3], Some(104.0));
    assert_eq!(values("cycle_sin(day() - 1, 4)", 0).map_close(), [0.0, 1.0, 0.0, -1.0]);
}

trait MapClose {
    fn map_close(self) -> Vec<f64>;
}

impl MapClose for Vec<Option<f64>> {
    /// Values rounded to 12 digits.
    fn map_close(self) -> Vec<f64> {
        self.into_iter().map(|value| (value.unwrap() * 1e12).round() / 1e12 + 0.0).collect()
    }
}
