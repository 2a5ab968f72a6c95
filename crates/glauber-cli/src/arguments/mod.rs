//! Commands and flags.

mod draw;
mod energy;
mod fidelity;
mod judge;
mod train;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use glauber_chain::{HeatBath, Lazy, ReverseKernel};
use glauber_program::TrainFlags;

pub use self::draw::{ChainFlags, ClassFlags, DrawFlags, SamplerFlags};
pub use self::energy::{EnergyFlags, StudyFlags, TrainEnergyFlags};
pub use self::fidelity::FidelityFlags;
pub use self::judge::JudgeFlags;
pub use self::train::{
    ClassifierFlags, CropMargin, DataFlags, ImageFlags, ImageTokenizerFlags, ImagesFlags, MarkovFlags, SudokuFlags,
    TextFlags,
};

use self::train::grid_size;

/// Glauber generative models: discrete diffusion by heat bath.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    /// Log more to stderr; repeat the flag to log everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // one value a program
pub enum Command {
    /// Train a model
    Train {
        #[command(subcommand)]
        what: TrainWhat,
    },
    /// Draw sequences from a trained model
    Sample(SampleFlags),
    /// Fill the gaps in a text (`____` is a gap, `{3}` a gap of exactly 3 tokens), or repaint part of an image
    Infill(InfillFlags),
    /// Compute an upper bound on the negative log-likelihood of data under a trained model
    Eval(EvalFlags),
    /// Measure the quality of sampled images: recognised classes, Fréchet distance, precision and recall
    Fidelity(FidelityFlags),
    /// Measure the quality of sampled texts, next to held-out text, n-gram samples and shuffled words
    Judge(JudgeFlags),
    /// Sample a target given by an energy: log Z with its interval, exact values and means in equilibrium
    Energy(EnergyFlags),
    /// Describe a run folder, or print the size of a preset
    Info(InfoFlags),
    /// Print the progress of a run, even if another process trains it
    Status(StatusFlags),
    /// Train a tokenizer, or show how a tokenizer splits a text
    Tokenize(TokenizeFlags),
    /// Inspect devices
    Device {
        #[command(subcommand)]
        what: DeviceWhat,
    },
    /// Print completions for a shell
    Completions(CompletionFlags),
    /// Write manual pages of the program and of its commands
    Man(ManFlags),
}

/// What `glauber completions` takes.
#[derive(Debug, Args)]
pub struct CompletionFlags {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// What `glauber man` takes.
#[derive(Debug, Args)]
pub struct ManFlags {
    /// The folder for the pages
    #[arg(long, value_name = "DIR", default_value = "man")]
    pub out: PathBuf,
}

/// What `glauber device` does.
#[derive(Debug, Subcommand)]
pub enum DeviceWhat {
    /// List the devices that the program can be built for, and which of them are available
    List,
}

#[derive(Debug, Clone, Subcommand)]
#[allow(clippy::large_enum_variant)] // one value a rank
pub enum TrainWhat {
    /// Train on text files
    Text(TextFlags),
    /// Train on samples of a Markov source, whose Bayes-optimal loss is known
    Markov(MarkovFlags),
    /// Train on images: generated shapes (the default), MNIST, or a folder
    Image(ImageFlags),
    /// Train an image tokenizer: an autoencoder between images and grids of tokens
    ImageTokenizer(ImageTokenizerFlags),
    /// Train an image classifier; `glauber fidelity` uses its features and predictions
    Classifier(ClassifierFlags),
    /// Train on complete Sudoku grids
    Sudoku(SudokuFlags),
    /// Train on samples of a target given by an energy; `glauber eval` then bounds its log Z
    Energy(TrainEnergyFlags),
    /// Train on any kind of data, as configured by the table `[data]` in `--config FILE`
    Data(DataFlags),
}

impl TrainWhat {
    /// The flags of a run that ranks can share.
    pub fn run_flags(&mut self) -> Option<&mut TrainFlags> {
        match self {
            Self::Text(TextFlags { train, .. })
            | Self::Markov(MarkovFlags { train, .. })
            | Self::Image(ImageFlags { train, .. })
            | Self::Sudoku(SudokuFlags { train, .. })
            | Self::Energy(TrainEnergyFlags { train, .. })
            | Self::Data(DataFlags { train, .. }) => Some(train),
            Self::ImageTokenizer(_) | Self::Classifier(_) => None,
        }
    }
}

#[derive(Debug, Args)]
pub struct SampleFlags {
    /// Run folder
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Number of sequences to draw
    #[arg(short = 'n', long, default_value_t = 4)]
    pub count: usize,
    /// Image runs: write the samples to this file, as one sheet
    #[arg(long, value_name = "FILE.png")]
    pub out: Option<PathBuf>,
    /// Image runs: rows and columns of the sheet, e.g. `8x8`. Replaces `--count`
    #[arg(long, value_name = "SIZE", value_parser = grid_size, requires = "out", conflicts_with = "count")]
    pub grid: Option<[usize; 2]>,
    /// Image runs with classes: draw one row of `--count` images per class
    #[arg(long, requires = "out", conflicts_with_all = ["grid", "class"])]
    pub each_class: bool,
    /// Image runs: write an animation of the denoising chain to this file
    #[arg(long, value_name = "FILE.gif|.png", requires = "out")]
    pub animate: Option<PathBuf>,
    #[command(flatten)]
    pub draw: DrawFlags,
    #[command(flatten)]
    pub sampler: SamplerFlags,
    #[command(flatten)]
    pub class: ClassFlags,
}

#[derive(Debug, Args)]
pub struct InfillFlags {
    /// Run folder
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Text with gaps: `____`, or `{3}` for a gap of exactly 3 tokens. `\_` and `\{` are literal characters
    #[arg(required_unless_present = "mask", conflicts_with = "mask")]
    pub text: Option<String>,
    /// Image runs: the image to repaint. An image of another aspect ratio is cropped to its centre
    #[arg(long, value_name = "FILE", requires = "mask")]
    pub image: Option<PathBuf>,
    /// Image runs: repaint this many held-out images, in place of `--image`. Each starts a row of the sheet. Default
    /// without `--image`: 1
    #[arg(long, value_name = "IMAGES", requires = "mask", conflicts_with = "image")]
    pub held_out: Option<usize>,
    /// Image runs: mask of the part to repaint: white; the rest is black or transparent. Every pixel that white touches
    /// is repainted; with a tokenizer, every patch
    #[arg(long, value_name = "FILE", requires = "out")]
    pub mask: Option<PathBuf>,
    /// Image runs: write the sheet to this file: the masked image, then the repainted ones. With `--image` and `-n 1`,
    /// the repainted image alone
    #[arg(long, value_name = "FILE.png", requires = "mask")]
    pub out: Option<PathBuf>,
    /// Image runs: write an animation of the chains to this file
    #[arg(long, value_name = "FILE.gif|.png", requires = "mask")]
    pub animate: Option<PathBuf>,
    /// Number of alternatives to return, best first. Image runs: alternatives per image
    #[arg(short = 'n', long, default_value_t = 4)]
    pub count: usize,
    /// Tokens in a `____` gap. Default: 4
    #[arg(long, conflicts_with = "mask")]
    pub gap_tokens: Option<usize>,
    /// Chains to run; the best distinct results are returned. Default: four times `--count`
    #[arg(long, conflicts_with = "mask")]
    pub candidates: Option<usize>,
    #[command(flatten)]
    pub draw: DrawFlags,
    #[command(flatten)]
    pub sampler: SamplerFlags,
    #[command(flatten)]
    pub class: ClassFlags,
}

/// The chain that a likelihood bound is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KernelName {
    /// The posterior given the current token of the site: the tight bound
    Lazy,
    /// Heat bath: a bound that loosens as the number of sweeps grows
    HeatBath,
}

