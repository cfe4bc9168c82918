//! Errors and rank agreement of numeric predictions.
//!
//! Every function takes targets and predictions of equal length and gives `None` when the lengths differ, nothing is
//! there or a value is not finite. No function depends on the order of the rows.

use serde::{Deserialize, Serialize};

use super::sharpe::sharpe_per_period;
use crate::stats::order::midranks;
use crate::stats::sum::{mean, sum};

/// All regression metrics of one set of rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegressionReport {
    /// Number of rows.
    pub rows: usize,
    /// Mean absolute error.
    pub mae: Option<f64>,
    /// Mean squared error.
    pub mse: Option<f64>,
    /// Root of the mean squared error.
    pub rmse: Option<f64>,
    /// Coefficient of determination.
    pub r2: Option<f64>,
    /// Mean of prediction minus target.
    pub bias: Option<f64>,
    /// Pearson correlation.
    pub ic: Option<f64>,
    /// Spearman correlation.
    pub rank_ic: Option<f64>,
}

/// Computes every metric of this module.
pub fn regression_report(targets: &[f64], predictions: &[f64]) -> RegressionReport {
    RegressionReport {
        rows: targets.len(),
        mae: mae(targets, predictions),
        mse: mse(targets, predictions),
        rmse: rmse(targets, predictions),
        r2: r2(targets, predictions),
        bias: bias(targets, predictions),
        ic: pearson(targets, predictions),
        rank_ic: spearman(targets, predictions),
    }
}

/// Computes the mean absolute error, `mean |target - prediction|`.
pub fn mae(targets: &[f64], predictions: &[f64]) -> Option<f64> {
    mean_of(targets, predictions, |target, prediction| (target - prediction).abs())
}

/// Computes the mean squared error, `mean (target - prediction)^2`.
pub fn mse(targets: &[f64], predictions: &[f64]) -> Option<f64> {
    mean_of(targets, predictions, |target, prediction| (target - prediction) * (target - prediction))
}

/// Computes the root of [`mse`], in the units of the target.
pub fn rmse(targets: &[f64], predictions: &[f64]) -> Option<f64> {
    mse(targets, predictions).map(f64::sqrt)
}

/// Computes the mean of `prediction - target`.
pub fn bias(targets: &[f64], predictions: &[f64]) -> Option<f64> {
    mean_of(targets, predictions, |target, prediction| target - prediction).map(|gap| -gap)
}

/// Computes the mean pinball loss at quantile `q`: `q e` for `e = target - prediction >= 0`, else `(q - 1) e`.
pub fn pinball_loss(targets: &[f64], predictions: &[f64], q: f64) -> Option<f64> {
    mean_of(targets, predictions, |target, prediction| {
        let error = target - prediction;
        if error >= 0.0 { q * error } else { (q - 1.0) * error }
    })
}

/// Computes the mean absolute scaled error: the mean absolute error over that of repeating the value `season` rows before in
/// the targets that the model learnt from.
///
/// `mae / mean_{t >= season} |history_t - history_{t - season}|`; `None` when the history is not longer than a season or
/// repeats itself exactly.
///
/// # References
/// Hyndman and Koehler (2006), Another look at measures of forecast accuracy.
pub fn mase(targets: &[f64], predictions: &[f64], history: &[f64], season: usize) -> Option<f64> {
    let season = season.max(1);
    let naive = mae(history.get(season..)?, history.get(..history.len().checked_sub(season)?)?)?;
    let scaled = mae(targets, predictions)? / naive;
    scaled.is_finite().then_some(scaled)
}

/// One score of numeric predictions.
#[derive(Debug)]
pub struct RegressionRow {
    /// Name.
    pub name: &'static str,
    /// Formula.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// When it has no value.
    pub undefined: &'static str,
    /// What it cannot see.
    pub blind: &'static str,
}

const fn row(
    name: &'static str,
    formula: &'static str,
    source: &'static str,
    undefined: &'static str,
    blind: &'static str,
) -> RegressionRow {
    RegressionRow { name, formula, source, undefined, blind }
}

