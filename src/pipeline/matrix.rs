//! `matrix` and `for_each`: one declared node, several instances.
//!
//! An instance is known by its coordinates, `train[model=logistic,seed=1]`: made of names and values, so that adding a
//! value to an axis renames nothing. A value that is no word or number, as a list of symbols, has a name on its axis; the
//! instance is known by that. A coordinate belongs to the node whose matrix brought the axis. Instances of two
//! nodes meet where they agree on every coordinate that both got from the same node.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::file::{MatrixFile, NodeFile, PipelineFile};
use super::template::Scope;
use super::{Text, keys};
use crate::artifact::Scalar;
use crate::base::yaml::Yaml;
use crate::base::{Days, Located, MICROS_PER_DAY, Problem, Span, Timestamp};

/// More instances of one node than a person means to declare.
const MAX_INSTANCES: usize = 20_000;

/// A value on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Coordinate {
    /// The node whose matrix brought the axis.
    pub owner: Arc<str>,
    /// The axis.
    pub axis: Arc<str>,
    /// The value, or its name.
    pub value: Scalar,
    /// What the name stands for, on an axis whose values have names.
    pub content: Option<Value>,
}

/// Where an instance stands: one value on each axis; none for a node without a matrix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Coordinates(pub Vec<Coordinate>);

impl Coordinates {
    /// The value on an axis.
    pub fn get(&self, axis: &str) -> Option<&Scalar> {
        self.0.iter().find(|coordinate| &*coordinate.axis == axis).map(|coordinate| &coordinate.value)
    }

    /// What a name on an axis stands for; none on an axis whose values are written as they are.
    pub fn content(&self, axis: &str) -> Option<&Value> {
        self.0.iter().find(|coordinate| &*coordinate.axis == axis)?.content.as_ref()
    }

    /// The value on an axis that a certain node brought.
    fn of(&self, owner: &str, axis: &str) -> Option<&Scalar> {
        let found = self.0.iter().find(|coordinate| &*coordinate.axis == axis && &*coordinate.owner == owner);
        found.map(|coordinate| &coordinate.value)
    }

    /// Whether both stand at the same place, as far as they have axes of the same origin.
    pub(super) fn agree(&self, other: &Self) -> bool {
        self.0.iter().all(|own| other.of(&own.owner, &own.axis).is_none_or(|value| *value == own.value))
    }

    /// Whether the other has every axis that this has.
    pub(super) fn within(&self, other: &Self) -> bool {
        self.0.iter().all(|own| other.of(&own.owner, &own.axis).is_some())
    }

    /// The name of an instance of a node at this place.
    pub(super) fn name(&self, node: &str) -> String {
        if self.0.is_empty() { node.to_owned() } else { format!("{node}[{self}]") }
    }
}

impl fmt::Display for Coordinates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, coordinate) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{}={}", coordinate.axis, value_text(&coordinate.value))?;
        }
        Ok(())
    }
}

/// A value as it stands in the name of an instance.
pub(super) fn value_text(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) => text.clone(),
        other => other.to_json().to_string(),
    }
}

/// Works out the instances of every node.
pub(super) fn instances(
    file: &PipelineFile,
    scope: &Scope<'_>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Vec<Coordinates>> {
    let nodes: BTreeMap<&str, &NodeFile> = file.nodes.iter().map(|node| (node.id.value.as_str(), node)).collect();
    let mut builder = Builder { nodes, scope, problems, done: BTreeMap::new(), open: Vec::new() };
    for node in &file.nodes {
        builder.of(node);
    }
    builder.done
}

struct Builder<'a> {
    nodes: BTreeMap<&'a str, &'a NodeFile>,
    scope: &'a Scope<'a>,
    problems: &'a mut Vec<Problem>,
    done: BTreeMap<String, Vec<Coordinates>>,
    /// Nodes whose instances are being worked out: to notice a circle of `for_each`.
    open: Vec<&'a str>,
}

