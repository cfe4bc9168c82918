//! Names that a file gives: what they may be, and the same as regular expressions.

/// Names that no node may have: they begin references to something else.
pub(super) const RESERVED: [&str; 5] = ["params", "run", "sources", "matrix", "env"];

/// The name of a node, as far as a regular expression can say.
pub(super) const NODE: &str = "[A-Za-z][A-Za-z0-9_-]*";

/// The name of an axis, or of an input of a kind that takes any.
pub(super) const PLAIN: &str = "[A-Za-z0-9_-]+";

/// Whether a node may have this name.
pub(super) fn is_node(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && is_plain(name) && !RESERVED.contains(&name)
}

/// Whether an axis, or an input of a kind that takes any, may have this name: it becomes part of names of instances and
/// of files.
pub(super) fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn the_expressions_say_what_the_functions_do() {
        let whole = |pattern: &str| Regex::new(&format!("^({pattern})$")).unwrap();
        let (node, plain) = (whole(NODE), whole(PLAIN));
        for name in ["train", "a", "A-1_b", "params", "1a", "-a", "_a", "", "a b", "a.b", "é", "../a", "a/b"] {
            assert_eq!(node.is_match(name) && !RESERVED.contains(&name), is_node(name), "{name}");
            assert_eq!(plain.is_match(name), is_plain(name), "{name}");
        }
    }
}
