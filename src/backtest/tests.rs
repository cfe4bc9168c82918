mod conformance;
mod golden;
mod laws;
mod oracle;
mod order;

pub(in crate::backtest) use conformance::{free, series, universe};