impl<'a> Builder<'a> {
    fn of(&mut self, node: &'a NodeFile) {
        let id = node.id.value.as_str();
        if self.done.contains_key(id) {
            return;
        }
        self.open.push(id);
        let parents = match &node.for_each {
            None => vec![Coordinates::default()],
            Some(parent) => self.parents(node, parent),
        };
        let found = match &node.matrix {
            None => parents,
            Some(matrix) => self.multiply(id, matrix, &parents),
        };
        self.open.pop();
        self.done.insert(id.to_owned(), found);
    }

    fn parents(&mut self, node: &NodeFile, parent: &Text) -> Vec<Coordinates> {
        let refuse = |problem: Problem, problems: &mut Vec<Problem>| {
            problems.push(problem);
            Vec::new()
        };
        let Some(found) = self.nodes.get(parent.value.as_str()).copied() else {
            let message = format!("there is no node `{}`", parent.value);
            let problem = Problem::new("pipeline::unknown_node", parent.span, message).label("unknown node");
            return refuse(problem.suggest(&parent.value, self.nodes.keys().copied()), self.problems);
        };
        if self.open.contains(&parent.value.as_str()) {
            let message = format!("`for_each` goes in a circle: {} <- {}", self.open.join(" <- "), parent.value);
            let problem = Problem::new("pipeline::matrix", parent.span, message);
            return refuse(problem.hint("let one of them have a `matrix` instead"), self.problems);
        }
        self.of(found);
        let instances = self.done.get(&parent.value).cloned().unwrap_or_default();
        if instances.iter().all(|coordinates| coordinates.0.is_empty()) && !instances.is_empty() {
            let message = format!("`{}` has one instance only, so there is nothing to go through", parent.value);
            let problem = Problem::new("pipeline::matrix", parent.span, message);
            let hint = format!("remove `for_each` from `{}`, or give `{}` a `matrix`", node.id.value, parent.value);
            return refuse(problem.hint(hint), self.problems);
        }
        instances
    }

    /// Every combination of the parents' coordinates with the values of the axes, less `exclude`, plus `include`.
    fn multiply(&mut self, id: &str, matrix: &MatrixFile, parents: &[Coordinates]) -> Vec<Coordinates> {
        let owner: Arc<str> = id.into();
        let inherited: Vec<String> =
            parents.first().iter().flat_map(|first| &first.0).map(|own| own.axis.to_string()).collect();
        let before = self.problems.len();
        let mut axes: Vec<(Arc<str>, Vec<Scalar>)> = Vec::new();
        let mut contents = Contents::new();
        for (axis, values) in &matrix.axes {
            if inherited.contains(&axis.value) {
                let message = format!("the axis `{}` comes from `for_each` already", axis.value);
                self.problems.push(Problem::new("pipeline::matrix", axis.span, message).hint("choose another name"));
            }
            let name: Arc<str> = axis.value.as_str().into();
            let scalars = match named(values) {
                None => self.values(axis, values),
                Some(fields) => {
                    let found = self.named_values(axis, fields);
                    let key = |text: &str| (Arc::clone(&name), text.to_owned());
                    contents.extend(found.iter().map(|(text, content)| (key(text), content.clone())));
                    found.into_iter().map(|(text, _)| Scalar::Text(text)).collect()
                }
            };
            axes.push((name, scalars));
        }
        // what else there is to say of the combinations would only follow from that
        if self.problems.len() > before || parents.is_empty() {
            return Vec::new();
        }
        let count = axes.iter().map(|(_, values)| values.len()).try_fold(parents.len(), usize::checked_mul);
        if count.is_none_or(|count| count > MAX_INSTANCES) {
            let message = format!("this matrix has more than {MAX_INSTANCES} combinations");
            let problem = Problem::new("pipeline::matrix", matrix.span, message);
            self.problems.push(problem.hint("take values away, or split the pipeline"));
            return Vec::new();
        }
        let mut own = vec![Vec::new()];
        for (axis, values) in &axes {
            own = own
                .iter()
                .flat_map(|before: &Vec<(Arc<str>, Scalar)>| {
                    values
                        .iter()
                        .map(move |value| before.iter().cloned().chain([(Arc::clone(axis), value.clone())]).collect())
                })
                .collect();
        }
        own.extend(self.included(matrix, &axes, &contents, &own));
        let place = |parent: &Coordinates, values: &[(Arc<str>, Scalar)]| {
            let values = values.iter().map(|(axis, value)| Coordinate {
                owner: Arc::clone(&owner),
                axis: Arc::clone(axis),
                content: contents.get(&(Arc::clone(axis), value_text(value))).cloned(),
                value: value.clone(),
            });
            Coordinates(parent.0.iter().cloned().chain(values).collect())
        };
        let all = parents.iter().flat_map(|parent| own.iter().map(move |values| place(parent, values)));
        self.exclude(matrix, all.collect())
    }

