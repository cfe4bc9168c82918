//! Rules that are allowed and probably not meant: from the trees alone, and from what they say about bars.

use std::collections::{BTreeMap, BTreeSet};

use super::compile::{RulesStrategy, name, values};
use crate::expression::{Argument, Binary, Definition, Names, Node, ParameterValue, Program, Tree, Unary};
use crate::market::Bars;
use crate::strategy::{IndicatorCache, Signals, StrategyLint};

/// Functions whose values lie in a range.
const RANGES: &[(&str, f64, f64)] = &[
    ("rsi", 0.0, 100.0),
    ("stoch_k", 0.0, 100.0),
    ("stoch_d", 0.0, 100.0),
    ("willr", -100.0, 0.0),
    ("adx", 0.0, 100.0),
    ("mfi", 0.0, 100.0),
    ("cmo", -100.0, 100.0),
    ("aroon_up", 0.0, 100.0),
    ("aroon_down", 0.0, 100.0),
    ("corr", -1.0, 1.0),
];

impl RulesStrategy {
    /// Lints of the file alone.
    pub(in crate::strategy) fn lints(&self) -> Vec<StrategyLint> {
        let mut found = Vec::new();
        let used = self.program().parameters();
        for name in self.file.parameters.names().filter(|name| !used.contains(name)) {
            let message = format!("parameter `{name}` is read by no expression: its value changes nothing");
            found.push(StrategyLint::new("unused_parameter", message));
        }
        let named = self.named();
        for name in self.file.lets.names().filter(|name| !named.contains(*name)) {
            found.push(StrategyLint::new("unused_let", format!("`let.{name}` is used by no rule")));
        }
        for (side, entry) in [("long", name::ENTRY[0]), ("short", name::ENTRY[1])] {
            if let Some(tree) = self.program().tree(entry) {
                found.extend(self.impossible(side, tree));
            }
        }
        let file = &self.file;
        let is_left = file.stop.is_some() || file.take_profit.is_some() || file.trailing_stop.is_some();
        for (side, entry, exit) in
            [("long", &file.entry.long, &file.exit.long), ("short", &file.entry.short, &file.exit.short)]
        {
            if entry.is_some() && exit.is_none() && !is_left && file.time_stop.is_none() {
                let message = format!("nothing ends a {side} position: write `exit.{side}`, a stop or a `time_stop`");
                found.push(StrategyLint::new("no_exit", message));
            }
        }
        found
    }

    /// Names that any expression uses.
    fn named(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let own = self.file.lets.names().chain(self.program().outputs());
        own.filter_map(|name| self.program().tree(name)).for_each(|tree| names_of(tree, &mut found));
        found
    }

    /// What a name of `let` stands for.
    fn meaning<'a>(&'a self, tree: &'a Tree) -> &'a Tree {
        match &tree.node {
            Node::Name(name) => self.program().tree(name).map_or(tree, |tree| self.meaning(tree)),
            _ => tree,
        }
    }

