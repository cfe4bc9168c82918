//! Every class of stored objects, damaged in every way: noticed, made again or refused, and never believed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use walkforward::base::{RandomStream, Seed};

use super::Scale;
use super::project::{FILE, MODEL, names, rotten, small, words};
use super::table::{Case, Row, assert_clean};
use crate::bench::{Bench, Call, Report};

/// What is done to the bytes of an object.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// One bit of the byte at this share of the length.
    Flip(f64, u8),
    /// The second half is gone.
    Cut,
    /// All bytes are gone.
    Empty,
    /// It has the bytes of another object of its class, and the other way round.
    Exchange,
    /// It is gone.
    Delete,
}

impl Damage {
    const fn is_a_change(self) -> bool {
        !matches!(self, Self::Delete)
    }
}

/// What an object is, and the words by which a message may name it.
struct Target {
    class: &'static str,
    name: String,
    /// Another one of its class.
    other: Option<String>,
}

/// Classes of objects: where they are, and whether somebody who reads the store must notice a change. What is only written
/// for people, or says who holds a lock, is believed by nobody.
const CLASSES: &[(&str, &str, bool)] = &[
    ("format", "FORMAT", true),
    ("blob", "blobs/", true),
    ("action", "actions/", true),
    ("start of a run", "/start.json", true),
    ("nodes of a run", "/nodes/", true),
    ("end of a run", "/end.json", true),
    ("log of a node", "/logs/", true),
    ("lineage of a run", "/openlineage.ndjson", true),
    ("registry entry", "registry/", true),
    ("pin", "pins/", true),
    ("candidates of gc", "gc/", false),
    ("message that is due", "outbox/", false),
];

struct Template {
    bench: Bench,
    targets: Vec<Target>,
    digests: Vec<String>,
    /// The run of the small pipeline, and the last one of the other.
    runs: [String; 2],
    /// What each reading command says of the sound store.
    sound: Vec<(Vec<String>, Option<Value>)>,
}

impl Template {
    fn new() -> Self {
        let bench = small();
        // first, so that its nodes have logs
        let report = bench.run(FILE, &[]);
        // a message that cannot be sent stays due
        let text = bench.read(FILE);
        bench.write("other.yaml", text.replace(MODEL, "other-quality").replace("name: small", "name: other") + DUE);
        bench.run("other.yaml", &["--set", "again=1"]);
        let other = bench.run("other.yaml", &["--set", "again=2"]);
        let (digests, run) = (report.digests(), report.0["run"].as_str().unwrap().to_owned());
        bench.ok(&["registry", "rollback", "other-quality", "--to", "none", "--reason", "to have two entries"]);
        for pinned in [report.digest("train", "model"), report.digest("accumulate", "signals")] {
            bench.ok(&["pin", "add", &pinned[..16]]);
        }
        bench.ok(&["gc"]);
        let names = names(&bench);
        // nobody looks for the results of the other pipeline, which was rolled back
        let asked_for = |name: &str| {
            let path = bench.path("artifacts/store").join(name);
            !name.starts_with("actions/") || crate::bench::read_json(&path)["body"]["made_by"]["run"] == *run
        };
        let targets = names.iter().filter(|name| asked_for(name)).filter_map(|name| {
            let (class, place, _) = CLASSES.iter().find(|(_, place, _)| is_of(name, place))?;
            let other = names.iter().find(|other| *other != name && is_of(other, place));
            Some(Target { class, name: name.clone(), other: other.cloned() })
        });
        let targets: Vec<Target> = targets.collect();
        for (class, ..) in CLASSES {
            assert!(targets.iter().any(|target| target.class == *class), "no {class} among {names:?}");
        }
        let runs = [run, other.0["run"].as_str().unwrap().to_owned()];
        let mut template = Self { bench, targets, digests, runs, sound: Vec::new() };
        template.sound = template
            .readers()
            .into_iter()
            .map(|args| {
                let call = template.read(&template.bench, &args);
                assert_eq!(call.code, Some(0), "{args:?}: {}", words(&call));
                let whole = serde_json::from_str(&call.stdout).unwrap();
                (args, Some(whole))
            })
            .collect();
        template
    }

