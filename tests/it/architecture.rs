//! The rules that hold the source tree together, read from the text of `src/**/*.rs`.
//!
//! Arrows between rooms are the `crate::<room>` paths of a file, and `super::` chains that climb out of a room. Code that
//! only tests compile is left out: blocks under `#[cfg(test)]`, and the files that such a line declares. Comments are
//! left out too: a link in a doc comment is no dependency.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rooms by layer, lowest first. An arrow may go down; within a layer it takes a row in [`SIDEWAYS`].
const LAYERS: &[&[&str]] = &[
    &["base"],
    &["attest", "storage", "table", "indicator", "metric", "stats"],
    &["artifact", "market", "synth"],
    &["expression"],
    &["registry", "tune", "model", "drift", "label", "feature", "split", "backtest", "strategy", "monitor", "score"],
    &["node"],
    &["plan", "pipeline"],
    &["engine"],
    &["cli"],
];

/// Arrows within a layer, and why each is right. One that no code uses any more fails the test: the list only says what is.
const SIDEWAYS: &[(&str, &str, &str)] = &[
    ("plan", "pipeline", "a plan is a pipeline resolved against the store"),
    ("backtest", "strategy", "a simulation trades the signals and the rules of a strategy"),
    ("label", "backtest", "a label is the outcome of a simulated trade"),
    ("label", "strategy", "a shadow trade starts from a strategy's signal, whether the portfolio took it or not"),
    ("model", "split", "cross-fitting fits one model a fold"),
    ("indicator", "stats", "the quantile of a window is that of any values"),
    ("metric", "stats", "metrics are built from sums, ranks, distributions and the bootstrap"),
];

/// The longest file a reader should meet.
const MAX_LINES: usize = 800;

/// Words that reach the outside world, and the only room that may use them.
const OUTSIDE: &[&str] = &["std::env", "SystemTime", "Instant", "Timestamp::now", "process::exit"];
const PRINTING: &[&str] = &["println!", "eprintln!", "print!", "eprint!", "dbg!", "stdout()", "stderr()"];

/// Uses of [`OUTSIDE`] elsewhere, and why each is right.
const OUTSIDE_ALLOWED: &[(&str, &str, &str)] =
    &[("engine/scheduler.rs", "Instant", "how long running nodes may take to stop; reaches no record and no result")];

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    from: String,
    to: String,
    file: String,
    line: usize,
}

/// One file's own code: what tests and comments are made of is blanked out, so that line numbers stay.
struct Code {
    path: String,
    lines: Vec<String>,
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Every file of `src`, by its path below it.
fn sources() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
    rust_files(&root).into_iter().map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect()
}

/// The code that ships: files that only tests compile are dropped, the rest is blanked by [`shipped_lines`].
fn shipped(files: &BTreeMap<String, String>) -> Vec<Code> {
    let test_only: BTreeSet<String> = files.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let in_test = |path: &str| {
        let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
        test_only.iter().any(|test| module == test || module.starts_with(&format!("{test}/")))
    };
    files
        .iter()
        .filter(|(path, _)| !in_test(path))
        .map(|(path, text)| Code { path: path.clone(), lines: shipped_lines(text) })
        .collect()
}

/// The folder that modules declared in a file live in.
fn module_folder(path: &str) -> String {
    let stem = path.trim_end_matches(".rs");
    stem.strip_suffix("/mod").unwrap_or(if stem == "lib" || stem == "main" { "" } else { stem }).to_owned()
}

/// Modules in files of their own that a `#[cfg(test)]` line declares.
fn test_modules(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while lines.any(|line| line == "#[cfg(test)]") {
        let (mut folder, mut name, mut line) = (module_folder(path), None, lines.next().unwrap_or_default());
        if let Some(file) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix(".rs\"]")) {
            // such a path starts at the folder of the file, not at the one of the module
            folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            name = Some(file);
            line = lines.next().unwrap_or_default();
        }
        if let Some(declared) = line.strip_suffix(';').and_then(|line| Some(line.rsplit_once("mod ")?.1)) {
            found.push(format!("{folder}/{}", name.unwrap_or(declared)).trim_start_matches('/').to_owned());
        }
    }
    found
}

