//! A search says so when it found nothing but luck, and when it found something.

use super::*;
use crate::market::{Bars, Series};
use crate::tune::{NoObserver, Proposal};

const SESSIONS: usize = 1100;

/// Daily bars of four symbols whose log returns are normal. With an `edge`, a close at a 20-session high is followed by
/// ten sessions that rise by so many standard deviations each; without, nothing can be known and nothing is to be earned.
fn market(edge: f64, seed: u64) -> Bars {
    const SPREAD: f64 = 0.012;
    let series = |symbol: u64| {
        let mut stream = Seed::new(seed).index(symbol).stream();
        let mut close: Vec<f64> = vec![100.0];
        let (mut open, mut high, mut low) = (vec![100.0], vec![100.5], vec![99.5]);
        let mut rising = 0_u32;
        while close.len() < SESSIONS {
            let last = close[close.len() - 1];
            let window = &close[close.len().saturating_sub(21)..close.len() - 1];
            if close.len() > 21 && rising == 0 && window.iter().all(|before| *before < last) {
                rising = 10;
            }
            let lift = if rising > 0 { edge * SPREAD } else { 0.0 };
            rising = rising.saturating_sub(1);
            // the mean of the simple return is 0 without an edge
            let next = last * libm::exp(lift - 0.5 * SPREAD * SPREAD + SPREAD * stream.normal());
            let reach = 0.3 * SPREAD * stream.uniform();
            open.push(last);
            high.push(next.max(last) * (1.0 + reach));
            low.push(next.min(last) * (1.0 - reach));
            close.push(next);
        }
        let (session, volume) = ((0..SESSIONS as u32).collect(), vec![1e7; SESSIONS]);
        Series { symbol: format!("S{symbol}"), session, open, high, low, close, volume, ..Series::default() }
    };
    let day = |session: usize| session as i64 * crate::base::MICROS_PER_DAY;
    Bars { sessions: (0..SESSIONS).map(day).collect(), series: (0..4).map(series).collect(), periods_per_year: 252.0 }
}

fn searched(edge: f64, seed: u64, trials: u64) -> (Study, overfitting::Overfitting) {
    let config: OptimizeConfig = serde_json::from_value(json!({
        "objective": {"metric": "sharpe", "min_trades": 10},
        "space": {
            "entry.fast_clearance": {"float": [0.0, 0.02]},
            "entry.slow_clearance": {"float": [0.005, 0.025]},
            "exit.hard_stop_atr_mult": {"float": [1.5, 4.0]},
            "exit.exit_ma": {"choice": [10, 20, 50]},
            "eligibility.trend_ma": {"choice": [20, 50, 100]},
        },
        "trials": trials,
        "seed": seed,
        "validation": {"train": 200, "folds": 5, "embargo": 0, "holdout": 100},
    }))
    .unwrap();
    let (bars, strategy) = (market(edge, seed), Strategy::default());
    let layout = Layout::of(&(0..SESSIONS as u32), &config.validation()).unwrap();
    let (direction, pruner) = (config.direction(), config.pruner());
    let rules = Rules { objective: &config.objective, direction, pruner, seed: config.study().seed };
    let objective = Objective::new(&bars, &strategy, &layout, rules);
    let space = config.space.clone().unwrap().check().unwrap();
    let evaluate = |proposal: &Proposal| objective.evaluate(proposal);
    let cancel = crate::base::CancelToken::new();
    let study = run_study(&space, &config.study(), &[], &evaluate, &mut NoObserver, None, &cancel).unwrap();
    let stopped: Vec<f64> =
        study.trials().iter().filter_map(|trial| trial.attributes.get(PERIOD_SHARPE).copied()).collect();
    let searched = Searched {
        returns: &objective.returns(),
        stopped: &stopped,
        trials: study.trials().iter().filter(|trial| trial.value.is_some()).count(),
        best: study.best().unwrap().number,
        periods_per_year: 252.0,
    };
    let found = overfitting::measure(&searched, Seed::new(seed), &cancel).unwrap();
    (study, found)
}

#[test]
fn a_market_without_an_edge_is_seen_through() {
    let found: Vec<overfitting::Overfitting> = (0..20).map(|seed| searched(0.0, seed, 30).1).collect();
    let luck = found.iter().filter(|found| found.dsr.is_none_or(|dsr| dsr < 0.95));
    assert!(luck.count() >= 19);
    // of markets without skill, the winner in sample is in the worse half out of sample about as often as not
    let pbo: Vec<f64> = found.iter().filter_map(|found| found.pbo).collect();
    let mean = crate::stats::sum::mean(&pbo).unwrap();
    println!("PBO at least 0.5 in {} of 20, mean {mean:.2}", pbo.iter().filter(|pbo| **pbo >= 0.5).count());
    assert!(pbo.len() == 20 && mean > 0.45, "{pbo:?}");
}

#[test]
fn a_planted_edge_passes() {
    for seed in 0..2 {
        let (study, found) = searched(0.5, seed, 30);
        assert!(found.dsr.unwrap() > 0.95 && found.spa_p.unwrap() < 0.05, "{found:?}");
        assert!(study.best().unwrap().value.unwrap() > 1.0);
    }
}
