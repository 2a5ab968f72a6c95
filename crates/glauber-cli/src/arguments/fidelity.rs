//! Flags of `glauber fidelity`.

use std::path::PathBuf;

use clap::Args;

use super::draw::{DrawFlags, SamplerFlags};

#[derive(Debug, Args)]
pub struct FidelityFlags {
    /// Run folder
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Classifier written by `glauber train classifier`. Without `--features`, it also provides the features
    #[arg(long, value_name = "DIR", required_unless_present = "features")]
    pub classifier: Option<PathBuf>,
    /// Feature network: a folder with network.toml and weights.safetensors
    #[arg(long, value_name = "DIR")]
    pub features: Option<PathBuf>,
    /// Number of samples, evenly over the classes if the run has any. As many held-out images are measured, or all if
    /// there are fewer
    #[arg(short = 'n', long, default_value_t = 1000)]
    pub count: usize,
    /// Number of training images to compare with; all if there are fewer
    #[arg(long, default_value_t = 10_000)]
    pub reference: usize,
    /// Number of nearest neighbours that define the radii of precision and recall
    #[arg(long, value_name = "K", default_value_t = glauber_fidelity::NEIGHBOURS)]
    pub neighbours: usize,
    /// Classifier-free guidance weight `w`: `(1 + w) log r_class − w log r`; 0 is off
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    pub guidance: Option<f64>,
    /// Print one line of JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub draw: DrawFlags,
    #[command(flatten)]
    pub sampler: SamplerFlags,
}
