//! Texts of a pipeline file as regular expressions: what the readers of those texts accept, as far as one can say it.

use super::super::name::{NODE, PLAIN};

/// What a text holds that refers to a param, an axis or the run.
pub(super) const REFERENCE: &str = r"\$\{";

/// Values of a matrix that a param gives.
pub(super) const PARAM: &str = r"^\$\{\s*params\.[^{}$]+\}$";

/// A value on an axis: it becomes part of the names of instances, or is a reference.
pub(super) const AXIS_VALUE: &str = r"^[^\[\],=/\x00-\x1f\x7f]+$|\$\{";

/// The name of a value on an axis: part of the name of an instance.
pub(super) const AXIS_NAME: &str = r"^[^\[\],=/\x00-\x1f\x7f]+$";

/// Five fields of cron.
pub(super) const CRON: &str = r"^\s*\S+(\s+\S+){4}\s*$";

/// Anything but nothing.
pub(super) const CONDITION: &str = r"\S";

/// A stretch of time of no days at all.
pub(super) const NO_DAYS: &str = "^0+[dwy]$";

/// A stretch of time as humantime reads it: `90s`, `10m`, `2h 30m`, `1.5 hours`. A unit below which there is none takes
/// no fraction.
pub(super) const DURATION: &str = concat!(
    r"^(0|\s*([0-9][0-9\s]*((nanos|nsec|ns)|(\.\s*[0-9][0-9\s]*)?",
    "(usec|us|µs|millis|msec|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h",
    r"|days?|d|weeks?|wks?|w|months?|M|years?|yrs?|y))\s*)+)$"
);

/// The name of a node.
pub(super) fn node() -> String {
    format!("^{NODE}$")
}

/// The name of an axis, or of an input of a kind that takes any.
pub(super) fn plain() -> String {
    format!("^{PLAIN}$")
}

/// A node, or all its instances.
pub(super) fn needed() -> String {
    format!(r"^{NODE}(\[\*\])?$")
}

/// One artifact: `node.output`, `node[axis=value].output` or `sources.name`.
pub(super) fn one_artifact() -> String {
    format!(r"^{NODE}({})?\..+$", place())
}

/// One artifact, or those of all instances: `node[*].output`.
pub(super) fn artifacts() -> String {
    format!(r"^{NODE}(\[\*\]|{})?\..+$", place())
}

fn place() -> String {
    let pair = format!(r"\s*{PLAIN}=[^\[\],=/]+");
    format!(r"\[{pair}(,{pair})*\]")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::super::super::reference::{NodeReference, Which};
    use super::*;
    use crate::pipeline::Schedule;

    fn matches(pattern: &str, text: &str) -> bool {
        Regex::new(pattern).unwrap().is_match(text)
    }

    #[test]
    fn a_duration_is_what_humantime_reads() {
        let units = "nanos nsec ns usec us µs millis msec ms seconds second secs sec s minutes minute min mins m hours \
                     hour hr hrs h days day d weeks week wk wks w months month M years year yr yrs y";
        let others = "S ss sex mi H hor D dy W ww mon months. Y yy a nano micros usecs nss";
        let mut texts: Vec<String> =
            ["0", "", " ", "5", "0 ", " 0", "-1s", "1,5h", "s", "1e3s", "90 s"].map(str::to_owned).into();
        for unit in units.split_whitespace().chain(others.split_whitespace()) {
            for before in ["1", "0", "12 ", " 7", "1 0", "1h", "1h 2", "1.5", ".5", "1.", "1. 5 ", "1h30m"] {
                texts.push(format!("{before}{unit}"));
                texts.push(format!("{before}{unit} 2m"));
            }
        }
        for text in &texts {
            assert_eq!(matches(DURATION, text), humantime::parse_duration(text).is_ok(), "`{text}`");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_of_digits_units_and_spaces_is_a_duration_to_one_only(
            parts in proptest::collection::vec("[0-9]|h|m|in|s|ec|ns|us|d|M|y|\\.5| |-", 0..7)
        ) {
            let text = parts.concat();
            // a fraction of a unit may be finer than a nanosecond, which no expression tells
            prop_assume!(!matches(r"\.[0-9\s]*us", &text));
            prop_assert_eq!(matches(DURATION, &text), humantime::parse_duration(&text).is_ok(), "`{}`", text);
        }
    }

    #[test]
    fn an_artifact_is_what_the_reader_takes_apart() {
        let cases = [
            ("fit.model", Some(Which::Same)),
            ("sources.bars", Some(Which::Same)),
            ("fit[*].model", Some(Which::All)),
            ("fit[a=1].model", Some(Which::At(vec![("a", "1")]))),
            ("fit[a=1, b=x.y].model", Some(Which::At(vec![("a", "1"), ("b", "x.y")]))),
            ("fit", None),
            ("fit[*]", None),
            ("fit[*]model", None),
            ("fit[].model", None),
            ("fit[a].model", None),
            ("fit[a=1,].model", None),
        ];
        for (text, which) in cases {
            assert_eq!(NodeReference::parse(text).map(|found| found.which), which, "{text}");
            assert_eq!(matches(&artifacts(), text), which.is_some(), "{text}");
            assert_eq!(matches(&one_artifact(), text), which.is_some() && which != Some(Which::All), "{text}");
        }
        // names that no node, axis or output has are left to the check of names
        for text in ["fit.", ".model", "1fit.model", "fit[a=].model", "fit[=1].model"] {
            assert!(!matches(&artifacts(), text), "{text}");
        }
    }

    #[test]
    fn cron_has_five_fields() {
        for text in ["0 0 * * 0", " */5  1-3 * JAN-MAR MON,5 ", "@weekly", "0 0 * *", "0 0 0 * * 0", ""] {
            assert_eq!(matches(CRON, text), Schedule::check_cron(text).is_ok(), "{text}");
        }
    }
}
