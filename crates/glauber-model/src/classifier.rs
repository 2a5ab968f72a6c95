//! The trait of leave-one-out networks.

use burn::tensor::{Int, Tensor};

use glauber_tokens::Site;

use crate::Conditions;
use crate::constants::indices;

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

    /// What stands at the sites asked for: `[batch, site, width]` to `[batch, asked site, width]`.
    ///
    /// # Panics
    /// When there is no such site, or [`Sites::Each`] does not name one site a row.
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

/// Which sites one pass of a network answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// All of them, each without its own token: a hollow network.
    All,
    /// One site a row: a masked-query network.
    OneSite,
    /// Those that show the mask: a bidirectional network does not see their tokens. At other sites
    /// the mask must be put in place of the token.
    Masked,
    /// All of them, each with its own token in view: training adds what that token says to the logits, so that they learn to leave it out.
    InView,
    /// All of them, each given those after it: an autoregressive network. It learns from clean sequences, and redraws sites from the last
    /// to the first.
    After,
}

/// A network that sees `x_{-i}`, the conditions and `i`, never `x_i`, and gives `V` logits for site `i`.
///
/// What the logits mean (signal logits of equation (R), or denoising log-probabilities) is the training objective's choice.
pub trait SiteClassifier: Send + Sync {
    /// What the network was built for.
    fn sizes(&self) -> Sizes;

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

    /// Logits that training takes the loss of, from one pass. A network without a prior has one entry, its [`logits`](Self::logits).
    /// With a prior it has two: its own logits, then the sum with the prior. A network that is trained on the sum alone adds little
    /// to the prior (`docs/math.md`, §6).
    ///
    /// # Panics
    /// As [`logits`](Self::logits).
    fn trained_logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Vec<Tensor<3>> {
        vec![self.logits(tokens, conditions, sites)]
    }

    /// Which sites one pass answers for: what training asks, and what sampling must hide.
    fn answers(&self) -> Asked {
        Asked::All
    }

    /// Whether it can be shown [another sequence](Conditions::right) to the right of each site than to the left.
    fn has_two_views(&self) -> bool {
        false
    }

    /// Sites of a block, where it sees its own block as it stands and clean ones before it: then [the other sequence](Conditions::right) is
    /// the clean one, and the chain is one of the order `block-by-block`.
    fn block(&self) -> Option<usize> {
        None
    }

    /// Whether states that are [kept](Self::states) stop to hold when the time of the rows changes.
    fn follows_time(&self) -> bool {
        true
    }

    /// States kept from question to question about rows that change little: tokens `[batch, site]`.
    /// `None` where each question costs a pass.
    ///
    /// # Panics
    /// As [`logits`](Self::logits).
    fn states<'a>(&'a self, tokens: Tensor<2, Int>, conditions: &Conditions) -> Option<Box<dyn States + 'a>> {
        let _ = (tokens, conditions);
        None
    }
}

/// What a network keeps of rows from question to question: the same logits as
/// [`SiteClassifier::logits`], but for the rounding of single precision.
pub trait States: Send {
    /// Sets what stands at a site of every row: tokens and signal levels, each `[batch, 1]`.
    ///
    /// # Panics
    /// When there is no such site, or the rows are of another number.
    fn set(&mut self, site: Site, tokens: Tensor<2, Int>, levels: Tensor<2>);

    /// Logits of some sites of every row, `[batch, asked site, token]`.
    ///
    /// # Panics
    /// When there is no such site.
    fn logits(&mut self, sites: &[Site]) -> Tensor<3>;
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
