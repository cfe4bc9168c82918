//! Features at signals: the same columns, by the same code, for the table that a model learns from and for what it scores.

use crate::feature::{FeatureFrame, FeatureSet};
use crate::market::Bars;
use crate::node::NodeError;
use crate::strategy::{Candidate, Signals, Strategy};

/// Columns of features: name, formula, and a value a place.
pub(super) type FeatureColumns = Vec<(String, String, Vec<f64>)>;

/// Features of a set and of a strategy's own triggers, as they are known at the close of the signal bar.
pub(super) struct SignalFeatures {
    own: Vec<OwnFeature>,
}

impl SignalFeatures {
    /// The features that a strategy gives: of the breakout both channels, of rules what they declare; of either the stop.
    pub(super) fn of(strategy: &Strategy) -> Self {
        type Pick = fn(&Candidate, f64) -> f64;
        let breakout: [(&str, &str, Pick); 4] = [
            ("trigger_fast", "1 if the fast channel was broken", |it, _| f64::from(u8::from(it.fast))),
            ("trigger_slow", "1 if the slow channel was broken", |it, _| f64::from(u8::from(it.slow))),
            ("fast_clearance", "close / fast channel - 1", |it, _| it.fast_clearance),
            ("slow_clearance", "close / slow channel - 1", |it, _| it.slow_clearance),
        ];
        let stop: (&str, &str, Pick) = ("stop_distance", "(close - stop) / close", |it, close| {
            it.stop.map_or(f64::NAN, |stop| (close - stop) / close)
        });
        let own = |(name, doc, pick): (&str, &str, Pick)| OwnFeature {
            name: name.to_owned(),
            doc: doc.to_owned(),
            of: Own::Candidate(pick),
        };
        let triggers = breakout.into_iter().filter(|_| strategy.breakout().is_some()).map(own);
        let declared = strategy.features().into_iter().enumerate();
        let declared = declared.map(|(at, (name, doc))| OwnFeature { name, doc, of: Own::Declared(at) });
        // a strategy without a stop has no distance to it
        let has_stop = strategy.rules().is_none_or(|rules| rules.file().stop.is_some());
        Self { own: triggers.chain(declared).chain(has_stop.then(|| own(stop))).collect() }
    }

    /// The columns at each place, a symbol and a position in its list of candidates: those of the set first.
    ///
    /// # Errors
    /// A formula reads a column that the bars do not have.
    pub(super) fn columns(
        &self,
        set: &FeatureSet,
        bars: &Bars,
        found: &Signals,
        places: &[(usize, u32)],
    ) -> Result<FeatureColumns, NodeError> {
        let frames: Vec<FeatureFrame> = set.compute(bars).map_err(NodeError::failed)?;
        let candidate = |&(symbol, at): &(usize, u32)| &found.symbols[symbol].candidates[at as usize];
        let mut columns = FeatureColumns::new();
        for (index, spec) in set.specs().iter().enumerate() {
            let values = places.iter().map(|place| frames[place.0].columns[index][candidate(place).row as usize]);
            columns.push((spec.name.to_string(), spec.formula.to_string(), values.collect()));
        }
        for feature in &self.own {
            let values = places.iter().map(|place| match feature.of {
                Own::Candidate(pick) => {
                    let candidate = candidate(place);
                    pick(candidate, bars.series[place.0].close[candidate.row as usize])
                }
                Own::Declared(at) => found.symbols[place.0].features[at][place.1 as usize],
            });
            columns.push((feature.name.clone(), feature.doc.clone(), values.collect()));
        }
        Ok(columns)
    }
}

/// A feature that the strategy itself gives, known at the signal.
struct OwnFeature {
    name: String,
    doc: String,
    of: Own,
}

/// Where a strategy's own feature comes from.
enum Own {
    /// The candidate and the close of its bar.
    Candidate(fn(&Candidate, f64) -> f64),
    /// A declared feature, by its place among them.
    Declared(usize),
}
