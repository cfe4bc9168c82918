//! The contract every row of the table keeps, and the reference values of TA-Lib.

use super::golden::{assert_close, read};
use super::*;
use proptest::prelude::*;

/// Owned bars of one symbol.
#[derive(Clone, Debug)]
struct Market {
    columns: [Vec<f64>; 5],
}

impl Market {
    fn view(&self) -> Ohlcv<'_> {
        let [open, high, low, close, volume] = &self.columns;
        Ohlcv { open, high, low, close, volume }
    }

    fn map(&self, change: impl Fn(usize, usize, f64) -> f64) -> Self {
        let mut copy = self.clone();
        for (column, values) in copy.columns.iter_mut().enumerate() {
            values.iter_mut().enumerate().for_each(|(row, value)| *value = change(column, row, *value));
        }
        copy
    }

    fn cut(&self, length: usize) -> Self {
        Self { columns: self.columns.each_ref().map(|column| column[..length.min(column.len())].to_vec()) }
    }

    fn microsoft() -> Self {
        let table = read("indicators/input.parquet");
        let rows = &table.blocks()[0];
        Self { columns: ["open", "high", "low", "close", "volume"].map(|name| table.slice(name, rows).to_vec()) }
    }
}

prop_compose! {
    fn markets()(steps in prop::collection::vec((-0.05..0.05_f64, 0.0..0.03_f64, 0.0..0.03_f64, -0.01..0.01_f64, 0u32..5000), 0..140)) -> Market {
        let mut columns: [Vec<f64>; 5] = Default::default();
        let mut price: f64 = 40.0;
        for (step, above, below, gap, volume) in steps {
            let open = price * (1.0 + gap);
            price *= 1.0 + step;
            let (high, low) = (open.max(price) * (1.0 + above), open.min(price) * (1.0 - below));
            for (column, value) in columns.iter_mut().zip([open, high, low, price, f64::from(volume)]) {
                column.push(value);
            }
        }
        Market { columns }
    }
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| if value.is_nan() { u64::MAX } else { value.to_bits() }).collect()
}

/// Short periods, so that small markets get past every warm-up; the other parameters keep their defaults.
fn short(indicator: &Indicator) -> Vec<f64> {
    let shrink = |parameter: &Parameter| {
        if parameter.whole { (parameter.default / 3.0).floor().max(parameter.minimum) } else { parameter.default }
    };
    indicator.parameters.iter().map(shrink).collect()
}

fn each_parameterisation(check: impl Fn(&Indicator, &[f64])) {
    for indicator in INDICATORS {
        check(indicator, &indicator.defaults());
        check(indicator, &short(indicator));
    }
}

#[test]
fn names_are_unique_and_findable() {
    for indicator in INDICATORS {
        assert_eq!(INDICATORS.iter().filter(|other| other.name == indicator.name).count(), 1, "{}", indicator.name);
        assert!(Indicator::named(indicator.name).is_some());
    }
    assert!(Indicator::named("ris").is_none());
}

#[test]
fn length_and_warm_up_are_as_declared() {
    let market = Market::microsoft();
    each_parameterisation(|indicator, values| {
        let columns = indicator.compute(&market.view(), values);
        assert_eq!(columns.len(), indicator.outputs.len(), "{}", indicator.name);
        for column in columns {
            assert_eq!(column.len(), market.columns[0].len(), "{}", indicator.name);
            let first = column.iter().position(|value| !value.is_nan());
            assert_eq!(first, Some((indicator.warm_up)(values)), "`{}` with {values:?}", indicator.name);
            assert!(
                column.iter().skip((indicator.warm_up)(values)).all(|value| value.is_finite()),
                "{}",
                indicator.name
            );
        }
    });
}

#[test]
fn a_changed_future_never_changes_the_past() {
    let market = Market::microsoft();
    each_parameterisation(|indicator, values| {
        let whole = indicator.compute(&market.view(), values);
        for cut in [1, 15, 59, 60, 61, 400, 1299] {
            let truncated = indicator.compute(&market.cut(cut).view(), values);
            let disturbed = indicator
                .compute(&market.map(|_, row, value| if row < cut { value } else { value * 3.0 }).view(), values);
            for output in 0..whole.len() {
                assert_eq!(bits(&whole[output][..cut]), bits(&truncated[output]), "`{}` cut at {cut}", indicator.name);
                assert_eq!(
                    bits(&whole[output][..cut]),
                    bits(&disturbed[output][..cut]),
                    "`{}` changed at {cut}",
                    indicator.name
                );
            }
        }
    });
}

