//! `glauber train text`.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use glauber_model::Network;
use glauber_schedule::NoiseConfig;
use glauber_text::{Corpus, Layout, PrepareConfig, Sequences, TextCodec, TokenData, coverage, prepare};
use glauber_tokens::Codec;
use glauber_train::{DataConfig, Flow, NetworkConditional, RunConfig, RunFolder, Surroundings, TrainError, Vocabulary};
use toml::Value;

use super::{check_kind, new_run, resumed, run, trainer};
use crate::arguments::TextFlags;
use crate::device::device;
use crate::drawer::Drawer;
use crate::infill::alternatives;
use crate::outputs::{Named, check_apart};
use crate::progress::say;
use crate::ranks::Rank;
use crate::run_config::{Layers, tokenizer};
use crate::sampling::Sampling;
use crate::trained::{Trained, load_codec};

const DEFAULTS: &str = include_str!("../../configs/text.toml");

/// Trains on text, then shows samples and an infill.
pub fn train(flags: &TextFlags, ranks: &Rank) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (config, folder) = match flags.train.resume {
        true => resumed(&flags.train, "text", ranks)?,
        false => {
            let (config, folder) = (text_config(flags)?, new_run(&flags.train, "text")?);
            check_apart(("--run", &folder), &read(&config))?;
            check_apart(("--cache", &flags.cache), &read(&config))?;
            (config, folder)
        }
    };
    config.validate()?;
    let corpus = match ranks.is_first() {
        true => Prepared::new(&config, &folder, flags)?,
        false => Prepared::found(&folder, &flags.cache)?,
    };
    let length = config.data.length();
    let (train, validation) = (corpus.data.train().sequences(length)?, corpus.data.validation().sequences(length)?);
    let (codec, vocabulary) = (&corpus.codec, &corpus.vocabulary);
    let mut trainer = trainer(&config, vocabulary, Some(codec), &folder, &device, &flags.train, ranks)?;
    let (schedule, objective) = (trainer.schedule().clone(), config.train.objective);
    let sample = |network: &Network, count: usize, seed: u64| {
        let conditional = NetworkConditional::new(network, objective, &schedule, &device)?;
        let drawn = Sampling::heat_bath(&schedule).draw(&conditional, count, seed, &mut |_| {});
        let (sequences, _) = drawn.map_err(|error| TrainError::Sampling(format!("{error:#}")))?;
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

/// A corpus as tokens.
struct Prepared {
    codec: TextCodec,
    data: TokenData,
    vocabulary: Vocabulary,
}

impl Prepared {
    /// What the first rank has prepared: the corpus is not read again.
    fn found(folder: &Path, cache: &Path) -> anyhow::Result<Self> {
        let run = RunFolder::open(folder)?;
        let vocabulary = run.vocabulary()?;
        let codec = load_codec(&run, &vocabulary)?;
        let key = vocabulary.corpus.as_deref().context("a run on text without a corpus")?;
        let tokens = cache.join(key);
        ensure!(
            tokens.is_dir(),
            "{}: no tokens there: `--cache` must be a folder that all ranks see",
            tokens.display()
        );
        Ok(Self { codec, data: TokenData::open(&tokens)?, vocabulary })
    }

    /// Learns the vocabulary, or takes the resumed run's, and encodes the corpus.
    fn new(config: &RunConfig, folder: &Path, flags: &TextFlags) -> anyhow::Result<Self> {
        let DataConfig::Text { corpus, tokenizer, prepare: split, .. } = &config.data else {
            bail!("{}: a run on other data than text", folder.display());
        };
        ensure!(
            !corpus.paths.is_empty(),
            "no corpus: give `--data FILE…` (`cargo xtask train text` has a default one)"
        );
        let corpus = Corpus::open(corpus)?;
        if !flags.train.resume {
            corpus.check_column()?;
            corpus.check_split()?;
        }
        let begun = flags.train.resume.then(|| RunFolder::open(folder)?.vocabulary()).transpose()?;
        let codec = match &begun {
            Some(vocabulary) => load_codec(&RunFolder::open(folder)?, vocabulary)?,
            None => {
                say(&format!("preparing the corpus: {} files", corpus.files().count()));
                corpus.remarks().iter().for_each(|remark| say(remark));
                with_mask(TextCodec::from_config(tokenizer, &corpus)?, config)?
            }
        };
        // What a run was begun with it goes on with.
        let split = &PrepareConfig { max_lost: if begun.is_some() { 1.0 } else { split.max_lost }, ..split.clone() };
        let (mut shown, mut without_text) = (0, 0);
        let data = prepare(split, &corpus, &codec, &flags.cache, &mut |progress| {
            without_text = progress.rows_without_text;
            if progress.bytes >= shown + (32 << 20) {
                shown = progress.bytes;
                say(&format!("  {} MB of text encoded", progress.bytes >> 20));
            }
        })?;
        if without_text > 0 {
            say(&format!("passed over: {without_text} rows without text"));
        }
        describe_data(&data);
        describe_coverage(&data, &codec)?;
        let vocabulary = Vocabulary {
            size: codec.vocab_size(),
            counts: data.counts().to_vec(),
            mask: codec.mask(),
            codec: Some(codec.fingerprint()),
            corpus: data.folder().file_name().map(|name| name.to_string_lossy().into_owned()),
            version: env!("CARGO_PKG_VERSION").into(),
            classes: Vec::new(),
        };
        if begun.is_some_and(|begun| begun.corpus != vocabulary.corpus) {
            bail!(
                "{}: the corpus has changed since the run began, or how its tokenizer divides it: restore both, or begin a new run",
                folder.display()
            );
        }
        Ok(Self { codec, data, vocabulary })
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

/// Absorbing noise needs a mask token.
fn with_mask(codec: TextCodec, config: &RunConfig) -> anyhow::Result<TextCodec> {
    fn absorbs(noise: &NoiseConfig) -> bool {
        match noise {
            NoiseConfig::Absorbing => true,
            NoiseConfig::Mixture { parts } => parts.iter().any(|part| absorbs(&part.law)),
            _ => false,
        }
    }
    match absorbs(&config.schedule.noise) {
        true => Ok(codec.with_mask()?),
        false => Ok(codec),
    }
}

fn describe_data(data: &TokenData) {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    say(&format!(
        "training on {:.2} M tokens ({:.1} MB of text), held out {:.2} M; vocabulary {}",
        data.train().tokens() as f64 / 1e6,
        megabytes(data.train().bytes()),
        data.validation().tokens() as f64 / 1e6,
        data.vocab_size()
    ));
}

/// Says what of the text the tokenizer cannot express.
fn describe_coverage(data: &TokenData, codec: &TextCodec) -> anyhow::Result<()> {
    let [mut all, validation] = coverage(data, codec)?;
    all += validation;
    if all.missing() > 0.0 {
        say(&format!("the tokenizer cannot express all of the text: {all}"));
    } else if all.altered > 0 {
        say("the tokenizer expresses all of the text, but not as it is: case, accents or white space change");
    }
    Ok(())
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
    say(&format!("  original  {}", one_line(&original)));
    let (alternatives, _) =
        alternatives(codec, &sampling, &Drawer::host(&conditional), &conditional, &layout, 16, seed)?;
    for alternative in alternatives.iter().take(3) {
        say(&format!("  {:>8.3}  {}", alternative.score, one_line(&alternative.text)));
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

fn one_line(text: &str) -> String {
    text.replace('\n', "↵")
}
