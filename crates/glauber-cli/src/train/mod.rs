//! `glauber train`: what its kinds share.

mod classifier;
mod image;
mod image_data;
mod image_tokenizer;
mod markov;
mod sudoku;
mod text;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use glauber_program::device::{Devices, device};
use glauber_program::outputs::check_apart;
use glauber_program::progress::{outlive_terminal, say};
use glauber_program::{Layers, TrainFlags, Training, expect_single};
use glauber_run::training::{new_run, resumed};
use glauber_run::{Rank, RunConfig};

use crate::arguments::TrainWhat;
use crate::ranks;

/// Where data that are drawn would keep tokens: they keep none.
const CACHE: &str = "runs/cache";

/// Trains what the command names, among ranks where there are several.
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
            Begun::of(&flags.train, Some("sudoku"), cache, ranks, || sudoku::config(flags))?.train(cache, ranks)
        }
        TrainWhat::Data(flags) => {
            let config = || Layers::new("", &flags.train)?.finish();
            Begun::of(&flags.train, None, &flags.cache, ranks, config)?.train(&flags.cache, ranks)
        }
    }
}

/// A run that flags begin or resume: its configuration, folder and device.
struct Begun<'a> {
    config: RunConfig,
    folder: PathBuf,
    device: Device,
    flags: &'a TrainFlags,
}

impl<'a> Begun<'a> {
    /// The run that is resumed, of a `kind`; or a new one on data that lie apart from folder and cache.
    fn of(
        flags: &'a TrainFlags,
        kind: Option<&str>,
        cache: &Path,
        ranks: &Rank,
        config: impl FnOnce() -> anyhow::Result<RunConfig>,
    ) -> anyhow::Result<Self> {
        let device = device(&flags.device)?;
        if flags.resume {
            let (config, folder) = resumed(flags.run.as_deref(), kind, ranks)?;
            return Ok(Self { config, folder, device, flags });
        }
        let mut config = config()?;
        let name = match kind {
            Some("sudoku") => format!("sudoku-{}", config.data.shape().grid.map_or(0, |[side, _]| side)),
            _ => config.data.name().to_owned(),
        };
        let folder = new_run(flags.run.as_deref(), &name)?;
        if let Some(data) = config.data.resolved(&device, &mut say)? {
            config.data = data;
        }
        check_apart(("--run", &folder), &config.data.reads())?;
        check_apart(("--cache", cache), &config.data.reads())?;
        Ok(Self { config, folder, device, flags })
    }

    fn training<'b>(&'b self, ranks: &'b Rank) -> Training<'b> {
        let Self { config, folder, device, flags } = self;
        Training { config, folder, device, flags, ranks }
    }

    fn train(&self, cache: &Path, ranks: &Rank) -> anyhow::Result<()> {
        let training = self.training(ranks);
        training.run(&training.open(cache)?)?;
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        say(&format!("run folder: {}", self.folder.display()));
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
