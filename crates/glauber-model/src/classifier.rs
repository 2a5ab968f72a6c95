//! The trait of leave-one-out networks, and the closed choice among ours.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use glauber_tokens::Site;

use crate::{Bidirectional, Conditions, Hollow, MaskedQuery, ModelConfig, ModelError, NetworkKind};

/// The sites whose logits are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sites<'a> {
    /// Every site of every row.
    All,
    /// The same sites in every row.
    Block(&'a [Site]),
    /// One site a row, shape `[batch]`.
    Each(&'a [Site]),
}

impl Sites<'_> {
    /// Sites asked for in one row, given the sequence length.
    pub fn per_row(&self, len: usize) -> usize {
        match self {
            Self::All => len,
            Self::Block(sites) => sites.len(),
            Self::Each(_) => 1,
        }
    }
}

/// A network that sees `x_{-i}`, the conditions and `i`, never `x_i`, and gives `V` logits for site `i`.
///
/// What the logits mean (signal logits of equation (R), or denoising log-probabilities) is the training objective's choice.
pub trait SiteClassifier {
    /// Logits of the sites asked for.
    ///
    /// # Shapes
    /// - tokens: `[batch, site]`
    /// - conditions: of every row and site
    /// - output: `[batch, asked site, token]`
    ///
    /// # Panics
    /// When the rows are longer than the network was built for or empty, a token, class or site lies outside, conditions are not those of
    /// every row and site, or [`Sites::Each`] does not name one site a row.
    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3>;
}

/// One of the networks that a configuration can name.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one value a program
pub enum Network {
    /// See [`Hollow`].
    Hollow(Hollow),
    /// See [`MaskedQuery`].
    MaskedQuery(MaskedQuery),
    /// See [`Bidirectional`].
    Bidirectional(Bidirectional),
}

/// What a network was built for: rows, schedules and labels must fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Number of tokens `V`.
    pub vocab: usize,
    /// Most sites of a row.
    pub longest: usize,
    /// Classes that rows may belong to; 0 for none.
    pub classes: usize,
}

impl Network {
    /// What the network was built for.
    pub fn sizes(&self) -> Sizes {
        match self {
            Self::Hollow(network) => network.sizes(),
            Self::MaskedQuery(network) => network.sizes(),
            Self::Bidirectional(network) => network.sizes(),
        }
    }

    /// Builds the network for `vocab` tokens and sequences of up to `len` sites, its weights drawn from `seed`.
    ///
    /// The weights do not depend on the device. Modulations start at zero, and so does a read-out with weights of its own: an
    /// untrained network gives uniform conditionals, or nearly so where the read-out is tied to the embeddings.
    ///
    /// # Errors
    /// [`ModelError`] when the sizes do not fit each other.
    pub fn new(config: &ModelConfig, vocab: usize, len: usize, seed: u64, device: &Device) -> Result<Self, ModelError> {
        check(config, vocab, len)?;
        Ok(crate::initialise::draw_weights(Self::undrawn(config, vocab, len, device), seed))
    }

    /// The same network, whose blocks keep their inputs alone for a backward pass and compute the rest again in it: a third more
    /// operations a training step, and the memory of one block's intermediate results in place of all blocks'.
    ///
    /// Logits and gradients do not change. It holds on the CPU device; elsewhere intermediate results are kept as ever.
    pub fn recomputing(self, on: bool) -> Self {
        match self {
            Self::Hollow(network) => Self::Hollow(network.recomputing(on)),
            Self::MaskedQuery(network) => Self::MaskedQuery(network.recomputing(on)),
            Self::Bidirectional(network) => Self::Bidirectional(network.recomputing(on)),
        }
    }

    /// Number of weights of the network that [`new`](Self::new) builds, without drawing any of them.
    ///
    /// # Errors
    /// [`ModelError`] when the sizes do not fit each other.
    pub fn count_parameters(
        config: &ModelConfig,
        vocab: usize,
        len: usize,
        device: &Device,
    ) -> Result<usize, ModelError> {
        check(config, vocab, len)?;
        Ok(Self::undrawn(config, vocab, len, device).num_params())
    }

    fn undrawn(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self {
        match config.network {
            NetworkKind::Hollow => Self::Hollow(Hollow::new(config, vocab, len, device)),
            NetworkKind::MaskedQuery => Self::MaskedQuery(MaskedQuery::new(config, vocab, len, device)),
            NetworkKind::Bidirectional => Self::Bidirectional(Bidirectional::new(config, vocab, 0, len, device)),
        }
    }
}

fn check(config: &ModelConfig, vocab: usize, len: usize) -> Result<(), ModelError> {
    let sizes = [("vocabulary", vocab), ("data.length", len)];
    match sizes.into_iter().find(|(_, size)| *size == 0) {
        Some((key, _)) => Err(ModelError::Zero { key }),
        None => config.validate(),
    }
}

impl SiteClassifier for Network {
    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3> {
        match self {
            Self::Hollow(network) => network.logits(tokens, conditions, sites),
            Self::MaskedQuery(network) => network.logits(tokens, conditions, sites),
            Self::Bidirectional(network) => network.logits(tokens, conditions, sites),
        }
    }
}
