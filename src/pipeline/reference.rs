//! `node.output`, `node[*].output`, `node[model=logistic].output`: which instances a reference meets.

use std::collections::BTreeMap;

use super::matrix::{Coordinates, value_text};

/// A reference to what a node made, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeReference<'a> {
    pub node: &'a str,
    pub which: Which<'a>,
    pub port: &'a str,
}

/// Which instances are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Which<'a> {
    /// The one at the same place.
    Same,
    /// All, at the same place as far as it goes.
    All,
    /// The one at this place.
    At(Vec<(&'a str, &'a str)>),
}

impl<'a> NodeReference<'a> {
    /// Takes a reference apart; `None` when it is none.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let Some(open) = text.find('[') else {
            let (node, port) = text.split_once('.')?;
            return Some(Self { node, which: Which::Same, port });
        };
        let (node, rest) = text.split_at(open);
        let (inside, port) = rest[1..].split_once("].")?;
        let which = if inside == "*" {
            Which::All
        } else {
            Which::At(inside.split(',').map(|pair| pair.trim().split_once('=')).collect::<Option<_>>()?)
        };
        Some(Self { node, which, port })
    }
}

/// The instances of all nodes.
pub(super) struct Instances {
    of: BTreeMap<String, Family>,
}

struct Family {
    members: Vec<Coordinates>,
    by_name: BTreeMap<String, usize>,
}

impl Instances {
    pub(super) fn new(found: BTreeMap<String, Vec<Coordinates>>) -> Self {
        let family = |node: &str, members: Vec<Coordinates>| {
            let by_name = members.iter().enumerate().map(|(at, coordinates)| (coordinates.name(node), at)).collect();
            Family { members, by_name }
        };
        Self { of: found.into_iter().map(|(node, members)| (node.clone(), family(&node, members))).collect() }
    }

    pub(super) fn members(&self, node: &str) -> &[Coordinates] {
        self.of.get(node).map_or(&[], |family| &family.members)
    }

    /// Whether the node has one instance, without coordinates.
    pub(super) fn is_single(&self, node: &str) -> bool {
        self.members(node).iter().all(|coordinates| coordinates.0.is_empty())
    }

    /// The one instance of a node that someone at `place` means without saying which.
    ///
    /// # Errors
    /// There is none, or more than one: in words, with what to write instead.
    pub(super) fn same(&self, node: &str, place: &Coordinates) -> Result<String, (String, String)> {
        let Some(family) = self.of.get(node) else { return Ok(node.to_owned()) };
        // axes and owners are the same for all members of a family
        let Some(first) = family.members.first() else { return Ok(node.to_owned()) };
        if !first.within(place) {
            let count = family.members.len();
            let message = format!("`{node}` has {count} instances, and nothing here says which is meant");
            let example = first.name(node);
            let hint =
                format!("take all with `{node}[*]`, one with `{example}`, or run once for each: `for_each: {node}`");
            return Err((message, hint));
        }
        let wanted = Coordinates(
            first
                .0
                .iter()
                .filter_map(|own| place.0.iter().find(|c| c.owner == own.owner && c.axis == own.axis))
                .cloned()
                .collect(),
        );
        let name = wanted.name(node);
        if family.by_name.contains_key(&name) {
            return Ok(name);
        }
        let message = format!("`{node}` has no instance at {wanted}");
        Err((message, format!("exclude it here too, or take it out of the `exclude` of `{node}`")))
    }

    /// Every instance of a node that agrees with `place`, with its coordinates.
    pub(super) fn all(&self, node: &str, place: &Coordinates) -> Vec<(String, String)> {
        let members = self.members(node).iter().filter(|coordinates| coordinates.agree(place));
        members.map(|coordinates| (coordinates.to_string(), coordinates.name(node))).collect()
    }

