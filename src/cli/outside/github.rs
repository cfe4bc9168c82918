//! What GitHub Actions (and Forgejo, Gitea) read: a summary in Markdown, outputs of the step, annotations in the diff.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::words::{elapsed_micros, node_seconds, printable, status_name};
use crate::artifact::Scalar;
use crate::base::Problem;
use crate::cli::diagnostic::position;
use crate::cli::render::{outcome_word, result_of};
use crate::engine::{NodeRecord, Outcome, RunReport};

/// A step whose summary is this long or longer gets none at all.
const SUMMARY_LIMIT: usize = 1 << 20;
/// Bytes of a result that a table shows; a log's end says why, so a longer one loses its beginning.
const MAX_CELL: usize = 2_000;
/// Ends a summary that had to be cut.
const CUT: &str = "\n*The rest is left out: a summary holds less than 1 MiB. `walkforward show` has all of it.*\n";

/// Outputs about the run itself.
pub(super) const ABOUT: [&str; 4] = ["run-id", "status", "exit-code", "as-of"];

/// Files that the runner reads after the step.
#[derive(Debug, Default)]
pub(super) struct StepFiles {
    summary: Option<PathBuf>,
    outputs: Option<PathBuf>,
}

impl StepFiles {
    /// Those that `GITHUB_STEP_SUMMARY` and `GITHUB_OUTPUT` name.
    pub(super) fn from_env() -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self { summary: path("GITHUB_STEP_SUMMARY"), outputs: path("GITHUB_OUTPUT") }
    }

    /// Appends a run to the files, and returns what went wrong.
    pub(super) fn append(&self, report: &RunReport, exit_code: u8) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(path) = &self.summary {
            let written = size(path).and_then(|used| match fitted(&summary(report), used) {
                Some(text) => append(path, &text),
                None => Err(std::io::Error::other("it is full")),
            });
            warnings.extend(written.err().map(|error| format!("cannot write to GITHUB_STEP_SUMMARY: {error}")));
        }
        if let Some(path) = &self.outputs {
            let written = append(path, &outputs(report, exit_code));
            warnings.extend(written.err().map(|error| format!("cannot write to GITHUB_OUTPUT: {error}")));
        }
        warnings
    }
}

fn size(path: &Path) -> std::io::Result<usize> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(usize::try_from(found.len()).unwrap_or(usize::MAX)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::OpenOptions::new().create(true).append(true).open(path)?.write_all(text.as_bytes())
}

/// A run as Markdown.
fn summary(report: &RunReport) -> String {
    let seconds = elapsed_micros(report.started, report.ended) as f64 / 1e6;
    // a line before, so that what another program wrote without an end does not swallow the heading
    let mut text = format!("\n### {} {}\n\n", plain(&report.pipeline), status_name(report.status));
    let _ = writeln!(text, "As of {} · run `{}` · {seconds:.1} s\n", report.as_of, report.run);
    text.push_str("| node | outcome | time | result |\n|---|---|---:|---|\n");
    for node in &report.nodes {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            plain(&node.node),
            outcome_word(node.outcome),
            time_of(node),
            plain(last_part(result_of(node)))
        );
    }
    if !report.published.is_empty() {
        text.push_str("\nPublished:\n\n");
        for path in &report.published {
            let _ = writeln!(text, "- {}", plain(path));
        }
    }
    if !report.params.is_empty() {
        text.push_str("\n<details><summary>Params</summary>\n\n| param | value |\n|---|---|\n");
        for (name, value) in &report.params {
            let _ = writeln!(text, "| {} | {} |", plain(name), plain(&value.to_string()));
        }
        text.push_str("\n</details>\n");
    }
    text
}

/// Only of a node that ran: the time it took to find a result again says nothing.
fn time_of(node: &NodeRecord) -> String {
    match node.outcome {
        Outcome::Succeeded | Outcome::Failed => format!("{:.1} s", node_seconds(node)),
        Outcome::Reused | Outcome::Skipped | Outcome::Cancelled => String::new(),
    }
}

fn last_part(text: &str) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(MAX_CELL))..]
}

