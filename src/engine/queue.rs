//! Nodes that must run and wait for their turn: the first in the pipeline's order whose pool and group have room.

use std::collections::BTreeMap;

use crate::pipeline::{Node, Pipeline};

/// Nodes of one lane share their limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    pool: Option<String>,
    /// The node of the file, where it limits how many of its instances run.
    group: Option<String>,
}

/// How many of something run, and may run.
#[derive(Clone, Copy, Debug)]
struct Room {
    limit: usize,
    taken: usize,
}

impl Room {
    fn is_there(room: Option<&Self>) -> bool {
        room.is_none_or(|room| room.taken < room.limit)
    }
}

/// The queue; `T` is what is needed to start a node.
pub(super) struct Queue<T> {
    pools: BTreeMap<String, Room>,
    groups: BTreeMap<String, Room>,
    lanes: BTreeMap<Lane, BTreeMap<usize, T>>,
    len: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        let room = |limit: usize| Room { limit, taken: 0 };
        let groups = pipeline.groups.iter();
        Self {
            pools: pipeline.pools.iter().map(|(name, size)| (name.clone(), room(*size))).collect(),
            groups: groups.filter_map(|(name, group)| Some((name.clone(), room(group.max_parallel?)))).collect(),
            lanes: BTreeMap::new(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn lane(&self, node: &Node) -> Lane {
        let group = self.groups.contains_key(&node.group).then(|| node.group.clone());
        Lane { pool: node.policy.pool.clone(), group }
    }

    /// Puts a node in.
    pub(super) fn push(&mut self, at: usize, node: &Node, start: T) {
        let lane = self.lane(node);
        self.lanes.entry(lane).or_default().insert(at, start);
        self.len += 1;
    }

    /// Takes out the first node that there is room for, and the room with it.
    pub(super) fn take(&mut self) -> Option<(usize, T)> {
        let free = |lane: &Lane| {
            Room::is_there(lane.pool.as_ref().and_then(|pool| self.pools.get(pool)))
                && Room::is_there(lane.group.as_ref().and_then(|group| self.groups.get(group)))
        };
        let heads = self.lanes.iter().filter(|(lane, _)| free(lane));
        let (at, lane) = heads.filter_map(|(lane, nodes)| Some((*nodes.first_key_value()?.0, lane.clone()))).min()?;
        let start = self.lanes.get_mut(&lane)?.remove(&at)?;
        self.change(&lane, |taken| taken + 1);
        self.len -= 1;
        Some((at, start))
    }

    /// Gives the room of a node back.
    pub(super) fn release(&mut self, node: &Node) {
        let lane = self.lane(node);
        self.change(&lane, |taken| taken - 1);
    }

    fn change(&mut self, lane: &Lane, change: impl Fn(usize) -> usize) {
        let pool = lane.pool.as_ref().and_then(|pool| self.pools.get_mut(pool));
        let group = lane.group.as_ref().and_then(|group| self.groups.get_mut(group));
        for room in pool.into_iter().chain(group) {
            room.taken = change(room.taken);
        }
    }

    /// Takes out every node for which something holds.
    pub(super) fn remove(&mut self, unwanted: impl Fn(usize) -> bool) -> Vec<(usize, T)> {
        let mut removed = Vec::new();
        for nodes in self.lanes.values_mut() {
            removed.extend(nodes.extract_if(.., |at, _| unwanted(*at)));
        }
        self.len -= removed.len();
        removed.sort_unstable_by_key(|(at, _)| *at);
        removed
    }
}

#[cfg(test)]
mod tests;
