//! Flags of whatever draws.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use glauber_chain::{ChangesPerEvaluation, DrawControls};
use glauber_program::device::Name;
use glauber_run::{Blocks, DrawPlace, SamplerKind, SamplerSettings};

/// Controls of the heat-bath draws.
#[derive(Debug, Clone, Args)]
pub struct DrawFlags {
    /// Temperature of the draws; below 1 prefers the likely
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub temperature: f64,
    /// Draw among the k most probable tokens
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    /// Draw among the most probable tokens that together have probability p (nucleus)
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub top_p: Option<f64>,
    /// Seed of the chains; the same seed gives the same texts
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX; `glauber device list` tells which are here. `sample` takes several, as in cuda:0,cuda:1
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

/// Reads `--sampler`; the names and what they do come from the list of samplers.
fn sampler_names() -> impl TypedValueParser<Value = SamplerKind> {
    let named = SamplerKind::ALL.map(|kind| PossibleValue::new(kind.name()).help(kind.about()));
    let of = |name: String| SamplerKind::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or_default();
    PossibleValuesParser::new(named).map(of)
}

/// Where heat bath draws tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DrawnOn {
    /// In double precision on the host: the network's answer comes back at every step
    Host,
    /// In single precision on the device that holds the network: tokens stay there
    Device,
}

/// The steps of the chain.
#[derive(Debug, Clone, Args)]
pub struct ChainFlags {
    /// Sweeps of the chain; by default those of the training
    #[arg(long)]
    pub sweeps: Option<usize>,
    /// Redraw up to this many sites, far apart, at a step: fewer steps, an approximation
    #[arg(long, value_name = "SITES")]
    pub block: Option<usize>,
    /// Of a run on grids: redraw sites at least A rows or columns apart at a step, A² steps a sweep. Exact only if such sites are
    /// independent given the rest: with a network an approximation, the better the larger A
    #[arg(long, value_name = "A", conflicts_with = "block")]
    pub apart: Option<usize>,
    /// Redraw all sites at once, so often, as other discrete diffusion models do: the fewer, the further from what the model says
    #[arg(long, value_name = "K", conflicts_with_all = ["sweeps", "block", "apart"])]
    pub passes: Option<usize>,
}

impl ChainFlags {
    /// The number of sweeps that is asked for.
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
    /// How the steps are undone; by default by heat bath, and by lazy where all sites are redrawn at once
    #[arg(long, value_parser = sampler_names())]
    pub sampler: Option<SamplerKind>,
    /// With skip-ahead: evaluate the network again after this many changes, or `auto`: many where there is much noise, one near the
    /// data. By default 1, the reference
    #[arg(long, value_name = "M", value_parser = changes_per_eval)]
    pub changes_per_eval: Option<ChangesPerEvaluation>,
    /// With skip-ahead: evaluate the network again after this many steps in any case, because its conditioning on the step has grown
    /// old. By default a 32nd of the steps of the chain
    #[arg(long, value_name = "STEPS")]
    pub conditioning_window: Option<usize>,
    #[command(flatten)]
    pub chain: ChainFlags,
    /// With blend: the probability of heat bath. With remask: the probability of masking again, at most
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    pub share: Option<f64>,
    /// With entropy-bound: the summed entropy of the sites that a pass writes, in nats. With path: how readily tokens are masked again,
    /// 1 by their probabilities, 0 never
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub strength: Option<f64>,
    /// ReDeNoise: take the finished sequences forward by this many steps and denoise them again
    #[arg(long, value_name = "STEPS")]
    pub renoise_steps: Option<usize>,
    /// Rounds of ReDeNoise; by default 1
    #[arg(long)]
    pub rounds: Option<usize>,
    /// End with this many sweeps of heat bath among clean tokens, in random order: they mend what was written among noise
    #[arg(long, value_name = "SWEEPS", default_value_t = 0)]
    pub repair: usize,
    /// Where heat bath draws: by default on the device where that is a card, and on the host where it is the CPU. Guidance and the other
    /// samplers draw on the host
    #[arg(long, value_enum, value_name = "PLACE")]
    pub draw_on: Option<DrawnOn>,
}

impl SamplerFlags {
    /// What is asked of the sampler, with the controls of its draws.
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

    /// Where tokens are drawn, the network being on a device of this name.
    pub fn place(&self, device: &str) -> DrawPlace {
        match self.draw_on {
            Some(DrawnOn::Host) => DrawPlace::Host,
            Some(DrawnOn::Device) => DrawPlace::Device,
            None if device.parse() == Ok(Name::Cpu) => DrawPlace::Host,
            None => DrawPlace::DeviceWherePossible,
        }
    }
}

/// Reads `--changes-per-eval`.
fn changes_per_eval(text: &str) -> Result<ChangesPerEvaluation, String> {
    match text.parse() {
        _ if text == "auto" => Ok(ChangesPerEvaluation::AUTO),
        Ok(changes) if changes > 0 => Ok(ChangesPerEvaluation::Fixed(changes)),
        _ => Err("expected a number of changes of at least 1, or `auto`".into()),
    }
}

/// Classes, where the network was trained with them.
#[derive(Debug, Clone, Default, Args)]
pub struct ClassFlags {
    /// Sequences of this class, by its name or its number from 0 (`glauber info` lists them); by default of all
    #[arg(long, value_name = "CLASS", allow_negative_numbers = true)]
    pub class: Option<String>,
    /// Emphasise the class with this weight `w`: `(1 + w) log r_class − w log r`; 0 does nothing
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    pub guidance: Option<f64>,
}