    /// Commands that read the store and say the same whenever they are asked.
    fn readers(&self) -> Vec<Vec<String>> {
        let [run, other] = self.runs.each_ref().map(String::as_str);
        let readers: [&[&str]; 14] = [
            &["runs"],
            &["show", run],
            &["logs", run, "accumulate"],
            &["logs", run, "train"],
            &["logs", run, "evaluate"],
            &["registry", "show", MODEL],
            &["registry", "show", "other-quality"],
            &["pin", "list"],
            &["audit", MODEL, "--level", "decisions"],
            &["audit", run, "--level", "decisions"],
            &["show", other],
            &["audit", other, "--level", "decisions"],
            // what has nothing to do with a subject is found by the audit of everything
            &["audit", "all", "--level", "decisions"],
            &["plan", FILE],
        ];
        readers.iter().map(|args| args.iter().map(|word| (*word).to_owned()).collect()).collect()
    }

    fn read(&self, bench: &Bench, args: &[String]) -> Call {
        let args: Vec<&str> = ["--json"].into_iter().chain(args.iter().map(String::as_str)).collect();
        bench.call(&args)
    }

    fn cases(&self, scale: Scale) -> Vec<(usize, Damage)> {
        let mut stream = Seed::new(17).stream();
        let (mut all, mut quick) = (Vec::new(), Vec::new());
        for (at, target) in self.targets.iter().enumerate() {
            let damages = damages(&mut stream, target.other.is_some());
            // in a sample, the first of each class
            if self.targets[..at].iter().all(|before| before.class != target.class) {
                quick.extend(damages.iter().map(|damage| (at, *damage)));
            }
            all.extend(damages.into_iter().map(|damage| (at, damage)));
        }
        if scale == Scale::Full { all } else { Scale::Quick.cases(quick, 28, 5) }
    }
}

/// Two runs that differ in a value that reaches nothing, and a message that nobody takes.
const DUE: &str = "
params: {again: {type: int, default: 0}}
notify: [{command: [/bin/false]}]
";

fn is_of(name: &str, place: &str) -> bool {
    // the clock of gc is no record
    (name.starts_with(place) || (place.starts_with('/') && name.contains(place))) && !name.ends_with("clock")
}

/// Both ends, the middle, and two places that are drawn.
fn damages(stream: &mut RandomStream, exchange: bool) -> Vec<Damage> {
    let drawn = [0.0, 0.5, 1.0, stream.uniform(), stream.uniform()];
    let mut damages: Vec<Damage> =
        drawn.into_iter().map(|at| Damage::Flip(at, (stream.uniform() * 8.0) as u8)).collect();
    damages.extend([Damage::Cut, Damage::Empty, Damage::Delete]);
    damages.extend(exchange.then_some(Damage::Exchange));
    damages
}

/// Damages an object; false where that changes nothing.
fn damage(bench: &Bench, target: &Target, damage: Damage) -> bool {
    let path = |name: &str| bench.path("artifacts/store").join(name);
    let own = path(&target.name);
    let honest = std::fs::read(&own).unwrap();
    let mut bytes = honest.clone();
    match damage {
        Damage::Flip(share, bit) => {
            let Some(last) = bytes.len().checked_sub(1) else { return false };
            bytes[(last as f64 * share) as usize] ^= 1 << bit;
        }
        Damage::Cut => bytes.truncate(bytes.len() / 2),
        Damage::Empty => bytes.clear(),
        Damage::Exchange => {
            let other = path(target.other.as_ref().unwrap());
            bytes = std::fs::read(&other).unwrap();
            std::fs::write(other, &honest).unwrap();
        }
        Damage::Delete => {
            std::fs::remove_file(own).unwrap();
            return true;
        }
    }
    std::fs::write(own, &bytes).unwrap();
    bytes != honest
}

