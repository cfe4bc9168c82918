//! `deploy-if-better`: the gate, and the only node that changes anything outside the store.

use std::collections::BTreeMap;

use ndarray::{Axis, Slice};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::evaluate::Evaluated;
use super::model_artifact::{StoredModel, json_artifact};
use super::{
    Behaviour, ConfigError, Descriptor, InputPort, Kind, NodeContext, NodeError, NodeOutput, OutputPort, StudyRecord,
    ValuePort, ValueType,
};
use crate::artifact::{ArtifactType, Scalar};
use crate::base::{Days, Digest, MICROS_PER_DAY, Timestamp, canonical_json};
use crate::registry::gate::{GateDecision, GateInput, GateOutcome, GatePolicy, decide, policy_defect};
use crate::registry::{
    ModelVersion, NAME_PATTERN, PromotionOutcome, PromotionRequest, RegistryClient, SearchNumbers, Standing,
    is_valid_name,
};

/// Promotes a candidate when the gate says so, exactly once.
pub struct DeployIfBetter;

/// Whether a decision is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeployMode {
    /// A promotion moves the alias.
    #[default]
    Apply,
    /// The decision is recorded, the alias stays.
    Shadow,
}

/// Settings of `deploy-if-better`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployConfig {
    /// Name of the registered model.
    #[schemars(extend("pattern" = NAME_PATTERN, "examples" = ["signal-quality"]))]
    registry: String,
    /// The alias to take.
    #[serde(default = "default_alias")]
    #[schemars(extend("pattern" = NAME_PATTERN, "examples" = ["champion"]))]
    alias: String,
    /// Whether a decision is carried out.
    #[serde(default)]
    mode: DeployMode,
    /// The gate.
    #[serde(default)]
    policy: GatePolicy,
    /// A champion that learnt from nothing newer than this is stale: the candidate must then only not be worse.
    #[serde(default = "default_stale")]
    champion_stale_after: Days,
    /// Days after its promotion in which a champion whose performance drifts (input `drift`) gives the alias back to the
    /// one before it, once. Off by default.
    #[serde(default)]
    probation: Option<Days>,
}

fn default_alias() -> String {
    "champion".to_owned()
}

fn default_stale() -> Days {
    Days(180)
}

const DECISIONS: &[&str] = &["promoted", "kept", "inconclusive", "invalid", "pending", "duplicate"];

impl Kind for DeployIfBetter {
    type Config = DeployConfig;

    const DESCRIPTOR: Descriptor = Descriptor {
        name: "deploy-if-better",
        version: 2,
        doc: "Promotes the candidate if it is provably better than the champion on the same rows, exactly once.",
        inputs: &[
            InputPort {
                many: false,
                name: "candidate",
                types: &[ArtifactType::Model],
                required: true,
                doc: "the model to deploy",
            },
            InputPort {
                many: false,
                name: "champion",
                types: &[ArtifactType::Model],
                required: false,
                doc: "the model it was compared with; the alias must still be held by it",
            },
            InputPort {
                many: false,
                name: "strategy",
                types: &[ArtifactType::Strategy],
                required: true,
                doc: "the strategy whose signals the model scores",
            },
            InputPort {
                many: false,
                name: "evaluation",
                types: &[ArtifactType::Evaluation],
                required: true,
                doc: "metrics of both models, with the backtest",
            },
            InputPort {
                many: false,
                name: "predictions",
                types: &[ArtifactType::Predictions],
                required: true,
                doc: "the rows of the evaluation with both models' probabilities",
            },
            InputPort {
                many: false,
                name: "drift",
                types: &[ArtifactType::Drift],
                required: false,
                doc: "drift of the champion",
            },
            InputPort {
                many: false,
                name: "study",
                types: &[ArtifactType::Study],
                required: false,
                doc: "the study that the strategy came out of: what `max_pbo`, `min_dsr` and `max_spa_p` judge",
            },
        ],
        outputs: &[OutputPort {
            name: "decision",
            kind: ArtifactType::Deployment,
            doc: "the decision and its numbers",
        }],
        values: &[
            ValuePort { name: "decision", kind: ValueType::Word(DECISIONS), doc: "what the gate decided" },
            ValuePort { name: "applied", kind: ValueType::Bool, doc: "whether the alias was moved by this decision" },
            ValuePort {
                name: "settled",
                kind: ValueType::Bool,
                doc: "whether the inputs alone decided; if not, the registry did, and the next run asks it again",
            },
            ValuePort {
                name: "rolled_back",
                kind: ValueType::Bool,
                doc: "whether a champion on probation gave the alias back to the one before it",
            },
            ValuePort {
                name: "holdout_uses",
                kind: ValueType::Number,
                doc: "decisions about this model that looked at these rows, this one included",
            },
            ValuePort { name: "registry", kind: ValueType::Text, doc: "name of the registered model" },
            ValuePort { name: "deploy_id", kind: ValueType::Text, doc: "hash of everything that decided" },
        ],
        behaviour: Behaviour { uses_as_of: true, has_effect: true, ..Behaviour::PURE },
    };

