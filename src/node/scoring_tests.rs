//! Scoring and the paper account on shipped stocks: kinds run one after the other, as a trader's cron would run them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{InputArtifact, NodeContext, NodeError, NodeOutput, find_kind};
use crate::artifact::{Artifact, ArtifactType, Ledger, Payload, Scratch, Store, reference_to};
use crate::base::{CancelToken, Digest, Timestamp};
use crate::registry::{Registry, RegistryClient};
use crate::storage::Storage;
use crate::table::Table;

/// A store in memory, and who drives it.
struct Bench {
    runtime: tokio::runtime::Runtime,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let store = runtime.block_on(Store::over(Storage::in_memory())).unwrap();
        Self { runtime, store }
    }

    fn context(&self, inputs: &[(&str, &Artifact)], as_of: &str, txn: &str) -> NodeContext {
        let input = |artifact: &Artifact| {
            let (reference, _) = reference_to(artifact).unwrap();
            InputArtifact { reference, artifact: artifact.clone() }
        };
        let runtime = self.runtime.handle().clone();
        NodeContext {
            inputs: inputs.iter().map(|(name, artifact)| ((*name).to_owned(), input(artifact))).collect(),
            many: BTreeMap::new(),
            files: BTreeMap::new(),
            environment: Arc::new(|_| None),
            as_of: as_of.parse().unwrap(),
            cancel: CancelToken::new(),
            progress: Arc::new(|_, _, _| {}),
            log: Arc::new(|_| {}),
            registry: RegistryClient::new(
                Registry::new(self.store.clone()),
                runtime.clone(),
                Arc::new(|| Timestamp::from_micros(0)),
                txn,
                txn,
            ),
            ledger: Ledger::new(self.store.clone(), runtime.clone()),
            scratch: Scratch::new(self.store.clone(), runtime, Digest::of(txn.as_bytes())),
        }
    }

    fn run(&self, kind: &str, with: Value, inputs: &[(&str, &Artifact)], as_of: &str) -> Result<NodeOutput, NodeError> {
        let kind = find_kind(kind).unwrap();
        kind.run(&kind.normalise(&with).unwrap(), &self.context(inputs, as_of, as_of))
    }

    fn score(&self, with: Value, as_of: &str) -> Result<NodeOutput, NodeError> {
        let shop = shop();
        let inputs = [("bars", &shop.bars), ("strategy", &shop.strategy), ("model", &shop.model)];
        self.run("score", with, &inputs, as_of)
    }

    /// One evening: what came since the last session of the book is scored, and the account is kept.
    fn evening(&self, as_of: &str) -> Result<NodeOutput, NodeError> {
        self.evening_on(&shop().bars, json!({"book": "daily"}), as_of)
    }

    fn evening_on(&self, bars: &Artifact, paper: Value, as_of: &str) -> Result<NodeOutput, NodeError> {
        let shop = shop();
        let inputs = [("bars", bars), ("strategy", &shop.strategy), ("model", &shop.model)];
        let scored = self.run("score", json!({"book": "daily", "prediction": rules()}), &inputs, as_of)?;
        let inputs = [("bars", bars), ("strategy", &shop.strategy), ("scores", &scored.outputs.0["scores"])];
        self.run("paper", paper, &inputs, as_of)
    }
}

/// Rules that let a model have a say without dropping everything.
fn rules() -> Value {
    json!({"mode": "score_enhancement", "ml_weight": 0.5})
}

/// Bars, a strategy and a model trained on its signals until the end of 2011.
struct Shop {
    bars: Artifact,
    strategy: Artifact,
    model: Artifact,
    predictions: Artifact,
}

