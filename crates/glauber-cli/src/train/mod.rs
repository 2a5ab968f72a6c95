//! `glauber train`: code common to its commands.

mod begun;
mod classifier;
mod energy;
mod image;
mod image_data;
mod image_tokenizer;
mod markov;
mod text;

use std::path::Path;

use anyhow::ensure;
use glauber_program::device::Devices;
use glauber_program::progress::outlive_terminal;
use glauber_program::{Layers, TrainFlags, expect_single, sudoku};
use glauber_run::{Rank, data_kinds};

use self::begun::Begun;
use crate::arguments::TrainWhat;
use crate::ranks;

/// Cache folder of generated data, which is unused.
const CACHE: &str = "runs/cache";

/// Runs the training command, on all ranks.
pub fn train(mut what: TrainWhat) -> anyhow::Result<()> {
    outlive_terminal()?;
    let Some(flags) = what.run_flags() else {
        expect_single()?;
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
        TrainWhat::Image(flags) => image::train(flags, ranks),
        TrainWhat::ImageTokenizer(flags) => image_tokenizer::train(flags),
        TrainWhat::Classifier(flags) => classifier::train(flags),
        TrainWhat::Markov(flags) => {
            let cache = Path::new(CACHE);
            Begun::of(&flags.train, Some("markov"), cache, ranks, || markov::config(flags))?.train(cache, ranks)
        }
        TrainWhat::Sudoku(flags) => {
            let cache = Path::new(CACHE);
            Begun::of(&flags.train, Some("sudoku"), cache, ranks, || sudoku(flags.side, &flags.train))?
                .train(cache, ranks)
        }
        TrainWhat::Energy(flags) => {
            let cache = Path::new(CACHE);
            Begun::of(&flags.train, Some("energy"), cache, ranks, || energy::config(flags))?.train(cache, ranks)
        }
        TrainWhat::Data(flags) => {
            let config = || {
                let layers = Layers::new("", &flags.train)?;
                ensure!(
                    layers.get("data.kind").is_some(),
                    "no data: give `--config FILE` with a table `[data]`, whose `kind` is one of {}",
                    data_kinds().join(", ")
                );
                layers.finish()
            };
            Begun::of(&flags.train, None, &flags.cache, ranks, config)?.train(&flags.cache, ranks)
        }
    }
}

/// Ranks after the first wait until it has started or resumed the run, and read everything from its folder.
fn take_part(flags: &mut TrainFlags, device: &str, ranks: &Rank) -> anyhow::Result<()> {
    flags.device = device.into();
    if !ranks.is_first() {
        flags.run = Some(ranks.receive_folder()?);
        flags.resume = true;
    }
    Ok(())
}
