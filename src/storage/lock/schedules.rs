//! Contenders for one lease under random schedules: pauses of any length between any two requests, lost answers, writes
//! that arrive late, holders that die. And the schedules that a random one would rarely find.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use proptest::prelude::*;

use super::LeaseTerms;
use super::lease::{Claim, LeaseLog, Tenure};
use crate::storage::Storage;
use crate::storage::simulated::{Fault, Stage, Step, World, finish};

const TERMS: LeaseTerms = LeaseTerms { ttl: Duration::from_secs(10), margin: Duration::from_secs(2) };

/// What the contenders believe.
#[derive(Debug, Default)]
struct Beliefs {
    /// Until when each counts the lock as its own.
    until: Vec<Option<Duration>>,
    /// Number of every acquisition, in the order they were learnt of.
    fences: Vec<u64>,
}

impl Beliefs {
    fn holders(&self, now: Duration) -> usize {
        self.until.iter().flatten().filter(|end| **end > now).count()
    }
}

type Shared = Rc<RefCell<Beliefs>>;

fn log_of(world: &Arc<World>, who: usize) -> LeaseLog {
    LeaseLog::new(Storage::leasing(Arc::new(world.seat(who)), TERMS), "group", TERMS)
}

/// Takes the lock again and again; holds it for a while, renews it, and frees it or dies.
async fn contend(world: Arc<World>, who: usize, habits: Vec<u8>, beliefs: Shared) {
    let log = log_of(&world, who);
    let believe = |until: Option<Duration>| beliefs.borrow_mut().until[who] = until;
    for habit in habits.into_iter().cycle() {
        let asked = world.now();
        let Ok(Claim::Ours(mut tenure)) = log.acquire(&format!("contender {who}")).await else {
            world.turn(who).await;
            continue;
        };
        believe(Some(asked + TERMS.ttl));
        // who slept between the last request and the answer holds a lease that is over
        if world.now() < asked + TERMS.ttl {
            beliefs.borrow_mut().fences.push(tenure.fence);
        }
        let mut asked = None;
        for _ in 0..habit % 6 {
            world.turn(who).await;
            let since = *asked.get_or_insert(world.now());
            match log.renew(&mut tenure).await {
                Ok(true) => {
                    believe(Some(since + TERMS.ttl));
                    asked = None;
                }
                Ok(false) => break,
                Err(_) => {}
            }
        }
        believe(None);
        let dies = habit >= 192;
        if !dies {
            let _ = log.release(&tenure).await;
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        12 => Just(Fault::None),
        1 => Just(Fault::Refused),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Conflict),
        1 => Just(Fault::Late),
    ]
}

fn passing() -> impl Strategy<Value = Duration> {
    prop_oneof![
        8 => Just(0),
        8 => 1..1_500_u64,
        2 => 1_500..5_000_u64,
        1 => 9_000..14_000_u64,
    ]
    .prop_map(Duration::from_millis)
}

fn steps(contenders: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0..contenders, passing(), fault(), prop::bool::weighted(0.1))
        .prop_map(|(who, passes, fault, arrives)| Step { who, passes, fault, arrives });
    // turns in a row, so that a contender gets far while others stand still
    let stretch = (step, 1..25_usize).prop_map(|(step, count)| vec![step; count]);
    prop::collection::vec(stretch, 10..80).prop_map(|stretches| stretches.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn there_is_never_more_than_one_holder_and_the_lock_is_always_had_again(
        (habits, schedule) in (2..=4_usize).prop_flat_map(|contenders| {
            (prop::collection::vec(prop::collection::vec(any::<u8>(), 5), contenders), steps(contenders))
        }),
    ) {
        let world = Arc::new(World::default());
        let beliefs = Shared::default();
        beliefs.borrow_mut().until.resize(habits.len(), None);
        let players = habits.iter().enumerate();
        let players = players.map(|(who, habits)| -> Pin<Box<dyn Future<Output = ()>>> {
            Box::pin(contend(Arc::clone(&world), who, habits.clone(), Rc::clone(&beliefs)))
        });
        let mut stage = Stage::new(&world, players.collect());
        for step in schedule {
            stage.step(step);
            prop_assert!(beliefs.borrow().holders(world.now()) <= 1, "{:?} at {:?}", beliefs.borrow(), world.now());
        }
        let before = beliefs.borrow().fences.len();
        for turn in 0..200 * habits.len() {
            let (who, passes) = (turn % habits.len(), Duration::from_millis(300));
            stage.step(Step { who, passes, fault: Fault::None, arrives: true });
            prop_assert!(beliefs.borrow().holders(world.now()) <= 1, "{:?} at {:?}", beliefs.borrow(), world.now());
        }
        let fences = beliefs.borrow().fences.clone();
        prop_assert!(fences.len() > before + 2, "nobody could take the lock any more");
        prop_assert!(fences.is_sorted_by(|a, b| a < b), "{fences:?}");
    }
}

