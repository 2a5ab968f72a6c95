//! `glauber sample`.

use std::io::Write;

use anyhow::{Context, ensure};
use glauber_chain::DrawControls;
use glauber_pixels::PixelCodec;
use indicatif::ProgressBar;

use crate::arguments::SampleFlags;
use crate::device::device;
use crate::film::Film;
use crate::images;
use crate::markov::Source;
use crate::sampling::{Sampling, check_count, summary};
use crate::trained::Trained;

/// Draws sequences and prints them.
pub fn sample(flags: &SampleFlags) -> anyhow::Result<()> {
    let controls = flags.draw.controls()?;
    check_count("--count", flags.count)?;
    let trained = Trained::load(&flags.run, &device(&flags.draw.device)?)?;
    if let Some(codec) = images::codec(&trained.config.data)? {
        return sheet(flags, controls, &trained, &codec);
    }
    ensure!(flags.out.is_none(), "`--out`: {} was not trained on images", flags.run.display());
    let sampling = Sampling::from_flags(&trained, controls, &flags.sampler)?;
    let conditional = trained.conditional_of(sampling.schedule(), &flags.class)?;
    let source = Source::of(&trained.config.data, flags.class.class)?;
    let bar = ProgressBar::new(sampling.steps() as u64);
    let mut progress = |steps: usize| bar.set_position(steps as u64);
    let (sequences, done) = sampling.draw(conditional.as_ref(), flags.count, flags.draw.seed, &mut progress)?;
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    for (row, tokens) in sequences.iter().enumerate() {
        write!(out, "--- sample {} (seed {}, step {}", row + 1, flags.draw.seed, trained.state.step)?;
        if let Some(source) = &source {
            let log_probability = source.log_probability(tokens) / tokens.len() as f64;
            write!(out, ", {log_probability:.4} nats per token under its source")?;
        }
        writeln!(out, ")\n{}", trained.render(tokens)?)?;
    }
    eprintln!("{}", summary(done, flags.count));
    Ok(())
}

/// Draws images and writes them on one sheet.
fn sheet(flags: &SampleFlags, controls: DrawControls, trained: &Trained, codec: &PixelCodec) -> anyhow::Result<()> {
    let out = flags.out.as_ref().context("images are written to a file: give `--out FILE.png`")?;
    let [rows, columns] = flags.grid.unwrap_or([flags.count.div_ceil(8), flags.count.min(8)]);
    let count = flags.grid.map_or(flags.count, |_| rows * columns);
    check_count("--grid", count)?;
    let sampling = Sampling::from_flags(trained, controls, &flags.sampler)?;
    let conditional = trained.conditional_of(sampling.schedule(), &flags.class)?;
    let mut chains = sampling.start(count, flags.draw.seed);
    let film = flags.animate.as_deref().map(|path| Film::new(path, codec, columns)).transpose()?;
    let done = Film::shoot(film, &sampling, conditional.as_ref(), &mut chains)?;
    images::write_sheet(&images::decode(codec, chains.tokens().iter())?, columns, out)?;
    eprintln!("{}", summary(done, count));
    println!("{}", out.display());
    Ok(())
}
