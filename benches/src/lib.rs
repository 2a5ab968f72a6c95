//! Fixtures that several benchmarks share. The benchmarks themselves are in `benches/`.

#![doc(test(no_crate_inject))]

use glauber_chain::ChainError;
use glauber_chain::oracles::MarkovSource;
use glauber_schedule::{NoiseLaw, Schedule, ScheduleError, SignalShape, SiteOrder};

/// The allocator of the program, so that benchmarks allocate as it does.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A linear round-robin schedule with uniform noise.
///
/// # Errors
/// When a size is zero.
pub fn schedule(vocab: usize, len: usize, sweeps: usize) -> Result<Schedule, ScheduleError> {
    let order = SiteOrder::round_robin(len, sweeps)?;
    Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(vocab)?, 1e-3, false)
}

/// A random Markov source.
///
/// # Errors
/// When the vocabulary is empty.
pub fn source(vocab: usize) -> Result<MarkovSource, ChainError> {
    MarkovSource::random(vocab, 1, 3.0)
}

/// Compiles and runs the code of the README, which is in no package that is published.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(test)]
#[allow(clippy::disallowed_macros)] // a program, which prints
#[path = "../../examples/outside/src/main.rs"]
mod outside;

/// The package of `examples/outside`, which the gate builds on its own: a run on data and an objective that no crate knows.
#[cfg(test)]
#[test]
fn a_package_outside_names_trains_and_samples_what_is_its_own() {
    outside::main().expect("a run that has learned something");
}
