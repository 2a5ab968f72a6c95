//! Objectives: losses with the same minimiser (`docs/math.md`, §5).

mod beside;
mod drawing;
mod evaluation;
pub(crate) mod examples;
mod losses;
mod output;
mod registry;
mod sequence;

pub use beside::{BlockSteps, Right};
pub use drawing::Drawing;
pub use evaluation::{Excess, Losses, excess_over_bayes};
pub use examples::Examples;
pub use losses::*;
pub use output::{Conditional, DenoisingLaw, DeviceLaw, Output, Place, SignalLogits};
pub use registry::{objective, objectives, register_objective};

use std::fmt::Debug;

use burn::tensor::{Device, Int, Tensor, TensorData};

use glauber_schedule::{NoiseLaw, Schedule};
use glauber_tokens::{Site, Step, Token};

use crate::TrainError;

/// A loss whose minimiser over all functions is the true conditional
/// `r(a) = P(X_{t,i} = a | x_{-i})`.
///
/// Implement this trait for your own objective, and pass `&MyObjective` as an objective. [`register_objective`] lets
/// configurations name it.
///
/// ```
/// use burn::tensor::Tensor;
/// use glauber_train::{DenoisingLaw, Label, Objective, Output, Targets, TargetList};
///
/// /// Cross-entropy of the clean token, weighted by the signal level.
/// #[derive(Debug)]
/// struct Weighted;
///
/// impl Objective for Weighted {
///     fn name(&self) -> &'static str {
///         "weighted"
///     }
///     fn output(&self) -> &'static dyn Output {
///         &DenoisingLaw
///     }
///     fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
///         targets.push(label.clean, [label.level]);
///     }
///     fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
///         targets.log_probability(logits).neg() * targets.numbers[0].clone()
///     }
/// }
/// ```
pub trait Objective: Debug + Send + Sync {
    /// The name in files and flags.
    fn name(&self) -> &'static str;

    /// The meaning of the network's logits.
    fn output(&self) -> &'static dyn Output;

    /// Pushes the inputs of a label's loss: a token, and any numbers.
    fn aim(&self, label: &Label<'_>, targets: &mut TargetList);

    /// The loss of every label, in nats.
    ///
    /// # Shapes
    /// - logits: `[batch, requested site, token]`
    /// - targets and output: `[batch, requested site]`
    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2>;

    /// The expected loss of a label given its context, minus the least possible, in nats. The default `KL(r ‖ r_θ)` is
    /// right for a cross-entropy of the noisy token.
    fn excess(&self, truth: &Truth<'_>, logits: &[f64]) -> f64 {
        truth.step_excess(self.output(), logits)
    }

    /// Checks that the objective fits a schedule.
    ///
    /// # Errors
    /// [`TrainError::NoiseLaw`] when labels carry no information under the noise law.
    fn check(&self, schedule: &Schedule) -> Result<(), TrainError> {
        let _ = schedule;
        Ok(())
    }

    /// Whether examples have a continuous time at which all sites are equally noisy, instead of a step of the chain.
    fn is_continuous(&self) -> bool {
        false
    }

    /// How it treats the site's own token, if the network reads it.
    fn own_token(&self) -> OwnToken {
        OwnToken::Hidden
    }

    /// Whether a row of examples draws its number of masks uniformly from one to all, instead of a level.
    fn counts_masks(&self) -> bool {
        false
    }

    /// Whether it compares the probabilities of whole sequences with [their density](crate::SequenceSource::log_density). A row
    /// of examples must then be a whole path of the chain.
    fn compares_paths(&self) -> bool {
        false
    }

    /// Whether its logits depend on the step, beyond the signal levels.
    fn reads_step(&self) -> bool {
        false
    }
}

impl PartialEq for dyn Objective + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

/// How a loss treats the site's own token, if the network reads it (`docs/math.md`, §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnToken {
    /// The network must not read it, because the least loss copies it.
    Hidden,
    /// Its evidence about the clean token is added to the logits in training, so that they learn to ignore it.
    Weighed,
    /// The least loss ignores it. Every site has a label, whatever its token.
    Seen,
}

/// A label: a site of a noisy sequence with its tokens and level.
#[derive(Debug, Clone, Copy)]
pub struct Label<'a> {
    /// The forward chain.
    pub schedule: &'a Schedule,
    /// The step of the row.
    pub step: Step,
    /// The site.
    pub site: Site,
    /// The site's signal level.
    pub level: f64,
    /// The clean token, of `X_0`.
    pub clean: Token,
    /// The noisy token, of `X_t`.
    pub noisy: Token,
    /// The token shown right after a step that touched the site: `Z` or `X_t`.
    pub shown: Token,
    /// Whether the token shown is noise, `Z ≠ φ`.
    pub noise: bool,
}

impl Label<'_> {
    /// The rate at which `−ln α` grows with the fraction of the horizon, at the label's step.
    pub fn rate(&self) -> f64 {
        rate(self.schedule, self.step)
    }

    /// `r_0(b) = α 1{b = X_0} + (1 − α) q(b)`, the law of the site's token given its clean token.
    ///
    /// # Panics
    /// When the token is outside the vocabulary.
    pub fn truth(&self, b: usize) -> f64 {
        let noise = (1.0 - self.level) * self.schedule.law_of_levels().probability_at(self.level, b as Token);
        noise + if b == self.clean as usize { self.level } else { 0.0 }
    }
}

