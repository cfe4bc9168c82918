//! An autoregression of a column's normal scores, and series drawn from it: the null distribution of `ar_sieve`.
//!
//! Blocks longer than the memory leave few of them in a short window. An autoregression is a guess about the memory that
//! needs no blocks; it is right for columns whose scores follow one, and does not reproduce changes of variance.
//!
//! # References
//! Buhlmann (1997), Sieve Bootstrap for Time Series; Levinson (1947) and Durbin (1960) for the recursion.

use crate::base::Seed;
use crate::stats::dependence::autocovariance;

/// Steps that are thrown away before a series counts, in units of `order + 1`: the start knows no past.
const WARM_UP: usize = 20;

/// `z_t = sum_k phi_k z_{t-k} + e_t` with innovations resampled from those of the reference.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sieve {
    phi: Vec<f64>,
    innovations: Vec<f64>,
}

impl Sieve {
    /// Fits by Yule and Walker; the order with the least AIC up to `10 log10 n`. `None` for a constant series.
    ///
    /// # NaN
    /// The series has none.
    pub(super) fn fit(series: &[f64]) -> Option<Self> {
        let rows = series.len();
        if rows < 3 || series.windows(2).all(|pair| pair[0] == pair[1]) {
            return None;
        }
        let most = ((10.0 * libm::log10(rows as f64)) as usize).min(rows / 3);
        let phi = yule_walker(&autocovariance(series, most), rows);
        let middle = series.iter().sum::<f64>() / rows as f64;
        let predicted =
            |t: usize| -> f64 { phi.iter().enumerate().map(|(k, phi)| phi * (series[t - 1 - k] - middle)).sum() };
        let mut innovations: Vec<f64> = (phi.len()..rows).map(|t| series[t] - middle - predicted(t)).collect();
        let centre = innovations.iter().sum::<f64>() / innovations.len() as f64;
        innovations.iter_mut().for_each(|e| *e -= centre);
        Some(Self { phi, innovations })
    }

    /// Draws a series. Columns that are drawn with one seed meet the same moments of the reference at the same steps, so
    /// that what they share they share in the draws too.
    pub(super) fn draw(&self, length: usize, seed: Seed) -> Vec<f64> {
        let mut stream = seed.stream();
        let warm_up = WARM_UP * (self.phi.len() + 1);
        let mut past = vec![0.0; self.phi.len()];
        let mut drawn = Vec::with_capacity(length);
        // shorter orders have more innovations; counting from the end keeps moments together
        let known = self.innovations.len();
        for step in 0..warm_up + length {
            let back = 1 + ((stream.uniform() * known as f64) as usize).min(known - 1);
            let next = self.phi.iter().zip(&past).map(|(phi, z)| phi * z).sum::<f64>() + self.innovations[known - back];
            if !past.is_empty() {
                past.rotate_right(1);
                past[0] = next;
            }
            if step >= warm_up {
                drawn.push(next);
            }
        }
        drawn
    }
}

/// The coefficients of the order with the least AIC, by the Levinson-Durbin recursion.
fn yule_walker(covariance: &[f64], rows: usize) -> Vec<f64> {
    let mut phi: Vec<f64> = Vec::new();
    let mut error = covariance[0];
    let mut best = (rows as f64 * libm::log(error.max(f64::MIN_POSITIVE)), Vec::new());
    for order in 1..covariance.len() {
        if error <= 1e-12 * covariance[0] {
            break;
        }
        let known: f64 = phi.iter().enumerate().map(|(k, phi)| phi * covariance[order - 1 - k]).sum();
        let reflection = (covariance[order] - known) / error;
        let mut next: Vec<f64> = phi.iter().zip(phi.iter().rev()).map(|(a, b)| a - reflection * b).collect();
        next.push(reflection);
        phi = next;
        error *= 1.0 - reflection * reflection;
        let score = rows as f64 * libm::log(error.max(f64::MIN_POSITIVE)) + 2.0 * order as f64;
        if score < best.0 {
            best = (score, phi.clone());
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::tests::autoregressive;
    use crate::stats::dependence::autocorrelation;

    #[test]
    fn the_recursion_solves_the_equations_of_yule_and_walker() {
        // AR(2) with phi = (.5, .3): rho_1 = .5 / .7, rho_2 = .5 rho_1 + .3
        let rho_1: f64 = 0.5 / 0.7;
        let rho_2 = 0.5 * rho_1 + 0.3;
        let rho_3 = 0.5 * rho_2 + 0.3 * rho_1;
        let phi = yule_walker(&[1.0, rho_1, rho_2, rho_3], 10_000);
        assert_eq!(phi.len(), 2);
        assert!((phi[0] - 0.5).abs() < 1e-12 && (phi[1] - 0.3).abs() < 1e-12, "{phi:?}");
    }

    #[test]
    fn a_drawn_series_has_the_memory_of_the_one_it_was_fitted_to() {
        let series = autoregressive(4_000, 0.8, &mut Seed::new(3).stream());
        let drawn = Sieve::fit(&series).unwrap().draw(8_000, Seed::new(4));
        let rho = |x: &[f64]| autocorrelation(x, 3).unwrap();
        let (ours, theirs) = (rho(&drawn), rho(&series));
        assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 0.08), "{ours:?} {theirs:?}");
    }

    #[test]
    fn a_constant_has_no_sieve_and_few_rows_are_no_panic() {
        assert_eq!(Sieve::fit(&[1.0; 50]), None);
        assert_eq!(Sieve::fit(&[]), None);
        assert!(Sieve::fit(&[1.0, 2.0, 1.5]).is_some());
    }
}
