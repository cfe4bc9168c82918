//! A study for people: Markdown, with its pictures beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use bytes::Bytes;

use super::record::StudyRecord;
use crate::artifact::{Artifact, ArtifactType};
use crate::tune::importance::ImportanceWarning;
use crate::tune::{ParamValue, Trial, TrialState, plot};

fn number(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.3}"))
}

fn one_digit(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.1}"))
}

/// A probability in two digits that never claims certainty.
pub fn probability(p: Option<f64>) -> String {
    match p {
        None => "-".to_owned(),
        Some(p) if p > 0.99 => "> 0.99".to_owned(),
        Some(p) if p < 0.01 => "< 0.01".to_owned(),
        Some(p) => format!("{p:.2}"),
    }
}

impl StudyRecord {
    /// Trials in a state.
    pub fn count(&self, state: TrialState) -> usize {
        self.trials.iter().filter(|trial| trial.state == state).count()
    }

    /// The result in one line.
    pub fn summary(&self) -> String {
        let two = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        let pruned = self.count(TrialState::Pruned);
        let pruned = if pruned > 0 { format!(" ({pruned} pruned)") } else { String::new() };
        format!(
            "{} trials{pruned}; validation {} {} (before: {}), holdout {} (before: {}); PBO {}, DSR {}",
            self.trials.len(),
            self.objective.metric.name(),
            two(self.best.value),
            two(self.before.value),
            two(self.holdout.best.value),
            two(self.holdout.before.value),
            two(self.overfitting.pbo),
            probability(self.overfitting.dsr),
        )
    }

    /// What the overfitting statistics say, one line each: name, value, meaning.
    pub fn luck(&self) -> Vec<[String; 3]> {
        let found = &self.overfitting;
        let plateau = self.plateau.as_ref();
        let row = |name: &str, value: String, meaning: &str| [name.to_owned(), value, meaning.to_owned()];
        vec![
            row(
                "PBO",
                probability(found.pbo),
                "chance that the best in sample is below the median out of sample; near 0.5 is luck",
            ),
            row(
                "DSR",
                probability(found.dsr),
                "chance that the Sharpe ratio is above what the best of as many skill-less trials has; 0.95 is evidence",
            ),
            row(
                "DSR, effective trials",
                probability(found.dsr_effective),
                &format!(
                    "the same for the {} independent trials that they are worth",
                    one_digit(found.effective_trials)
                ),
            ),
            row("SPA p-value", probability(found.spa_p), "chance of such a best trial if none beats cash"),
            row(
                "years of data",
                format!("{:.1}", found.years),
                &format!(
                    "so many trials without skill reach this Sharpe ratio in {} years",
                    one_digit(found.min_backtest_years)
                ),
            ),
            row(
                "degradation",
                number(found.degradation_slope),
                "slope of out-of-sample on in-sample Sharpe of the winners",
            ),
            row(
                "plateau",
                number(plateau.and_then(|plateau| plateau.median_score)),
                &format!(
                    "median score of the nearest trials to the best, {}; {} over all",
                    number(plateau.map(|plateau| plateau.best_score)),
                    number(plateau.and_then(|plateau| plateau.overall_median_score))
                ),
            ),
        ]
    }

    /// A parameter's value in a trial, for people: a real number in four digits.
    pub fn shown(trial: &Trial, parameter: &str) -> String {
        match trial.params.get(parameter) {
            None => "-".to_owned(),
            Some(ParamValue::Float(number)) => plot::short(*number, 4),
            Some(ParamValue::Choice(serde_json::Value::String(word))) => word.clone(),
            Some(other) => other.to_json().to_string(),
        }
    }

