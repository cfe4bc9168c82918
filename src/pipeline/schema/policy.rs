//! How nodes and runs are carried out: `retry`, `timeout`, `pool`, `cache`, `defaults`, `schedule` and `concurrency`.

use serde_json::{Value, json};

use super::super::policy::{CACHE_MODES, FAILURE_CLASSES, ON_CONFLICT, Retry, WAIT_TIMEOUT};
use super::super::{Schedule, keys};
use super::pattern;
use super::shape::{any_of, count, described, duration, duration_text, flag, list, mapping, only, or, text, word};

/// `defaults`.
pub(super) fn defaults() -> Value {
    mapping(keys::DEFAULTS, &[], fields())
}

/// The keys that a node and `defaults` share.
pub(super) fn fields() -> [(&'static str, Value); 4] {
    [("retry", retry()), ("timeout", duration()), ("pool", text()), ("cache", or(CACHE_MODES[0].0, word(&CACHE_MODES)))]
}

fn retry() -> Value {
    let standard = Retry::default();
    let classes = FAILURE_CLASSES.iter().filter(|(_, class, _)| standard.retry_on.contains(class));
    let classes: Vec<&str> = classes.map(|(name, ..)| *name).collect();
    let backoff = [
        ("initial", or(duration_text(standard.initial), duration())),
        ("factor", or(standard.factor, json!({"type": "number", "minimum": 1}))),
        ("max", or(duration_text(standard.max), duration())),
        ("jitter", flag(standard.jitter)),
    ];
    let long = [
        ("max_attempts", or(standard.max_attempts, count())),
        ("backoff", mapping(keys::BACKOFF, &[], backoff)),
        ("retry_on", or(classes, list(word(&FAILURE_CLASSES)))),
    ];
    any_of([
        described("Attempts in all, the first included.", count()),
        described("Attempts, pauses between them, and what is tried again.", mapping(keys::RETRY, &[], long)),
    ])
}

/// `schedule`.
pub(super) fn schedule() -> Value {
    let cron = json!({"type": "string", "pattern": pattern::CRON, "examples": ["0 0 * * 0", "30 6 * * 1-5"]});
    let zone = json!({"type": "string", "enum": Schedule::zone_names(), "default": "UTC"});
    mapping(keys::SCHEDULE, &["cron"], [("cron", cron), ("timezone", zone), ("max_lateness", duration())])
}

/// `concurrency`.
pub(super) fn concurrency() -> Value {
    let fields = [
        ("group", text()),
        ("on_conflict", or("fail", word(&ON_CONFLICT))),
        ("wait_timeout", or(duration_text(WAIT_TIMEOUT), duration())),
    ];
    let mut shape = mapping(keys::CONCURRENCY, &[], fields);
    shape["if"] = json!({"required": ["wait_timeout"]});
    shape["then"] = json!({"required": ["on_conflict"], "properties": {"on_conflict": only(&ON_CONFLICT, "wait")}});
    shape
}
