//! How often the gate promotes equal, worse and better models: `cargo bench --bench calibrate_gate`.
//!
//! Two models see one signal through noise; noise and signal are AR(phi). The error of a rate of p over R runs is
//! `sqrt(p (1 - p) / R)` and stands beside it. Beside the gate stand what others do on the same rows: deploy the higher AUC,
//! and DeLong's test. The second table draws stretches of the five shipped stocks: outcomes are the signs of overlapping
//! five-day returns, the models see those returns through noise.
//!
//! Without a number of runs as argument it makes 1,000 of each.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints what it measures, and stops where it cannot"
)]

use std::path::Path;

use polars::prelude::{DataType, ParquetReader, SerReader};
use rayon::prelude::*;
use walkforward::base::{RandomStream, Seed};
use walkforward::metric::compare::{ScoreMetric, auc_influence, delong};
use walkforward::registry::gate::{GateInput, GateOutcome, GatePolicy, TradingNumbers, decide};

/// Rows of a comparison.
const ROWS: usize = 500;
/// Noise of the champion.
const NOISE: f64 = 1.0;

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn autoregression(n: usize, phi: f64, stream: &mut RandomStream) -> Vec<f64> {
    let scale = (1.0 - phi * phi).sqrt();
    let mut state = stream.normal();
    let step = |_| {
        state = phi * state + scale * stream.normal();
        state
    };
    (0..n).map(step).collect()
}

/// What both models see of a signal, as probabilities: `shared` of the variance of their noise is common to them.
fn seen(signal: &[f64], phi: f64, shared: f64, noises: [f64; 2], stream: &mut RandomStream) -> [Vec<f64>; 2] {
    let n = signal.len();
    let common = autoregression(n, phi, stream);
    noises.map(|noise| {
        let own = autoregression(n, phi, stream);
        let (a, b) = (shared.sqrt(), (1.0 - shared).sqrt());
        let score = |row: usize| {
            let seen = signal[row] + noise * (a * common[row] + b * own[row]);
            logistic(seen / (1.0 + noise * noise))
        };
        (0..n).map(score).collect()
    })
}

fn market(n: usize, phi: f64, shared: f64, candidate: f64, stream: &mut RandomStream) -> GateInput {
    let signal = autoregression(n, phi, stream);
    let labels = signal.iter().map(|s| stream.uniform() < logistic(*s)).collect();
    let [champion, candidate] = seen(&signal, phi, shared, [NOISE, candidate], stream);
    input(labels, champion, candidate)
}

fn input(labels: Vec<bool>, champion: Vec<f64>, candidate: Vec<f64>) -> GateInput {
    GateInput {
        time: (0..labels.len() as i64).collect(),
        labels,
        candidate,
        champion: Some(champion),
        champion_fresh: true,
        trading: Some(TradingNumbers {
            filtered_sharpe: Some(1.0),
            unfiltered_sharpe: Some(1.0),
            filtered_drawdown: Some(0.1),
            unfiltered_drawdown: Some(0.1),
            filtered_trades: Some(100),
        }),
        ..GateInput::default()
    }
}

/// Candidate's AUC less the champion's.
fn gap(input: &GateInput) -> f64 {
    let area = |scores: &[f64]| auc_influence(&input.labels, scores).map_or(0.5, |found| found.0);
    area(&input.candidate) - input.champion.as_deref().map_or(0.5, area)
}

