//! Holds every document against the program: calls that it takes, pipelines that it reads, and no other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser as _;
use serde_json::Value;

use super::Cli;
use crate::base::conformance::conforms;
use crate::pipeline::schema::pipeline_schema;
use crate::pipeline::{LoadOptions, Pipeline, load};

/// The text of a file of the project.
pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Language and text of each fenced block.
pub(super) fn blocks(markdown: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.find(|line| line.starts_with("```")) {
        let body: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
        found.push((line.trim_start_matches('`').to_owned(), body.join("\n") + "\n"));
    }
    found
}

/// The calls of the program in a file, each as its words, up to what ends a command of a shell.
pub(super) fn calls(text: &str) -> Vec<Vec<String>> {
    // after a word the name is no command but part of what is said
    let is_command = |line: &str, at: usize| {
        let before = &line[..at];
        let apart = before.chars().next_back().is_none_or(|c| matches!(c, ' ' | '/' | '='));
        apart && !before.trim_end().ends_with(char::is_alphabetic)
    };
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        for (at, name) in line.match_indices("walkforward ").filter(|(at, _)| is_command(line, *at)) {
            // what stands apart is a remark
            let call = line[at + name.len()..].split("   ").next().unwrap_or_default();
            found.push([vec!["walkforward".to_owned()], words(call)].concat());
        }
    }
    found
}

/// The calls of the program inside sentences.
fn inline_calls(markdown: &str) -> Vec<Vec<String>> {
    let (mut fenced, mut found) = (false, Vec::new());
    for line in markdown.lines() {
        fenced ^= line.starts_with("```");
        // a call that is broken at the end of a line is not looked at
        let code = line.split('`').skip(1).step_by(2).filter(|_| !fenced && line.matches('`').count() % 2 == 0);
        found.extend(code.flat_map(calls));
    }
    found
}

/// Words as a shell splits them, quotes taken away; a variable stays as it is written.
fn words(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '|' | '&' | ';' | '>' | '<' | '#' | '`') => break,
            (None, c) if c.is_whitespace() => found.push(String::new()),
            (_, c) => found.last_mut().unwrap().push(c),
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

/// Asserts that the program takes a call, and that the pipelines it names are there.
pub(super) fn accepted(call: &[String]) {
    if let Err(error) = Cli::try_parse_from(call) {
        let shown =
            matches!(error.kind(), clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion);
        assert!(shown, "{call:?}\n{error}");
    }
    for file in call.iter().filter(|word| word.starts_with("pipelines/")) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{call:?}: no file `{file}`");
    }
}

/// Every page that a user reads.
fn pages() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read_dir(root.join("docs/guide")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = guide.chain([root.join("README.md")]).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Reads a pipeline as the program would, and holds it against the schema.
fn valid(text: &str) -> Pipeline {
    let read_file = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    };
    let options = LoadOptions {
        now: "2026-01-06".parse().ok(),
        read: Some(Arc::new(read_file)),
        environment: Some(Arc::new(|_: &str| Some("set".to_owned()))),
        ..LoadOptions::default()
    };
    let value: Value = serde_saphyr::from_str(text).unwrap();
    assert_eq!(conforms(&pipeline_schema(), &value), Ok(()), "{text}");
    load(text, &options).unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
}

fn pipelines_of(page: &str) -> Vec<String> {
    let blocks = blocks(&read(page)).into_iter();
    blocks.filter(|(kind, text)| kind == "yaml" && text.starts_with("version:")).map(|(_, text)| text).collect()
}

#[test]
fn every_call_in_the_guide_and_the_readme_is_one_that_the_program_takes() {
    let mut seen = 0;
    for text in pages() {
        let in_blocks = blocks(&text).into_iter().flat_map(|(_, text)| calls(&text));
        for call in in_blocks.chain(inline_calls(&text)) {
            accepted(&call);
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} calls were found");
}

#[test]
fn a_call_that_the_program_does_not_take_is_found() {
    let found = calls(
        "cd /srv && /usr/local/bin/walkforward run \"a b.yaml\" --junt x.xml | tee log # walkforward\n# walkforward run\n\
         FORMAT   walkforward store 1\nwalkforward runs   lists runs\n",
    );
    assert_eq!(found, [&["walkforward", "run", "a b.yaml", "--junt", "x.xml"][..], &["walkforward", "runs"]]);
    assert!(Cli::try_parse_from(&found[0]).is_err());
}

#[test]
fn every_pipeline_in_the_page_on_pipelines_is_one() {
    let found = pipelines_of("docs/guide/pipelines.md");
    assert!(found.len() >= 5, "only {} pipelines were found", found.len());
    found.iter().for_each(|text| drop(valid(text)));
}

#[test]
fn every_example_in_the_page_on_nodes_is_one_below_its_frame() {
    let page = "docs/guide/nodes.md";
    let frames = pipelines_of(page);
    let [frame] = frames.as_slice() else { panic!("expected one frame, found {}", frames.len()) };
    let examples = blocks(&read(page)).into_iter().filter(|(kind, text)| kind == "yaml" && text.starts_with("  "));
    let whole = examples.fold(frame.clone(), |whole, (_, text)| whole + &text);
    let kinds: std::collections::BTreeSet<&str> =
        valid(&whole).nodes.iter().map(|node| node.kind.descriptor().name).collect();
    for kind in crate::node::shown_kinds() {
        assert!(kinds.contains(kind.descriptor().name), "{page} has no example of `{}`", kind.descriptor().name);
    }
}