fn shop() -> &'static Shop {
    static SHOP: OnceLock<Shop> = OnceLock::new();
    SHOP.get_or_init(|| {
        let project = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let bytes = Bytes::from(std::fs::read(project.join("data/us5/us5_daily.parquet")).unwrap());
        let bars = Artifact::tree(ArtifactType::Bars, [("us5_daily.parquet".to_owned(), bytes)].into());
        let text = std::fs::read_to_string(project.join("configs/strategies/equity_breakout.yaml")).unwrap();
        let strategy = Artifact::file(ArtifactType::Strategy, text.into_bytes());
        let bench = Bench::new();
        let inputs = [("bars", &bars), ("strategy", &strategy)];
        let window = json!({"window": {"start": "2006-01-01"}});
        let with = json!({"universe": window, "label": {"overlap": true}});
        let signals = bench.run("accumulate", with, &inputs, "2012-01-01").unwrap();
        let with = json!({"model": {"kind": "logistic"}, "validation": {"train": 504, "test": 126, "step": 126}});
        let trained = bench.run("train", with, &[("data", &signals.outputs.0["signals"])], "2012-01-01").unwrap();
        let output = |name: &str| trained.outputs.0[name].clone();
        Shop { bars, strategy, model: output("model"), predictions: output("predictions") }
    })
}

fn table(output: &NodeOutput, port: &str) -> Table {
    match &output.outputs.0[port].payload {
        Payload::File(bytes) => Table::from_parquet(bytes.clone()).unwrap(),
        _ => panic!("no file"),
    }
}

fn value(output: &NodeOutput, name: &str) -> String {
    output.values.0[name].to_string()
}

/// What a trade is, to the last digit.
fn trades(output: &NodeOutput) -> Vec<String> {
    let table = table(output, "trades");
    let texts = |name: &str| table.texts(name).unwrap().to_vec();
    let bits = |name: &str| table.floats(name).unwrap().iter().map(|value| value.to_bits()).collect::<Vec<u64>>();
    let times = |name: &str| table.times(name).unwrap().to_vec();
    let (symbol, reason) = (texts("symbol"), texts("exit_reason"));
    let (entry, exit) = (times("entry_ts"), times("exit_ts"));
    let (quantity, at, out, pnl) = (bits("quantity"), bits("entry_price"), bits("exit_price"), bits("net_pnl"));
    let one = |row: usize| {
        let (symbol, entry, exit, reason) = (&symbol[row], entry[row], exit[row], &reason[row]);
        format!("{symbol} {entry} {exit} {reason} {} {} {} {}", quantity[row], at[row], out[row], pnl[row])
    };
    (0..table.rows()).map(one).collect()
}

/// Mondays of 2012, one in three weeks.
const EVENINGS: [&str; 8] =
    ["2012-01-10", "2012-01-24", "2012-02-14", "2012-03-06", "2012-04-03", "2012-05-01", "2012-06-05", "2012-07-10"];

#[test]
fn a_book_kept_evening_by_evening_agrees_with_the_backtest_over_the_same_dates_trade_for_trade() {
    let (bench, shop) = (Bench::new(), shop());
    let kept: Vec<NodeOutput> = EVENINGS.iter().map(|as_of| bench.evening(as_of).unwrap()).collect();
    let last = kept.last().unwrap();
    assert_eq!((value(last, "agrees"), value(last, "differences")), ("true".to_owned(), "0".to_owned()));
    let first = Timestamp::from_micros(table(last, "equity").times("ts").unwrap()[0]);
    let with =
        json!({"universe": {"window": {"start": first.date()}}, "prediction": rules(), "intervals": {"resamples": 9}});
    let inputs = [("bars", &shop.bars), ("strategy", &shop.strategy), ("model", &shop.model)];
    let backtest = bench.run("backtest", with, &inputs, EVENINGS[7]).unwrap();
    assert!(trades(last).len() > 5, "{}", last.summary);
    assert_eq!(trades(last), trades(&backtest));
    let equity = |output: &NodeOutput| {
        let table = table(output, "equity");
        let rows = table.times("ts").unwrap().iter().zip(table.floats("equity").unwrap());
        rows.map(|(ts, equity)| (*ts, equity.to_bits())).collect::<BTreeMap<i64, u64>>()
    };
    // the backtest begins with the first signal, the account with the first session
    let (paper, backtest) = (equity(last), equity(&backtest));
    assert!(backtest.iter().all(|(ts, bits)| paper[ts] == *bits));
}

