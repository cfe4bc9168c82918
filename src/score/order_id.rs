//! Ids of orders.

use crate::base::Digest;

/// The id of an order: the first 24 digits of the SHA-256 of what it is about. The same order has the same id in every run, so
/// that a broker that is sent it twice can see that it is one. A stop that moves keeps its id: it changes the working order.
///
/// `signal` is the time of the signal in microseconds since 1970-01-01 UTC; `kind` and `side` are words of the tables.
pub fn order_id(book: &str, kind: &str, symbol: &str, side: &str, signal: i64) -> String {
    // the lengths keep a name with a separator in it from taking the place of another
    let text = format!("{}:{book}|{kind}|{}:{symbol}|{side}|{signal}", book.len(), symbol.len());
    format!("wf-{}", &Digest::of(text.as_bytes()).to_string()[..24])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn whatever_differs_gives_another_id_and_nothing_else_does() {
        let ids: BTreeSet<String> = ["a", "b"]
            .iter()
            .flat_map(|book| ["entry", "stop"].map(|kind| (*book, kind)))
            .flat_map(|(book, kind)| ["AAPL", "MSFT"].map(|symbol| (book, kind, symbol)))
            .flat_map(|(book, kind, symbol)| [0, 1].map(|at| order_id(book, kind, symbol, "long", at)))
            .collect();
        assert_eq!(ids.len(), 16);
        assert_eq!(order_id("a", "entry", "AAPL", "long", 7), order_id("a", "entry", "AAPL", "long", 7));
        assert_ne!(order_id("a|entry", "x", "A", "long", 7), order_id("a", "entry|x", "A", "long", 7));
    }
}