fn shipped_lines(text: &str) -> Vec<String> {
    let mut shipped = Vec::new();
    // the line that ends the item under a `#[cfg(test)]`; empty while its first line is awaited
    let mut test_item: Option<String> = None;
    for line in text.lines() {
        let code = without_comment(line);
        let keep = match &test_item {
            None if code.trim() == "#[cfg(test)]" => {
                test_item = Some(String::new());
                false
            }
            None => true,
            Some(end) if end.is_empty() => {
                let indent: String = code.chars().take_while(|c| c.is_whitespace()).collect();
                // an attribute or a doc comment between `#[cfg(test)]` and its item
                if !code.trim().is_empty() && !code.trim().starts_with("#[") {
                    test_item = (!code.trim_end().ends_with([';', '}'])).then(|| format!("{indent}}}"));
                }
                false
            }
            Some(end) => {
                if code == end {
                    test_item = None;
                }
                false
            }
        };
        shipped.push(if keep { code.to_owned() } else { String::new() });
    }
    shipped
}

/// A line up to its comment; `//` inside a text, as in `s3://`, has no space before it.
fn without_comment(line: &str) -> &str {
    let starts = line.match_indices("//").map(|(at, _)| at);
    let comment = starts.into_iter().find(|&at| line[..at].chars().next_back().is_none_or(char::is_whitespace));
    line[..comment.unwrap_or(line.len())].trim_end()
}

/// The room that a file belongs to; the crate root and `main` belong to none.
fn room_of(path: &str) -> Option<&str> {
    let first = path.split('/').next()?.trim_end_matches(".rs");
    (!["lib", "main"].contains(&first)).then_some(first)
}

fn arrows(code: &Code) -> Vec<Arrow> {
    let Some(from) = room_of(&code.path) else { return Vec::new() };
    let depth = module_folder(&code.path).split('/').count();
    // as many `super::` as the file is deep lead to the crate root, exactly as `crate::` does
    let climb = "super::".repeat(depth);
    let text = code.lines.join("\n");
    let mut found = Vec::new();
    for root in ["crate::", climb.as_str()] {
        for (at, _) in text.match_indices(root) {
            let part_of_a_name = text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '$'));
            if part_of_a_name {
                continue;
            }
            let line = 1 + text[..at].matches('\n').count();
            for to in named_rooms(&text[at + root.len()..]) {
                if to != from && !to.is_empty() {
                    found.push(Arrow { from: from.to_owned(), to, file: code.path.clone(), line });
                }
            }
        }
    }
    found
}

/// The first names after `crate::`: one, or each of a `{...}` group.
fn named_rooms(rest: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut depth = 0_usize;
    let mut starts = vec![0];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => starts.push(at + 1),
            _ => {}
        }
    }
    starts.into_iter().map(|at| name(&group[at..])).collect()
}

