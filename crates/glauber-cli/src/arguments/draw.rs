//! Flags of the commands that draw samples.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use glauber_chain::{ChangesPerEvaluation, DrawControls};
use glauber_program::device::Name;
use glauber_run::{Blocks, DrawPlace, SamplerKind, SamplerSettings};

/// Controls of the heat-bath draws.
#[derive(Debug, Clone, Args)]
pub struct DrawFlags {
    /// Sampling temperature; below 1 favours probable tokens
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub temperature: f64,
    /// Draw from the k most probable tokens only
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Draw from the most probable tokens whose probabilities sum to p (nucleus sampling)
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f64>,
    /// Seed of the chains; the same seed gives the same samples
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Device: cpu, wgpu, cuda or cuda:INDEX. `glauber device list` lists those available. `sample` accepts several,
    /// e.g. cuda:0,cuda:1
    #[arg(long, default_value = "cpu")]
    pub device: String,
}

impl DrawFlags {
    pub fn controls(&self) -> anyhow::Result<DrawControls> {
        let controls = DrawControls { temperature: self.temperature, top_k: self.top_k, top_p: self.top_p };
        controls.validate()?;
        Ok(controls)
    }
}

/// Parses `--sampler`. Names and descriptions come from [`SamplerKind`].
fn sampler_names() -> impl TypedValueParser<Value = SamplerKind> {
    let named = SamplerKind::ALL.iter().map(|kind| PossibleValue::new(kind.name()).help(kind.about()));
    let of = |name: String| SamplerKind::ALL.iter().copied().find(|kind| kind.name() == name).unwrap_or_default();
    PossibleValuesParser::new(named).map(of)
}

/// Where heat bath draws tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DrawnOn {
    /// On the host, in double precision: logits are copied back at every step
    Host,
    /// On the network's device, in single precision: tokens stay on the device
    Device,
}

/// The steps of the chain.
#[derive(Debug, Clone, Args)]
pub struct ChainFlags {
    /// Number of sweeps of the chain. Default: as in training
    #[arg(long)]
    pub sweeps: Option<usize>,
    /// Redraw up to this many distant sites per step. Takes fewer steps; an approximation
    #[arg(long, value_name = "SITES")]
    pub block: Option<usize>,
    /// Grid runs: redraw together all sites at least A rows or columns apart: A² steps per sweep. Exact only if such
    /// sites are conditionally independent; for a network an approximation, better for larger A
    #[arg(long, value_name = "A", conflicts_with = "block")]
    pub apart: Option<usize>,
    /// Redraw all sites in parallel, this many times, as other discrete diffusion models do. Fewer passes are a coarser
    /// approximation of the model
    #[arg(long, value_name = "K", conflicts_with_all = ["sweeps", "block", "apart"])]
    pub passes: Option<usize>,
}

impl ChainFlags {
    /// The requested number of sweeps.
    pub fn sweeps(&self) -> Option<usize> {
        self.passes.or(self.sweeps)
    }

    /// Which sites are redrawn together.
    pub fn blocks(&self) -> Option<Blocks> {
        let apart = self.apart.map(Blocks::Spaced).or(self.block.map(Blocks::Strided));
        self.passes.map(|_| Blocks::All).or(apart)
    }
}

/// The sampler.
#[derive(Debug, Clone, Args)]
pub struct SamplerFlags {
    /// Sampler of the reverse chain. Default: heat-bath; lazy if all sites are redrawn in parallel
    #[arg(long, value_parser = sampler_names())]
    pub sampler: Option<SamplerKind>,
    /// skip-ahead: re-evaluate the network after this many changes, or `auto`: many at high noise, one near the data.
    /// Default: 1, the reference
    #[arg(long, value_name = "M", value_parser = changes_per_eval)]
    pub changes_per_eval: Option<ChangesPerEvaluation>,
    /// skip-ahead: re-evaluate the network after at most this many steps, because its conditioning on the step is then
    /// outdated. Default: 1/32 of the steps of the chain
    #[arg(long, value_name = "STEPS")]
    pub conditioning_window: Option<usize>,
    #[command(flatten)]
    pub chain: ChainFlags,
    /// blend: probability of heat bath. remask, remask-loop: upper bound on the probability of masking again.
    /// remask-rescaled, remask-confident: share of the largest allowed probability
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub share: Option<f64>,
    /// entropy-bound: summed entropy of the sites written per pass, in nats. path: rate of masking again; 1 follows the
    /// probabilities, 0 is never
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub strength: Option<f64>,
    /// ReDeNoise: noise the finished sequences for this many steps, then denoise them again
    #[arg(long, value_name = "STEPS")]
    pub renoise_steps: Option<usize>,
    /// Rounds of ReDeNoise. Default: 1
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Final heat-bath sweeps over the clean tokens, in random order. They repair tokens that were drawn among noise
    #[arg(long, value_name = "SWEEPS", default_value_t = 0)]
    pub repair: usize,
    /// Where heat bath draws tokens. Default: on the device for a GPU, on the host for the CPU. Guidance and the other
    /// samplers always draw on the host
    #[arg(long, value_enum, value_name = "PLACE")]
    pub draw_on: Option<DrawnOn>,
}

impl SamplerFlags {
    /// Settings of the sampler, with these controls of its draws.
    pub fn settings(&self, controls: DrawControls) -> SamplerSettings {
        SamplerSettings {
            sampler: self.sampler,
            controls,
            changes_per_eval: self.changes_per_eval,
            conditioning_window: self.conditioning_window,
            sweeps: self.chain.sweeps(),
            blocks: self.chain.blocks(),
            share: self.share,
            strength: self.strength,
            renoise_steps: self.renoise_steps,
            rounds: self.rounds,
            repair: self.repair,
        }
    }

    /// Where tokens are drawn for a network on this device.
    pub fn place(&self, device: &str) -> DrawPlace {
        match self.draw_on {
            Some(DrawnOn::Host) => DrawPlace::Host,
            Some(DrawnOn::Device) => DrawPlace::Device,
            None if device.parse() == Ok(Name::Cpu) => DrawPlace::Host,
            None => DrawPlace::DeviceWherePossible,
        }
    }
}

/// Parses `--changes-per-eval`.
fn changes_per_eval(text: &str) -> Result<ChangesPerEvaluation, String> {
    match text.parse() {
        _ if text == "auto" => Ok(ChangesPerEvaluation::AUTO),
        Ok(changes) if changes > 0 => Ok(ChangesPerEvaluation::Fixed(changes)),
        _ => Err("expected a number of changes of at least 1, or `auto`".into()),
    }
}

/// Class conditioning, for networks trained with classes.
#[derive(Debug, Clone, Default, Args)]
pub struct ClassFlags {
    /// Draw sequences of this class: a name, or a number from 0 (`glauber info` lists them). Default: all classes
    #[arg(long, value_name = "CLASS", allow_negative_numbers = true)]
    pub class: Option<String>,
    /// Classifier-free guidance weight `w`: `(1 + w) log r_class − w log r`; 0 is off
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    pub guidance: Option<f64>,
}
