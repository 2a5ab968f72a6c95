//! Work on single parameters, spread over threads.

use rayon::prelude::*;

/// Stores the result of a job.
pub(crate) type Store<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Work on one parameter, whatever its rank.
pub(crate) type Job<'a, S> = Box<dyn FnOnce() -> Store<S> + Send + 'a>;

/// Runs the jobs in parallel and stores their results in order.
///
/// The update of a parameter is a chain of small operations, too short to parallelise each.
pub(crate) fn run<S>(jobs: Vec<Job<'_, S>>, stored: &mut S) {
    let results: Vec<Store<S>> = jobs.into_par_iter().map(|job| job()).collect();
    results.into_iter().for_each(|store| store(stored));
}
