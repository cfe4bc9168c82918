//! L-BFGS, for a loss with a slope everywhere.

use argmin::core::{
    CostFunction, Error, Executor, Gradient, IterState, KV, LineSearch, Problem, Solver, State, TerminationStatus,
};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

use super::loss::Loss;
use crate::base::CancelToken;
use crate::model::error::ModelError;

/// Largest gradient component of the mean loss that counts as converged, where the penalty does not add to the curvature.
pub(super) const TOLERANCE: f64 = 1e-6;
/// What the optimiser aims for. Near it the loss no longer changes in its last digit, which is why [`TOLERANCE`] is wider.
pub(super) const TARGET: f64 = 1e-9;
/// Steps of one line search; a healthy one takes one or two.
const LINE_SEARCH_STEPS: u64 = 30;
/// Corrections that L-BFGS remembers.
const MEMORY: usize = 10;
/// Fresh starts from the best point when the optimiser gives up early.
const RESTARTS: usize = 3;

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

pub(super) struct Solution {
    pub parameters: Vec<f64>,
    /// Largest component of the gradient of the mean loss; with an L1 penalty, of its smallest subgradient.
    pub gradient_norm: f64,
    pub iterations: u64,
}

/// Minimises a loss without an L1 penalty.
pub(super) fn minimise(loss: &Loss<'_>, max_iterations: u64, cancel: &CancelToken) -> Result<Solution, ModelError> {
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
pub(super) fn largest(gradient: &[f64]) -> f64 {
    gradient.iter().fold(0.0, |most: f64, g| if g.is_nan() || most.is_nan() { f64::NAN } else { most.max(g.abs()) })
}
