//! `walkforward features explain`.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::check::read_bars;
use super::list::spec_report;
use super::{ExplainArgs, bad_expressions, counted, type_word};
use crate::cli::Session;
use crate::cli::error::CliError;
use crate::cli::render::table;
use crate::expression::{
    Bound, CrossSection, Definition, ExpressionError, Function, Names, Node, ParameterValue, ParameterValues, Program,
    Tree,
};
use crate::feature::{CATALOGUE, FeatureSet, FeatureSpec, SETS, Shipped};
use crate::market::Bars;

pub(super) fn explain(session: &Session, args: &ExplainArgs) -> Result<ExitCode, CliError> {
    let bars = if args.data.is_empty() { None } else { Some(read_bars(&args.data)?) };
    let found = match (feature(&args.what)?, function(&args.what)) {
        (Some((set, spec)), _) if spec.is_kernel() => kernel(&set, &spec, bars.as_ref())?,
        (Some((_, spec)), _) => expression(Some(&spec), &spec.formula, args, bars.as_ref())?,
        (None, Some(function)) => function,
        (None, None) => expression(None, &args.what, args, bars.as_ref())?,
    };
    session.print(&found.report, || found.text)?;
    Ok(ExitCode::SUCCESS)
}

/// What is said, for machines and for people.
struct Found {
    report: Value,
    text: String,
}

/// The feature of a name, in a set that has it.
fn feature(name: &str) -> Result<Option<(FeatureSet, FeatureSpec)>, CliError> {
    let usage = |error: crate::feature::FeatureError| CliError::Usage(error.to_string());
    for Shipped { name: set, .. } in SETS {
        let set = FeatureSet::named(set).map_err(usage)?;
        if let Some(spec) = set.spec(name).cloned() {
            return Ok(Some((set, spec)));
        }
    }
    // a row of the catalogue that no set lists
    let Some(spec) = CATALOGUE.iter().find(|spec| spec.name == name) else { return Ok(None) };
    Ok(Some((FeatureSet::of(name, &[name]).map_err(usage)?, spec.clone())))
}

fn function(name: &str) -> Option<Found> {
    let own = Function::named(name);
    let dated = CrossSection::named(name);
    let mut parts = Vec::new();
    if let Some(it) = own {
        let mut rows =
            vec![vec!["formula".to_owned(), it.formula.to_owned()], vec!["meaning".to_owned(), it.doc.to_owned()]];
        if !it.aliases.is_empty() {
            rows.push(vec!["also".to_owned(), it.aliases.join(", ")]);
        }
        if !it.reads.is_empty() {
            rows.push(vec!["reads".to_owned(), it.reads.join(", ")]);
        }
        if it.recursive {
            rows.push(vec!["memory".to_owned(), "everything since the history began".to_owned()]);
        }
        parts.push(table(&[&it.signature(), ""], rows));
    }
    if let Some(it) = dated {
        let rows = [vec!["formula".to_owned(), it.formula.to_owned()], vec!["meaning".to_owned(), it.doc.to_owned()]];
        parts.push(table(&[&it.signature(), ""], rows));
    }
    let report = json!({
        "function": own.map(|it| json!({"call": it.signature(), "formula": it.formula, "doc": it.doc, "reads": it.reads})),
        "over_date": dated.map(|it| json!({"call": it.signature(), "formula": it.formula, "doc": it.doc})),
    });
    (!parts.is_empty()).then(|| Found { report, text: parts.join("\n\n") })
}

fn kernel(set: &FeatureSet, spec: &FeatureSpec, bars: Option<&Bars>) -> Result<Found, CliError> {
    let mut rows = vec![
        vec!["formula".to_owned(), spec.formula.to_string()],
        vec!["meaning".to_owned(), spec.doc.to_string()],
        vec!["look-back".to_owned(), look_back_words(spec.look_back)],
        vec!["causal".to_owned(), "shown by experiment: `walkforward features check`".to_owned()],
    ];
    let mut report = spec_report(set, spec);
    if let Some(bars) = bars {
        let frames = set.compute(bars).map_err(|error| CliError::Usage(error.to_string()))?;
        let columns: Vec<&[f64]> = frames.iter().filter_map(|frame| frame.column(&spec.name)).collect();
        nulls(bars, &columns, &mut rows, &mut report);
    }
    Ok(Found { report, text: table(&[&spec.name, ""], rows) })
}

