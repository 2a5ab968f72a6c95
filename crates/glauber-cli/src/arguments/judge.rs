//! Flags of `glauber judge`.

use std::path::PathBuf;

use clap::Args;

use super::{DrawFlags, SamplerFlags};

#[derive(Debug, Args)]
pub struct JudgeFlags {
    /// Text run: its samples are measured next to its own training and held-out text
    #[arg(long, value_name = "DIR", required_unless_present = "texts")]
    pub run: Option<PathBuf>,
    /// Files of texts to measure, one text per line. `.jsonl` files: one string, or one object with the key `text`, per
    /// line
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub texts: Vec<PathBuf>,
    /// Without `--run`: the text that the models were trained on
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "run", required_unless_present = "run")]
    pub data: Vec<PathBuf>,
    /// Without `--run`: held-out text from the same source
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "run", required_unless_present = "run")]
    pub held_out: Vec<PathBuf>,
    /// Second judge: a run with the network `autoregressive`, preferably trained with another seed
    #[arg(long, value_name = "DIR")]
    pub judge: Option<PathBuf>,
    /// Number of texts per row of the table
    #[arg(short = 'n', long, default_value_t = 512)]
    pub count: usize,
    /// Characters per text. Default: the length that 9 of 10 samples reach; 64 without `--run`
    #[arg(long, value_name = "CHARACTERS")]
    pub length: Option<usize>,
    /// Number of steps drawn per held-out sequence for the bound; 0 skips the bound
    #[arg(long, default_value_t = 64)]
    pub draws: usize,
    /// Draw the run's samples at each of these temperatures, one row per temperature
    #[arg(long, value_name = "T", value_delimiter = ',', requires = "run", conflicts_with = "temperature")]
    pub temperatures: Vec<f64>,
    /// Plot the rows to an SVG file: judge surprisal against entropy, C2ST accuracy against spelling
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Print the scores as JSON
    #[arg(long)]
    pub json: bool,
    /// Cache of tokenized data, shared between runs
    #[arg(long, value_name = "DIR", default_value = "runs/cache")]
    pub cache: PathBuf,
    #[command(flatten)]
    pub draw: DrawFlags,
    #[command(flatten)]
    pub sampler: SamplerFlags,
}
