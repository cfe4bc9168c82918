//! Sums and moments whose value does not depend on how the work is divided.

/// Compensated sum (Neumaier, 1974: the error term also catches a large addend). An empty slice sums to 0.
pub fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut error) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = total + value;
        error += if total.abs() >= value.abs() { (total - next) + value } else { (value - next) + total };
        total = next;
    }
    let compensated = total + error;
    // an infinity makes the error term NaN; the plain total is then the honest answer
    if compensated.is_nan() { total } else { compensated }
}

/// Arithmetic mean; `None` for an empty slice.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| sum(values.iter().copied()) / values.len() as f64)
}

/// Variance with `ddof` taken from the number of values in the divisor; `None` when that leaves nothing to divide by.
pub fn variance(values: &[f64], ddof: usize) -> Option<f64> {
    if values.len() <= ddof {
        return None;
    }
    let centre = mean(values)?;
    let squares = sum(values.iter().map(|x| (x - centre) * (x - centre)));
    Some(squares / (values.len() - ddof) as f64)
}

/// Standard deviation: the root of [`variance`].
pub fn std_dev(values: &[f64], ddof: usize) -> Option<f64> {
    variance(values, ddof).map(f64::sqrt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_addends_survive_large_ones() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
    }

    #[test]
    fn an_infinity_is_reported_not_hidden() {
        assert_eq!(sum([1.0, f64::INFINITY]), f64::INFINITY);
    }

    #[test]
    fn moments_of_nothing_are_undefined() {
        assert_eq!(mean(&[]), None);
        assert_eq!(variance(&[1.0], 1), None);
        assert_eq!(variance(&[1.0, 3.0], 1), Some(2.0));
    }
}