/// Text that Markdown and a table's cell leave as it is.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '\n' => escaped.push_str("<br>"),
            // `$` begins a formula, `@` names a person, `#` an issue
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '@' | '#' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// As many whole lines of a summary as fit beside what the file has; `None` when not even the remark does.
fn fitted(text: &str, used: usize) -> Option<String> {
    let room = (SUMMARY_LIMIT - 1).checked_sub(used)?;
    if text.len() <= room {
        return Some(text.to_owned());
    }
    let kept = &text[..text.floor_char_boundary(room.checked_sub(CUT.len())?)];
    Some(kept[..kept.rfind('\n').map_or(0, |end| end + 1)].to_owned() + CUT)
}

/// A run as outputs of a step: about the run, then `<node>-<value>` for all that nodes declare.
fn outputs(report: &RunReport, exit_code: u8) -> String {
    let about =
        [report.run.clone(), status_name(report.status).to_owned(), exit_code.to_string(), report.as_of.to_string()];
    let about = ABOUT.map(str::to_owned).into_iter().zip(about);
    let values = report.nodes.iter().flat_map(|node| {
        let name = |value: &str| format!("{}-{}", legal(&node.node), legal(value));
        let word = |(value, scalar): (&String, &Scalar)| Some((name(value), output_text(scalar)?));
        node.values.iter().filter_map(word).collect::<Vec<_>>()
    });
    let mut taken = BTreeSet::new();
    let mut text = String::new();
    for (name, value) in about.chain(values) {
        text.push_str(&assignment(&free_name(&name, &mut taken), &value));
    }
    text
}

/// A value with all its digits; `None` where it is undefined.
fn output_text(value: &Scalar) -> Option<String> {
    match value {
        Scalar::Null => None,
        Scalar::Text(word) => Some(word.clone()),
        Scalar::Bool(_) | Scalar::Int(_) | Scalar::Float(_) => Some(value.to_json().to_string()),
    }
}

