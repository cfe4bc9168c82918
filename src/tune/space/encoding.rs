//! Points as rows of numbers.
//!
//! A point has one coordinate per parameter: the value (its natural logarithm on a log scale) of a continuous
//! parameter, the position on the grid of a discrete one, the position among the choices of a choice. A parameter that
//! does not exist at the point is NaN. Rows never leave this module tree; reports hold [`Params`].

use serde_json::Value;

use super::{Distribution, ParamValue, Params, SearchSpace, same_scalar};

/// How far from a grid point, in steps, a number still means it.
const GRID_TOLERANCE: f64 = 1e-5;

/// The coordinate of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Axis {
    /// A real coordinate in `[low, high]`.
    Continuous {
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// Positions `0..cells` of ordered values `first + k * step`, compared on their logarithm when `log`.
    Grid {
        /// Number of values.
        cells: u64,
        /// First value.
        first: f64,
        /// Distance of values.
        step: f64,
        /// Whether cells are placed on the logarithm of the values.
        log: bool,
    },
    /// Positions `0..choices` without an order.
    Choice {
        /// Number of choices.
        choices: u64,
    },
}

impl Axis {
    /// The coordinate of a distribution.
    pub fn of(distribution: &Distribution) -> Self {
        match *distribution {
            Distribution::Float { low, high, log, step: None } if log => {
                Self::Continuous { low: libm::log(low), high: libm::log(high) }
            }
            Distribution::Float { low, high, step: None, .. } => Self::Continuous { low, high },
            Distribution::Float { low, high, step: Some(step), .. } => {
                let cells = ((high - low) / step).round() as u64 + 1;
                Self::Grid { cells, first: low, step, log: false }
            }
            Distribution::Int { low, high, log, step } => {
                let cells = ((high - low) / step) as u64 + 1;
                Self::Grid { cells, first: low as f64, step: step as f64, log }
            }
            Distribution::Choice(ref choices) => Self::Choice { choices: choices.len() as u64 },
        }
    }

    /// Number of values; `None` when continuous.
    pub fn cells(&self) -> Option<u64> {
        match self {
            Self::Continuous { .. } => None,
            Self::Grid { cells, .. } => Some(*cells),
            Self::Choice { choices } => Some(*choices),
        }
    }

    /// The place of a coordinate on the scale on which distances are taken; a choice has no such scale.
    pub fn place(&self, coordinate: f64) -> f64 {
        match *self {
            Self::Grid { first, step, log, .. } => {
                let value = first + coordinate * step;
                if log { libm::log(value) } else { value }
            }
            _ => coordinate,
        }
    }

    /// The lower edge of a grid cell: half a step below its value.
    pub fn lower_edge(&self, coordinate: f64) -> f64 {
        self.place(coordinate - 0.5)
    }

    /// The ends of the scale, widened by half a step on a grid.
    pub fn ends(&self) -> (f64, f64) {
        match *self {
            Self::Continuous { low, high } => (low, high),
            Self::Grid { cells, .. } => (self.place(-0.5), self.place(cells as f64 - 0.5)),
            Self::Choice { choices } => (0.0, choices as f64),
        }
    }

    /// The coordinate that contains a place of the scale.
    pub fn coordinate(&self, place: f64) -> f64 {
        match *self {
            Self::Continuous { low, high } => place.clamp(low, high),
            Self::Grid { cells, first, step, log } => {
                let value = if log { libm::exp(place) } else { place };
                // rows compare by bits, and a hair below `first` rounds to -0
                ((value - first) / step).round().clamp(0.0, (cells - 1) as f64) + 0.0
            }
            Self::Choice { choices } => place.floor().clamp(0.0, (choices - 1) as f64),
        }
    }

    /// The place of a share in `[0, 1)` of the (widened) scale.
    pub fn at_share(&self, share: f64) -> f64 {
        let (low, high) = self.ends();
        self.coordinate(low + share * (high - low))
    }