    /// The one instance that has these values on these axes, and agrees with `place` on the others.
    ///
    /// # Errors
    /// There is none, or more than one: in words, with what to write instead.
    pub(super) fn at(
        &self,
        node: &str,
        pairs: &[(&str, &str)],
        place: &Coordinates,
    ) -> Result<String, (String, String)> {
        let axes: Vec<&str> = self.members(node).first().iter().flat_map(|c| &c.0).map(|own| &*own.axis).collect();
        if let Some((unknown, _)) = pairs.iter().find(|(axis, _)| !axes.contains(axis)) {
            let hint =
                if axes.is_empty() { "it has one instance".to_owned() } else { format!("it has {}", axes.join(", ")) };
            return Err((format!("`{node}` has no axis `{unknown}`"), hint));
        }
        let fits = |coordinates: &&Coordinates| {
            let named = |axis: &str| pairs.iter().any(|(name, _)| *name == axis);
            let chosen = pairs.iter().all(|(axis, text)| coordinates.get(axis).is_some_and(|v| value_text(v) == *text));
            let rest = Coordinates(coordinates.0.iter().filter(|c| !named(&c.axis)).cloned().collect());
            chosen && rest.agree(place)
        };
        let mut found = self.members(node).iter().filter(fits);
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only.name(node)),
            (None, _) => {
                let known: Vec<String> = self.members(node).iter().take(6).map(|c| c.name(node)).collect();
                Err((format!("`{node}` has no such instance"), format!("there are: {}", known.join(", "))))
            }
            (Some(a), Some(b)) => {
                let message =
                    format!("several instances of `{node}` have these values: {}, {}", a.name(node), b.name(node));
                Err((message, "give a value for every axis, or take all with `[*]`".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Scalar;
    use crate::pipeline::matrix::Coordinate;

    fn at(owner: &str, pairs: &[(&str, i64)]) -> Coordinates {
        let one = |(axis, value): &(&str, i64)| Coordinate {
            owner: owner.into(),
            axis: (*axis).into(),
            value: Scalar::Int(*value),
            content: None,
        };
        Coordinates(pairs.iter().map(one).collect())
    }

    fn instances() -> Instances {
        let members =
            vec![at("fit", &[("a", 1), ("b", 1)]), at("fit", &[("a", 1), ("b", 2)]), at("fit", &[("a", 2), ("b", 1)])];
        Instances::new([("fit".to_owned(), members), ("one".to_owned(), vec![Coordinates::default()])].into())
    }

    #[test]
    fn a_reference_is_taken_apart() {
        let same = NodeReference { node: "fit", which: Which::Same, port: "model" };
        assert_eq!(NodeReference::parse("fit.model"), Some(same));
        assert_eq!(NodeReference::parse("fit[*].model").unwrap().which, Which::All);
        assert_eq!(
            NodeReference::parse("fit[a=1, b=x.y].model").unwrap().which,
            Which::At(vec![("a", "1"), ("b", "x.y")])
        );
        assert_eq!(NodeReference::parse("fit"), None);
        assert_eq!(NodeReference::parse("fit[a].model"), None);
    }

    #[test]
    fn instances_meet_where_their_common_axes_agree() {
        let instances = instances();
        assert_eq!(instances.same("one", &at("fit", &[("a", 1)])), Ok("one".to_owned()));
        assert_eq!(instances.same("fit", &at("fit", &[("a", 1), ("b", 2)])), Ok("fit[a=1,b=2]".to_owned()));
        assert!(instances.same("fit", &at("fit", &[("a", 2), ("b", 2)])).is_err(), "it was excluded");
        assert!(instances.same("fit", &at("other", &[("a", 1), ("b", 2)])).is_err(), "an axis of another origin");
        let names: Vec<String> =
            instances.all("fit", &at("fit", &[("a", 1)])).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["fit[a=1,b=1]", "fit[a=1,b=2]"]);
    }

    #[test]
    fn an_instance_is_chosen_by_its_values() {
        let instances = instances();
        let nowhere = Coordinates::default();
        assert_eq!(instances.at("fit", &[("a", "2")], &nowhere), Ok("fit[a=2,b=1]".to_owned()));
        assert!(instances.at("fit", &[("a", "1")], &nowhere).unwrap_err().0.starts_with("several"));
        assert!(instances.at("fit", &[("a", "3")], &nowhere).unwrap_err().0.contains("no such instance"));
    }
}