/// A name that an expression can hold: whatever it cannot hold is a hyphen, or nothing at the end.
fn legal(name: &str) -> String {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    name.split(|c| !is_legal(c)).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// A name numbered where another one has become the same; the case of letters is no difference to the runner.
fn free_name(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while !taken.insert(free.to_ascii_lowercase()) {
        free = format!("{name}-{number}");
        number += 1;
    }
    free
}

/// `name=value`, or a value of several lines between two marks that are no part of it.
fn assignment(name: &str, value: &str) -> String {
    if !value.contains(['\n', '\r']) {
        return format!("{name}={value}\n");
    }
    let mut mark = "END".to_owned();
    while value.contains(&mark) {
        mark.push('_');
    }
    format!("{name}<<{mark}\n{value}\n{mark}\n")
}

/// Whether annotations are read here.
pub(in crate::cli) fn in_actions() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Problems of a pipeline as workflow commands, a line each: the runner shows them at their place in the file.
pub(in crate::cli) fn annotations(path: &str, text: &str, problems: &[Problem]) -> String {
    let mut lines = String::new();
    for problem in problems {
        let (line, column) = position(text, problem.span.start);
        let mut message = problem.message.clone();
        if let Some(hint) = &problem.hint {
            let _ = write!(message, "\n{hint}");
        }
        let (file, title, message) = (in_property(path), in_property(problem.code), in_message(&message));
        let _ = writeln!(lines, "::error file={file},line={line},col={column},title={title}::{message}");
    }
    lines
}

/// What a workflow command gives a meaning to, in its message.
fn in_message(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As [`in_message`], and what ends a property.
fn in_property(text: &str) -> String {
    in_message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{failed_run, plain_run};
    use super::*;
    use crate::base::Span;

    #[test]
    fn a_run_as_a_summary() {
        insta::assert_snapshot!(summary(&failed_run()));
    }

    #[test]
    fn a_run_as_outputs() {
        insta::assert_snapshot!(outputs(&failed_run(), 1));
    }

    #[test]
    fn problems_as_annotations() {
        let text = "version: 1\nnodes:\n  train: {kind: trian}\n";
        let at = |part: &str| Span { start: text.find(part).unwrap(), len: part.len() };
        let problems = [
            Problem::new("pipeline::unknown_kind", at("trian"), "unknown kind `trian`").hint("did you mean `train`?"),
            Problem::new("pipeline::type", at("nodes"), "100 % wrong:\r\nboth, a and b"),
        ];
        insta::assert_snapshot!(annotations("pipelines/a,b:c 50%.yaml", text, &problems));
    }

    #[test]
    fn a_node_cannot_overwrite_what_is_said_about_the_run_nor_another_node() {
        let mut report = plain_run();
        let value = |name: &str| [(name.to_owned(), Scalar::Int(1))].into();
        report.nodes = ["run", "a.b", "a+b", "A-B"]
            .map(|name| {
                let mut node = report.nodes[0].clone();
                (node.node, node.values) = (name.to_owned(), value(if name == "run" { "id" } else { "auc" }));
                node
            })
            .to_vec();
        let names: Vec<String> =
            outputs(&report, 0).lines().map(|line| line.split_once('=').unwrap().0.to_owned()).collect();
        assert_eq!(names, [&ABOUT[..], &["run-id-2", "a-b-auc", "a-b-auc-2", "A-B-auc-3"]].concat());
    }

    #[test]
    fn a_summary_is_cut_at_a_line_and_stays_below_the_limit_with_what_is_there() {
        let mut report = failed_run();
        report.nodes = vec![report.nodes[0].clone(); 20_000];
        let whole = summary(&report);
        assert!(whole.len() > SUMMARY_LIMIT);
        for used in [0, 1000, SUMMARY_LIMIT - 1000] {
            let text = fitted(&whole, used).unwrap();
            assert!(used + text.len() < SUMMARY_LIMIT, "{used}");
            assert!(text.ends_with(&format!(" |\n{CUT}")) || text.ends_with(&format!("\n\n{CUT}")), "{used}");
        }
        for used in [SUMMARY_LIMIT - 10, SUMMARY_LIMIT, usize::MAX] {
            assert_eq!(fitted(&whole, used), None);
        }
        let small = summary(&plain_run());
        assert_eq!(fitted(&small, 0), Some(small));
    }

    #[test]
    fn what_is_in_the_files_is_kept_and_a_full_summary_only_warns() {
        let folder = tempfile::tempdir().unwrap();
        let (summary, outputs) = (folder.path().join("summary"), folder.path().join("outputs"));
        let files = StepFiles { summary: Some(summary.clone()), outputs: Some(outputs.clone()) };
        std::fs::write(&summary, "before\n").unwrap();
        assert_eq!(files.append(&plain_run(), 0), [""; 0]);
        assert_eq!(files.append(&plain_run(), 0), [""; 0]);
        let text = std::fs::read_to_string(&summary).unwrap();
        assert!(text.starts_with("before\n") && text.matches("### weekly succeeded").count() == 2, "{text}");
        std::fs::write(&summary, "x".repeat(SUMMARY_LIMIT - 1)).unwrap();
        assert_eq!(files.append(&plain_run(), 0), ["cannot write to GITHUB_STEP_SUMMARY: it is full"]);
        assert_eq!(std::fs::read_to_string(&outputs).unwrap().matches("run-id=").count(), 3);
    }

    /// Reads outputs as the runner does.
    fn read_back(text: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut lines = text.split('\n');
        while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
            match (line.find('='), line.find("<<")) {
                (Some(equals), marks) if marks.is_none_or(|marks| equals < marks) => {
                    found.push((line[..equals].to_owned(), line[equals + 1..].to_owned()));
                }
                (_, Some(marks)) => {
                    let body: Vec<&str> = lines.by_ref().take_while(|body| *body != &line[marks + 2..]).collect();
                    found.push((line[..marks].to_owned(), body.join("\n")));
                }
                _ => panic!("not an output: {line:?}"),
            }
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn outputs_read_back_as_they_were(name in any::<String>(), value in "[a-zEND_<=\n\r ]{0,30}") {
            let mut report = plain_run();
            report.nodes[0].node = name;
            report.nodes[0].values = [("value".to_owned(), Scalar::text(value.clone()))].into();
            let read = read_back(&outputs(&report, 0));
            prop_assert_eq!(read.len(), 5);
            prop_assert_eq!(&read[4].1, &value);
            prop_assert!(read[4].0.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')));
        }

        #[test]
        fn no_result_breaks_the_table(reason in any::<String>()) {
            let mut report = failed_run();
            report.nodes[3].reason = reason;
            let text = summary(&report);
            let row = text.lines().find(|line| line.starts_with("| extract")).unwrap();
            let cells = row.replace("\\\\", "").replace("\\|", "").matches('|').count();
            prop_assert_eq!(cells, 5, "{}", row);
            prop_assert!(text.contains("\n| evaluate | skipped |"));
        }
    }
}
