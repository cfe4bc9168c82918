//! A bound program over bars: columns of every symbol, in parallel.

use std::sync::Arc;

use rayon::prelude::*;

use super::bind::{Bound, Id, Work};
use super::cache::{Column, ColumnCache};
use super::function::{Function, Kernel, Type};
use super::kernel::{Side, choose, each, known, unary};
use super::over_date;
use crate::market::{Bars, Series};

/// Why a program cannot be evaluated on these bars.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// A column that the series do not carry.
    #[error("`{symbol}` has no column `{column}`, expected every symbol to carry what the expressions name")]
    MissingColumn {
        /// Symbol.
        symbol: String,
        /// Column.
        column: String,
    },
    /// A column of another length than the bars.
    #[error("column `{column}` of `{symbol}`: expected {expected} values, found {found}")]
    Length {
        /// Symbol.
        symbol: String,
        /// Column.
        column: String,
        /// Bars.
        expected: usize,
        /// Values.
        found: usize,
    },
}

/// Values of the wanted definitions.
#[derive(Clone, Debug)]
pub struct Evaluation {
    outputs: Vec<(String, Type, Vec<Column>)>,
}

impl Evaluation {
    /// Values of a definition for a symbol, one a bar: null is NaN, true is 1, false is 0. Never infinite.
    pub fn column(&self, name: &str, symbol: usize) -> Option<&Column> {
        let (_, _, columns) = self.outputs.iter().find(|(known, ..)| known == name)?;
        columns.get(symbol)
    }

    /// All values: name, type, and a column for each symbol, in the order of definitions.
    pub fn into_columns(self) -> Vec<(String, Type, Vec<Column>)> {
        self.outputs
    }
}

/// Values on the way.
#[derive(Clone)]
enum Value<'a> {
    Constant(f64),
    Borrowed(&'a [f64]),
    Owned(Column),
}

impl Value<'_> {
    fn side(&self) -> Side<'_> {
        match self {
            Self::Constant(value) => Side::One(*value),
            Self::Borrowed(column) => Side::Column(column),
            Self::Owned(column) => Side::Column(column),
        }
    }

    #[inline]
    fn at(&self, row: usize) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Borrowed(column) => column[row],
            Self::Owned(column) => column[row],
        }
    }

    fn column(&self, bars: usize) -> Column {
        match self {
            Self::Constant(value) => Arc::new(vec![*value; bars]),
            Self::Borrowed(column) => Arc::new(column.to_vec()),
            Self::Owned(column) => Arc::clone(column),
        }
    }
}

/// One symbol and its values so far, by node.
struct Desk<'a> {
    symbol: u32,
    series: &'a Series,
    sessions: &'a [i64],
    values: Vec<Option<Value<'a>>>,
}

/// Which nodes are computed, in which order, and when each is let go.
struct Schedule {
    /// Nodes of one symbol at a time, then nodes over a date, in turn.
    groups: Vec<(Vec<Id>, Vec<Id>)>,
    /// Place in the order after which no node reads this one; never for a wanted value.
    last_use: Vec<usize>,
    place: Vec<usize>,
}

impl Schedule {
    fn of(bound: &Bound) -> Self {
        let wanted = bound.wanted();
        let stages = 1 + bound.knots.iter().map(|knot| knot.stage).max().unwrap_or(0);
        let mut groups = vec![(Vec::new(), Vec::new()); stages];
        for (id, knot) in bound.knots.iter().enumerate().filter(|(id, _)| wanted[*id]) {
            match knot.work {
                // it is computed at the end of the stage below its own
                Work::CrossSection { .. } => groups[knot.stage - 1].1.push(id),
                _ => groups[knot.stage].0.push(id),
            }
        }
        let mut place = vec![0; bound.knots.len()];
        let mut last_use = vec![0; bound.knots.len()];
        let order = groups.iter().flat_map(|(own, dated)| own.iter().chain(dated));
        for (at, &id) in order.enumerate() {
            place[id] = at;
            bound.knots[id].work.inputs().into_iter().for_each(|input| last_use[input] = at);
        }
        bound.outputs.iter().for_each(|output| last_use[output.node] = usize::MAX);
        Self { groups, last_use, place }
    }
}

