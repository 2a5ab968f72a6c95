//! The conditioning of a network: time, signal levels and class, and their embeddings.

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear};
use burn::tensor::activation::silu;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::ModelConfig;
use crate::attention::{apply, linear};
use crate::roles::{Role, Roles};

/// The conditioning of rows: time, signal levels, class and part.
#[derive(Debug, Clone)]
pub struct Conditions {
    /// The step over the horizon, `t / T` in `0..=1`, shape `[batch]`. Ignored by a network conditioned only on signal
    /// levels.
    pub time: Tensor<1>,
    /// The signal level `α` of every site, shape `[batch, site]`; 1 for a site known to be clean. Ignored by a network
    /// conditioned only on the step.
    pub levels: Tensor<2>,
    /// The class of each row, shape `[batch]`, in `0..=classes`; `classes` itself, or `None`, means any class.
    pub classes: Option<Tensor<1, Int>>,
    /// The part of the data that each row belongs to, shape `[batch]`, if the prior was counted on the row
    /// ([`SitePrior::write`](glauber_chain::SitePrior::write)); `None` for unseen rows.
    pub parts: Option<Vec<Option<usize>>>,
    /// The sequence to the right of each site, if it differs from that to the left. A hollow network reads the row's
    /// tokens to the left of a site, and these to the right.
    pub right: Option<RightView>,
}

/// The tokens and levels to the right of each site.
#[derive(Debug, Clone)]
pub struct RightView {
    /// Shape `[batch, site]`.
    pub tokens: Tensor<2, Int>,
    /// Their signal levels, shape `[batch, site]`; a site's own level is taken from here.
    pub levels: Tensor<2>,
}

impl Conditions {
    /// Repeats the conditions of each row `copies` times; copies of a row are adjacent.
    pub(crate) fn repeat(&self, copies: usize) -> Self {
        let [batch, len] = self.levels.dims();
        let levels = self.levels.clone().unsqueeze_dim::<3>(1).expand([batch, copies, len]);
        let time = self.time.clone().unsqueeze_dim::<2>(1).expand([batch, copies]);
        let class = |classes: Tensor<1, Int>| {
            let classes = classes.unsqueeze_dim::<2>(1).expand([batch, copies]);
            classes.reshape([batch * copies])
        };
        Self {
            time: time.reshape([batch * copies]),
            levels: levels.reshape([batch * copies, len]),
            classes: self.classes.clone().map(class),
            right: None,
            parts: self.parts.as_ref().map(|parts| parts.iter().flat_map(|&part| vec![part; copies]).collect()),
        }
    }
}

/// Frequencies of the sinusoidal features of the time; twice as many features.
const TIME_FREQUENCIES: usize = 64;

/// Highest angular frequency, in radians over the whole horizon.
const HIGHEST_OF_TIME: f64 = 1000.0;

/// Frequencies of the sinusoidal features of a log signal-to-noise ratio.
const LEVEL_FREQUENCIES: usize = 16;

/// Highest angular frequency, in radians over [`MOST_LOG_SNR`].
const HIGHEST_OF_LEVEL: f64 = 60.0;

/// Log signal-to-noise ratios are clipped at this, in nats: signal levels from 3e-4 to 1 − 3e-4.
const MOST_LOG_SNR: f64 = 8.0;

/// Width of the hidden layer of the signal-level embedding.
const LEVEL_HIDDEN: usize = 64;

fn geometric(count: usize, highest: f64, device: &Device) -> Tensor<1> {
    let frequency = |i: usize| highest.powf(i as f64 / (count - 1) as f64) as f32;
    let frequencies: Vec<f32> = (0..count).map(frequency).collect();
    Tensor::from_data(TensorData::new(frequencies, [count]), device)
}

/// The condition vector of every block: sinusoidal features of the time, two layers, and the class embedding.
#[derive(Module, Debug)]
pub(crate) struct RowCondition {
    /// `[frequency]`.
    frequencies: Tensor<1>,
    first: Linear,
    second: Linear,
    /// `[class + 1, width]`, the last row for any class; `None` without classes.
    class_table: Option<Param<Tensor<2>>>,
    /// Whether to use the time; otherwise it is constant.
    timed: bool,
}

