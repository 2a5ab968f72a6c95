//! `glauber info`.

use std::io::Write;
use std::path::Path;

use burn::module::Module;
use glauber_fidelity::FeatureNetwork;
use glauber_image::{QuantiserConfig, VqConfig, VqModel};
use glauber_model::{Network, Preset};
use glauber_program::device::device;
use glauber_program::screen;
use glauber_run::markov::MarkovData;
use glauber_run::{Kind, RunFolder, classifier, tokenizer_run};

use crate::arguments::InfoFlags;

/// Describes a run folder, the run of a checkpoint, a tokenizer, a feature network, or a preset.
pub fn info(flags: &InfoFlags) -> anyhow::Result<()> {
    match (&flags.preset, &flags.path) {
        (Some(preset), _) => preset_info(&preset.parse()?, flags),
        (None, Some(path)) => match Kind::of(path) {
            Kind::Run => run_info(path),
            Kind::TokenizerRun => tokenizer_run_info(path),
            Kind::Tokenizer => tokenizer_info(VqModel::load(path, &device("cpu")?)?.config()),
            Kind::FeatureNetwork => network_info(path),
        },
        (None, None) => Ok(()), // refused by the flags
    }
}

/// Builds the network of a preset and counts its parameters.
fn preset_info(preset: &Preset, flags: &InfoFlags) -> anyhow::Result<()> {
    let config = preset.config();
    let network = Network::new(&config, flags.vocab, flags.length, 0, &device("cpu")?)?;
    let mut out = screen::out();
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
    let mut out = screen::out();
    writeln!(out, "run         {}", folder.path().display())?;
    writeln!(out, "begun with  glauber {}, seed {}", vocabulary.version, config.seed)?;
    writeln!(out, "data        {}", config.data.describe())?;
    writeln!(out, "vocabulary  {} tokens, sequences of {length}", vocabulary.size)?;
    match (config.model.classes, &vocabulary.classes) {
        (0, _) => {}
        _ if config.data.get::<MarkovData>().is_some() => {} // numbers say all
        (classes, names) if names.is_empty() => {
            writeln!(out, "classes     0..{classes}, whose names the run does not keep")?;
        }
        (_, names) => {
            let named = names.iter().enumerate().map(|(number, name)| format!("{number} {name}"));
            writeln!(out, "classes     {}", named.collect::<Vec<_>>().join(", "))?;
        }
    }
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

fn tokenizer_run_info(path: &Path) -> anyhow::Result<()> {
    let (config, last) = tokenizer_run::look(path)?;
    let mut out = screen::out();
    writeln!(out, "run         {}, of an image tokenizer, seed {}", path.display(), config.seed)?;
    writeln!(out, "data        {}", config.data.images)?;
    tokenizer_info(&config.model)?;
    if let Some(line) = last {
        let (entries, steps) = (config.model.vocab_size(), config.train.steps);
        writeln!(
            out,
            "last        {}, at step {} of {steps} after {:.0} s",
            line.text(entries),
            line.step,
            line.seconds
        )?;
    }
    Ok(())
}

fn tokenizer_info(config: &VqConfig) -> anyhow::Result<()> {
    let (side, weights) = (config.image_size, VqModel::new(config, 0, &device("cpu")?)?.weights());
    let (grid, channels, vocab) = (side / config.factor(), config.channels, config.vocab_size());
    let quantiser = match &config.quantiser {
        QuantiserConfig::Codebook { .. } => "a codebook".into(),
        QuantiserConfig::Fsq { levels } => format!("scalars of {levels:?} levels"),
    };
    let mut out = screen::out();
    writeln!(
        out,
        "tokenizer   {side}x{side} pixels of {channels} channels as {grid}x{grid} tokens of {vocab}, {quantiser}"
    )?;
    writeln!(out, "network     {weights} parameters")?;
    Ok(())
}

fn network_info(path: &Path) -> anyhow::Result<()> {
    let network = FeatureNetwork::load(path, &device("cpu")?)?;
    let config = network.config();
    let mut out = screen::out();
    writeln!(out, "network     {}, for features of images: {} weights", path.display(), network.weights())?;
    writeln!(out, "sees        {} pixels of {} channels", config.input.extent, config.input.colours.channels())?;
    writeln!(out, "gives       {} features", network.dim())?;
    if !config.classes.is_empty() {
        writeln!(out, "classes     {}", config.classes.join(", "))?;
    }
    if let Some(training) = classifier::training_of(path) {
        writeln!(out, "trained     {training}")?;
    }
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
