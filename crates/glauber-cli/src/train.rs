//! `glauber train`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use burn::module::Module;
use burn::tensor::Device;
use glauber_chain::oracles::MarkovSource;
use glauber_chain::{ChainRng, DrawControls};
use glauber_model::Network;
use glauber_schedule::NoiseConfig;
use glauber_text::{Corpus, Layout, Sequences, TextCodec, TokenData, prepare};
use glauber_tokens::Codec;
use glauber_train::{
    DataConfig, Examples, Flow, NetworkConditional, RunConfig, RunFolder, Surroundings, TrainError, Trainer,
    Vocabulary, excess_over_bayes,
};
use toml::Value;

use crate::arguments::{DrawFlags, MarkovFlags, TextFlags, TrainFlags, TrainWhat};
use crate::device::device;
use crate::infill::alternatives;
use crate::progress::{Progress, stop_on_interrupt};
use crate::run_config::{Layers, tokenizer};
use crate::trained::{Trained, draw_sequences, load_codec};

const TEXT: &str = include_str!("../../../configs/text.toml");
const MARKOV: &str = include_str!("../../../configs/markov.toml");

/// How uneven the source's laws are: weights of independent exponential variables to this power.
const PEAKEDNESS: f64 = 3.0;

/// Sequences of the Markov source that its unigram counts come from.
const COUNTED: usize = 4096;

pub fn train(what: TrainWhat) -> anyhow::Result<()> {
    match what {
        TrainWhat::Text(flags) => train_text(&flags),
        TrainWhat::Markov(flags) => train_markov(&flags),
    }
}

fn train_text(flags: &TextFlags) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (config, folder) = match flags.train.resume {
        true => resumed(&flags.train)?,
        false => (text_config(flags)?, new_run(&flags.train, "text")?),
    };
    let DataConfig::Text { corpus, tokenizer, prepare: split, length } = &config.data else {
        bail!("{}: not a run on text; resume it with the command that began it", folder.display());
    };
    ensure!(!corpus.paths.is_empty(), "no corpus: give `--data FILE…` (`cargo xtask train text` has a default one)");
    let corpus = Corpus::open(corpus)?;
    let codec = match flags.train.resume {
        true => {
            let run = RunFolder::open(&folder)?;
            load_codec(&run, &run.vocabulary()?)?
        }
        false => {
            println!("preparing the corpus: {} files", corpus.files().count());
            with_mask(TextCodec::from_config(tokenizer, &corpus)?, &config)?
        }
    };
    let mut shown = 0;
    let data = prepare(split, &corpus, &codec, &flags.cache, &mut |progress| {
        if progress.bytes >= shown + (32 << 20) {
            shown = progress.bytes;
            println!("  {} MB of text encoded", progress.bytes >> 20);
        }
    })?;
    let (train, validation) = (data.train().sequences(*length)?, data.validation().sequences(*length)?);
    describe_data(&data);
    let vocabulary = Vocabulary {
        size: codec.vocab_size(),
        counts: data.counts().to_vec(),
        mask: codec.mask(),
        codec: Some(codec.fingerprint()),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let mut trainer = trainer(&config, &vocabulary, &folder, &device, &flags.train)?;
    codec.save(&trainer.folder().tokenizer())?;
    let (schedule, objective) = (trainer.schedule().clone(), config.train.objective);
    let sample = |network: &Network, count: usize, seed: u64| {
        let conditional = NetworkConditional::new(network, objective, &schedule, &device);
        let drawn = draw_sequences(&conditional, &schedule, DrawControls::default(), count, seed, |_| {});
        let sequences = drawn.map_err(|error| TrainError::Sampling(error.to_string()))?;
        sequences.iter().map(|tokens| Ok(codec.decode(tokens)?)).collect()
    };
    let around = Surroundings { train: &train, validation: &validation, sample: &sample, excess: None };
    if run(&mut trainer, &around)? == Flow::Continue {
        finish_text(&folder, &device, config.seed, &validation)?;
    }
    println!("run folder: {}", folder.display());
    Ok(())
}

/// The configuration of a new run on text.
fn text_config(flags: &TextFlags) -> anyhow::Result<RunConfig> {
    let mut layers = Layers::new(TEXT, &flags.train)?;
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
    layers.finish()
}

