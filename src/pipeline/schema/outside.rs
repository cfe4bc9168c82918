//! What a run reads from outside, and whom it tells: `sources` and `notify`.

use serde_json::{Value, json};

use super::super::file::{PARTS, PATH_SCHEMAS};
use super::super::keys;
use super::pattern;
use super::references::with_references;
use super::shape::{any_of, described, flag, mapping, one_of, only, or, text, text_like, word};
use crate::base::schema;
use crate::market::ReadOptions;
use crate::registry::NAME_PATTERN;

/// A source.
pub(super) fn source() -> Value {
    let name = || json!({"type": "string", "pattern": NAME_PATTERN});
    let of_bars = [("path", text()), ("schema", only(&PATH_SCHEMAS, "ohlcv@1")), ("read", read())];
    let others: Vec<_> = PATH_SCHEMAS.iter().copied().filter(|(name, ..)| *name != "ohlcv@1").collect();
    let from_path = [("path", text()), ("schema", word(&others))];
    let model = [
        ("registry", name()),
        ("alias", or("champion", name())),
        ("part", or("model", only(&PARTS, "model"))),
        ("optional", flag(false)),
    ];
    let strategy = [
        ("registry", name()),
        ("alias", or("champion", name())),
        ("part", only(&PARTS, "strategy")),
        ("path", described("A strategy file that stands in until there is one.", text())),
        ("optional", flag(false)),
    ];
    one_of([
        described("Bars at a path.", mapping(keys::SOURCE, &["path", "schema"], of_bars)),
        described("What else is at a path.", mapping(keys::SOURCE, &["path", "schema"], from_path)),
        described("A registered model.", mapping(keys::SOURCE, &["registry"], model)),
        described("The strategy of a registered model.", mapping(keys::SOURCE, &["registry", "part"], strategy)),
    ])
}

/// How files become bars; any value may be a reference.
fn read() -> Value {
    let mut options = schema::of::<ReadOptions>().to_value();
    with_references(&mut options);
    options
}

/// An entry of `notify`.
pub(super) fn notify() -> Value {
    let argv = json!({"type": "array", "items": text(), "minItems": 1});
    one_of([
        described(
            "A POST to an address.",
            mapping(
                keys::NOTIFY,
                &["webhook"],
                [("when", condition()), ("webhook", text()), ("optional", flag(false))],
            ),
        ),
        described(
            "A program.",
            mapping(keys::NOTIFY, &["command"], [("when", condition()), ("command", argv), ("optional", flag(false))]),
        ),
    ])
}

/// A condition.
pub(super) fn condition() -> Value {
    any_of([text_like(pattern::CONDITION), json!({"type": "boolean"})])
}
