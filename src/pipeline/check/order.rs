//! The order of nodes, and cycles.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::base::Problem;
use crate::pipeline::Node;

/// Orders nodes so that each follows those it depends on; among equals the order of the file stays.
pub(super) fn order_of(nodes: &[Node]) -> Result<Vec<usize>, Problem> {
    let index: BTreeMap<&str, usize> = nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
    let mut graph = DiGraph::<usize, ()>::new();
    // added backwards: `toposort` yields later additions first among nodes that are free
    let mut handles = vec![NodeIndex::default(); nodes.len()];
    for at in (0..nodes.len()).rev() {
        handles[at] = graph.add_node(at);
    }
    for (at, node) in nodes.iter().enumerate() {
        for dependency in node.dependencies() {
            if let Some(&from) = index.get(dependency.as_str()) {
                graph.add_edge(handles[from], handles[at], ());
            }
        }
    }
    match toposort(&graph, None) {
        Ok(order) => Ok(order.into_iter().map(|handle| graph[handle]).collect()),
        Err(cycle) => {
            let on_cycle = cycle.node_id();
            let members = tarjan_scc(&graph).into_iter().find(|group| group.contains(&on_cycle)).unwrap_or_default();
            Err(cycle_problem(nodes, &members.into_iter().map(|handle| graph[handle]).collect()))
        }
    }
}

fn cycle_problem(nodes: &[Node], members: &BTreeSet<usize>) -> Problem {
    // walk from one member to the next it depends on until one comes again
    let ids: BTreeMap<&str, usize> = members.iter().map(|&at| (nodes[at].id.as_str(), at)).collect();
    let mut path: Vec<usize> = members.first().copied().into_iter().collect();
    while let Some(&at) = path.last() {
        let Some(next) = nodes[at].dependencies().iter().find_map(|id| ids.get(id.as_str()).copied()) else { break };
        if let Some(start) = path.iter().position(|&seen| seen == next) {
            path.drain(..start);
            break;
        }
        path.push(next);
    }
    let mut names: Vec<&str> = path.iter().map(|&at| nodes[at].id.as_str()).collect();
    names.extend(names.first().copied());
    let span = path.first().map_or_else(Default::default, |&first| nodes[first].span);
    Problem::new("pipeline::cycle", span, format!("these nodes wait for each other: {}", names.join(" <- ")))
        .label("part of the cycle")
        .hint("remove one of these inputs, `needs` or `when` references")
}
