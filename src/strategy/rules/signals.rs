//! The signals of a rules file.
//!
//! A bar on which an entry rule is true is a candidate. It is eligible if `eligible` is true and every number that the file
//! asks for is known and means something there: a stop on its side of the close, a target beyond it, a component of the score
//! with a weight. A rule that is null has not fired. A bar that says both long and short is a candidate for neither: it is
//! listed as a long one that is not eligible.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::compile::{RulesStrategy, feature_name, name, score_name};
use super::file::{RulesFile, Sizing};
use crate::expression::Column;
use crate::market::{Bars, Series};
use crate::strategy::score::{Component, set_scores};
use crate::strategy::{
    Candidate, Indicator, IndicatorCache, Side, Signals, Size, StrategyError, SymbolSignals, TrailDistance,
    TrailingStop,
};

/// Bars of the average traded value.
const ADV_BARS: u32 = 20;
/// Bars of the average true range of a candidate whose stop does not measure by one.
const ATR_BARS: u32 = 14;

/// Computes the entry candidates and exit flags of every symbol.
///
/// # Errors
/// Parameters that an expression cannot take (a window of 0), bars without a column that an expression names, weights of the
/// score that are negative.
pub(crate) fn signals(strategy: &RulesStrategy, bars: &Bars, cache: &IndicatorCache) -> Result<Signals, StrategyError> {
    let bound = strategy.bind().map_err(StrategyError::Unbound)?;
    let found = bound.evaluate(bars, Some(cache.columns())).map_err(StrategyError::Bars)?;
    let columns: BTreeMap<String, Vec<Column>> =
        found.into_columns().into_iter().map(|(name, _, columns)| (name, columns)).collect();
    let weights = weights(&strategy.file, &columns)?;
    let own: Vec<(SymbolSignals, Vec<Vec<f64>>)> = bars
        .series
        .par_iter()
        .enumerate()
        .map(|(symbol, series)| {
            Desk { file: &strategy.file, columns: &columns, weights: &weights, symbol, series }.run(cache)
        })
        .collect();
    let (mut symbols, values): (Vec<_>, Vec<_>) = own.into_iter().unzip();
    let components: Vec<Component> = weights
        .iter()
        .enumerate()
        .map(|(at, &weight)| Component { weight, values: values.iter().map(|own| own[at].clone()).collect() })
        .collect();
    set_scores(&mut symbols, &components);
    Ok(Signals { symbols })
}

/// Weight of each component of the score: constants, read at the first bar there is.
fn weights(file: &RulesFile, columns: &BTreeMap<String, Vec<Column>>) -> Result<Vec<f64>, StrategyError> {
    let weight = |index: usize| {
        let own = columns.get(&score_name(index, "weight"));
        let values = own.into_iter().flatten().flat_map(|column| column.iter().copied());
        let (mut least, mut greatest) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            (least, greatest) = (least.min(value), greatest.max(value));
        }
        if least == greatest && least >= 0.0 {
            return Ok(least);
        }
        let found = if least == greatest { least.to_string() } else { "one that changes from bar to bar".to_owned() };
        Err(StrategyError::Unbound(format!("`score.{index}.weight`: expected a constant of 0 or more, found {found}")))
    };
    (0..file.score.len()).map(weight).collect()
}

/// One symbol's columns.
struct Desk<'a> {
    file: &'a RulesFile,
    columns: &'a BTreeMap<String, Vec<Column>>,
    weights: &'a [f64],
    symbol: usize,
    series: &'a Series,
}

