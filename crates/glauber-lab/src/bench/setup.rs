//! Sizes of benchmarks, and the networks and trainers built from them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use burn::module::Module;
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use glauber_chain::ChainRng;
use glauber_model::{Conditioning, ModelConfig, Network, Preset};
use glauber_program::device::{device, finish, replicas};
use glauber_run::text::TextData;
use glauber_run::{DataConfig, Run, RunConfig, Vocabulary};
use glauber_schedule::{Schedule, ScheduleConfig};
use glauber_text::{CorpusConfig, PrepareConfig, TokenizerConfig};
use glauber_tokens::Token;
use glauber_train::{Precision, SequenceSource, TrainConfig, TrainError};
use serde_json::{Value, json};

use super::flops::Flops;

/// The sizes to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// The preset, 32 sequences of 64 tokens, V = 1024
    Tiny,
    /// The preset, 32 sequences of 64 tokens, V = 1024
    Small,
    /// Width 256, two streams of 6 blocks, one merging block, 4 heads; 16 sequences of 128 tokens, V = 1000
    D256,
    /// Masked query, width 128, 6 blocks, 4 heads, tied; 32 sequences of 64 tokens, V = 1024
    Masked,
    /// The preset, 8 sequences of 128 tokens, V = 50257; for GPUs
    #[value(name = "ggm-387m")]
    Ggm387m,
}

/// Flags for sizes, threads and device.
#[derive(Debug, Clone, Args)]
pub struct ShapeFlags {
    /// Network and batch sizes
    #[arg(long, value_enum)]
    pub shape: Shape,
    /// Sequences per step. Default: the shape's
    #[arg(long)]
    pub batch: Option<usize>,
    /// Micro-batches computed in parallel. Default: one per core on the CPU, one on other devices
    #[arg(long)]
    pub threads: Option<usize>,
    /// Device to measure: cpu, wgpu, cuda or cuda:INDEX
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Train with `train.precision = "bf16"`
    #[arg(long)]
    pub bf16: bool,
}

/// A network, and the size of its inputs.
pub struct Sizes {
    /// Its name.
    pub name: String,
    pub model: ModelConfig,
    pub vocab: usize,
    /// Tokens of a sequence.
    pub length: usize,
}

/// Sizes, and the settings derived from them.
pub struct Setup {
    name: String,
    pub vocab: usize,
    pub config: RunConfig,
    threads: usize,
    device: Device,
    /// There the fused layers are used.
    on_the_cpu: bool,
}

/// Sequences of independent uniform tokens: drawing them costs next to nothing.
pub struct UniformTokens(pub usize);

impl SequenceSource for UniformTokens {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        out.fill_with(|| rng.below(self.0) as Token);
        Ok(None)
    }
}

impl Shape {
    fn model(self) -> ModelConfig {
        // As in the other program: conditioned on the step as well.
        let hollow = |preset: Preset| ModelConfig { conditioning: Conditioning::SignalLevel, ..preset.config() };
        match self {
            Self::Tiny => hollow(Preset::Tiny),
            Self::Small => hollow(Preset::Small),
            Self::D256 => ModelConfig { layers: 6, merge_layers: 1, heads: 4, ..hollow(Preset::Small) },
            Self::Masked => {
                ModelConfig { width: 128, layers: 6, heads: 4, condition_width: 64, ..Preset::Ggm387m.config() }
            }
            Self::Ggm387m => Preset::Ggm387m.config(),
        }
    }

    /// Vocabulary, sequence length and batch.
    fn sizes(self) -> (usize, usize, usize) {
        match self {
            Self::Tiny | Self::Small | Self::Masked => (1024, 64, 32),
            Self::D256 => (1000, 128, 16),
            Self::Ggm387m => (50257, 128, 8),
        }
    }
}

impl Setup {
    /// The settings that the flags select.
    pub fn of(flags: &ShapeFlags) -> anyhow::Result<Self> {
        let (vocab, length, batch) = flags.shape.sizes();
        let name = flags.shape.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let precision = if flags.bf16 { Precision::Bf16 } else { Precision::F32 };
        let train = TrainConfig { batch: flags.batch.unwrap_or(batch), precision, ..TrainConfig::default() };
        Self::new(Sizes { name, model: flags.shape.model(), vocab, length }, train, flags.threads, &flags.device)
    }

