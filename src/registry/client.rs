//! The registry as node bodies see it: synchronous, and stamped with the run that asks.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::approval;
use super::entry::{EntryAction, ModelVersion};
use super::error::RegistryError;
use super::history::History;
use super::log::{Registry, Stamp, Step};
use crate::artifact::Books;
use crate::base::{Digest, Timestamp};

/// What a promotion asks for.
#[derive(Clone, Debug)]
pub struct PromotionRequest {
    /// The registered model's name.
    pub model: String,
    /// The alias to take.
    pub alias: String,
    /// The new version.
    pub version: ModelVersion,
    /// Digest of the model that the challenger was compared with; `None` when there was no champion.
    pub expected: Option<Digest>,
    /// Hash of everything that decided the promotion.
    pub deploy_id: Digest,
    /// End of the data window it was decided on.
    pub as_of: Timestamp,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromotionOutcome {
    /// The new version holds the alias, by the entry in this slot.
    Promoted(u64),
    /// This very decision was carried out before, in this slot.
    Duplicate(u64),
    /// The alias is held by another model than the one that was compared with.
    ChampionChanged {
        /// Digest of the model that holds it.
        found: Option<Digest>,
    },
}

/// The registry, for code that does not wait asynchronously. Must not be used on a thread that drives the runtime.
#[derive(Clone)]
pub struct RegistryClient {
    registry: Registry,
    runtime: Handle,
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    by: String,
    txn: String,
}

impl RegistryClient {
    /// Joins a registry with the runtime that reaches it, the clock, and who asks.
    pub fn new(
        registry: Registry,
        runtime: Handle,
        now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
        by: impl Into<String>,
        txn: impl Into<String>,
    ) -> Self {
        Self { registry, runtime, now, by: by.into(), txn: txn.into() }
    }

    /// What tells it the time.
    pub fn clock(&self) -> Arc<dyn Fn() -> Timestamp + Send + Sync> {
        Arc::clone(&self.now)
    }

    /// The books of the same store.
    pub fn books(&self) -> Books {
        Books::new(self.registry.store().clone(), self.runtime.clone(), self.txn.clone())
    }

    /// The run that asks.
    pub fn run(&self) -> &str {
        &self.by
    }

    /// Reads and checks a model's log.
    ///
    /// # Errors
    /// The log is broken, or the store cannot be reached.
    pub fn history(&self, model: &str) -> Result<History, RegistryError> {
        self.runtime.block_on(self.registry.history(model))
    }

    /// Carries a promotion out, exactly once.
    ///
    /// # Errors
    /// The log is broken, or the store cannot be reached.
    pub fn promote(&self, request: &PromotionRequest) -> Result<PromotionOutcome, RegistryError> {
        self.runtime.block_on(promote(&self.registry, request, &self.stamp()))
    }

    /// Puts a promotion before a person, exactly once: the outcome `Promoted` is then the slot of the proposal, and
    /// `Duplicate` that of a promotion where somebody has agreed.
    ///
    /// # Errors
    /// The log is broken, or the store cannot be reached.
    pub fn propose(&self, request: &PromotionRequest) -> Result<PromotionOutcome, RegistryError> {
        self.runtime.block_on(approval::propose(&self.registry, request, &self.stamp()))
    }

    /// Gives an alias back to the champion before `slot`, if `slot` was promoted last and has not been rolled back since:
    /// the slot of the rollback. `None` when there is nothing to return to, or the alias was moved since.
    ///
    /// # Errors
    /// The log is broken, or the store cannot be reached.
    pub fn end_probation(
        &self,
        model: &str,
        alias: &str,
        slot: u64,
        reason: &str,
    ) -> Result<Option<u64>, RegistryError> {
        self.runtime.block_on(approval::end_probation(&self.registry, model, alias, slot, reason, &self.stamp()))
    }

