//! A graph that grows operator by operator.

use super::proto::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};

/// Operators and constants so far; results are named by number.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Graph {
    /// Adds a constant and gives its name.
    pub(super) fn constant(&mut self, dims: &[usize], values: &[f64]) -> String {
        let name = format!("constant_{}", self.constants.len());
        self.constants.push(TensorProto::doubles(&name, dims, values));
        name
    }

    /// Adds an operator of ONNX itself and gives the name of its result.
    pub(super) fn apply(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.apply_with(operator, "", inputs, Vec::new())
    }

    /// Adds an operator with attributes and gives the name of its result.
    pub(super) fn apply_with(
        &mut self,
        operator: &str,
        domain: &str,
        inputs: &[&str],
        attribute: Vec<AttributeProto>,
    ) -> String {
        let output = format!("value_{}", self.nodes.len());
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![output.clone()],
            name: format!("{}_{}", operator.to_lowercase(), self.nodes.len()),
            op_type: operator.to_owned(),
            attribute,
            domain: domain.to_owned(),
        });
        output
    }

    /// Gives a result a name for people.
    pub(super) fn rename(&mut self, value: &str, name: &str) {
        let all = self.nodes.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        all.filter(|found| *found == value).for_each(|found| name.clone_into(found));
    }

    pub(super) fn finish(self, input: Vec<ValueInfoProto>, output: Vec<ValueInfoProto>) -> GraphProto {
        GraphProto { node: self.nodes, name: "walkforward".to_owned(), initializer: self.constants, input, output }
    }
}
