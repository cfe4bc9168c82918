//! Why a model says what it says.
//!
//! | question | answer | file |
//! |---|---|---|
//! | what does each feature add to this row? | SHAP values | `shapley.rs` |
//! | what does the model say as a feature moves? | partial dependence, ICE, accumulated local effects | `dependence.rs` |
//!
//! All of it describes the model, not the market: a feature can matter to a model that is worth nothing.

mod dependence;
mod quadrature;
mod shapley;
#[cfg(test)]
mod tests;

pub use dependence::{Curve, CurvePoint, dependence};
pub use shapley::{Shapley, shapley};
