//! Reference values of TA-Lib and pandas, computed by expressions.

use super::*;
use crate::indicator::golden::{Table, assert_close, read};
use crate::market::{Bars, Series};

/// The symbols of a reference file as bars; the file's own rows are the calendar.
fn bars(table: &Table) -> Bars {
    let one = |rows: std::ops::Range<usize>| {
        let column = |name: &str| table.slice(name, &rows).to_vec();
        Series {
            symbol: table.symbols[rows.start].clone(),
            session: rows.clone().map(|row| row as u32).collect(),
            open: column("open"),
            high: column("high"),
            low: column("low"),
            close: column("close"),
            volume: column("volume"),
            extra: Default::default(),
        }
    };
    let series = table.blocks().into_iter().map(one).collect();
    Bars { sessions: table.sessions.clone(), series, periods_per_year: 252.0 }
}

fn evaluate(texts: &[(&str, &str)], bars: &Bars) -> Evaluation {
    let definitions: Vec<Definition> = texts.iter().map(|(name, text)| Definition::new(*name, *text)).collect();
    let program = Program::compile(&definitions, &Names::bars()).unwrap_or_else(|errors| panic!("{}", errors[0]));
    program.bind(&ParameterValues::new()).unwrap().evaluate(bars, None).unwrap()
}

/// Every column of the reference file, as an expression.
const TA_LIB: &[(&str, &str)] = &[
    ("sma_20", "sma(close, 20)"),
    ("sma_50", "sma(close, 50)"),
    ("sma_200", "sma(close, 200)"),
    ("ema_12", "ema(close, 12)"),
    ("ema_26", "ema(close, 26)"),
    ("wma_20", "wma(close, 20)"),
    ("dema_20", "dema(close, 20)"),
    ("tema_20", "tema(close, 20)"),
    ("kama_10", "kama(close, 10)"),
    ("rsi_14", "rsi(close, 14)"),
    ("macd_12_26_9", "macd(close, 12, 26, 9)"),
    ("macd_12_26_9_signal", "macd_signal(close)"),
    ("macd_12_26_9_hist", "macd_hist(close)"),
    ("bb_20_2_upper", "bbands_upper(close, 20, 2)"),
    ("bb_20_2_mid", "bbands_middle(close)"),
    ("bb_20_2_lower", "bbands_lower(close)"),
    ("tr", "true_range()"),
    ("atr_14", "atr(14)"),
    ("natr_14", "natr(14)"),
    ("adx_14", "adx(14)"),
    ("adxr_14", "adxr(14)"),
    ("plus_di_14", "plus_di(14)"),
    ("minus_di_14", "minus_di(14)"),
    ("dx_14", "dx(14)"),
    ("stoch_14_3_3_k", "stoch_k(14, 3, 3)"),
    ("stoch_14_3_3_d", "stoch_d()"),
    ("stochf_14_3_k", "stochf_k(14, 3)"),
    ("stochf_14_3_d", "stochf_d()"),
    ("stochrsi_14_14_3_k", "stochrsi_k(close, 14, 14, 3)"),
    ("stochrsi_14_14_3_d", "stochrsi_d(close)"),
    ("willr_14", "willr(14)"),
    ("obv", "obv()"),
    ("ad", "ad()"),
    ("adosc_3_10", "adosc(3, 10)"),
    ("mfi_14", "mfi(14)"),
    ("cci_20", "cci(20)"),
    ("roc_10", "100 * roc(close, 10)"),
    ("mom_10", "delta(close, 10)"),
    ("aroon_25_down", "aroon_down(25)"),
    ("aroon_25_up", "aroon_up(25)"),
    ("aroonosc_25", "aroon_up(25) - aroon_down(25)"),
    ("sar", "sar(0.02, 0.2)"),
    ("ppo_12_26", "ppo(close, 12, 26)"),
    ("trix_15", "trix(close, 15)"),
    ("ultosc_7_14_28", "ultosc(7, 14, 28)"),
    ("cmo_14", "cmo(close, 14)"),
    ("stddev_20", "std(close, 20, ddof=0)"),
    ("linreg_slope_20", "slope(close, 20)"),
    ("bop", "bop()"),
    ("max_20", "max(close, 20)"),
    ("min_20", "min(close, 20)"),
];