/// Noise of the candidate that makes its AUC so much better than the champion's, by bisection over one long market.
fn noise_for(wanted: f64, shared: f64) -> f64 {
    if wanted == 0.0 {
        return NOISE;
    }
    let (mut low, mut high) = (0.0, 6.0);
    for _ in 0..12 {
        let middle = (low + high) / 2.0;
        let long = market(200_000, 0.0, shared, middle, &mut Seed::new(99).stream());
        if gap(&long) > wanted { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// Shares of runs: promoted by the gate, by its paired test alone, by DeLong's test, by the higher AUC; found invalid.
fn rates(runs: u64, make: impl Fn(u64) -> GateInput + Sync) -> [f64; 5] {
    let policy = GatePolicy::default();
    let of = |run: u64| {
        let input = make(run);
        let decision = decide(&input, &policy);
        let better = input.champion.as_deref().and_then(|champion| {
            let test = delong(&input.labels, champion, &input.candidate).ok()?;
            Some(test.p_greater <= policy.alpha && test.delta >= policy.min_improvement)
        });
        [
            decision.outcome == GateOutcome::Promoted,
            decision.checks.iter().any(|check| check.name == "superiority" && check.passed),
            better == Some(true),
            gap(&input) > 0.0,
            decision.outcome == GateOutcome::Invalid,
        ]
    };
    let found: Vec<[bool; 5]> = (0..runs).into_par_iter().map(of).collect();
    std::array::from_fn(|at| found.iter().filter(|run| run[at]).count() as f64 / runs as f64)
}

fn print_row(name: &str, runs: u64, rates: [f64; 5]) {
    let cells = rates.map(|rate| {
        let error = (rate * (1.0 - rate) / runs as f64).sqrt();
        format!("{:5.1} ({:.1})", 100.0 * rate, 100.0 * error)
    });
    println!("| {name} | {} |", cells.join(" | "));
}

fn print_head(what: &str) {
    println!("\n{what}\n");
    println!("| models | gate, % | its test alone | DeLong | higher AUC | invalid |\n|---|---|---|---|---|---|");
}

/// Closes of a shipped stock.
fn closes(symbol: &str) -> Vec<f64> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/us5/us5_daily.parquet");
    let file = std::fs::File::open(path).expect("the shipped data are there");
    let frame = ParquetReader::new(file).finish().expect("the shipped data are Parquet");
    let symbols = frame.column("symbol").and_then(|it| it.cast(&DataType::String)).expect("a column `symbol`");
    let closes = frame.column("close").and_then(|it| it.cast(&DataType::Float64)).expect("a column `close`");
    let (symbols, closes) = (symbols.str().expect("texts").clone(), closes.f64().expect("numbers").clone());
    symbols.iter().zip(closes.iter()).filter(|(own, _)| *own == Some(symbol)).filter_map(|(_, close)| close).collect()
}

/// Five-day log returns over their deviation, one a session: neighbours share four days of five.
fn outcomes(closes: &[f64]) -> Vec<f64> {
    let raw: Vec<f64> = closes.windows(6).map(|window| (window[5] / window[0]).ln()).collect();
    let spread = (raw.iter().map(|x| x * x).sum::<f64>() / raw.len() as f64).sqrt();
    raw.iter().map(|x| x / spread).collect()
}

/// A stretch of a stock, judged by two models that see its coming returns through noise of AR(.9).
fn stretch(stocks: &[Vec<f64>], noises: [f64; 2], run: u64) -> GateInput {
    let mut stream = Seed::new(21).index(run).stream();
    let stock = &stocks[stream.below(stocks.len())];
    let start = stream.below(stock.len() - ROWS);
    let coming = &stock[start..start + ROWS];
    let labels = coming.iter().map(|change| *change > 0.0).collect();
    let [champion, candidate] = seen(coming, 0.9, 0.8, noises, &mut stream);
    input(labels, champion, candidate)
}

fn main() {
    let runs = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1_000_u64);
    println!("Promotion rates in per cent, {ROWS} rows, {runs} runs each; in brackets the standard error of a rate.");
    println!("Metric {}, one-sided level 10 %, smallest improvement 0.005.", ScoreMetric::Auc.name());
    for shared in [0.5, 0.8] {
        print_head(&format!("Simulated markets, {:.0} % of the noise common to both models", 100.0 * shared));
        for (name, wanted) in [("equal", 0.0), ("worse, -.02", -0.02), ("better, +.04", 0.04)] {
            let noise = noise_for(wanted, shared);
            for phi in [0.0, 0.5, 0.8, 0.9, 0.95] {
                let make = |run| market(ROWS, phi, shared, noise, &mut Seed::new(7).index(run).stream());
                print_row(&format!("{name}, AR({phi})"), runs, rates(runs, make));
            }
        }
    }
    let stocks: Vec<Vec<f64>> =
        ["AAPL", "FB", "GOOG", "IBM", "MSFT"].iter().map(|symbol| outcomes(&closes(symbol))).collect();
    let stocks: Vec<Vec<f64>> = stocks.into_iter().filter(|stock| stock.len() > 2 * ROWS).collect();
    print_head(&format!("Stretches of {} of the shipped stocks, overlapping five-day returns", stocks.len()));
    for (name, noises) in [("equal", [4.0, 4.0]), ("worse", [4.0, 5.0]), ("better", [4.0, 2.5])] {
        print_row(name, runs, rates(runs, |run| stretch(&stocks, noises, run)));
    }
}
