//! Processor time, quality and memory of every model family, on one thread.
//!
//! `cargo bench --bench model` fits 50,000 x 60 and 500,000 x 100; `-- ROWSxCOLUMNS...` other sizes. With
//! `MODEL_BENCH_FOLDER` the tables are written there, for the other tools that `benches/model.sh --peers` measures. A line is
//! `family rows columns seconds auc log_loss megabytes microseconds`: processor time of the fit, quality on a fifth as many
//! fresh rows, the most memory above the table itself, and the time of one row predicted alone.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and cannot go on after a fault")]

use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde_json::{Value, json};
use walkforward::base::{CancelToken, Seed};
use walkforward::model::{Learner, Model, ModelConfig, TrainingSet};

/// What is fitted: our family, its parameters, and the size from which on fewer trees do.
fn cases(rows: usize) -> Vec<(&'static str, Value)> {
    let trees = if rows > 100_000 { 20 } else { 100 };
    let forest = json!({"trees": trees, "max_depth": 12, "min_leaf": 10.0, "out_of_bag": false});
    let boosting = |more: Value| {
        let mut params = json!({"trees": 100, "learning_rate": 0.1, "min_child_weight": 1.0, "l2": 1.0});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    vec![
        ("logistic", json!({"l2": 1.0})),
        ("naive-bayes", json!({})),
        ("random-forest", forest.clone()),
        ("extra-trees", forest),
        ("xgboost", boosting(json!({"max_depth": 6}))),
        ("lightgbm", boosting(json!({"max_leaves": 31, "max_depth": 64, "l2": 0.0}))),
    ]
}

/// Normal features; a tenth of them decide alone, some in pairs; one label in twenty is wrong.
fn table(rows: usize, columns: usize) -> (Array2<f64>, Array1<f64>) {
    let mut stream = Seed::new(7).derive("bench").stream();
    let mut features = Array2::zeros((rows, columns));
    let mut labels = Array1::zeros(rows);
    for (mut row, label) in features.rows_mut().into_iter().zip(&mut labels) {
        // single precision, so that every tool sees the same numbers
        row.iter_mut().for_each(|value| *value = f64::from(stream.normal() as f32));
        let alone: f64 = (0..columns / 10).map(|column| row[column] / (1.0 + column as f64)).sum();
        let together: f64 = (0..4).map(|pair| row[columns / 10 + 2 * pair] * row[columns / 10 + 2 * pair + 1]).sum();
        let is_one = alone + 0.7 * together + 0.3 * stream.normal() > 0.0;
        *label = f64::from(u8::from(is_one != (stream.uniform() < 0.05)));
    }
    (features, labels)
}

/// Time that this thread has spent on a processor; Linux tells it.
fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let (start, before) = (Instant::now(), on_processor());
    let result = work();
    let spent = before.and_then(|before| on_processor()?.checked_sub(before));
    (result, spent.unwrap_or_else(|| start.elapsed()).as_secs_f64())
}

/// A figure of `/proc/self/status` in megabytes; 0 where there is none.
fn memory(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).map_or(0.0, |kilobytes: f64| kilobytes / 1024.0)
}

/// Area under the ROC curve of probabilities without ties, and the log loss.
fn quality(p: &[f64], labels: &[f64]) -> (f64, f64) {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let ones = labels.iter().sum::<f64>();
    let ranks: f64 = order.iter().zip(1..).filter(|(at, _)| labels[**at] == 1.0).map(|(_, rank)| f64::from(rank)).sum();
    let auc = (ranks - ones * (ones + 1.0) / 2.0) / (ones * (p.len() as f64 - ones));
    let truth = |p: f64, label: f64| if label == 1.0 { p } else { 1.0 - p };
    let loss = p.iter().zip(labels).map(|(&p, &label)| -truth(p, label).max(1e-15).ln()).sum::<f64>() / p.len() as f64;
    (auc, loss)
}

/// Microseconds of one row predicted alone.
fn one_row(model: &Model, rows: ArrayView2<'_, f64>) -> f64 {
    let rows: Vec<Vec<f64>> = rows.rows().into_iter().take(2_000).map(|row| row.to_vec()).collect();
    let mut by_row = model.by_row();
    let mut round = || {
        let predict_all = || {
            for row in &rows {
                black_box(by_row.predict(row));
            }
        };
        timed(predict_all).1
    };
    round();
    (0..5).map(|_| round()).fold(f64::INFINITY, f64::min) * 1e6 / rows.len() as f64
}

fn measure(rows: usize, columns: usize) {
    let (features, labels) = table(rows + rows / 5, columns);
    if let Some(folder) = std::env::var_os("MODEL_BENCH_FOLDER") {
        let write = |name: &str, values: &mut dyn Iterator<Item = f64>| {
            let path = std::path::Path::new(&folder).join(format!("{rows}x{columns}.{name}"));
            let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
            values.for_each(|value| file.write_all(&(value as f32).to_le_bytes()).unwrap());
        };
        write("features", &mut features.iter().copied());
        write("labels", &mut labels.iter().copied());
    }
    let set =
        TrainingSet::new(features.slice_axis(Axis(0), (..rows).into()), labels.slice_axis(Axis(0), (..rows).into()));
    let fresh = features.slice_axis(Axis(0), (rows..).into());
    for (family, params) in cases(rows) {
        let learner = Learner::new(ModelConfig::from_json(family, &params).unwrap()).unwrap();
        // from here on the peak is that of this fit
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let before = memory("VmRSS");
        let (model, seconds) = timed(|| learner.fit(&set, None, Seed::new(1), &CancelToken::new()).unwrap());
        let above = memory("VmHWM") - before;
        let (auc, loss) =
            quality(&model.predict(fresh).to_vec(), &labels.slice_axis(Axis(0), (rows..).into()).to_vec());
        let alone = one_row(&model, fresh);
        println!("{family} {rows} {columns} {seconds:.3} {auc:.4} {loss:.4} {above:.0} {alone:.2}");
    }
}

fn main() {
    // cargo adds flags of its own
    let sizes: Vec<String> = std::env::args().skip(1).filter(|size| !size.starts_with('-')).collect();
    let sizes = if sizes.is_empty() { vec!["50000x60".to_owned(), "500000x100".to_owned()] } else { sizes };
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for size in sizes {
        let (rows, columns) = size.split_once('x').unwrap();
        one.install(|| measure(rows.parse().unwrap(), columns.parse().unwrap()));
    }
}