/// Every score of numeric predictions, for the reference page.
pub const REGRESSION: &[RegressionRow] = &[
    row(
        "mae",
        "mean |y - f|",
        "definition",
        "there is no row",
        "that it follows volatility: a rise of 20 % is no drift",
    ),
    row("mse", "mean (y - f)^2", "definition", "there is no row", "all but the few largest errors"),
    row("rmse", "sqrt(mse)", "definition", "there is no row", "all but the few largest errors"),
    row(
        "r2",
        "1 - sum (y - f)^2 / sum (y - mean y)^2",
        "definition",
        "fewer than 2 rows",
        "that the mean of these rows was not known before",
    ),
    row("bias", "mean (f - y)", "definition", "there is no row", "errors that cancel"),
    row(
        "mase",
        "mae / mean |y_t - y_(t-m)| of the history",
        "Hyndman and Koehler (2006)",
        "the history repeats itself",
        "another scale of the rows that are scored",
    ),
    row(
        "pinball",
        "mean max(q e, (q - 1) e), e = y - f",
        "Koenker and Bassett (1978)",
        "there is no row",
        "every quantile but q",
    ),
    row(
        "ic",
        "Pearson correlation of y and f",
        "definition",
        "a side is constant",
        "scale and level; a few extreme rows decide it",
    ),
    row("rank_ic", "Spearman correlation of y and f", "Spearman (1904)", "a side is constant", "by how much"),
    row(
        "icir",
        "mean of the correlations of dates over their deviation (n - 1)",
        "Grinold and Kahn (1999)",
        "fewer than 2 dates",
        "that correlations of neighbouring dates depend on each other",
    ),
];

/// Computes the coefficient of determination, `1 - sum e^2 / sum (target - mean)^2`.
///
/// Constant targets follow scikit-learn: 1 when every prediction is exact, else 0. `None` for fewer than 2 rows.
pub fn r2(targets: &[f64], predictions: &[f64]) -> Option<f64> {
    if targets.len() < 2 {
        return None;
    }
    let residual = mse(targets, predictions)? * targets.len() as f64;
    let centre = mean(targets)?;
    let total = sum(targets.iter().map(|target| (target - centre) * (target - centre)));
    if residual == 0.0 {
        return Some(1.0);
    }
    Some(if constant(targets) || total == 0.0 { 0.0 } else { 1.0 - residual / total })
}

/// Computes the Pearson correlation (information coefficient); `None` when a side is constant or has fewer than 2 rows.
pub fn pearson(targets: &[f64], predictions: &[f64]) -> Option<f64> {
    checked(targets, predictions)?;
    if targets.len() < 2 || constant(targets) || constant(predictions) {
        return None;
    }
    let (target_mean, prediction_mean) = (mean(targets)?, mean(predictions)?);
    let product = sum(targets.iter().zip(predictions).map(|(t, p)| (t - target_mean) * (p - prediction_mean)));
    let target_squares = sum(targets.iter().map(|t| (t - target_mean) * (t - target_mean)));
    let prediction_squares = sum(predictions.iter().map(|p| (p - prediction_mean) * (p - prediction_mean)));
    // two roots: the product of two tiny sums of squares can underflow
    let correlation = product / target_squares.sqrt() / prediction_squares.sqrt();
    correlation.is_finite().then(|| correlation.clamp(-1.0, 1.0))
}

/// Computes the Spearman correlation (rank information coefficient): Pearson of the midranks.
pub fn spearman(targets: &[f64], predictions: &[f64]) -> Option<f64> {
    checked(targets, predictions)?;
    pearson(&midranks(targets), &midranks(predictions))
}

/// Information coefficients of a panel: one correlation across instruments per date, then mean over spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PanelCorrelation {
    /// Dates with a defined Pearson correlation.
    pub dates: usize,
    /// Mean Pearson correlation over dates.
    pub ic_mean: Option<f64>,
    /// Mean Pearson correlation over its standard deviation (divisor n - 1).
    pub icir: Option<f64>,
    /// Mean Spearman correlation over dates.
    pub rank_ic_mean: Option<f64>,
    /// Mean Spearman correlation over its standard deviation (divisor n - 1).
    pub rank_icir: Option<f64>,
}

/// Computes information coefficients date by date; `targets` and `predictions` hold one row of instruments a date.
///
/// Dates without a defined correlation (too few or constant values) are left out.
pub fn panel_correlation<R: AsRef<[f64]>>(targets: &[R], predictions: &[R]) -> PanelCorrelation {
    let by_date = |correlation: fn(&[f64], &[f64]) -> Option<f64>| -> Vec<f64> {
        targets.iter().zip(predictions).filter_map(|(y, f)| correlation(y.as_ref(), f.as_ref())).collect()
    };
    let (linear, ranked) = (by_date(pearson), by_date(spearman));
    PanelCorrelation {
        dates: linear.len(),
        ic_mean: mean(&linear),
        icir: sharpe_per_period(&linear),
        rank_ic_mean: mean(&ranked),
        rank_icir: sharpe_per_period(&ranked),
    }
}

