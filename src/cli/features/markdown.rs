//! The reference pages of features and of expressions.

use crate::cli::error::CliError;
use crate::expression::{ArgumentKind, CROSS_SECTIONS, Declared, FUNCTIONS, Function, Group};
use crate::feature::{FeatureSet, SETS};

const FEATURES: &str = "\
# Features

Written by the program from its tables; change those, then run
`walkforward features list --markdown > docs/reference/features.md`. How to use a set, or features of your own, stands in
[expressions](../guide/expressions.md).

A formula in `code` is an [expression](expressions.md). Where it is not, the feature is a kernel: `o, h, l, c, v` are the columns,
`x[-n]` is n bars ago. The look-back is the number of bars before the first value.
";

const EXPRESSIONS: &str = "\
# Functions of expressions

Written by the program from its tables; change those, then run
`walkforward features list --functions --markdown > docs/reference/expressions.md`. The language itself stands in
[expressions](../guide/expressions.md).

`x[-n]` is n bars ago. A window includes the current bar, except that of `highest` and `lowest`. Every function is null until its
window is full, where its window has a null in it, and where its formula has no finite value. *k* and other numbers with a value in
the table are the same at every bar: literals, parameters, or arithmetic on them. Functions marked *r* remember everything since the
history began; after a null they start afresh.
";

/// The page of features.
pub(super) fn features() -> Result<String, CliError> {
    let mut page = FEATURES.to_owned();
    for shipped in SETS {
        let set = FeatureSet::named(shipped.name).map_err(|error| CliError::Usage(error.to_string()))?;
        page += &format!("\n## {}\n\n{}\n", shipped.name, shipped.doc);
        for (heading, specs) in shipped.groups() {
            page +=
                &format!("\n### {heading}\n\n| feature | formula | look-back | what it says |\n|---|---|---|---|\n");
            for spec in specs {
                // the look-back of a tree is known to the compiled set
                let look_back = set.spec(&spec.name).map_or(0, |compiled| compiled.look_back);
                let formula =
                    if spec.is_kernel() { plain(&spec.formula) } else { format!("`{}`", cell(&spec.formula)) };
                page += &format!("| `{}` | {formula} | {look_back} | {} |\n", spec.name, spec.doc);
            }
        }
    }
    Ok(page)
}

/// The page of functions.
pub(super) fn expressions() -> String {
    let mut page = EXPRESSIONS.to_owned();
    for group in Group::ALL {
        page += &format!("\n## {}\n\n| call | formula | what it says |\n|---|---|---|\n", group.heading());
        for it in FUNCTIONS.iter().filter(|it| it.group == *group) {
            page += &format!("| `{}`{} | {} | {} |\n", it.signature(), marks(it), plain(it.formula), said(it));
        }
    }
    page += "\n## Over the symbols of a date\n\n| call | formula | what it says |\n|---|---|---|\n";
    for it in CROSS_SECTIONS {
        page += &format!("| `{}` | {} | {} |\n", it.signature(), plain(it.formula), it.doc);
    }
    page
}

fn marks(it: &Function) -> &'static str {
    if it.recursive { " *r*" } else { "" }
}

fn said(it: &Function) -> String {
    let mut words = it.doc.to_owned();
    let bounds: Vec<String> = it.arguments.iter().filter_map(bound).collect();
    if !bounds.is_empty() {
        words += &format!(" {}.", bounds.join(", "));
    }
    if !it.reads.is_empty() {
        words += &format!(" Reads {}.", it.reads.join(", "));
    }
    if !it.aliases.is_empty() {
        words += &format!(" Also `{}`.", it.aliases.join("`, `"));
    }
    words
}

/// Which values a constant takes, where that is more than a window of at least one bar.
fn bound(declared: &Declared) -> Option<String> {
    match declared.kind {
        ArgumentKind::Real { minimum, maximum, .. } => Some(format!("`{}` from {minimum} to {maximum}", declared.name)),
        ArgumentKind::Whole { minimum, .. } if minimum != 1.0 => {
            Some(format!("`{}` at least {minimum}", declared.name))
        }
        _ => None,
    }
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The same outside of code, where a star would begin emphasis.
fn plain(text: &str) -> String {
    cell(text).replace('*', "\\*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_pages_are_what_the_program_writes() {
        for (name, written, call) in
            [("features", features().unwrap(), "list"), ("expressions", expressions(), "list --functions")]
        {
            let path = format!("docs/reference/{name}.md");
            let committed = std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&path));
            assert!(
                committed.unwrap_or_default() == written,
                "{path} is out of date; write it anew with `walkforward features {call} --markdown > {path}`"
            );
        }
    }
}