/// Words by which a message may name an object: its name, the end of it, or the digest that it is.
fn handles(name: &str) -> Vec<String> {
    let file = name.rsplit('/').next().unwrap().trim_end_matches(".json").trim_end_matches(".log").to_owned();
    let digest: String =
        name.trim_end_matches(".json").split('/').rev().take(2).collect::<Vec<_>>().into_iter().rev().collect();
    let mut handles = vec![name.to_owned(), file];
    if digest.len() == 64 {
        handles.extend([digest[..12].to_owned(), digest]);
    }
    if let Some((model, _)) = name.strip_prefix("registry/").and_then(|rest| rest.split_once("/provenance/")) {
        handles.push(format!("{model}, slot"));
    }
    if let Some((model, _)) = name.strip_prefix("registry/").and_then(|rest| rest.split_once("/written/")) {
        handles.push(format!("log of {model}"));
    }
    if let Some((model, slot)) = name.strip_prefix("registry/").and_then(|rest| rest.split_once("/log/")) {
        handles.extend([
            format!("{model}` is broken at slot {}", slot.trim_end_matches(".json").trim_start_matches('0')),
            format!("registry log of {model}"),
            format!("`{model}`"),
        ]);
    }
    handles
}

/// Says that something is damaged or gone.
fn admits(text: &str) -> bool {
    [
        "damaged",
        "missing or was changed",
        "cannot be read",
        "does not match",
        "unreadable",
        "mismatch",
        "interrupted",
        "no statement",
    ]
    .iter()
    .any(|word| text.to_lowercase().contains(word))
}

/// Says whether an audit counts one object fewer of what can be made again, or one run fewer, and is else what it was.
fn counts_one_fewer(class: &str, sound: &Option<Value>, found: &Option<Value>) -> bool {
    let counts = |report: &Option<Value>| {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for finding in report.as_ref()?["result"]["findings"].as_array()? {
            let key = |field: &str| finding[field].as_str().map(str::to_owned);
            *counts.entry((key("check")?, key("status")?)).or_default() += finding["count"].as_u64()?;
        }
        Some(counts)
    };
    let (Some(sound), Some(mut found)) = (counts(sound), counts(found)) else { return false };
    let check = match class {
        "action" => "results",
        "blob" => "blobs",
        // a run without its start never began
        "start of a run" => "records",
        _ => return false,
    };
    *found.entry((check.to_owned(), "verified".to_owned())).or_default() += 1;
    match class {
        // with the run go its checks
        "start of a run" => found.iter().all(|(key, count)| sound.get(key).is_some_and(|sound| count <= sound)),
        _ => found == sound,
    }
}

