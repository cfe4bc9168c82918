//! The language of Graphviz, as far as `graph` writes it, read strictly: what is not of the grammar fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// A graph as read.
#[derive(Debug, Default)]
pub struct Graph {
    pub name: String,
    pub nodes: BTreeMap<String, Attributes>,
    pub edges: Vec<(String, String, Attributes)>,
    pub clusters: BTreeMap<String, Vec<String>>,
}

pub type Attributes = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Id(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Vec<Token> {
    const SIGNS: [&str; 8] = ["->", "{", "}", "[", "]", ";", ",", "="];
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            found.push(Token::Sign(sign));
            rest = rest[sign.len()..].trim_start();
        } else if let Some(inside) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut letters = inside.char_indices();
            let end = loop {
                match letters.next() {
                    Some((at, '"')) => break at,
                    Some((_, '\\')) => match letters.next() {
                        Some((_, 'n')) => value.push('\n'),
                        Some((_, c @ ('"' | '\\'))) => value.push(c),
                        other => panic!("`\\` before {other:?}"),
                    },
                    Some((_, c)) => value.push(c),
                    None => panic!("a quote that is not closed: {inside}"),
                }
            };
            found.push(Token::Id(value));
            rest = inside[end + 1..].trim_start();
        } else {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            assert!(end > 0, "cannot read on at: {rest}");
            let (word, after) = rest.split_at(end);
            let number = word.chars().all(|c| c.is_ascii_digit());
            assert!(number || !word.starts_with(|c: char| c.is_ascii_digit()), "{word}");
            found.push(Token::Id(word.to_owned()));
            rest = after.trim_start();
        }
    }
    found.reverse();
    found
}

struct Reader(Vec<Token>);

impl Reader {
    fn is(&mut self, sign: &'static str) -> bool {
        let found = self.0.last() == Some(&Token::Sign(sign));
        if found {
            self.0.pop();
        }
        found
    }

    fn expect(&mut self, sign: &'static str) {
        let next = self.0.last().cloned();
        assert!(self.is(sign), "expected `{sign}`, found {next:?}");
    }

    fn id(&mut self) -> String {
        match self.0.pop() {
            Some(Token::Id(id)) => id,
            other => panic!("expected a name, found {other:?}"),
        }
    }

    fn attributes(&mut self) -> Attributes {
        let mut found = Attributes::new();
        if self.is("[") {
            loop {
                let name = self.id();
                self.expect("=");
                assert!(found.insert(name.clone(), self.id()).is_none(), "{name} twice");
                if self.is("]") {
                    break;
                }
                self.expect(",");
            }
        }
        found
    }

    fn body(&mut self, graph: &mut Graph, cluster: Option<&str>) {
        self.expect("{");
        while !self.is("}") {
            let first = self.id();
            if first == "subgraph" {
                let name = self.id();
                assert!(name.starts_with("cluster") && cluster.is_none(), "{name}");
                graph.clusters.insert(name.clone(), Vec::new());
                self.body(graph, Some(&name));
                continue;
            }
            if ["graph", "node", "edge"].contains(&first.as_str()) {
                self.attributes();
            } else if self.is("=") {
                self.id();
            } else if self.is("->") {
                let to = self.id();
                let attributes = self.attributes();
                graph.edges.push((first, to, attributes));
            } else {
                let attributes = self.attributes();
                assert!(graph.nodes.insert(first.clone(), attributes).is_none(), "{first} twice");
                if let Some(name) = cluster {
                    graph.clusters.get_mut(name).unwrap().push(first);
                }
            }
            self.expect(";");
        }
    }
}

/// Reads a digraph. Both ends of every edge must be declared, and a frame that an edge is cut at must hold that end.
pub fn parse(text: &str) -> Graph {
    let mut reader = Reader(tokens(text));
    assert_eq!(reader.id(), "digraph");
    let mut graph = Graph { name: reader.id(), ..Graph::default() };
    reader.body(&mut graph, None);
    assert!(reader.0.is_empty(), "text after the end: {:?}", reader.0);
    let known: BTreeSet<&String> = graph.nodes.keys().collect();
    for (from, to, attributes) in &graph.edges {
        assert!(known.contains(from) && known.contains(to), "{from} -> {to}");
        for (end, frame) in [(from, attributes.get("ltail")), (to, attributes.get("lhead"))] {
            assert!(frame.is_none_or(|frame| graph.clusters[frame].contains(end)), "{from} -> {to}: {frame:?}");
        }
    }
    graph
}
