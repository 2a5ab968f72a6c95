//! Flags of `glauber judge`.

use std::path::PathBuf;

use clap::Args;

use super::{DrawFlags, SamplerFlags};

#[derive(Debug, Args)]
pub struct JudgeFlags {
    /// Run on text: its samples are judged, beside its own training and held-out text
    #[arg(long, value_name = "DIR", required_unless_present = "texts")]
    pub run: Option<PathBuf>,
    /// Files of texts to be judged, one text a line; of `.jsonl` files a string, or the key `text`, a line
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub texts: Vec<PathBuf>,
    /// Without a run: the text that the models were trained on
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "run", required_unless_present = "run")]
    pub data: Vec<PathBuf>,
    /// Without a run: text like it that they were not trained on
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "run", required_unless_present = "run")]
    pub held_out: Vec<PathBuf>,
    /// Run with the network `autoregressive` that judges too, best trained with another seed
    #[arg(long, value_name = "DIR")]
    pub judge: Option<PathBuf>,
    /// Texts of each row of the table
    #[arg(short = 'n', long, default_value_t = 512)]
    pub count: usize,
    /// Characters of each text; by default what nine samples of ten have, 64 without a run
    #[arg(long, value_name = "CHARACTERS")]
    pub length: Option<usize>,
    /// Steps drawn of each held-out sequence for the bound; 0 leaves it out
    #[arg(long, default_value_t = 64)]
    pub draws: usize,
    /// Draw the run's samples at each of these temperatures, a row each
    #[arg(long, value_name = "T", value_delimiter = ',', requires = "run", conflicts_with = "temperature")]
    pub temperatures: Vec<f64>,
    /// Draw the rows in an SVG file: surprise of the judge against entropy, C2ST accuracy against spelling
    #[arg(long, value_name = "FILE")]
    pub picture: Option<PathBuf>,
    /// Print the scores as JSON
    #[arg(long)]
    pub json: bool,
    /// Where prepared tokens are kept
    #[arg(long, value_name = "DIR", default_value = "runs/cache")]
    pub cache: PathBuf,
    #[command(flatten)]
    pub draw: DrawFlags,
    #[command(flatten)]
    pub sampler: SamplerFlags,
}
