//! Commands and flags.

mod draw;
mod fidelity;
mod judge;
mod train;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use glauber_chain::{HeatBath, Lazy, ReverseKernel};
use glauber_program::TrainFlags;

pub use self::draw::{ChainFlags, ClassFlags, DrawFlags, SamplerFlags};
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
    /// Say more on stderr (twice for everything)
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
    /// Fill the gaps of a text (`____` is a gap, `{3}` one of exactly 3 tokens), or paint a part of an image
    Infill(InfillFlags),
    /// Bound the negative log-likelihood of data under a trained model
    Eval(EvalFlags),
    /// Judge the samples of a run on images: recognised classes, Fréchet distance, precision and recall
    Fidelity(FidelityFlags),
    /// Judge texts: samples of a run or of a file, beside held-out text, n-grams and shuffled words
    Judge(JudgeFlags),
    /// Tell what is in a run folder, or how large a preset is
    Info(InfoFlags),
    /// Tell where a run stands, whichever process trains it
    Status(StatusFlags),
    /// Train a tokenizer, or show how one divides a text
    Tokenize(TokenizeFlags),
    /// Tell of devices
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
    /// List the devices that the program can be built for, and which of them are here
    List,
}

#[derive(Debug, Clone, Subcommand)]
#[allow(clippy::large_enum_variant)] // one value a rank
pub enum TrainWhat {
    /// Train on text files
    Text(TextFlags),
    /// Train on draws of a Markov source, whose Bayes loss is known
    Markov(MarkovFlags),
    /// Train on images: drawn shapes by default, MNIST, or a folder
    Image(ImageFlags),
    /// Train an autoencoder that turns images into grids of tokens and back
    ImageTokenizer(ImageTokenizerFlags),
    /// Train a classifier of images, whose features and verdicts `glauber fidelity` uses
    Classifier(ClassifierFlags),
    /// Train on complete Sudoku grids
    Sudoku(SudokuFlags),
    /// Train on data of any kind that the program knows, as the table `[data]` of `--config FILE` says
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
    /// Sequences to draw
    #[arg(short = 'n', long, default_value_t = 4)]
    pub count: usize,
    /// Of a run on images: the file for the sheet of samples
    #[arg(long, value_name = "FILE.png")]
    pub out: Option<PathBuf>,
    /// Of a run on images: rows and columns of the sheet, `8x8`, in place of `--count`
    #[arg(long, value_name = "SIZE", value_parser = grid_size, requires = "out", conflicts_with = "count")]
    pub grid: Option<[usize; 2]>,
    /// Of a run on images with classes: a row of `--count` images for each class
    #[arg(long, requires = "out", conflicts_with_all = ["grid", "class"])]
    pub each_class: bool,
    /// Of a run on images: a film of the chain as it denoises
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
    /// The text, its gaps marked: `____`, or `{3}` for exactly 3 tokens; `\_` and `\{` stand for themselves
    #[arg(required_unless_present = "mask", conflicts_with = "mask")]
    pub text: Option<String>,
    /// Of a run on images: the image to be painted in part. Of other proportions than the run's, its middle
    #[arg(long, value_name = "FILE", requires = "mask")]
    pub image: Option<PathBuf>,
    /// In place of `--image`, so many of the images that were held out in training; each begins its row of the sheet. 1 where neither is given
    #[arg(long, value_name = "IMAGES", requires = "mask", conflicts_with = "image")]
    pub held_out: Option<usize>,
    /// Of a run on images: which part is to be painted, white, the rest black or transparent. Each pixel that white reaches into is
    /// painted; through a tokenizer, each patch
    #[arg(long, value_name = "FILE", requires = "out")]
    pub mask: Option<PathBuf>,
    /// The file for the sheet: the image without the part, then what was painted. With `--image` and `-n 1`, for the painted image itself
    #[arg(long, value_name = "FILE.png", requires = "mask")]
    pub out: Option<PathBuf>,
    /// A film of the chains as they paint
    #[arg(long, value_name = "FILE.gif|.png", requires = "mask")]
    pub animate: Option<PathBuf>,
    /// Alternatives to return, best first; of images, paintings of each
    #[arg(short = 'n', long, default_value_t = 4)]
    pub count: usize,
    /// Tokens in a `____` gap; 4 unless given
    #[arg(long, conflicts_with = "mask")]
    pub gap_tokens: Option<usize>,
    /// Chains to run; the best of their distinct results are returned. By default four times `--count`
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
    /// The posterior given what stands at the site: the tight bound
    Lazy,
    /// Heat bath: a bound that grows with the number of sweeps
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
    /// Text files, tables or folders, read as `train text` reads them; by default what the run held out, or draws of its Markov source
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Parquet or CSV column or JSON field that holds the text; by default the run's
    #[arg(long, value_name = "NAME", requires = "data")]
    pub column: Option<String>,
    /// Sequences to evaluate, spread evenly over the data
    #[arg(long, default_value_t = 256)]
    pub sequences: usize,
    /// Steps drawn for each sequence
    #[arg(long, default_value_t = 64)]
    pub draws: usize,
    /// Seed of steps and noise, and of draws of a Markov source
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Kernel of the reverse chain
    #[arg(long, value_enum, default_value_t = KernelName::Lazy)]
    pub kernel: KernelName,
    #[command(flatten)]
    pub chain: ChainFlags,
    /// Sequences of this class, and the network told so; by its name or its number from 0
    #[arg(long, value_name = "CLASS", allow_negative_numbers = true)]
    pub class: Option<String>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX; `glauber device list` tells which are here
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Where prepared tokens are kept between runs
    #[arg(long, value_name = "DIR", default_value = "runs/cache")]
    pub cache: PathBuf,
}

#[derive(Debug, Args)]
pub struct InfoFlags {
    /// Run folder or a checkpoint in one, the folder of an image tokenizer or of a classifier
    #[arg(required_unless_present = "preset")]
    pub path: Option<PathBuf>,
    /// Build the network of a preset and count its parameters
    #[arg(long, conflicts_with = "path")]
    pub preset: Option<String>,
    /// Tokens of the preset's vocabulary
    #[arg(long, default_value_t = 50_257, conflicts_with = "path")]
    pub vocab: usize,
    /// Tokens of the preset's sequences
    #[arg(long, default_value_t = 1024, conflicts_with = "path")]
    pub length: usize,
}

#[derive(Debug, Args)]
pub struct StatusFlags {
    /// Run folder, of any kind that `glauber train` makes
    #[arg(value_name = "DIR")]
    pub run: PathBuf,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TokenizeFlags {
    /// Corpus to train the tokenizer on: files or folders, read as `train text` reads them
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Parquet or CSV column or JSON field that holds the text; by default `text`
    #[arg(long, value_name = "NAME", requires = "data")]
    pub column: Option<String>,
    /// Vocabulary: bytes, characters, bpe:SIZE, a tokenizer.json, or gpt2:VOCAB.json,MERGES.txt
    #[arg(long, default_value = "bpe:1024")]
    pub tokenizer: String,
    /// Write the tokenizer here
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file of `--out` if there is one
    #[arg(long, requires = "out")]
    pub overwrite: bool,
    /// Text to divide
    #[arg(long)]
    pub text: Option<String>,
}