    /// Some sizes, trained on a device as `train` says but for the micro-batches: one a thread, by default as many as [`replicas`].
    pub fn new(sizes: Sizes, train: TrainConfig, threads: Option<usize>, device_name: &str) -> anyhow::Result<Self> {
        let Sizes { name, model, vocab, length } = sizes;
        let batch = train.batch;
        let threads = replicas(threads, device_name, 1).max(1);
        // One micro-batch a thread, where they come out even.
        let micro_batches = if batch.is_multiple_of(threads) { threads } else { 1 };
        let config = RunConfig {
            seed: 0,
            // The data are what a source draws: this tells the length alone, and sets no bound on the vocabulary.
            data: DataConfig::new(TextData {
                length,
                corpus: CorpusConfig::new::<PathBuf>([]),
                tokenizer: TokenizerConfig::Bpe { vocab_size: vocab },
                prepare: PrepareConfig::default(),
            }),
            model,
            schedule: ScheduleConfig::default(),
            train: TrainConfig { micro_batches, ..train },
        };
        config.validate().context("`--batch`")?;
        Ok(Self { name, vocab, config, threads, device: device(device_name)?, on_the_cpu: device_name == "cpu" })
    }

    /// The device that is measured.
    pub fn device(&self) -> Device {
        self.device.clone()
    }

    /// Waits until the device has finished all queued work.
    pub fn finish(&self) -> anyhow::Result<()> {
        finish(&self.device)
    }

    fn vocabulary(&self) -> Vocabulary {
        Vocabulary::of_counts(vec![1; self.vocab], env!("CARGO_PKG_VERSION"))
    }

    /// A run in a new folder.
    pub fn trainer(&self, folder: &Path) -> anyhow::Result<Run> {
        let (config, vocabulary) = (self.config.clone(), self.vocabulary());
        Ok(Run::begin(config, &vocabulary, None, folder, &self.device, self.threads)?)
    }

    /// The forward chain.
    pub fn schedule(&self) -> anyhow::Result<Schedule> {
        let length = self.config.data.length();
        Ok(Schedule::from_config(&self.config.schedule, length, self.vocab, None, None)?)
    }

    /// The network, untrained.
    pub fn network(&self) -> anyhow::Result<Network> {
        let config = &self.config;
        Ok(Network::new(&config.model, self.vocab, config.data.length(), config.seed, &self.device)?)
    }

    /// Number of weights.
    pub fn parameters(&self) -> anyhow::Result<usize> {
        Ok(self.network()?.num_params())
    }

    /// Rows, inner size and columns of the largest matrix product of a training step: up in a feed-forward layer.
    pub fn product(&self) -> [usize; 3] {
        let (rows, width) = (self.config.train.batch * self.config.data.length(), self.config.model.width);
        [rows, width, 4 * width]
    }

    /// The settings that the counterpart needs to compute the same.
    pub fn describe(&self) -> anyhow::Result<Value> {
        let (schedule, length) = (self.schedule()?, self.config.data.length());
        // Sites are touched in turn: the levels of site 0 at the ends of the sweeps are all levels there are.
        let levels: Vec<f64> = (0..=schedule.sweeps()).map(|sweep| schedule.signal_level(0, sweep * length)).collect();
        let flops = Flops { model: &self.config.model, vocab: self.vocab, length };
        let batch = self.config.train.batch as u64;
        let [rows, inner, columns] = self.product().map(|size| size as u64);
        Ok(json!({
            "shape": self.name,
            "model": self.config.model,
            "vocab": self.vocab,
            "length": length,
            "batch": batch,
            "levels": levels,
            "train": self.config.train,
            "parameters": self.parameters()?,
            "flops": {
                "network": 3 * batch * flops.forward(flops.asked_in_training())?,
                "optimiser": flops.newton_schulz(self.on_the_cpu)?,
                "sample": batch * flops.forward(1)?,
                "matmul": 2 * rows * inner * columns,
            },
        }))
    }
}
