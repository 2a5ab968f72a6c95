//! `glauber sample`.

use std::io::Write;

use glauber_tokens::Codec;
use indicatif::ProgressBar;

use crate::arguments::SampleFlags;
use crate::device::device;
use crate::trained::{Trained, check_count, draw_sequences};

/// Draws texts and prints them.
pub fn sample(flags: &SampleFlags) -> anyhow::Result<()> {
    let controls = flags.draw.controls()?;
    check_count("--count", flags.count)?;
    let trained = Trained::load(&flags.run, &device(&flags.draw.device)?)?;
    let schedule = &trained.schedule;
    let bar = ProgressBar::new(schedule.sweeps() as u64);
    let sweeps = schedule.sweeps();
    let conditional = trained.conditional();
    let sequences = draw_sequences(&conditional, schedule, controls, flags.count, flags.draw.seed, |left| {
        bar.set_position((sweeps - left) as u64)
    })?;
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    for (row, tokens) in sequences.iter().enumerate() {
        writeln!(out, "--- sample {} (seed {}, step {})", row + 1, flags.draw.seed, trained.state.step)?;
        writeln!(out, "{}", trained.codec.decode(tokens)?)?;
    }
    Ok(())
}
