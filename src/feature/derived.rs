//! Features that their formula computes: name, expression, doc.

/// Every feature of the catalogue that is an expression.
pub(super) const DERIVED: &[(&str, &str, &str)] = &[
    ("body", "(close - open) / open", "Move of the bar from its open."),
    ("upper_shadow", "(high - max2(open, close)) / open", "Reach above the body."),
    ("lower_shadow", "(min2(open, close) - low) / open", "Reach below the body."),
    ("dist_sma_20", "close / sma(close, 20) - 1", "Distance from the 20-bar mean."),
    ("macd_line", "macd(close, 12, 26, 9) / close", "Trend, as a fraction of the price."),
    ("macd_signal", "macd_signal(close, 12, 26, 9) / close", "Smoothed trend, as a fraction of the price."),
    ("stoch_k_14", "stoch_k(14, 3, 3)", "Place of the close in the 14-bar range, smoothed, 0..=100."),
    ("stoch_d_14", "stoch_d(14, 3, 3)", "The same, smoothed again."),
    ("willr_14", "willr(14)", "Place of the close below the 14-bar high, -100..=0."),
    ("cci_20", "cci(20)", "Distance of the typical price from its mean, in mean deviations."),
    ("hour_sin", "cycle_sin(hour(), 24)", "Hour on a circle, UTC; the same at every daily bar."),
    ("hour_cos", "cycle_cos(hour(), 24)", "Hour on a circle, UTC; the same at every daily bar."),
    ("day_sin", "cycle_sin(day() - 1, 31)", "Day of the month on a circle."),
    ("day_cos", "cycle_cos(day() - 1, 31)", "Day of the month on a circle."),
    ("vol_ratio_lag_1", "lag(volume / mean(volume, 20), 1)", "Volume against its mean one bar ago."),
    ("vol_ratio_lag_2", "lag(volume / mean(volume, 20), 2)", "Volume against its mean two bars ago."),
    ("vol_ratio_lag_3", "lag(volume / mean(volume, 20), 3)", "Volume against its mean three bars ago."),
    ("vol_ratio_lag_5", "lag(volume / mean(volume, 20), 5)", "Volume against its mean five bars ago."),
    ("vol_ratio_lag_10", "lag(volume / mean(volume, 20), 10)", "Volume against its mean ten bars ago."),
    ("vol_5", "std(log_return(close), 5)", "Volatility a bar over 5 bars."),
    ("vol_10", "std(log_return(close), 10)", "Volatility a bar over 10 bars."),
    ("vol_50", "std(log_return(close), 50)", "Volatility a bar over 50 bars."),
    ("skew_5", "skew(log_return(close), 5)", "Asymmetry of 5 returns."),
    ("skew_10", "skew(log_return(close), 10)", "Asymmetry of 10 returns."),
    ("skew_50", "skew(log_return(close), 50)", "Asymmetry of 50 returns."),
    ("kurt_5", "kurt(log_return(close), 5)", "Weight of the tails of 5 returns."),
    ("kurt_10", "kurt(log_return(close), 10)", "Weight of the tails of 10 returns."),
    ("kurt_50", "kurt(log_return(close), 50)", "Weight of the tails of 50 returns."),
];

/// Features that `lookback_periods` adds for each period `{n}`: name, expression, doc.
pub(super) const PER_PERIOD: &[(&str, &str, &str)] = &[
    ("ret_{n}", "roc(close, {n})", "Return of {n} bars."),
    ("vol_{n}", "std(log_return(close), {n})", "Volatility a bar over {n} bars."),
    ("dist_sma_{n}", "close / sma(close, {n}) - 1", "Distance from the {n}-bar mean."),
    ("zscore_{n}", "zscore(close, {n})", "Standard score of the close among {n}."),
    ("dist_high_{n}", "close / max(high, {n}) - 1", "Distance below the {n}-bar high."),
    ("dist_low_{n}", "close / min(low, {n}) - 1", "Distance above the {n}-bar low."),
    ("vol_ratio_{n}", "volume / mean(volume, {n})", "Volume of the bar against its {n}-bar mean."),
];