fn layer_of(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// Says what is wrong with an arrow, if anything is.
fn fault(arrow: &Arrow) -> Option<String> {
    let Arrow { from, to, file, line } = arrow;
    let place = format!("src/{file}:{line}: {from} -> {to}");
    match (layer_of(from), layer_of(to)) {
        (None, _) => Some(format!("{place}: `{from}` has no layer")),
        (_, None) => Some(format!("{place}: `{to}` has no layer")),
        (Some(from_layer), Some(to_layer)) if to_layer > from_layer => Some(format!("{place} points up")),
        (Some(from_layer), Some(to_layer)) if to_layer == from_layer && !is_sideways(from, to) => {
            Some(format!("{place} stays in its layer and is not in the list"))
        }
        _ => None,
    }
}

fn is_sideways(from: &str, to: &str) -> bool {
    SIDEWAYS.iter().any(|(a, b, _)| *a == from && *b == to)
}

fn faults(files: &BTreeMap<String, String>) -> Vec<String> {
    shipped(files).iter().flat_map(arrows).filter_map(|arrow| fault(&arrow)).collect()
}

/// Lines of shipped code outside `cli` that hold one of the words as a path of its own.
fn uses(files: &BTreeMap<String, String>, words: &[&str], allowed: &[(&str, &str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for code in shipped(files).iter().filter(|code| room_of(&code.path) != Some("cli")) {
        for (number, line) in (1..).zip(&code.lines) {
            for word in words.iter().filter(|word| has_word(line, word)) {
                let constant = line.contains("std::env::consts");
                let listed = allowed.iter().any(|(path, allowed, _)| *path == code.path && allowed == word);
                if !constant && !listed {
                    found.push(format!("src/{}:{number}: {}", code.path, line.trim()));
                }
            }
        }
    }
    found
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let inside_a_name = |c: char| c.is_alphanumeric() || c == '_';
        !line[..at].ends_with(inside_a_name) && !line[at + word.len()..].starts_with(inside_a_name)
    })
}

#[test]
fn every_arrow_between_rooms_points_down() {
    let found = faults(&sources());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_allowed_sideways_arrow_exists_and_none_runs_both_ways() {
    let existing: BTreeSet<(String, String)> =
        shipped(&sources()).iter().flat_map(arrows).map(|arrow| (arrow.from, arrow.to)).collect();
    for (from, to, why) in SIDEWAYS {
        let arrow = ((*from).to_owned(), (*to).to_owned());
        assert!(existing.contains(&arrow), "no code has {from} -> {to} ({why}) any more: remove its row");
        assert!(!is_sideways(to, from), "{from} and {to} name each other");
        assert_eq!(layer_of(from), layer_of(to), "{from} -> {to} is not sideways");
    }
}

#[test]
fn every_room_of_the_crate_has_a_layer_and_every_layer_only_rooms() {
    let declared: BTreeSet<String> = sources()["lib.rs"]
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    let layered: BTreeSet<String> =
        LAYERS.iter().flat_map(|rooms| rooms.iter().map(|room| (*room).to_owned())).collect();
    assert_eq!(declared, layered);
}

#[test]
fn no_file_is_longer_than_a_reader_should_meet() {
    let long: Vec<String> = sources()
        .iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("src/{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn only_the_command_line_prints() {
    let found = uses(&sources(), PRINTING, &[]);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn only_the_command_line_reads_the_clock_and_the_environment_and_ends_the_process() {
    let found = uses(&sources(), OUTSIDE, OUTSIDE_ALLOWED);
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// The rules above, held against code that breaks them.
mod planted {
    use super::*;

    fn one(path: &str, text: &str) -> BTreeMap<String, String> {
        [(path.to_owned(), text.to_owned())].into()
    }

    #[test]
    fn an_upward_arrow_is_found_with_its_place() {
        let files = one("stats/sum.rs", "//! Sums.\n\nuse crate::engine::run;\n");
        assert_eq!(faults(&files), ["src/stats/sum.rs:3: stats -> engine points up"]);
    }

    #[test]
    fn an_upward_arrow_hides_neither_in_a_group_nor_behind_super_nor_in_an_expression() {
        let group = one("model/forest/tree.rs", "use crate::{base::{Seed, Digest}, node::Kind, stats};\n");
        assert_eq!(faults(&group), ["src/model/forest/tree.rs:1: model -> node points up"]);
        let climbing = one("model/forest/tree.rs", "use super::super::super::plan::Step;\n");
        assert_eq!(faults(&climbing), ["src/model/forest/tree.rs:1: model -> plan points up"]);
        let inline = one("table/mod.rs", "fn f() -> crate::pipeline::Pipeline { todo!() }\n");
        assert_eq!(faults(&inline), ["src/table/mod.rs:1: table -> pipeline points up"]);
    }

    #[test]
    fn an_unlisted_sideways_arrow_and_an_unknown_room_are_found() {
        let sideways = one("drift/mod.rs", "use crate::tune::Study;\n");
        assert_eq!(faults(&sideways), ["src/drift/mod.rs:1: drift -> tune stays in its layer and is not in the list"]);
        let unknown = one("drift/mod.rs", "use crate::helpers::clamp;\n");
        assert_eq!(faults(&unknown), ["src/drift/mod.rs:1: drift -> helpers: `helpers` has no layer"]);
    }

    #[test]
    fn comments_and_test_code_may_name_anything() {
        let text = "/// See [`crate::engine`].\nuse crate::base::Seed; // not crate::cli\n\n\
                    #[cfg(test)]\nmod tests {\n    use crate::engine::run;\n}\n\nuse crate::cli::main;\n";
        assert_eq!(faults(&one("stats/sum.rs", text)), ["src/stats/sum.rs:9: stats -> cli points up"]);
        let mut files = one("stats/mod.rs", "#[cfg(test)]\nmod golden;\nmod sum;\n");
        files.insert("stats/golden.rs".to_owned(), "use crate::cli::main;\n".to_owned());
        files.insert("stats/sum.rs".to_owned(), "use crate::node::Kind;\n".to_owned());
        assert_eq!(faults(&files), ["src/stats/sum.rs:1: stats -> node points up"]);
    }

    #[test]
    fn printing_and_reading_the_clock_are_found() {
        let text =
            "fn f() {\n    println!(\"x\");\n    let now = std::time::Instant::now();\n    InstantRunoff::new();\n}\n";
        assert_eq!(uses(&one("engine/mod.rs", text), PRINTING, &[]), ["src/engine/mod.rs:2: println!(\"x\");"]);
        assert_eq!(
            uses(&one("engine/mod.rs", text), OUTSIDE, &[]),
            ["src/engine/mod.rs:3: let now = std::time::Instant::now();"]
        );
        assert!(uses(&one("cli/mod.rs", text), OUTSIDE, &[]).is_empty());
    }
}
