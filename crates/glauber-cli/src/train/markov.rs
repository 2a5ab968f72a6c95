//! `glauber train markov`.

use anyhow::bail;
use glauber_chain::ChainRng;
use glauber_chain::oracles::{MarkovSource, bayes_losses};
use glauber_model::Network;
use glauber_train::{DataConfig, Examples, RunConfig, Surroundings, Vocabulary, excess_over_bayes};

use super::{new_run, resumed, run, trainer};
use crate::arguments::MarkovFlags;
use crate::device::device;
use crate::progress::say;
use crate::run_config::Layers;

pub const DEFAULTS: &str = include_str!("../../../../configs/markov.toml");

/// How uneven the source's laws are: weights of independent exponential variables to this power.
pub const PEAKEDNESS: f64 = 3.0;

/// Sequences of the Markov source that its unigram counts come from.
const COUNTED: usize = 4096;

/// Trains on a Markov source and reports the excess over its Bayes loss.
pub fn train(flags: &MarkovFlags) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (config, folder) = match flags.train.resume {
        true => resumed(&flags.train)?,
        false => (markov_config(flags)?, new_run(&flags.train, "markov")?),
    };
    let DataConfig::Markov { length, vocab, source_seed } = config.data else {
        bail!("{}: `data.kind` is not \"markov\": use `train text`", folder.display());
    };
    config.validate()?;
    let source = MarkovSource::random(vocab, source_seed, PEAKEDNESS)?;
    let vocabulary = Vocabulary {
        size: vocab,
        counts: unigram_counts(&source, vocab, length, source_seed),
        mask: None,
        codec: None,
        corpus: None,
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let mut trainer = trainer(&config, &vocabulary, None, &folder, &device, &flags.train)?;
    let (schedule, objective) = (trainer.schedule().clone(), config.train.objective);
    let bayes = bayes_losses(&source, &schedule, 2048, config.seed)?;
    say(&format!(
        "Bayes losses, nats per site: binary {:.5} ± {:.5}, denoising {:.5} ± {:.5}",
        bayes.binary.mean, bayes.binary.standard_error, bayes.denoising.mean, bayes.denoising.standard_error
    ));
    let excess = |network: &Network, held_out: &[Examples]| {
        excess_over_bayes(network, objective, &schedule, &source, held_out, &device)
    };
    let no_text = |_: &Network, _: usize, _: u64| Ok(Vec::new());
    let around = Surroundings { train: &source, validation: &source, sample: &no_text, excess: Some(&excess) };
    run(&mut trainer, &around)?;
    say(&format!("run folder: {}", folder.display()));
    Ok(())
}

fn markov_config(flags: &MarkovFlags) -> anyhow::Result<RunConfig> {
    let mut layers = Layers::new(DEFAULTS, &flags.train)?;
    if let Some(vocab) = flags.vocab {
        layers.set("data.vocab", i64::try_from(vocab)?)?;
    }
    layers.finish()
}

pub fn unigram_counts(source: &MarkovSource, vocab: usize, length: usize, seed: u64) -> Vec<u64> {
    let mut counts = vec![0; vocab];
    // Not the seed itself: the transition matrix was drawn from it.
    for stream in 0..COUNTED {
        let mut rng = ChainRng::new(!seed, stream as u64);
        for token in source.sample(length, &mut rng) {
            counts[token as usize] += 1;
        }
    }
    counts
}
