//! Logistic regression with an L2 penalty, on argmin's L-BFGS.
//!
//! The optimiser minimises the penalised loss divided by the total weight, so that tolerances mean the same for ten rows
//! and for a million. It starts from the base rate, and the result is accepted by its gradient, not by why the optimiser
//! stopped: a line search at the limit of rounding is a success, a large gradient is a typed error.

use argmin::core::{
    CostFunction, Error, Executor, Gradient, IterState, KV, LineSearch, Problem, Solver, State, TerminationStatus,
};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::config::ClassWeight;
use super::error::ModelError;
use super::family::{Estimator, Fitted, Fitting, Predictor, Scratch};
use super::parameter::parameters;
use super::training_set::{Task, TrainingSet};
use super::transform::Standardiser;
use crate::base::CancelToken;
use crate::stats::sum::sum;

parameters! {
    /// Parameters of the logistic regression.
    LogisticConfig {
        /// Strength of the L2 penalty on standardised coefficients: `sum w loss + l2/2 |beta|^2` (1 / C in scikit-learn).
        l2: f64 = 1.0, in 1e-6..=1e9;
        /// Most iterations of the optimiser.
        max_iterations: u64 = 500, in 1..=100_000;
        /// Weighs the classes as they come, or alike.
        class_weight: ClassWeight = ClassWeight::None;
    }
}

/// Largest gradient component of the mean loss that counts as converged, where the penalty does not add to the curvature.
const TOLERANCE: f64 = 1e-6;
/// What the optimiser aims for. Near it the loss no longer changes in its last digit, which is why [`TOLERANCE`] is wider.
const TARGET: f64 = 1e-9;
/// Steps of one line search; a healthy one takes one or two.
const LINE_SEARCH_STEPS: u64 = 30;
/// Corrections that L-BFGS remembers.
const MEMORY: usize = 10;
/// Fresh starts from the best point when the optimiser gives up early.
const RESTARTS: usize = 3;

/// A fitted logistic regression: `p = 1 / (1 + exp(-(intercept + sum coefficient * z)))` of standardised features `z`.
///
/// # NaN
/// A feature that is not finite is imputed with its training median.
///
/// # References
/// Nocedal (1980), *Updating quasi-Newton matrices with limited storage*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogisticModel {
    transform: Standardiser,
    coefficients: Vec<f64>,
    intercept: f64,
    /// Largest gradient component of the mean loss at the solution.
    gradient_norm: f64,
    iterations: u64,
}

impl LogisticModel {
    fn fit(set: &TrainingSet<'_>, config: &LogisticConfig, cancel: &CancelToken) -> Result<Self, ModelError> {
        let weights = set.weights(config.class_weight)?;
        let transform = Standardiser::fit(set.features, &weights);
        let loss = Loss::new(set, &transform, &weights, config.l2, cancel);
        let solution = minimise(&loss, config.max_iterations, cancel)?;
        let (intercept, coefficients) = match solution.parameters.split_last() {
            Some((&intercept, coefficients)) => (intercept, coefficients.to_vec()),
            None => return Err(ModelError::Optimiser("no parameters".to_owned())),
        };
        Ok(Self {
            transform,
            coefficients,
            intercept,
            gradient_norm: solution.gradient_norm,
            iterations: solution.iterations,
        })
    }

    /// Coefficients of the standardised features, in column order.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// Log-odds of a row whose features are all at their training mean.
    pub const fn intercept(&self) -> f64 {
        self.intercept
    }

    /// Largest component of the gradient of the mean loss where the optimiser stopped.
    pub const fn gradient_norm(&self) -> f64 {
        self.gradient_norm
    }

    fn log_odds(&self, row: ArrayView1<'_, f64>) -> f64 {
        let terms = row.iter().enumerate().map(|(j, &value)| self.coefficients[j] * self.transform.apply(j, value));
        self.intercept + terms.sum::<f64>()
    }
}

impl Estimator for LogisticConfig {
    type Model = LogisticModel;

    fn fit(&self, fitting: Fitting<'_>) -> Result<LogisticModel, ModelError> {
        LogisticModel::fit(&fitting.set, self, fitting.cancel)
    }
}

impl Predictor for LogisticModel {
    fn task(&self) -> Task {
        Task::Classification
    }

    fn columns(&self) -> usize {
        self.coefficients.len()
    }

    fn predict(&self, features: ArrayView2<'_, f64>) -> Vec<f64> {
        features.rows().into_iter().map(|row| sigmoid(self.log_odds(row))).collect()
    }

    fn predict_row(&self, row: &[f64], _: &mut Scratch) -> f64 {
        sigmoid(self.log_odds(row.into()))
    }