/// Absorbing noise needs a mask token.
fn with_mask(codec: TextCodec, config: &RunConfig) -> anyhow::Result<TextCodec> {
    fn absorbs(noise: &NoiseConfig) -> bool {
        match noise {
            NoiseConfig::Absorbing { .. } => true,
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
    println!(
        "training on {:.2} M tokens ({:.1} MB of text), held out {:.2} M; vocabulary {}",
        data.train().tokens() as f64 / 1e6,
        megabytes(data.train().bytes()),
        data.validation().tokens() as f64 / 1e6,
        data.vocab_size()
    );
}

/// Samples and one infill from the finished run, as a user would draw them.
fn finish_text(folder: &Path, device: &Device, seed: u64, held_out: &Sequences<'_>) -> anyhow::Result<()> {
    let trained = Trained::load(folder, device)?;
    let draw = DrawFlags { temperature: 1.0, top_k: None, top_p: None, seed, device: String::new() };
    println!("\nthree samples:");
    let schedule = &trained.schedule;
    let sequences = draw_sequences(&trained.conditional(), schedule, draw.controls()?, 3, seed, |_| {})?;
    for tokens in sequences.iter() {
        println!("  | {}", trained.codec.decode(tokens)?.replace('\n', "\n  | "));
    }
    let layout = gap_in_the_middle(held_out);
    println!("\nan infill of held-out text; between ⟦ and ⟧ what stood there, then what the chain wrote, best first:");
    println!("  original  {}", one_line(&layout.render(&trained.codec, &layout.tokens, "⟦", "⟧")?));
    for alternative in alternatives(&trained, &layout, 16, &draw)?.iter().take(3) {
        println!("  {:>8.3}  {}", alternative.score, one_line(&alternative.text));
    }
    println!(
        "\nmore: glauber sample --run {0}\n      glauber infill --run {0} \"text with a ____ gap\"",
        folder.display()
    );
    Ok(())
}

/// The first held-out sequence with a few tokens in its middle to be generated.
fn gap_in_the_middle(held_out: &Sequences<'_>) -> Layout {
    let len = held_out.length();
    let mut tokens = vec![0; len];
    held_out.get(0, &mut tokens);
    let gap = len.div_ceil(12).min(6);
    let free = (len - gap) / 2..(len + gap) / 2;
    Layout { clamp: (0..len).map(|site| !free.contains(&site)).collect(), tokens, end: len }
}

fn one_line(text: &str) -> String {
    text.replace('\n', "↵")
}

fn train_markov(flags: &MarkovFlags) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (config, folder) = match flags.train.resume {
        true => resumed(&flags.train)?,
        false => (markov_config(flags)?, new_run(&flags.train, "markov")?),
    };
    let DataConfig::Markov { length, vocab, source_seed } = config.data else {
        bail!("{}: not a run on a Markov source; resume it with the command that began it", folder.display());
    };
    let source = MarkovSource::random(vocab, source_seed, PEAKEDNESS)?;
    let vocabulary = Vocabulary {
        size: vocab,
        counts: unigram_counts(&source, vocab, length, source_seed),
        mask: None,
        codec: None,
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let mut trainer = trainer(&config, &vocabulary, &folder, &device, &flags.train)?;
    let (schedule, objective) = (trainer.schedule().clone(), config.train.objective);
    let bayes = glauber_chain::oracles::bayes_losses(&source, &schedule, 256, config.seed)?;
    println!(
        "Bayes losses, nats per site: binary {:.5} ± {:.5}, denoising {:.5} ± {:.5}",
        bayes.binary.mean, bayes.binary.standard_error, bayes.denoising.mean, bayes.denoising.standard_error
    );
    let excess = |network: &Network, held_out: &[Examples]| {
        Ok(excess_over_bayes(network, objective, &schedule, &source, held_out, &device)?.objective)
    };
    let no_text = |_: &Network, _: usize, _: u64| Ok(Vec::new());
    let around = Surroundings { train: &source, validation: &source, sample: &no_text, excess: Some(&excess) };
    run(&mut trainer, &around)?;
    println!("run folder: {}", folder.display());
    Ok(())
}

fn markov_config(flags: &MarkovFlags) -> anyhow::Result<RunConfig> {
    let mut layers = Layers::new(MARKOV, &flags.train)?;
    if let Some(vocab) = flags.vocab {
        layers.set("data.vocab", i64::try_from(vocab)?)?;
    }
    layers.finish()
}

fn unigram_counts(source: &MarkovSource, vocab: usize, length: usize, seed: u64) -> Vec<u64> {
    let mut counts = vec![0; vocab];
    for stream in 0..COUNTED {
        let mut rng = ChainRng::new(seed, stream as u64);
        for token in source.sample(length, &mut rng) {
            counts[token as usize] += 1;
        }
    }
    counts
}

/// Configuration and folder of a run to be continued.
fn resumed(flags: &TrainFlags) -> anyhow::Result<(RunConfig, PathBuf)> {
    let folder = flags.run.clone().context("`--resume` needs `--run DIR`")?;
    let changed = flags.config.is_some() || !flags.set.is_empty() || flags.steps.is_some() || flags.seed.is_some();
    ensure!(
        !changed,
        "`--resume` continues with the run's own configuration: drop the other flags, or begin a new run"
    );
    Ok((RunFolder::open(&folder)?.config()?, folder))
}

/// The folder of a new run: `--run`, or the first free `runs/NAME-001`, `runs/NAME-002`, …
fn new_run(flags: &TrainFlags, name: &str) -> anyhow::Result<PathBuf> {
    let numbered = |n: usize| PathBuf::from(format!("runs/{name}-{n:03}"));
    let free = || (1..).map(numbered).find(|path| !path.exists());
    flags.run.clone().or_else(free).context("no free name in `runs/`: give `--run DIR`")
}

fn trainer(
    config: &RunConfig,
    vocabulary: &Vocabulary,
    folder: &Path,
    device: &Device,
    flags: &TrainFlags,
) -> anyhow::Result<Trainer> {
    let threads = flags.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    Ok(match flags.resume {
        true => Trainer::resume(folder, device, threads)?,
        false => Trainer::begin(config.clone(), vocabulary, folder, device, threads)?,
    })
}

/// Trains with a progress bar; says how it ended.
fn run(trainer: &mut Trainer, around: &Surroundings<'_>) -> anyhow::Result<Flow> {
    let train = trainer.config().train.clone();
    let model = &trainer.config().model;
    println!(
        "{:?} network of {} parameters, objective {}, {} sweeps, {} steps of {} sequences",
        model.network,
        trainer.network().num_params(),
        train.objective.name(),
        trainer.schedule().sweeps(),
        train.steps,
        train.batch
    );
    let first = trainer.state().step;
    let mut progress = Progress::new(first, train.steps, stop_on_interrupt()?, "nats");
    let flow = trainer.run(around, &mut progress);
    progress.finish();
    let flow = flow?;
    let state = trainer.state();
    println!("{} steps, {:.2} M tokens, {:.0} s", state.step, state.tokens as f64 / 1e6, state.seconds);
    if flow == Flow::Stop {
        let path = trainer.folder().path().display();
        println!("stopped; continue with `--resume --run {path}`");
    }
    Ok(flow)
}