    fn check(config: &DeployConfig) -> Result<(), ConfigError> {
        for (path, name) in [("registry", &config.registry), ("alias", &config.alias)] {
            if !is_valid_name(name) {
                let message = format!(
                    "`{name}` cannot name a model or an alias: use letters, digits, `.`, `_` and `-`, starting with a letter \
                     or a digit"
                );
                return Err(ConfigError::at(path, message));
            }
        }
        if let Some(defect) = policy_defect(&config.policy) {
            return Err(ConfigError::at("policy", defect));
        }
        if config.probation.is_some_and(|days| days.0 <= 0) {
            return Err(ConfigError::at("probation", "expected at least one day, or none of it").hint("write `28d`"));
        }
        Ok(())
    }

    fn run(config: &DeployConfig, context: &NodeContext) -> Result<NodeOutput, NodeError> {
        // loading the model again is part of the gate: what cannot be read back, or does not score, is not deployed
        scores_rows(&StoredModel::read(context.input("candidate")?)?)?;
        let deploy_id = deploy_id(config, context)?;
        let standing = Incumbent::find(config, context)?;
        let input = gate_input(config, context, deploy_id, standing.as_ref())?;
        let mut decision = decide(&input, &policy(config, context)?);
        let mut done = Done { applied: false, settled: true, rolled_back: false };
        if config.mode == DeployMode::Apply {
            context.cancel.check()?;
            match decision.outcome {
                GateOutcome::Promoted => promote(config, context, deploy_id, &mut decision, &mut done)?,
                GateOutcome::Pending => propose(config, context, deploy_id, &mut decision, &mut done)?,
                _ => {}
            }
            if !done.applied {
                end_probation(config, context, standing.as_ref(), &mut decision, &mut done)?;
            }
        }
        output(config, &decision, done, input.holdout_uses, deploy_id)
    }

    fn without_effect(config: &mut DeployConfig) {
        config.mode = DeployMode::Shadow;
    }

    fn effect_holds(values: &BTreeMap<String, Scalar>, registry: &RegistryClient) -> bool {
        let text = |name: &str| match values.get(name) {
            Some(Scalar::Text(text)) => text.clone(),
            _ => String::new(),
        };
        if values.get("settled") != Some(&Scalar::Bool(true)) {
            return false;
        }
        if values.get("applied") != Some(&Scalar::Bool(true)) {
            return true;
        }
        // a log that cannot be read is no proof: the node runs, and reports what is wrong with it
        text("deploy_id").parse().is_ok_and(|deploy_id: Digest| {
            let standing = registry.history(&text("registry")).map(|history| history.standing(deploy_id));
            matches!(standing, Ok(Some(Standing::Holds | Standing::Succeeded)))
        })
    }
}

/// What was done about a decision.
#[derive(Clone, Copy)]
struct Done {
    /// The alias was moved to the candidate.
    applied: bool,
    /// The inputs alone decided.
    settled: bool,
    /// The alias was given back to the champion before.
    rolled_back: bool,
}

/// The promotion that the champion of the comparison holds the alias by.
struct Incumbent {
    slot: u64,
    promoted: Timestamp,
}

