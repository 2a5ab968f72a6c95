//! Flags of `glauber train`.

use std::path::PathBuf;

use clap::Args;
use glauber_program::{FolderFlags, TrainFlags};

/// Long help of `--data` for text.
pub const CORPUS: &str = "\
Text files, tables with a column of text, or folders

Tables have one text per row, in the column `text` or in `--column`. Formats: .jsonl, .ndjson, .jsonlines and .json (one object per line, \
objects in sequence, or an array), .csv and .tsv (the first line is the header), .parquet, .pq and .parq. Rows without a text are skipped \
and counted.

Any other named file is plain text. With `--column`, such a file is JSON if it begins with a JSON object that has the field. `--column` is \
an error if no file has columns. Gzip, zstd and Parquet are recognised by content, whatever the file name. Text is UTF-8, or UTF-16 with a \
byte-order mark.

Folders are searched for .txt, .md, .jsonl and .parquet. If a folder has none of these, it is searched for the other tables. Any ending may \
be followed by .gz or .zst. Skipped files are counted by ending. A file named twice is read once.";

#[derive(Debug, Clone, Args)]
pub struct TextFlags {
    #[command(flatten)]
    pub train: TrainFlags,
    /// Text files, tables with a column of text, or folders; `--help` lists the formats
    #[arg(long, value_name = "PATH", num_args = 1.., conflicts_with = "resume", long_help = CORPUS)]
    pub data: Vec<PathBuf>,
    /// Parquet or CSV column, or JSON field, with the text. Default: `text`
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    pub column: Option<String>,
    /// Vocabulary: bytes, characters, bpe:SIZE, a tokenizer.json, or gpt2:VOCAB.json,MERGES.txt
    #[arg(long, conflicts_with = "resume")]
    pub tokenizer: Option<String>,
    /// Cache of tokenized data, shared between runs
    #[arg(long, value_name = "DIR", default_value = "runs/cache")]
    pub cache: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct MarkovFlags {
    #[command(flatten)]
    pub train: TrainFlags,
    /// Number of symbols of the source
    #[arg(long, conflicts_with = "resume")]
    pub vocab: Option<usize>,
    /// Number of classes of sequences, each with its own source; 1 trains without classes
    #[arg(long, conflicts_with = "resume")]
    pub classes: Option<usize>,
}

/// Where images come from.
#[derive(Debug, Clone, Args)]
pub struct ImagesFlags {
    /// Images: shapes (generated, needs no files), mnist, or folder. `--set data.images.KEY=VALUE` overrides it
    #[arg(long, conflicts_with = "resume")]
    pub data: Option<String>,
    /// The folder of `--data mnist` or `--data folder`
    #[arg(long, value_name = "DIR", requires = "data")]
    pub path: Option<PathBuf>,
    /// Image folders: flip images horizontally at random; `--flip=false` disables it. Default: true for a tokenizer; a
    /// model uses the setting of its tokenizer's run, and false without a tokenizer
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        conflicts_with = "resume"
    )]
    pub flip: Option<bool>,
    /// Image folders: take random crops from pictures whose sides are at least `1 + MARGIN` times the image's, 0 to 31;
    /// `none` crops the centre. Default: 3 for a tokenizer; a model uses the setting of its tokenizer's run, and `none`
    /// without a tokenizer
    #[arg(
        long,
        value_name = "MARGIN",
        value_parser = crop_margin,
        allow_negative_numbers = true,
        conflicts_with = "resume"
    )]
    pub crop_margin: Option<CropMargin>,
}

/// Where images are cropped from pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum CropMargin {
    /// At the centre.
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
    /// Image tokenizer: sites are then patches instead of pixels. A tokenizer folder, a run folder with `tokenizer/`, a
    /// diffusers `VQModel` folder, or a taming-transformers checkpoint with its YAML beside it (or CKPT,YAML). The run
    /// keeps a copy
    #[arg(long, value_name = "PATH", conflicts_with_all = ["resume", "levels", "patch"])]
    pub tokenizer: Option<PathBuf>,
    /// Rows and columns of the images in pixels, e.g. `28` or `28x28`. Default with `--tokenizer`: the tokenizer's size
    #[arg(long, value_name = "SIZE", value_parser = grid_size, conflicts_with = "resume")]
    pub size: Option<[usize; 2]>,
    /// Number of grey levels per pixel, without a tokenizer; 2 is black and white
    #[arg(long, conflicts_with = "resume")]
    pub levels: Option<usize>,
    /// Side of the square of pixels that forms a site. Default: 1. Larger patches train many times faster. At most 4096
    /// tokens are allowed, so 2 needs at most 8 grey levels
    #[arg(long, value_name = "P", conflicts_with = "resume")]
    pub patch: Option<usize>,
    /// Class conditioning: train the network on the class of each image (digit, kind of shape, sub-folder)
    #[arg(long, conflicts_with = "resume")]
    pub classes: bool,
    /// Cache of token grids, shared between runs
    #[arg(long, value_name = "DIR", default_value = "runs/cache")]
    pub cache: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct DataFlags {
    #[command(flatten)]
    pub train: TrainFlags,
    /// Cache of tokenized data, shared between runs
    #[arg(long, value_name = "DIR", default_value = "runs/cache")]
    pub cache: PathBuf,
}

#[derive(Debug, Clone, Args)]
pub struct ImageTokenizerFlags {
    #[command(flatten)]
    pub folder: FolderFlags,
    #[command(flatten)]
    pub images: ImagesFlags,
    /// Rows and columns of the images or crops in pixels, e.g. `32` or `32x32`
    #[arg(long, value_name = "SIZE", value_parser = grid_size, conflicts_with = "resume")]
    pub size: Option<[usize; 2]>,
    /// Quantisation of latents to tokens: codebook:ENTRIES, or fsq:LEVELS,LEVELS,…
    #[arg(long, conflicts_with = "resume")]
    pub quantiser: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub struct ClassifierFlags {
    /// Output folder, new or empty. Default: the next free folder in `runs/`
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Images with classes: shapes (generated, needs no files), mnist, or folder (each sub-folder is a class)
    #[arg(long, default_value = "shapes")]
    pub data: String,
    /// The folder of `--data mnist` or `--data folder`
    #[arg(long, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// Rows and columns of the network's input in pixels, e.g. `28` or `28x28`. Default: 28 for mnist, 16 for shapes,
    /// 32 for a folder
    #[arg(long, value_name = "SIZE", value_parser = grid_size)]
    pub size: Option<[usize; 2]>,
    /// Train on colour images
    #[arg(long)]
    pub colour: bool,
    /// Number of optimiser steps
    #[arg(long, default_value_t = 1500)]
    pub steps: usize,
    /// Images per optimiser step
    #[arg(long, default_value_t = 64)]
    pub batch: usize,
    /// Peak learning rate
    #[arg(long, default_value_t = 3e-3, allow_negative_numbers = true)]
    pub learning_rate: f64,
    /// Shift images at random by up to this many pixels
    #[arg(long, default_value_t = 1)]
    pub shift: usize,
    /// Random seed. With the seed of a run, the same images are held out as in that run
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Device: cpu, wgpu, cuda or cuda:INDEX. `glauber device list` lists those available
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
    /// Side length of the grids: 4 or 9
    #[arg(long, default_value_t = 4, conflicts_with = "resume")]
    pub side: usize,
}
