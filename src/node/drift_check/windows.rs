//! The two windows of a drift check, cut out of what the model was trained on and the signals since.
//!
//! A signal that the model learnt from is represented by the prediction of the fold that did not see it; the final model
//! would judge its own homework. Signals after training are predicted by the model itself, as in production.

use ndarray::{Array2, Axis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::model_artifact::StoredModel;
use super::super::signals::Signals;
use crate::base::{Days, Timestamp};
use crate::drift::{Column, Sample, Scored};
use crate::node::NodeError;

/// Days of a year, so that the same season of another year starts at the same place of the calendar.
const YEAR: f64 = 365.25;

/// Which signals are the current ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CurrentRows {
    /// Signals after the last outcome the model learnt from: for a model in production.
    #[default]
    SinceTraining,
    /// The newest signals the model's folds predicted, against the older ones: for a model just trained.
    Newest,
}

/// What the current window is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Against {
    /// All that the model was trained on: has the market left what the model knows?
    #[default]
    Frozen,
    /// The window just before the current one, as long as it: what changed lately?
    Previous,
    /// The last `against_window` before the current window.
    Rolling,
    /// The same season of the years within `against_window` before: the calendar is not drift.
    Seasonal,
}

/// One side of the comparison.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    pub(super) features: Sample,
    /// Rows whose outcome is known.
    pub(super) scored: Scored,
    /// All rows; those without an outcome have a false label and no R.
    pub(super) all_scores: Scored,
}

/// Both sides.
pub(super) struct Windows {
    pub(super) reference: Side,
    pub(super) current: Side,
}

/// Where the windows begin and end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) current: CurrentRows,
    pub(super) window: Days,
    pub(super) against: Against,
    pub(super) against_window: Days,
    pub(super) as_of: Timestamp,
}

impl Windows {
    /// Cuts the windows.
    pub(super) fn cut(model: &StoredModel, signals: &Signals, cut: Cut, with_symbols: bool) -> Result<Self, NodeError> {
        let timeline = Timeline::new(model, signals, cut.current, with_symbols)?;
        let end = cut.as_of.micros();
        let mut start = cut.as_of.minus(cut.window).micros();
        if cut.current == CurrentRows::SinceTraining {
            start = start.max(model.manifest.trained_until.micros() + 1);
        }
        let stretches = cut.stretches(start, end);
        let is_current = |row: &Row| row.ts >= start && (cut.current == CurrentRows::Newest || row.fresh);
        let is_reference = |row: &Row| match &stretches {
            // everything learnt from, also what reaches into the window of a model that is newer than it
            None => !row.fresh && !is_current(row),
            Some(stretches) => {
                row.ts < start && stretches.iter().any(|(from, until)| (*from..*until).contains(&row.ts))
            }
        };
        Ok(Self { reference: timeline.side(&is_reference), current: timeline.side(&is_current) })
    }
}

impl Cut {
    /// The stretches of time that the reference is taken from; `None` for all that was learnt from.
    fn stretches(&self, start: i64, end: i64) -> Option<Vec<(i64, i64)>> {
        let span = end - start;
        let back = |days: Days| Timestamp::from_micros(start).minus(days).micros();
        match self.against {
            Against::Frozen => None,
            Against::Previous => Some(vec![(start - span, start)]),
            Against::Rolling => Some(vec![(back(self.against_window), start)]),
            Against::Seasonal => {
                let years = (self.against_window.0 as f64 / YEAR).floor() as i64;
                let shift = |year: i64| (year as f64 * YEAR * crate::base::MICROS_PER_DAY as f64) as i64;
                Some((1..=years).map(|year| (start - shift(year), end - shift(year))).collect())
            }
        }
    }
}

/// A signal with what the model says of it.
struct Row {
    ts: i64,
    /// Whether it came after training.
    fresh: bool,
    labelled: bool,
    won: bool,
    probability: f64,
    r: f64,
}

/// Every signal that may stand in a window, in time order.
struct Timeline<'a> {
    names: &'a [String],
    rows: Vec<Row>,
    /// Rows x features.
    matrix: Array2<f64>,
    /// Symbols, where they are looked at.
    symbols: Option<Vec<String>>,
}

