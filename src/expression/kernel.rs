//! Kernels of the language itself; the others are those of [`crate::indicator`].
//!
//! Null is NaN, true is 1, false is 0. What is not finite is null.

use super::tree::{Binary, Unary};

/// A result that cannot be written as a finite number is null.
#[inline]
pub(super) fn known(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}

#[inline]
fn truth(value: bool) -> f64 {
    f64::from(u8::from(value))
}

/// Applies an operator to one value.
#[inline]
pub(super) fn unary(operator: Unary, x: f64) -> f64 {
    match operator {
        Unary::Negative => -x,
        Unary::Not => 1.0 - x,
    }
}

/// A comparison is null if either side is.
#[inline(always)]
fn compared(x: f64, y: f64, holds: bool) -> f64 {
    if x.is_nan() || y.is_nan() { f64::NAN } else { truth(holds) }
}

/// `false and null` is false, `true or null` is true: one side decides whatever the other is (Kleene, 1938).
#[inline(always)]
fn decided(x: f64, y: f64, decisive: f64) -> f64 {
    if x == decisive || y == decisive {
        decisive
    } else if x.is_nan() || y.is_nan() {
        f64::NAN
    } else {
        1.0 - decisive
    }
}

/// Applies an operator to two values.
pub(super) fn binary(operator: Binary, x: f64, y: f64) -> f64 {
    let mut out = [0.0];
    each(operator, Side::One(x), Side::One(y), &mut out);
    out[0]
}

/// One side of an operator.
#[derive(Clone, Copy)]
pub(super) enum Side<'a> {
    /// The same value at every bar.
    One(f64),
    /// A value a bar.
    Column(&'a [f64]),
}

/// Applies an operator bar by bar.
pub(super) fn each(operator: Binary, x: Side<'_>, y: Side<'_>, out: &mut [f64]) {
    match operator {
        Binary::Add => zip(x, y, out, |x, y| known(x + y)),
        Binary::Subtract => zip(x, y, out, |x, y| known(x - y)),
        Binary::Multiply => zip(x, y, out, |x, y| known(x * y)),
        Binary::Divide => zip(x, y, out, |x, y| known(x / y)),
        Binary::Power => zip(x, y, out, |x, y| known(power(x, y))),
        Binary::Less => zip(x, y, out, |x, y| compared(x, y, x < y)),
        Binary::LessOrEqual => zip(x, y, out, |x, y| compared(x, y, x <= y)),
        Binary::Greater => zip(x, y, out, |x, y| compared(x, y, x > y)),
        Binary::GreaterOrEqual => zip(x, y, out, |x, y| compared(x, y, x >= y)),
        Binary::Equal => zip(x, y, out, |x, y| compared(x, y, x == y)),
        Binary::NotEqual => zip(x, y, out, |x, y| compared(x, y, x != y)),
        Binary::And => zip(x, y, out, |x, y| decided(x, y, 0.0)),
        Binary::Or => zip(x, y, out, |x, y| decided(x, y, 1.0)),
    }
}

/// One loop for each pair of sides, so that the compiler can vectorise it.
#[inline(always)]
fn zip(x: Side<'_>, y: Side<'_>, out: &mut [f64], apply: impl Fn(f64, f64) -> f64) {
    match (x, y) {
        (Side::Column(x), Side::Column(y)) => {
            out.iter_mut().zip(x).zip(y).for_each(|((out, x), y)| *out = apply(*x, *y));
        }
        (Side::Column(x), Side::One(y)) => out.iter_mut().zip(x).for_each(|(out, x)| *out = apply(*x, y)),
        (Side::One(x), Side::Column(y)) => out.iter_mut().zip(y).for_each(|(out, y)| *out = apply(x, *y)),
        (Side::One(x), Side::One(y)) => out.fill(apply(x, y)),
    }
}

/// A missing side stays missing: `pow(x, 0)` and `pow(1, x)` alone would know better.
#[inline]
fn power(x: f64, y: f64) -> f64 {
    if x.is_nan() || y.is_nan() {
        f64::NAN
    } else if y == 2.0 {
        x * x
    } else {
        libm::pow(x, y)
    }
}

/// `min(max(x, low), high)`.
pub(super) fn clip(values: &[f64]) -> f64 {
    if values.iter().any(|value| value.is_nan()) { f64::NAN } else { values[0].max(values[1]).min(values[2]) }
}

/// `then` where the test is true, `else` where it is false.
#[inline]
pub(super) fn choose(values: &[f64]) -> f64 {
    if values[0].is_nan() {
        f64::NAN
    } else if values[0] != 0.0 {
        values[1]
    } else {
        values[2]
    }
}

pub(super) fn typical(values: &[f64]) -> f64 {
    (values[0] + values[1] + values[2]) / 3.0
}

/// The value `bars` ago; ahead where it is negative.
pub(super) fn lag(x: &[f64], bars: f64) -> Vec<f64> {
    let away = (bars.abs().min(f64::from(u32::MAX)) as usize).min(x.len());
    let missing = std::iter::repeat_n(f64::NAN, away);
    if bars >= 0.0 {
        missing.chain(x[..x.len() - away].iter().copied()).collect()
    } else {
        x[away..].iter().copied().chain(missing).collect()
    }
}

