//! A rules file as a program: every expression with its place in the file, checked.

use std::sync::Arc;

use super::file::{RulesFile, Sides, Sizing};
use super::rule::Rule;
use crate::base::Problem;
use crate::expression::{Bound, Definition, Names, ParameterValues, Program, Type};

/// Names of the definitions that the strategy itself reads. A slash keeps them apart from the names of `let`.
pub(super) mod name {
    pub const ELIGIBLE: &str = "/eligible";
    pub const ENTRY: [&str; 2] = ["/entry/long", "/entry/short"];
    pub const EXIT: [&str; 2] = ["/exit/long", "/exit/short"];
    pub const STOP: &str = "/stop";
    pub const STOP_ATR: &str = "/stop/atr";
    pub const STOP_LEVEL: [&str; 2] = ["/stop/level/long", "/stop/level/short"];
    pub const TARGET: &str = "/take_profit";
    pub const TARGET_ATR: &str = "/take_profit/atr";
    pub const TARGET_LEVEL: [&str; 2] = ["/take_profit/level/long", "/take_profit/level/short"];
    pub const TRAIL: &str = "/trailing_stop";
    pub const TRAIL_ATR: &str = "/trailing_stop/atr";
    pub const BREAK_EVEN: &str = "/break_even";
    pub const TIME_STOP: &str = "/time_stop";
    pub const TIE_BREAK: &str = "/tie_break";
    pub const SIZE: &str = "/sizing";
    pub const SCORE: &str = "/score";
    pub const FEATURE: &str = "/features";
}

/// One expression of the file.
pub(super) struct Piece {
    /// Keys that lead to it.
    pub path: Vec<String>,
    definition: Definition,
    /// Bytes of the compiled text before the user's own.
    prefix: usize,
}

/// Something wrong in a rules file, by the keys that lead to it.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub path: Vec<String>,
    /// The problem; its span counts bytes of the value at the path, and is empty where the whole value is meant.
    pub problem: Problem,
}

impl Fault {
    pub fn new(path: &[&str], message: impl Into<String>) -> Self {
        let path = path.iter().map(|&step| step.to_owned()).collect();
        Self { path, problem: Problem::new("strategy::rule", crate::base::Span::default(), message) }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.problem = self.problem.hint(hint);
        self
    }
}

/// A checked rules file and its program.
#[derive(Clone, Debug)]
pub struct RulesStrategy {
    pub(super) file: RulesFile,
    pub(super) program: Arc<Program>,
}

impl PartialEq for RulesStrategy {
    /// The program is made of the file.
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file
    }
}

#[derive(Default)]
struct Pieces(Vec<Piece>);

impl Pieces {
    fn add(&mut self, name: &str, path: &[&str], text: String, prefix: usize, of: Option<Type>) -> &mut Piece {
        let definition = Definition::new(name, text);
        let definition = match of {
            Some(Type::Boolean) => definition.boolean(),
            Some(Type::Number) => definition.number(),
            _ => definition,
        };
        let path = path.iter().map(|&step| step.to_owned()).collect();
        let at = self.0.len();
        self.0.push(Piece { path, definition, prefix });
        &mut self.0[at]
    }

    fn number(&mut self, name: &str, path: &[&str], rule: &Rule) {
        self.add(name, path, rule.text().into_owned(), 0, Some(Type::Number));
    }

    fn numbers(&mut self, name: &str, path: &[&str], rule: Option<&Rule>) {
        if let Some(rule) = rule {
            self.number(name, path, rule);
        }
    }

    fn sides(&mut self, names: [&str; 2], path: &[&str], sides: &Sides, of: Type) {
        for (name, side, rule) in [(names[0], "long", &sides.long), (names[1], "short", &sides.short)] {
            if let Some(rule) = rule {
                let path: Vec<&str> = path.iter().copied().chain([side]).collect();
                self.add(name, &path, rule.text().into_owned(), 0, Some(of));
            }
        }
    }

