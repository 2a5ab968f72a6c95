//! `glauber fidelity`: how good the samples of a run on images are.

mod draw;
mod judge;
mod report;

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use glauber_tokens::{Token, TokenBatch};
use glauber_train::DataConfig;
use indicatif::ProgressBar;

use crate::arguments::FidelityFlags;
use crate::device::device;
use crate::images::Pictures;
use crate::sampling::Sampling;
use crate::trained::Trained;
use draw::{Drawn, Labelled};
use judge::{Judge, Verdict};
use report::{Report, Row};

/// Most samples, and most images to compare with.
const MOST: usize = 1 << 20;

/// Draws samples, judges them beside held-out images and independent pixels, and prints the figures.
pub fn fidelity(flags: &FidelityFlags) -> anyhow::Result<()> {
    let controls = flags.draw.controls()?;
    let least = flags.neighbours.saturating_add(1).max(2);
    for (flag, count) in [("--count", flags.count), ("--reference", flags.reference)] {
        ensure!((least..=MOST).contains(&count), "`{flag}` is {count}, expected a number in {least}..={MOST}");
    }
    ensure!(flags.neighbours > 0, "`--neighbours` is 0, expected at least 1");
    let device = device(&flags.draw.device)?;
    let trained = Trained::load(&flags.run, &device)?;
    let not_images = || format!("{}: this run was not trained on images", flags.run.display());
    let DataConfig::Image(image) = &trained.config.data else { bail!(not_images()) };
    let codec = trained.pictures()?.with_context(not_images)?;
    let pictures = Pictures::open(image, &codec, trained.config.seed, &flags.cache)?;
    pictures.check(&trained.vocabulary, trained.path())?;
    let judge = Judge::load(flags, &pictures.class_names, &device)?;
    let sampling = Sampling::from_flags(&trained, controls, &flags.sampler)?;
    let seed = flags.draw.seed;
    let reference = Labelled::reference(&pictures.train, flags.reference, seed);
    let held_out = Labelled::held_out(&pictures.held_out, flags.count, seed);
    let independent = reference.independent(flags.count, seed);
    let samples = samples(flags, &trained, &sampling)?;
    let decode = |grids: &[Vec<Token>]| codec.decode_all(&TokenBatch::new(grids.concat(), codec.len())?);
    let data = judge.examine(&reference, &decode)?;
    let row = |name, labelled: &Labelled| -> anyhow::Result<Row> {
        let Verdict { features, recognition } = judge.examine(labelled, &decode)?;
        Row::new(name, &features, &data.features, recognition, flags.neighbours)
    };
    let rows = [
        row("samples", &samples.labelled)?,
        row("held-out images", &held_out)?,
        row("independent pixels", &independent)?,
    ];
    let report = Report::new(flags, &trained, &sampling, &judge, &samples, reference.len(), rows);
    if flags.json { report.print_json() } else { report.print(&pictures.class_names) }
}

/// Draws the samples, of every class as many as of any other, give or take one.
fn samples(flags: &FidelityFlags, trained: &Trained, sampling: &Sampling) -> anyhow::Result<Drawn> {
    let bar = ProgressBar::new(flags.count as u64);
    let started = Instant::now();
    let (labelled, evaluations) = draw::samples(flags, trained, sampling, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    Ok(Drawn { labelled, evaluations, seconds: started.elapsed().as_secs_f64() })
}