    /// The parts of a rule that one operator joins, names resolved.
    fn parts<'a>(&'a self, tree: &'a Tree, operator: Binary, found: &mut Vec<&'a Tree>) {
        match &self.meaning(tree).node {
            Node::Binary(own, left, right) if *own == operator => {
                self.parts(left, operator, found);
                self.parts(right, operator, found);
            }
            // a part is shown as the user named it
            _ => found.push(tree),
        }
    }

    /// Why an entry can never be true, if that is seen without bars.
    fn impossible(&self, side: &str, entry: &Tree) -> Option<StrategyLint> {
        let mut parts = Vec::new();
        self.parts(entry, Binary::And, &mut parts);
        let never =
            |why: String| Some(StrategyLint::new("never_true", format!("`entry.{side}` can never be true: {why}")));
        let mut bounds: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for part in parts {
            let part = self.meaning(part);
            if matches!(part.node, Node::Boolean(false)) {
                return never("it is `false`".to_owned());
            }
            let Node::Binary(operator, left, right) = &part.node else { continue };
            let (left, right) = (self.meaning(left), self.meaning(right));
            let (operator, left, right) = match operator {
                Binary::Greater | Binary::GreaterOrEqual => (*operator, left, right),
                Binary::Less => (Binary::Greater, right, left),
                Binary::LessOrEqual => (Binary::GreaterOrEqual, right, left),
                _ => continue,
            };
            let is_strict = operator == Binary::Greater;
            if is_strict && left == right {
                return never(format!("`{part}` compares a value with itself"));
            }
            if is_strict && let Some(function) = holds_current(left, right) {
                return never(format!(
                    "`{part}`: `{function}` includes the current bar; the bars before it are `{}`",
                    if function == "max" { "highest" } else { "lowest" }
                ));
            }
            // left > right: a bound of whichever side is no number
            for (what, bound, is_lower) in [(left, self.constant(right), true), (right, self.constant(left), false)] {
                let Some(bound) = bound else { continue };
                let range = bounds.entry(what.to_string()).or_insert_with(|| range_of(what));
                if is_lower {
                    range.0 = range.0.max(bound);
                } else {
                    range.1 = range.1.min(bound);
                }
                let is_empty = range.0 > range.1 || (range.0 == range.1 && is_strict);
                if is_empty {
                    return never(format!("nothing is left for `{what}` beyond `{part}`"));
                }
            }
        }
        None
    }

    /// The value of a literal or of a parameter as it stands.
    fn constant(&self, tree: &Tree) -> Option<f64> {
        match &tree.node {
            Node::Number(number) => Some(*number),
            Node::Unary(Unary::Negative, inner) => Some(-self.constant(inner)?),
            Node::Parameter(name) => match values(&self.file).get(name) {
                Some(ParameterValue::Number(number)) => Some(*number),
                _ => None,
            },
            _ => None,
        }
    }

    /// Lints of the rules on these bars.
    pub(in crate::strategy) fn lints_on(
        &self,
        bars: &Bars,
        signals: &Signals,
        cache: &IndicatorCache,
    ) -> Vec<StrategyLint> {
        let candidates = || signals.symbols.iter().flat_map(|own| &own.candidates);
        let (all, eligible) = (candidates().count(), candidates().filter(|it| it.eligible).count());
        let mut found = Vec::new();
        if all == 0 {
            found.push(StrategyLint::new("never_fires", "no entry rule is true on any bar of the data"));
        } else if eligible == 0 {
            let message =
                format!("none of {all} signals is eligible: look at `eligible`, and at numbers that are null");
            found.push(StrategyLint::new("never_eligible", message));
        }
        let beyond = signals.symbols.iter().zip(&bars.series).map(|(own, series)| {
            let is_beyond = |it: &&crate::strategy::Candidate| {
                it.stop.is_some_and(|stop| it.side.sign() * (series.close[it.row as usize] - stop) <= 0.0)
            };
            own.candidates.iter().filter(is_beyond).count()
        });
        let beyond: usize = beyond.sum();
        if beyond > 0 {
            let message = format!("{beyond} of {all} signals have their stop beyond the price and are not eligible");
            found.push(StrategyLint::new("stop_beyond_price", message));
        }
        for (side, entry) in [("long", name::ENTRY[0]), ("short", name::ENTRY[1])] {
            let mut parts = Vec::new();
            if let Some(tree) = self.program().tree(entry) {
                self.parts(tree, Binary::Or, &mut parts);
            }
            if parts.len() > 1 {
                found.extend(self.dead(side, &parts, bars, cache));
            }
        }
        found
    }

    /// Which of the triggers of an entry never decides: wherever it is true, another one is.
    fn dead(&self, side: &str, parts: &[&Tree], bars: &Bars, cache: &IndicatorCache) -> Vec<StrategyLint> {
        let file = &self.file;
        let names = file.columns.iter().fold(Names::bars(), |names, column| names.with_column(column));
        let names = file.parameters.iter().fold(names, |names, (name, it)| names.with_parameter(name, it.type_of()));
        let lets = file.lets.iter().map(|(name, rule)| Definition::new(name, rule.text()).hidden());
        let triggers = parts.iter().enumerate().map(|(at, tree)| Definition::new(format!("/{at}"), tree.to_string()));
        let program = Program::compile(&lets.chain(triggers).collect::<Vec<_>>(), &names).ok();
        let bound = program.and_then(|program| program.bind(&values(file)).ok());
        let Some(evaluation) = bound.and_then(|bound| bound.evaluate(bars, Some(cache.columns())).ok()) else {
            return Vec::new();
        };
        let columns = evaluation.into_columns();
        let mut alone = vec![0_usize; columns.len()];
        for (symbol, series) in bars.series.iter().enumerate() {
            for row in 0..series.len() {
                let mut firing = (0..columns.len()).filter(|&at| columns[at].2[symbol][row] == 1.0);
                if let (Some(first), None) = (firing.next(), firing.next()) {
                    alone[first] += 1;
                }
            }
        }
        let dead = parts.iter().zip(alone).filter(|(_, alone)| *alone == 0);
        dead.map(|(tree, _)| {
            let message = format!("of `entry.{side}`, `{tree}` never fires alone on these bars: it decides nothing");
            StrategyLint::new("dead_trigger", message)
        })
        .collect()
    }
}

fn names_of(tree: &Tree, found: &mut BTreeSet<String>) {
    match &tree.node {
        Node::Name(name) => {
            found.insert(name.clone());
        }
        Node::Unary(_, inner) => names_of(inner, found),
        Node::Binary(_, left, right) => {
            names_of(left, found);
            names_of(right, found);
        }
        Node::Call { arguments, .. } => arguments.iter().for_each(|argument| names_of(&argument.value, found)),
        _ => {}
    }
}

/// The function of `close > max(high, k)` and the like, which hold for no bar: the window includes the bar itself.
fn holds_current(greater: &Tree, smaller: &Tree) -> Option<&'static str> {
    let column = |tree: &Tree| if let Node::Name(name) = &tree.node { Some(name.clone()) } else { None };
    let window = |tree: &Tree, wanted: &str| match &tree.node {
        Node::Call { function, arguments, over_date: false } if function == wanted => {
            arguments.first().and_then(|Argument { value, .. }| column(value))
        }
        _ => None,
    };
    let rank = |name: &str| ["low", "open", "close", "high"].iter().position(|known| *known == name);
    // nothing of a bar is above its high or below its low, and no column is above its own window's greatest
    if let (Some(price), Some(of)) = (column(greater), window(smaller, "max")) {
        return (price == of || (of == "high" && rank(&price).is_some())).then_some("max");
    }
    if let (Some(of), Some(price)) = (window(greater, "min"), column(smaller)) {
        return (price == of || (of == "low" && rank(&price).is_some())).then_some("min");
    }
    None
}

fn range_of(tree: &Tree) -> (f64, f64) {
    let known = match &tree.node {
        Node::Call { function, over_date: false, .. } => RANGES.iter().find(|(name, ..)| name == function),
        _ => None,
    };
    known.map_or((f64::NEG_INFINITY, f64::INFINITY), |&(_, least, greatest)| (least, greatest))
}