impl RowCondition {
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let width = config.condition_width;
        let table = || Initializer::Zeros.init([config.classes + 1, width], device);
        Self {
            frequencies: geometric(TIME_FREQUENCIES, HIGHEST_OF_TIME, device),
            first: linear(2 * TIME_FREQUENCIES, width, true, device),
            second: linear(width, width, true, device),
            class_table: (config.classes > 0).then(table),
            timed: config.conditioning.has_step(),
        }
    }

    pub fn roles(&self, roles: &mut Roles) {
        [&self.first, &self.second].into_iter().for_each(|layer| roles.linear(layer, Role::Linear));
        self.class_table.iter().for_each(|table| roles.add(table, Role::Table));
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.class_table.as_ref().map_or(0, |table| table.shape()[0] - 1)
    }

    pub fn is_timed(&self) -> bool {
        self.timed
    }

    /// The condition `[batch, width]`, after its activation.
    pub fn forward(&self, conditions: &Conditions) -> Tensor<2> {
        let time = if self.timed { conditions.time.clone() } else { conditions.time.zeros_like() };
        let angles = time.unsqueeze_dim::<2>(1) * self.frequencies.clone().unsqueeze();
        let features = Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1);
        let time = self.second.forward(silu(self.first.forward(features)));
        match &self.class_table {
            None => silu(time),
            Some(table) => silu(time + self.class(&table.val(), conditions)),
        }
    }

    fn class(&self, table: &Tensor<2>, conditions: &Conditions) -> Tensor<2> {
        let any = table.dims()[0] - 1;
        match &conditions.classes {
            Some(classes) => table.clone().select(0, classes.clone()),
            None => table.clone().narrow(0, any, 1),
        }
    }
}

/// Embedding of each site's signal level: a scale and a shift of the site's embedding, and a shift of its query.
#[derive(Module, Debug)]
pub(crate) struct LevelEmbedding {
    /// `[frequency]`.
    frequencies: Tensor<1>,
    first: Linear,
    /// Starts at zero, like the blocks' modulations.
    modulation: Linear,
}

/// The embedded signal levels, each `[batch, site, width]`.
pub(crate) struct LevelVectors {
    scale: Tensor<3>,
    shift: Tensor<3>,
    pub query: Tensor<3>,
}

impl LevelEmbedding {
    /// `None` if the network does not use signal levels.
    pub fn new(config: &ModelConfig, device: &Device) -> Option<Self> {
        config.conditioning.has_levels().then(|| Self {
            frequencies: geometric(LEVEL_FREQUENCIES, HIGHEST_OF_LEVEL, device),
            first: linear(2 * LEVEL_FREQUENCIES + 2, LEVEL_HIDDEN, true, device),
            modulation: linear(LEVEL_HIDDEN, 3 * config.width, true, device),
        })
    }

    pub fn roles(&self, roles: &mut Roles) {
        roles.linear(&self.first, Role::Linear);
        roles.linear(&self.modulation, Role::Modulation);
    }

    pub fn forward(&self, levels: Tensor<2>) -> LevelVectors {
        let clean = levels.clone().greater_equal_elem(1.0).float().unsqueeze_dim::<3>(2);
        let log_snr = levels.clone().log() - levels.neg().add_scalar(1.0).clamp_min(1e-9).log();
        let position = log_snr.clamp(-MOST_LOG_SNR, MOST_LOG_SNR).div_scalar(MOST_LOG_SNR).unsqueeze_dim::<3>(2);
        let angles = position.clone() * self.frequencies.clone().unsqueeze();
        let features = Tensor::cat(vec![angles.clone().sin(), angles.cos(), position, clean], 2);
        let all = apply(&self.modulation, silu(apply(&self.first, features)));
        let width = all.dims()[2] / 3;
        let part = |at: usize| all.clone().narrow(2, at * width, width);
        LevelVectors { scale: part(0), shift: part(1), query: part(2) }
    }
}

impl LevelVectors {
    /// Scales and shifts embedded tokens `[batch, site, width]` by their signal levels.
    pub fn mark(&self, embedded: Tensor<3>) -> Tensor<3> {
        embedded * self.scale.clone().add_scalar(1.0) + self.shift.clone()
    }
}