    fn importance(&self) -> Vec<f64> {
        self.coefficients.iter().map(|coefficient| coefficient.abs()).collect()
    }
}

impl Fitted for LogisticModel {
    fn check_stored(&self) -> Result<(), ModelError> {
        let columns = self.columns();
        let transform = &self.transform;
        let lengths = [transform.columns(), transform.mean.len(), transform.scale.len()];
        if lengths.iter().any(|&length| length != columns) {
            return Err(ModelError::Damaged(format!("{columns} coefficients, transforms of {lengths:?} columns")));
        }
        Ok(())
    }
}

pub(super) fn sigmoid(log_odds: f64) -> f64 {
    if log_odds >= 0.0 {
        1.0 / (1.0 + libm::exp(-log_odds))
    } else {
        let odds = libm::exp(log_odds);
        odds / (1.0 + odds)
    }
}

/// `ln(1 + exp(x))` without overflow.
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

/// Mean penalised loss over standardised rows; parameters are the coefficients, then the intercept.
struct Loss<'a> {
    /// Row-major design without the column of ones.
    design: Vec<f64>,
    columns: usize,
    labels: Vec<f64>,
    /// Weights that sum to 1.
    shares: Vec<f64>,
    /// `l2` divided by the total weight.
    penalty: f64,
    cancel: &'a CancelToken,
}

impl<'a> Loss<'a> {
    fn new(set: &TrainingSet<'_>, transform: &Standardiser, weights: &[f64], l2: f64, cancel: &'a CancelToken) -> Self {
        let total = sum(weights.iter().copied());
        let design = set
            .features
            .rows()
            .into_iter()
            .flat_map(|row| row.into_iter().enumerate().map(|(j, &value)| transform.apply(j, value)))
            .collect();
        Self {
            design,
            columns: set.columns(),
            labels: set.target.to_vec(),
            shares: weights.iter().map(|weight| weight / total).collect(),
            penalty: l2 / total,
            cancel,
        }
    }

    fn start(&self) -> Vec<f64> {
        let base_rate = sum(self.shares.iter().zip(&self.labels).map(|(share, label)| share * label));
        let mut parameters = vec![0.0; self.columns];
        parameters.push(libm::log(base_rate / (1.0 - base_rate)));
        parameters
    }

    fn log_odds(&self, row: &[f64], parameters: &[f64]) -> f64 {
        let slope: f64 = row.iter().zip(parameters).map(|(z, coefficient)| z * coefficient).sum();
        slope + parameters[self.columns]
    }

    fn rows(&self) -> impl Iterator<Item = (&[f64], f64, f64)> {
        let weighed = self.labels.iter().zip(&self.shares);
        self.design.chunks_exact(self.columns).zip(weighed).map(|(row, (&label, &share))| (row, label, share))
    }

    fn value(&self, parameters: &[f64]) -> f64 {
        let loss = sum(self.rows().map(|(row, label, share)| {
            let log_odds = self.log_odds(row, parameters);
            share * (softplus(log_odds) - label * log_odds)
        }));
        let squares: f64 = parameters[..self.columns].iter().map(|beta| beta * beta).sum();
        loss + 0.5 * self.penalty * squares
    }

    fn slope(&self, parameters: &[f64]) -> Vec<f64> {
        let mut gradient: Vec<f64> = parameters.iter().map(|beta| self.penalty * beta).collect();
        gradient[self.columns] = 0.0;
        for (row, label, share) in self.rows() {
            let residual = share * (sigmoid(self.log_odds(row, parameters)) - label);
            for (component, z) in gradient.iter_mut().zip(row) {
                *component += residual * z;
            }
            gradient[self.columns] += residual;
        }
        gradient
    }
}

impl CostFunction for &Loss<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, parameters: &Vec<f64>) -> Result<f64, Error> {
        self.cancel.check()?;
        Ok(self.value(parameters))
    }
}

impl Gradient for &Loss<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, parameters: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.slope(parameters))
    }
}

/// Moré and Thuente's line search with an end: argmin's goes on for ever once rounding hides the slope.
///
/// Running out of steps is an error to L-BFGS, which then stops with its best point; [`minimise`] judges that.
#[derive(Clone)]
struct BoundedLineSearch(MoreThuenteLineSearch<Vec<f64>, Vec<f64>, f64>);

type Iterate = IterState<Vec<f64>, Vec<f64>, (), (), (), f64>;

impl LineSearch<Vec<f64>, f64> for BoundedLineSearch {
    fn search_direction(&mut self, direction: Vec<f64>) {
        self.0.search_direction(direction);
    }

    fn initial_step_length(&mut self, step: f64) -> Result<(), Error> {
        LineSearch::<Vec<f64>, f64>::initial_step_length(&mut self.0, step)
    }
}

