//! The features of Qlib's Alpha158 (Yang et al., 2020, Qlib: An AI-oriented Quantitative Investment Platform), by its formulas.
//!
//! `1e-12` in a divisor is Qlib's: a bar without range, or a window without volume, has a value and no hole.

use super::set::FeatureSpec;

/// Windows of the operators, in bars.
const WINDOWS: &[u32] = &[5, 10, 20, 30, 60];

const BAR: &[(&str, &str, &str)] = &[
    ("KMID", "(close - open) / open", "Body of the bar."),
    ("KLEN", "(high - low) / open", "Range of the bar."),
    ("KMID2", "(close - open) / (high - low + 1e-12)", "Body as a share of the range."),
    ("KUP", "(high - max2(open, close)) / open", "Upper shadow."),
    ("KUP2", "(high - max2(open, close)) / (high - low + 1e-12)", "Upper shadow as a share of the range."),
    ("KLOW", "(min2(open, close) - low) / open", "Lower shadow."),
    ("KLOW2", "(min2(open, close) - low) / (high - low + 1e-12)", "Lower shadow as a share of the range."),
    ("KSFT", "(2 * close - high - low) / open", "Close against the middle of the range."),
    ("KSFT2", "(2 * close - high - low) / (high - low + 1e-12)", "The same as a share of the range."),
];

const PRICE: &[(&str, &str, &str)] = &[
    ("OPEN0", "open / close", "Open against the close."),
    ("HIGH0", "high / close", "High against the close."),
    ("LOW0", "low / close", "Low against the close."),
    ("VWAP0", "typical() / close", "Typical price against the close, in place of the VWAP of the bar."),
];

/// Operators over a window of `{d}` bars.
pub(super) const OPERATORS: &[(&str, &str, &str)] = &[
    ("ROC", "lag(close, {d}) / close", "Close {d} bars ago against the close."),
    ("MA", "mean(close, {d}) / close", "Mean of {d} closes against the close."),
    ("STD", "std(close, {d}) / close", "Deviation of {d} closes against the close."),
    ("BETA", "slope(close, {d}) / close", "Slope of the line through {d} closes against the close."),
    ("RSQR", "rsquare(close, {d})", "How straight the path of {d} closes is."),
    ("RESI", "resid(close, {d}) / close", "Distance from the line through {d} closes against the close."),
    ("MAX", "max(high, {d}) / close", "Highest of {d} highs against the close."),
    ("MIN", "min(low, {d}) / close", "Lowest of {d} lows against the close."),
    ("QTLU", "quantile(close, {d}, 0.8) / close", "Upper quantile of {d} closes against the close."),
    ("QTLD", "quantile(close, {d}, 0.2) / close", "Lower quantile of {d} closes against the close."),
    ("RANK", "rank(close, {d})", "Place of the close among {d}."),
    (
        "RSV",
        "(close - min(low, {d})) / (max(high, {d}) - min(low, {d}) + 1e-12)",
        "Place of the close in the range of {d} bars.",
    ),
    ("IMAX", "argmax(high, {d}) / {d}", "How lately the highest of {d} highs was."),
    ("IMIN", "argmin(low, {d}) / {d}", "How lately the lowest of {d} lows was."),
    ("IMXD", "(argmax(high, {d}) - argmin(low, {d})) / {d}", "Whether the high or the low of {d} bars came later."),
    ("CORR", "corr(close, log(volume + 1), {d})", "Correlation of close and log volume over {d} bars."),
    (
        "CORD",
        "corr(close / lag(close, 1), log(volume / lag(volume, 1) + 1), {d})",
        "Correlation of the changes of both over {d} bars.",
    ),
    ("CNTP", "share(close > lag(close, 1), {d})", "Share of rises in {d} bars."),
    ("CNTN", "share(close < lag(close, 1), {d})", "Share of falls in {d} bars."),
    ("CNTD", "share(close > lag(close, 1), {d}) - share(close < lag(close, 1), {d})", "Rises less falls in {d} bars."),
    (
        "SUMP",
        "sum(max2(delta(close, 1), 0), {d}) / (sum(abs(delta(close, 1)), {d}) + 1e-12)",
        "Gains as a share of all moves of {d} bars.",
    ),
    (
        "SUMN",
        "sum(max2(-delta(close, 1), 0), {d}) / (sum(abs(delta(close, 1)), {d}) + 1e-12)",
        "Losses as a share of all moves of {d} bars.",
    ),
    (
        "SUMD",
        "(sum(max2(delta(close, 1), 0), {d}) - sum(max2(-delta(close, 1), 0), {d})) / (sum(abs(delta(close, 1)), {d}) + 1e-12)",
        "Gains less losses as a share of all moves of {d} bars.",
    ),
    ("VMA", "mean(volume, {d}) / (volume + 1e-12)", "Mean volume of {d} bars against the volume."),
    ("VSTD", "std(volume, {d}) / (volume + 1e-12)", "Deviation of the volume of {d} bars against the volume."),
    (
        "WVMA",
        "std(abs(close / lag(close, 1) - 1) * volume, {d}) / (mean(abs(close / lag(close, 1) - 1) * volume, {d}) + 1e-12)",
        "Unevenness of moves weighted by volume over {d} bars.",
    ),
    (
        "VSUMP",
        "sum(max2(delta(volume, 1), 0), {d}) / (sum(abs(delta(volume, 1)), {d}) + 1e-12)",
        "Rises of volume as a share of all its changes in {d} bars.",
    ),
    (
        "VSUMN",
        "sum(max2(-delta(volume, 1), 0), {d}) / (sum(abs(delta(volume, 1)), {d}) + 1e-12)",
        "Falls of volume as a share of all its changes in {d} bars.",
    ),
    (
        "VSUMD",
        "(sum(max2(delta(volume, 1), 0), {d}) - sum(max2(-delta(volume, 1), 0), {d})) / (sum(abs(delta(volume, 1)), {d}) + 1e-12)",
        "Rises less falls of volume as a share of all its changes in {d} bars.",
    ),
];

/// Headings with the features below them; column order is Qlib's: every window of one operator before the next operator.
pub(super) fn groups() -> Vec<(&'static str, Vec<FeatureSpec>)> {
    let fixed = |rows: &'static [(&str, &str, &str)]| {
        rows.iter().map(|(name, formula, doc)| FeatureSpec::expression(*name, *formula, *doc)).collect()
    };
    let over = |(name, formula, doc): &(&str, &str, &str), d: u32| {
        let fill = |text: &str| text.replace("{d}", &d.to_string());
        FeatureSpec::expression(format!("{name}{d}"), fill(formula), fill(doc))
    };
    let rolling = OPERATORS.iter().flat_map(|row| WINDOWS.iter().map(move |&d| over(row, d)));
    vec![("The bar", fixed(BAR)), ("Price", fixed(PRICE)), ("Over 5, 10, 20, 30 and 60 bars", rolling.collect())]
}
