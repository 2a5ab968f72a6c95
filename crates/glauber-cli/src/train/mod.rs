//! `glauber train`: what its kinds share.

pub mod classifier;
pub mod image;
mod image_data;
pub mod image_tokenizer;
pub mod markov;
pub mod sudoku;
mod text;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use burn::module::Module;
use burn::tensor::Device;
use glauber_train::{DataConfig, Flow, FolderLock, Run, RunCodec, RunConfig, RunFolder, Surroundings, Vocabulary};

use crate::arguments::{TrainFlags, TrainWhat};
use crate::device::{Devices, replicas};
use crate::folders::{Kind, open_run};
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

/// Configuration and folder of a run to be continued, which `glauber train` calls a run of a `kind`. Whatever keeps it from going on is told
/// before there is work.
pub fn resumed(flags: &TrainFlags, kind: &str, ranks: &Rank) -> anyhow::Result<(RunConfig, PathBuf)> {
    let folder = flags.run.clone().context("`--resume` needs `--run DIR`")?;
    check_resumed(&folder, kind)?;
    let run = open_run(&folder)?;
    // The first rank has taken the folder when others look at it.
    if ranks.is_first() {
        FolderLock::check_untaken(&folder)?;
        run.check_config()?;
    }
    Ok((run.config()?, folder))
}

/// Checks that the run in a folder is of a kind, or names the command that resumes it.
fn check_resumed(folder: &Path, kind: &str) -> anyhow::Result<()> {
    let found = match Kind::of(folder) {
        Kind::Run => RunFolder::open(folder).and_then(|run| run.config()).map_or(kind, |config| kind_of(&config.data)),
        Kind::TokenizerRun => "image-tokenizer",
        Kind::FeatureNetwork => {
            bail!("`--run {}`: that is a classifier, whose training is not resumed: train a new one", folder.display())
        }
        Kind::Tokenizer => kind,
    };
    ensure!(
        found == kind,
        "`--run {0}`: that is a run of `train {found}`; resume it with `glauber train {found} --resume --run {0}`",
        folder.display()
    );
    Ok(())
}

/// Checks that the data of a new run are of a kind, or names the command that trains on them.
fn check_kind(data: &DataConfig, kind: &str) -> anyhow::Result<()> {
    let found = kind_of(data);
    ensure!(found == kind, "`data.kind` is \"{found}\": that is for `glauber train {found}`");
    Ok(())
}

/// The folder of a new run: `--run`, or the first free `runs/NAME-001`, `runs/NAME-002`, … Whether a run can begin there is told before
/// there is work.
pub fn new_run(flags: &TrainFlags, name: &str) -> anyhow::Result<PathBuf> {
    let folder = free_run(flags.run.as_deref(), name)?;
    let resume = if RunFolder::open(&folder).is_ok() { " (`--resume` continues the run that is there)" } else { "" };
    RunFolder::check_new(&folder).with_context(|| format!("`--run {}`{resume}", folder.display()))?;
    Ok(folder)
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
) -> anyhow::Result<Run> {
    let threads = replicas(flags.threads, &flags.device, ranks.here);
    if ranks.size() > 1 && ranks.is_first() {
        // Before there is a folder that the others could not be told.
        folder.to_str().with_context(|| format!("`--run {}`: several ranks need a Unicode name", folder.display()))?;
    }
    let trainer = match (ranks.is_first(), flags.resume) {
        (false, _) => Run::join(folder, device, threads)?,
        (true, true) => go_on(folder, flags.steps, device, threads)?,
        (true, false) => Run::begin(config.clone(), vocabulary, codec, folder, device, threads)?,
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

/// A run that goes on, made one of so many steps where that is asked for.
fn go_on(folder: &Path, steps: Option<usize>, device: &Device, threads: usize) -> anyhow::Result<Run> {
    let mut trainer = Run::resume(folder, device, threads)?;
    trainer.notes().iter().for_each(|note| tracing::warn!("{note}"));
    if let Some(steps) = steps {
        let of = trainer.config().train.steps;
        trainer.set_steps(steps).context("`--steps`")?;
        if steps != of {
            say(&format!("a run of {steps} steps from step {} on, of {of} before", trainer.state().step));
        }
    }
    Ok(trainer)
}

/// Trains with a progress bar; says how it ended.
fn run(trainer: &mut Run, around: &Surroundings<'_>, ranks: &Rank) -> anyhow::Result<Flow> {
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
    let journal = || Journal::begin(trainer.folder().path(), kind_of(&trainer.config().data), first, train.steps);
    let journal = ranks.is_first().then(journal);
    let stop = stop_on_interrupt()?;
    let mut progress = Progress::new(first, train.steps, stop.flag(), journal);
    let flow = trainer.run(around, &mut progress);
    progress.finish(Outcome::of(&flow));
    drop(stop);
    let flow = flow?;
    let state = trainer.state();
    say(&format!("{} steps, {:.2} M tokens, {:.0} s", state.step, state.tokens as f64 / 1e6, state.seconds));
    if flow == Flow::Stop {
        let (kind, path) = (kind_of(&trainer.config().data), trainer.folder().path().display());
        say(&format!("stopped; continue with `glauber train {kind} --resume --run {path}`"));
    }
    Ok(flow)
}

/// What `glauber train` calls a run on these data.
fn kind_of(data: &DataConfig) -> &'static str {
    match data {
        DataConfig::Text { .. } => "text",
        DataConfig::Markov { .. } => "markov",
        DataConfig::Image(_) => "image",
        DataConfig::Sudoku { .. } => "sudoku",
    }
}
