//! What is learnt of a signal, and which labels allow it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::base::schema;
use crate::label::LabelKind;
use crate::model::Task;
use crate::node::signals::Signals;

/// What is learnt of a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The probability that it wins.
    #[default]
    Win,
    /// Its R.
    R,
    /// The return of its label.
    Return,
    /// The volatility of its label.
    Volatility,
}

/// A target and the labels that have it.
struct TargetRow {
    target: Target,
    task: Task,
    labels: &'static [LabelKind],
    doc: &'static str,
}

/// Every target. The first one that a kind of label allows is what is learnt of it when nothing is said.
const TARGETS: &[TargetRow] = &[
    TargetRow {
        target: Target::Win,
        task: Task::Classification,
        labels: &[LabelKind::RMultiple, LabelKind::SignalSuccess],
        doc: "The probability that the signal wins; of labels `r_multiple` and `signal_success`.",
    },
    TargetRow {
        target: Target::R,
        task: Task::Regression,
        labels: &[LabelKind::RMultiple, LabelKind::SignalSuccess],
        doc: "The R of its trade, a number; of labels `r_multiple` and `signal_success`.",
    },
    TargetRow {
        target: Target::Return,
        task: Task::Regression,
        labels: &[LabelKind::Return],
        doc: "Its return, a number; of labels `return`.",
    },
    TargetRow {
        target: Target::Volatility,
        task: Task::Regression,
        labels: &[LabelKind::Volatility],
        doc: "Its volatility, a number; of labels `volatility`.",
    },
];

impl Target {
    /// Its name in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Win => "win",
            Self::R => "r",
            Self::Return => "return",
            Self::Volatility => "volatility",
        }
    }

    /// What a model has to learn.
    pub fn task(self) -> Task {
        TARGETS.iter().find(|row| row.target == self).map_or(Task::Classification, |row| row.task)
    }

    /// Finds what is to be learnt of labels; in words why that cannot be.
    pub(super) fn of(asked: Option<Self>, labels: LabelKind) -> Result<Self, String> {
        let allowed: Vec<Self> =
            TARGETS.iter().filter(|row| row.labels.contains(&labels)).map(|row| row.target).collect();
        let kind = labels.name();
        match (asked, allowed.first()) {
            (_, None) => Err(format!(
                "labels of kind `{kind}` are one of three classes, which no model here learns: in the `accumulate` node that \
                 made them, write `label: {{kind: r_multiple}}` or `label: {{kind: return}}`"
            )),
            (None, Some(&first)) => Ok(first),
            (Some(asked), Some(_)) if allowed.contains(&asked) => Ok(asked),
            (Some(asked), Some(_)) => {
                let allowed: Vec<String> = allowed.iter().map(|target| format!("`{}`", target.name())).collect();
                let asked = asked.name();
                Err(format!(
                    "`target: {asked}` cannot be learnt of labels of kind `{kind}`: they allow {}",
                    allowed.join(", ")
                ))
            }
        }
    }

    /// The number to be learnt of a row; NaN where it has none.
    pub(super) fn value(self, signals: &Signals, row: usize) -> f64 {
        match self {
            Self::Win => f64::from(u8::from(signals.win[row])),
            Self::R => signals.r[row],
            Self::Return | Self::Volatility => signals.label[row],
        }
    }
}

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::words(TARGETS.iter().map(|row| (row.target.name(), &[][..], row.doc)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_kind_says_what_can_be_learnt_of_it() {
        assert_eq!(Target::of(None, LabelKind::RMultiple), Ok(Target::Win));
        assert_eq!(Target::of(Some(Target::R), LabelKind::RMultiple), Ok(Target::R));
        assert_eq!(Target::of(None, LabelKind::Volatility), Ok(Target::Volatility));
        let refusal = Target::of(Some(Target::Win), LabelKind::Return).unwrap_err();
        assert_eq!(refusal, "`target: win` cannot be learnt of labels of kind `return`: they allow `return`");
        assert!(Target::of(None, LabelKind::Direction).unwrap_err().contains("`direction` are one of three classes"));
    }

    #[test]
    fn every_target_has_a_row_and_its_name_is_what_is_written() {
        for row in TARGETS {
            assert_eq!(serde_json::to_value(row.target).unwrap(), row.target.name());
        }
    }
}