    /// The share of the scale below a coordinate: the inverse of [`Axis::at_share`] up to the cell.
    pub fn share(&self, coordinate: f64) -> f64 {
        let (low, high) = self.ends();
        match self {
            Self::Choice { .. } => (coordinate + 0.5) / high,
            _ => (self.place(coordinate) - low) / (high - low),
        }
    }
}

impl Distribution {
    /// The position of a value on the grid or among the choices; `None` for a value this parameter cannot have.
    pub fn cell_of(&self, value: &Value) -> Option<u64> {
        match self {
            Self::Choice(choices) => choices.iter().position(|choice| same_scalar(choice, value)).map(|at| at as u64),
            Self::Int { low, high, step, .. } => {
                let value = value.as_i64().filter(|value| (low..=high).contains(&value))?;
                ((value - low) % step == 0).then(|| ((value - low) / step) as u64)
            }
            Self::Float { low, step: Some(step), .. } => {
                let cell = ((value.as_f64()? - low) / step).round();
                let near = |other: f64| (other - value.as_f64().unwrap_or(f64::NAN)).abs() <= GRID_TOLERANCE * step;
                let inside = Axis::of(self).cells().is_some_and(|cells| cell >= 0.0 && cell < cells as f64);
                (inside && near(low + cell * step)).then_some(cell as u64)
            }
            Self::Float { step: None, .. } => None,
        }
    }

    /// The value at a coordinate.
    pub fn decode(&self, coordinate: f64) -> ParamValue {
        match self {
            Self::Float { low, high, log, step: None } => {
                let value = if *log { libm::exp(coordinate) } else { coordinate };
                ParamValue::Float(value.clamp(*low, *high))
            }
            Self::Float { low, high, step: Some(step), .. } => {
                ParamValue::Float(short(low + coordinate * step, *step).clamp(*low, *high))
            }
            Self::Int { low, step, .. } => ParamValue::Int(low + coordinate as i64 * step),
            Self::Choice(choices) => {
                let position = (coordinate as usize).min(choices.len().saturating_sub(1));
                ParamValue::Choice(choices.get(position).cloned().unwrap_or(Value::Null))
            }
        }
    }

    /// The coordinate of a value; `None` for a value outside the range, the grid or the choices.
    pub fn encode(&self, value: &ParamValue) -> Option<f64> {
        match (self, value) {
            (Self::Float { low, high, log, step: None }, _) => {
                let value = value.as_f64().filter(|value| (low..=high).contains(&value))?;
                Some(if *log { libm::log(value) } else { value })
            }
            _ => self.cell_of(&value.to_json()).map(|cell| cell as f64),
        }
    }
}

impl SearchSpace {
    /// The values of the active parameters of a row.
    pub fn decode(&self, point: &[f64]) -> Params {
        let active = self.parameters.iter().zip(point).filter(|(_, coordinate)| !coordinate.is_nan());
        active.map(|(parameter, at)| (parameter.name.clone(), parameter.distribution.decode(*at))).collect()
    }

    /// The row of some values; `None` when one lies outside this space, an active parameter is missing, or an inactive
    /// or unknown one is given.
    pub fn encode(&self, params: &Params) -> Option<Vec<f64>> {
        let mut point = vec![f64::NAN; self.dimension()];
        let mut taken = 0;
        for &position in &self.order {
            let parameter = &self.parameters[position];
            if self.is_active(position, &point) {
                point[position] = parameter.distribution.encode(params.get(&parameter.name)?)?;
                taken += 1;
            }
        }
        (taken == params.len()).then_some(point)
    }
}

/// The short number near a grid point: `0.1 + 2 * 0.1` is 0.3 and not 0.30000000000000004. Where fifteen digits do not
/// tell grid points apart, the number stays as it is.
fn short(value: f64, step: f64) -> f64 {
    let rounded = format!("{value:.14e}").parse().unwrap_or(value);
    if (rounded - value).abs() <= 0.1 * GRID_TOLERANCE * step { rounded } else { value }
}
