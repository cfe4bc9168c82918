//! Pictures of a study, as SVG: plain shapes and text, the same bytes for the same study.
//!
//! | picture | shows |
//! |---|---|
//! | [`history`] | every score in the order of the trials, and the best so far |
//! | [`slices`] | every score against each parameter |
//! | [`contour`] | the two most important parameters against each other, with the score as colour |
//! | [`parallel`] | each trial as a line through all its values |
//! | [`importances`] | how much each parameter mattered, by both measures |
//!
//! Scores far on the bad side are drawn at the edge: a few disasters would else press all others into a line.

mod contour;
mod history;
mod importances;
mod parallel;
mod picture;
mod slices;

use crate::stats::order::quantile;

use super::importance::ImportanceReport;
use super::space::{Axis, SearchSpace};
use super::study::Direction;
use super::trial::{Trial, TrialState};

pub use picture::short;

/// What pictures are made of.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The space.
    pub space: &'a SearchSpace,
    /// What is better.
    pub direction: Direction,
    /// Every trial, in order.
    pub trials: &'a [Trial],
    /// The best of them.
    pub best: &'a Trial,
    /// Which parameters mattered.
    pub importance: &'a ImportanceReport,
    /// What the score is called.
    pub metric: &'a str,
}

/// The pictures in the order in which they are read: title and name.
pub const TITLES: [(&str, &str); 5] = [
    ("History", "history"),
    ("Slices", "slices"),
    ("Two most important parameters", "contour"),
    ("All parameters", "parallel"),
    ("Importances", "importances"),
];

/// Every picture that the study gives, by name.
pub fn all(view: &View<'_>) -> Vec<(&'static str, String)> {
    let mut pictures = vec![
        ("history", history::draw(view)),
        ("importances", importances::draw(view)),
        ("parallel", parallel::draw(view)),
        ("slices", slices::draw(view)),
    ];
    pictures.extend(contour::draw(view).map(|picture| ("contour", picture)));
    pictures
}

/// A complete trial as it is drawn.
struct Drawn<'a> {
    trial: &'a Trial,
    score: f64,
    row: Vec<f64>,
}

impl View<'_> {
    /// Complete trials with their rows of coordinates.
    fn complete(&self) -> Vec<Drawn<'_>> {
        let complete = self.trials.iter().filter(|trial| trial.state == TrialState::Complete);
        let drawn = complete
            .filter_map(|trial| Some(Drawn { trial, score: trial.value?, row: self.space.encode(&trial.params)? }));
        drawn.collect()
    }

    /// The range of scores that is drawn: all good ones, and the bad ones but for the last twentieth.
    fn range(&self) -> (f64, f64) {
        let scores: Vec<f64> = self.complete().iter().map(|drawn| drawn.score).collect();
        let ends = match self.direction {
            Direction::Maximize => (quantile(&scores, 0.05), quantile(&scores, 1.0)),
            Direction::Minimize => (quantile(&scores, 0.0), quantile(&scores, 0.95)),
        };
        match ends {
            (Some(low), Some(high)) if high > low => (low, high),
            (Some(low), _) => (low - 0.5, low + 0.5),
            _ => (0.0, 1.0),
        }
    }

    /// How good a score is, from 0 to 1 over the range that is drawn.
    fn goodness(&self, score: f64) -> f64 {
        let (low, high) = self.range();
        let share = ((score - low) / (high - low)).clamp(0.0, 1.0);
        match self.direction {
            Direction::Maximize => share,
            Direction::Minimize => 1.0 - share,
        }
    }
}

impl View<'_> {
    /// The score that is so good: the inverse of `goodness`.
    fn score_at(&self, good: f64) -> f64 {
        let (low, high) = self.range();
        match self.direction {
            Direction::Maximize => low + good * (high - low),
            Direction::Minimize => high - good * (high - low),
        }
    }
}

/// The values at which an axis is labelled: the share of the scale, and the value in words.
fn labels(space: &SearchSpace, parameter: usize) -> Vec<(f64, String)> {
    let axis = &space.axes()[parameter];
    let words = |coordinate: f64| {
        let value = space.parameters()[parameter].distribution.decode(coordinate);
        match value.as_f64() {
            Some(number) => short(number, 3),
            None => value.to_json().as_str().map_or_else(|| value.to_json().to_string(), str::to_owned),
        }
    };
    let coordinates: Vec<f64> = match axis {
        Axis::Choice { choices } if *choices <= 6 => (0..*choices).map(|choice| choice as f64).collect(),
        Axis::Grid { cells, .. } if *cells <= 4 => (0..*cells).map(|cell| cell as f64).collect(),
        _ => [0.0, 0.5, 1.0].map(|share| axis.at_share(share)).to_vec(),
    };
    coordinates.into_iter().map(|coordinate| (axis.share(coordinate), words(coordinate))).collect()
}

#[cfg(test)]
mod tests;
