//! Laws of the queue: limits hold at every moment, and what there is room for is not held back.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::pipeline::{LoadOptions, load};

fn read(nodes: &str) -> Pipeline {
    let text = format!("as_of: 2026-01-04\npools: {{one: 1, two: 2}}\nnodes:\n{nodes}");
    load(&text, &LoadOptions::default()).unwrap_or_else(|problems| panic!("{text}\n{problems:?}"))
}

#[test]
fn a_full_pool_lets_others_pass_and_the_order_of_the_file_stays() {
    let pipeline = read(
        "  a: {kind: noop, pool: one}\n  b: {kind: noop, pool: one}\n  c: {kind: noop}\n  \
         d: {kind: noop, matrix: {axes: {x: [1, 2]}, max_parallel: 1}}\n",
    );
    let mut queue = Queue::new(&pipeline);
    for (at, node) in pipeline.nodes.iter().enumerate() {
        queue.push(at, node, ());
    }
    let mut names = || queue.take().map(|(at, ())| pipeline.nodes[at].id.clone());
    assert_eq!([names(), names(), names(), names()].map(Option::unwrap_or_default), ["a", "c", "d[x=1]", ""]);
    queue.release(pipeline.node("a").unwrap());
    queue.release(pipeline.node("d[x=1]").unwrap());
    let mut names = || queue.take().map(|(at, ())| pipeline.nodes[at].id.clone());
    assert_eq!([names(), names(), names()].map(Option::unwrap_or_default), ["b", "d[x=2]", ""]);
    assert_eq!(queue.len(), 0);
}

/// A node of the file: its pool, how many instances it has, and how many of them may run at once.
type Declared = (Option<&'static str>, usize, Option<usize>);

fn any_pipeline() -> impl Strategy<Value = Pipeline> {
    let pool = prop::sample::select(vec![None, Some("one"), Some("two")]);
    let node = (pool, 1_usize..5, prop::option::of(1_usize..4));
    prop::collection::vec(node, 1..8).prop_map(|nodes| {
        let line = |(at, (pool, instances, limit)): (usize, &Declared)| {
            let pool = pool.map(|pool| format!(", pool: {pool}")).unwrap_or_default();
            let limit = limit.map(|limit| format!(", max_parallel: {limit}")).unwrap_or_default();
            let axes = format!("axes: {{x: {{range: {{from: 1, to: {instances}}}}}}}");
            format!("  n{at}: {{kind: noop{pool}, matrix: {{{axes}{limit}}}}}\n")
        };
        read(&nodes.iter().enumerate().map(line).collect::<String>())
    })
}

/// What may happen to a queue.
#[derive(Clone, Debug)]
enum Step {
    Push(prop::sample::Index),
    Take,
    Release(prop::sample::Index),
    Remove(prop::sample::Index),
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>;
    let step = prop_oneof![
        4 => index().prop_map(Step::Push),
        4 => Just(Step::Take),
        3 => index().prop_map(Step::Release),
        1 => index().prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..80)
}

/// A queue and what is known of it from outside.
struct Model<'a> {
    pipeline: &'a Pipeline,
    queue: Queue<usize>,
    outside: Vec<usize>,
    waiting: Vec<usize>,
    running: Vec<usize>,
}

impl<'a> Model<'a> {
    fn new(pipeline: &'a Pipeline) -> Self {
        let outside = (0..pipeline.nodes.len()).collect();
        Self { pipeline, queue: Queue::new(pipeline), outside, waiting: Vec::new(), running: Vec::new() }
    }

    fn node(&self, at: usize) -> &'a Node {
        &self.pipeline.nodes[at]
    }

    /// Whether every limit that holds for a node has room for one more.
    fn has_room(&self, node: &Node) -> bool {
        let running = |same: &dyn Fn(&Node) -> bool| self.running.iter().filter(|at| same(self.node(**at))).count();
        let pool = node.policy.pool.as_ref().map(|pool| (self.pipeline.pools[pool], pool));
        let in_pool = pool.is_none_or(|(size, pool)| running(&|other| other.policy.pool.as_ref() == Some(pool)) < size);
        let limit = self.pipeline.groups[&node.group].max_parallel;
        in_pool && limit.is_none_or(|limit| running(&|other| other.group == node.group) < limit)
    }

    fn push(&mut self, at: usize) {
        self.queue.push(at, self.node(at), at);
        self.waiting.push(at);
    }

    /// The first waiting node that there is room for must come, and none when there is no such node.
    fn take(&mut self) -> Result<bool, TestCaseError> {
        let expected = self.waiting.iter().copied().filter(|at| self.has_room(self.node(*at))).min();
        prop_assert_eq!(self.queue.take(), expected.map(|at| (at, at)));
        if let Some(at) = expected {
            self.waiting.retain(|waiting| *waiting != at);
            self.running.push(at);
        }
        prop_assert_eq!(self.queue.len(), self.waiting.len());
        Ok(expected.is_some())
    }

    fn release(&mut self, index: usize) -> usize {
        let at = self.running.swap_remove(index);
        self.queue.release(self.node(at));
        at
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_first_node_that_there_is_room_for_comes_and_no_other(pipeline in any_pipeline(), steps in any_steps()) {
        let mut model = Model::new(&pipeline);
        for step in steps {
            match step {
                Step::Push(index) if !model.outside.is_empty() => {
                    let at = model.outside.swap_remove(index.index(model.outside.len()));
                    model.push(at);
                }
                Step::Take => drop(model.take()?),
                Step::Release(index) if !model.running.is_empty() => {
                    let at = model.release(index.index(model.running.len()));
                    // as a node that will be tried again
                    model.outside.push(at);
                }
                Step::Remove(index) if !model.waiting.is_empty() => {
                    let group = model.node(model.waiting[index.index(model.waiting.len())]).group.clone();
                    let (mut gone, left): (Vec<usize>, _) =
                        model.waiting.iter().partition(|at| pipeline.nodes[**at].group == group);
                    gone.sort_unstable();
                    let removed = model.queue.remove(|at| pipeline.nodes[at].group == group);
                    prop_assert_eq!(removed, gone.iter().map(|at| (*at, *at)).collect::<Vec<_>>());
                    model.waiting = left;
                    model.outside.extend(gone);
                }
                Step::Push(_) | Step::Release(_) | Step::Remove(_) => {}
            }
        }
    }

    #[test]
    fn every_node_runs_in_the_end(pipeline in any_pipeline(), ends in any::<prop::sample::Index>()) {
        let mut model = Model::new(&pipeline);
        (0..pipeline.nodes.len()).for_each(|at| model.push(at));
        let mut ran: BTreeMap<usize, usize> = BTreeMap::new();
        loop {
            while model.take()? {}
            if model.running.is_empty() {
                break;
            }
            let ended = model.release(ends.index(model.running.len()));
            *ran.entry(ended).or_default() += 1;
        }
        prop_assert_eq!(ran.len(), pipeline.nodes.len());
        prop_assert!(ran.values().all(|times| *times == 1));
    }
}
