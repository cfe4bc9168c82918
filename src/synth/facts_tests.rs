use super::*;

/// Every symbol's bars, and the truth.
fn market(preset: &str, settings: &[&str]) -> (Vec<SymbolBars>, Truth) {
    let params = settings.iter().fold(Params::preset(preset).unwrap(), |params, one| params.set(one).unwrap());
    let mut made = Vec::new();
    let (truth, _) = generate(&params, &mut |_, _, bars| {
        made.push(bars.clone());
        Ok(())
    })
    .unwrap();
    (made, truth)
}

fn returns(bars: &SymbolBars) -> Vec<f64> {
    bars.values[3].windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn moment(values: &[f64], power: i32) -> f64 {
    let centre = mean(values);
    values.iter().map(|value| (value - centre).powi(power)).sum::<f64>() / values.len() as f64
}

fn correlation(left: &[f64], right: &[f64]) -> f64 {
    let (a, b) = (mean(left), mean(right));
    let covariance = left.iter().zip(right).map(|(x, y)| (x - a) * (y - b)).sum::<f64>() / left.len() as f64;
    covariance / (moment(left, 2) * moment(right, 2)).sqrt()
}

#[test]
fn the_sample_has_the_volatility_the_tails_and_the_correlation_of_shares() {
    let of_seed = |seed: u64| {
        let (made, _) = market("sample", &[&format!("seed={seed}"), "symbols=10"]);
        let all: Vec<Vec<f64>> = made.iter().map(returns).collect();
        let volatility = mean(&all.iter().map(|one| (moment(one, 2) * 252.0).sqrt()).collect::<Vec<_>>());
        let kurtosis = mean(&all.iter().map(|one| moment(one, 4) / moment(one, 2).powi(2) - 3.0).collect::<Vec<_>>());
        let pairs = (0..all.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        let correlations: Vec<f64> = pairs.map(|(i, j)| correlation(&all[i], &all[j])).collect();
        [volatility, kurtosis, mean(&correlations)]
    };
    let seeds: Vec<[f64; 3]> = (1..=4).map(of_seed).collect();
    let [volatility, kurtosis, correlation] =
        [0, 1, 2].map(|fact| mean(&seeds.iter().map(|s| s[fact]).collect::<Vec<_>>()));
    // one draw of the reference generator has .30, 7 and .35; stress comes and goes, so that draws differ by a quarter
    assert!((0.26..0.40).contains(&volatility), "{volatility}");
    assert!((3.5..12.0).contains(&kurtosis), "{kurtosis}");
    assert!((0.28..0.48).contains(&correlation), "{correlation}");
}

#[test]
fn the_sample_has_the_dates_and_as_many_breakouts_as_the_reference() {
    let (_, truth) = market("sample", &[]);
    assert_eq!((truth.bars, truth.drift_bar), (2520, Some(1764)));
    assert_eq!(truth.drift_date.map(|date| date.date()), Some("2018-10-05".to_owned()));
    assert_eq!(truth.last.date(), "2021-08-27");
    assert!((1700..2400).contains(&truth.episodes), "{}", truth.episodes);
}

#[test]
fn volume_tells_the_kind_until_the_drift_and_the_opposite_after_it() {
    let oracle = |preset: &str| market(preset, &[]).1.oracle_auc_volume_vs_kind;
    // two normals .8755 apart with a standard deviation of .35 each: Phi(.8755 / (.35 sqrt 2)) = .9615
    let near = |found: Option<f64>, expected: f64, tolerance: f64| (found.unwrap() - expected).abs() < tolerance;
    let flip = oracle("concept");
    assert!(near(flip.before, 0.9615, 0.02) && near(flip.after, 1.0 - 0.9615, 0.03), "{flip:?}");
    let vanish = oracle("vanish");
    assert!(near(vanish.before, 0.9615, 0.02) && near(vanish.after, 0.5, 0.08), "{vanish:?}");
    let null = oracle("null");
    assert!(near(null.before, 0.5, 0.05) && null.after.is_none(), "{null:?}");
}

#[test]
fn true_breakouts_rise_and_false_ones_fall() {
    let (made, _) = market("stationary", &[]);
    let outcome = |wanted: bool| {
        let moves = made.iter().flat_map(|bars| {
            let close = &bars.values[3];
            let ends = bars.episodes.iter().filter(move |e| e.is_true == wanted && e.bar + 12 < close.len());
            ends.map(|e| (close[e.bar + 12] / close[e.bar]).ln())
        });
        mean(&moves.collect::<Vec<_>>())
    };
    // 12 bars of .26 sigma, sigma about .018
    assert!((0.03..0.09).contains(&outcome(true)), "{}", outcome(true));
    assert!((-0.09..-0.03).contains(&outcome(false)), "{}", outcome(false));
}

#[test]
fn a_covariate_drift_widens_the_market_and_nothing_else_does() {
    let ratio = |preset: &str| {
        let (made, _) = market(preset, &[]);
        let sides = made.iter().map(|bars| {
            let all = returns(bars);
            (moment(&all[1764..], 2) / moment(&all[..1763], 2)).sqrt()
        });
        mean(&sides.collect::<Vec<_>>())
    };
    assert!((1.65..1.95).contains(&ratio("covariate")), "{}", ratio("covariate"));
    assert!((0.9..1.1).contains(&ratio("stationary")), "{}", ratio("stationary"));
}

#[test]
fn every_bar_is_possible_and_minutes_have_the_shape_of_a_day() {
    let (made, truth) = market("minute_tiny", &["years=0.04"]);
    assert_eq!(truth.bars, 10 * 390);
    for bars in &made {
        let [open, high, low, close, volume] = &bars.values;
        for row in 0..open.len() {
            assert!(low[row] > 0.0 && low[row] <= open[row].min(close[row]));
            assert!(high[row] >= open[row].max(close[row]) && volume[row] >= 1.0);
        }
        let at = |slots: std::ops::Range<usize>| {
            let of_day = (0..10).flat_map(|day| slots.clone().map(move |slot| day * 390 + slot));
            mean(&of_day.map(|row| volume[row]).collect::<Vec<_>>())
        };
        assert!(at(0..20) > 1.5 * at(180..210) && at(370..390) > 1.5 * at(180..210));
    }
}

#[test]
fn a_market_is_its_seed_and_nothing_else() {
    let one = || market("sample", &["symbols=9", "years=1"]);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(pool.install(one), one());
    let (other, _) = market("sample", &["symbols=9", "years=1", "seed=43"]);
    assert_ne!(other, one().0);
    // more symbols change none of the first
    let (fewer, _) = market("sample", &["symbols=3", "years=1"]);
    assert_eq!(fewer, one().0[..3]);
}