    /// The values of an axis: a list, a reference to a list, or a range.
    fn values(&mut self, axis: &Text, tree: &Located<Yaml>) -> Vec<Scalar> {
        if let Yaml::Map(fields) = &tree.value
            && let [(key, range)] = fields.as_slice()
            && key.value == "range"
        {
            return range_values(axis, range, self.scope).unwrap_or_else(|problem| {
                self.problems.push(problem);
                Vec::new()
            });
        }
        let before = self.problems.len();
        let filled = self.scope.fill(tree, self.problems);
        if self.problems.len() > before {
            return Vec::new();
        }
        let values: Option<Vec<Scalar>> = filled
            .as_array()
            .map(|items| items.iter().map(|item| serde_json::from_value(item.clone()).ok()).collect())
            .unwrap_or_default();
        let problem = match values {
            None => format!("axis `{}`: expected a list of words or numbers, or `{{range: ...}}`", axis.value),
            Some(values) if values.is_empty() => format!("axis `{}` has no values", axis.value),
            Some(values) => match unfit(axis, &values) {
                None => return values,
                Some((at, problem)) => {
                    let item = match &tree.value {
                        Yaml::List(items) => items.get(at).map(|item| item.span),
                        _ => None,
                    };
                    self.problems.push(Problem { span: item.unwrap_or(tree.span), ..problem });
                    return Vec::new();
                }
            },
        };
        let problem = Problem::new("pipeline::matrix", tree.span, problem);
        let hint = "write it as [a, b], {name: value}, `${params.list}`, or {range: {from: 1, to: 5}}";
        self.problems.push(problem.hint(hint));
        Vec::new()
    }

    /// The names on an axis, each with what it stands for.
    fn named_values(&mut self, axis: &Text, fields: &[(Text, Located<Yaml>)]) -> Vec<(String, Value)> {
        let names: Vec<Scalar> = fields.iter().map(|(name, _)| Scalar::Text(name.value.clone())).collect();
        if let Some((at, problem)) = unfit(axis, &names) {
            self.problems.push(Problem { span: fields.get(at).map_or(axis.span, |(name, _)| name.span), ..problem });
            return Vec::new();
        }
        let fill = |(name, tree): &(Text, Located<Yaml>)| (name.value.clone(), self.scope.fill(tree, self.problems));
        fields.iter().map(fill).collect()
    }

    fn combination(&mut self, tree: &Located<Yaml>, known: &[String]) -> Option<Vec<(Text, Scalar)>> {
        let Yaml::Map(fields) = &tree.value else {
            let message = format!("expected a mapping from axis to value, found {}", tree.value.describe());
            self.problems.push(Problem::new("pipeline::matrix", tree.span, message).hint("write {axis: value}"));
            return None;
        };
        let mut found = Vec::new();
        for (axis, value) in fields {
            if !known.contains(&axis.value) {
                let message = format!("there is no axis `{}` here", axis.value);
                let problem = Problem::new("pipeline::matrix", axis.span, message).label("unknown axis");
                self.problems.push(problem.suggest(&axis.value, known.iter().map(String::as_str)));
                return None;
            }
            let filled = self.scope.fill(value, self.problems);
            let Ok(scalar) = serde_json::from_value(filled) else {
                let message = format!("axis `{}`: expected one value, found {}", axis.value, value.value.describe());
                let problem = Problem::new("pipeline::matrix", value.span, message);
                self.problems.push(problem.hint("write an entry for each value"));
                return None;
            };
            found.push((axis.clone(), scalar));
        }
        Some(found)
    }