#[test]
fn a_change_of_units_scales_as_declared() {
    let market = Market::microsoft();
    // powers of two scale without rounding: the law holds bit for bit
    let scaled = market.map(|column, _, value| value * if column < 4 { 8.0 } else { 0.25 });
    each_parameterisation(|indicator, values| {
        let factor = 8.0_f64.powi(indicator.scale.price) * 0.25_f64.powi(indicator.scale.volume);
        let (before, after) = (indicator.compute(&market.view(), values), indicator.compute(&scaled.view(), values));
        for (before, after) in before.iter().zip(&after) {
            let expected: Vec<f64> = before.iter().map(|value| value * factor).collect();
            // amihud's constant 1e6 and nothing else rounds
            assert_close(indicator.name, after, &expected, 1e-15, f64::MIN_POSITIVE);
        }
    });
}

#[test]
fn after_a_gap_every_indicator_starts_afresh() {
    let market = Market::microsoft().cut(600);
    let gap = 300;
    let broken = market.map(|_, row, value| if row == gap { f64::NAN } else { value });
    let after = Market { columns: market.columns.each_ref().map(|column| column[gap + 1..].to_vec()) };
    let value_before_gap = ["highest_before", "lowest_before"];
    each_parameterisation(|indicator, values| {
        let columns = indicator.compute(&broken.view(), values);
        let fresh = indicator.compute(&after.view(), values);
        for (column, fresh) in columns.iter().zip(&fresh) {
            assert_eq!(bits(&column[gap + 1..]), bits(fresh), "`{}`", indicator.name);
            assert!(column[gap].is_nan() || value_before_gap.contains(&indicator.name), "`{}`", indicator.name);
        }
    });
}