/// A comparison of each value with the one `bars` ago.
pub(super) fn change(x: &[f64], bars: f64, compare: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    lag(x, bars).iter().zip(x).map(|(&then, &now)| compare(now, then)).collect()
}

/// `ln(now / then)` of positive values.
#[inline]
pub(super) fn log_ratio(now: f64, then: f64) -> f64 {
    if now > 0.0 && then > 0.0 { libm::log(now / then) } else { f64::NAN }
}

/// Says where `x` beats `y` and did not at the bar before.
pub(super) fn crosses(x: &[f64], y: &[f64], beats: impl Fn(&f64, &f64) -> bool) -> Vec<f64> {
    let is_known = |t: usize| !(x[t].is_nan() || y[t].is_nan());
    let at = |t: usize| {
        let both = t > 0 && is_known(t) && is_known(t - 1);
        if both { truth(beats(&x[t], &y[t]) && !beats(&x[t - 1], &y[t - 1])) } else { f64::NAN }
    };
    (0..x.len()).map(at).collect()
}

/// Bars since the last one that is true.
pub(super) fn bars_since(test: &[f64]) -> Vec<f64> {
    let mut age = f64::NAN;
    let step = |value: &f64| {
        age = if *value == 1.0 { 0.0 } else { age + 1.0 };
        age
    };
    test.iter().map(step).collect()
}

fn bars(constants: &[f64], index: usize) -> usize {
    constants.get(index).map_or(0, |value| value.max(0.0) as usize)
}

pub(super) fn macd_warm_up(constants: &[f64]) -> usize {
    (bars(constants, 0).max(bars(constants, 1)) + bars(constants, 2)).saturating_sub(2)
}

pub(super) fn stoch_warm_up(constants: &[f64]) -> usize {
    (bars(constants, 0) + bars(constants, 1) + bars(constants, 2)).saturating_sub(3)
}

pub(super) fn stochrsi_warm_up(constants: &[f64]) -> usize {
    (bars(constants, 0) + bars(constants, 1) + bars(constants, 2)).saturating_sub(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NULL: f64 = f64::NAN;

    fn bits(values: &[f64]) -> Vec<Option<i64>> {
        values.iter().map(|value| (!value.is_nan()).then_some(*value as i64)).collect()
    }

    #[test]
    fn and_or_and_not_know_three_values() {
        let (yes, no) = (1.0, 0.0);
        let and = |x, y| bits(&[binary(Binary::And, x, y)])[0];
        let or = |x, y| bits(&[binary(Binary::Or, x, y)])[0];
        assert_eq!(
            [and(no, NULL), and(NULL, no), and(yes, NULL), and(NULL, NULL), and(yes, yes)],
            [Some(0), Some(0), None, None, Some(1)]
        );
        assert_eq!(
            [or(yes, NULL), or(NULL, yes), or(no, NULL), or(NULL, NULL), or(no, no)],
            [Some(1), Some(1), None, None, Some(0)]
        );
        assert_eq!(bits(&[unary(Unary::Not, yes), unary(Unary::Not, NULL)]), [Some(0), None]);
    }

    #[test]
    fn what_is_no_finite_number_is_null() {
        for (operator, x, y) in [
            (Binary::Divide, 1.0, 0.0),
            (Binary::Divide, 0.0, 0.0),
            (Binary::Multiply, 1e200, 1e200),
            (Binary::Power, -1.0, 0.5),
            (Binary::Power, NULL, 0.0),
            (Binary::Less, NULL, 1.0),
            (Binary::NotEqual, NULL, NULL),
        ] {
            assert!(binary(operator, x, y).is_nan(), "{x} {} {y}", operator.symbol());
        }
    }

    #[test]
    fn a_cross_is_the_first_bar_on_the_other_side() {
        let x = [1.0, 2.0, 3.0, 3.0, 1.0, NULL, 3.0];
        let y = [2.0; 7];
        assert_eq!(bits(&crosses(&x, &y, f64::gt)), [None, Some(0), Some(1), Some(0), Some(0), None, None]);
        assert_eq!(bits(&crosses(&x, &y, f64::lt)), [None, Some(0), Some(0), Some(0), Some(1), None, None]);
    }

    #[test]
    fn bars_are_counted_from_the_last_true_one() {
        assert_eq!(
            bits(&bars_since(&[0.0, 1.0, 0.0, NULL, 1.0, 1.0])),
            [None, Some(0), Some(1), Some(2), Some(0), Some(0)]
        );
    }

    #[test]
    fn a_lag_past_either_end_is_null() {
        assert_eq!(bits(&lag(&[1.0, 2.0, 3.0], 1.0)), [None, Some(1), Some(2)]);
        assert_eq!(bits(&lag(&[1.0, 2.0, 3.0], -1.0)), [Some(2), Some(3), None]);
        assert_eq!(bits(&lag(&[1.0, 2.0], 9.0)), [None, None]);
    }
}