impl Incumbent {
    /// Finds it in the log as it was for this data window; `None` without a champion, or when the alias is held by another
    /// model than the one that was compared with.
    fn find(config: &DeployConfig, context: &NodeContext) -> Result<Option<Self>, NodeError> {
        let Some(champion) = context.inputs.get("champion") else { return Ok(None) };
        let history = context.registry.history(&config.registry).map_err(NodeError::failed)?;
        let holder = history.champion_as_of(&config.alias, context.as_of);
        let same = holder.filter(|holder| holder.version.model.sha256 == champion.reference.sha256);
        Ok(same.map(|holder| Self { slot: holder.slot, promoted: holder.as_of }))
    }

    fn days(&self, context: &NodeContext) -> f64 {
        (context.as_of.micros() - self.promoted.micros()) as f64 / MICROS_PER_DAY as f64
    }
}

/// Scores ten rows that the model knows the features of.
fn scores_rows(model: &StoredModel) -> Result<(), NodeError> {
    let rows = model.out_of_fold_features.nrows().min(10);
    let raw = model.model.predict(model.out_of_fold_features.slice_axis(Axis(0), Slice::from(..rows))).to_vec();
    let scores = model.calibrator.apply_all(&raw);
    match scores.iter().position(|score| !score.is_finite()) {
        None => Ok(()),
        Some(row) => Err(NodeError::failed(format!(
            "the candidate does not score: row {row} of its own out-of-fold rows gives {}; train it again",
            scores[row]
        ))),
    }
}

fn gate_input(
    config: &DeployConfig,
    context: &NodeContext,
    deploy_id: Digest,
    incumbent: Option<&Incumbent>,
) -> Result<GateInput, NodeError> {
    let rows = Evaluated::read(context.input("predictions")?)?;
    let evaluation = context.input("evaluation")?.json()?;
    let trading = evaluation.get("trading_numbers").cloned().unwrap_or_default();
    let candidate = context.input("candidate")?.reference.sha256;
    let champion = context.inputs.get("champion");
    if champion.is_some() != rows.champion.is_some() {
        let message = "the evaluation and this node do not compare with the same champion: connect `champion` in both";
        return Err(NodeError::failed(message));
    }
    let window = rows.ts.first().zip(rows.ts.last());
    let holdout_uses = match window {
        Some((first, last)) => {
            let window = (Timestamp::from_micros(*first), Timestamp::from_micros(*last));
            let found = context.ledger.use_rows(&config.registry, deploy_id, window, context.as_of);
            found.map_err(NodeError::failed)?
        }
        None => 0,
    };
    let returns = evaluation.get("paired_returns").cloned().unwrap_or_default();
    Ok(GateInput {
        time: rows.ts,
        labels: rows.win,
        candidate: rows.candidate,
        champion: rows.champion,
        r: rows.r,
        trading: serde_json::from_value(trading).map_err(NodeError::failed)?,
        champion_fresh: champion_fresh(config, context)?,
        same_model: champion.is_some_and(|champion| champion.reference.sha256 == candidate),
        holdout_uses,
        returns: serde_json::from_value(returns).map_err(NodeError::failed)?,
        champion_days: incumbent.map(|incumbent| incumbent.days(context)),
        search: search_numbers(context)?,
    })
}

/// The numbers of the study, with all trials on record. The record only grows: a candidate that is kept for it stays
/// kept.
fn search_numbers(context: &NodeContext) -> Result<Option<SearchNumbers>, NodeError> {
    let Some(study) = context.inputs.get("study") else { return Ok(None) };
    let study = StudyRecord::read(&study.bytes()?).map_err(NodeError::failed)?;
    let found = &study.overfitting;
    Ok(Some(SearchNumbers {
        pbo: found.pbo,
        spa_p: found.spa_p,
        moments: found.moments,
        trial_variance: found.trial_variance,
        own_trials: found.trials as u64,
        all_trials: context.ledger.trials(study.search).map_err(NodeError::failed)?,
    }))
}

/// The policy, judged at the threshold that the evaluation was made with: decisions at another one were never looked at.
fn policy(config: &DeployConfig, context: &NodeContext) -> Result<GatePolicy, NodeError> {
    let evaluation = context.input("evaluation")?.json()?;
    let mut policy = config.policy.clone();
    if let Some(threshold) = evaluation["threshold"].as_f64() {
        policy.guardrails.threshold = threshold;
    }
    Ok(policy)
}