impl KernelName {
    /// The kernel of this name.
    pub fn kernel(self) -> Arc<dyn ReverseKernel> {
        match self {
            Self::Lazy => Arc::new(Lazy::default()),
            Self::HeatBath => Arc::new(HeatBath::default()),
        }
    }
}

#[derive(Debug, Args)]
pub struct EvalFlags {
    /// Run folder
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Text files, tables or folders, in the formats of `train text`. Default: the run's held-out data, or samples of
    /// its Markov source or target
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Parquet or CSV column, or JSON field, with the text. Default: the run's
    #[arg(long, value_name = "NAME", requires = "data")]
    pub column: Option<String>,
    /// Number of sequences to evaluate, evenly spaced over the data
    #[arg(long, default_value_t = 256)]
    pub sequences: usize,
    /// Number of steps drawn per sequence
    #[arg(long, default_value_t = 64)]
    pub draws: usize,
    /// Seed of the steps, the noise and the samples of a Markov source
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Kernel of the reverse chain
    #[arg(long, value_enum, default_value_t = KernelName::Lazy)]
    pub kernel: KernelName,
    #[command(flatten)]
    pub chain: ChainFlags,
    /// Evaluate sequences of this class, conditioned on the class. A name, or a number from 0
    #[arg(long, value_name = "CLASS", allow_negative_numbers = true)]
    pub class: Option<String>,
    /// Runs on acyclic graphs: draw the probability of every edge
    #[arg(long, value_name = "FILE.svg")]
    pub edges: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Device: cpu, wgpu, cuda or cuda:INDEX. `glauber device list` lists those available
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Cache of tokenized data, shared between runs
    #[arg(long, value_name = "DIR", default_value = "runs/cache")]
    pub cache: PathBuf,
}

#[derive(Debug, Args)]
pub struct InfoFlags {
    /// A run folder, a checkpoint in one, an image tokenizer or a classifier
    #[arg(required_unless_present = "preset")]
    pub path: Option<PathBuf>,
    /// Count the parameters of this preset
    #[arg(long, conflicts_with = "path")]
    pub preset: Option<String>,
    /// Vocabulary size of the preset
    #[arg(long, default_value_t = 50_257, conflicts_with = "path")]
    pub vocab: usize,
    /// Sequence length of the preset
    #[arg(long, default_value_t = 1024, conflicts_with = "path")]
    pub length: usize,
}

#[derive(Debug, Args)]
pub struct StatusFlags {
    /// Run folder of any `glauber train` command
    #[arg(value_name = "DIR")]
    pub run: PathBuf,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TokenizeFlags {
    /// Corpus to train the tokenizer on: files or folders, in the formats of `train text`
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Parquet or CSV column, or JSON field, with the text. Default: `text`
    #[arg(long, value_name = "NAME", requires = "data")]
    pub column: Option<String>,
    /// Vocabulary: bytes, characters, bpe:SIZE, a tokenizer.json, or gpt2:VOCAB.json,MERGES.txt
    #[arg(long, default_value = "bpe:1024")]
    pub tokenizer: String,
    /// Write the tokenizer to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Overwrite an existing `--out` file
    #[arg(long, requires = "out")]
    pub overwrite: bool,
    /// Text to split into tokens
    #[arg(long)]
    pub text: Option<String>,
}
