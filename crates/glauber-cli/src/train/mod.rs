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
use glauber_train::{Flow, RunCodec, RunConfig, Surroundings, Trainer, Vocabulary};

use crate::arguments::{TrainFlags, TrainWhat};
use crate::folders::open_run;
use crate::progress::{Progress, say, stop_on_interrupt};

/// Trains what the command names.
pub fn train(what: TrainWhat) -> anyhow::Result<()> {
    match what {
        TrainWhat::Text(flags) => text::train(&flags),
        TrainWhat::Markov(flags) => markov::train(&flags),
        TrainWhat::Image(flags) => image::train(&flags),
        TrainWhat::ImageTokenizer(flags) => image_tokenizer::train(&flags),
        TrainWhat::Classifier(flags) => classifier::train(&flags),
        TrainWhat::Sudoku(flags) => sudoku::train(&flags),
    }
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
) -> anyhow::Result<Trainer> {
    let threads = flags.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    Ok(match flags.resume {
        true => Trainer::resume(folder, device, threads)?,
        false => Trainer::begin(config.clone(), vocabulary, codec, folder, device, threads)?,
    })
}

/// Trains with a progress bar; says how it ended.
fn run(trainer: &mut Trainer, around: &Surroundings<'_>) -> anyhow::Result<Flow> {
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
    let mut progress = Progress::new(first, train.steps, stop_on_interrupt()?);
    let flow = trainer.run(around, &mut progress);
    progress.finish();
    let flow = flow?;
    let state = trainer.state();
    say(&format!("{} steps, {:.2} M tokens, {:.0} s", state.step, state.tokens as f64 / 1e6, state.seconds));
    if flow == Flow::Stop {
        let path = trainer.folder().path().display();
        say(&format!("stopped; continue with `--resume --run {path}`"));
    }
    Ok(flow)
}
