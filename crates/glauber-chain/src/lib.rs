#![doc = include_str!("../README.md")]
//! The seam is [`SiteConditional`]: something that knows the law of one site given all others. The [`HeatBath`] kernel redraws sites
//! from it. With a conditional that ignores the step this is ordinary Markov-chain Monte Carlo:
//!
//! With the conditionals of a noised data distribution, [`ReverseSampler`] drives the same kernel down a
//! [`Schedule`](glauber_schedule::Schedule), from noise to data:
//!
//! ```
//! use glauber_chain::{HeatBath, ReverseSampler, Sampler, oracles::MarkovSource};
//! use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
//!
//! let source = MarkovSource::random(27, 1, 2.0)?; // the data: a Markov chain over 27 tokens
//! let order = SiteOrder::permutation(32, 4, 0)?; // 32 sites, 4 sweeps
//! let schedule = Schedule::new(SignalShape::Cosine, order, NoiseLaw::uniform(27)?, 1e-3, false)?;
//! let sampler = ReverseSampler::new(&schedule, HeatBath::default());
//! let mut chains = sampler.start(10, 42); // 10 chains of noise, seed 42
//! sampler.sample(&source.conditional(&schedule)?, &mut chains)?;
//! assert!(chains.tokens().iter().all(|row| source.log_probability(row) > f64::NEG_INFINITY));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Three kernels undo a step: [`HeatBath`] redraws a site whatever stands there, [`Lazy`] draws from its posterior and mostly keeps the
//! token, [`MaximalCoupling`] keeps it as often as any can. A kernel of your own is a [`ReverseKernel`]: its law is all that [`ReverseSampler`] and [`LikelihoodBound`] need.
//! [`SkipAheadSampler`] runs the lazy chain, or another, and evaluates only when something has changed; what takes either sampler takes a [`Sampler`].
//! What compares chains with exact sources and baselines takes a [`Generator`].
//!
//! Every chain has its own [`ChainRng`], so it takes the same path in any batch and on any number of threads.

mod after_step;
mod blend;
mod bound;
mod chains;
mod conditional;
mod constrained;
mod controls;
mod coupling;
mod error;
mod flow;
mod forward;
mod generator;
mod guidance;
mod heat_bath;
mod kernel;
mod law_table;
mod lazy;
mod leak;
mod multi_spin;
pub mod oracles;
mod planned;
mod prior;
mod remask;
mod repair;
mod reverse;
mod rng;
mod sampler;
mod skip_ahead;
pub mod statistics;
mod tabled;
mod update;

pub use after_step::AfterStep;
pub use blend::Blend;
pub use bound::{BoundSampling, BoundTerms, ExactBound, LikelihoodBound, level_term};
pub use chains::Chains;
pub use conditional::{RowSites, SiteConditional, TokenRows};
pub use constrained::Constrained;
pub use controls::DrawControls;
pub use coupling::MaximalCoupling;
pub use error::{ChainError, Result};
pub use flow::Flow;
pub use forward::{corrupt, corrupt_at_levels, step};
pub use generator::{ChainGenerator, ExactGenerator, Generator, SequenceLaw};
pub use guidance::Guided;
pub use heat_bath::HeatBath;
pub use kernel::{Refusal, ReverseKernel, Steps, Touch};
pub use law_table::LawTable;
pub use lazy::{Lazy, predicted_changes};
pub use leak::own_token_leak;
pub use multi_spin::{MultiSpin, SpinBlock, SpinLaw};
pub use planned::{Plan, PlannedSampler};
pub use prior::{Seen, SitePrior};
pub use remask::{Remask, Remasking};
pub use repair::repair;
pub use reverse::ReverseSampler;
pub use rng::{ChainRng, ChainRngState};
pub use sampler::{Progress, Sampler, Watch};
pub use skip_ahead::{ChangesPerEvaluation, SkipAhead, SkipAheadSampler};
pub use update::StepDiagnostics;