impl<'a> Timeline<'a> {
    fn new(
        model: &'a StoredModel,
        signals: &Signals,
        current: CurrentRows,
        with_symbols: bool,
    ) -> Result<Self, NodeError> {
        let record = &model.out_of_fold;
        // by the calibrator of the published model, as current signals are: the folds' own calibrators have other scales
        let calibrated = model.calibrator.apply_all(&record.raw);
        let mut rows: Vec<Row> = (0..record.row.len())
            .map(|row| Row {
                ts: record.ts[row],
                fresh: false,
                labelled: true,
                won: record.win[row],
                probability: calibrated[row],
                r: record.r[row],
            })
            .collect();
        let mut symbols: Vec<String> = record.symbol.clone();
        let mut matrix = model.out_of_fold_features.clone();
        if current == CurrentRows::SinceTraining {
            let trained_until = model.manifest.trained_until.micros();
            let since: Vec<usize> = (0..signals.len()).filter(|&row| signals.ts[row] > trained_until).collect();
            let (_, probability) = model.predict(signals, &since)?;
            let columns = signals.columns_of(&model.schema.features)?;
            rows.extend(since.iter().zip(probability).map(|(&row, probability)| Row {
                ts: signals.ts[row],
                fresh: true,
                labelled: signals.labelled[row],
                won: signals.win[row],
                probability,
                r: signals.r[row],
            }));
            symbols.extend(since.iter().map(|&row| signals.symbol[row].clone()));
            let fresh = signals.matrix.select(Axis(0), &since).select(Axis(1), &columns);
            matrix.append(Axis(0), fresh.view()).map_err(NodeError::failed)?;
        }
        // a signal whose outcome was not known in time is no part of training, though others after it are
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&row| rows[row].ts);
        if order.windows(2).any(|pair| pair[1] < pair[0]) {
            matrix = matrix.select(Axis(0), &order);
            symbols = order.iter().map(|&row| symbols[row].clone()).collect();
            rows.sort_by_key(|row| row.ts);
        }
        Ok(Self { names: &model.schema.features, rows, matrix, symbols: with_symbols.then_some(symbols) })
    }

    fn side(&self, keep: &dyn Fn(&Row) -> bool) -> Side {
        let kept: Vec<usize> = (0..self.rows.len()).filter(|&row| keep(&self.rows[row])).collect();
        let labelled: Vec<usize> = kept.iter().copied().filter(|&row| self.rows[row].labelled).collect();
        let matrix = self.matrix.select(Axis(0), &kept);
        let mut columns: Vec<Column> = self
            .names
            .iter()
            .enumerate()
            .map(|(index, name)| Column::numbers(name.clone(), matrix.column(index).to_vec()))
            .collect();
        if let Some(symbols) = &self.symbols {
            columns.push(Column::words("symbol", kept.iter().map(|&row| symbols[row].as_str())));
        }
        let time = kept.iter().map(|&row| self.rows[row].ts).collect();
        Side { features: Sample { time, columns }, scored: self.scores(&labelled), all_scores: self.scores(&kept) }
    }

    fn scores(&self, kept: &[usize]) -> Scored {
        let of = |row: &usize| &self.rows[*row];
        Scored {
            time: kept.iter().map(|row| of(row).ts).collect(),
            label: kept.iter().map(|row| of(row).won && of(row).labelled).collect(),
            probability: kept.iter().map(|row| of(row).probability).collect(),
            r: kept.iter().map(|row| of(row).r).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(against: Against, against_window: i64) -> Cut {
        let as_of: Timestamp = "2026-07-01".parse().unwrap();
        let (current, window) = (CurrentRows::SinceTraining, Days(90));
        Cut { current, window, against, against_window: Days(against_window), as_of }
    }

    fn dates(cut: Cut) -> Vec<(String, String)> {
        let (start, end) = (cut.as_of.minus(cut.window).micros(), cut.as_of.micros());
        let day = |micros: i64| Timestamp::from_micros(micros).to_string()[..10].to_owned();
        cut.stretches(start, end).unwrap().into_iter().map(|(from, until)| (day(from), day(until))).collect()
    }

    #[test]
    fn each_policy_takes_its_stretch_of_time() {
        let pair = |from: &str, until: &str| (from.to_owned(), until.to_owned());
        assert!(cut(Against::Frozen, 0).stretches(0, 1).is_none());
        assert_eq!(dates(cut(Against::Previous, 0)), [pair("2026-01-02", "2026-04-02")]);
        assert_eq!(dates(cut(Against::Rolling, 30)), [pair("2026-03-03", "2026-04-02")]);
        let seasons = dates(cut(Against::Seasonal, 731));
        assert_eq!(seasons, [pair("2025-04-01", "2025-06-30"), pair("2024-04-01", "2024-06-30")]);
    }
}
