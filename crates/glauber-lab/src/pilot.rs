//! How long a step takes, before a run begins.

use std::time::Instant;

use glauber_run::Opened;
use glauber_run::training::Training;

/// Steps before the speed is measured, and as many over which it is.
const STEPS: usize = 20;

/// How many optimiser steps of a new run fit into some seconds, from a pilot in a scratch folder.
pub fn steps_within(training: &Training<'_>, opened: &Opened, seconds: f64) -> anyhow::Result<usize> {
    let scratch = tempfile::tempdir()?;
    let mut pilot = Training { folder: scratch.path(), ..*training }.run(opened, &mut |_| ())?;
    let mut steps = || (0..STEPS).try_for_each(|_| pilot.train_step(&*opened.train).map(|_| ()));
    steps()?;
    let started = Instant::now();
    steps()?;
    let pace = STEPS as f64 / started.elapsed().as_secs_f64();
    Ok(((pace * seconds) as usize).max(training.config.train.warmup_steps + 1))
}
