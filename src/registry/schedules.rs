//! Two to four writers of one store under random schedules: requests in any order, lost answers, refusals, conflicts, writes
//! that arrive late, torn reads and stale lists. Whoever gets an error tries again, as the next run does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::client::promote;
use super::{EntryAction, ModelVersion, PromotionOutcome, PromotionRequest, Registry, RegistryError, Stamp};
use crate::artifact::{Action, Artifact, ArtifactType, Commit, MadeBy, Store, StoreError};
use crate::base::{Digest, Timestamp};
use crate::storage::Storage;
use crate::storage::simulated::{Fault, Player, Stage, Step, World, finish};

const MODEL: &str = "quality";
const ALIAS: &str = "champion";
/// How many decisions each writer carries out.
const DECISIONS: usize = 3;

/// What the writers were told.
#[derive(Debug, Default)]
struct Told {
    /// Decision, who carried it out, and what became of it.
    promotions: Vec<(Digest, usize, PromotionOutcome)>,
    /// Who wrote the action that all of them write, as each was told.
    actions: BTreeMap<usize, String>,
    /// Likewise of the record that all of them write.
    records: BTreeMap<usize, usize>,
}

type Shared = Rc<RefCell<Told>>;

async fn open(world: &Arc<World>, who: usize) -> Store {
    loop {
        if let Ok(store) = Store::over(Storage::trusted(Arc::new(world.seat(who)))).await {
            return store;
        }
    }
}

/// Tries until there is an answer.
macro_rules! until_answered {
    ($attempt:expr) => {
        loop {
            if let Ok(answer) = $attempt.await {
                break answer;
            }
        }
    };
}

async fn write(world: Arc<World>, who: usize, decisions: Vec<u8>, told: Shared) {
    let store = open(&world, who).await;
    let registry = Registry::new(store.clone());
    for (number, decision) in decisions.into_iter().enumerate() {
        // some decisions are the same for all writers, as those of two schedulers are
        let name = if decision % 2 == 0 { format!("shared {decision}") } else { format!("{who} {number}") };
        let artifact = until_answered!(store.put(&Artifact::file(ArtifactType::Model, name.clone().into_bytes())));
        let found = until_answered!(registry.history(MODEL)).champion(ALIAS);
        let expected = found.map(|champion| champion.version.model.sha256);
        let version = ModelVersion {
            model: artifact.clone(),
            strategy: artifact.clone(),
            evaluation: artifact,
            reason: format!("{expected:?}"),
        };
        let request = PromotionRequest {
            model: MODEL.to_owned(),
            alias: ALIAS.to_owned(),
            version,
            expected,
            deploy_id: Digest::of(name.as_bytes()),
            as_of: Timestamp::from_micros(0),
        };
        let stamp = Stamp { at: Timestamp::from_micros(0), by: who.to_string(), txn: format!("{who}/{number}") };
        let outcome = until_answered!(promote(&registry, &request, &stamp));
        told.borrow_mut().promotions.push((request.deploy_id, who, outcome));
    }
    let action = action_of(who);
    let winner = match until_answered!(store.commit_action(&action)) {
        Commit::Ours => action.txn,
        Commit::Theirs(theirs) => theirs.txn,
    };
    told.borrow_mut().actions.insert(who, winner);
    let _: Commit<Value> = until_answered!(store.commit_record(&own_record(who), &json!({"writer": who})));
    let winner = match until_answered!(store.commit_record("runs/day/all/end.json", &json!({"writer": who}))) {
        Commit::Ours => who,
        Commit::Theirs(theirs) => theirs["writer"].as_u64().unwrap() as usize,
    };
    told.borrow_mut().records.insert(who, winner);
}

fn own_record(who: usize) -> String {
    format!("runs/day/{who}/end.json")
}

fn action_of(who: usize) -> Action {
    Action {
        format: 1,
        fingerprint: Digest::of(b"one for all"),
        parts: json!({}),
        outputs: BTreeMap::new(),
        logical: BTreeMap::new(),
        values: BTreeMap::new(),
        summary: String::new(),
        made_by: MadeBy { run: who.to_string(), node: "train".to_owned() },
        txn: format!("{who}/train"),
    }
}

