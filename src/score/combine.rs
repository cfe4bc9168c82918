//! One probability of several models.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::order::median;

/// How the probabilities of several models become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// Mean by weight.
    #[default]
    Weighted,
    /// Mean, whatever the weights.
    Mean,
    /// Median, whatever the weights.
    Median,
    /// Share, by weight, of the models whose probability reaches the threshold.
    Vote,
    /// That of the model with the highest priority; of equals, the higher probability, then the name.
    Priority,
}

/// Where weights come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelWeights {
    /// As written.
    #[default]
    Fixed,
    /// As written, times `exp(-log loss)` of the model's own out-of-fold record.
    LogLoss,
}

/// What happens to a signal about which the models disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDisagreement {
    /// The technical score decides.
    #[default]
    Technical,
    /// It is dropped.
    Reject,
}

/// How several models decide together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CombineRules {
    /// How their probabilities become one.
    pub method: Combine,
    /// Where weights come from.
    pub weights: ModelWeights,
    /// Models that must have a probability for a signal; with fewer it is missing.
    #[schemars(range(min = 1))]
    pub min_members: u32,
    /// Least share of the models on the side of the majority, of those at or above the threshold and those below it.
    #[schemars(range(min = 0, max = 1))]
    pub min_agreement: f64,
    /// Largest standard deviation of the probabilities; null for any.
    #[schemars(range(min = 0, max = 1))]
    pub max_disagreement: Option<f64>,
    /// What happens to a signal about which the models disagree.
    pub on_disagreement: OnDisagreement,
}

impl Default for CombineRules {
    fn default() -> Self {
        Self {
            method: Combine::default(),
            weights: ModelWeights::default(),
            min_members: 1,
            min_agreement: 0.0,
            max_disagreement: None,
            on_disagreement: OnDisagreement::default(),
        }
    }
}

/// A rule outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{name}`: expected {expected}, found {found}")]
pub struct CombineError {
    /// Name of the rule.
    pub name: &'static str,
    /// What it may be.
    pub expected: &'static str,
    /// What was given.
    pub found: f64,
}

impl CombineRules {
    /// Checks that every number is in its range.
    ///
    /// # Errors
    /// The first one that is not.
    pub fn check(&self) -> Result<(), CombineError> {
        let out = |name, expected, found| Err(CombineError { name, expected, found });
        match (self.min_members, self.min_agreement, self.max_disagreement) {
            (0, ..) => out("min_members", "1 or more", 0.0),
            (_, share, _) if !(0.0..=1.0).contains(&share) => out("min_agreement", "a number in 0..=1", share),
            (_, _, Some(most)) if !(0.0..=1.0).contains(&most) => {
                out("max_disagreement", "a number in 0..=1, or null", most)
            }
            _ => Ok(()),
        }
    }

    /// One answer of several; `threshold` parts those that are for a signal from those that are not.
    ///
    /// # Shape
    /// `members` by name; one without a probability, or of weight 0, has no part in it.
    ///
    /// # NaN
    /// A probability that is NaN is none.
    pub fn combine(&self, members: &[Member], threshold: f64) -> Combined {
        let known: Vec<(usize, f64, &Member)> = members
            .iter()
            .enumerate()
            .filter_map(|(at, it)| Some((at, it.probability.filter(|p| !p.is_nan())?, it)))
            .filter(|(_, _, it)| it.weight > 0.0)
            .collect();
        let none = Combined { members: known.len(), ..Combined::default() };
        if known.is_empty() || known.len() < self.min_members as usize {
            return none;
        }
        let p: Vec<f64> = known.iter().map(|(_, p, _)| *p).collect();
        let count = p.len() as f64;
        let mean = p.iter().sum::<f64>() / count;
        let spread = (p.iter().map(|p| (p - mean) * (p - mean)).sum::<f64>() / count).sqrt();
        let in_favour = p.iter().filter(|p| **p >= threshold).count() as f64;
        let agreement = (in_favour / count).max(1.0 - in_favour / count);
        let total: f64 = known.iter().map(|(_, _, it)| it.weight).sum();
        let by_weight =
            |value: &dyn Fn(f64) -> f64| known.iter().map(|(_, p, it)| it.weight * value(*p)).sum::<f64>() / total;
        let (low, high) = p.iter().fold((1.0_f64, 0.0_f64), |(low, high), p| (low.min(*p), high.max(*p)));
        let probability = match self.method {
            // rounding must not carry a mean beyond what it is a mean of
            Combine::Weighted => Some(by_weight(&|p| p).clamp(low, high)),
            Combine::Mean => Some(mean.clamp(low, high)),
            Combine::Median => median(&p),
            Combine::Vote => Some(by_weight(&|p| f64::from(u8::from(p >= threshold))).clamp(0.0, 1.0)),
            Combine::Priority => leader(&known).map(|(_, p, _)| *p),
        };
        let disagrees = agreement < self.min_agreement || self.max_disagreement.is_some_and(|most| spread > most);
        Combined {
            probability,
            members: known.len(),
            agreement: Some(agreement),
            disagreement: Some(spread),
            disagrees,
            leader: leader(&known).map(|(at, ..)| *at),
        }
    }
}

/// The model of the highest priority; of equals, that of the higher probability, then the first name.
fn leader<'a, 'm>(known: &'a [(usize, f64, &'m Member)]) -> Option<&'a (usize, f64, &'m Member)> {
    known.iter().min_by(|a, b| b.2.priority.cmp(&a.2.priority).then(b.1.total_cmp(&a.1)).then(a.0.cmp(&b.0)))
}

