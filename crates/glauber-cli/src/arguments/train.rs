//! Flags of `glauber train`.

use std::path::PathBuf;

use clap::Args;
use glauber_program::{FolderFlags, TrainFlags};

/// What `--data` of text says at length.
pub const CORPUS: &str = "\
Text files, tables with a column of text, or folders

Tables have a text in each row, under `text` or the name that --column gives. They are .jsonl, .ndjson, .jsonlines and .json (objects: one a \
line, one after the other, or in an array), .csv and .tsv (the first line has the names), .parquet, .pq and .parq. Rows without a text are \
passed over and counted.

Every other named file is plain text. With --column, such a file is JSON if it begins with a JSON object that has the field; otherwise \
--column is refused where no file has columns. Gzip, zstd and Parquet are told by content, whatever the name. Text is UTF-8, or UTF-16 with a \
byte-order mark.

Folders are searched for .txt, .md, .jsonl and .parquet. A folder without any of these is searched for the other tables. Each ending may have \
.gz or .zst behind. Files that are passed over are counted by ending. A file that is named twice is read once.";

#[derive(Debug, Clone, Args)]
pub struct TextFlags {
    #[command(flatten)]
    pub train: TrainFlags,
    /// Text files, tables with a column of text, or folders; `--help` says which are read
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "resume", long_help = CORPUS)]
    pub data: Vec<PathBuf>,
    /// Parquet or CSV column or JSON field that holds the text; by default `text`
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    pub column: Option<String>,
    /// Vocabulary: bytes, characters, bpe:SIZE, a tokenizer.json, or gpt2:VOCAB.json,MERGES.txt
    #[arg(long, conflicts_with = "resume")]
    pub tokenizer: Option<String>,
    /// Where prepared tokens are kept between runs
    #[arg(long, value_name = "DIR", default_value = "runs/cache")]
    pub cache: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct MarkovFlags {
    #[command(flatten)]
    pub train: TrainFlags,
    /// Symbols of the source
    #[arg(long, conflicts_with = "resume")]
    pub vocab: Option<usize>,
    /// Classes of sequences, each with a source of its own; 1 for none
    #[arg(long, conflicts_with = "resume")]
    pub classes: Option<usize>,
}

/// Where images come from.
#[derive(Debug, Clone, Args)]
pub struct ImagesFlags {
    /// Images: shapes (drawn, without files), mnist, or folder; `--set data.images.KEY=VALUE` goes over it
    #[arg(long, conflicts_with = "resume")]
    pub data: Option<String>,
    /// The folder of `--data mnist` or `--data folder`
    #[arg(long, value_name = "DIR", requires = "data")]
    pub path: Option<PathBuf>,
    /// Of a folder: turn images left to right at random; `--flip=false` for not. By default a tokenizer is trained so, and a model as the
    /// tokenizer in the run folder of `--tokenizer` was; without one, images stay as they are
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        conflicts_with = "resume"
    )]
    pub flip: Option<bool>,
    /// Of a folder: cut images out at random places of pictures whose sides are at least `1 + MARGIN` times as long, 0 to 31; `none` for
    /// the middle. By default a tokenizer is trained with 3, and a model as the tokenizer in the run folder of `--tokenizer` was; without
    /// one, on the middle
    #[arg(
        long,
        value_name = "MARGIN",
        value_parser = crop_margin,
        allow_negative_numbers = true,
        conflicts_with = "resume"
    )]
    pub crop_margin: Option<CropMargin>,
}

/// Where images are cut out of pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CropMargin {
    /// In the middle.
    Middle,
    /// At random, with this margin.
    Random(f64),
}

