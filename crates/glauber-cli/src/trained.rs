//! A trained run, loaded for sampling.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use glauber_chain::{Chains, DrawControls, HeatBath, ReverseSampler};
use glauber_model::Network;
use glauber_schedule::Schedule;
use glauber_text::TextCodec;
use glauber_tokens::{Codec, TokenBatch};
use glauber_train::{NetworkConditional, Objective, RunFolder, TrainingState, Vocabulary};

/// A network with all it needs to sample text.
pub struct Trained {
    pub network: Network,
    pub state: TrainingState,
    pub schedule: Schedule,
    pub objective: Objective,
    pub codec: TextCodec,
    pub device: Device,
}

impl Trained {
    /// Loads the averaged weights of a run's newest checkpoint.
    pub fn load(run: &Path, device: &Device) -> anyhow::Result<Self> {
        let folder = RunFolder::open(run)?;
        let vocabulary = folder.vocabulary()?;
        if vocabulary.codec.is_none() {
            bail!("{}: this run was not trained on text; `glauber info` tells what it is", run.display());
        }
        let codec = load_codec(&folder, &vocabulary)?;
        let (network, state) = folder.load_average(device)?;
        Ok(Self {
            network,
            state,
            schedule: folder.schedule()?,
            objective: folder.config()?.train.objective,
            codec,
            device: device.clone(),
        })
    }

    /// The seam of the network.
    pub fn conditional(&self) -> NetworkConditional<'_> {
        NetworkConditional::new(&self.network, self.objective, &self.schedule, &self.device)
    }
}

/// The text codec of a run, checked against the vocabulary that the run was trained with.
pub fn load_codec(folder: &RunFolder, vocabulary: &Vocabulary) -> anyhow::Result<TextCodec> {
    let path = folder.tokenizer();
    let codec = TextCodec::load(&path)?;
    if vocabulary.codec.as_deref() != Some(codec.fingerprint().as_str()) {
        bail!(
            "{}: a tokenizer of {} tokens, not the one this run was trained with ({} tokens): restore the run's own file",
            path.display(),
            codec.vocab_size(),
            vocabulary.size
        );
    }
    Ok(codec)
}

/// Chains that run at once: each holds its tokens and a row of conditionals.
pub const MOST_CHAINS: usize = 4096;

/// Checks a number of chains.
pub fn check_count(flag: &str, count: usize) -> anyhow::Result<()> {
    ensure!((1..=MOST_CHAINS).contains(&count), "`{flag}` is {count}, expected a number in 1..={MOST_CHAINS}");
    Ok(())
}

/// Runs whole reverse chains from noise: one sequence a row.
pub fn draw_sequences(
    conditional: &NetworkConditional<'_>,
    schedule: &Schedule,
    controls: DrawControls,
    count: usize,
    seed: u64,
    mut after_sweep: impl FnMut(usize),
) -> anyhow::Result<TokenBatch> {
    let sampler = ReverseSampler::new(schedule, HeatBath::new(controls)?);
    let mut chains = sampler.start(count, seed);
    run_chains(&sampler, conditional, &mut chains, &mut after_sweep)?;
    Ok(chains.into_parts().0)
}

/// Runs chains down to time 0; the callback gets the number of sweeps left.
pub fn run_chains(
    sampler: &ReverseSampler<'_>,
    conditional: &NetworkConditional<'_>,
    chains: &mut Chains,
    after_sweep: &mut dyn FnMut(usize),
) -> anyhow::Result<()> {
    let horizon = sampler.schedule().horizon();
    sampler
        .run(conditional, chains, horizon, 0, |info| {
            after_sweep(info.sweep);
            std::ops::ControlFlow::Continue(())
        })
        .context("sampling")?;
    Ok(())
}
