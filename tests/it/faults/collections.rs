//! Garbage collections that are killed at each of their writes.

use super::project::{FILE, RUN, answer, deployed_once, leftovers, rotten, small, words};
use super::table::{Case, Row, assert_clean};
use super::{KILLS, Scale};
use crate::bench::{Bench, Report};

/// Keeps the newest run only, and the one that promoted a model.
const GC: &[&str] = &["gc", "--grace", "0s", "--keep-runs", "1", "--keep-days", "0"];

/// A store with an old run that nothing keeps and a new one that must stay whole.
struct Template {
    bench: Bench,
    /// What the new run made.
    digests: Vec<String>,
    /// Bytes that only the old run refers to.
    garbage: std::path::PathBuf,
}

impl Template {
    fn new() -> Self {
        let bench = small();
        bench.run(FILE, &[]);
        let old = bench.run(FILE, &["--as-of", "2018-06-29"]);
        let garbage = bench.blob(old.digest("accumulate", "signals")).strip_prefix(bench.path("")).unwrap().to_owned();
        let digests = bench.run(FILE, &[]).digests();
        Self { bench, digests, garbage }
    }

    fn copy(&self) -> Bench {
        let bench = small();
        bench.copy_store(&self.bench);
        bench
    }
}

/// A collection that is killed in its first phase, which notes candidates, or in its second, which removes them.
fn killed(template: &Template, second_phase: bool, fault: &str, point: u64) -> Case {
    let (bench, mut case) = (template.copy(), Case::default());
    if second_phase {
        answer(&bench, &mut case, GC);
    }
    let call = bench.call_with(&[("WALKFORWARD_FAULT", &format!("{fault}:{point}"))], GC);
    case.expect(call.code.is_none() || call.code == Some(0), || format!("the kill left {}", words(&call)));
    // a run beside the ruins of a collection, then collections that end
    if let Some(report) = answer(&bench, &mut case, RUN) {
        let report = Report(report);
        case.lost += report.nodes().iter().filter(|node| node["outcome"] != "reused").count();
        case.expect(report.digests() == template.digests, || "digests differ".to_owned());
    }
    for _ in 0..2 {
        answer(&bench, &mut case, GC);
    }
    case.expect(!bench.path(template.garbage.to_str().unwrap()).exists(), || "what nothing refers to stays".to_owned());
    let (left, rotten) = (leftovers(&bench), rotten(&bench));
    case.expect(left.is_empty() && rotten.is_empty(), || format!("left behind: {left:?}, {rotten:?}"));
    if let Some(report) = answer(&bench, &mut case, RUN) {
        let report = Report(report);
        case.lost += report.nodes().iter().filter(|node| node["outcome"] != "reused").count();
        case.expect(report.digests() == template.digests, || "digests differ after gc".to_owned());
    }
    deployed_once(&bench, &mut case, super::project::MODEL);
    case
}

/// How many points a call passes.
fn points(bench: &Bench, args: &[&str]) -> u64 {
    let trace = bench.path("trace");
    // added to by every call
    let _ = std::fs::remove_file(&trace);
    let call = bench.call_with(&[("WALKFORWARD_FAULT_TRACE", trace.to_str().unwrap())], args);
    assert_eq!(call.code, Some(0), "{}", words(&call));
    std::fs::read_to_string(trace).unwrap().lines().count() as u64
}

/// Every way to kill at so many points.
fn kills(count: u64) -> Vec<(&'static str, u64)> {
    KILLS.iter().flat_map(|(fault, _)| (1..=count).map(move |point| (*fault, point))).collect()
}

/// A pin that is killed while it is set or taken away: it is there or not, and nothing is in anyone's way.
fn pins(template: &Template, scale: Scale) -> Row {
    let digest = template.digests[0].rsplit(' ').next().unwrap();
    let (add, remove) = (["pin", "add", digest], ["pin", "remove", digest]);
    let bench = template.copy();
    let both = [(add, points(&bench, &add)), (remove, points(&bench, &remove))];
    let all = both.iter().flat_map(|(args, count)| kills(*count).into_iter().map(move |kill| (*args, kill))).collect();
    let cases = scale.cases(all, 4, 41);
    Row::of(
        "kill of `pin add` and `pin remove`",
        &cases,
        |(args, kill)| format!("{args:?} {kill:?}"),
        |(args, kill)| {
            let (bench, mut case) = (template.copy(), Case::default());
            if args == &remove {
                answer(&bench, &mut case, &add);
            }
            let call = bench.call_with(&[("WALKFORWARD_FAULT", &format!("{}:{}", kill.0, kill.1))], args);
            case.expect(call.code.is_none() || call.code == Some(0), || format!("the kill left {}", words(&call)));
            for args in [&["pin", "list"][..], GC, &add, &["pin", "list"], &remove, GC] {
                answer(&bench, &mut case, args);
            }
            let left = bench.json(&["pin", "list"]);
            case.expect(left.as_array().is_some_and(Vec::is_empty), || format!("still pinned: {left}"));
            case
        },
    )
}

pub fn rows(scale: Scale) -> Vec<Row> {
    let template = Template::new();
    let phases = [(false, "kill of gc while it notes candidates"), (true, "kill of gc while it removes")];
    let row = |(second_phase, kind): (bool, &str)| {
        let bench = template.copy();
        if second_phase {
            bench.ok(GC);
        }
        let cases = scale.cases(kills(points(&bench, GC)), 5, u64::from(second_phase));
        Row::of(
            kind,
            &cases,
            |(fault, point)| format!("{fault}:{point}"),
            |(fault, point)| killed(&template, second_phase, fault, *point),
        )
    };
    let mut rows = phases.map(row).to_vec();
    rows.push(pins(&template, scale));
    rows
}

#[test]
fn a_collection_that_is_killed_loses_nothing_and_the_next_one_completes() {
    assert_clean(&rows(Scale::Quick));
}