fn one(template: &Template, at: usize, how: Damage) -> Case {
    let target = &template.targets[at];
    let (bench, mut case) = (small(), Case::default());
    bench.copy_store(&template.bench);
    bench.write("other.yaml", template.bench.read("other.yaml"));
    if !damage(&bench, target, how) {
        return case;
    }
    let mut noticed = false;
    let named = [Some(&target.name), target.other.as_ref().filter(|_| matches!(how, Damage::Exchange))];
    let handles: Vec<String> = named.into_iter().flatten().flat_map(|name| handles(name)).collect();
    for (args, sound) in &template.sound {
        let call = template.read(&bench, args);
        let said = format!("{}{}", call.stdout, call.stderr);
        case.expect(!said.contains("panicked") && !said.contains("a bug:"), || format!("{args:?}: {}", words(&call)));
        match call.code {
            Some(0) => {
                let answer: Option<Value> = serde_json::from_str(&call.stdout).ok();
                if answer == *sound {
                    continue;
                }
                noticed = true;
                // what is gone may be left out of a list; what is changed must be said to be, or left out too
                let shorter = call.stdout.len() < sound.as_ref().map_or(0, |sound| format!("{sound:#}").len());
                let left_out = match args[0].as_str() {
                    // an audit leaves nothing out: of everything, it counts what is there
                    "audit" => matches!(how, Damage::Delete) && counts_one_fewer(target.class, sound, &answer),
                    _ => shorter,
                };
                if !admits(&said) && !left_out {
                    case.undetected += usize::from(how.is_a_change());
                    case.problem(format!("`{}` says another thing: {}", args.join(" "), words(&call)));
                }
            }
            // not found: what is gone, or a run whose record cannot be believed
            Some(2) => {
                noticed = true;
                let refused = ["no single run", "nothing to audit under"].iter().any(|words| said.contains(words));
                case.expect(!how.is_a_change() || refused, || words(&call));
            }
            Some(3 | 4) => {
                noticed = true;
                let is_named = handles.iter().any(|handle| said.contains(handle));
                case.expect(is_named || !how.is_a_change(), || {
                    format!("`{}` does not name it: {}", args.join(" "), words(&call))
                });
            }
            _ => case.problem(format!("`{}` ended with {}", args.join(" "), words(&call))),
        }
    }
    noticed |= runs_on(template, &bench, &mut case, target, &handles);
    let must = CLASSES.iter().any(|(class, _, must)| *class == target.class && *must);
    if must && how.is_a_change() && !noticed {
        case.undetected += 1;
        case.problem("nobody noticed".to_owned());
    }
    case
}

/// Runs and collects on the damaged store; says whether the damage was mended or refused.
fn runs_on(template: &Template, bench: &Bench, case: &mut Case, target: &Target, handles: &[String]) -> bool {
    let path = bench.path("artifacts/store").join(&target.name);
    let before = std::fs::read(&path).ok();
    let call = bench.call(&["--json", "run", FILE, "--progress", "none"]);
    let collected = bench.call(&["gc", "--grace", "0s"]);
    let mut refused = false;
    for (what, call) in [("run", &call), ("gc", &collected)] {
        let said = format!("{}{}", call.stdout, call.stderr);
        if call.code == Some(4) && handles.iter().any(|handle| said.contains(handle)) {
            refused = true;
        } else {
            case.expect(call.code == Some(0), || format!("`{what}` ended with {}", words(call)));
        }
    }
    if call.code == Some(0) {
        let mut whole: Value = serde_json::from_str(&call.stdout).unwrap();
        let report = Report(whole["result"].take());
        if report.digests() != template.digests {
            case.undetected += 1;
            case.problem(format!("digests differ: {:?}", report.digests()));
        }
        let needed: Vec<PathBuf> =
            template.digests.iter().map(|line| bench.blob(line.rsplit(' ').next().unwrap())).collect();
        let bad: Vec<PathBuf> = rotten(bench).into_iter().filter(|path| needed.contains(path)).collect();
        case.lost += bad.len();
        case.expect(bad.is_empty(), || format!("results that were not mended: {bad:?}"));
    }
    refused || before != std::fs::read(&path).ok()
}

pub fn rows(scale: Scale) -> Vec<Row> {
    let template = Template::new();
    let cases = template.cases(scale);
    let name = |(at, how): &(usize, Damage)| format!("{how:?} of {}", template.targets[*at].name);
    let row = |class: &str| {
        let own = |(at, _): &&(usize, Damage)| template.targets[*at].class == class;
        let own: Vec<(usize, Damage)> = cases.iter().filter(own).copied().collect();
        (!own.is_empty())
            .then(|| Row::of(&format!("damage: {class}"), &own, name, |(at, how)| one(&template, *at, *how)))
    };
    CLASSES.iter().filter_map(|(class, ..)| row(class)).collect()
}

#[test]
fn damage_to_any_object_is_noticed_or_mended_and_never_believed() {
    assert_clean(&rows(Scale::Quick));
}
