//! Several processes at once: one promotion, or none.

use super::Scale;
use super::project::{FILE, MODEL, answer, clean_up, deployed_once, settle, small, words, write_small};
use super::table::{Case, Row, assert_clean};
use crate::bench::{Bench, Report};
use crate::s3::Server;

fn ended_well(bench: &Bench, case: &mut Case, calls: &[Vec<&str>]) {
    let running: Vec<_> = calls.iter().map(|args| bench.start(args)).collect();
    for (running, args) in running.into_iter().zip(calls) {
        let call = running.end();
        case.expect(call.code == Some(0), || format!("`{}` ended with {}", args.join(" "), words(&call)));
    }
}

/// The same call by several processes at once.
fn same(scale: Scale) -> Row {
    let digests = small().run(FILE, &[]).digests();
    let cases: Vec<usize> = if scale == Scale::Full { [2, 3, 4].repeat(8) } else { vec![2, 4] };
    Row::of(
        "the same run by 2 to 4 processes at once",
        &cases,
        |count| format!("{count} processes"),
        |count| {
            let (bench, mut case) = (small(), Case::default());
            ended_well(&bench, &mut case, &vec![vec!["run", FILE, "--progress", "none"]; *count]);
            settle(&bench, &mut case, &digests);
            clean_up(&bench, &mut case, &digests);
            case
        },
    )
}

/// Different models that race for one alias. Each was compared with no champion, so that only the first may have it.
fn rivals(bench: &Bench, case: &mut Case, count: usize) {
    let text = bench.read(FILE);
    let files: Vec<String> = (0..count).map(|rival| format!("rival-{rival}.yaml")).collect();
    for (rival, file) in files.iter().enumerate() {
        let own = text.replace("{kind: logistic}", &format!("{{kind: logistic, l2: {}}}", rival + 1));
        assert!(own.contains("l2"), "{own}");
        bench.write(file, own);
    }
    let calls: Vec<Vec<&str>> = files.iter().map(|file| vec!["run", file, "--progress", "none"]).collect();
    ended_well(bench, case, &calls);
    deployed_once(bench, case, MODEL);
    let champion = answer(bench, case, &["registry", "list"]);
    let champion = champion.map(|list| list[0]["champion"]["version"]["model"]["sha256"].clone()).unwrap_or_default();
    let (mut promoted, mut models) = (0, Vec::new());
    for file in &files {
        let Some(report) = answer(bench, case, &["run", file, "--progress", "none"]) else { continue };
        let report = Report(report);
        models.push(report.digest("train", "model").to_owned());
        promoted += usize::from(report.node("deploy")["values"]["decision"] == "promoted");
    }
    case.expect(promoted == 1, || format!("{promoted} of the rivals say that they were promoted"));
    case.expect(models.iter().any(|model| champion == **model), || format!("{champion} is none of {models:?}"));
    deployed_once(bench, case, MODEL);
}

fn rivals_on_disk(scale: Scale) -> Row {
    let cases: Vec<usize> = if scale == Scale::Full { [2, 3, 4].repeat(6) } else { vec![3] };
    Row::of(
        "2 to 4 models race for one alias, on disk",
        &cases,
        |count| format!("{count} models"),
        |count| {
            let (bench, mut case) = (small(), Case::default());
            rivals(&bench, &mut case, *count);
            case
        },
    )
}

fn rivals_in_a_bucket(scale: Scale) -> Row {
    let server = Server::shared();
    let all: Vec<usize> = if scale == Scale::Full { vec![2, 3, 4, 2, 3, 4] } else { vec![2] };
    let cases: Vec<(usize, usize)> = all.into_iter().enumerate().collect();
    Row::of(
        "2 to 4 models race for one alias, in a bucket",
        &cases,
        |(_, count)| format!("{count} models"),
        |case| {
            let (at, count) = *case;
            let bench = server.bench(&format!("faults-rivals-{at}"));
            write_small(&bench);
            let mut case = Case::default();
            rivals(&bench, &mut case, count);
            case
        },
    )
}

/// Two cron jobs in one moment, of a group that is skipped when it is busy.
fn two_crons(scale: Scale) -> Row {
    let digests = small().run(FILE, &[]).digests();
    let cases: Vec<usize> = (0..if scale == Scale::Full { 12 } else { 1 }).collect();
    Row::of("two crons at once, one group", &cases, ToString::to_string, |_| {
        let (bench, mut case) = (small(), Case::default());
        let text = bench.read(FILE);
        bench.write(FILE, text.replace("nodes:", "concurrency: {group: weekly, on_conflict: skip}\nnodes:"));
        ended_well(&bench, &mut case, &vec![vec!["run", FILE, "--progress", "none"]; 2]);
        settle(&bench, &mut case, &digests);
        case
    })
}

/// A deployment whose answers are lost, one at a time, and that is tried again.
fn retried(scale: Scale) -> Row {
    let with_retry = || {
        let bench = small();
        let text = bench.read(FILE).replace(
            "kind: deploy-if-better\n",
            "kind: deploy-if-better\n    retry: {max_attempts: 3, backoff: {initial: 10ms}}\n",
        );
        bench.write(FILE, text);
        bench
    };
    let digests = with_retry().run(FILE, &[]).digests();
    let all: Vec<u64> = (40..=120).collect();
    let cases = scale.cases(all, 6, 3);
    Row::of(
        "an answer of the store is lost, the node tried again",
        &cases,
        |at| format!("point {at}"),
        |at| {
            let (bench, mut case) = (with_retry(), Case::default());
            let call = bench.call_with(&[("WALKFORWARD_FAULT", &format!("lost:{at}"))], super::project::RUN);
            // the record of a run cannot be tried again: then the store is said to have failed
            case.expect(matches!(call.code, Some(0 | 1 | 4)), || words(&call));
            settle(&bench, &mut case, &digests);
            clean_up(&bench, &mut case, &digests);
            case
        },
    )
}

pub fn rows(scale: Scale) -> Vec<Row> {
    vec![same(scale), rivals_on_disk(scale), rivals_in_a_bucket(scale), two_crons(scale), retried(scale)]
}

#[test]
fn processes_that_make_the_same_at_once_deploy_it_once() {
    assert_clean(&[same(Scale::Quick), two_crons(Scale::Quick)]);
}

#[test]
fn of_models_that_race_for_an_alias_one_has_it() {
    assert_clean(&[rivals_on_disk(Scale::Quick), rivals_in_a_bucket(Scale::Quick)]);
}

#[test]
fn a_node_that_is_tried_again_deploys_once() {
    assert_clean(&[retried(Scale::Quick)]);
}
