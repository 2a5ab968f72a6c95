//! `glauber sample`.

use std::io::Write;

use indicatif::ProgressBar;

use crate::arguments::SampleFlags;
use crate::device::device;
use crate::markov::Source;
use crate::sampling::{Sampling, check_count, summary};
use crate::trained::Trained;

/// Draws sequences and prints them.
pub fn sample(flags: &SampleFlags) -> anyhow::Result<()> {
    let controls = flags.draw.controls()?;
    check_count("--count", flags.count)?;
    let trained = Trained::load(&flags.run, &device(&flags.draw.device)?)?;
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
