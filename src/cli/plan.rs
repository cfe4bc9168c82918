//! `walkforward plan` and `walkforward why`: what a run would do, and the reasons.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;
use super::render::table;
use super::{PipelineArgs, Session};
use crate::base::nearest;
use crate::engine;
use crate::pipeline::{Node, Origin, Pipeline};
use crate::plan::{Outside, PlannedNode, Step};
use crate::registry::{Registry, RegistryClient};

/// Exit code of a plan that is not empty, where the caller asks.
const SOMETHING_TO_DO: u8 = 3;

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// End with exit code 3 when a node would run, or may.
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// The node, as `train` or `train[model=logistic]`.
    node: String,
}

/// A pipeline and what a run would do.
struct Planned {
    pipeline: Pipeline,
    nodes: Vec<PlannedNode>,
    last_parts: BTreeMap<String, Value>,
}

async fn planned(session: &Session, args: &PipelineArgs) -> Result<Planned, CliError> {
    let pipeline = args.load()?;
    // looking makes no store
    let store = session.store_or_none().await?;
    let sources = args.pin(&pipeline, &store).await?;
    let runtime = tokio::runtime::Handle::current();
    let registry = RegistryClient::new(Registry::new(store.clone()), runtime, super::clock(), "plan", "plan");
    let last_parts = engine::last_parts(&store, &pipeline.name).await?;
    let files = sources.digests();
    let outside = Outside { sources: &sources.references, files: &files };
    let nodes = crate::plan::plan(&pipeline, outside, &store, &registry, &last_parts).await?;
    Ok(Planned { pipeline, nodes, last_parts })
}

pub(super) async fn plan(session: &Session, args: &PlanArgs) -> Result<ExitCode, CliError> {
    let Planned { pipeline, nodes, .. } = planned(session, &args.pipeline).await?;
    session.print(&json!({"pipeline": pipeline.name, "as_of": pipeline.as_of, "nodes": nodes}), || {
        let rows = nodes.iter().map(|node| {
            let (word, reason) = describe(&node.step);
            vec![node.node.clone(), node.kind.clone(), word.to_owned(), reason]
        });
        let table = table(&["node", "kind", "plan", "why"], rows);
        format!("{} · as of {}\n\n{table}\n\n{}", pipeline.name, pipeline.as_of, count(&nodes))
    })?;
    let idle = nodes.iter().all(|node| matches!(node.step, Step::Reuse { .. } | Step::Skip { .. }));
    Ok(if args.exit_code && !idle { ExitCode::from(SOMETHING_TO_DO) } else { ExitCode::SUCCESS })
}

fn describe(step: &Step) -> (&'static str, String) {
    match step {
        Step::Reuse { made_by } => ("reuse", format!("made by run {}", super::render::short_id(made_by))),
        Step::Run { because } => ("run", because.join("\n")),
        Step::Skip { because } => ("skip", because.clone()),
        Step::Unknown { until } => ("unknown", format!("until {}", shortened(until))),
    }
}

/// A list that stays readable when a matrix made it long.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}

fn count(nodes: &[PlannedNode]) -> String {
    let of = |word: &str| nodes.iter().filter(|node| describe(&node.step).0 == word).count();
    let (run, unknown, reuse, skip) = (of("run"), of("unknown"), of("reuse"), of("skip"));
    match (run, unknown) {
        (0, 0) => format!("Nothing to do: {reuse} reused, {skip} skipped."),
        (_, 0) => format!("{run} to run, {reuse} reused, {skip} skipped."),
        _ => format!("{run} to run, {unknown} not known before these have run, {reuse} reused, {skip} skipped."),
    }
}