/// What must be true whatever happened.
fn check(world: &Arc<World>, writers: usize, told: &Told) -> Result<(), TestCaseError> {
    let seat = writers;
    let store = finish(world, seat, &[], open(world, seat));
    let history = finish(world, seat, &[], Registry::new(store.clone()).history(MODEL)).unwrap();
    let mut seen = BTreeMap::new();
    let mut champion: Option<Digest> = None;
    for entry in &history.entries {
        let EntryAction::Promote { version, deploy_id, .. } = &entry.action else { unreachable!("nobody rolls back") };
        prop_assert_eq!(seen.insert(*deploy_id, entry.slot), None, "deployed twice");
        prop_assert_eq!(
            &version.reason,
            &format!("{:?}", champion),
            "it replaced another champion than it was compared with"
        );
        champion = Some(version.model.sha256);
    }
    prop_assert!(!seen.is_empty(), "the first promotion of all meets no champion that it does not expect");
    for (deploy_id, who, outcome) in &told.promotions {
        match outcome {
            PromotionOutcome::Promoted(slot) => {
                prop_assert_eq!(seen.get(deploy_id), Some(slot), "a promotion was lost");
                prop_assert_eq!(&history.entries[*slot as usize].by, &who.to_string());
            }
            PromotionOutcome::Duplicate(slot) => prop_assert_eq!(seen.get(deploy_id), Some(slot)),
            PromotionOutcome::ChampionChanged { .. } => {}
        }
    }
    let action = finish(world, seat, &[], store.find_action(action_of(0).fingerprint)).unwrap().unwrap();
    prop_assert!(told.actions.values().any(|winner| *winner == action.txn), "{:?} {:?}", told.actions, action);
    let winners: std::collections::BTreeSet<usize> = told.records.values().copied().collect();
    prop_assert_eq!(winners.len(), 1, "two were told that the record is theirs");
    for who in 0..writers {
        let own: Option<Value> = finish(world, seat, &[], store.read_record(&own_record(who))).unwrap();
        prop_assert_eq!(own, Some(json!({"writer": who})));
    }
    Ok(())
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        10 => Just(Fault::None),
        1 => Just(Fault::Refused),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Conflict),
        1 => Just(Fault::Late),
        1 => Just(Fault::Torn),
        1 => Just(Fault::Stale),
    ]
}

fn steps(writers: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0..writers, fault(), prop::bool::weighted(0.1)).prop_map(|(who, fault, arrives)| Step {
        who,
        passes: Duration::from_millis(10),
        fault,
        arrives,
    });
    // turns in a row, so that a writer gets far while others stand still
    let stretch = (step, 1..12_usize).prop_map(|(step, count)| {
        let calm = Step { fault: Fault::None, ..step };
        (0..count).map(|turn| if turn == 0 { step } else { calm }).collect::<Vec<_>>()
    });
    prop::collection::vec(stretch, 10..80).prop_map(|stretches| stretches.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_or_done_twice_whatever_becomes_of_requests(
        (decisions, schedule) in (2..=4_usize).prop_flat_map(|writers| {
            let decisions = prop::collection::vec(0..6_u8, DECISIONS);
            (prop::collection::vec(decisions, writers), steps(writers))
        }),
    ) {
        let (world, told) = (Arc::new(World::default()), Shared::default());
        let writers = decisions.len();
        let players = decisions.into_iter().enumerate();
        let players = players.map(|(who, decisions)| -> Player<'_> {
            let (world, told) = (Arc::clone(&world), Rc::clone(&told));
            Box::pin(async move {
                write(Arc::clone(&world), who, decisions, told).await;
                // who is done has no more requests
                std::future::pending().await
            })
        });
        let mut stage = Stage::new(&world, players.collect());
        for step in schedule {
            stage.step(step);
        }
        for turn in 0.. {
            if told.borrow().records.len() == writers {
                break;
            }
            prop_assert!(turn < 20_000, "the writers do not come to an end: {:?}", told.borrow());
            let (who, passes) = (turn % writers, Duration::from_millis(10));
            stage.step(Step { who, passes, fault: Fault::None, arrives: true });
        }
        check(&world, writers, &told.borrow())?;
    }
}

#[test]
fn nothing_is_deployed_to_a_store_that_lets_every_create_win() {
    let world = Arc::new(World::careless());
    let promoted = finish(&world, 0, &[], async {
        let store = Store::over(Storage::untried(Arc::new(world.seat(0)))).await.unwrap();
        let model = store.put(&Artifact::file(ArtifactType::Model, "m")).await.unwrap();
        let version = ModelVersion {
            model: model.clone(),
            strategy: model.clone(),
            evaluation: model,
            reason: "better".to_owned(),
        };
        let request = PromotionRequest {
            model: MODEL.to_owned(),
            alias: ALIAS.to_owned(),
            version,
            expected: None,
            deploy_id: Digest::of(b"a"),
            as_of: Timestamp::from_micros(0),
        };
        let stamp = Stamp { at: Timestamp::from_micros(0), by: "run".to_owned(), txn: "1".to_owned() };
        let registry = Registry::new(store);
        let promoted = promote(&registry, &request, &stamp).await;
        (promoted, registry.history(MODEL).await.unwrap().entries.len())
    });
    let (Err(RegistryError::Store(error @ StoreError::LosesCreates { .. })), 0) = promoted else {
        panic!("{promoted:?}")
    };
    assert!(error.to_string().contains("of 16 who created one name at once, 16 won"), "{error}");
    assert!(error.advice().unwrap().contains("If-None-Match"));
}
