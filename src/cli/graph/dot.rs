//! A drawing in the language of Graphviz.

use std::fmt::Write as _;

use super::Direction;
use super::drawing::{Drawing, Shape, Why};

/// Writes the digraph.
pub(super) fn text(drawing: &Drawing, direction: Direction) -> String {
    let mut text = String::new();
    let name = quoted(&drawing.pipeline);
    let direction = match direction {
        Direction::Lr => "LR",
        Direction::Td => "TB",
    };
    let _ = writeln!(text, "digraph {name} {{");
    // an arrow that ends at a frame is one of Graphviz' compound edges
    let _ = writeln!(
        text,
        "    graph [rankdir={direction}, compound=true, label={name}, labelloc=t, fontname=\"sans-serif\"];"
    );
    let _ = writeln!(text, "    node [shape=box, style=rounded, fontname=\"sans-serif\"];");
    let _ = writeln!(text, "    edge [fontname=\"sans-serif\", fontsize=10];");
    for source in &drawing.sources {
        let label = lines(&source.lines());
        let _ = writeln!(text, "    {} [label={label}, shape=cylinder, style=solid];", quoted(&source.id()));
    }
    for node in &drawing.nodes {
        let label = lines(&node.lines(drawing));
        let Shape::Frame(instances) = node.shape() else {
            let _ = writeln!(text, "    {} [label={label}];", quoted(&node.name));
            continue;
        };
        let _ = writeln!(text, "    subgraph {} {{", cluster(&node.name));
        let _ = writeln!(text, "        label={label};");
        for instance in instances {
            let _ = writeln!(text, "        {} [label={}];", quoted(&instance.id), quoted(&instance.place));
        }
        let _ = writeln!(text, "    }}");
    }
    for arrow in drawing.drawn_arrows() {
        let style = match arrow.why {
            Why::Input => "",
            Why::When => ", style=dashed",
            Why::Needs => ", style=dotted",
        };
        let (from, tail) = end(drawing, &arrow.from, "ltail");
        let (to, head) = end(drawing, &arrow.to, "lhead");
        let label = lines(&arrow.lines());
        let _ = writeln!(text, "    {from} -> {to} [label={label}{style}{tail}{head}];");
    }
    text.push_str("}\n");
    text
}

/// The box that an arrow ends at; for a frame one of its instances, and the attribute that cuts the arrow at the frame.
fn end(drawing: &Drawing, name: &str, attribute: &str) -> (String, String) {
    let frame = drawing.nodes.iter().find(|node| node.name == name).map(|node| node.shape());
    match frame {
        Some(Shape::Frame([first, ..])) => (quoted(&first.id), format!(", {attribute}={}", cluster(name))),
        _ => (quoted(name), String::new()),
    }
}

/// The name of a frame: Graphviz draws one only around what is called a cluster.
fn cluster(node: &str) -> String {
    quoted(&format!("cluster_{node}"))
}

/// Several lines as one label.
fn lines(lines: &[String]) -> String {
    quoted(&lines.join("\n"))
}

/// A text as an identifier of DOT: in quotes, where a backslash or a quote of its own is written with a backslash before.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_can_end_its_quotes() {
        assert_eq!(quoted("a \"b\\\" c\nd"), r#""a \"b\\\" c\nd""#);
    }
}