    /// `atr(period)`.
    fn atr(&mut self, name: &str, path: &[&str], period: &Rule) {
        self.add(name, path, format!("atr({})", period.text()), "atr(".len(), Some(Type::Number));
    }
}

/// Every expression of the file, in an order in which each comes after what it may name.
fn pieces(file: &RulesFile) -> Vec<Piece> {
    let mut all = Pieces::default();
    for (name, rule) in file.lets.iter() {
        let piece = all.add(name, &["let", name], rule.text().into_owned(), 0, None);
        piece.definition = piece.definition.clone().hidden();
    }
    if let Some(rule) = &file.eligible {
        all.add(name::ELIGIBLE, &["eligible"], rule.text().into_owned(), 0, Some(Type::Boolean));
    }
    all.sides(name::ENTRY, &["entry"], &file.entry, Type::Boolean);
    all.sides(name::EXIT, &["exit"], &file.exit, Type::Boolean);
    if let Some(stop) = &file.stop {
        all.numbers(name::STOP, &["stop", "atr"], stop.atr.as_ref());
        all.numbers(name::STOP, &["stop", "percent"], stop.percent.as_ref());
        all.sides(name::STOP_LEVEL, &["stop", "level"], &stop.level.clone().unwrap_or_default(), Type::Number);
        if stop.atr.is_some() {
            all.atr(name::STOP_ATR, &["stop", "period"], &stop.period);
        }
    }
    if let Some(target) = &file.take_profit {
        all.numbers(name::TARGET, &["take_profit", "r"], target.r.as_ref());
        all.numbers(name::TARGET, &["take_profit", "atr"], target.atr.as_ref());
        all.numbers(name::TARGET, &["take_profit", "percent"], target.percent.as_ref());
        let level = target.level.clone().unwrap_or_default();
        all.sides(name::TARGET_LEVEL, &["take_profit", "level"], &level, Type::Number);
        if target.atr.is_some() {
            all.atr(name::TARGET_ATR, &["take_profit", "period"], &target.period);
        }
    }
    if let Some(trail) = &file.trailing_stop {
        all.numbers(name::TRAIL, &["trailing_stop", "atr"], trail.atr.as_ref());
        all.numbers(name::TRAIL, &["trailing_stop", "percent"], trail.percent.as_ref());
        if trail.atr.is_some() {
            all.atr(name::TRAIL_ATR, &["trailing_stop", "period"], &trail.period);
        }
    }
    all.numbers(name::BREAK_EVEN, &["break_even"], file.break_even.as_ref());
    all.numbers(name::TIME_STOP, &["time_stop"], file.time_stop.as_ref());
    for (index, component) in file.score.iter().enumerate() {
        let at = index.to_string();
        all.number(&score_name(index, "value"), &["score", &at, "value"], &component.value);
        all.number(&score_name(index, "weight"), &["score", &at, "weight"], &component.weight);
    }
    all.numbers(name::TIE_BREAK, &["tie_break"], file.tie_break.as_ref());
    for (feature, rule) in file.features.iter() {
        // a feature may be true or false: 1 or 0
        all.add(&feature_name(feature), &["features", feature], rule.text().into_owned(), 0, None);
    }
    match &file.sizing {
        Sizing::Risk | Sizing::AllCash => {}
        Sizing::Units(rule) => all.number(name::SIZE, &["sizing", "units"], rule),
        Sizing::Notional(rule) => all.number(name::SIZE, &["sizing", "notional"], rule),
        Sizing::Share(rule) => all.number(name::SIZE, &["sizing", "share"], rule),
    }
    all.0
}

pub(super) fn score_name(index: usize, part: &str) -> String {
    format!("{}/{index}/{part}", name::SCORE)
}

pub(super) fn feature_name(feature: &str) -> String {
    format!("{}/{feature}", name::FEATURE)
}

/// The parameters that the file declares, with their values.
pub(super) fn values(file: &RulesFile) -> ParameterValues {
    file.parameters.iter().map(|(name, declared)| (name.to_owned(), declared.value())).collect()
}

