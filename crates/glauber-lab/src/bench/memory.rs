//! The most memory that training or sampling holds at a time: a process measures itself, so each measurement is a process of its own.

use std::path::Path;

use burn::module::Module;
use clap::Args;
use glauber_chain::ChainRng;
use glauber_model::Preset;
use glauber_run::text::TextWindows;
use glauber_shards::{Split, TokenData, TokenWriter};
use glauber_tokens::Token;
use glauber_train::{SequenceSource, TrainConfig};
use serde_json::{Value, json};

use super::blocks::print;
use super::setup::{Setup, Sizes, UniformTokens};

/// Flags of `bench memory`.
#[derive(Debug, Args)]
pub struct Flags {
    /// Size of the network: tiny, small or ggm-387m
    #[arg(long, default_value = "tiny")]
    preset: Preset,
    /// Measure sampling in place of training
    #[arg(long)]
    sampling: bool,
    /// Sequences per step. Default: the preset's
    #[arg(long)]
    batch: Option<usize>,
    /// Tokens per sequence. Default: the preset's
    #[arg(long)]
    length: Option<usize>,
    /// Vocabulary size. Default: the preset's
    #[arg(long)]
    vocab: Option<usize>,
    /// Number of steps. At least 2, so that all optimiser states are allocated
    #[arg(long, default_value_t = 2)]
    steps: usize,
    /// Micro-batches computed in parallel. Default: one per core
    #[arg(long)]
    threads: Option<usize>,
    /// Train with `train.checkpoint_activations = true`
    #[arg(long, conflicts_with = "sampling")]
    checkpoint_activations: bool,
    /// Train on windows of a random corpus of this many MiB of tokens, written to a temporary folder
    #[arg(long, value_name = "MIB", conflicts_with = "sampling")]
    corpus: Option<usize>,
}

/// Bytes of a MiB.
const MIB: f64 = (1 << 20) as f64;

/// Runs, and prints the peak memory as a JSON line.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    let setup = setup(flags)?;
    let (parameters, before) = if flags.sampling { sample(flags, &setup)? } else { train(flags, &setup)? };
    let peak = Resident::now().peak;
    if peak.is_none() {
        glauber_program::screen::remark(
            "no peak memory: it is read from /proc/self/status, which this system does not have",
        );
    }
    let mib = |floats: usize| (4 * floats) as f64 / MIB;
    let (data, train) = (&setup.config.data, &setup.config.train);
    let (average, moments) = if flags.sampling { (0, 0) } else { (parameters, 2 * parameters) };
    print(&json!({
        "preset": flags.preset.name(),
        "work": if flags.sampling { "sample" } else { "train" },
        "batch": train.batch,
        "length": data.length(),
        "vocab": setup.vocab,
        "corpus_mib": flags.corpus,
        "micro_batches": train.micro_batches,
        "checkpoint_activations": train.checkpoint_activations,
        "parameters": parameters,
        "mib": {
            "weights": mib(parameters),
            "average": mib(average),
            "moments": mib(moments),
            "before_the_first_step": in_mib(before),
            "peak": in_mib(peak),
        },
    }))
}

fn setup(flags: &Flags) -> anyhow::Result<Setup> {
    let (vocab, length, batch) = match flags.preset {
        Preset::Tiny | Preset::Small => (1024, 64, 32),
        // GPT-2's vocabulary and the length that the preset was made for.
        Preset::Ggm387m => (50_257, 1024, 1),
    };
    let sizes = Sizes {
        name: flags.preset.name().into(),
        model: flags.preset.config(),
        vocab: flags.vocab.unwrap_or(vocab),
        length: flags.length.unwrap_or(length),
    };
    let train = TrainConfig {
        batch: flags.batch.unwrap_or(batch),
        checkpoint_activations: flags.checkpoint_activations,
        ..TrainConfig::default()
    };
    Setup::new(sizes, train, flags.threads, "cpu")
}

/// Number of weights, and bytes resident before the first step.
type Ready = (usize, Option<u64>);

fn train(flags: &Flags, setup: &Setup) -> anyhow::Result<Ready> {
    let folder = tempfile::tempdir()?;
    let mut trainer = setup.trainer(&folder.path().join("run"))?;
    let ready = (trainer.network().num_params(), Resident::now().present);
    let corpus = flags.corpus.map(|mib| write_corpus(setup, mib, folder.path())).transpose()?;
    let source: Box<dyn SequenceSource> = match corpus {
        Some(corpus) => Box::new(TextWindows::new(corpus.into(), Split::Training, setup.config.data.length())?),
        None => Box::new(UniformTokens(setup.vocab)),
    };
    for _ in 0..flags.steps {
        trainer.train_step(&*source)?;
    }
    Ok(ready)
}

/// Memory-mapped shards of the given number of MiB of uniform tokens.
fn write_corpus(setup: &Setup, mib: usize, folder: &Path) -> anyhow::Result<TokenData> {
    let folder = folder.join("tokens");
    std::fs::create_dir(&folder)?;
    let mut writer = TokenWriter::new(&folder, setup.vocab, "");
    let mut rng = ChainRng::new(0, 0);
    let tokens_of_a_mib = (1 << 20) / if setup.vocab <= 1 << 16 { 2 } else { 4 };
    let mut tokens: Vec<Token> = vec![0; tokens_of_a_mib];
    UniformTokens(setup.vocab).draw(&mut rng, &mut tokens)?;
    (0..mib).try_for_each(|_| writer.split(Split::Training).write(&tokens))?;
    writer.finish()?;
    Ok(TokenData::open(&folder)?)
}

fn sample(flags: &Flags, setup: &Setup) -> anyhow::Result<Ready> {
    let network = setup.network()?;
    let ready = (network.num_params(), Resident::now().present);
    super::sampling(setup, &network, |run| run(flags.steps))?;
    Ok(ready)
}

/// Resident bytes of this process; `None` if the system does not report them.
struct Resident {
    present: Option<u64>,
    peak: Option<u64>,
}

impl Resident {
    fn now() -> Self {
        Self::of(&std::fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    /// Of a text like `/proc/self/status`.
    fn of(status: &str) -> Self {
        let bytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
            Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
        };
        Self { present: bytes("VmRSS"), peak: bytes("VmHWM") }
    }
}

fn in_mib(bytes: Option<u64>) -> Value {
    bytes.map(|bytes| bytes as f64 / MIB).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_bytes_are_read_where_they_are() {
        let status = "Name:\tglauber\nVmPeak:\t  999 kB\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\n";
        let found = Resident::of(status);
        assert_eq!((found.present, found.peak), (Some(1 << 20), Some(2 << 20)));
        let found = Resident::of("");
        assert!(found.present.is_none() && found.peak.is_none());
    }
}