/// An expression, or a feature that is one.
fn expression(
    spec: Option<&FeatureSpec>,
    text: &str,
    args: &ExplainArgs,
    bars: Option<&Bars>,
) -> Result<Found, CliError> {
    let name = spec.map_or("expression", |spec| spec.name.as_ref());
    let values = parameters(&args.parameters)?;
    let names = args.columns.iter().fold(Names::bars(), |names, column| names.with_column(column));
    let names = values.iter().fold(names, |names, (name, value)| names.with_parameter(name, value.of()));
    let refused = |mut errors: Vec<ExpressionError>| {
        for problem in errors.iter_mut().map(|error| &mut error.problem) {
            if problem.code == "expression::unknown_parameter" {
                let name = text.get(problem.span.start..problem.span.start + problem.span.len).unwrap_or_default();
                let name = name.trim_start_matches("${").trim_start_matches("p.").trim_end_matches('}');
                problem.hint = Some(format!("give it a value: `-p {name}=20`"));
            }
        }
        bad_expressions(text, errors)
    };
    let program = Program::compile(&[Definition::new(name, text)], &names).map_err(refused)?;
    let bound = program.bind(&values).map_err(refused)?;

    let look_back = bound.look_back();
    let mut rows = Vec::new();
    let mut say = |what: &str, words: String| rows.push(vec![what.to_owned(), words]);
    if let Some(spec) = spec {
        say("meaning", spec.doc.to_string());
    }
    say("formula", bound.formula(name).unwrap_or_default());
    let of = program.type_of(name).unwrap_or(crate::expression::Type::Number);
    say("type", type_word(of).to_owned());
    say("look-back", look_back_words(look_back));
    say("causal", "proved from the tree: no part reads a bar after the current one".to_owned());
    say("memory", memory(&bound, name));
    if bound.needs_all_symbols() {
        say("symbols", "compares all symbols of a date".to_owned());
    }
    say("reads", bound.columns().into_iter().collect::<Vec<_>>().join(", "));
    let mut report = json!({
        "name": spec.map(|spec| &spec.name),
        "formula": bound.formula(name),
        "doc": spec.map(|spec| &spec.doc),
        "type": type_word(of),
        "look_back": look_back,
        "look_ahead": bound.look_ahead(),
        "recursive": bound.is_recursive(name),
        "over_date": bound.needs_all_symbols(),
        "reads": bound.columns(),
        "tree": program.tree(name).map(tree_report),
    });
    if let Some(bars) = bars {
        let found = bound.evaluate(bars, None).map_err(|error| CliError::Usage(error.to_string()))?;
        let columns: Vec<&[f64]> =
            (0..bars.series.len()).filter_map(|symbol| Some(found.column(name, symbol)?.as_slice())).collect();
        nulls(bars, &columns, &mut rows, &mut report);
    }
    let tree = program.tree(name).map(|tree| drawn(tree, "", "")).unwrap_or_default();
    let heading = spec.map_or("expression", |spec| spec.name.as_ref());
    Ok(Found { report, text: format!("{}\n\n{}", table(&[heading, ""], rows), tree.trim_end()) })
}

fn look_back_words(bars: usize) -> String {
    if bars == 0 {
        "none: known at every bar".to_owned()
    } else {
        format!("{0}: null in the first {0} of a symbol", counted(bars, "bar"))
    }
}

fn memory(bound: &Bound, name: &str) -> String {
    let words = if bound.is_recursive(name) == Some(true) {
        "everything since the history began, fading"
    } else {
        "its look-back alone"
    };
    words.to_owned()
}

/// Counts nulls of each symbol.
fn nulls(bars: &Bars, columns: &[&[f64]], rows: &mut Vec<Vec<String>>, report: &mut Value) {
    let mut counts = serde_json::Map::new();
    for (series, column) in bars.series.iter().zip(columns) {
        let missing = column.iter().filter(|value| value.is_nan()).count();
        let lead = column.iter().position(|value| !value.is_nan()).unwrap_or(column.len());
        rows.push(vec![
            format!("null, {}", series.symbol),
            format!("{missing} of {} rows: the first {lead}, and {} later", column.len(), missing - lead),
        ]);
        counts.insert(series.symbol.clone(), json!({"rows": column.len(), "null": missing, "lead": lead}));
    }
    report["nulls"] = Value::Object(counts);
}

fn parameters(given: &[String]) -> Result<ParameterValues, CliError> {
    let value = |text: &str| match (text.parse::<f64>(), text) {
        (_, "true") => ParameterValue::Boolean(true),
        (_, "false") => ParameterValue::Boolean(false),
        (Ok(number), _) => ParameterValue::Number(number),
        (Err(_), word) => ParameterValue::Text(word.to_owned()),
    };
    let pair = |given: &String| {
        let (name, text) = given
            .split_once('=')
            .ok_or_else(|| CliError::Usage(format!("--param: expected NAME=VALUE, found `{given}`")))?;
        Ok((name.trim_start_matches("p.").to_owned(), value(text)))
    };
    given.iter().map(pair).collect()
}

/// What stands at the top of a tree.
fn head(tree: &Tree) -> String {
    match &tree.node {
        Node::Unary(operator, _) => operator.symbol().trim_end().to_owned(),
        Node::Binary(operator, ..) => operator.symbol().to_owned(),
        Node::Call { function, over_date, .. } if *over_date => format!("{function} over date"),
        Node::Call { function, .. } => function.clone(),
        _ => tree.to_string(),
    }
}

fn below(tree: &Tree) -> Vec<&Tree> {
    match &tree.node {
        Node::Unary(_, inner) => vec![inner],
        Node::Binary(_, left, right) => vec![left, right],
        Node::Call { arguments, .. } => arguments.iter().map(|argument| &argument.value).collect(),
        _ => Vec::new(),
    }
}

fn drawn(tree: &Tree, first: &str, rest: &str) -> String {
    let mut text = format!("{first}{}\n", head(tree));
    let parts = below(tree);
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        let (branch, stem) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        text += &drawn(part, &format!("{rest}{branch}"), &format!("{rest}{stem}"));
    }
    text
}

fn tree_report(tree: &Tree) -> Value {
    json!({
        "head": head(tree),
        "span": [tree.span.start, tree.span.start + tree.span.len],
        "parts": below(tree).into_iter().map(tree_report).collect::<Vec<_>>(),
    })
}