#[test]
fn nothing_panics_on_short_missing_or_flat_input() {
    let market = Market::microsoft().cut(150);
    let unusual = [
        market.map(|_, _, _| f64::NAN),
        market.map(|_, _, _| 0.0),
        market.map(|_, _, _| 5.0),
        market.map(|_, _, _| -5.0),
        market.map(|column, row, value| if column == row % 7 { f64::INFINITY } else { value }),
        market.map(|_, _, value| value * 1e-300),
    ];
    each_parameterisation(|indicator, values| {
        for length in 0..60 {
            let columns = indicator.compute(&market.cut(length).view(), values);
            assert!(columns.iter().all(|column| column.len() == length), "{}", indicator.name);
        }
        for bars in &unusual {
            for column in indicator.compute(&bars.view(), values) {
                assert_eq!(column.len(), 150);
                assert!(column.iter().all(|value| !value.is_infinite()), "`{}`", indicator.name);
            }
        }
        for meaningless in [0.0, -3.0, 0.5, 1e12, f64::NAN, f64::INFINITY] {
            let wild = vec![meaningless; values.len()];
            let known = (indicator.warm_up)(&wild);
            let columns = indicator.compute(&market.view(), &wild);
            assert!(
                columns.iter().all(|column| column.iter().take(known).all(|value| value.is_nan())),
                "`{}`",
                indicator.name
            );
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn bounded_indicators_stay_in_bounds(market in markets()) {
        let within = |name: &str, low: f64, high: f64| {
            let indicator = Indicator::named(name).unwrap();
            let columns = indicator.compute(&market.view(), &short(indicator));
            let slack = 1e-9 * (high - low);
            columns.iter().flatten().all(|value| value.is_nan() || (low - slack..=high + slack).contains(value))
        };
        for name in ["rsi", "mfi", "stoch", "stochf", "stochrsi", "adx", "adxr", "dx", "plus_di", "minus_di", "aroon", "ultosc"] {
            prop_assert!(within(name, 0.0, 100.0), "{}", name);
        }
        for name in ["cmo", "aroonosc"] {
            prop_assert!(within(name, -100.0, 100.0), "{}", name);
        }
        prop_assert!(within("willr", -100.0, 0.0) && within("bop", -1.0, 1.0));
        prop_assert!(within("efficiency_ratio", 0.0, 1.0) && within("correlation", -1.0, 1.0) && within("max_drawdown", -1.0, 0.0));
    }

    #[test]
    fn truncation_holds_on_any_market(market in markets(), share in 0.0..1.0_f64) {
        let cut = (share * market.columns[0].len() as f64) as usize;
        for indicator in INDICATORS {
            let values = short(indicator);
            let (whole, part) = (indicator.compute(&market.view(), &values), indicator.compute(&market.cut(cut).view(), &values));
            for (whole, part) in whole.iter().zip(&part) {
                prop_assert_eq!(bits(&whole[..cut]), bits(part), "`{}` cut at {}", indicator.name, cut);
            }
        }
    }
}

/// The row, its parameters and its output column that answer to a TA-Lib function.
fn row_of(function: &str, params: &serde_json::Value, output: usize) -> (&'static str, Vec<f64>, usize) {
    let get = |names: &[&str]| {
        names.iter().map(|name| params[name].as_f64().unwrap_or_else(|| panic!("{name}"))).collect::<Vec<_>>()
    };
    let (name, values): (&'static str, Vec<f64>) = match function {
        "MACD" => ("macd", get(&["fastperiod", "slowperiod", "signalperiod"])),
        "BBANDS" => ("bbands", get(&["timeperiod", "nbdevup", "nbdevdn"])),
        "TRANGE" => ("true_range", vec![]),
        "STOCH" => ("stoch", get(&["fastk_period", "slowk_period", "slowd_period"])),
        "STOCHF" => ("stochf", get(&["fastk_period", "fastd_period"])),
        "STOCHRSI" => ("stochrsi", get(&["timeperiod", "fastk_period", "fastd_period"])),
        "OBV" => ("obv", vec![]),
        "AD" => ("ad", vec![]),
        "BOP" => ("bop", vec![]),
        "ADOSC" => ("adosc", get(&["fastperiod", "slowperiod"])),
        "PPO" => ("ppo", get(&["fastperiod", "slowperiod"])),
        "SAR" => ("sar", get(&["acceleration", "maximum"])),
        "ULTOSC" => ("ultosc", get(&["timeperiod1", "timeperiod2", "timeperiod3"])),
        "ROC" => ("roc_percent", get(&["timeperiod"])),
        "LINEARREG_SLOPE" => ("linreg_slope", get(&["timeperiod"])),
        "STDDEV" => ("stddev", get(&["timeperiod"])),
        "MAX" => ("highest", get(&["timeperiod"])),
        "MIN" => ("lowest", get(&["timeperiod"])),
        other => {
            let lower = other.to_lowercase();
            (
                INDICATORS.iter().find(|row| row.name == lower).unwrap_or_else(|| panic!("{other}")).name,
                get(&["timeperiod"]),
            )
        }
    };
    (name, values, output)
}

#[test]
fn values_equal_those_of_ta_lib() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/indicators/spec.json");
    let spec: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (input, expected) = (read("indicators/input.parquet"), read("indicators/expected.parquet"));
    let mut columns = 0;
    for rows in input.blocks() {
        let [open, high, low, close, volume] =
            ["open", "high", "low", "close", "volume"].map(|name| input.slice(name, &rows));
        for case in spec["specs"].as_array().unwrap() {
            let function = case["fn"].as_str().unwrap();
            // the extremes take their series as an argument; TA-Lib was given closes
            let series = if matches!(function, "MAX" | "MIN") {
                Ohlcv { open, high: close, low: close, close, volume }
            } else {
                Ohlcv { open, high, low, close, volume }
            };
            for (output, column) in case["outs"].as_array().unwrap().iter().enumerate() {
                let (name, values, output) = row_of(function, &case["params"], output);
                let found = Indicator::named(name).unwrap().compute(&series, &values);
                let column = column.as_str().unwrap();
                let reference = expected.slice(column, &rows);
                let nulls = reference.iter().position(|value| !value.is_nan());
                assert_eq!(nulls.map(|n| n as u64), case["lead_nulls"][column].as_u64());
                // TA-Lib's running sums leave up to 1e-12 of 100 where these oscillators are 0
                let floor = if column.starts_with("stoch") { 1e-2 } else { 1e-8 };
                assert_close(column, &found[output], reference, 1e-9, floor);
                columns += 1;
            }
        }
    }
    assert_eq!(columns, 2 * 51, "51 columns for each of two symbols");
}
