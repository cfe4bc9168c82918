//! Why two models cannot be compared, and the checks that say so.

/// Why two models cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// Inputs differ in length.
    #[error("expected {expected} values of `{what}`, found {found}")]
    Length {
        /// Which input.
        what: &'static str,
        /// Number of rows of the first input.
        expected: usize,
        /// Number found.
        found: usize,
    },
    /// Too few rows for an error bar.
    #[error("expected at least {expected} rows, found {found}")]
    TooFew {
        /// Smallest number that works.
        expected: usize,
        /// Number found.
        found: usize,
    },
    /// A value is NaN or infinite.
    #[error("expected a finite value of `{what}` in row {row}")]
    NotFinite {
        /// Which input.
        what: &'static str,
        /// Row from 0.
        row: usize,
    },
    /// Every row has the same label.
    #[error("expected both classes, found {positives} positives in {rows} rows")]
    OneClass {
        /// Positive rows.
        positives: usize,
        /// All rows.
        rows: usize,
    },
    /// The metric has no value on these rows.
    #[error("`{metric}` is undefined on these rows")]
    Undefined {
        /// Name of the metric.
        metric: &'static str,
    },
    /// The method does not test this metric.
    #[error("the test `{method}` does not compare `{metric}`; {instead}")]
    Unsuited {
        /// Name of the method.
        method: &'static str,
        /// Name of the metric.
        metric: &'static str,
        /// What would.
        instead: &'static str,
    },
    /// Returns without any variation have no Sharpe ratio.
    #[error("expected returns that vary, found constant `{what}`")]
    Constant {
        /// Which input.
        what: &'static str,
    },
}

pub(super) fn same_length(what: &'static str, expected: usize, found: usize) -> Result<(), CompareError> {
    if expected == found { Ok(()) } else { Err(CompareError::Length { what, expected, found }) }
}

pub(super) fn finite(what: &'static str, values: &[f64]) -> Result<(), CompareError> {
    match values.iter().position(|x| !x.is_finite()) {
        Some(row) => Err(CompareError::NotFinite { what, row }),
        None => Ok(()),
    }
}
