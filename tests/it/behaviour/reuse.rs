//! What is in the store is not made again, and what decides a result is its inputs and nothing else.

use super::{SYNTHETIC, WEEKLY};
use crate::bench::{Bench, Report};

/// Few trials: enough to search, few enough to be quick.
const QUICK: [&str; 2] = ["--set", "trials=8"];

fn weekly(args: &[&str]) -> Report {
    let bench = Bench::new();
    bench.run(WEEKLY, &[&QUICK, args].concat());
    bench.shown()
}

#[test]
fn a_second_run_reuses_everything_and_says_so() {
    let bench = Bench::new();
    let first = bench.run(SYNTHETIC, &[]);
    assert!(first.all("succeeded"), "{:?}", first.outcomes());
    let second = bench.run(SYNTHETIC, &[]);
    assert!(second.all("reused"), "{:?}", second.outcomes());
    assert_eq!(second.digests(), first.digests());
    for node in second.nodes() {
        assert_eq!(node["made_by"], first.0["run"], "a reused result names the run that made it");
    }
    let words = bench.ok(&["run", SYNTHETIC]);
    assert!(words.contains("Nothing to do: 5 nodes reused, 0 skipped, none had to run."), "{words}");
}

#[test]
fn threads_jobs_and_folders_do_not_reach_a_result() {
    let alone = weekly(&["--threads", "1", "--jobs", "1"]);
    assert_eq!(weekly(&["--threads", "2", "--jobs", "1"]).digests(), alone.digests());
    assert_eq!(weekly(&["--threads", "1", "--jobs", "2"]).digests(), alone.digests());
    let nodes = alone.nodes().len();
    assert_eq!(nodes, 7);
}

#[test]
fn the_name_of_a_node_and_the_place_of_a_file_do_not_reach_a_result() {
    let bench = Bench::new();
    let first = bench.run(SYNTHETIC, &[]);
    let moved = bench.read(SYNTHETIC).replace("accumulate", "collect").replace("kind: collect", "kind: accumulate");
    bench.write("elsewhere/strategy.yaml", bench.read("configs/strategies/donchian.yaml"));
    bench.write("moved.yaml", moved.replace("configs/strategies/donchian.yaml", "elsewhere/strategy.yaml"));
    let second = bench.run("moved.yaml", &[]);
    assert!(second.all("reused"), "{:?}", second.outcomes());
    assert_eq!(second.digest("collect", "signals"), first.digest("accumulate", "signals"));
}

#[test]
fn a_param_that_is_changed_and_changed_back_reuses_the_first_results() {
    let bench = Bench::new();
    let first = bench.run(SYNTHETIC, &[]);
    let other = bench.run(SYNTHETIC, &["--set", "seed=7"]);
    assert_eq!(
        other.outcomes(),
        ["accumulate reused", "deploy succeeded", "drift succeeded", "evaluate succeeded", "train succeeded"]
    );
    assert_ne!(other.digest("train", "model"), first.digest("train", "model"));
    let back = bench.run(SYNTHETIC, &["--set", "seed=42"]);
    assert!(back.all("reused"), "{:?}", back.outcomes());
    assert_eq!(back.digests(), first.digests());
}

#[test]
fn a_file_that_is_written_again_with_the_same_bytes_changes_nothing() {
    let bench = Bench::new();
    bench.run(SYNTHETIC, &[]);
    let strategy = bench.read("configs/strategies/donchian.yaml");
    std::fs::remove_file(bench.path("configs/strategies/donchian.yaml")).unwrap();
    bench.write("configs/strategies/donchian.yaml", strategy);
    bench.write(SYNTHETIC, format!("# another comment\n{}", bench.read(SYNTHETIC)));
    let again = bench.run(SYNTHETIC, &[]);
    assert!(again.all("reused"), "{:?}", again.outcomes());
}

#[test]
fn a_changed_source_stops_rebuilding_where_the_bytes_are_equal_again() {
    let bench = Bench::new();
    bench.own_data("us5");
    bench.write("own.yaml", bench.read(WEEKLY).replace("path: data/us5", "path: own/us5"));
    let first = bench.run("own.yaml", &QUICK);
    // a stock that the universe does not name: other bytes, the same rows for whoever asks
    let bars = "symbol,ts,open,high,low,close,volume\nZZZ,2013-02-28,10,11,9,10,1000\nZZZ,2013-03-01,10,11,9,10,1000\n";
    bench.write("own/us5/zzz.csv", bars);
    let second = bench.run("own.yaml", &QUICK);
    let reads_bars = ["accumulate", "evaluate", "optimize", "relabel"];
    for node in second.nodes() {
        let name = node["node"].as_str().unwrap();
        let expected = if reads_bars.contains(&name) { "succeeded" } else { "reused" };
        assert_eq!(node["outcome"], expected, "{name}");
    }
    // a study names the bytes that it was searched on, under which its trials are counted
    let rows = |report: &Report| {
        report.digests().into_iter().filter(|line| !line.starts_with("optimize.study ")).collect::<Vec<_>>()
    };
    assert_eq!(rows(&second), rows(&first));
}

#[test]
fn a_changed_strategy_runs_what_depends_on_it() {
    let bench = Bench::new();
    let first = bench.run(SYNTHETIC, &[]);
    let strategy =
        bench.read("configs/strategies/donchian.yaml").replace("hard_stop_atr_mult: 2.5", "hard_stop_atr_mult: 3.5");
    bench.write("configs/strategies/donchian.yaml", strategy);
    let second = bench.run(SYNTHETIC, &[]);
    assert!(second.all("succeeded"), "{:?}", second.outcomes());
    assert_ne!(second.digest("accumulate", "signals"), first.digest("accumulate", "signals"));
}
