//! `sources`: what is read from outside.

use super::SourceFile;
use super::reader::{Fields, Reader};
use crate::base::yaml::Yaml;
use crate::base::{Located, Problem};
use crate::pipeline::keys::{self, Word};
use crate::pipeline::{RegistryPart, Text};
use crate::registry::is_valid_name;

/// What a path may hold, by `schema`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum PathSchema {
    Bars,
    Strategy,
    File,
}

/// The words of `schema`.
pub(in crate::pipeline) const PATH_SCHEMAS: [Word<PathSchema>; 3] = [
    ("ohlcv@1", PathSchema::Bars, "Bars, as Parquet or CSV: a file, a folder, partitions, or a pattern."),
    ("strategy@1", PathSchema::Strategy, "A strategy file."),
    ("file@1", PathSchema::File, "Anything else, for `command`: a file or a folder."),
];

/// The words of `part`.
pub(in crate::pipeline) const PARTS: [Word<RegistryPart>; 2] = [
    ("model", RegistryPart::Model, "The model."),
    ("strategy", RegistryPart::Strategy, "The strategy whose signals it scores."),
];

impl Reader<'_> {
    pub(super) fn source(&mut self, name: &Text, tree: &Located<Yaml>) -> Option<SourceFile> {
        let what = format!("source `{}`", name.value);
        let before = self.problems.len();
        let fields = self.mapping(tree, &what, keys::SOURCE);
        if let Some(model) = fields.get("registry") {
            return self.registry_source(&what, &fields, model);
        }
        let Some(path) = fields.get("path") else {
            // a key that is not known is most likely the one that lacks
            if self.problems.len() > before {
                return None;
            }
            self.report(
                Problem::new("pipeline::source", name.span, format!("{what} has neither `path` nor `registry`"))
                    .hint("add `path: data/bars.parquet`, or `registry: NAME`"),
            );
            return None;
        };
        for key in ["alias", "part", "optional"] {
            if let Some(field) = fields.get(key) {
                let message = format!("{what}: `{key}` belongs to a source from the registry, not to a path");
                self.report(Problem::new("pipeline::source", field.span, message).hint("remove it"));
            }
        }
        let path = self.text(path, "path")?;
        let Some(schema) = fields.get("schema") else {
            self.report(
                Problem::new("pipeline::source", name.span, format!("{what} has no `schema`"))
                    .hint("add `schema: ohlcv@1` for bars, `schema: strategy@1`, or `schema: file@1`"),
            );
            return None;
        };
        let schema = self.word(schema, "schema", &PATH_SCHEMAS)?;
        if let Some(read) = fields.get("read").filter(|_| schema != PathSchema::Bars) {
            let message = format!("{what}: `read` belongs to bars, `schema: ohlcv@1`");
            self.report(Problem::new("pipeline::source", read.span, message).hint("remove it"));
        }
        Some(SourceFile::Path { path, schema, read: fields.get("read").cloned() })
    }

    fn registry_source(&mut self, what: &str, fields: &Fields<'_>, model: &Located<Yaml>) -> Option<SourceFile> {
        for key in ["schema", "read"] {
            if let Some(field) = fields.get(key) {
                let message = format!("{what}: `{key}` belongs to a path, not to a source from the registry");
                self.report(Problem::new("pipeline::source", field.span, message).hint("remove it"));
            }
        }
        let alias = match fields.get("alias") {
            Some(alias) => self.text(alias, "alias")?,
            None => Located::new("champion".to_owned(), model.span),
        };
        let part = match fields.get("part") {
            None => RegistryPart::Model,
            Some(part) => self.word(part, "part", &PARTS)?,
        };
        let path = match fields.get("path") {
            Some(path) if part == RegistryPart::Model => {
                self.report(
                    Problem::new("pipeline::source", path.span, "only a strategy can come from a file meanwhile")
                        .hint("add `part: strategy`, or remove `path`"),
                );
                return None;
            }
            Some(path) => Some(self.text(path, "path")?),
            None => None,
        };
        let optional = self.flag(fields.get("optional"), "optional", false);
        let model = self.text(model, "registry")?;
        for text in [&model, &alias] {
            if !is_valid_name(&text.value) {
                let message = format!("`{}` cannot name a model or an alias", text.value);
                self.report(
                    Problem::new("pipeline::bad_name", text.span, message)
                        .hint("use letters, digits, `.`, `_` and `-`, starting with a letter or a digit"),
                );
            }
        }
        Some(SourceFile::Registry { model: model.value, alias: alias.value, part, path, optional })
    }
}