#[test]
fn values_equal_those_of_ta_lib() {
    let (input, expected) = (read("indicators/input.parquet"), read("indicators/expected.parquet"));
    let bars = bars(&input);
    let found = evaluate(TA_LIB, &bars);
    let missing: Vec<&String> =
        expected.columns.keys().filter(|name| !TA_LIB.iter().any(|(known, _)| known == name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (symbol, rows) in input.blocks().iter().enumerate() {
        for (name, _) in TA_LIB {
            // TA-Lib's running sums leave up to 1e-12 of 100 where these oscillators are 0
            let floor = if name.starts_with("stoch") { 1e-2 } else { 1e-8 };
            assert_close(name, found.column(name, symbol).unwrap(), expected.slice(name, rows), 1e-9, floor);
        }
    }
}

/// Every column of the reference file, as an expression.
const PANDAS: &[(&str, &str)] = &[
    ("log_ret_1", "log_return(close)"),
    ("log_ret_lag_1", "lag(log_return(close), 1)"),
    ("log_ret_lag_2", "lag(log_return(close), 2)"),
    ("log_ret_lag_3", "lag(log_return(close), 3)"),
    ("log_ret_lag_5", "lag(log_return(close), 5)"),
    ("log_ret_lag_10", "lag(log_return(close), 10)"),
    ("ret_5", "close / lag(close, 5) - 1"),
    ("ret_10", "roc(close, 10)"),
    ("ret_20", "delta(close, 20) / lag(close, 20)"),
    ("vol_20", "std(log_return(close), 20)"),
    ("skew_20", "skew(log_return(close), 20)"),
    ("kurt_20", "kurt(log_return(close), 20)"),
    ("zscore_20", "zscore(close, 20)"),
    ("ewm_vol_094", "ewm_vol(close, 0.94)"),
    ("parkinson_20", "sqrt(mean(log(high / low)^2, 20) / (4 * log(2)))"),
    ("garman_klass_20", "garman_klass(20)"),
    ("max_dd_60", "min(close / max(close, 60) - 1, 60)"),
    ("dist_high_252", "close / max(high, 252) - 1"),
    ("dist_sma_50", "close / sma(close, 50) - 1"),
    ("vol_ratio_20", "volume / mean(volume, 20)"),
    ("vwap_20", "sum(typical() * volume, 20) / sum(volume, 20)"),
    ("amihud_20", "1e6 * mean(abs(log_return(close)) / (close * volume), 20)"),
    ("corr_ret_dlogv_20", "corr(log_return(close), delta(log(volume), 1), 20)"),
    ("hl_range", "(high - low) / close"),
    ("close_pos", "(close - low) / (high - low)"),
    ("gap", "open / lag(close, 1) - 1"),
    ("dow_sin", "cycle_sin(weekday(), 7)"),
    ("dow_cos", "cos(2 * pi * weekday() / 7)"),
    ("month_sin", "cycle_sin(month() - 1, 12)"),
    ("month_cos", "cycle_cos(month() - 1, 12)"),
];

#[test]
fn values_equal_those_of_pandas() {
    let (input, expected) = (read("features/input.parquet"), read("features/expected.parquet"));
    let bars = bars(&input);
    let missing: Vec<&String> =
        expected.columns.keys().filter(|name| !PANDAS.iter().any(|(known, _)| known == name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let found = evaluate(PANDAS, &bars);
    for (symbol, rows) in input.blocks().iter().enumerate() {
        for (name, _) in PANDAS {
            assert_close(name, found.column(name, symbol).unwrap(), expected.slice(name, rows), 1e-9, 1e-9);
        }
    }
}