/// A champion is fresh while it is young and no drift of its performance is confirmed.
fn champion_fresh(config: &DeployConfig, context: &NodeContext) -> Result<bool, NodeError> {
    let Some(champion) = context.inputs.get("champion") else { return Ok(true) };
    let age = context.as_of.micros() - StoredModel::read(champion)?.manifest.trained_until.micros();
    Ok(age <= config.champion_stale_after.0 * MICROS_PER_DAY && !performance_drifted(context)?)
}

/// Hash of everything that decides: the same decision is carried out once, whoever makes it again.
fn deploy_id(config: &DeployConfig, context: &NodeContext) -> Result<Digest, NodeError> {
    let digest = |port: &str| context.inputs.get(port).map(|input| input.reference.sha256);
    let mut parts = json!({
        "model": digest("candidate"),
        "strategy": digest("strategy"),
        "evaluation": digest("evaluation"),
        "predictions": digest("predictions"),
        "drift": digest("drift"),
        "as_of": context.as_of,
        "policy": config.policy,
        "champion_stale_after": config.champion_stale_after,
        "probation": config.probation,
        "registry": config.registry,
        "alias": config.alias,
        "expected_champion": digest("champion"),
    });
    // only where they are used: decisions that knew no study keep the id that they have
    if let Some(study) = digest("study") {
        parts["study"] = json!(study);
    }
    if let Some(guardrails) = parts.pointer_mut("/policy/guardrails").and_then(Value::as_object_mut) {
        guardrails
            .retain(|name, bound| !(bound.is_null() && ["max_pbo", "min_dsr", "max_spa_p"].contains(&name.as_str())));
    }
    Ok(Digest::of(&canonical_json(&parts).map_err(NodeError::failed)?))
}

fn request(
    config: &DeployConfig,
    context: &NodeContext,
    deploy_id: Digest,
    decision: &GateDecision,
) -> Result<PromotionRequest, NodeError> {
    let reference = |port: &str| context.input(port).map(|input| input.reference.clone());
    Ok(PromotionRequest {
        model: config.registry.clone(),
        alias: config.alias.clone(),
        version: ModelVersion {
            model: reference("candidate")?,
            strategy: reference("strategy")?,
            evaluation: reference("evaluation")?,
            reason: decision.reason.clone(),
        },
        expected: context.inputs.get("champion").map(|champion| champion.reference.sha256),
        deploy_id,
        as_of: context.as_of,
    })
}

fn promote(
    config: &DeployConfig,
    context: &NodeContext,
    deploy_id: Digest,
    decision: &mut GateDecision,
    done: &mut Done,
) -> Result<(), NodeError> {
    let request = request(config, context, deploy_id, decision)?;
    match context.registry.promote(&request).map_err(NodeError::failed)? {
        PromotionOutcome::Promoted(_) => done.applied = true,
        PromotionOutcome::Duplicate(slot) => carried_out(config, context, deploy_id, slot, decision, done)?,
        PromotionOutcome::ChampionChanged { found } => overtaken(found, decision, done),
    }
    Ok(())
}

/// Puts the promotion before a person, or finds that one has agreed.
fn propose(
    config: &DeployConfig,
    context: &NodeContext,
    deploy_id: Digest,
    decision: &mut GateDecision,
    done: &mut Done,
) -> Result<(), NodeError> {
    // whoever runs this again asks whether somebody has agreed since
    done.settled = false;
    let request = request(config, context, deploy_id, decision)?;
    match context.registry.propose(&request).map_err(NodeError::failed)? {
        PromotionOutcome::Promoted(slot) => {
            let history = context.registry.history(&config.registry).map_err(NodeError::failed)?;
            if let Some(why) = history.retired(slot) {
                decision.outcome = GateOutcome::Kept;
                decision.reason = format!("the proposal in slot {slot} of the registry was turned down: {why}");
            } else {
                let model = &config.registry;
                decision.reason = format!(
                    "{} (`walkforward registry approve {model} --slot {slot} --reason ...` carries it out)",
                    decision.reason
                );
            }
        }
        PromotionOutcome::Duplicate(slot) => {
            carried_out(config, context, deploy_id, slot, decision, done)?;
            if done.applied {
                decision.outcome = GateOutcome::Promoted;
                decision.reason = format!("approved in slot {slot} of the registry; {}", decision.reason);
            }
        }
        PromotionOutcome::ChampionChanged { found } => overtaken(found, decision, done),
    }
    Ok(())
}

