//! `sources`: what is read from outside.

use super::SourceFile;
use super::reader::{Fields, Reader};
use crate::base::{Located, Problem};
use crate::pipeline::yaml::Yaml;
use crate::pipeline::{RegistryPart, Text, keys};
use crate::registry::is_valid_name;

/// What a path may hold, by `schema`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pipeline) enum PathSchema {
    Bars,
    Strategy,
    File,
}

const SCHEMAS: [(&str, PathSchema); 3] =
    [("ohlcv@1", PathSchema::Bars), ("strategy@1", PathSchema::Strategy), ("file@1", PathSchema::File)];

impl Reader<'_> {
    pub(super) fn source(&mut self, name: &Text, tree: &Located<Yaml>) -> Option<SourceFile> {
        let what = format!("source `{}`", name.value);
        let before = self.problems.len();
        let fields = self.mapping(tree, &what, keys::SOURCE);
        if let Some(model) = fields.get("registry") {
            return self.registry_source(&fields, model);
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
        if let Some(format) = fields.get("format") {
            self.report(
                Problem::new("pipeline::source", format.span, "the format follows from the file's name")
                    .hint("remove `format`; files end in .parquet, .csv or .yaml"),
            );
        }
        let path = self.text(path, "path")?;
        let Some(schema) = fields.get("schema") else {
            self.report(
                Problem::new("pipeline::source", name.span, format!("{what} has no `schema`"))
                    .hint("add `schema: ohlcv@1` for bars, `schema: strategy@1`, or `schema: file@1`"),
            );
            return None;
        };
        let text = self.text(schema, "schema")?;
        let Some((_, schema)) = SCHEMAS.iter().find(|(known, _)| *known == text.value) else {
            let message = format!("{what} has the unknown schema `{}`", text.value);
            let known = SCHEMAS.iter().map(|(known, _)| *known);
            self.report(Problem::new("pipeline::source", text.span, message).suggest(&text.value, known));
            return None;
        };
        Some(SourceFile::Path { path, schema: *schema })
    }

    fn registry_source(&mut self, fields: &Fields<'_>, model: &Located<Yaml>) -> Option<SourceFile> {
        let alias = match fields.get("alias") {
            Some(alias) => self.text(alias, "alias")?,
            None => Located::new("champion".to_owned(), model.span),
        };
        let part = match fields.get("part") {
            None => RegistryPart::Model,
            Some(part) => {
                self.word(part, "part", &[("model", RegistryPart::Model), ("strategy", RegistryPart::Strategy)])?
            }
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