    fn stamp(&self) -> Stamp {
        Stamp { at: (self.now)(), by: self.by.clone(), txn: self.txn.clone() }
    }
}

/// Carries a promotion out, exactly once, whatever becomes of answers on the way.
pub(super) async fn promote(
    registry: &Registry,
    request: &PromotionRequest,
    stamp: &Stamp,
) -> Result<PromotionOutcome, RegistryError> {
    let ModelVersion { model, strategy, evaluation, .. } = &request.version;
    registry.make_durable(&[model, strategy, evaluation]).await?;
    registry.append(&request.model, stamp, |history| Ok(step(history, request))).await
}

fn step(history: &History, request: &PromotionRequest) -> Step<PromotionOutcome> {
    if let Some(done) = history.promotion(request.deploy_id) {
        return Step::Stop(PromotionOutcome::Duplicate(done.slot));
    }
    let found = history.champion(&request.alias).map(|champion| champion.version.model.sha256);
    if found != request.expected {
        return Step::Stop(PromotionOutcome::ChampionChanged { found });
    }
    Step::Append {
        alias: request.alias.clone(),
        action: EntryAction::Promote {
            version: Box::new(request.version.clone()),
            deploy_id: request.deploy_id,
            as_of: request.as_of,
            approved: None,
        },
        by: None,
        done: Box::new(PromotionOutcome::Promoted),
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::Standing;
    use super::super::log::RollbackTo;
    use super::*;
    use crate::artifact::{Artifact, ArtifactType, Store};
    use crate::storage::Storage;

    fn version(store: &Store, runtime: &Handle, name: &str) -> ModelVersion {
        let put = |kind| runtime.block_on(store.put(&Artifact::file(kind, name.as_bytes().to_vec()))).unwrap();
        ModelVersion {
            model: put(ArtifactType::Model),
            strategy: put(ArtifactType::Strategy),
            evaluation: put(ArtifactType::Evaluation),
            reason: "better".to_owned(),
        }
    }

    struct Bench {
        runtime: tokio::runtime::Runtime,
        store: Store,
    }

    impl Bench {
        fn new() -> Self {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
            let store = runtime.block_on(Store::over(Storage::in_memory())).unwrap();
            Self { runtime, store }
        }

        fn registry(&self) -> Registry {
            Registry::new(self.store.clone())
        }

        fn client(&self, txn: &str) -> RegistryClient {
            let now = Arc::new(|| Timestamp::from_micros(0));
            RegistryClient::new(self.registry(), self.runtime.handle().clone(), now, "run", txn)
        }

        fn request(&self, name: &str, expected: Option<Digest>, as_of: &str) -> PromotionRequest {
            PromotionRequest {
                model: "quality".to_owned(),
                alias: "champion".to_owned(),
                version: version(&self.store, self.runtime.handle(), name),
                expected,
                deploy_id: Digest::of(name.as_bytes()),
                as_of: as_of.parse().unwrap(),
            }
        }
    }

    fn champion(client: &RegistryClient) -> Option<u64> {
        client.history("quality").unwrap().champion("champion").map(|champion| champion.slot)
    }

    #[test]
    fn the_same_decision_is_carried_out_once() {
        let bench = Bench::new();
        let request = bench.request("a", None, "2020-01-05");
        assert_eq!(bench.client("1").promote(&request).unwrap(), PromotionOutcome::Promoted(0));
        assert_eq!(bench.client("2").promote(&request).unwrap(), PromotionOutcome::Duplicate(0));
        assert_eq!(champion(&bench.client("3")), Some(0));
    }

    #[test]
    fn a_champion_that_changed_in_between_is_not_replaced() {
        let bench = Bench::new();
        let client = bench.client("1");
        client.promote(&bench.request("a", None, "2020-01-05")).unwrap();
        let outcome = client.promote(&bench.request("b", None, "2020-01-12")).unwrap();
        assert!(matches!(outcome, PromotionOutcome::ChampionChanged { found: Some(_) }), "{outcome:?}");
        assert_eq!(champion(&client), Some(0));
    }

    #[test]
    fn of_many_runs_that_deploy_at_once_exactly_one_does() {
        let bench = Bench::new();
        let outcomes: Vec<PromotionOutcome> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|racer| {
                    let (client, request) =
                        (bench.client(&racer.to_string()), bench.request(&racer.to_string(), None, "2020-01-05"));
                    scope.spawn(move || client.promote(&request).unwrap())
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let winners = outcomes.iter().filter(|outcome| matches!(outcome, PromotionOutcome::Promoted(_))).count();
        assert_eq!(winners, 1, "{outcomes:?}");
        assert_eq!(bench.client("x").history("quality").unwrap().entries.len(), 1);
    }

    #[test]
    fn a_repeated_window_meets_the_champion_it_met_before() {
        let bench = Bench::new();
        let client = bench.client("1");
        let first = bench.request("a", None, "2020-01-05");
        client.promote(&first).unwrap();
        client.promote(&bench.request("b", Some(first.version.model.sha256), "2020-01-12")).unwrap();
        let history = client.history("quality").unwrap();
        let as_of = |day: &str| history.champion_as_of("champion", day.parse().unwrap()).map(|champion| champion.slot);
        assert_eq!(as_of("2020-01-05"), None);
        assert_eq!(as_of("2020-01-12"), Some(0));
        assert_eq!(as_of("2020-01-19"), Some(1));
    }

    #[test]
    fn a_rollback_returns_to_the_champion_before_and_again_to_none() {
        let bench = Bench::new();
        let client = bench.client("1");
        let first = bench.request("a", None, "2020-01-05");
        client.promote(&first).unwrap();
        client.promote(&bench.request("b", Some(first.version.model.sha256), "2020-01-12")).unwrap();
        let back = |to: RollbackTo, txn: &str| {
            let stamp = Stamp { at: Timestamp::from_micros(0), by: "me".to_owned(), txn: txn.to_owned() };
            bench.runtime.block_on(bench.registry().rollback("quality", "champion", to, "worse", &stamp))
        };
        assert_eq!(back(RollbackTo::Before, "r1").unwrap().slot, 2);
        assert_eq!(champion(&client), Some(0));
        back(RollbackTo::Nothing, "r3").unwrap();
        assert_eq!(champion(&client), None);
        back(RollbackTo::Slot(1), "r5").unwrap();
        assert_eq!(champion(&client), Some(1));
        assert!(matches!(back(RollbackTo::Slot(2), "r6"), Err(RegistryError::NoSuchVersion { .. })));
    }

    #[test]
    fn a_rollback_that_is_asked_for_again_is_done_once() {
        let bench = Bench::new();
        let client = bench.client("1");
        let back = |to: RollbackTo, txn: &str| {
            let stamp = Stamp { at: Timestamp::from_micros(0), by: "me".to_owned(), txn: txn.to_owned() };
            bench.runtime.block_on(bench.registry().rollback("quality", "champion", to, "worse", &stamp))
        };
        assert!(matches!(back(RollbackTo::Before, "r0"), Err(RegistryError::NothingToRollBack { .. })));
        let mut expected = None;
        for (name, day) in [("a", "2020-01-05"), ("b", "2020-01-12"), ("c", "2020-01-19")] {
            let request = bench.request(name, expected, day);
            client.promote(&request).unwrap();
            expected = Some(request.version.model.sha256);
        }
        for (to, txn, slot, champion, repeated) in [
            (RollbackTo::Before, "r1", 3, Some(1), false),
            (RollbackTo::Before, "r2", 3, Some(1), true),
            (RollbackTo::Slot(1), "r3", 3, Some(1), true),
            (RollbackTo::Slot(0), "r4", 4, Some(0), false),
            (RollbackTo::Slot(0), "r5", 4, Some(0), true),
            (RollbackTo::Nothing, "r6", 5, None, false),
            (RollbackTo::Nothing, "r7", 5, None, true),
        ] {
            let done = back(to, txn).unwrap();
            let found = (done.slot, done.champion.map(|champion| champion.slot), done.repeated);
            assert_eq!(found, (slot, champion, repeated), "{txn}");
        }
        // a promotion in between is another matter
        client.promote(&bench.request("d", None, "2020-01-26")).unwrap();
        assert!(matches!(back(RollbackTo::Before, "r8"), Err(RegistryError::NothingBefore { slot: 6, .. })));
    }

    #[test]
    fn a_log_whose_newest_entries_were_removed_is_refused() {
        let bench = Bench::new();
        let client = bench.client("1");
        let first = bench.request("a", None, "2020-01-05");
        client.promote(&first).unwrap();
        client.promote(&bench.request("b", Some(first.version.model.sha256), "2020-01-12")).unwrap();
        let history = client.history("quality").unwrap();
        let witnesses = bench.registry();
        let wrong = || bench.runtime.block_on(witnesses.false_witnesses("quality", &history)).unwrap();
        assert_eq!(wrong(), [""; 0]);

        let storage = bench.store.storage();
        let entry = |folder: &str, slot: u64| format!("registry/quality/{folder}/{slot:020}.json");
        bench.runtime.block_on(storage.remove(&entry("log", 1))).unwrap();
        assert!(matches!(client.history("quality"), Err(RegistryError::Broken { slot: 1, .. })));
        bench.runtime.block_on(storage.remove(&entry("log", 0))).unwrap();
        assert!(matches!(client.history("quality"), Err(RegistryError::Broken { slot: 0, .. })));
        // who removes the witnesses as well wants it to be forgotten
        for slot in 0..2 {
            bench.runtime.block_on(storage.remove(&entry("written", slot))).unwrap();
        }
        assert!(client.history("quality").unwrap().entries.is_empty());
    }

    #[test]
    fn a_witness_that_speaks_of_another_entry_is_named() {
        let bench = Bench::new();
        let client = bench.client("1");
        client.promote(&bench.request("a", None, "2020-01-05")).unwrap();
        let name = "registry/quality/written/00000000000000000000.json";
        let storage = bench.store.storage();
        let honest = bench.runtime.block_on(storage.get(name)).unwrap().unwrap();
        bench.runtime.block_on(storage.restore(name, honest.slice(..honest.len() / 2))).unwrap();
        let history = client.history("quality").unwrap();
        let wrong = bench.runtime.block_on(bench.registry().false_witnesses("quality", &history)).unwrap();
        assert!(wrong.len() == 1 && wrong[0].contains(name), "{wrong:?}");
    }

    #[test]
    fn a_rolled_back_decision_is_not_taken_for_one_in_force() {
        let bench = Bench::new();
        let client = bench.client("1");
        let (first, stamp) = (
            bench.request("a", None, "2020-01-05"),
            Stamp { at: Timestamp::from_micros(0), by: "me".to_owned(), txn: "r".to_owned() },
        );
        client.promote(&first).unwrap();
        let second = bench.request("b", Some(first.version.model.sha256), "2020-01-12");
        client.promote(&second).unwrap();
        let standing = |id| client.history("quality").unwrap().standing(id);
        assert_eq!(standing(first.deploy_id), Some(Standing::Succeeded));
        assert_eq!(standing(second.deploy_id), Some(Standing::Holds));
        let registry = bench.registry();
        let back = registry.rollback("quality", "champion", RollbackTo::Before, "worse", &stamp);
        bench.runtime.block_on(back).unwrap();
        assert_eq!(standing(first.deploy_id), Some(Standing::Holds));
        assert_eq!(standing(second.deploy_id), Some(Standing::RolledBack));
        // a window before the second promotion never saw it, and does not see that it was undone
        let history = client.history("quality").unwrap();
        let seen = history.champion_as_of("champion", "2020-01-12".parse().unwrap()).unwrap();
        assert_eq!(seen.slot, 0);
    }

    #[test]
    fn a_changed_or_missing_entry_breaks_the_chain() {
        let bench = Bench::new();
        let client = bench.client("1");
        let first = bench.request("a", None, "2020-01-05");
        client.promote(&first).unwrap();
        client.promote(&bench.request("b", Some(first.version.model.sha256), "2020-01-12")).unwrap();
        let name = "registry/quality/log/00000000000000000000.json";
        let storage = bench.store.storage();
        let bytes = bench.runtime.block_on(storage.get(name)).unwrap().unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap().replace("better", "bettor");
        bench.runtime.block_on(storage.restore(name, text.into())).unwrap();
        assert!(matches!(client.history("quality"), Err(RegistryError::Broken { slot: 0, .. })));
    }

    fn hand(reason: &str) -> approval::ByHand {
        approval::ByHand { by: "ada".to_owned(), reason: reason.to_owned() }
    }

    fn stamp(txn: &str) -> Stamp {
        Stamp { at: Timestamp::from_micros(0), by: "ada".to_owned(), txn: txn.to_owned() }
    }

    #[test]
    fn of_many_who_approve_at_once_one_does_and_the_others_are_told_the_slot() {
        let bench = Bench::new();
        let request = bench.request("a", None, "2020-01-05");
        assert_eq!(bench.client("1").propose(&request).unwrap(), PromotionOutcome::Promoted(0));
        assert_eq!(bench.client("2").propose(&request).unwrap(), PromotionOutcome::Promoted(0));
        assert_eq!(champion(&bench.client("3")), None);
        let outcomes: Vec<approval::HandOutcome> = std::thread::scope(|scope| {
            let people: Vec<_> = (0..6)
                .map(|person| {
                    let (registry, runtime) = (bench.registry(), bench.runtime.handle().clone());
                    scope.spawn(move || {
                        let (hand, stamp) = (hand("good"), stamp(&person.to_string()));
                        runtime.block_on(registry.approve("quality", Some(0), &hand, &stamp)).unwrap()
                    })
                })
                .collect();
            people.into_iter().map(|person| person.join().unwrap()).collect()
        });
        let done = outcomes.iter().filter(|outcome| matches!(outcome, approval::HandOutcome::Done(1))).count();
        assert_eq!((done, outcomes.iter().all(|outcome| outcome.slot() == 1)), (1, true), "{outcomes:?}");
        let client = bench.client("4");
        assert_eq!(client.history("quality").unwrap().entries.len(), 2);
        // the run that proposed finds that somebody agreed
        assert_eq!(client.propose(&request).unwrap(), PromotionOutcome::Duplicate(1));
        assert_eq!(client.history("quality").unwrap().entries[1].by, "run");
    }

    #[test]
    fn a_proposal_is_not_approved_over_a_champion_that_it_was_not_compared_with() {
        let bench = Bench::new();
        let client = bench.client("1");
        client.propose(&bench.request("a", None, "2020-01-05")).unwrap();
        client.promote(&bench.request("b", None, "2020-01-05")).unwrap();
        let approved = bench.runtime.block_on(bench.registry().approve("quality", None, &hand("good"), &stamp("2")));
        assert!(matches!(approved, Err(RegistryError::Overtaken { slot: 0, .. })), "{approved:?}");
        assert_eq!(champion(&client), Some(1));
    }

    #[test]
    fn a_retired_version_never_returns() {
        let bench = Bench::new();
        let client = bench.client("1");
        let mut expected = None;
        for (name, as_of) in [("a", "2020-01-05"), ("b", "2020-01-12"), ("c", "2020-01-19")] {
            let request = bench.request(name, expected, as_of);
            expected = Some(request.version.model.sha256);
            client.promote(&request).unwrap();
        }
        let registry = bench.registry();
        let retire =
            |slot, txn| bench.runtime.block_on(registry.retire("quality", slot, &hand("wrong bars"), &stamp(txn)));
        assert_eq!(retire(1, "2").unwrap(), approval::HandOutcome::Done(3));
        assert_eq!(retire(1, "3").unwrap(), approval::HandOutcome::Already(3));
        assert!(matches!(retire(2, "4"), Err(RegistryError::StillServing { slot: 2, .. })));
        let rollback =
            |to, txn| bench.runtime.block_on(registry.rollback("quality", "champion", to, "worse", &stamp(txn)));
        assert!(matches!(rollback(RollbackTo::Slot(1), "5"), Err(RegistryError::Retired { slot: 1, .. })));
        let (person, sixth) = (hand("after all"), stamp("6"));
        let by_hand = registry.promote_version("quality", 1, "champion", &person, &sixth);
        assert!(matches!(bench.runtime.block_on(by_hand), Err(RegistryError::Retired { slot: 1, .. })));
        // the champion before is the one before the retired one
        rollback(RollbackTo::Before, "7").unwrap();
        assert_eq!(champion(&client), Some(0));
    }

    #[test]
    fn probation_ends_once_and_only_for_the_promotion_that_was_last() {
        let bench = Bench::new();
        let client = bench.client("1");
        let first = bench.request("a", None, "2020-01-05");
        client.promote(&first).unwrap();
        assert_eq!(client.end_probation("quality", "champion", 0, "drifted").unwrap(), None);
        client.promote(&bench.request("b", Some(first.version.model.sha256), "2020-01-12")).unwrap();
        assert_eq!(client.end_probation("quality", "champion", 0, "drifted").unwrap(), None);
        assert_eq!(client.end_probation("quality", "champion", 1, "drifted").unwrap(), Some(2));
        assert_eq!(client.end_probation("quality", "champion", 1, "drifted").unwrap(), None);
        assert_eq!(champion(&client), Some(0));
    }

    #[test]
    fn a_log_without_proposals_stays_one_of_the_first_format() {
        let bench = Bench::new();
        let client = bench.client("1");
        client.promote(&bench.request("a", None, "2020-01-05")).unwrap();
        client.propose(&bench.request("b", champion_digest(&client), "2020-01-12")).unwrap();
        let formats: Vec<u32> = client.history("quality").unwrap().entries.iter().map(|entry| entry.format).collect();
        assert_eq!(formats, [1, 2]);
    }

    fn champion_digest(client: &RegistryClient) -> Option<Digest> {
        client.history("quality").unwrap().champion("champion").map(|champion| champion.version.model.sha256)
    }
}
