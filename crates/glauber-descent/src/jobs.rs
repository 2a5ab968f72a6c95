//! Work on single parameters, spread over threads.

use rayon::prelude::*;

/// Puts what a job came to where it belongs.
pub(crate) type Store<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Work on one parameter, whatever its rank.
pub(crate) type Job<'a, S> = Box<dyn FnOnce() -> Store<S> + Send + 'a>;

/// Runs the jobs side by side and stores their results in their order.
///
/// A parameter's update is a chain of small operations, each too short to be split itself.
pub(crate) fn run<S>(jobs: Vec<Job<'_, S>>, stored: &mut S) {
    let results: Vec<Store<S>> = jobs.into_par_iter().map(|job| job()).collect();
    results.into_iter().for_each(|store| store(stored));
}
