//! `glauber info`.

use std::io::Write;
use std::path::Path;

use burn::module::Module;
use glauber_model::{Network, Preset};
use glauber_train::{DataConfig, ImageConfig, ImageTokens, ImagesConfig, RunFolder};

use crate::arguments::InfoFlags;
use crate::device::device;

/// Tells of a run folder, of the run that a checkpoint belongs to, or of a preset.
pub fn info(flags: &InfoFlags) -> anyhow::Result<()> {
    match (&flags.preset, &flags.path) {
        (Some(preset), _) => preset_info(&preset.parse()?, flags),
        (None, Some(path)) => run_info(path),
        (None, None) => Ok(()), // refused by the flags
    }
}

/// Builds the network of a preset and counts its parameters.
fn preset_info(preset: &Preset, flags: &InfoFlags) -> anyhow::Result<()> {
    let config = preset.config();
    let network = Network::new(&config, flags.vocab, flags.length, 0, &device("cpu")?)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}: {:?} network of {} parameters, width {}, {} layers, {} heads, for {} tokens and sequences of {}",
        preset.name(),
        config.network,
        network.num_params(),
        config.width,
        config.layers,
        config.heads,
        flags.vocab,
        flags.length
    )?;
    Ok(())
}

fn run_info(path: &Path) -> anyhow::Result<()> {
    let folder = RunFolder::open(run_of(&std::path::absolute(path)?))?;
    let (config, vocabulary) = (folder.config()?, folder.vocabulary()?);
    let length = config.data.length();
    let parameters = Network::count_parameters(&config.model, vocabulary.size, length, &device("cpu")?)?;
    let schedule = folder.schedule()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "run         {}", folder.path().display())?;
    writeln!(out, "begun with  glauber {}, seed {}", vocabulary.version, config.seed)?;
    writeln!(out, "data        {}", describe(&config.data))?;
    writeln!(out, "vocabulary  {} tokens, sequences of {length}", vocabulary.size)?;
    writeln!(out, "network     {:?}, {parameters} parameters", config.model.network)?;
    writeln!(
        out,
        "chain       {} sweeps, {} steps, final signal {:.1e}",
        schedule.sweeps(),
        schedule.horizon(),
        schedule.final_signal()
    )?;
    writeln!(out, "objective   {}", config.train.objective.name())?;
    if let Some(line) = folder.metrics()?.last() {
        writeln!(
            out,
            "last loss   {:.4} nats per site held out, at step {} of {} after {:.0} s",
            line.loss, line.step, config.train.steps, line.seconds
        )?;
    }
    for checkpoint in folder.checkpoints()? {
        writeln!(out, "checkpoint  {}", checkpoint.path.display())?;
    }
    writeln!(out, "curves      {}", folder.picture().display())?;
    Ok(())
}

/// The run folder itself, or the one two levels above a checkpoint.
fn run_of(path: &Path) -> &Path {
    let above = path.parent().and_then(Path::parent);
    match above.filter(|_| path.join("state.toml").is_file()) {
        Some(run) => run,
        None => path,
    }
}

fn describe(data: &DataConfig) -> String {
    match data {
        DataConfig::Text { corpus, .. } => {
            let paths: Vec<String> = corpus.paths.iter().map(|path| path.display().to_string()).collect();
            format!("text: {}", paths.join(", "))
        }
        DataConfig::Markov { vocab, source_seed, classes, .. } => {
            let classes = if *classes > 1 { format!(", {classes} classes") } else { String::new() };
            format!("Markov source of {vocab} symbols, seed {source_seed}{classes}")
        }
        DataConfig::Image(image) => {
            let ImageConfig { height, width, classes, .. } = *image;
            let classes = if classes > 0 { format!(", {classes} classes told") } else { String::new() };
            let tokens = match &image.tokens {
                ImageTokens::Pixels { levels } => format!("in {levels} greys"),
                ImageTokens::Tokenizer(tokenizer) => {
                    let [rows, columns] = image.grid();
                    format!("as {rows}x{columns} tokens of {}", tokenizer.path.display())
                }
            };
            let images = match &image.images {
                ImagesConfig::Shapes { count, seed } => format!("{count} drawn shapes, seed {seed}"),
                ImagesConfig::Mnist { path } | ImagesConfig::Folder { path, .. } => path.display().to_string(),
            };
            format!("images, {height}x{width} {tokens}: {images}{classes}")
        }
        DataConfig::Sudoku { side } => format!("Sudoku grids, {side}x{side}"),
    }
}