/// The rate at which `−ln α` grows with the fraction of the horizon, at a step.
pub(crate) fn rate(schedule: &Schedule, step: Step) -> f64 {
    -schedule.keep_probability(step).ln() * schedule.sweeps() as f64
}

/// The inputs of a batch's losses, label by label, on the host.
#[derive(Debug, Clone, Default)]
pub struct TargetList {
    pub(crate) tokens: Vec<i32>,
    /// Shape `[number, label]`.
    pub(crate) numbers: Vec<Vec<f32>>,
}

impl TargetList {
    /// Adds a label's token and numbers; all labels must have equally many numbers.
    pub fn push<const N: usize>(&mut self, token: Token, numbers: [f64; N]) {
        self.tokens.push(token as i32);
        self.numbers.resize_with(N, Vec::new);
        self.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number as f32));
    }
}

/// A noise law on a device, `[1, 1, token]`.
pub(crate) fn law_tensor(law: &NoiseLaw, device: &Device) -> Tensor<3> {
    let noise: Vec<f32> = law.probabilities().iter().map(|&q| q as f32).collect();
    Tensor::from_data(TensorData::new(noise, [1, 1, law.vocab()]), device)
}

/// The inputs of a batch's losses, on a device. Values of labels have the shape `[batch, requested site]`.
#[derive(Debug, Clone)]
pub struct Targets {
    /// The token whose logit the loss reads.
    pub token: Tensor<2, Int>,
    /// The objective's own numbers, in the order of pushing.
    pub numbers: Vec<Tensor<2>>,
    /// The noise law `q`, `[1, 1, token]`; for a moving law, `q` at the level of each label, `[batch, requested site,
    /// token]`.
    pub noise: Tensor<3>,
    /// The mask token, if the noise law has one.
    pub mask: Option<Token>,
    /// `log γ` of each row's clean sequence, `[batch, 1]`, in nats, for objectives that
    /// [compare paths](Objective::compares_paths).
    pub log_density: Option<Tensor<2>>,
    /// 1 where a label counts, else 0; `None` when all do.
    pub(crate) counted: Option<Tensor<2>>,
}

impl Targets {
    /// The inputs of an objective for labels in the order of `shape`, `[batch, requested site]`. All count.
    ///
    /// # Panics
    /// If the number of labels does not match the shape.
    pub fn of<'a>(
        objective: &dyn Objective,
        schedule: &Schedule,
        labels: impl IntoIterator<Item = Label<'a>>,
        shape: [usize; 2],
        device: &Device,
    ) -> Self {
        let mut list = TargetList::default();
        let law = schedule.law_of_levels();
        let mut moved: Vec<f32> = Vec::new();
        for label in labels {
            objective.aim(&label, &mut list);
            if law.is_moving() {
                moved.extend(law.at(label.level).probabilities().iter().map(|&q| q as f32));
            }
        }
        let float = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, shape), device);
        Self {
            noise: match law.is_moving() {
                true => Tensor::from_data(TensorData::new(moved, [shape[0], shape[1], law.vocab()]), device),
                false => law_tensor(law, device),
            },
            mask: law.mask(),
            token: Tensor::from_data(TensorData::new(list.tokens, shape), device),
            numbers: list.numbers.into_iter().map(float).collect(),
            log_density: None,
            counted: None,
        }
    }

    /// `log softmax` at the tokens: logits `[batch, requested site, token]` to `[batch, requested site]`.
    pub fn log_probability(&self, logits: Tensor<3>) -> Tensor<2> {
        glauber_fused::log_probability(logits, self.token.clone())
    }

    /// The logits at the tokens.
    pub fn logit(&self, logits: Tensor<3>) -> Tensor<2> {
        logits.gather(2, self.token.clone().unsqueeze_dim(2)).squeeze_dim(2)
    }

    /// The mean over the labels that count, a scalar `[1]`.
    pub(crate) fn mean(&self, losses: Tensor<2>) -> Tensor<1> {
        match &self.counted {
            None => losses.mean(),
            Some(counted) => (losses * counted.clone()).sum() / counted.clone().sum().clamp_min(1.0),
        }
    }
}

/// The law of a label given its context, if it is known.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// The site of the label.
    pub place: Place<'a>,
    /// The denoising law `μ(a) = P(X_{0,i} = a | x_{-i})`, shape `[token]`.
    pub denoising: &'a [f64],
    /// The conditional `r(a)`, shape `[token]`.
    pub conditional: &'a [f64],
}

impl Truth<'_> {
    /// `KL(r ‖ r_θ)` of logits `[token]`, in nats, comparable between objectives.
    pub fn step_excess(&self, output: &dyn Output, logits: &[f64]) -> f64 {
        let mut log_r = logits.to_vec();
        output.log_conditional(&self.place, &mut log_r);
        divergence(self.conditional, &log_r)
    }
}

/// `KL(p ‖ exp log_q)`, in nats.
pub(crate) fn divergence(p: &[f64], log_q: &[f64]) -> f64 {
    let term = |(&p, &log_q): (&f64, &f64)| if p > 0.0 { p * (p.ln() - log_q) } else { 0.0 };
    p.iter().zip(log_q).map(term).sum()
}

/// Log-softmax in place.
pub(crate) fn normalise(row: &mut [f64]) {
    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = row.iter().map(|value| (value - top).exp()).sum();
    let shift = top + total.ln();
    row.iter_mut().for_each(|value| *value -= shift);
}
