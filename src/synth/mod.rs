//! A synthetic market whose truth is known: prices of a factor model with a planted edge and, if wanted, a planted drift.
//!
//! One step is a bar of `dt` trading days; log prices move by
//! `mu dt + beta_i m_t + gamma_i s_t + e_t + jumps + episode`, where
//!
//! - market, sector and own shocks are Student-t with `df` degrees, times volatilities whose logarithm is AR(1); that of the
//!   market is raised in stress, a two-state Markov regime;
//! - jumps are Poisson, of the market and of single names;
//! - daily bars have `overnight_share` of their variance in the gap before the open; high and low follow the law of the
//!   extremes of a Brownian bridge between open and close;
//! - volume grows with the move and with volatility, has AR(1) noise, and follows the shape of a U within a day.
//!
//! **The edge.** A close above the highest high of the `breakout_n` bars before, outside a running episode, starts one. With
//! probability `p_true` it is a true breakout: that bar's volume is multiplied by about `vol_true`, and the next `horizon`
//! bars drift up. Else the volume is as usual and they drift down. Nothing but volume on the signal bar tells them apart.
//!
//! **The drift**, from a share `drift_frac` of the sample on: see [`DriftKind`].
//!
//! Symbols are made one by one from streams of their own, so that memory is bounded by a few symbols and any number of
//! threads gives the same bytes. Version 1 of the generator; a change of a number is a new version.
//!
//! # References
//! Bailey (1994), Polar generation of random variates with the t-distribution.

mod market;
mod params;
mod symbol;
mod write;

pub use params::{BarSize, DriftKind, PRESETS, ParamError, Params};
pub use symbol::{Episode, SymbolBars};
pub use write::{SynthError, Truth, bars_table, episodes_table, generate};
