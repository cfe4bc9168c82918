//! The calibrators as operators.

use super::graph::Graph;
use crate::model::Calibrator;

/// As in `calibration/sigmoid.rs`.
const LOGIT_CLIP: f64 = 1e-6;

/// Adds a calibrator behind the probability `raw` and gives the name of its result, another one than `raw`.
pub(super) fn write(graph: &mut Graph, calibrator: &Calibrator, raw: &str) -> String {
    match calibrator {
        Calibrator::None => graph.apply("Identity", &[raw]),
        Calibrator::Platt { a, b } => sigmoid_of_line(graph, raw, -a, -b),
        Calibrator::PlattLogit { a, b } => {
            let p = clipped(graph, raw, LOGIT_CLIP);
            let q = complement(graph, &p);
            let odds = graph.apply("Div", &[&p, &q]);
            let log_odds = graph.apply("Log", &[&odds]);
            sigmoid_of_line(graph, &log_odds, -a, -b)
        }
        Calibrator::Beta { a, b, c } => {
            let p = clipped(graph, raw, f64::EPSILON);
            let q = complement(graph, &p);
            let (log_p, log_q) = (graph.apply("Log", &[&p]), graph.apply("Log", &[&q]));
            let rising = line(graph, &log_p, *a, *c);
            let falling = line(graph, &log_q, *b, 0.0);
            let log_odds = graph.apply("Sub", &[&rising, &falling]);
            graph.apply("Sigmoid", &[&log_odds])
        }
        Calibrator::Isotonic { x, y } => steps(graph, raw, x, y),
    }
}

fn line(graph: &mut Graph, value: &str, slope: f64, offset: f64) -> String {
    let (slope, offset) = (graph.constant(&[], &[slope]), graph.constant(&[], &[offset]));
    let scaled = graph.apply("Mul", &[value, &slope]);
    graph.apply("Add", &[&scaled, &offset])
}

fn sigmoid_of_line(graph: &mut Graph, value: &str, slope: f64, offset: f64) -> String {
    let log_odds = line(graph, value, slope, offset);
    graph.apply("Sigmoid", &[&log_odds])
}

fn clipped(graph: &mut Graph, value: &str, margin: f64) -> String {
    let (low, high) = (graph.constant(&[], &[margin]), graph.constant(&[], &[1.0 - margin]));
    let at_least = graph.apply("Max", &[value, &low]);
    graph.apply("Min", &[&at_least, &high])
}

fn complement(graph: &mut Graph, p: &str) -> String {
    let one = graph.constant(&[], &[1.0]);
    graph.apply("Sub", &[&one, p])
}

/// `y0 + sum slope * (p clipped to the step - its start)`: each step adds what of it lies below `p`.
fn steps(graph: &mut Graph, p: &str, x: &[f64], y: &[f64]) -> String {
    let count = x.len().min(y.len()).saturating_sub(1);
    let start = graph.constant(&[], &[y.first().copied().unwrap_or(f64::NAN)]);
    if count == 0 {
        let zero = graph.constant(&[], &[0.0]);
        let nothing = graph.apply("Mul", &[p, &zero]);
        return graph.apply("Add", &[&nothing, &start]);
    }
    let slopes: Vec<f64> = (0..count).map(|i| (y[i + 1] - y[i]) / (x[i + 1] - x[i])).collect();
    let low = graph.constant(&[1, count], &x[..count]);
    let high = graph.constant(&[1, count], &x[1..=count]);
    let slopes = graph.constant(&[count, 1], &slopes);
    let at_least = graph.apply("Max", &[p, &low]);
    let inside = graph.apply("Min", &[&at_least, &high]);
    let share = graph.apply("Sub", &[&inside, &low]);
    let rise = graph.apply("MatMul", &[&share, &slopes]);
    graph.apply("Add", &[&rise, &start])
}