impl RulesStrategy {
    /// Compiles a file and binds it to its own parameters.
    ///
    /// # Errors
    /// Everything that is wrong with it, by place.
    pub(super) fn compile(file: RulesFile) -> Result<Self, Vec<Fault>> {
        let mut faults = shape(&file);
        let mut names = file.columns.iter().fold(Names::bars(), |names, column| names.with_column(column));
        for (name, declared) in file.parameters.iter() {
            if let Some((key, message)) = declared.defect() {
                faults.push(Fault::new(&["parameters", name, key], format!("parameter `{name}`: {message}")));
            }
            names = names.with_parameter(name, declared.type_of());
        }
        let pieces = pieces(&file);
        let definitions: Vec<Definition> = pieces.iter().map(|piece| piece.definition.clone()).collect();
        let located = |errors: Vec<crate::expression::ExpressionError>| -> Vec<Fault> {
            errors
                .into_iter()
                .map(|error| {
                    let piece = &pieces[error.definition];
                    let mut problem = error.problem;
                    problem.span.start = problem.span.start.saturating_sub(piece.prefix);
                    Fault { path: piece.path.clone(), problem }
                })
                .collect()
        };
        let program = match Program::compile(&definitions, &names) {
            Ok(program) => program,
            Err(errors) => {
                faults.extend(located(errors));
                return Err(faults);
            }
        };
        if faults.is_empty()
            && let Err(errors) = program.bind(&values(&file))
        {
            faults.extend(located(errors));
        }
        if faults.is_empty() { Ok(Self { file, program: Arc::new(program) }) } else { Err(faults) }
    }

    /// The program with the parameters' present values.
    pub(super) fn bind(&self) -> Result<Bound, String> {
        self.program.bind(&values(&self.file)).map_err(|errors| {
            let words: Vec<String> = errors.iter().map(ToString::to_string).collect();
            words.join("; ")
        })
    }

    /// The same program with another file, which differs in values of parameters and in no expression.
    pub(super) fn with_file(&self, file: RulesFile) -> Self {
        Self { file, program: Arc::clone(&self.program) }
    }

    /// The file, with the parameters' present values as their defaults.
    pub const fn file(&self) -> &RulesFile {
        &self.file
    }

    /// The trees behind the definitions, for lints.
    pub(super) fn program(&self) -> &Program {
        &self.program
    }
}

/// What is wrong before any expression is read.
fn shape(file: &RulesFile) -> Vec<Fault> {
    let mut faults = Vec::new();
    if file.version != 1 {
        let message = format!("unsupported strategy version, expected 1, found {}", file.version);
        faults.push(Fault::new(&["version"], message));
    }
    if file.entry.is_empty() {
        faults.push(
            Fault::new(&["entry"], "expected a rule for `long`, for `short`, or for both, found none")
                .hint("write `entry: {long: \"close > sma(close, 50)\"}`"),
        );
    }
    let one_of = |path: &'static str, found: &[(&str, bool)]| {
        let written: Vec<&str> = found.iter().filter(|(_, is_written)| *is_written).map(|(key, _)| *key).collect();
        let known: Vec<&str> = found.iter().map(|(key, _)| *key).collect();
        (written.len() != 1).then(|| {
            let found = if written.is_empty() { "none".to_owned() } else { written.join(" and ") };
            Fault::new(&[path], format!("`{path}`: expected exactly one of {}, found {found}", known.join(", ")))
        })
    };
    if let Some(stop) = &file.stop {
        let keys = [("atr", stop.atr.is_some()), ("percent", stop.percent.is_some()), ("level", stop.level.is_some())];
        faults.extend(one_of("stop", &keys));
        faults.extend(sided("stop", stop.level.as_ref(), &file.entry));
    }
    if let Some(target) = &file.take_profit {
        let keys = [
            ("r", target.r.is_some()),
            ("atr", target.atr.is_some()),
            ("percent", target.percent.is_some()),
            ("level", target.level.is_some()),
        ];
        faults.extend(one_of("take_profit", &keys));
        faults.extend(sided("take_profit", target.level.as_ref(), &file.entry));
        if target.r.is_some() && file.stop.is_none() {
            faults.push(needs_stop(&["take_profit", "r"], "a target in R"));
        }
    }
    if let Some(trail) = &file.trailing_stop {
        let keys = [("atr", trail.atr.is_some()), ("percent", trail.percent.is_some())];
        faults.extend(one_of("trailing_stop", &keys));
    }
    if file.break_even.is_some() && file.stop.is_none() {
        faults.push(needs_stop(&["break_even"], "a move to break even"));
    }
    if file.sizing == Sizing::Risk && file.stop.is_none() {
        faults.push(
            needs_stop(&["entry"], "`sizing: risk`").hint("write a `stop`, or another `sizing` like `{share: 0.1}`"),
        );
    }
    let sections = [file.risk.check(), file.costs.check(), file.costs.commission.check(), file.data.check()];
    for error in sections.into_iter().filter_map(Result::err) {
        let path = match &error {
            super::super::StrategyError::OutOfRange { path, .. } => path.split('.').map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let keys: Vec<&str> = path.iter().map(String::as_str).collect();
        faults.push(Fault::new(&keys, error.to_string()));
    }
    faults.extend(signs(file));
    faults
}

