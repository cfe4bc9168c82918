//! `walkforward features list | explain | check`: what features and functions there are, what one means, and whether any looks ahead.

mod check;
mod explain;
mod list;
mod markdown;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::Session;
use super::error::CliError;
use crate::base::Problem;
use crate::expression::{ExpressionError, Type};
use crate::feature::{FeatureConfig, FeatureError, FeatureSet, Features};

#[derive(Debug, Subcommand)]
pub(super) enum FeaturesCommand {
    /// List the feature sets, the features of one, or the functions of expressions.
    List(ListArgs),
    /// Say what a feature, a function or an expression means: formula, tree, look-back, where it is null.
    Explain(ExplainArgs),
    /// Look whether any feature looks ahead: compute all on cut histories of your data, and compare bit for bit.
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// The set to list.
    set: Option<String>,
    /// List the functions of expressions instead.
    #[arg(long, conflicts_with = "set")]
    functions: bool,
    /// Write the reference page.
    #[arg(long, conflicts_with = "set")]
    markdown: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A feature, a function, or an expression in quotes.
    what: String,
    /// A value for a parameter of the expression: a number, true, false or a word.
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// A column that the bars carry beside open, high, low, close and volume.
    #[arg(long = "column", value_name = "NAME")]
    columns: Vec<String>,
    /// Bars to count nulls in: Parquet or CSV files, or folders of them.
    #[arg(long, value_name = "PATH")]
    data: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Bars: Parquet or CSV files, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    data: Vec<String>,
    /// The set to check; `none` for none.
    #[arg(long, default_value = "core40")]
    set: String,
    /// A feature of your own to check with it.
    #[arg(long = "expression", short = 'e', value_name = "NAME=EXPRESSION")]
    expressions: Vec<String>,
    /// Periods to add, as `lookback_periods` of a pipeline does.
    #[arg(long = "lookback-periods", value_name = "BARS", value_delimiter = ',')]
    lookback_periods: Vec<u32>,
    /// A column that the bars carry beside open, high, low, close and volume.
    #[arg(long = "column", value_name = "NAME")]
    columns: Vec<String>,
}

pub(super) fn features(session: &Session, command: &FeaturesCommand) -> Result<ExitCode, CliError> {
    match command {
        FeaturesCommand::List(args) => list::list(session, args),
        FeaturesCommand::Explain(args) => explain::explain(session, args),
        FeaturesCommand::Check(args) => check::check(session, args),
    }
}

/// The features that a call asks for.
fn asked(args: &CheckArgs) -> Result<FeatureSet, CliError> {
    let mut config = FeatureConfig {
        set: args.set.clone(),
        lookback_periods: args.lookback_periods.clone(),
        expressions: Default::default(),
        columns: args.columns.clone(),
    };
    for given in &args.expressions {
        let (name, text) = given
            .split_once('=')
            .ok_or_else(|| CliError::Usage(format!("--expression: expected NAME=EXPRESSION, found `{given}`")))?;
        if config.expressions.insert(name.trim().to_owned(), text.trim().to_owned()).is_some() {
            return Err(CliError::Usage(format!("--expression: `{}` is given twice", name.trim())));
        }
    }
    let texts = config.expressions.clone();
    Features::More(config).build().map_err(|refused| match refused.error {
        FeatureError::Expression(error) => {
            let text = texts.get(&error.name).cloned().unwrap_or_default();
            bad_expression(&format!("expression `{}`", error.name), text, vec![error.problem])
        }
        other => CliError::Usage(other.to_string()),
    })
}

/// Problems of an expression, each shown in its text.
fn bad_expression(name: &str, text: String, problems: Vec<Problem>) -> CliError {
    CliError::Pipeline { path: name.to_owned(), text, problems }
}

fn bad_expressions(text: &str, errors: Vec<ExpressionError>) -> CliError {
    let problems = errors.into_iter().map(|error| error.problem).collect();
    bad_expression("the expression", text.to_owned(), problems)
}

/// The word for a type.
const fn type_word(of: Type) -> &'static str {
    match of {
        Type::Number => "number",
        Type::Boolean => "boolean",
        Type::Text => "word",
    }
}

/// `1 bar`, `2 bars`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
