//! Closed-form functions to compare samplers on, all minimised.
//!
//! The same functions as in the reference results of other optimisers (`tests/golden/tpe`), so that regrets can be
//! compared seed by seed.

use std::f64::consts::{E, PI, TAU};

use super::space::Params;

/// Evaluates a function by name; `None` for an unknown function or missing parameters.
pub fn evaluate(name: &str, params: &Params, seed: u64) -> Option<f64> {
    let at = |name: &str| params.get(name).and_then(|value| value.as_f64());
    match name {
        "branin" => Some(branin(at("x0")?, at("x1")?)),
        "hartmann6" => Some(hartmann6(&coordinates(params, 6)?)),
        "rosenbrock5" => Some(rosenbrock(&coordinates(params, 5)?)),
        "ackley10" => Some(ackley(&coordinates(params, 10)?)),
        "rastrigin5" => Some(rastrigin(&coordinates(params, 5)?)),
        "strategy7" | "strategy7_noisy" => strategy7(&at),
        "conditional" => conditional(params, &at),
        "mixfam" | "mixfam_noisy" => mixfam(&at, seed),
        "discrete360" => discrete360(params, &at),
        _ => None,
    }
}

fn coordinates(params: &Params, count: usize) -> Option<Vec<f64>> {
    (0..count).map(|i| params.get(&format!("x{i}"))?.as_f64()).collect()
}

fn branin(x: f64, y: f64) -> f64 {
    let (b, c) = (5.1 / (4.0 * PI * PI), 5.0 / PI);
    (y - b * x * x + c * x - 6.0).powi(2) + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0
}

fn hartmann6(x: &[f64]) -> f64 {
    const A: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const P: [[f64; 6]; 4] = [
        [1312.0, 1696.0, 5569.0, 124.0, 8283.0, 5886.0],
        [2329.0, 4135.0, 8307.0, 3736.0, 1004.0, 9991.0],
        [2348.0, 1451.0, 3522.0, 2883.0, 3047.0, 6650.0],
        [4047.0, 8828.0, 8732.0, 5743.0, 1091.0, 381.0],
    ];
    let peak = |i: usize| (0..6).map(|j| A[i][j] * (x[j] - P[i][j] * 1e-4).powi(2)).sum::<f64>();
    -[1.0, 1.2, 3.0, 3.2].iter().enumerate().map(|(i, height)| height * (-peak(i)).exp()).sum::<f64>()
}

fn rosenbrock(x: &[f64]) -> f64 {
    x.windows(2).map(|pair| 100.0 * (pair[1] - pair[0] * pair[0]).powi(2) + (1.0 - pair[0]).powi(2)).sum()
}

/// Moves the optimum away from the centre of the box, where it would flatter a prior in the middle.
fn shifted(x: &[f64], half: f64) -> Vec<f64> {
    let count = x.len() as f64;
    let shift = |i: usize| half * 0.45 * if i.is_multiple_of(2) { 1.0 } else { -1.0 } * (i + 1) as f64 / count;
    x.iter().enumerate().map(|(i, x)| x - shift(i)).collect()
}

fn ackley(x: &[f64]) -> f64 {
    let z = shifted(x, 32.768);
    let count = z.len() as f64;
    let squares = z.iter().map(|v| v * v).sum::<f64>() / count;
    let waves = z.iter().map(|v| (TAU * v).cos()).sum::<f64>() / count;
    -20.0 * (-0.2 * squares.sqrt()).exp() - waves.exp() + 20.0 + E
}

fn rastrigin(x: &[f64]) -> f64 {
    let z = shifted(x, 5.12);
    10.0 * z.len() as f64 + z.iter().map(|v| v * v - 10.0 * (TAU * v).cos()).sum::<f64>()
}

/// Negative pseudo-Sharpe of a trend strategy's seven parameters.
fn strategy7(at: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
    let (stop, exit) = (at("hard_stop_atr_mult")?, at("exit_ma")?);
    let (fast, slow) = (at("fast_clearance")?, at("slow_clearance")?);
    let (risk, positions, trend) = (at("risk_per_trade")?, at("max_positions")?, at("trend_ma")?);
    let late = exit == 50.0;
    let mut sharpe = 1.2 + if late { 0.35 } else { 0.0 };
    let distance = ((stop - if late { 3.1 } else { 2.2 }) / 0.8).powi(2);
    sharpe -= 0.45 * distance / (1.0 + distance);
    sharpe += match (trend as i64, late) {
        (20, _) => -0.15,
        (50, _) => 0.10,
        (_, true) => 0.25,
        (_, false) => 0.05,
    };
    sharpe -= 0.25 * ((fast - 0.006) / 0.006).powi(2).min(1.0);
    sharpe -= 0.30 * (1.0 - (-((slow - (0.010 + 0.5 * fast)) / 0.004).powi(2)).exp());
    sharpe += 0.30 * (1.0 + risk / 0.005).ln() - 0.9 * (risk * positions - 0.08).max(0.0) / 0.04;
    sharpe -= 0.005 * (positions - 8.0).powi(2);
    sharpe += 0.06 * (9.0 * stop).sin() * (700.0 * fast).cos();
    Some(-sharpe)
}

