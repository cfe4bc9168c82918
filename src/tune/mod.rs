//! Parameter optimisation: search spaces, samplers, studies and what is learnt from them.
//!
//! | part | what it does |
//! |---|---|
//! | [`space`] | what may be tried: ranges, grids, choices and conditions |
//! | [`trial`] | one proposal and what became of it |
//! | [`sampler`] | (space, history, pending points, trial number, seed) -> next point |
//! | [`pruner`] | whether a running trial is worth the folds it has left |
//! | [`study`] | runs trials on a fixed-lag schedule as an argmin `Solver` |
//! | [`importance`] | which parameters mattered |
//! | [`plot`] | pictures of a study, as SVG |
//! | [`plateau`] | whether the best trial has good neighbours |
//!
//! A study is a pure function of its space, its configuration and its objective: the number of threads, the timing and
//! interruptions change nothing. *Not* guaranteed: equal trial lists across versions of [`sampler::STREAM_VERSION`].

#[doc(hidden)]
pub mod bench_functions;
pub mod importance;
pub mod plateau;
pub mod plot;
pub mod pruner;
pub mod sampler;
pub mod space;
pub mod study;
pub mod trial;

pub use sampler::{SamplerConfig, SamplerError, SamplerKind};
pub use space::{Distribution, ParamValue, Parameter, Params, SearchSpace, SpaceError, SpaceFile};
pub use study::{
    Cause, Direction, NoObserver, Study, StudyCheckpoint, StudyConfig, StudyObserver, StudyState, TuneError, run_study,
};
pub use trial::{Evaluation, Proposal, Trial, TrialState};
