//! Monitoring over time: what runs found out, kept as history, and what changed from one run to the next.
//!
//! A node that measures something lists it as [`Observation`]s in its JSON report, under the key `observations`. Reports
//! are content-addressed and runs are sealed, so that history is *derived*: a ledger that was lost is made again from the
//! store, equal to the bit, as long as the runs are kept; what was written down outlives them.
//!
//! *Not guaranteed*: nothing here judges. A verdict was reached by the node whose report it stands in; history repeats it.

mod alert;
mod change;
mod history;
mod observation;

pub use alert::{Alert, AlertRule, AlertsError, AlertsFile, Route, TopicName};
pub use change::{Standing, changed_by, standings};
pub use history::{HISTORY, HistoryRow, SeriesKey, by_series, from_table, sort_history, to_table};
pub use observation::{Observation, Topic, observations_of, with_observations};