impl<O> Solver<O, Iterate> for BoundedLineSearch
where
    O: CostFunction<Param = Vec<f64>, Output = f64> + Gradient<Param = Vec<f64>, Gradient = Vec<f64>>,
{
    fn name(&self) -> &str {
        "bounded line search of More and Thuente"
    }

    fn init(&mut self, problem: &mut Problem<O>, state: Iterate) -> Result<(Iterate, Option<KV>), Error> {
        self.0.init(problem, state)
    }

    fn next_iter(&mut self, problem: &mut Problem<O>, state: Iterate) -> Result<(Iterate, Option<KV>), Error> {
        if state.get_iter() >= LINE_SEARCH_STEPS {
            return Err(Error::msg("line search out of steps"));
        }
        self.0.next_iter(problem, state)
    }

    fn terminate(&mut self, state: &Iterate) -> TerminationStatus {
        Solver::<O, Iterate>::terminate(&mut self.0, state)
    }
}

struct Solution {
    parameters: Vec<f64>,
    gradient_norm: f64,
    iterations: u64,
}

fn minimise(loss: &Loss<'_>, max_iterations: u64, cancel: &CancelToken) -> Result<Solution, ModelError> {
    // a steeper bowl has a larger gradient at the same distance from its bottom
    let tolerance = TOLERANCE * (1.0 + loss.penalty);
    let mut parameters = loss.start();
    let mut iterations = 0;
    let mut gradient_norm = largest(&loss.slope(&parameters));
    for _ in 0..=RESTARTS {
        if gradient_norm <= TARGET || iterations >= max_iterations {
            break;
        }
        let solver = LBFGS::new(BoundedLineSearch(MoreThuenteLineSearch::new()), MEMORY)
            .with_tolerance_grad(TARGET)
            .and_then(|solver| solver.with_tolerance_cost(0.0))
            .map_err(|error| ModelError::Optimiser(error.to_string()))?;
        let run = Executor::new(loss, solver)
            .configure(|state| state.param(parameters.clone()).max_iters(max_iterations - iterations))
            .timer(false)
            .run();
        cancel.check()?;
        let state = run.map_err(|error| ModelError::Optimiser(error.to_string()))?.state;
        iterations += state.get_iter();
        let Some(best) = state.get_best_param() else { break };
        let best_norm = largest(&loss.slope(best));
        if best_norm < gradient_norm {
            gradient_norm = best_norm;
            parameters.clone_from(best);
        }
        if gradient_norm <= tolerance {
            break;
        }
    }
    if gradient_norm <= tolerance {
        Ok(Solution { parameters, gradient_norm, iterations })
    } else {
        Err(ModelError::NotConverged { iterations, gradient_norm, tolerance })
    }
}

/// The largest magnitude; NaN wins, so that a broken gradient never passes for a small one.
fn largest(gradient: &[f64]) -> f64 {
    gradient.iter().fold(0.0, |most: f64, g| if g.is_nan() || most.is_nan() { f64::NAN } else { most.max(g.abs()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixtures::noisy_table;

    #[test]
    fn the_gradient_vanishes_on_any_table() {
        let cancel = CancelToken::new();
        for case in 0..60 {
            let columns = 1 + case as usize % 9;
            let mut table = noisy_table(20 + 10 * case as usize, columns, 1000 + case);
            if case % 3 == 0 {
                // two columns that say the same
                let copy = table.features.column(0).mapv(|x| 3.0 * x + 1.0);
                table.features.column_mut(columns - 1).assign(&copy);
            }
            for l2 in [1e-6, 1e-2, 1.0, 1e4] {
                let model = LogisticModel::fit(&table.set(), &LogisticConfig { l2, ..Default::default() }, &cancel);
                let model = model.unwrap();
                let allowed = 1e-7 * (1.0 + l2 / table.target.len() as f64);
                assert!(model.gradient_norm < allowed && model.iterations < 200, "{case} {l2} {model:?}");
            }
        }
    }

    #[test]
    fn too_few_iterations_are_a_typed_error() {
        let config = LogisticConfig { max_iterations: 1, l2: 1e-3, ..Default::default() };
        let error = LogisticModel::fit(&noisy_table(200, 5, 3).set(), &config, &CancelToken::new()).unwrap_err();
        assert!(matches!(error, ModelError::NotConverged { iterations: 1, .. }), "{error}");
    }

    #[test]
    fn log_odds_of_any_size_give_probabilities() {
        assert_eq!([-1e4, 0.0, 1e4].map(sigmoid), [0.0, 0.5, 1.0]);
        assert_eq!(softplus(1e4), 1e4);
        assert!((softplus(0.0) - std::f64::consts::LN_2).abs() < 1e-15);
    }
}