/// A level for each side that is traded.
fn sided(rule: &str, level: Option<&Sides>, entry: &Sides) -> Option<Fault> {
    let level = level?;
    let lacks = |entry: &Option<Rule>, level: &Option<Rule>| entry.is_some() && level.is_none();
    let side = match () {
        () if lacks(&entry.long, &level.long) => "long",
        () if lacks(&entry.short, &level.short) => "short",
        () => return None,
    };
    Some(Fault::new(&[rule, "level"], format!("`{rule}.level`: expected a level for `{side}`, which is entered")))
}

fn needs_stop(path: &[&str], what: &str) -> Fault {
    Fault::new(path, format!("{what} is measured in the distance to the stop, found no `stop`")).hint("write a `stop`")
}

/// Literal numbers that would mean nothing: a stop above the price, a time stop before the entry.
fn signs(file: &RulesFile) -> Vec<Fault> {
    let (stop, target, trail) = (&file.stop, &file.take_profit, &file.trailing_stop);
    let rules: [(&[&str], Option<&Rule>, f64); 9] = [
        (&["stop", "atr"], stop.as_ref().and_then(|it| it.atr.as_ref()), f64::INFINITY),
        (&["stop", "percent"], stop.as_ref().and_then(|it| it.percent.as_ref()), 1.0),
        (&["take_profit", "r"], target.as_ref().and_then(|it| it.r.as_ref()), f64::INFINITY),
        (&["take_profit", "atr"], target.as_ref().and_then(|it| it.atr.as_ref()), f64::INFINITY),
        (&["take_profit", "percent"], target.as_ref().and_then(|it| it.percent.as_ref()), f64::INFINITY),
        (&["trailing_stop", "atr"], trail.as_ref().and_then(|it| it.atr.as_ref()), f64::INFINITY),
        (&["trailing_stop", "percent"], trail.as_ref().and_then(|it| it.percent.as_ref()), 1.0),
        (&["break_even"], file.break_even.as_ref(), f64::INFINITY),
        (&["time_stop"], file.time_stop.as_ref(), f64::INFINITY),
    ];
    let found = rules.into_iter().filter_map(|(path, rule, below)| {
        let Some(Rule::Number(number)) = rule else { return None };
        if *number > 0.0 && *number < below {
            return None;
        }
        let expected = if below.is_finite() { format!("above 0 and below {below}") } else { "above 0".to_owned() };
        Some(Fault::new(path, format!("`{}`: expected a number {expected}, found {number}", path.join("."))))
    });
    found.collect()
}