fn conditional(params: &Params, at: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
    let (x, y) = (at("x")?, at("y")?);
    match params.get("exit_type")?.to_json().as_str()? {
        "ma" => {
            let length = at("ma_len")?.ln() - 34.0_f64.ln();
            Some(2.0 * (x - 0.3).powi(2) + (y - 0.7).powi(2) + 0.30 + 0.35 * length.powi(2))
        }
        "atr" => {
            let multiple = (at("atr_mult")? / 2.5).ln();
            Some(2.0 * (x - 0.6).powi(2) + (y - 0.2).powi(2) + 0.05 + 0.8 * multiple.powi(2))
        }
        _ => {
            let (percent, step) = (at("trail_pct")?, at("trail_step")?);
            let bowl = 2.0 * (x - 0.5).powi(2) + (y - 0.5).powi(2);
            let trail = 30.0 * (percent - 0.08).powi(2) + 0.02 * (step - 4.0).powi(2);
            Some(bowl + trail + 0.05 * (40.0 * (percent - 0.08)).sin().abs())
        }
    }
}

fn discrete360(params: &Params, at: &dyn Fn(&str) -> Option<f64>) -> Option<f64> {
    let (a, b, c) = (at("a")? as usize, at("b")?, at("c")?);
    let d = params.get("d")?.to_json();
    let d = ["u", "v", "w"].iter().position(|choice| d.as_str() == Some(choice))?;
    let base = 0.2 * (b - 3.0).powi(2) + ((c - 40.0) / 20.0).powi(2);
    let trap = match (a, d) {
        (3, 2) if b == 5.0 && c == 20.0 => 1.7,
        (3, 2) => 0.2,
        _ => 0.0,
    };
    Some(base + [0.8, 0.3, 0.5, 1.1].get(a)? + [0.3, 0.2, 0.6][d] - trap)
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Standard normal noise of one trial: the same for every optimiser.
pub fn noise(seed: u64, trial: u64) -> f64 {
    let mut state = seed
        .wrapping_mul(0xD134_2543_DE82_EF95)
        .wrapping_add(trial.wrapping_mul(0x2545_F491_4F6C_DD1D))
        .wrapping_add(0x0123_4567);
    let (a, b) = (split_mix(&mut state), split_mix(&mut state));
    let scale = (1_u64 << 53) as f64;
    let (u, v) = (((a >> 11) + 1) as f64 / scale, (b >> 11) as f64 / scale);
    (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
}

/// A random instance per seed: numeric centres that move with a choice, offsets of pairs of choices, optimum 0.
struct MixedFamily {
    weights: Vec<f64>,
    offsets: Vec<Vec<f64>>,
    centres: Vec<Vec<f64>>,
}

impl MixedFamily {
    fn new(seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(0xAB_CDEF);
        let mut draw = || (split_mix(&mut state) >> 11) as f64 / (1_u64 << 53) as f64;
        let centre: Vec<f64> = (0..5).map(|_| 0.1 + 0.8 * draw()).collect();
        let weights = (0..5).map(|_| 0.2 + 1.8 * draw()).collect();
        let shifts: Vec<Vec<f64>> = (0..4).map(|_| (0..5).map(|_| 0.5 * draw() - 0.25).collect()).collect();
        let of_a: Vec<f64> = (0..4).map(|_| 0.6 * draw()).collect();
        let of_b: Vec<f64> = (0..3).map(|_| 0.4 * draw()).collect();
        let mut offsets: Vec<Vec<f64>> =
            of_a.iter().map(|a| of_b.iter().map(|b| a + b + 0.3 * draw()).collect()).collect();
        let least = offsets.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        offsets.iter_mut().flatten().for_each(|offset| *offset -= least);
        let centres = shifts
            .iter()
            .map(|shift| {
                let mut moved: Vec<f64> = centre.iter().zip(shift).map(|(c, s)| (c + s).clamp(0.0, 1.0)).collect();
                moved[4] = (moved[4] * 12.0 + 0.5).floor() / 12.0;
                moved
            })
            .collect();
        Self { weights, offsets, centres }
    }
}

fn mixfam(at: &dyn Fn(&str) -> Option<f64>, seed: u64) -> Option<f64> {
    let family = MixedFamily::new(seed);
    let (a, b) = (at("A")? as usize, at("B")? as usize);
    let centre = family.centres.get(a)?;
    let z = [at("f0")?, at("f1")?, at("f2")?, (at("g")? / 1e-3).ln() / 1e3_f64.ln(), at("n")? / 12.0];
    let mut value = *family.offsets.get(a)?.get(b)?;
    for (j, (weight, (z, centre))) in family.weights.iter().zip(z.iter().zip(centre)).enumerate() {
        let square = (z - centre).powi(2);
        value += weight * if j.is_multiple_of(2) { square } else { 0.5 * square / (square + 0.02) };
    }
    Some(value + 0.03 * (1.0 - (6.0 * PI * (z[0] - centre[0])).cos()))
}
