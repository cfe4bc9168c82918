//! `docs/guide/commands.md` against the program.

use std::path::Path;

use crate::bench::Bench;

#[test]
fn every_command_that_the_guide_calls_is_one() {
    let guide = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide/commands.md")).unwrap();
    let bench = Bench::empty();
    let help = bench.ok(&["--help"]);
    let sections: Vec<&str> = guide.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    for section in ["graph", "diff", "logs", "schedule", "init", "doctor", "completions and man"] {
        assert!(sections.contains(&section), "no section `{section}` in {sections:?}");
    }
    let mut called = 0;
    for line in guide.lines() {
        let Some(rest) = line.strip_prefix("$ walkforward ") else { continue };
        let command = rest.split_whitespace().next().unwrap();
        assert!(help.lines().any(|line| line.starts_with(&format!("  {command} "))), "{command}\n{help}");
        called += 1;
    }
    assert!(called >= 8, "{called}");
}