#[test]
fn a_repeat_adds_nothing_and_gives_the_same_bytes() {
    let bench = Bench::new();
    bench.evening(EVENINGS[0]).unwrap();
    let first = bench.evening(EVENINGS[1]).unwrap();
    let second = bench.evening(EVENINGS[1]).unwrap();
    assert_eq!((value(&first, "decision"), value(&second, "decision")), ("appended".into(), "nothing-to-do".into()));
    for port in ["trades", "equity", "candidates", "orders"] {
        assert_eq!(first.outputs.0[port], second.outputs.0[port], "{port}");
    }
    assert_eq!(value(&second, "entries"), "2");
    // a window before the last one is computed again, and adds nothing to a past
    let before = bench.evening(EVENINGS[0]).unwrap();
    assert_eq!((value(&before, "decision"), value(&before, "entries")), ("nothing-to-do".into(), "1".into()));
    let between = bench.run("score", json!({"sessions": 3}), &inputs(), "2012-01-17").unwrap();
    let shop = shop();
    let inputs = [("bars", &shop.bars), ("strategy", &shop.strategy), ("scores", &between.outputs.0["scores"])];
    let refused = bench.run("paper", json!({"book": "daily", "on_gap": "miss"}), &inputs, "2012-01-17").unwrap_err();
    assert!(refused.to_string().contains("nothing can be added before that"), "{refused}");
}

fn inputs() -> [(&'static str, &'static Artifact); 3] {
    let shop = shop();
    [("bars", &shop.bars), ("strategy", &shop.strategy), ("model", &shop.model)]
}

#[test]
fn of_two_evenings_at_once_one_writes_and_both_tell_the_same() {
    let bench = Bench::new();
    bench.evening(EVENINGS[0]).unwrap();
    let found: Vec<NodeOutput> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..3).map(|_| scope.spawn(|| bench.evening(EVENINGS[1]).unwrap())).collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    assert!(found.iter().all(|it| it.outputs.0["equity"] == found[0].outputs.0["equity"]));
    assert_eq!(value(&bench.evening(EVENINGS[1]).unwrap(), "entries"), "2");
}

#[test]
fn prices_that_were_changed_since_are_noticed_and_a_missed_session_is_named() {
    let bench = Bench::new();
    for as_of in &EVENINGS[..4] {
        bench.evening(as_of).unwrap();
    }
    let refused = bench.evening_on(&dearer(), json!({"book": "daily"}), EVENINGS[4]).unwrap_err().to_string();
    assert!(refused.contains("do not give what the book `daily` has on record"), "{refused}");
    let shop = shop();
    let scored = bench.score(json!({"sessions": 1, "prediction": rules()}), EVENINGS[4]).unwrap();
    let inputs = [("bars", &shop.bars), ("strategy", &shop.strategy), ("scores", &scored.outputs.0["scores"])];
    let refused = bench.run("paper", json!({"book": "daily"}), &inputs, EVENINGS[4]).unwrap_err().to_string();
    assert!(refused.contains("the session 2012-03-06 was never scored"), "{refused}");
    let missed = bench.run("paper", json!({"book": "daily", "on_gap": "miss"}), &inputs, EVENINGS[4]).unwrap();
    assert_eq!(value(&missed, "decision"), "appended");
    assert_eq!(value(&bench.evening(EVENINGS[5]).unwrap(), "agrees"), "true");
}

/// The bars with every price of one day and before it a tenth higher, as an adjustment leaves them.
fn dearer() -> Artifact {
    let files = InputArtifact { reference: reference_to(&shop().bars).unwrap().0, artifact: shop().bars.clone() }
        .files()
        .unwrap();
    let request = crate::market::BarsRequest {
        symbols: None,
        from: None,
        until: "2013-03-05".parse().unwrap(),
        on_bad_bar: crate::market::OnBadBar::default(),
    };
    let bars = crate::market::load_bars(&files, &request).unwrap().bars;
    let mut csv = "symbol,ts,open,high,low,close,volume\n".to_owned();
    for series in &bars.series {
        for row in 0..series.len() {
            let ts = Timestamp::from_micros(bars.sessions[series.session[row] as usize]);
            let factor = if series.symbol == "AAPL" && ts < "2012-02-01".parse().unwrap() { 1.1 } else { 1.0 };
            let [open, high, low, close] =
                [&series.open, &series.high, &series.low, &series.close].map(|column| factor * column[row]);
            let day = ts.date();
            csv.push_str(&format!("{},{day},{open},{high},{low},{close},{}\n", series.symbol, series.volume[row]));
        }
    }
    Artifact::tree(ArtifactType::Bars, [("bars.csv".to_owned(), Bytes::from(csv))].into())
}

