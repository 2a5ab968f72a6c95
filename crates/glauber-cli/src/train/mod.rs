//! `glauber train`: what its kinds share.

pub mod classifier;
pub mod image;
mod image_data;
pub mod image_tokenizer;
pub mod markov;
pub mod sudoku;
mod text;

use std::path::Path;

use burn::tensor::Device;
use glauber_run::Rank;
use glauber_run::training::Beginning;
use glauber_train::{RunCodec, RunConfig, Trainer, Vocabulary};

use crate::arguments::{TrainFlags, TrainWhat};
use crate::device::{Devices, replicas};
use crate::progress::{outlive_terminal, say};
use crate::ranks;

/// Trains what the command names, among ranks where there are several.
pub fn train(mut what: TrainWhat) -> anyhow::Result<()> {
    outlive_terminal()?;
    let Some(flags) = what.run_flags() else {
        ranks::expect_single()?;
        return train_what(&what, &Rank::alone());
    };
    let devices = Devices::of(&flags.device, true);
    ranks::together(&devices, |ranks, device| {
        let mut what = what.clone();
        if let Some(flags) = what.run_flags() {
            take_part(flags, device, ranks)?;
        }
        train_what(&what, ranks)
    })
}

fn train_what(what: &TrainWhat, ranks: &Rank) -> anyhow::Result<()> {
    match what {
        TrainWhat::Text(flags) => text::train(flags, ranks),
        TrainWhat::Markov(flags) => markov::train(flags, ranks),
        TrainWhat::Image(flags) => image::train(flags, ranks),
        TrainWhat::ImageTokenizer(flags) => image_tokenizer::train(flags),
        TrainWhat::Classifier(flags) => classifier::train(flags),
        TrainWhat::Sudoku(flags) => sudoku::train(flags, ranks),
    }
}

/// A rank but the first waits until that has begun or resumed the run, and reads all from its folder.
fn take_part(flags: &mut TrainFlags, device: &str, ranks: &Rank) -> anyhow::Result<()> {
    flags.device = device.into();
    if !ranks.is_first() {
        flags.run = Some(ranks.told()?);
        flags.resume = true;
    }
    Ok(())
}

/// The training of a run that the flags begin or resume.
fn trainer(
    config: &RunConfig,
    vocabulary: &Vocabulary,
    codec: Option<&dyn RunCodec>,
    folder: &Path,
    device: &Device,
    flags: &TrainFlags,
    ranks: &Rank,
) -> anyhow::Result<Trainer> {
    let threads = replicas(flags.threads, &flags.device, ranks.here);
    let beginning =
        Beginning { config, vocabulary, codec, folder, device, resume: flags.resume, steps: flags.steps, threads };
    Ok(beginning.trainer(ranks, &mut say)?)
}
