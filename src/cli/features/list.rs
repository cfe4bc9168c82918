//! `walkforward features list`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{ListArgs, markdown, type_word};
use crate::cli::Session;
use crate::cli::error::CliError;
use crate::cli::render::table;
use crate::expression::{CROSS_SECTIONS, FUNCTIONS, Group};
use crate::feature::{FeatureSet, FeatureSpec, SETS};

pub(super) fn list(session: &Session, args: &ListArgs) -> Result<ExitCode, CliError> {
    match &args.set {
        _ if args.functions && args.markdown => {
            let page = markdown::expressions();
            session.print(&page, || page.clone())?;
        }
        _ if args.markdown => {
            let page = markdown::features()?;
            session.print(&page, || page.clone())?;
        }
        _ if args.functions => session.print(&functions_report(), functions_text)?,
        None => sets(session)?,
        Some(name) => {
            let set = FeatureSet::named(name).map_err(|error| CliError::Usage(error.to_string()))?;
            let report: Vec<Value> = set.specs().iter().map(|spec| spec_report(&set, spec)).collect();
            session.print(&report, || {
                let row = |spec: &FeatureSpec| {
                    vec![spec.name.to_string(), spec.look_back.to_string(), spec.formula.to_string()]
                };
                let rows = table(&["feature", "look-back", "formula"], set.specs().iter().map(row));
                format!(
                    "{rows}\n\n{} features; `walkforward features explain NAME` says more of one.",
                    set.specs().len()
                )
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn sets(session: &Session) -> Result<(), CliError> {
    let mut report = Vec::new();
    let mut rows = Vec::new();
    for shipped in SETS {
        let set = FeatureSet::named(shipped.name).map_err(|error| CliError::Usage(error.to_string()))?;
        report.push(json!({
            "set": shipped.name, "features": set.specs().len(), "look_back": set.look_back(), "doc": shipped.doc,
        }));
        rows.push(vec![
            shipped.name.to_owned(),
            set.specs().len().to_string(),
            set.look_back().to_string(),
            shipped.doc.to_owned(),
        ]);
    }
    session.print(&report, || {
        let sets = table(&["set", "features", "look-back", "what it is"], rows);
        format!("{sets}\n\n`walkforward features list SET` lists the features of one, `--functions` what expressions may call.")
    })
}

pub(super) fn spec_report(set: &FeatureSet, spec: &FeatureSpec) -> Value {
    json!({
        "name": spec.name,
        "formula": spec.formula,
        "doc": spec.doc,
        "type": type_word(set.type_of(&spec.name)),
        "look_back": spec.look_back,
        "expression": !spec.is_kernel(),
    })
}

fn functions_report() -> Vec<Value> {
    let own = FUNCTIONS.iter().map(|it| {
        json!({
            "name": it.name, "call": it.signature(), "aliases": it.aliases, "group": it.group.heading(),
            "formula": it.formula, "doc": it.doc, "reads": it.reads,
        })
    });
    let dated = CROSS_SECTIONS.iter().map(|it| {
        json!({
            "name": it.name, "call": it.signature(), "aliases": [], "group": "Over the symbols of a date",
            "formula": it.formula, "doc": it.doc, "reads": [],
        })
    });
    own.chain(dated).collect()
}

fn functions_text() -> String {
    let header = &["call", "formula"];
    let group = |group: &Group| {
        let rows =
            FUNCTIONS.iter().filter(|it| it.group == *group).map(|it| vec![it.signature(), it.formula.to_owned()]);
        format!("{}\n\n{}", group.heading(), table(header, rows))
    };
    let rows = CROSS_SECTIONS.iter().map(|it| vec![it.signature(), it.formula.to_owned()]);
    let dated = format!("Over the symbols of a date\n\n{}", table(header, rows));
    Group::ALL.iter().map(group).chain([dated]).collect::<Vec<_>>().join("\n\n")
}