impl Bound {
    /// Computes the wanted values over all symbols, in parallel; the same bits for any number of threads.
    ///
    /// # Errors
    /// [`EvaluationError`] where a series does not carry a column that is read.
    pub fn evaluate(&self, bars: &Bars, cache: Option<&ColumnCache>) -> Result<Evaluation, EvaluationError> {
        for series in &bars.series {
            for column in self.columns() {
                fetch(series, column)?;
            }
        }
        let schedule = Schedule::of(self);
        let mut desks: Vec<Desk<'_>> = (0_u32..)
            .zip(&bars.series)
            .map(|(symbol, series)| Desk { symbol, series, sessions: &bars.sessions, values: vec![None; self.len()] })
            .collect();
        for (own, dated) in &schedule.groups {
            desks.par_iter_mut().for_each(|desk| own.iter().for_each(|&id| desk.work(self, &schedule, id, cache)));
            for &id in dated {
                self.section(bars, &mut desks, &schedule, id, cache);
            }
        }
        Ok(self.collect(&desks))
    }

    fn collect(&self, desks: &[Desk<'_>]) -> Evaluation {
        let column = |desk: &Desk<'_>, node: Id| {
            let bars = desk.series.len();
            desk.values[node].as_ref().map_or_else(|| Arc::new(vec![f64::NAN; bars]), |value| value.column(bars))
        };
        let output = |name: &str, of, node| {
            let columns = desks.iter().map(|desk| column(desk, node)).collect();
            (name.to_owned(), of, columns)
        };
        Evaluation { outputs: self.outputs.iter().map(|found| output(&found.name, found.of, found.node)).collect() }
    }

    /// Computes a function over the symbols of each date.
    fn section(&self, bars: &Bars, desks: &mut [Desk<'_>], schedule: &Schedule, id: Id, cache: Option<&ColumnCache>) {
        let knot = &self.knots[id];
        let Work::CrossSection { function, input, constants } = &knot.work else { return };
        let compute = || {
            let inputs: Vec<Column> = desks
                .iter()
                .map(|desk| {
                    let bars = desk.series.len();
                    desk.values[*input]
                        .as_ref()
                        .map_or_else(|| Arc::new(vec![f64::NAN; bars]), |value| value.column(bars))
                })
                .collect();
            over_date::each(bars, &inputs, |values| (function.kernel)(values, constants))
        };
        let columns = match cache {
            Some(cache) => cache.section(knot.digest, compute),
            None => Arc::new(compute()),
        };
        for (desk, column) in desks.iter_mut().zip(columns.iter()) {
            desk.values[id] = Some(Value::Owned(Arc::clone(column)));
            desk.release(self, schedule, id);
        }
    }
}

impl<'a> Desk<'a> {
    /// Computes one node from those before it.
    fn work(&mut self, bound: &Bound, schedule: &Schedule, id: Id, cache: Option<&ColumnCache>) {
        let knot = &bound.knots[id];
        let bars = self.series.len();
        let value = match &knot.work {
            Work::Constant(value, _) => Value::Constant(*value),
            // that it is there was looked at before
            Work::Column(name) => match fetch(self.series, name) {
                Ok(column) if column.iter().all(|value| !value.is_infinite()) => Value::Borrowed(column),
                Ok(column) => Value::Owned(Arc::new(column.iter().copied().map(known).collect())),
                Err(_) => Value::Constant(f64::NAN),
            },
            Work::Call { function, constants, .. } if matches!(function.kernel, Kernel::Columns(_)) => {
                let compute = || self.call(function, &knot.work.inputs(), constants);
                Value::Owned(match cache {
                    Some(cache) => cache.get(self.symbol, knot.digest, bars, compute),
                    None => Arc::new(compute()),
                })
            }
            Work::Call { function, inputs, constants } => {
                Value::Owned(Arc::new(self.call(function, inputs, constants)))
            }
            Work::Unary(operator, inner) => {
                let inner = self.value(*inner);
                Value::Owned(Arc::new((0..bars).map(|row| unary(*operator, inner.at(row))).collect()))
            }
            Work::Binary(operator, left, right) => {
                let mut out = vec![0.0; bars];
                each(*operator, self.value(*left).side(), self.value(*right).side(), &mut out);
                Value::Owned(Arc::new(out))
            }
            Work::CrossSection { .. } => return,
        };
        self.values[id] = Some(value);
        self.release(bound, schedule, id);
    }

