//! Laws of the language: round trip, no look-ahead, units, threads, and a text of any kind.

use proptest::prelude::*;

use super::tree::{Argument, Binary, Node, Tree, Unary};
use super::*;
use crate::base::{Located, Seed, Span};
use crate::market::{Bars, Series};

fn of(node: Node) -> Tree {
    Tree { node, span: Span::default() }
}

/// Trees of any shape that can be written, whether they mean something or not.
fn trees() -> impl Strategy<Value = Tree> {
    const NAMES: &[&str] = &["close", "vix", "h4.close", "_x1"];
    const FUNCTIONS: &[&str] = &["sma", "rank", "if", "no_such"];
    const BINARY: &[Binary] = &[
        Binary::Or,
        Binary::And,
        Binary::Equal,
        Binary::NotEqual,
        Binary::Less,
        Binary::LessOrEqual,
        Binary::Greater,
        Binary::GreaterOrEqual,
        Binary::Add,
        Binary::Subtract,
        Binary::Multiply,
        Binary::Divide,
        Binary::Power,
    ];
    let leaf = prop_oneof![
        any::<f64>().prop_filter("a number is finite", |x| x.is_finite()).prop_map(|x| of(Node::Number(x.abs()))),
        (0_u32..1000).prop_map(|x| of(Node::Number(f64::from(x)))),
        any::<bool>().prop_map(|x| of(Node::Boolean(x))),
        Just(of(Node::Null)),
        "[a-z ']{0,5}".prop_map(|x| of(Node::Text(x))),
        prop::sample::select(NAMES).prop_map(|x| of(Node::Name(x.to_owned()))),
        "[a-z]{1,4}[0-9]".prop_map(|x| of(Node::Parameter(x))),
    ];
    leaf.prop_recursive(5, 48, 3, |inner| {
        prop_oneof![
            (any::<bool>(), inner.clone())
                .prop_map(|(not, x)| { of(Node::Unary(if not { Unary::Not } else { Unary::Negative }, Box::new(x))) }),
            (prop::sample::select(BINARY), inner.clone(), inner.clone()).prop_map(|(operator, x, y)| of(Node::Binary(
                operator,
                Box::new(x),
                Box::new(y)
            ))),
            (prop::sample::select(FUNCTIONS), prop::collection::vec((any::<bool>(), inner), 0..3), any::<bool>())
                .prop_map(|(function, arguments, over_date)| {
                    let name = |named: bool| named.then(|| Located::new("k".to_owned(), Span::default()));
                    let arguments = arguments.into_iter().map(|(named, value)| Argument { name: name(named), value });
                    of(Node::Call { function: function.to_owned(), arguments: arguments.collect(), over_date })
                }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_printed_reads_as_the_same_tree(tree in trees()) {
        let text = tree.to_string();
        let read = parse(&text).map_err(|problem| TestCaseError::fail(format!("{text}: {}", problem.message)))?;
        prop_assert_eq!(&read, &tree, "{}", text);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_inside_it(
        pieces in prop::collection::vec(
            prop_oneof![
                "\\PC{0,3}".prop_map(|text| text),
                prop::sample::select(vec![
                    "close", "sma(", "lag(", ")", ",", "1", "-5", "20", "p.fast", "${p.fast}", "over date", " and ", "not ", "<", "==",
                    "+", "*", "^", "rank(", "if(", "null", "k=", "\"a\"", "é", "volume", "true", ".", "e9", "$", "{",
                ]).prop_map(str::to_owned),
            ],
            0..12,
        ),
    ) {
        let text = pieces.concat();
        let names = Names::bars().with_parameter("fast", Type::Number);
        match Program::compile(&[Definition::new("x", text.clone())], &names) {
            Ok(program) => {
                let _ = program.bind(&[("fast".to_owned(), ParameterValue::Number(3.0))].into());
            }
            Err(errors) => {
                for error in errors {
                    let Span { start, len } = error.problem.span;
                    prop_assert!(text.get(start..start + len).is_some(), "{:?}: {:?}", text, error.problem);
                }
            }
        }
    }
}

/// A market of several symbols that do not all trade every day, with gaps in the volume.
fn market(symbols: u32, days: usize) -> Bars {
    let series = (0..symbols).map(|symbol| {
        let mut random = Seed::new(u64::from(symbol) + 7).stream();
        let mut series = Series { symbol: format!("S{symbol:02}"), ..Series::default() };
        let mut price = 40.0 + f64::from(symbol);
        for day in 0..days {
            if random.uniform() < 0.03 {
                continue;
            }
            let open = price * (1.0 + 0.01 * (random.uniform() - 0.5));
            price *= 1.0 + 0.04 * (random.uniform() - 0.5);
            series.session.push(day as u32);
            series.open.push(open);
            series.high.push(open.max(price) * (1.0 + 0.01 * random.uniform()));
            series.low.push(open.min(price) * (1.0 - 0.01 * random.uniform()));
            series.close.push(price);
            let gap = random.uniform() < 0.01;
            series.volume.push(if gap { f64::NAN } else { (1e4 * random.uniform()).round() });
        }
        series
    });
    Bars {
        sessions: (0..days as i64).map(|day| day * crate::base::MICROS_PER_DAY).collect(),
        series: series.collect(),
        periods_per_year: 252.0,
    }
}

/// A call of every function with its smallest sensible arguments, and of every function over a date.
fn every_call() -> Vec<Definition> {
    let argument = |declared: &Declared, place: usize| match declared.kind {
        ArgumentKind::Number if declared.name == "low" => "lag(close, 3)".to_owned(),
        ArgumentKind::Number if declared.name == "period" => "12".to_owned(),
        ArgumentKind::Number if place == 1 => "sma(close, 4)".to_owned(),
        ArgumentKind::Number => "close".to_owned(),
        ArgumentKind::Boolean => "close > lag(close, 2)".to_owned(),
        ArgumentKind::Any => ["close", "volume", "open"][place].to_owned(),
        ArgumentKind::Whole { default, minimum } => {
            default.unwrap_or(6.0).min(6.0 + place as f64).max(minimum).to_string()
        }
        ArgumentKind::Shift => "3".to_owned(),
        ArgumentKind::Real { default, .. } => default.unwrap_or(0.8).to_string(),
    };
    let call = |name: &str, declared: &[Declared]| {
        let arguments = declared.iter().enumerate().map(|(place, declared)| argument(declared, place));
        format!("{name}({})", arguments.collect::<Vec<_>>().join(", "))
    };
    let own = FUNCTIONS.iter().map(|function| Definition::new(function.name, call(function.name, function.arguments)));
    let dated = CROSS_SECTIONS.iter().map(|function| {
        Definition::new(
            format!("{} over date", function.name),
            format!("{} over date", call(function.name, function.arguments)),
        )
    });
    own.chain(dated).collect()
}

fn bound(definitions: &[Definition]) -> Bound {
    let program = Program::compile(definitions, &Names::bars()).unwrap_or_else(|errors| panic!("{}", errors[0]));
    program.bind(&ParameterValues::new()).unwrap()
}

fn bits(column: &[f64]) -> Vec<u64> {
    column.iter().map(|value| if value.is_nan() { u64::MAX } else { value.to_bits() }).collect()
}

#[test]
fn the_proof_and_the_experiment_agree_that_nothing_looks_ahead() {
    let bars = market(6, 300);
    let bound = bound(&every_call());
    assert_eq!(bound.look_ahead(), 0);
    let whole = bound.evaluate(&bars, None).unwrap();
    for sessions in [0, 1, 2, 13, 64, 150, 299, 300] {
        let kept = bars.first_sessions(sessions);
        let part = bound.evaluate(&kept, None).unwrap();
        for (name, _) in bound.outputs() {
            for (symbol, series) in kept.series.iter().enumerate() {
                let (whole, part) = (whole.column(name, symbol).unwrap(), part.column(name, symbol).unwrap());
                assert_eq!(bits(&whole[..series.len()]), bits(part), "`{name}` of {} cut at {sessions}", series.symbol);
            }
        }
    }
}

#[test]
fn the_first_known_row_is_the_computed_look_back() {
    let mut bars = market(1, 400);
    bars.series[0].volume.iter_mut().for_each(|volume| *volume = if volume.is_nan() { 500.0 } else { *volume + 1.0 });
    // a test that has not been true yet, a null that is answered, a spread of one symbol
    const OTHERWISE: &[&str] = &["bars_since", "coalesce", "is_null", "zscore over date", "std over date"];
    let bound = bound(&every_call());
    let found = bound.evaluate(&bars, None).unwrap();
    for (name, _) in bound.outputs().filter(|(name, _)| !OTHERWISE.contains(name)) {
        let column = found.column(name, 0).unwrap();
        let first = column.iter().position(|value| !value.is_nan());
        assert_eq!(first, bound.look_back_of(name), "`{name}`");
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let bars = market(9, 700);
    let bound = bound(&every_call());
    let all = |threads: usize| -> Vec<u64> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| bound.evaluate(&bars, None).unwrap());
        found.into_columns().iter().flat_map(|(_, _, columns)| columns).flat_map(|column| bits(column)).collect()
    };
    let one = all(1);
    assert!(one == all(2) && one == all(5));
}

#[test]
fn nothing_panics_and_nothing_is_infinite_on_short_flat_or_missing_bars() {
    let bound = bound(&every_call());
    let unusual = |change: fn(f64, usize) -> f64| {
        let mut bars = market(3, 90);
        for series in &mut bars.series {
            for column in [&mut series.open, &mut series.high, &mut series.low, &mut series.close, &mut series.volume] {
                column.iter_mut().enumerate().for_each(|(row, value)| *value = change(*value, row));
            }
        }
        bars
    };
    let mut markets: Vec<Bars> = (0..30).map(|days| market(2, days)).collect();
    markets.push(Bars::default());
    markets.extend([
        unusual(|_, _| f64::NAN),
        unusual(|_, _| 0.0),
        unusual(|_, _| 5.0),
        unusual(|value, _| -value),
        unusual(|value, _| value * 1e-300),
        unusual(|value, _| value * 1e300),
        unusual(|value, row| if row % 5 == 0 { f64::INFINITY } else { value }),
    ]);
    for bars in &markets {
        for (name, _, columns) in bound.evaluate(bars, None).unwrap().into_columns() {
            for (series, column) in bars.series.iter().zip(columns) {
                assert_eq!(column.len(), series.len(), "`{name}`");
                assert!(column.iter().all(|value| !value.is_infinite()), "`{name}`");
            }
        }
    }
}

/// What each of these becomes when prices are multiplied by 4: a power of two, so that the law holds bit for bit.
#[test]
fn values_follow_the_units_of_price() {
    let bars = market(3, 200);
    let mut scaled = bars.clone();
    for series in &mut scaled.series {
        for column in [&mut series.open, &mut series.high, &mut series.low, &mut series.close] {
            column.iter_mut().for_each(|price| *price *= 4.0);
        }
    }
    let factors = [
        ("sma(close, 5) - ema(close, 7)", 4.0),
        ("highest(high, 20) - lowest(low, 20)", 4.0),
        ("std(close, 10) + atr(5) + resid(close, 9) + mad(close, 4)", 4.0),
        ("bbands_upper(close, 20, 2) - quantile(close, 5, 0.3)", 4.0),
        ("slope(close, 8)^2", 16.0),
        ("roc(close, 5) + rsi(close, 4) / 7 + zscore(close, 9) + corr(close, volume, 6)", 1.0),
        ("rank(close, 9) + argmax(high, 5) + adx(4) + skew(close, 8) + rsquare(close, 5)", 1.0),
        ("close > highest(high, 20) * 1.01", 1.0),
        ("rank(roc(close, 5)) over date", 1.0),
        ("demean(close) over date", 4.0),
    ];
    let definitions: Vec<Definition> = factors.iter().map(|(text, _)| Definition::new(*text, *text)).collect();
    let bound = bound(&definitions);
    let (before, after) = (bound.evaluate(&bars, None).unwrap(), bound.evaluate(&scaled, None).unwrap());
    for (text, factor) in factors {
        for symbol in 0..3 {
            let expected: Vec<f64> = before.column(text, symbol).unwrap().iter().map(|value| value * factor).collect();
            assert!(expected.iter().any(|value| !value.is_nan()), "{text}");
            assert_eq!(bits(after.column(text, symbol).unwrap()), bits(&expected), "{text}");
        }
    }
}