#[derive(Debug, Clone, Args)]
pub struct ImageFlags {
    #[command(flatten)]
    pub train: TrainFlags,
    #[command(flatten)]
    pub images: ImagesFlags,
    /// Tokenizer, so that patches are sites instead of pixels: the folder of one, a run folder with `tokenizer/` in it, a diffusers
    /// `VQModel` folder, or a taming-transformers checkpoint with its YAML beside it (or as CKPT,YAML). The run keeps a copy
    #[arg(long, value_name = "PATH", conflicts_with_all = ["resume", "levels", "patch"])]
    pub tokenizer: Option<PathBuf>,
    /// Rows and columns of the images in pixels, `28` or `28x28`; with `--tokenizer` by default the size that it was made for
    #[arg(long, value_name = "SIZE", value_parser = grid_size, conflicts_with = "resume")]
    pub size: Option<[usize; 2]>,
    /// Grey levels, where each pixel is a site; 2 for black and white
    #[arg(long, conflicts_with = "resume")]
    pub levels: Option<usize>,
    /// Rows and columns of pixels of a site, by default 1: patches of greys are tokens, and training is many times faster. There are at most
    /// 4096 tokens, so 2 needs 8 greys or fewer
    #[arg(long, value_name = "P", conflicts_with = "resume")]
    pub patch: Option<usize>,
    /// Tell the network the class of each image: digits, kinds of shapes, sub-folders
    #[arg(long, conflicts_with = "resume")]
    pub classes: bool,
    /// Where token grids are kept between runs
    #[arg(long, value_name = "DIR", default_value = "runs/cache")]
    pub cache: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct DataFlags {
    #[command(flatten)]
    pub train: TrainFlags,
    /// Where prepared tokens are kept between runs
    #[arg(long, value_name = "DIR", default_value = "runs/cache")]
    pub cache: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct ImageTokenizerFlags {
    #[command(flatten)]
    pub folder: FolderFlags,
    #[command(flatten)]
    pub images: ImagesFlags,
    /// Rows and columns of the images or crops, `32` or `32x32`
    #[arg(long, value_name = "SIZE", value_parser = grid_size, conflicts_with = "resume")]
    pub size: Option<[usize; 2]>,
    /// How latents become tokens: codebook:ENTRIES, or fsq:LEVELS,LEVELS,…
    #[arg(long, conflicts_with = "resume")]
    pub quantiser: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct ClassifierFlags {
    /// Folder for the network, not there yet or empty; by default the next free one of `runs/`
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Images with classes: shapes (drawn, without files), mnist, or folder (its sub-folders are the classes)
    #[arg(long, default_value = "shapes")]
    pub data: String,
    /// The folder of `--data mnist` or `--data folder`
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// Rows and columns that the network sees, `28` or `28x28`; by default 28 for mnist, 16 for shapes, 32 for a folder
    #[arg(long, value_name = "SIZE", value_parser = grid_size)]
    pub size: Option<[usize; 2]>,
    /// See images in colour
    #[arg(long)]
    pub colour: bool,
    /// Optimiser steps
    #[arg(long, default_value_t = 1500)]
    pub steps: usize,
    /// Images per optimiser step
    #[arg(long, default_value_t = 64)]
    pub batch: usize,
    /// Peak of the learning rate
    #[arg(long, default_value_t = 3e-3, allow_negative_numbers = true)]
    pub learning_rate: f64,
    /// Move images by up to this many pixels at random
    #[arg(long, default_value_t = 1)]
    pub shift: usize,
    /// Seed of everything random; the seed of a run holds out the images that the run holds out
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX; `glauber device list` tells which are here
    #[arg(long, default_value = "cpu")]
    pub device: String,
}

/// Reads `--crop-margin`.
fn crop_margin(text: &str) -> Result<CropMargin, String> {
    match text.parse() {
        _ if text == "none" => Ok(CropMargin::Middle),
        Ok(margin) if (0.0..=31.0).contains(&margin) => Ok(CropMargin::Random(margin)),
        _ => Err("expected a number in 0..=31, or `none`".into()),
    }
}

/// Reads `28` or `28x32`: rows and columns.
pub fn grid_size(text: &str) -> Result<[usize; 2], String> {
    let (rows, columns) = text.split_once('x').unwrap_or((text, text));
    let side = |text: &str| match text.parse() {
        Ok(side) if (1..=1 << 10).contains(&side) => Ok(side),
        _ => Err(format!("`{text}` is not a number in 1..={}", 1 << 10)),
    };
    Ok([side(rows)?, side(columns)?])
}

#[derive(Debug, Clone, Args)]
pub struct SudokuFlags {
    #[command(flatten)]
    pub train: TrainFlags,
    /// Side of the grids: 4 or 9
    #[arg(long, default_value_t = 4, conflicts_with = "resume")]
    pub side: usize,
}
