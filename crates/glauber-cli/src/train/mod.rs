//! `glauber train`: what its kinds share.

pub mod classifier;
pub mod image;
mod image_data;
pub mod image_tokenizer;
pub mod markov;
pub mod sudoku;
mod text;

use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::module::Module;
use burn::tensor::Device;
use glauber_train::{DataConfig, Flow, RunCodec, RunConfig, Surroundings, Trainer, Vocabulary};

use crate::arguments::{TrainFlags, TrainWhat};
use crate::device::{Devices, replicas};
use crate::folders::open_run;
use crate::progress::{Journal, Outcome, Progress, outlive_terminal, say, stop_on_interrupt};
use crate::ranks::{self, Rank};

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
        flags.run = Some(ranks::told(ranks)?);
        flags.resume = true;
    }
    Ok(())
}

/// Configuration and folder of a run to be continued.
pub fn resumed(flags: &TrainFlags) -> anyhow::Result<(RunConfig, PathBuf)> {
    let folder = flags.run.clone().context("`--resume` needs `--run DIR`")?;
    Ok((open_run(&folder)?.config()?, folder))
}

/// The folder of a new run: `--run`, or the first free `runs/NAME-001`, `runs/NAME-002`, …
pub fn new_run(flags: &TrainFlags, name: &str) -> anyhow::Result<PathBuf> {
    free_run(flags.run.as_deref(), name)
}

/// As [`new_run`], with `--run` itself.
fn free_run(run: Option<&Path>, name: &str) -> anyhow::Result<PathBuf> {
    let numbered = |n: usize| PathBuf::from(format!("runs/{name}-{n:03}"));
    let free = || (1..).map(numbered).find(|path| !path.exists());
    run.map(Path::to_path_buf).or_else(free).context("no free name in `runs/`: give `--run DIR`")
}

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
    if ranks.size() > 1 && ranks.is_first() {
        // Before there is a folder that the others could not be told.
        folder.to_str().with_context(|| format!("`--run {}`: several ranks need a Unicode name", folder.display()))?;
    }
    let trainer = match (ranks.is_first(), flags.resume) {
        (false, _) => Trainer::join(folder, device, threads)?,
        (true, true) => Trainer::resume(folder, device, threads)?,
        (true, false) => Trainer::begin(config.clone(), vocabulary, codec, folder, device, threads)?,
    };
    if ranks.size() > 1 && ranks.is_first() {
        ranks::tell(ranks, folder)?;
        let (size, micro_batches) = (ranks.size(), config.train.micro_batches);
        if !micro_batches.is_multiple_of(size) {
            tracing::warn!(
                "{micro_batches} micro-batches do not divide among {size} ranks: some wait for others at each step; a new run with `--set \
                 train.micro_batches={size}`, or a multiple, uses them all"
            );
        }
    }
    ranks.share(trainer)
}

/// Trains with a progress bar; says how it ended.
fn run(trainer: &mut Trainer, around: &Surroundings<'_>, ranks: &Rank) -> anyhow::Result<Flow> {
    let train = trainer.config().train.clone();
    let model = &trainer.config().model;
    say(&format!(
        "{:?} network of {} parameters, objective {}, {} sweeps, {} steps of {} sequences",
        model.network,
        trainer.network().num_params(),
        train.objective.name(),
        trainer.schedule().sweeps(),
        train.steps,
        train.batch
    ));
    let first = trainer.state().step;
    let journal = || Journal::begin(trainer.folder().path(), kind(&trainer.config().data), first, train.steps);
    let journal = ranks.is_first().then(journal);
    let mut progress = Progress::new(first, train.steps, stop_on_interrupt()?, journal);
    let flow = trainer.run(around, &mut progress);
    progress.finish(Outcome::of(&flow));
    let flow = flow?;
    let state = trainer.state();
    say(&format!("{} steps, {:.2} M tokens, {:.0} s", state.step, state.tokens as f64 / 1e6, state.seconds));
    if flow == Flow::Stop {
        let path = trainer.folder().path().display();
        say(&format!("stopped; continue with `--resume --run {path}`"));
    }
    Ok(flow)
}

/// What `glauber train` calls a run on these data.
fn kind(data: &DataConfig) -> &'static str {
    match data {
        DataConfig::Text { .. } => "text",
        DataConfig::Markov { .. } => "markov",
        DataConfig::Image(_) => "image",
        DataConfig::Sudoku { .. } => "sudoku",
    }
}
