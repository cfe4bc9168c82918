//! Gauss-Legendre points on [0, 1].

/// Points and weights whose sum is the integral of every polynomial of degree below `2 N`.
///
/// # References
/// Golub and Welsch (1969), *Calculation of Gauss quadrature rules*; the points are found by Newton's method on the
/// recurrence of the polynomials.
pub(super) fn gauss_legendre<const N: usize>() -> ([f64; N], [f64; N]) {
    let (mut points, mut weights) = ([0.5; N], [1.0; N]);
    for i in 0..N {
        // a guess that is good to a few digits for every N
        let mut x = libm::cos(std::f64::consts::PI * (i as f64 + 0.75) / (N as f64 + 0.5));
        let mut slope = 1.0;
        for _ in 0..100 {
            let (value, derivative) = legendre(N, x);
            slope = derivative;
            let step = value / derivative;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        points[i] = 0.5 * (1.0 + x);
        weights[i] = 1.0 / ((1.0 - x * x) * slope * slope);
    }
    (points, weights)
}

/// The Legendre polynomial of a degree and its derivative.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1.0, x);
    for k in 2..=degree {
        let k = k as f64;
        (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
    }
    (value, degree as f64 * (x * value - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integral_of_power<const N: usize>(power: i32) -> f64 {
        let (points, weights) = gauss_legendre::<N>();
        points.iter().zip(&weights).map(|(x, w)| w * x.powi(power)).sum()
    }

    #[test]
    fn every_polynomial_of_a_degree_below_twice_the_number_of_points_is_integrated() {
        for power in 0..64 {
            let exact = 1.0 / f64::from(power + 1);
            assert!(power >= 2 || (integral_of_power::<1>(power) - exact).abs() < 1e-14);
            assert!(power >= 8 || (integral_of_power::<4>(power) - exact).abs() < 1e-14);
            assert!(power >= 16 || (integral_of_power::<8>(power) - exact).abs() < 1e-14);
            assert!((integral_of_power::<32>(power) - exact).abs() < 1e-13, "{power}");
        }
    }
}