#[test]
fn a_model_is_not_asked_about_what_it_learnt_from_unless_allowed_and_then_everything_says_so() {
    let bench = Bench::new();
    let long = json!({"sessions": 1500, "max_staleness": "4000d"});
    let refused = bench.score(long.clone(), "2012-02-01").unwrap_err().to_string();
    assert!(
        refused.contains("lie in the training span of a model") && refused.contains("allow_in_sample"),
        "{refused}"
    );
    let mut allowed = long;
    allowed["allow_in_sample"] = json!(true);
    let marked = bench.score(allowed, "2012-02-01").unwrap();
    assert!(marked.summary.contains("IN SAMPLE"), "{}", marked.summary);
    assert!(table(&marked, "scores").texts("source").unwrap().iter().any(|source| source == "in_sample"));
    let with = |allow: bool| json!({"allow_in_sample": allow, "intervals": {"resamples": 9}, "prediction": {"max_missing_share": 1.0}});
    let honest = bench.run("backtest", with(false), &inputs(), "2012-02-01").unwrap();
    assert_eq!(value(&honest, "in_sample"), "0");
    let flattered = bench.run("backtest", with(true), &inputs(), "2012-02-01").unwrap();
    assert!(flattered.summary.contains("IN SAMPLE"), "{}", flattered.summary);
    assert!(table(&flattered, "trades").texts("ml_source").unwrap().iter().any(|source| source == "in_sample"));
}

#[test]
fn features_that_a_model_needs_and_the_signals_lack_are_named() {
    let error = Bench::new().score(json!({"features": "alpha158"}), "2012-02-01").unwrap_err().to_string();
    assert!(error.contains("needs: ") && error.contains("rsi"), "{error}");
}

#[test]
fn bars_that_end_early_are_refused_with_their_day() {
    let error = Bench::new().score(json!({}), "2014-01-01").unwrap_err().to_string();
    assert!(error.contains("the newest bar is of 2013-03-01") && error.contains("max_staleness"), "{error}");
}

#[test]
fn limits_on_positions_of_a_model_hold_end_to_end() {
    let (bench, shop) = (Bench::new(), shop());
    let inputs = [("bars", &shop.bars), ("strategy", &shop.strategy), ("predictions", &shop.predictions)];
    let run = |limits: Value| {
        let with = json!({"prediction": {"mode": "replace", "max_missing_share": 1.0}, "limits": limits, "intervals": {"resamples": 9}});
        bench.run("backtest", with, &inputs, "2012-01-01").unwrap()
    };
    let free = json!({"max_ml_positions": null, "max_ml_position_size": null, "daily_ml_loss_limit": null});
    let limited = |name: &str, value: Value| {
        let mut limits = free.clone();
        limits[name] = value;
        limits
    };
    let most = |output: &NodeOutput| table(output, "equity").ints("positions").unwrap().iter().max().copied().unwrap();
    assert!(most(&run(free.clone())) > 1);
    let states = |output: &NodeOutput| table(output, "candidates").texts("state").unwrap().to_vec();
    let one = run(limited("max_ml_positions", json!(1)));
    assert!(states(&one).iter().any(|state| state == "ml_slots_full"));
    let small = run(limited("max_ml_position_size", json!(0.02)));
    let trades = table(&small, "trades");
    // signals too new to be labelled have no probability, and are not the model's
    let by_model = trades.floats("ml_prob").unwrap().iter().zip(trades.texts("caps").unwrap());
    let caps: Vec<&String> = by_model.filter(|(p, _)| !p.is_nan()).map(|(_, caps)| caps).collect();
    assert!(!caps.is_empty() && caps.iter().all(|caps| caps.contains("ml_position_size")), "{caps:?}");
    let careful = run(limited("daily_ml_loss_limit", json!(0.0)));
    assert!(states(&careful).iter().any(|state| state == "ml_loss_limit"));
}