/// A decision that was carried out before holds, unless it was undone.
fn carried_out(
    config: &DeployConfig,
    context: &NodeContext,
    deploy_id: Digest,
    slot: u64,
    decision: &mut GateDecision,
    done: &mut Done,
) -> Result<(), NodeError> {
    let history = context.registry.history(&config.registry).map_err(NodeError::failed)?;
    if history.standing(deploy_id) != Some(Standing::RolledBack) {
        (done.applied, done.settled) = (true, true);
        return Ok(());
    }
    done.settled = false;
    decision.outcome = GateOutcome::Duplicate;
    decision.reason = format!("this decision was carried out in slot {slot} of the registry and rolled back since");
    Ok(())
}

fn overtaken(found: Option<Digest>, decision: &mut GateDecision, done: &mut Done) {
    done.settled = false;
    decision.outcome = GateOutcome::Kept;
    let holder = found.map_or("nobody".to_owned(), |digest| digest.short());
    decision.reason =
        format!("champion changed: the alias is now held by {holder}, which the candidate was not compared with");
}

/// Gives the alias back where a champion on probation does worse than it did: once, and only if nothing better came now.
fn end_probation(
    config: &DeployConfig,
    context: &NodeContext,
    incumbent: Option<&Incumbent>,
    decision: &mut GateDecision,
    done: &mut Done,
) -> Result<(), NodeError> {
    let (Some(probation), Some(incumbent)) = (config.probation, incumbent) else { return Ok(()) };
    let days = incumbent.days(context);
    if days > probation.0 as f64 || !performance_drifted(context)? {
        return Ok(());
    }
    let reason =
        format!("automatic: its performance drifted {days:.1} days after its promotion, on probation for {probation}");
    let (model, alias) = (&config.registry, &config.alias);
    let slot = context.registry.end_probation(model, alias, incumbent.slot, &reason).map_err(NodeError::failed)?;
    if let Some(slot) = slot {
        done.rolled_back = true;
        done.settled = false;
        decision.reason = format!("{}; slot {slot} of the registry rolls the champion back, {reason}", decision.reason);
    }
    Ok(())
}

fn performance_drifted(context: &NodeContext) -> Result<bool, NodeError> {
    match context.inputs.get("drift") {
        Some(drift) => Ok(drift.json()?["performance"]["verdict"] == "drift"),
        None => Ok(false),
    }
}

fn word(outcome: GateOutcome) -> &'static str {
    match outcome {
        GateOutcome::Promoted => "promoted",
        GateOutcome::Kept => "kept",
        GateOutcome::Inconclusive => "inconclusive",
        GateOutcome::Invalid => "invalid",
        GateOutcome::Pending => "pending",
        GateOutcome::Duplicate => "duplicate",
    }
}

fn output(
    config: &DeployConfig,
    decision: &GateDecision,
    done: Done,
    holdout_uses: u32,
    deploy_id: Digest,
) -> Result<NodeOutput, NodeError> {
    let report = json!({
        "version": 2,
        "deploy_id": deploy_id,
        "applied": done.applied,
        "rolled_back": done.rolled_back,
        "holdout_uses": holdout_uses,
        "level": config.policy.level(),
        "policy": config.policy,
        "decision": decision,
    });
    let shadow = if config.mode == DeployMode::Shadow { " (shadow: the alias stays)" } else { "" };
    Ok(NodeOutput {
        outputs: [("decision", json_artifact(ArtifactType::Deployment, &report)?)].into(),
        values: [
            ("decision", Scalar::text(word(decision.outcome))),
            ("applied", Scalar::Bool(done.applied)),
            ("settled", Scalar::Bool(done.settled)),
            ("rolled_back", Scalar::Bool(done.rolled_back)),
            ("holdout_uses", Scalar::count(holdout_uses as usize)),
            ("registry", Scalar::text(config.registry.clone())),
            ("deploy_id", Scalar::text(deploy_id.to_string())),
        ]
        .into(),
        summary: format!("{}{shadow}: {}", word(decision.outcome), decision.reason),
    })
}
