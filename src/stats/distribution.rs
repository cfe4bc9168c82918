//! Distribution functions and their inverses: a thin layer over `statrs` that never panics.
//!
//! `statrs` asserts its arguments and loses digits in two places, so the layer does three things of its own:
//! the normal distribution uses `libm::erfc` (same bits on every platform, far tails without cancellation),
//! quantiles are polished against the distribution function, and Student's t with many degrees of freedom uses an
//! expansion where the difference of two large log-gammas would cost digits.
//!
//! # NaN
//! An argument outside the domain (a probability outside `[0, 1]`, degrees of freedom not above 0, NaN) gives NaN.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2, TAU};

use statrs::distribution::{ChiSquared, ContinuousCDF};
use statrs::function::beta::checked_beta_reg;
use statrs::function::erf::erfc_inv;
use statrs::function::gamma::{checked_gamma_lr, checked_gamma_ur};

/// Degrees of freedom from which Student's t is computed by [`hill_normal_deviate`].
///
/// The log-gammas of the incomplete beta function lose digits as the degrees grow, while the expansion gains them: its
/// relative error here is below 1e-13 up to `t = 4` and 2e-12 at `t = 6`.
const MANY_DEGREES: f64 = 200.0;

/// Computes the standard normal distribution function, `erfc(-x / sqrt 2) / 2`.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// Computes the standard normal quantile: the `x` with `normal_cdf(x) = p`. 0 gives `-inf`, 1 gives `inf`.
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    // work in the lower tail, where the probability keeps all its digits
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    let x = -SQRT_2 * erfc_inv(2.0 * p);
    // one step of Halley: squares the relative error that the rational approximation leaves
    let error = (normal_cdf(x) - p) * TAU.sqrt() * libm::exp(0.5 * x * x);
    let polished = x - error / (1.0 + 0.5 * x * error);
    if polished.is_finite() { polished } else { x }
}

/// Computes the distribution function of Student's t with `dof` degrees of freedom (any real number above 0).
///
/// # References
/// Hill (1970), Algorithm 395: Student's t-distribution, for many degrees of freedom.
pub fn student_t_cdf(t: f64, dof: f64) -> f64 {
    let upper = student_t_upper_tail(t.abs(), dof);
    if t >= 0.0 { 1.0 - upper } else { upper }
}

/// Computes the two-sided p-value `P(|T| >= |t|)` of Student's t without cancellation in the far tails.
pub fn student_t_two_sided(t: f64, dof: f64) -> f64 {
    2.0 * student_t_upper_tail(t.abs(), dof)
}

/// Computes the quantile of Student's t: the `t` with `student_t_cdf(t, dof) = p`. 0 gives `-inf`, 1 gives `inf`.
pub fn student_t_quantile(p: f64, dof: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) || dof.is_nan() || dof <= 0.0 {
        return f64::NAN;
    }
    if p > 0.5 {
        return -student_t_quantile(1.0 - p, dof);
    }
    if p == 0.5 {
        return 0.0;
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    -bracketed_root(p, |t| student_t_upper_tail(t, dof))
}

/// Computes the chi-square distribution function with `dof` degrees of freedom; 0 below 0.
pub fn chi_square_cdf(x: f64, dof: f64) -> f64 {
    if x <= 0.0 && dof > 0.0 {
        return 0.0;
    }
    if x == f64::INFINITY && dof > 0.0 {
        return 1.0;
    }
    checked_gamma_lr(0.5 * dof, 0.5 * x).unwrap_or(f64::NAN)
}

/// Computes the chi-square survival function, `1 - cdf` without cancellation in the upper tail.
pub fn chi_square_survival(x: f64, dof: f64) -> f64 {
    if x <= 0.0 && dof > 0.0 {
        return 1.0;
    }
    if x == f64::INFINITY && dof > 0.0 {
        return 0.0;
    }
    checked_gamma_ur(0.5 * dof, 0.5 * x).unwrap_or(f64::NAN)
}

/// Computes the chi-square quantile: the `x` with `chi_square_cdf(x, dof) = p`. 0 gives 0, 1 gives `inf`.
pub fn chi_square_quantile(p: f64, dof: f64) -> f64 {
    match ChiSquared::new(dof) {
        Ok(chi_square) if (0.0..=1.0).contains(&p) && dof.is_finite() => {
            if p == 0.0 {
                0.0
            } else if p == 1.0 {
                f64::INFINITY
            } else {
                chi_square.inverse_cdf(p)
            }
        }
        _ => f64::NAN,
    }
}

/// `P(T >= t)` for `t >= 0`.
fn student_t_upper_tail(t: f64, dof: f64) -> f64 {
    if t.is_nan() || dof.is_nan() || dof <= 0.0 {
        return f64::NAN;
    }
    if t == f64::INFINITY {
        return 0.0;
    }
    if dof == f64::INFINITY {
        return normal_cdf(-t);
    }
    if dof >= MANY_DEGREES {
        return normal_cdf(-hill_normal_deviate(t, dof));
    }
    0.5 * checked_beta_reg(0.5 * dof, 0.5, dof / (dof + t * t)).unwrap_or(f64::NAN)
}