    fn included(
        &mut self,
        matrix: &MatrixFile,
        axes: &[(Arc<str>, Vec<Scalar>)],
        contents: &Contents,
        there: &[Vec<(Arc<str>, Scalar)>],
    ) -> Vec<Vec<(Arc<str>, Scalar)>> {
        let names: Vec<String> = axes.iter().map(|(axis, _)| axis.to_string()).collect();
        let mut found = Vec::new();
        for tree in &matrix.include {
            let Some(given) = self.combination(tree, &names) else { continue };
            let unknown = given.iter().find(|(axis, value)| {
                let known = names_on(contents, &axis.value);
                !known.is_empty() && !matches!(value, Scalar::Text(name) if known.contains(&name.as_str()))
            });
            if let Some((axis, value)) = unknown {
                let name = value_text(value);
                let message = format!("axis `{}` has no value of the name `{name}`", axis.value);
                let problem = Problem::new("pipeline::matrix", axis.span, message);
                self.problems.push(problem.suggest(&name, names_on(contents, &axis.value)));
                continue;
            }
            let value = |axis: &str| given.iter().find(|(name, _)| name.value == axis).map(|(_, value)| value.clone());
            let whole: Option<Vec<(Arc<str>, Scalar)>> =
                axes.iter().map(|(axis, _)| Some((Arc::clone(axis), value(axis)?))).collect();
            match whole {
                None => {
                    let lacking: Vec<&str> =
                        names.iter().map(String::as_str).filter(|axis| value(axis).is_none()).collect();
                    let message = format!("this combination has no value for {}", lacking.join(" and "));
                    let hint = "add it: an entry of `include` gives a value for every axis";
                    self.problems.push(Problem::new("pipeline::matrix", tree.span, message).hint(hint));
                }
                Some(whole) if there.contains(&whole) || found.contains(&whole) => {
                    let message = "this combination is there already";
                    self.problems.push(Problem::new("pipeline::matrix", tree.span, message).hint("remove it"));
                }
                Some(whole) => found.push(whole),
            }
        }
        found
    }

    fn exclude(&mut self, matrix: &MatrixFile, mut all: Vec<Coordinates>) -> Vec<Coordinates> {
        let names: Vec<String> =
            all.first().iter().flat_map(|first| &first.0).map(|own| own.axis.to_string()).collect();
        let matches = |at: &Coordinates, given: &[(Text, Scalar)]| {
            given.iter().all(|(axis, value)| at.get(&axis.value) == Some(value))
        };
        let mut excluded = Vec::new();
        for tree in &matrix.exclude {
            let Some(given) = self.combination(tree, &names) else { continue };
            if !all.iter().any(|at| matches(at, &given)) {
                let message = "`exclude` matches no combination";
                let problem = Problem::new("pipeline::matrix", tree.span, message).label("matches nothing");
                self.problems.push(problem.hint("correct the values, or remove it"));
            }
            excluded.push(given);
        }
        all.retain(|at| !excluded.iter().any(|given| matches(at, given)));
        if all.is_empty() && !matrix.exclude.is_empty() {
            let message = "`exclude` leaves no combination";
            self.problems.push(Problem::new("pipeline::matrix", matrix.span, message).hint("exclude fewer"));
        }
        all
    }
}

/// What names on axes stand for.
type Contents = BTreeMap<(Arc<str>, String), Value>;

fn names_on<'a>(contents: &'a Contents, axis: &str) -> Vec<&'a str> {
    contents.keys().filter(|(own, _)| &**own == axis).map(|(_, name)| name.as_str()).collect()
}

/// The names and values of an axis that is a mapping, unless it is a range.
fn named(tree: &Located<Yaml>) -> Option<&[(Text, Located<Yaml>)]> {
    match &tree.value {
        Yaml::Map(fields) if !fields.is_empty() && fields.iter().all(|(key, _)| key.value != "range") => Some(fields),
        _ => None,
    }
}

