//! `walkforward completions` and `man`.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::bench::Bench;

const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

/// The commands that the help lists.
fn commands(bench: &Bench) -> Vec<String> {
    let help = bench.ok(&["--help"]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // a description that goes on in the next line is indented further
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<String> = names.filter(|name| !["", "help"].contains(name)).map(str::to_owned).collect();
    assert!(names.len() > 10, "{help}");
    names
}

#[test]
fn every_shell_learns_every_command() {
    let bench = Bench::empty();
    let commands = commands(&bench);
    for shell in SHELLS {
        let script = bench.ok(&["completions", shell]);
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    assert_eq!(bench.call(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn bash_can_read_its_script_where_there_is_a_bash() {
    let script = Bench::empty().ok(&["completions", "bash"]);
    let Ok(mut bash) = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn() else {
        return;
    };
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let ended = bash.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let bench = Bench::empty();
    let page = bench.ok(&["man"]);
    assert!(page.contains(".TH walkforward 1") && page.contains("walkforward\\-graph(1)"), "{page}");
    let text = bench.ok(&["man", "--out", "share/man/man1"]);
    assert!(text.contains("man -l share/man/man1/walkforward.1"), "{text}");
    for command in commands(&bench) {
        let page = bench.read(&format!("share/man/man1/walkforward-{command}.1"));
        assert!(page.contains(&format!(".TH walkforward-{command} 1")), "{page}");
    }
    let pages = bench.json(&["man", "--out", "share/man/man1"]);
    let there = std::fs::read_dir(bench.path("share/man/man1")).unwrap().count();
    assert_eq!(pages.as_array().unwrap().len(), there);
    assert!(bench.path("share/man/man1/walkforward-registry-rollback.1").exists());
}