fn take(world: &Arc<World>, who: usize, faults: &[Fault]) -> Claim {
    finish(world, who, faults, log_of(world, who).acquire(&format!("contender {who}"))).unwrap()
}

fn taken(world: &Arc<World>, who: usize, faults: &[Fault]) -> Tenure {
    match take(world, who, faults) {
        Claim::Ours(tenure) => tenure,
        Claim::Busy(holder) => panic!("held by {holder:?}"),
    }
}

fn is_busy(world: &Arc<World>, who: usize) -> bool {
    matches!(take(world, who, &[]), Claim::Busy(_))
}

#[test]
fn a_lost_answer_is_recognised_as_ours_and_a_conflict_about_nothing_is_tried_again() {
    for fault in [Fault::AnswerLost, Fault::Conflict, Fault::Refused, Fault::Late] {
        let world = Arc::new(World::default());
        // the first request lists an empty log, the second creates the entry
        let tenure = taken(&world, 0, &[Fault::None, fault]);
        assert_eq!(tenure.fence, 0, "{fault:?}");
        finish(&world, 9, &[], async { world.arrive().await });
        assert!(is_busy(&world, 1), "{fault:?}");
        let mut tenure = tenure;
        assert!(finish(&world, 0, &[fault], log_of(&world, 0).renew(&mut tenure)).unwrap(), "{fault:?}");
        finish(&world, 0, &[fault], log_of(&world, 0).release(&tenure)).unwrap();
        assert_eq!(taken(&world, 1, &[]).fence, 3, "{fault:?}");
    }
}

#[test]
fn a_lease_is_taken_over_when_it_has_expired_by_the_stores_clock_and_not_before() {
    let world = Arc::new(World::default());
    world.advance(Duration::from_millis(900));
    let mut first = taken(&world, 0, &[]);
    world.advance(TERMS.ttl + Duration::from_millis(1500));
    assert!(is_busy(&world, 1), "stamps are whole seconds: it may be younger than it looks");
    world.advance(TERMS.margin);
    let second = taken(&world, 1, &[]);
    assert!(second.fence > first.fence);
    assert!(!finish(&world, 0, &[], log_of(&world, 0).renew(&mut first)).unwrap());
    finish(&world, 0, &[], log_of(&world, 0).release(&first)).unwrap();
    assert!(is_busy(&world, 2), "who lost a lease cannot free it");
}

#[test]
fn who_sleeps_while_old_entries_are_removed_does_not_take_a_number_that_is_free_again() {
    let world = Arc::new(World::default());
    let mut sleeper = taken(&world, 0, &[]);
    finish(&world, 0, &[], log_of(&world, 0).release(&sleeper)).unwrap();
    // has listed the log and found it free, and is about to take number 2
    let log = log_of(&world, 1);
    let mut slow = std::pin::pin!(log.acquire("slow"));
    for _ in 0..3 {
        let pending = slow.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
        assert!(pending);
        world.let_through(1, Fault::None);
    }
    let mut busy = taken(&world, 2, &[]);
    for _ in 0..40 {
        assert!(finish(&world, 2, &[], log_of(&world, 2).renew(&mut busy)).unwrap());
    }
    assert!(!finish(&world, 0, &[], log_of(&world, 0).renew(&mut sleeper)).unwrap(), "number 1 was removed long ago");
    let claim = finish(&world, 1, &[], slow).unwrap();
    assert!(matches!(claim, Claim::Busy(_)), "{claim:?}");
}

#[test]
fn the_log_of_a_long_tenure_stays_short_and_of_a_free_lock_one_entry_is_left() {
    let world = Arc::new(World::default());
    let mut tenure = taken(&world, 0, &[]);
    for _ in 0..50 {
        assert!(finish(&world, 0, &[], log_of(&world, 0).renew(&mut tenure)).unwrap());
    }
    let storage = Storage::leasing(Arc::new(world.seat(0)), TERMS);
    let names = || finish(&world, 0, &[], storage.list("leases/group/log")).unwrap();
    let found = names();
    assert_eq!((found.len(), &found[0][..]), (17, "leases/group/log/00000000000000000000.json"));
    let holder = finish(&world, 0, &[], log_of(&world, 0).holder()).unwrap().unwrap();
    assert_eq!((holder.by.as_str(), holder.since.map(|since| since.micros())), ("contender 0", Some(0)));
    finish(&world, 0, &[], log_of(&world, 0).release(&tenure)).unwrap();
    assert_eq!(names(), ["leases/group/log/00000000000000000051.json"]);
    assert_eq!(taken(&world, 1, &[]).fence, 52);
}
