//! What there is to say about a kind, as tables; how they are drawn is for others to say.

use super::settings::{Setting, settings};
use crate::node::{NodeKind, ValueType};

/// A table without lines.
pub(super) struct Table {
    pub header: &'static [&'static str],
    pub rows: Vec<Vec<String>>,
}

/// How cells are written.
pub(super) struct Style {
    /// Marks a word that may be written in a file.
    pub code: fn(&str) -> String,
    /// Starts a new line inside a cell.
    pub new_line: &'static str,
}

/// Inputs, outputs, values and settings, without tables that would be empty.
pub(super) fn tables(kind: &dyn NodeKind, style: &Style) -> Vec<Table> {
    let about = kind.descriptor();
    let row = |name: &str, kind: String, doc: &str| vec![(style.code)(name), kind, doc.to_owned()];
    let inputs = about.inputs.iter().map(|port| {
        let types: Vec<&str> = port.types.iter().map(|kind| kind.name()).collect();
        let optional = if port.required { "" } else { " (optional)" };
        row(port.name, types.join(" or ") + optional, port.doc)
    });
    let outputs = about.outputs.iter().map(|port| row(port.name, port.kind.to_string(), port.doc));
    let values = about.values.iter().map(|port| row(port.name, value_type(&port.kind), port.doc));
    let tables = [
        Table { header: &["input", "type", "meaning"], rows: inputs.collect() },
        Table { header: &["output", "type", "meaning"], rows: outputs.collect() },
        Table { header: &["value", "type", "meaning"], rows: values.collect() },
        settings_table(&settings(kind.settings_schema().as_value()), style),
    ];
    tables.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

/// One row a setting.
pub(super) fn settings_table(settings: &[Setting], style: &Style) -> Table {
    let row = |setting: &Setting| {
        let default = match setting.default.as_deref() {
            None => "required".to_owned(),
            Some("") => String::new(),
            Some(default) => (style.code)(default),
        };
        let words = setting.words.iter().map(|word| {
            let spellings: Vec<String> = word.spellings.iter().map(|it| (style.code)(it)).collect();
            format!("{}: {}", spellings.join(" or "), word.meaning)
        });
        let kind = [&setting.kind, &setting.bounds].into_iter().filter(|line| !line.is_empty()).cloned();
        let kind = kind.collect::<Vec<_>>().join(style.new_line);
        let meaning = std::iter::once(setting.meaning.clone()).chain(words).collect::<Vec<_>>().join(style.new_line);
        vec![(style.code)(&setting.path), kind, default, meaning]
    };
    Table { header: &["setting", "type and bounds", "default", "meaning"], rows: settings.iter().map(row).collect() }
}

/// The type of a value in words.
pub(super) fn value_type(kind: &ValueType) -> String {
    match kind {
        ValueType::Bool => "true or false".to_owned(),
        ValueType::Number => "number".to_owned(),
        ValueType::Text => "text".to_owned(),
        ValueType::Word(_) | ValueType::Declared(_) => kind.words().unwrap_or_default().join(" | "),
    }
}
