//! A drawing as a Mermaid flowchart.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::Direction;
use super::drawing::{Drawing, Shape, SourceBox, Why};

/// Writes the flowchart.
pub(super) fn text(drawing: &Drawing, direction: Direction) -> String {
    let ids = ids(drawing);
    let id = |name: &str| ids.get(name).map_or("", String::as_str);
    let mut text = String::new();
    // a title in YAML, of which JSON is a part
    let _ = writeln!(text, "---\ntitle: {}\n---", serde_json::Value::from(drawing.pipeline.as_str()));
    let direction = match direction {
        Direction::Lr => "LR",
        Direction::Td => "TD",
    };
    let _ = writeln!(text, "flowchart {direction}");
    for source in &drawing.sources {
        let _ = writeln!(text, "    {}[({})]", id(&source.id()), label(&source.lines()));
    }
    for node in &drawing.nodes {
        let lines = label(&node.lines(drawing));
        let Shape::Frame(instances) = node.shape() else {
            let _ = writeln!(text, "    {}[{lines}]", id(&node.name));
            continue;
        };
        let _ = writeln!(text, "    subgraph {}[{lines}]", id(&node.name));
        for instance in instances {
            let _ = writeln!(text, "        {}[{}]", id(&instance.id), label(std::slice::from_ref(&instance.place)));
        }
        let _ = writeln!(text, "    end");
    }
    let mut dashes: BTreeMap<Why, Vec<String>> = BTreeMap::new();
    for (number, arrow) in drawing.drawn_arrows().iter().enumerate() {
        let line = if arrow.why == Why::Input { "-->" } else { "-.->" };
        let label = label(&arrow.lines());
        let _ = writeln!(text, "    {} {line}|{label}| {}", id(&arrow.from), id(&arrow.to));
        dashes.entry(arrow.why).or_default().push(number.to_string());
    }
    // Mermaid has one broken line only: conditions get longer strokes than `needs`
    for (why, strokes) in [(Why::When, "8 4"), (Why::Needs, "2 4")] {
        if let Some(numbers) = dashes.get(&why) {
            let _ = writeln!(text, "    linkStyle {} stroke-dasharray:{strokes}", numbers.join(","));
        }
    }
    text
}

/// A name for each box that Mermaid can read: letters, digits and `_`, with what keeps clear of its own words before it.
fn ids(drawing: &Drawing) -> BTreeMap<String, String> {
    let mut taken = BTreeSet::new();
    let mut ids = BTreeMap::new();
    let mut add = |name: String, prefix: &str| {
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let wanted = format!("{prefix}{}", plain.trim_end_matches('_'));
        let numbered = (2..).map(|number| format!("{wanted}_{number}"));
        let free = std::iter::once(wanted.clone()).chain(numbered).find(|id| taken.insert(id.clone()));
        ids.insert(name, free.unwrap_or(wanted));
    };
    drawing.sources.iter().for_each(|source: &SourceBox| add(source.id(), ""));
    for node in &drawing.nodes {
        add(node.name.clone(), "node_");
        node.instances.iter().for_each(|instance| add(instance.id.clone(), "node_"));
    }
    ids
}

/// Lines in quotes, with every character as an entity that could end the quotes, open markup or begin an entity.
fn label(lines: &[String]) -> String {
    let mut text = String::from("\"");
    for (number, line) in lines.iter().enumerate() {
        if number > 0 {
            text.push_str("<br/>");
        }
        for c in line.chars() {
            match c {
                '"' | '#' | '<' | '>' | '&' | '`' | '\\' | '|' | '{' | '}' | '[' | ']' => {
                    let _ = write!(text, "#{};", u32::from(c));
                }
                c if c.is_control() => text.push(' '),
                c => text.push(c),
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_label_can_end_it() {
        let lines = ["a \"b\" [c]".to_owned(), "x && y <br> #1;".to_owned()];
        assert_eq!(label(&lines), "\"a #34;b#34; #91;c#93;<br/>x #38;#38; y #60;br#62; #35;1;\"");
    }
}
