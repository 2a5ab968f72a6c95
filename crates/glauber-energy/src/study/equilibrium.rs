//! Means over chains in equilibrium.

use std::ops::Range;

use glauber_chain::ChainRng;
use glauber_chain::statistics::series_estimate;
use glauber_tokens::{Token, TokenBatch};
use rayon::prelude::*;

use super::{Model, StudySettings};
use crate::anneal::Watch;
use crate::{EnergyError, Result};

/// The mean of an observable.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Mean {
    /// What was measured.
    pub name: String,
    /// The mean.
    pub mean: f64,
    /// Its standard error, which accounts for the correlation of a chain.
    pub standard_error: f64,
    /// The integrated autocorrelation time, in updates.
    pub autocorrelation_time: f64,
    /// The exact mean, where it is known.
    pub exact: Option<f64>,
}

/// Times that a measurement tells its watcher how far it is.
const LOOKS: usize = 100;

/// A chain, its random numbers, and what was measured, shape `[observable][update]`.
struct Chain<'t> {
    tokens: &'t mut [Token],
    rng: ChainRng,
    series: Vec<Vec<f64>>,
}

/// Runs a chain from each start, and measures after every update. Also the states at the end. The watcher sees updates
/// of each chain, those before the first measurement included.
pub(super) fn measure(
    model: &Model,
    mut starts: TokenBatch,
    settings: &StudySettings,
    watch: &mut Watch<'_>,
) -> Result<(Vec<Mean>, TokenBatch)> {
    let run = |row: usize, chain: &mut Chain<'_>, updates: Range<usize>| -> Result<()> {
        for at in updates {
            model.update(row, chain.tokens, &mut chain.rng)?;
            if at >= settings.burn_in {
                for (observable, series) in model.observables.iter().zip(&mut chain.series) {
                    series.push((observable.measure)(chain.tokens));
                }
            }
        }
        Ok(())
    };
    let sites = starts.len();
    let begun = |(row, tokens)| Chain {
        tokens,
        rng: ChainRng::new(settings.seed ^ 0xe901, row as u64),
        series: vec![Vec::with_capacity(settings.updates); model.observables.len()],
    };
    let mut chains: Vec<Chain<'_>> = starts.as_mut_slice().chunks_exact_mut(sites).enumerate().map(begun).collect();
    let of = settings.burn_in + settings.updates;
    let mut done = 0;
    while done < of {
        let to = of.min(done + of.div_ceil(LOOKS));
        chains.par_iter_mut().enumerate().try_for_each(|(row, chain)| run(row, chain, done..to))?;
        done = to;
        if watch(done, of).is_break() {
            return Err(EnergyError::Stopped { done, of });
        }
    }
    let chains: Vec<Vec<Vec<f64>>> = chains.into_iter().map(|chain| chain.series).collect();
    let mean = |(at, observable): (usize, &super::Observable)| {
        let series: Vec<Vec<f64>> = chains.iter().map(|chain| chain[at].clone()).collect();
        let found = series_estimate(&series);
        Mean {
            name: observable.name.clone(),
            mean: found.estimate.mean,
            standard_error: found.estimate.standard_error,
            autocorrelation_time: found.autocorrelation_time,
            exact: observable.exact,
        }
    };
    Ok((model.observables.iter().enumerate().map(mean).collect(), starts))
}
