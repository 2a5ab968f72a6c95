//! One run under the clock: begun, ended, and kept for the next call.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context, bail, ensure};
use burn::module::Module;
use burn::tensor::Device;
use glauber_chain::{BoundSampling, ChainRng, Lazy, LikelihoodBound};
use glauber_files::write_whole;
use glauber_model::{ModelConfig, Network, NetworkKind};
use glauber_program::progress::stop_on_interrupt;
use glauber_run::{Flow, MetricLine, RunCodec, RunConfig, RunFolder, Surroundings};
use glauber_schedule::{NoiseConfig, Schedule};
use glauber_train::{Examples, NetworkConditional, Objective};
use serde::{Deserialize, Serialize};

use super::source::Source;
use super::stopwatch::Stopwatch;

/// Written when a run has ended: a folder without it is of a run that was cut short.
const RESULT: &str = "result.toml";

/// More held-out sequences for a masked-query network, which answers for one site of each.
const FOR_ONE_SITE: usize = 4;

/// Steps drawn for each held-out sequence of the likelihood bound.
const BOUND_SAMPLING: BoundSampling = BoundSampling { draws: 32, rows: 64 };

/// Whose runs are compared: one for each seed.
#[derive(Debug, Clone)]
pub struct Contestant {
    /// The name of its folder.
    pub slug: String,
    /// What the report calls its network.
    pub network: String,
    pub objective: &'static dyn Objective,
    pub model: ModelConfig,
    pub noise: NoiseConfig,
    /// Red, green, blue of its curve.
    pub colour: [u8; 3],
    pub dashed: bool,
}

impl Contestant {
    pub fn is_masked(&self) -> bool {
        self.noise == NoiseConfig::Absorbing
    }

    fn configure(&self, mut config: RunConfig, seed: u64) -> RunConfig {
        config.seed = seed;
        config.model = self.model.clone();
        config.schedule.noise = self.noise.clone();
        config.train.objective = self.objective;
        if self.model.network == NetworkKind::MaskedQuery {
            config.train.validation_sequences *= FOR_ONE_SITE;
        }
        config
    }
}

/// What a run came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// Seconds it was given.
    limit: f64,
    /// Held-out sequences of its bound.
    bound_sequences: usize,
    /// Weights of its network.
    pub parameters: usize,
    /// Nats per site of the bound (N) on held-out sequences, lazy kernel, averaged weights at the end.
    pub bound: f64,
    /// Its standard error.
    pub bound_error: f64,
}

/// A run that has ended.
pub struct Run {
    pub outcome: Outcome,
    pub lines: Vec<MetricLine>,
}

/// What all runs share.
pub struct Rules<'a> {
    /// Seconds of training.
    pub seconds: f64,
    /// Held-out sequences of the likelihood bound.
    pub bound_sequences: usize,
    pub device: &'a Device,
    pub threads: usize,
}

impl Rules<'_> {
    /// Runs a contestant, or reads what its run left when it was run before.
    pub fn run(
        &self,
        contestant: &Contestant,
        source: &Source,
        config: &RunConfig,
        seed: u64,
        folder: &Path,
    ) -> anyhow::Result<Run> {
        let config = contestant.configure(config.clone(), seed);
        let result = folder.join(RESULT);
        if !result.is_file() {
            // What a run that was cut short left behind: its clock cannot be taken up again.
            if RunFolder::open(folder).is_ok() {
                fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
            }
            let outcome = self.train(contestant, source, &config, folder)?;
            let text = toml::to_string(&outcome)?;
            write_whole(&result, text).with_context(|| result.display().to_string())?;
        }
        self.read(&config, folder, &result)
    }

    fn read(&self, config: &RunConfig, folder: &Path, result: &PathBuf) -> anyhow::Result<Run> {
        let text = fs::read_to_string(result).with_context(|| result.display().to_string())?;
        let outcome: Outcome = toml::from_str(&text).with_context(|| result.display().to_string())?;
        let run = RunFolder::open(folder)?;
        ensure!(
            run.config()? == *config
                && (outcome.limit, outcome.bound_sequences) == (self.seconds, self.bound_sequences),
            "{}: a run with other settings; choose another `--out`, or remove the folder",
            folder.display()
        );
        Ok(Run { outcome, lines: run.metrics()? })
    }

    fn train(
        &self,
        contestant: &Contestant,
        source: &Source,
        config: &RunConfig,
        folder: &Path,
    ) -> anyhow::Result<Outcome> {
        let masked = contestant.is_masked();
        let (vocabulary, codec) = (source.vocabulary(masked), source.codec(masked)?);
        let codec = codec.as_ref().map(|codec| codec as &dyn RunCodec);
        let mut trainer =
            glauber_run::Run::begin(config.clone(), &vocabulary, codec, folder, self.device, self.threads)?;
        let (schedule, objective) = (trainer.schedule().clone(), contestant.objective);
        let excess = |network: &Network, held_out: &[Examples]| {
            let excess = source.excess(network, objective, &schedule, held_out, self.device);
            excess.expect("given for Markov sources alone")
        };
        let around = Surroundings {
            train: source.train(),
            validation: source.held_out(),
            sample: None,
            excess: source.is_markov().then_some(&excess as _),
        };
        let every = config.train.validate_every;
        let stop = stop_on_interrupt()?;
        let mut watch = Stopwatch::new(self.seconds, every, stop.flag());
        let flow = trainer.run(&around, &mut watch)?;
        if flow == Flow::Stop && stop.flag().load(Ordering::Relaxed) {
            bail!("interrupted; repeat the command to resume this run; finished runs are kept");
        }
        drop(stop);
        let (bound, bound_error) = self.bound(trainer.average(), contestant, source, &schedule)?;
        let parameters = trainer.network().num_params();
        Ok(Outcome { limit: self.seconds, bound_sequences: self.bound_sequences, parameters, bound, bound_error })
    }

    /// The bound (N) for the lazy kernel, nats per site.
    fn bound(
        &self,
        network: &Network,
        contestant: &Contestant,
        source: &Source,
        schedule: &Schedule,
    ) -> anyhow::Result<(f64, f64)> {
        let masked = contestant.is_masked();
        let bound = LikelihoodBound::new(schedule, Lazy::default());
        // A chain under absorbing noise cannot start from masks alone where a little signal is left.
        let bound = if masked { bound.with_signal_law(&source.frequencies(masked))? } else { bound };
        let clean = source.held_out_batch(self.bound_sequences)?;
        let mut rngs = ChainRng::streams(0, self.bound_sequences);
        let conditional = NetworkConditional::new(network, contestant.objective, schedule, self.device)?;
        let terms = bound.estimate(&conditional, &clean, &mut rngs, BOUND_SAMPLING)?.nats_per_token();
        Ok((terms.mean, terms.standard_error))
    }
}
