//! `glauber train text`.

use std::path::Path;

use burn::tensor::Device;
use glauber_model::Network;
use glauber_program::Layers;
use glauber_program::device::device;
use glauber_program::outputs::{Named, check_apart};
use glauber_program::progress::{run, say};
use glauber_program::trainer;
use glauber_run::text::PreparedText;
use glauber_run::training::{check_kind, new_run, resumed};
use glauber_run::{DrawPlace, Infill, Rank, Sampling, Trained};
use glauber_text::{Layout, Sequences, TextCodec};
use glauber_tokens::Codec;
use glauber_train::{DataConfig, Flow, RunConfig, Surroundings};
use toml::Value;

use crate::arguments::TextFlags;
use crate::tokenize::tokenizer;

const DEFAULTS: &str = include_str!("../../configs/text.toml");

/// Trains on text, then shows samples and an infill.
pub fn train(flags: &TextFlags, ranks: &Rank) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (config, folder) = match flags.train.resume {
        true => resumed(flags.train.run.as_deref(), "text", ranks)?,
        false => {
            let (config, folder) = (text_config(flags)?, new_run(flags.train.run.as_deref(), "text")?);
            check_apart(("--run", &folder), &read(&config))?;
            check_apart(("--cache", &flags.cache), &read(&config))?;
            (config, folder)
        }
    };
    config.validate()?;
    let corpus = match ranks.is_first() {
        true => PreparedText::new(&config, &folder, flags.train.resume, &flags.cache, &mut say)?,
        false => PreparedText::found(&folder, &flags.cache)?,
    };
    let length = config.data.length();
    let (train, validation) = (corpus.data.train().sequences(length)?, corpus.data.validation().sequences(length)?);
    let (codec, vocabulary) = (&corpus.codec, &corpus.vocabulary);
    let mut trainer = trainer(&config, vocabulary, Some(codec), &folder, &device, &flags.train, ranks)?;
    let (schedule, objective) = (trainer.schedule().clone(), config.train.objective);
    let sample = |network: &Network, count: usize, seed: u64| {
        let sequences = Sampling::of_network(network, objective, &schedule, &device, count, seed)?;
        sequences.iter().map(|tokens| Ok(codec.decode(tokens)?)).collect()
    };
    let around = Surroundings { train: &train, validation: &validation, sample: &sample, excess: None };
    if run(&mut trainer, &around, ranks)? == Flow::Continue && ranks.is_first() {
        finish_text(&folder, &device, config.seed, &validation)?;
    }
    say(&format!("run folder: {}", folder.display()));
    Ok(())
}

/// The files and folders of the corpus.
fn read(config: &RunConfig) -> Vec<Named<'_>> {
    match &config.data {
        DataConfig::Text { corpus, .. } => corpus.paths.iter().map(|path| ("--data", path.as_path())).collect(),
        _ => Vec::new(),
    }
}

/// The configuration of a new run on text.
fn text_config(flags: &TextFlags) -> anyhow::Result<RunConfig> {
    let mut layers = Layers::new(DEFAULTS, &flags.train)?;
    if !flags.data.is_empty() {
        let paths = flags.data.iter().map(|path| Value::from(path.display().to_string()));
        layers.set("data.corpus.paths", paths.collect::<Vec<_>>())?;
    }
    if let Some(column) = &flags.column {
        layers.set("data.corpus.column", column.as_str())?;
    }
    if let Some(text) = &flags.tokenizer {
        layers.set("data.tokenizer", Value::try_from(tokenizer(text)?)?)?;
    }
    let mut config = layers.finish()?;
    check_kind(&config.data, "text")?;
    // Absolute, so that the run can be resumed from any folder.
    if let DataConfig::Text { corpus, .. } = &mut config.data {
        for path in &mut corpus.paths {
            *path = std::path::absolute(&*path)?;
        }
    }
    Ok(config)
}

/// Samples and one infill from the finished run, as a user would draw them.
fn finish_text(folder: &Path, device: &Device, seed: u64, held_out: &Sequences<'_>) -> anyhow::Result<()> {
    let trained = Trained::load(folder, device)?;
    let sampling = Sampling::heat_bath(&trained.schedule);
    let (codec, conditional) = (trained.codec()?, trained.conditional(&trained.schedule)?);
    say("\nthree samples:");
    let (sequences, _) = sampling.draw(&conditional, 3, seed, &mut |_| {})?;
    for tokens in sequences.iter() {
        say(&format!("  | {}", codec.decode(tokens)?.replace('\n', "\n  | ")));
    }
    let layout = gap_in_the_middle(codec, held_out)?;
    say("\nan infill of held-out text; between ⟦ and ⟧ what stood there, then what the chain wrote, best first:");
    let original = layout.render(codec, &layout.tokens, "⟦", "⟧")?;
    say(&format!("  original  {}", on_one_line(&original)));
    let infill = Infill::of(&trained, &sampling, (None, None), DrawPlace::Host)?;
    let (alternatives, _) = infill.alternatives(&layout, 16, seed, &mut |_| {})?;
    for alternative in alternatives.iter().take(3) {
        say(&format!("  {:>8.3}  {}", alternative.score, on_one_line(&alternative.text)));
    }
    say(&format!(
        "\nmore: glauber sample --run {0}\n      glauber infill --run {0} \"text with a ____ gap\"",
        folder.display()
    ));
    Ok(())
}

/// The first held-out sequence with a few tokens in its middle to be generated.
fn gap_in_the_middle(codec: &TextCodec, held_out: &Sequences<'_>) -> anyhow::Result<Layout> {
    let len = held_out.length();
    let mut tokens = vec![0; len];
    held_out.get(0, &mut tokens);
    let gap = len.div_ceil(12).min(6);
    Ok(Layout::around(codec, tokens, (len - gap) / 2..(len + gap) / 2)?)
}

fn on_one_line(text: &str) -> String {
    text.replace('\n', "↵")
}