/// The normal deviate with the same tail as `t` (Hill, 1970, equation 5).
fn hill_normal_deviate(t: f64, dof: f64) -> f64 {
    let a = dof - 0.5;
    let b = 48.0 * a * a;
    let y = a * libm::log1p(t * t / dof);
    let correction = (((((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y * y + 100.0 + b)) + y + 3.0) / b + 1.0;
    correction * y.sqrt()
}

/// The `t >= 0` where a falling upper tail equals `p`: doubling to bracket, then bisection to the last bit.
fn bracketed_root(p: f64, upper_tail: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    while upper_tail(high) > p {
        low = high;
        high *= 2.0;
        if high == f64::INFINITY {
            return high;
        }
    }
    loop {
        let middle = low + 0.5 * (high - low);
        if middle <= low || middle >= high {
            return middle;
        }
        if upper_tail(middle) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Upper tail of Student's t by Simpson's rule on the substitution t = sqrt(dof) tan(angle).
    fn integrated_tail(t: f64, dof: f64) -> f64 {
        let start = (t / dof.sqrt()).atan();
        let density = |angle: f64| angle.cos().powf(dof - 1.0);
        let simpson = |from: f64, to: f64| {
            let (steps, mut total) = (20_000, 0.0);
            let width = (to - from) / f64::from(steps);
            for i in 0..=steps {
                let weight = if i == 0 || i == steps { 1.0 } else { f64::from(2 + 2 * (i % 2)) };
                total += weight * density(from + f64::from(i) * width);
            }
            total * width / 3.0
        };
        // beyond 14 standard deviations nothing is left that a double could hold
        let end = std::f64::consts::FRAC_PI_2.min(14.0 / dof.sqrt());
        simpson(start, end) / (2.0 * simpson(0.0, end))
    }

    #[test]
    fn normal_values_agree_with_the_tables() {
        // Abramowitz and Stegun (1964), table 26.1 and 26.2
        assert!((normal_cdf(1.0) - 0.841_344_746_068_543).abs() < 1e-15);
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
        assert_eq!(normal_cdf(0.0), 0.5);
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
    }

    #[test]
    fn the_far_tail_keeps_its_digits() {
        // Q(10), Abramowitz and Stegun (1964), table 26.2: -log10 = 23.11805
        assert!((normal_cdf(-10.0).log10() + 23.118_05).abs() < 1e-5);
        assert!((normal_quantile(normal_cdf(-30.0)) + 30.0).abs() < 1e-12);
    }

    #[test]
    fn student_t_with_one_and_two_degrees_has_its_closed_form() {
        for t in [-7.0_f64, -0.3, 0.0, 0.01, 1.0, 12.0] {
            let cauchy = 0.5 + t.atan() / std::f64::consts::PI;
            assert!((student_t_cdf(t, 1.0) - cauchy).abs() < 1e-14, "{t}");
            let two = 0.5 + t / (2.0 * (2.0 + t * t).sqrt());
            assert!((student_t_cdf(t, 2.0) - two).abs() < 1e-14, "{t}");
        }
    }

    #[test]
    fn student_t_agrees_with_its_integral_on_both_sides_of_the_switch() {
        for dof in [7.3, 120.0, 199.0, 200.0, 1_000.0, 80_000.0] {
            for t in [0.2, 1.3, 2.6, 4.0, 6.0] {
                let (ours, slow) = (0.5 * student_t_two_sided(t, dof), integrated_tail(t, dof));
                assert!((ours / slow - 1.0).abs() < 5e-12, "t {t} dof {dof}: {ours} {slow}");
            }
        }
    }

    #[test]
    fn chi_square_with_two_degrees_is_exponential() {
        for x in [0.01_f64, 1.0, 9.0, 60.0] {
            assert!((chi_square_survival(x, 2.0) / (-x / 2.0).exp() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn arguments_outside_the_domain_give_nan() {
        let outside = [
            normal_quantile(-0.1),
            normal_quantile(f64::NAN),
            student_t_cdf(1.0, 0.0),
            student_t_cdf(f64::NAN, 3.0),
            student_t_quantile(1.1, 3.0),
            student_t_quantile(0.3, f64::NAN),
            chi_square_cdf(1.0, -1.0),
            chi_square_survival(f64::NAN, 2.0),
            chi_square_quantile(2.0, 2.0),
            chi_square_quantile(0.5, f64::NAN),
        ];
        assert!(outside.iter().all(|x| x.is_nan()), "{outside:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn quantiles_invert_their_distribution(p in 1e-6..0.999_999, dof in 0.6..3_000.0_f64) {
            prop_assert!((normal_cdf(normal_quantile(p)) - p).abs() < 1e-14);
            prop_assert!((student_t_cdf(student_t_quantile(p, dof), dof) - p).abs() < 1e-12);
            // the incomplete gamma function changes its expansion near the mean, where the two agree to about 1e-11
            prop_assert!((chi_square_cdf(chi_square_quantile(p, dof), dof) - p).abs() < 1e-10);
        }
    }
}