    /// Lets go of what this node was the last to read.
    fn release(&mut self, bound: &Bound, schedule: &Schedule, id: Id) {
        for input in bound.knots[id].work.inputs() {
            if schedule.last_use[input] == schedule.place[id] {
                self.values[input] = None;
            }
        }
    }

    fn value(&self, id: Id) -> &Value<'a> {
        // a node's inputs come before it and are held until it is done
        self.values[id].as_ref().unwrap_or(&Value::Constant(f64::NAN))
    }

    fn call(&self, function: &Function, inputs: &[Id], constants: &[f64]) -> Vec<f64> {
        let bars = self.series.len();
        let values: Vec<&Value<'a>> = inputs.iter().map(|&input| self.value(input)).collect();
        match &function.kernel {
            Kernel::Columns(kernel) => {
                let columns: Vec<Column> = values
                    .iter()
                    .filter(|value| matches!(value, Value::Constant(_)))
                    .map(|value| value.column(bars))
                    .collect();
                let mut spread = columns.iter();
                let slices: Vec<&[f64]> = values
                    .iter()
                    .map(|value| match value {
                        Value::Constant(_) => spread.next().map_or(&[][..], |column| column.as_slice()),
                        Value::Borrowed(column) => column,
                        Value::Owned(column) => column,
                    })
                    .collect();
                let mut found = kernel(&slices, constants);
                found.iter_mut().for_each(|value| *value = known(*value));
                found
            }
            Kernel::Time(field) => {
                let start = |&session: &u32| self.sessions.get(session as usize);
                self.series
                    .session
                    .iter()
                    .map(|session| start(session).map_or(f64::NAN, |start| field(*start)))
                    .collect()
            }
            Kernel::One(apply) => {
                let x = values.first().copied().unwrap_or(&Value::Constant(f64::NAN));
                (0..bars).map(|row| one(*apply, x.at(row))).collect()
            }
            Kernel::Two(apply) => match values[..] {
                [x, y] => (0..bars).map(|row| two(*apply, x.at(row), y.at(row))).collect(),
                _ => vec![f64::NAN; bars],
            },
            kernel => {
                let mut row_values = vec![0.0; values.len()];
                let at = |row: usize| {
                    row_values.iter_mut().zip(&values).for_each(|(held, value)| *held = value.at(row));
                    at_bar(kernel, &row_values).unwrap_or(f64::NAN)
                };
                (0..bars).map(at).collect()
            }
        }
    }
}

/// A missing value stays missing, whatever the function makes of it.
#[inline]
fn one(apply: fn(f64) -> f64, x: f64) -> f64 {
    if x.is_nan() { f64::NAN } else { known(apply(x)) }
}

#[inline]
fn two(apply: fn(f64, f64) -> f64, x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() { f64::NAN } else { known(apply(x, y)) }
}

/// The value of a function that looks at one bar only; `None` for any other.
pub(super) fn at_bar(kernel: &Kernel, values: &[f64]) -> Option<f64> {
    match (kernel, values) {
        (Kernel::One(apply), [x]) => Some(one(*apply, *x)),
        (Kernel::Two(apply), [x, y]) => Some(two(*apply, *x, *y)),
        (Kernel::Choice, values) => Some(choose(values)),
        (Kernel::Bar(apply), values) => Some(known(apply(values))),
        _ => None,
    }
}

fn fetch<'a>(series: &'a Series, column: &str) -> Result<&'a [f64], EvaluationError> {
    let found = series
        .column(column)
        .ok_or_else(|| EvaluationError::MissingColumn { symbol: series.symbol.clone(), column: column.to_owned() })?;
    if found.len() != series.len() {
        return Err(EvaluationError::Length {
            symbol: series.symbol.clone(),
            column: column.to_owned(),
            expected: series.len(),
            found: found.len(),
        });
    }
    Ok(found)
}
