//! The reference page of all kinds.

use super::settings::settings;
use super::tables::{Style, Table, settings_table, tables};
use crate::node::shown_kinds;
use crate::strategy;

/// What stands above the first kind.
const PREFACE: &str = "\
# Node kinds

Written by the program from the types that read the settings; change those, then run
`walkforward kinds --markdown > docs/reference/kinds.md`. What the kinds are for stands in [nodes](../guide/nodes.md).

In a setting's path `*` stands for any name. In a pipeline file every value may also be a reference, as `${params.seed}`.
";

/// What stands above the settings of a strategy.
const STRATEGY: &str = "\
## Strategy files

What a source with `schema: strategy@1` holds: see [strategies](../guide/strategies.md). The `space` of
`optimize-parameters` names parameters by these paths, and those that a file of rules declares as `parameters.NAME`.
";

const STYLE: Style = Style { code, new_line: "<br>" };

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// Writes the page.
pub(super) fn reference_markdown() -> String {
    let kinds = shown_kinds().map(|kind| {
        let about = kind.descriptor();
        vec![format!("[`{0}`](#{0})", about.name), about.doc.to_owned()]
    });
    let mut parts =
        vec![PREFACE.to_owned(), drawn(&Table { header: &["kind", "what it does"], rows: kinds.collect() })];
    for kind in shown_kinds() {
        let about = kind.descriptor();
        parts.push(format!("## {}\n\n{}\n", about.name, about.doc));
        parts.extend(tables(kind, &STYLE).iter().map(drawn));
    }
    parts.push(STRATEGY.to_owned());
    for (kind, schema) in strategy::kind_schemas() {
        parts.push(format!("### kind: {kind}\n"));
        parts.push(drawn(&settings_table(&settings(schema.as_value()), &STYLE)));
    }
    parts.join("\n")
}

fn drawn(table: &Table) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let header = line(table.header.iter().map(|&name| name.to_owned()).collect());
    let rows = table.rows.iter().map(|row| line(row.iter().map(|cell| cell.replace('|', "\\|")).collect()));
    std::iter::once(header).chain([format!("|{}\n", "---|".repeat(table.header.len()))]).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_page_is_what_the_program_writes() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/kinds.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let written = reference_markdown();
        let line = committed.lines().zip(written.lines()).position(|(old, new)| old != new);
        assert!(
            committed == written,
            "docs/reference/kinds.md is out of date from line {}; write it anew with \
             `walkforward kinds --markdown > docs/reference/kinds.md`",
            line.unwrap_or_else(|| committed.lines().count().min(written.lines().count())) + 1
        );
    }

    #[test]
    fn every_setting_of_every_kind_has_a_meaning() {
        for kind in shown_kinds() {
            for setting in settings(kind.settings_schema().as_value()) {
                assert!(!setting.meaning.is_empty(), "{}: {}", kind.descriptor().name, setting.path);
                for word in &setting.words {
                    assert!(!word.meaning.is_empty(), "{}: {}: {word:?}", kind.descriptor().name, setting.path);
                }
            }
        }
    }
}
