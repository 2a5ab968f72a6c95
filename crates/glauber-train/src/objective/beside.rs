//! Optional parts of examples.

use glauber_tokens::{Site, Step, Token};

/// The tokens and levels to the right of each site.
#[derive(Debug, Clone, PartialEq)]
pub struct Right {
    /// The signal level of each site, shape `[row, site]`, which is also the level of its label.
    pub levels: Vec<f64>,
    /// Noisy sequences, shape `[row, site]`, which are also the labels' `X_t`.
    pub context: Vec<Token>,
}

/// Steps of blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockSteps {
    /// Sites of a block.
    pub block: usize,
    /// The step of each block, shape `[row, block]`.
    pub steps: Vec<Step>,
}

impl BlockSteps {
    /// The step of a site of a row of `len` sites.
    pub(super) fn of(&self, row: usize, site: Site, len: usize) -> Step {
        self.steps[row * len.div_ceil(self.block) + site / self.block]
    }
}
