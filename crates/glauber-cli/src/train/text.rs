//! `glauber train text`.

use std::fs::create_dir_all;
use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::tensor::Device;
use glauber_files::write_whole;
use glauber_program::Layers;
use glauber_program::progress::{launcher, say};
use glauber_program::training::train as train_run;
use glauber_run::text::{PreparedText, TextData};
use glauber_run::training::check_kind;
use glauber_run::{DrawPlace, Flow, Infill, Rank, RunConfig, Sampling, Trained};
use glauber_text::{Layout, Sequences, TextCodec};
use glauber_tokens::Codec;
use toml::Value;

use super::begun::Begun;
use crate::arguments::TextFlags;
use crate::tokenize::tokenizer;

const DEFAULTS: &str = include_str!("../../configs/text.toml");
/// Six novels of Jane Austen, 4 MB of text in the public domain: the corpus where none is named. `cargo xtask train text` names another.
const NOVELS: &[u8] = include_bytes!("../../corpus/austen.txt.zst");

/// Trains on text, then shows samples and an infill.
pub fn train(flags: &TextFlags, ranks: &Rank) -> anyhow::Result<()> {
    let begun = Begun::of(&flags.train, Some("text"), &flags.cache, ranks, || config(flags))?;
    let text: &TextData = begun.config.data.get().context("`data.kind` is not \"text\"")?;
    let training = begun.training(ranks);
    let prepared = training.open(&flags.cache, &mut say, |opening| PreparedText::new(text, opening))?;
    let data = prepared.data.clone();
    let flow = train_run(&training, &prepared.opened(text.length)?)?;
    if flow == Flow::Continue && ranks.is_first() {
        let held_out = data.validation().sequences(text.length)?;
        finish_text(&begun.folder, &begun.device, begun.config.seed, &held_out)?;
    }
    begun.tell();
    Ok(())
}

/// The configuration of a new run on text.
fn config(flags: &TextFlags) -> anyhow::Result<RunConfig> {
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
    let paths = layers.get("data.corpus.paths").and_then(Value::as_array);
    if flags.column.is_none() && paths.is_some_and(Vec::is_empty) {
        layers.set("data.corpus.paths", vec![Value::from(novels(&flags.cache)?.display().to_string())])?;
    }
    let config = layers.finish()?;
    check_kind(&config.data, "text")?;
    Ok(config)
}

/// The novels as a file of the cache, written where it is not there yet.
fn novels(cache: &Path) -> anyhow::Result<PathBuf> {
    say("no `--data`: training on six novels of Jane Austen, which come with the program");
    let path = cache.join("austen.txt.zst");
    if !path.is_file() {
        create_dir_all(cache).and_then(|()| write_whole(&path, NOVELS)).with_context(|| path.display().to_string())?;
    }
    Ok(path)
}

/// Samples and one infill from the finished run, as a user would draw them.
fn finish_text(folder: &Path, device: &Device, seed: u64, held_out: &Sequences<'_>) -> anyhow::Result<()> {
    let trained = Trained::load(folder, device)?;
    let sampling = Sampling::heat_bath(&trained.schedule);
    let (codec, conditional) = (trained.codec()?, trained.conditional(&trained.schedule)?);
    say("\nthree samples:");
    let (sequences, _) = sampling.draw(&conditional, 3, seed, &mut |_| {})?;
    for (at, tokens) in sequences.iter().enumerate() {
        say(&format!("{}  | {}", if at > 0 { "\n" } else { "" }, codec.decode(tokens)?.replace('\n', "\n  | ")));
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
        "\nmore: {1} sample --run {0}\n      {1} infill --run {0} \"text with a ____ gap\"",
        folder.display(),
        launcher()
    ));
    Ok(())
}

/// The first held-out sequence, with a gap of a few tokens in its middle.
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
