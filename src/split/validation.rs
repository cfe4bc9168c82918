//! The validation schemes as a user writes them.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SplitError;
use super::combinatorial::{Blocks, check_counts, combinatorial_purged, purged_k_fold};
use super::purge::Span;
use super::walk_forward::{FoldPlan, Scheme, WalkForward, walk_forward};

/// How folds are laid over the sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValidationScheme {
    /// Walk-forward: learns from the last `train` sessions before each test window.
    #[default]
    Rolling,
    /// Walk-forward: learns from all sessions before each test window, `train` at the first.
    Expanding,
    /// Each of `folds` blocks is tested against the rest, its future too. For diagnosis: no figure could have been known.
    PurgedKFold,
    /// Every choice of `test_folds` of `folds` blocks is tested against the rest; scores are a distribution over paths.
    /// For diagnosis, as `purged-k-fold`.
    Combinatorial,
}

impl ValidationScheme {
    /// Its name in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rolling => "rolling",
            Self::Expanding => "expanding",
            Self::PurgedKFold => "purged-k-fold",
            Self::Combinatorial => "combinatorial",
        }
    }

    /// Whether train rows may follow test rows.
    pub const fn looks_ahead(self) -> bool {
        matches!(self, Self::PurgedKFold | Self::Combinatorial)
    }
}

/// The folds on which a model is judged. Windows are sessions, never rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Validation {
    /// How folds are laid.
    pub scheme: ValidationScheme,
    /// Walk-forward: sessions of the training window, of the first one when expanding; unset: 504.
    #[schemars(range(min = 1))]
    pub train: Option<u32>,
    /// Walk-forward: sessions of a test window; unset: 63.
    #[schemars(range(min = 1))]
    pub test: Option<u32>,
    /// Walk-forward: sessions between the starts of two test windows, at least `test`; unset: as `test`.
    #[schemars(range(min = 1))]
    pub step: Option<u32>,
    /// K-fold and combinatorial: blocks of sessions of equal length; unset: 6.
    #[schemars(range(min = 2))]
    pub folds: Option<usize>,
    /// Combinatorial: blocks tested at once; unset: 2.
    #[schemars(range(min = 1))]
    pub test_folds: Option<usize>,
    /// Sessions after a test block whose signals are not learnt from. It acts where train rows follow test rows; in a
    /// walk-forward none do.
    pub embargo: u32,
    /// Folds with fewer train rows left after the purge are skipped.
    pub min_train_samples: usize,
    /// Folds with fewer test rows are skipped.
    pub min_test_samples: usize,
}

impl Default for Validation {
    fn default() -> Self {
        let WalkForward { embargo, min_train_samples, min_test_samples, .. } = WalkForward::default();
        Self {
            scheme: ValidationScheme::Rolling,
            train: None,
            test: None,
            step: None,
            folds: None,
            test_folds: None,
            embargo,
            min_train_samples,
            min_test_samples,
        }
    }
}

impl Validation {
    /// Refuses counts of zero, windows that overlap, and keys that the scheme does not read.
    ///
    /// # Errors
    /// The first of them.
    pub fn check(&self) -> Result<(), SplitError> {
        let scheme = self.scheme.name();
        let windows = [("train", self.train.is_some()), ("test", self.test.is_some()), ("step", self.step.is_some())];
        let foreign = match self.scheme {
            ValidationScheme::Rolling | ValidationScheme::Expanding => {
                let blocks = [("folds", self.folds.is_some()), ("test_folds", self.test_folds.is_some())];
                blocks.into_iter().find(|(_, given)| *given).map(|(field, _)| (field, "the schemes that cut blocks"))
            }
            ValidationScheme::PurgedKFold if self.test_folds.is_some() => {
                Some(("test_folds", "`scheme: combinatorial`"))
            }
            _ => windows.into_iter().find(|(_, given)| *given).map(|(field, _)| (field, "walk-forward schemes")),
        };
        if let Some((field, belongs_to)) = foreign {
            return Err(SplitError::ForeignKey { field, belongs_to, scheme });
        }
        if self.scheme.looks_ahead() {
            let blocks = self.blocks();
            return check_counts(blocks.folds, blocks.test_folds);
        }
        walk_forward(&[], 0..1, &self.windows()).map(drop)
    }

    /// Lays the folds over rows whose signals fall into `sessions`.
    ///
    /// # Errors
    /// What [`Validation::check`] refuses; spans that cannot be split.
    pub fn plan(&self, spans: &[Span], sessions: Range<u32>) -> Result<FoldPlan, SplitError> {
        self.check()?;
        match self.scheme {
            ValidationScheme::Rolling | ValidationScheme::Expanding => walk_forward(spans, sessions, &self.windows()),
            ValidationScheme::PurgedKFold => purged_k_fold(spans, self.blocks()),
            ValidationScheme::Combinatorial => combinatorial_purged(spans, self.blocks()),
        }
    }

    /// The windows of a walk-forward, defaults filled in.
    pub fn windows(&self) -> WalkForward {
        let default = WalkForward::default();
        let test = self.test.unwrap_or(default.test);
        WalkForward {
            scheme: if self.scheme == ValidationScheme::Expanding { Scheme::Expanding } else { Scheme::Rolling },
            train: self.train.unwrap_or(default.train),
            test,
            step: self.step.unwrap_or(test),
            embargo: self.embargo,
            min_train_samples: self.min_train_samples,
            min_test_samples: self.min_test_samples,
        }
    }

    fn blocks(&self) -> Blocks {
        let test_folds = if self.scheme == ValidationScheme::Combinatorial { self.test_folds.unwrap_or(2) } else { 1 };
        Blocks {
            folds: self.folds.unwrap_or(6),
            test_folds,
            embargo: self.embargo,
            min_train_samples: self.min_train_samples,
            min_test_samples: self.min_test_samples,
        }
    }
}