/// One model's part in a decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// Weight, not negative.
    pub weight: f64,
    /// Priority; the highest leads.
    pub priority: i32,
    /// Its probability; `None` where it has none, or is not asked.
    pub probability: Option<f64>,
}

/// What several models say together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Combined {
    /// One probability; `None` where too few have one.
    pub probability: Option<f64>,
    /// Models that had one.
    pub members: usize,
    /// Share of them on the side of the majority.
    pub agreement: Option<f64>,
    /// Standard deviation of their probabilities.
    pub disagreement: Option<f64>,
    /// Whether that is more than the rules allow.
    pub disagrees: bool,
    /// The model that stands for the answer: the place of the one with the highest priority.
    pub leader: Option<usize>,
}

/// Weights times `exp(-loss)`, scaled to sum to 1; a model whose loss is not known keeps no weight.
pub fn softmax_weights(weights: &[f64], losses: &[Option<f64>]) -> Vec<f64> {
    // less the smallest loss, so that none underflows
    let least = losses.iter().flatten().copied().min_by(f64::total_cmp).unwrap_or(0.0);
    let raw: Vec<f64> = weights
        .iter()
        .zip(losses)
        .map(|(weight, loss)| loss.map_or(0.0, |loss| weight * libm::exp(least - loss)))
        .collect();
    let total: f64 = raw.iter().sum();
    if total > 0.0 { raw.iter().map(|weight| weight / total).collect() } else { raw }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(weight: f64, priority: i32, p: f64) -> Member {
        Member { weight, priority, probability: Some(p) }
    }

    fn by(method: Combine, members: &[Member]) -> Option<f64> {
        CombineRules { method, ..CombineRules::default() }.combine(members, 0.5).probability
    }

    #[test]
    fn each_method_gives_what_it_says() {
        let members = [member(1.0, 0, 0.2), member(3.0, 2, 0.6), member(1.0, 1, 0.9)];
        assert_eq!(by(Combine::Weighted, &members), Some((0.2 + 3.0 * 0.6 + 0.9) / 5.0));
        assert_eq!(by(Combine::Mean, &members), Some((0.2 + 0.6 + 0.9) / 3.0));
        assert_eq!(by(Combine::Median, &members), Some(0.6));
        assert_eq!(by(Combine::Vote, &members), Some(0.8));
        assert_eq!(by(Combine::Priority, &members), Some(0.6));
        let equals = [member(1.0, 1, 0.2), member(1.0, 1, 0.7), member(1.0, 1, 0.7)];
        let found = CombineRules { method: Combine::Priority, ..CombineRules::default() }.combine(&equals, 0.5);
        assert_eq!((found.probability, found.leader), (Some(0.7), Some(1)), "the higher, then the first");
    }

    #[test]
    fn too_few_models_are_no_answer_and_never_a_half() {
        let rules = CombineRules { min_members: 2, ..CombineRules::default() };
        let one = [member(1.0, 0, 0.9), Member { probability: None, ..member(1.0, 0, 0.1) }, member(0.0, 0, 0.9)];
        assert_eq!(rules.combine(&one, 0.5), Combined { members: 1, ..Combined::default() });
        assert_eq!(CombineRules::default().combine(&[], 0.5).probability, None);
        assert_eq!(by(Combine::Weighted, &[member(1.0, 0, f64::NAN)]), None);
    }

    #[test]
    fn disagreement_is_a_spread_or_a_majority_that_is_too_small() {
        let members = [member(1.0, 0, 0.3), member(1.0, 0, 0.7)];
        let disagrees = |rules: CombineRules| rules.combine(&members, 0.5).disagrees;
        assert!(!disagrees(CombineRules::default()));
        assert!(disagrees(CombineRules { min_agreement: 0.6, ..CombineRules::default() }));
        assert!(disagrees(CombineRules { max_disagreement: Some(0.15), ..CombineRules::default() }));
        assert!(!disagrees(CombineRules { max_disagreement: Some(0.21), ..CombineRules::default() }));
    }

    #[test]
    fn a_better_record_weighs_more_and_an_unknown_one_nothing() {
        let weights = softmax_weights(&[1.0, 1.0, 1.0], &[Some(0.6), Some(0.6 + std::f64::consts::LN_2), None]);
        assert!((weights[0] - 2.0 / 3.0).abs() < 1e-15 && (weights[1] - 1.0 / 3.0).abs() < 1e-15, "{weights:?}");
        assert_eq!(weights[2], 0.0);
        assert_eq!(softmax_weights(&[1.0], &[None]), [0.0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_answer_lies_between_those_it_is_made_of_and_its_scale_of_weights_does_not_matter(
            rows in proptest::collection::vec((0.1_f64..5.0, 0_i32..3, 0.0_f64..=1.0), 1..7),
        ) {
            let members: Vec<Member> = rows.iter().map(|&(weight, priority, p)| member(weight, priority, p)).collect();
            let (low, high) = rows.iter().fold((1.0_f64, 0.0_f64), |(low, high), row| (low.min(row.2), high.max(row.2)));
            for method in [Combine::Weighted, Combine::Mean, Combine::Median, Combine::Priority] {
                let p = by(method, &members).unwrap();
                prop_assert!((low..=high).contains(&p), "{method:?} {p}");
            }
            let double: Vec<Member> = members.iter().map(|it| Member { weight: 2.0 * it.weight, ..*it }).collect();
            prop_assert_eq!(by(Combine::Weighted, &members), by(Combine::Weighted, &double));
        }
    }
}