impl<'a> Desk<'a> {
    fn column(&self, name: &str) -> Option<&'a [f64]> {
        self.columns.get(name).and_then(|columns| columns.get(self.symbol)).map(|column| column.as_slice())
    }

    /// Candidates and exits, and the value of each component of the score at each candidate.
    fn run(&self, cache: &IndicatorCache) -> (SymbolSignals, Vec<Vec<f64>>) {
        let [long, short] = name::ENTRY.map(|name| self.column(name));
        let fires = |column: Option<&[f64]>, row: usize| column.is_some_and(|column| column[row] == 1.0);
        let rows: Vec<(usize, Side, bool)> = (0..self.series.len())
            .filter_map(|row| match (fires(long, row), fires(short, row)) {
                (false, false) => None,
                (is_long, is_short) => Some((row, if is_long { Side::Long } else { Side::Short }, is_long && is_short)),
            })
            .collect();
        let number = |name: &str| self.column(name);
        let columns = Columns {
            eligible: number(name::ELIGIBLE),
            stop: number(name::STOP),
            stop_atr: number(name::STOP_ATR),
            stop_level: name::STOP_LEVEL.map(number),
            target: number(name::TARGET),
            target_atr: number(name::TARGET_ATR),
            target_level: name::TARGET_LEVEL.map(number),
            trail: number(name::TRAIL),
            break_even: number(name::BREAK_EVEN),
            time_stop: number(name::TIME_STOP),
            tie_break: number(name::TIE_BREAK),
            size: number(name::SIZE),
        };
        let score: Vec<Option<&[f64]>> =
            (0..self.weights.len()).map(|index| self.column(&score_name(index, "value"))).collect();
        let adv20 = cache.get(self.symbol as u32, self.series, Indicator::Adv(ADV_BARS));
        let atr = match columns.stop_atr {
            Some(_) => None,
            None => Some(cache.get(self.symbol as u32, self.series, Indicator::Atr(ATR_BARS))),
        };
        let candidates: Vec<Candidate> = rows
            .iter()
            .map(|&(row, side, is_torn)| {
                let mut candidate = self.candidate(&columns, row, side);
                candidate.adv20 = adv20[row];
                candidate.atr = atr.as_ref().map_or_else(|| value(columns.stop_atr, row), |atr| atr[row]);
                let weighs = self.weights.iter().zip(&score).filter(|(weight, _)| **weight > 0.0);
                let is_ranked = weighs.into_iter().all(|(_, column)| !value(*column, row).is_nan());
                candidate.eligible = candidate.eligible && is_ranked && !is_torn;
                candidate
            })
            .collect();
        let at_rows =
            |column: Option<&[f64]>| -> Vec<f64> { rows.iter().map(|&(row, ..)| value(column, row)).collect() };
        let features = self.file.features.names().map(|feature| at_rows(self.column(&feature_name(feature)))).collect();
        let [exit_long, exit_short] = name::EXIT.map(|name| match self.column(name) {
            Some(column) => column.iter().map(|value| *value == 1.0).collect(),
            None => Vec::new(),
        });
        let trailing = self.column(name::TRAIL_ATR).map(<[f64]>::to_vec).unwrap_or_default();
        let signals = SymbolSignals { candidates, exit_long, exit_short, atr: trailing, features };
        (signals, score.into_iter().map(at_rows).collect())
    }

    /// A candidate, eligible as far as its own numbers say.
    fn candidate(&self, columns: &Columns<'_>, row: usize, side: Side) -> Candidate {
        let (file, close, sign) = (self.file, self.series.close[row], side.sign());
        let mut numbers = Numbers { is_sound: true };
        let stop = file.stop.as_ref().map(|rule| {
            if rule.level.is_some() {
                return value(columns.stop_level[side_index(side)], row);
            }
            let wish = numbers.above_zero(value(columns.stop, row));
            match rule.atr {
                Some(_) => close - sign * wish * value(columns.stop_atr, row),
                None => close * (1.0 - sign * wish),
            }
        });
        if let Some(stop) = stop {
            numbers.above_zero(sign * (close - stop));
        }
        let take_profit = file.take_profit.as_ref().map(|rule| {
            if rule.level.is_some() {
                return value(columns.target_level[side_index(side)], row);
            }
            let wish = numbers.above_zero(value(columns.target, row));
            match (&rule.r, &rule.atr) {
                (Some(_), _) => close + wish * (close - stop.unwrap_or(f64::NAN)),
                (None, Some(_)) => close + sign * wish * value(columns.target_atr, row),
                (None, None) => close * (1.0 + sign * wish),
            }
        });
        if let Some(target) = take_profit {
            numbers.above_zero(sign * (target - close));
        }
        let trailing = file.trailing_stop.as_ref().map(|rule| {
            let wish = numbers.above_zero(value(columns.trail, row));
            let distance = if rule.atr.is_some() { TrailDistance::Atr(wish) } else { TrailDistance::Percent(wish) };
            TrailingStop { distance, from: rule.from }
        });
        let break_even = file.break_even.as_ref().map(|_| numbers.above_zero(value(columns.break_even, row)));
        let time_stop =
            file.time_stop.as_ref().map(|_| numbers.above_zero(value(columns.time_stop, row)).round() as u32);
        let mut wish = || numbers.above_zero(value(columns.size, row));
        let size = match file.sizing {
            Sizing::Risk => Size::Risk,
            Sizing::AllCash => Size::AllCash,
            Sizing::Units(_) => Size::Units(wish()),
            Sizing::Notional(_) => Size::Notional(wish()),
            Sizing::Share(_) => Size::Share(wish()),
        };
        let is_allowed = columns.eligible.is_none_or(|column| column[row] == 1.0);
        Candidate {
            side,
            eligible: is_allowed && numbers.is_sound,
            stop: stop.filter(|stop| !stop.is_nan()),
            take_profit: take_profit.filter(|target| !target.is_nan()),
            trailing: trailing.filter(|_| numbers.is_sound),
            break_even: break_even.filter(|gain| !gain.is_nan()),
            time_stop,
            size,
            clearance: columns.tie_break.map_or(0.0, |column| column[row]),
            ..Candidate::at(self.series.session[row], row as u32)
        }
    }
}

/// What a candidate reads, where the file has it.
struct Columns<'a> {
    eligible: Option<&'a [f64]>,
    stop: Option<&'a [f64]>,
    stop_atr: Option<&'a [f64]>,
    stop_level: [Option<&'a [f64]>; 2],
    target: Option<&'a [f64]>,
    target_atr: Option<&'a [f64]>,
    target_level: [Option<&'a [f64]>; 2],
    trail: Option<&'a [f64]>,
    break_even: Option<&'a [f64]>,
    time_stop: Option<&'a [f64]>,
    tie_break: Option<&'a [f64]>,
    size: Option<&'a [f64]>,
}

/// Whether every number asked for so far means something.
struct Numbers {
    is_sound: bool,
}

impl Numbers {
    /// Takes note of a number that is missing or not above 0.
    fn above_zero(&mut self, number: f64) -> f64 {
        self.is_sound = self.is_sound && number > 0.0;
        number
    }
}

fn value(column: Option<&[f64]>, row: usize) -> f64 {
    column.map_or(f64::NAN, |column| column[row])
}

const fn side_index(side: Side) -> usize {
    match side {
        Side::Long => 0,
        Side::Short => 1,
    }
}