/// The first value that cannot be on an axis beside the others, and why.
fn unfit(axis: &Text, values: &[Scalar]) -> Option<(usize, Problem)> {
    let texts: Vec<String> = values.iter().map(value_text).collect();
    let problem =
        |message: String| Problem::new("pipeline::matrix", axis.span, format!("axis `{}`: {message}", axis.value));
    let awkward =
        |text: &str| text.is_empty() || text.contains(['[', ']', ',', '=', '/']) || text.contains(char::is_control);
    texts.iter().enumerate().find_map(|(at, text)| {
        if texts[..at].contains(text) {
            return Some((at, problem(format!("the value `{text}` is there twice")).hint("remove one of the two")));
        }
        awkward(text).then(|| {
            let message = format!("the value `{text}` is empty or holds one of `[ ] , = /`");
            (at, problem(message).hint("write it without them: values are parts of the names of instances"))
        })
    })
}

/// The values of `{range: {from, to, step}}`: whole numbers or dates.
fn range_values(axis: &Text, tree: &Located<Yaml>, scope: &Scope<'_>) -> Result<Vec<Scalar>, Problem> {
    let refuse = |span: Span, message: String| {
        Problem::new("pipeline::matrix", span, format!("axis `{}`: {message}", axis.value))
            .hint("write {range: {from: 2026-01-04, to: 2026-06-28, step: 1w}} or {range: {from: 1, to: 5}}")
    };
    let Yaml::Map(fields) = &tree.value else {
        return Err(refuse(tree.span, format!("expected `from` and `to`, found {}", tree.value.describe())));
    };
    let known: BTreeSet<&str> = keys::names(keys::RANGE).collect();
    if let Some((key, _)) = fields.iter().find(|(key, _)| !known.contains(key.value.as_str())) {
        return Err(refuse(key.span, format!("a range has no key `{}`", key.value)));
    }
    let field = |name: &str| -> Result<Option<Located<serde_json::Value>>, Problem> {
        let Some((_, value)) = fields.iter().find(|(key, _)| key.value == name) else { return Ok(None) };
        let mut problems = Vec::new();
        let filled = scope.fill(value, &mut problems);
        problems.pop().map_or(Ok(Some(Located::new(filled, value.span))), Err)
    };
    let (Some(from), Some(to), step) = (field("from")?, field("to")?, field("step")?) else {
        return Err(refuse(tree.span, "a range has `from` and `to`".to_owned()));
    };
    let whole = |value: &serde_json::Value| value.as_i64();
    let date = |value: &serde_json::Value| -> Option<Timestamp> { value.as_str()?.parse().ok() };
    let days = |value: &serde_json::Value| -> Option<Days> { value.as_str()?.parse().ok() };
    let step_at = step.as_ref().map_or(tree.span, |step| step.span);
    let values: Vec<Scalar> = match (whole(&from.value), whole(&to.value), date(&from.value), date(&to.value)) {
        (Some(from), Some(to), ..) => {
            let step = step.map_or(Some(1), |step| whole(&step.value));
            let step = step.and_then(|step| usize::try_from(step).ok()).filter(|step| *step > 0);
            let step = step.ok_or_else(|| refuse(step_at, "expected a whole number of at least 1".to_owned()))?;
            (from..=to).step_by(step).take(MAX_INSTANCES + 1).map(Scalar::Int).collect()
        }
        (_, _, Some(from), Some(to)) => {
            let step = step.map_or(Some(Days(1)), |step| days(&step.value)).filter(|step| step.0 > 0);
            let step =
                step.ok_or_else(|| refuse(step_at, "expected days with their unit, as `7d` or `1w`".to_owned()))?;
            let stride = step.0.saturating_mul(MICROS_PER_DAY);
            let next = |at: &Timestamp| Some(Timestamp::from_micros(at.micros().checked_add(stride)?));
            let ticks = std::iter::successors(Some(from), next).take_while(|at| *at <= to);
            ticks.take(MAX_INSTANCES + 1).map(|at| Scalar::Text(at.to_string())).collect()
        }
        _ => return Err(refuse(from.span, "expected two whole numbers or two dates".to_owned())),
    };
    if values.is_empty() {
        Err(refuse(tree.span, "the range is empty: its end is before its start".to_owned()))
    } else {
        Ok(values)
    }
}

#[cfg(test)]
mod tests;