    /// The parameters with their best values and both importances, most important first.
    pub fn parameters(&self) -> Vec<[String; 4]> {
        let share = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.0} %", 100.0 * share));
        let rows = self.importance.importances.iter();
        rows.map(|row| {
            let value = Self::shown(&self.best, &row.parameter);
            [row.parameter.clone(), value, share(row.fanova), share(row.ped_anova)]
        })
        .collect()
    }

    /// What limits the importances, in words.
    pub fn warnings(&self) -> Vec<String> {
        let words = |warning: &ImportanceWarning| match warning {
            ImportanceWarning::FewTrials { trials, expected } => {
                format!("importances rest on {trials} complete trials; below {expected} they are mostly noise")
            }
            ImportanceWarning::OneChoice { parameter, choice, share } => {
                format!(
                    "{:.0} % of the trials have `{parameter}` = {choice}: the others are hardly explored",
                    100.0 * share
                )
            }
        };
        self.importance.warnings.iter().map(words).collect()
    }

    /// The pictures by file name.
    pub fn pictures(&self) -> BTreeMap<String, String> {
        let view = plot::View {
            space: &self.space,
            direction: self.direction,
            trials: &self.trials,
            best: &self.best,
            importance: &self.importance,
            metric: self.objective.metric.name(),
        };
        plot::all(&view).into_iter().map(|(name, svg)| (format!("{name}.svg"), svg)).collect()
    }

    /// The report: `report.md`, and the pictures that it shows.
    pub(super) fn report(&self) -> Artifact {
        let pictures = self.pictures();
        let mut files: BTreeMap<String, Bytes> = BTreeMap::new();
        files.insert("report.md".to_owned(), Bytes::from(self.markdown(&pictures)));
        files.extend(pictures.into_iter().map(|(name, svg)| (name, Bytes::from(svg))));
        Artifact::tree(ArtifactType::Report, files)
    }

    fn markdown(&self, pictures: &BTreeMap<String, String>) -> String {
        let metric = self.objective.metric.name();
        let mut text = format!("# Study\n\n{}.\n\n", self.summary());
        let _ = writeln!(
            text,
            "| {metric} | validation, mean of {} folds | holdout |\n|---|---|---|",
            self.layout.folds.len()
        );
        let row = |name: &str, validation: Option<f64>, holdout: Option<f64>| {
            format!("| {name} | {} | {} |\n", number(validation), number(holdout))
        };
        text.push_str(&row("best trial", self.best.value, self.holdout.best.value));
        text.push_str(&row("as it came in", self.before.value, self.holdout.before.value));
        let states = [
            (TrialState::Complete, "complete"),
            (TrialState::Pruned, "pruned"),
            (TrialState::Infeasible, "infeasible"),
            (TrialState::Failed, "failed"),
        ];
        let counts = states.map(|(state, word)| format!("{} {word}", self.count(state)));
        let _ = writeln!(
            text,
            "\nTrial {} is the best of {}. Trials: {}. Sampler `{}`; the holdout was opened once.\n",
            self.best.number,
            self.trials.len(),
            counts.join(", "),
            self.sampler.kind
        );
        text.push_str("## How much of it is luck\n\n| | | |\n|---|---|---|\n");
        for [name, value, meaning] in self.luck() {
            let _ = writeln!(text, "| {name} | {value} | {meaning} |");
        }
        text.push_str("\n## Parameters\n\n| parameter | best | fANOVA | PED-ANOVA |\n|---|---|---|---|\n");
        for [name, value, by_variance, by_divergence] in self.parameters() {
            let _ = writeln!(text, "| {name} | {value} | {by_variance} | {by_divergence} |");
        }
        text.push_str(
            "\nfANOVA: share of the variance of all scores. PED-ANOVA: share of what sets the best tenth apart.\n",
        );
        for warning in self.warnings() {
            let _ = writeln!(text, "\n**Careful:** {warning}.");
        }
        for (title, name) in plot::TITLES {
            if pictures.contains_key(&format!("{name}.svg")) {
                let _ = write!(text, "\n## {title}\n\n![{title}]({name}.svg)\n");
            }
        }
        text
    }
}
