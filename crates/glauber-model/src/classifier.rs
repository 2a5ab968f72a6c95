//! The trait of leave-one-out networks.

use burn::tensor::{Int, Tensor};

use glauber_tokens::Site;

use crate::Conditions;
use crate::constants::indices;

/// The sites whose logits are requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sites<'a> {
    /// Every site of every row.
    All,
    /// The same sites in every row.
    Block(&'a [Site]),
    /// One site per row, shape `[batch]`.
    Each(&'a [Site]),
}

impl Sites<'_> {
    /// The number of requested sites per row, for a sequence length.
    pub fn per_row(&self, len: usize) -> usize {
        match self {
            Self::All => len,
            Self::Block(sites) => sites.len(),
            Self::Each(_) => 1,
        }
    }

    /// Selects the requested sites: `[batch, site, width]` to `[batch, requested site, width]`.
    ///
    /// # Panics
    /// If there is no such site, or [`Sites::Each`] does not have one site per row.
    pub fn pick(&self, states: Tensor<3>) -> Tensor<3> {
        let device = states.device();
        match self {
            Self::All => states,
            Self::Block(block) => states.select(1, indices(block, &device)),
            Self::Each(each) => {
                let width = states.dims()[2];
                let at = indices(each, &device).reshape([each.len(), 1, 1]);
                states.gather(1, at.expand([each.len(), 1, width]))
            }
        }
    }
}

/// The sites that one pass of a network predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// All sites, each without its own token: a hollow network.
    All,
    /// One site per row: a masked-query network.
    OneSite,
    /// Masked sites: a bidirectional network. Other sites must be masked first.
    Masked,
    /// All sites, each with its own token visible. Training adds the evidence of that token to the logits, so that they
    /// learn to ignore it.
    InView,
    /// All sites, each given the sites after it: an autoregressive network. It trains on clean sequences, and redraws
    /// sites from last to first.
    After,
}

/// A leave-one-out network: computes `V` logits for site `i` from `x_{-i}`, the conditions and `i`, without `x_i`.
///
/// The training objective decides what the logits mean: signal logits of equation (R), or denoising log-probabilities.
pub trait SiteClassifier: Send + Sync {
    /// The sizes that the network was built for.
    fn sizes(&self) -> Sizes;

    /// Logits of the requested sites.
    ///
    /// # Shapes
    /// - tokens: `[batch, site]`
    /// - conditions: of every row and site
    /// - output: `[batch, requested site, token]`
    ///
    /// # Panics
    /// If rows are empty or too long, or a token, class or site is out of range. If conditions do not cover every row
    /// and site, or [`Sites::Each`] does not have one site per row.
    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3>;

    /// Logits for training, from one pass. Without a prior the only entry is [`logits`](Self::logits). With a prior
    /// there are two: the network's own logits, then the sum with the prior. A network trained on the sum alone adds
    /// little to the prior (`docs/math.md`, §6).
    ///
    /// # Panics
    /// As [`logits`](Self::logits).
    fn trained_logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Vec<Tensor<3>> {
        vec![self.logits(tokens, conditions, sites)]
    }

    /// The sites that one pass predicts. It decides which sites training requests and which tokens sampling must hide.
    fn answers(&self) -> Asked {
        Asked::All
    }

    /// Whether it accepts [another sequence](Conditions::right) to the right of each site than to the left.
    fn has_two_views(&self) -> bool {
        false
    }

    /// Sites per block, for a network that reads its own noisy block and earlier clean blocks. [The other
    /// sequence](Conditions::right) is then the clean one, and the chain needs the order `block-by-block`.
    fn block(&self) -> Option<usize> {
        None
    }

    /// Whether cached [states](Self::states) become invalid when the time of the rows changes.
    fn follows_time(&self) -> bool {
        true
    }

    /// A cache of states for repeated evaluations of rows that change little: tokens `[batch, site]`. `None` if each
    /// evaluation needs a full pass.
    ///
    /// # Panics
    /// As [`logits`](Self::logits).
    fn states<'a>(&'a self, tokens: Tensor<2, Int>, conditions: &Conditions) -> Option<Box<dyn States + 'a>> {
        let _ = (tokens, conditions);
        None
    }
}

/// A network's cached states of rows. Logits equal [`SiteClassifier::logits`] up to single-precision rounding.
pub trait States: Send {
    /// Sets a site of every row: tokens and signal levels, each `[batch, 1]`.
    ///
    /// # Panics
    /// If there is no such site, or the number of rows differs.
    fn set(&mut self, site: Site, tokens: Tensor<2, Int>, levels: Tensor<2>);

    /// Logits of some sites of every row, `[batch, requested site, token]`.
    ///
    /// # Panics
    /// When there is no such site.
    fn logits(&mut self, sites: &[Site]) -> Tensor<3>;
}

/// The sizes that a network was built for. Rows, schedules and labels must fit them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Number of tokens `V`.
    pub vocab: usize,
    /// Maximal number of sites per row.
    pub longest: usize,
    /// Number of classes; 0 for none.
    pub classes: usize,
}