fn mean_of(targets: &[f64], predictions: &[f64], loss: impl Fn(f64, f64) -> f64) -> Option<f64> {
    checked(targets, predictions)?;
    let total = sum(targets.iter().zip(predictions).map(|(target, prediction)| loss(*target, *prediction)));
    Some(total / targets.len() as f64)
}

fn checked(targets: &[f64], predictions: &[f64]) -> Option<()> {
    let usable = !targets.is_empty()
        && targets.len() == predictions.len()
        && targets.iter().chain(predictions).all(|value| value.is_finite());
    usable.then_some(())
}

fn constant(values: &[f64]) -> bool {
    values.iter().all(|value| *value == values[0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::golden::{agrees, cases, numbers};

    #[test]
    fn every_metric_agrees_with_scikit_learn_and_scipy() {
        for case in cases("stats/regression.json").iter().filter(|case| case["input"].get("y").is_some()) {
            let (y, f) = (numbers(&case["input"]["y"]), numbers(&case["input"]["f"]));
            let report = regression_report(&y, &f);
            for (key, ours) in [
                ("mae", report.mae),
                ("mse", report.mse),
                ("rmse", report.rmse),
                ("r2", report.r2),
                ("bias", report.bias),
                ("ic_pearson", report.ic),
                ("rank_ic_spearman", report.rank_ic),
                ("pinball_0_1", pinball_loss(&y, &f, 0.1)),
                ("pinball_0_9", pinball_loss(&y, &f, 0.9)),
            ] {
                agrees(&format!("{} {key}", case["name"]), ours, &case["expect"][key], 1e-15, 1e-10);
            }
        }
    }

    #[test]
    fn panels_agree_with_scipy() {
        let all = cases("stats/regression.json");
        let case = all.iter().find(|case| case["name"] == "panel_ic").unwrap();
        let rows = |key: &str| case["input"][key].as_array().unwrap().iter().map(numbers).collect::<Vec<_>>();
        let ours = panel_correlation(&rows("Y"), &rows("F"));
        for (key, ours) in [
            ("ic_mean", ours.ic_mean),
            ("icir_ddof1", ours.icir),
            ("rank_ic_mean", ours.rank_ic_mean),
            ("rank_icir_ddof1", ours.rank_icir),
        ] {
            agrees(key, ours, &case["expect"][key], 0.0, 1e-10);
        }
    }

    #[test]
    fn the_naive_forecast_of_its_own_history_scores_one() {
        let history = [1.0, 3.0, 2.0, 5.0, 4.0, 8.0];
        let one = mase(&history[1..], &history[..5], &history, 1).unwrap();
        let two = mase(&history[2..], &history[..4], &history, 2).unwrap();
        assert!((one - 1.0).abs() < 1e-15 && (two - 1.0).abs() < 1e-15);
        // mae 1 over a mean change of (2 + 1 + 3 + 1 + 4) / 5
        assert_eq!(mase(&[1.0, 2.0], &[2.0, 3.0], &history, 1), Some(1.0 / 2.2));
        assert_eq!((mase(&[1.0], &[1.0], &[5.0; 9], 1), mase(&[1.0], &[1.0], &[5.0], 1)), (None, None));
    }

    #[test]
    fn unusable_rows_leave_everything_undefined() {
        for (y, f) in [(&[][..], &[][..]), (&[1.0], &[1.0, 2.0]), (&[1.0, f64::NAN], &[1.0, 2.0])] {
            assert_eq!((mae(y, f), mse(y, f), r2(y, f), spearman(y, f)), (None, None, None, None));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rank_agreement_survives_a_monotone_transform(
            rows in prop::collection::vec((-5.0..5.0_f64, -5.0..5.0_f64), 3..50),
        ) {
            let (y, f): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
            let bent: Vec<f64> = f.iter().map(|x| x.exp()).collect();
            prop_assert_eq!(spearman(&y, &f), spearman(&y, &bent));
            let mirrored: Vec<f64> = f.iter().map(|x| -x).collect();
            if let (Some(there), Some(back)) = (spearman(&y, &f), spearman(&y, &mirrored)) {
                prop_assert!((there + back).abs() < 1e-12);
                prop_assert!((-1.0..=1.0).contains(&there));
            }
        }
    }
}