#[test]
fn a_scale_never_makes_a_position_larger() {
    let (bench, shop) = (Bench::new(), shop());
    let inputs = [("bars", &shop.bars), ("strategy", &shop.strategy), ("predictions", &shop.predictions)];
    let first = |enabled: bool| {
        let with = json!({
            "prediction": {"mode": "replace", "max_missing_share": 1.0},
            "limits": {"max_ml_positions": null, "max_ml_position_size": null, "daily_ml_loss_limit": null},
            "sizing": {"ml_scale": {"enabled": enabled, "min": 0.25, "max": 1.0}},
            "intervals": {"resamples": 9},
        });
        let output = bench.run("backtest", with, &inputs, "2012-01-01").unwrap();
        let table = table(&output, "trades");
        let rows = table.times("entry_ts").unwrap().iter().zip(table.texts("symbol").unwrap());
        let quantity = table.floats("quantity").unwrap().to_vec();
        let by_entry: BTreeMap<(i64, String), f64> = rows.map(|(ts, it)| (*ts, it.clone())).zip(quantity).collect();
        by_entry.into_iter().next().unwrap()
    };
    let (plain, scaled) = (first(false), first(true));
    assert_eq!(plain.0, scaled.0, "the same signal is the first");
    assert!(scaled.1 < plain.1, "{} {}", scaled.1, plain.1);
}

#[test]
fn orders_have_ids_that_a_repeat_repeats() {
    let bench = Bench::new();
    bench.evening(EVENINGS[0]).unwrap();
    let read = |output: &NodeOutput| match &output.outputs.0["orders"].payload {
        Payload::Tree(files) => serde_json::from_slice::<Value>(&files["orders.json"]).unwrap(),
        _ => panic!("no folder"),
    };
    let kept: Vec<Value> = EVENINGS[1..6].iter().map(|as_of| read(&bench.evening(as_of).unwrap())).collect();
    let orders: Vec<&Value> = kept.iter().flat_map(|it| it["orders"].as_array().unwrap()).collect();
    assert!(!orders.is_empty());
    assert!(orders.iter().all(|order| order["id"].as_str().unwrap().starts_with("wf-")));
    let repeated = read(&bench.evening(EVENINGS[5]).unwrap());
    assert_eq!(repeated["orders"], kept[4]["orders"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn without_weight_or_threshold_a_model_changes_nothing(sessions in 5_u32..60) {
        let bench = Bench::new();
        let rows = |prediction: Value| {
            let output = bench.score(json!({"sessions": sessions, "prediction": prediction}), "2012-07-10").unwrap();
            let table = table(&output, "scores");
            let rows = table.times("ts").unwrap().iter().zip(table.texts("symbol").unwrap());
            let score = table.floats("score").unwrap().iter().zip(table.floats("ml_score").unwrap());
            rows.zip(score).map(|((ts, it), (s, m))| (*ts, it.clone(), s.to_bits(), m.to_bits())).collect::<Vec<_>>()
        };
        let unweighted = rows(json!({"mode": "score_enhancement", "ml_weight": 0.0}));
        prop_assert!(unweighted.iter().all(|(_, _, score, ranked)| score == ranked));
        let filtered = rows(json!({"mode": "filter", "confidence_threshold": 0.0}));
        prop_assert_eq!(unweighted, filtered);
    }

    #[test]
    fn neither_later_bars_nor_the_number_of_threads_change_a_decision(back in 1_usize..5, threads in 1_usize..5) {
        let bench = Bench::new();
        let (early, late) = (EVENINGS[2 + back - 1], EVENINGS[7]);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let rows = |sessions: u32, as_of: &str| {
            let output = bench.score(json!({"sessions": sessions, "prediction": rules()}), as_of).unwrap();
            let table = table(&output, "scores");
            let names: Vec<(i64, String)> =
                table.times("ts").unwrap().iter().copied().zip(table.texts("symbol").unwrap().iter().cloned()).collect();
            let bits = table.floats("ml_score").unwrap().iter().map(|it| it.to_bits()).collect::<Vec<u64>>();
            names.into_iter().zip(bits).collect::<BTreeMap<_, _>>()
        };
        let then = rows(20, early);
        let now = pool.install(|| rows(160, late));
        prop_assert!(then.iter().all(|(place, bits)| now.get(place) == Some(bits)), "{then:?}");
    }
}
