//! Which parameters mattered, by two measures that answer different questions.
//!
//! fANOVA asks how much of the score's variance over the whole space a parameter explains on its own; PED-ANOVA asks
//! which parameters tell the best tenth of the trials from the rest. On the history of an adaptive sampler, which crowds
//! around good points, they differ, and neither is *the* importance: reports show both.

mod fanova;
mod forest;
mod ped_anova;

use serde::{Deserialize, Serialize};

use crate::base::Seed;

use super::space::{ParamValue, SearchSpace};
use super::study::Direction;
use super::trial::{Trial, TrialState};

/// Below this many complete trials importances are mostly noise.
const FEW_TRIALS: usize = 50;

/// A choice taken by more than this share of the trials leaves the others unexplored.
const LOCKED_SHARE: f64 = 0.8;

/// How much one parameter mattered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// Its name.
    pub parameter: String,
    /// Share of the score's variance that the parameter explains alone, in `[0, 1]`. A conditional parameter is judged
    /// among the trials in which it exists. `None` when the scores there do not vary or are fewer than 4.
    pub fanova: Option<f64>,
    /// Share of the divergence between the best tenth and all trials, summing to 1 over parameters. `None` when fewer
    /// than 2 trials are in the best tenth or nothing diverges.
    pub ped_anova: Option<f64>,
}

/// Why importances should be read with care.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImportanceWarning {
    /// Too few complete trials.
    FewTrials {
        /// How many there are.
        trials: usize,
        /// How many there should be.
        expected: usize,
    },
    /// Nearly all trials have the same choice, so that its effect is hardly seen.
    OneChoice {
        /// The parameter.
        parameter: String,
        /// The choice.
        choice: serde_json::Value,
        /// Its share of the trials in which the parameter exists.
        share: f64,
    },
}

/// Importances of all parameters, and warnings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportanceReport {
    /// By falling fANOVA, then by name.
    pub importances: Vec<Importance>,
    /// What limits them.
    pub warnings: Vec<ImportanceWarning>,
}

/// Complete trials as rows of coordinates, with what is minimised.
struct Sample {
    rows: Vec<Vec<f64>>,
    losses: Vec<f64>,
}

/// Computes both importances from the complete trials. The seed decides the bootstrap samples of the forest.
pub fn importance(space: &SearchSpace, direction: Direction, trials: &[Trial], seed: Seed) -> ImportanceReport {
    let complete: Vec<&Trial> = trials.iter().filter(|trial| trial.state == TrialState::Complete).collect();
    let (rows, losses) =
        complete.iter().filter_map(|trial| Some((space.encode(&trial.params)?, direction.loss(trial.value?)))).unzip();
    let sample = Sample { rows, losses };
    let by_variance = fanova::shares(space, &sample, seed);
    let by_divergence = ped_anova::shares(space, &sample);
    let mut importances: Vec<Importance> = space
        .parameters()
        .iter()
        .zip(by_variance.into_iter().zip(by_divergence))
        .map(|(parameter, (fanova, ped_anova))| Importance { parameter: parameter.name.clone(), fanova, ped_anova })
        .collect();
    importances.sort_by(|a, b| {
        let falling = b.fanova.unwrap_or(-1.0).total_cmp(&a.fanova.unwrap_or(-1.0));
        falling.then_with(|| a.parameter.cmp(&b.parameter))
    });
    let mut warnings = Vec::new();
    if sample.rows.len() < FEW_TRIALS {
        warnings.push(ImportanceWarning::FewTrials { trials: sample.rows.len(), expected: FEW_TRIALS });
    }
    warnings.extend((0..space.dimension()).filter_map(|position| locked(space, &sample, position)));
    ImportanceReport { importances, warnings }
}

/// The choice that nearly all trials have, if there is one.
fn locked(space: &SearchSpace, sample: &Sample, position: usize) -> Option<ImportanceWarning> {
    let parameter = &space.parameters()[position];
    let super::space::Axis::Choice { choices } = space.axes()[position] else { return None };
    let mut counts = vec![0_usize; choices as usize];
    for row in sample.rows.iter().filter(|row| !row[position].is_nan()) {
        counts[row[position] as usize] += 1;
    }
    let total: usize = counts.iter().sum();
    let most = (0..counts.len()).reduce(|best, other| if counts[other] > counts[best] { other } else { best })?;
    let share = counts[most] as f64 / total.max(1) as f64;
    if choices < 2 || share <= LOCKED_SHARE {
        return None;
    }
    let ParamValue::Choice(choice) = parameter.distribution.decode(most as f64) else { return None };
    Some(ImportanceWarning::OneChoice { parameter: parameter.name.clone(), choice, share })
}

#[cfg(test)]
mod tests;
