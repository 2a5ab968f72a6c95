//! Flags of `glauber fidelity`.

use std::path::PathBuf;

use clap::Args;

use super::draw::{DrawFlags, SamplerFlags};

#[derive(Debug, Args)]
pub struct FidelityFlags {
    /// Run folder
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Network that recognises classes, as `glauber train classifier` writes one; its features are used if `--features` gives no others
    #[arg(long, value_name = "DIR", required_unless_present = "features")]
    pub classifier: Option<PathBuf>,
    /// Network that gives the features: a folder of network.toml and weights.safetensors
    #[arg(long, value_name = "DIR")]
    pub features: Option<PathBuf>,
    /// Samples to draw, evenly of all classes where the run has classes; as many held-out images are judged, or all of them
    #[arg(short = 'n', long, default_value_t = 1000)]
    pub count: usize,
    /// Training images to compare with, or all of them where there are fewer
    #[arg(long, default_value_t = 10_000)]
    pub reference: usize,
    /// Nearest neighbours that make the radii of precision and recall
    #[arg(long, value_name = "K", default_value_t = glauber_fidelity::NEIGHBOURS)]
    pub neighbours: usize,
    /// Emphasise the class with this weight `w`: `(1 + w) log r_class − w log r`; 0 does nothing
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