pub(super) async fn why(session: &Session, args: &WhyArgs) -> Result<ExitCode, CliError> {
    let planned = planned(session, &args.pipeline).await?;
    let wanted = args.node.as_str();
    let found = planned.nodes.iter().zip(&planned.pipeline.nodes);
    let found: Vec<_> = found.filter(|(_, node)| node.id == wanted || node.group == wanted).collect();
    if found.is_empty() {
        let names: Vec<&str> = planned.pipeline.nodes.iter().map(|node| node.id.as_str()).collect();
        let hint = nearest(wanted, names.iter().copied())
            .map_or_else(|| format!("there are: {}", names.join(", ")), |near| format!("did you mean `{near}`?"));
        return Err(CliError::Usage(format!("there is no node `{wanted}`; {hint}")));
    }
    let report: Vec<Value> = found.iter().map(|(plan, node)| planned.account(plan, node)).collect();
    session.print(&report, || {
        found.iter().map(|(plan, node)| planned.account_text(plan, node)).collect::<Vec<_>>().join("\n\n")
    })?;
    Ok(ExitCode::SUCCESS)
}

impl Planned {
    fn step_of(&self, id: &str) -> &'static str {
        self.nodes.iter().find(|node| node.node == id).map_or("unknown", |node| describe(&node.step).0)
    }

    /// Every input with where it comes from and what will happen there.
    fn inputs(&self, node: &Node) -> Vec<(String, String, &'static str)> {
        let feeds = node.inputs.iter().flat_map(|(port, edge)| edge.from.origins().map(move |from| (port, from)));
        feeds
            .map(|(port, from)| match from {
                Origin::Source(_) => (port.clone(), from.to_string(), "read at the start"),
                Origin::Output { node, .. } => (port.clone(), from.to_string(), self.step_of(node)),
            })
            .collect()
    }

    fn dependents(&self, node: &Node) -> Vec<String> {
        let depends = |other: &&Node| other.dependencies().contains(&node.id);
        self.pipeline.nodes.iter().filter(depends).map(|other| other.id.clone()).collect()
    }

    fn account(&self, plan: &PlannedNode, node: &Node) -> Value {
        let inputs: Vec<Value> = self
            .inputs(node)
            .into_iter()
            .map(|(port, from, step)| json!({"port": port, "from": from, "plan": step}))
            .collect();
        json!({
            "node": node.id, "kind": plan.kind, "step": plan.step, "fingerprint": plan.fingerprint,
            "when": node.when.as_ref().map(|when| when.text.clone()), "needs": node.needs, "inputs": inputs,
            "needed_by": self.dependents(node), "last_parts": self.last_parts.get(&node.id),
        })
    }

    fn account_text(&self, plan: &PlannedNode, node: &Node) -> String {
        let (word, reason) = describe(&plan.step);
        let headline = match &plan.step {
            Step::Reuse { .. } => format!("{} ({}) is reused: {reason}", node.id, plan.kind),
            Step::Run { because } => {
                let reasons: String = because.iter().map(|part| format!("\n  {part}")).collect();
                format!("{} ({}) runs, because of:{reasons}", node.id, plan.kind)
            }
            Step::Skip { .. } => format!("{} ({}) is skipped: {reason}", node.id, plan.kind),
            Step::Unknown { .. } => {
                format!("{} ({}) is {word} {reason}: its inputs or its condition depend on them", node.id, plan.kind)
            }
        };
        let mut rows = Vec::new();
        if let Some(digest) = plan.fingerprint {
            rows.push(vec!["fingerprint".to_owned(), digest.to_string(), String::new()]);
        }
        if let Some(when) = &node.when {
            let text = when.text.split_whitespace().collect::<Vec<_>>().join(" ");
            rows.push(vec!["when".to_owned(), text, String::new()]);
        }
        let inputs = self.inputs(node).into_iter();
        rows.extend(inputs.map(|(port, from, step)| vec![format!("input {port}"), from, step.to_owned()]));
        rows.extend(node.needs.iter().map(|id| vec!["needs".to_owned(), id.clone(), self.step_of(id).to_owned()]));
        let dependents = self.dependents(node);
        if !dependents.is_empty() {
            rows.push(vec!["needed by".to_owned(), shortened(&dependents), String::new()]);
        }
        format!("{headline}\n\n{}", table(&["", "what", "plan"], rows))
    }
}
