//! What examples have beside a noisy sequence and its step.

use glauber_tokens::{Site, Step, Token};

/// What stands right of each site.
#[derive(Debug, Clone, PartialEq)]
pub struct Right {
    /// The signal level of each site, shape `[row, site]`: also that of the label at it.
    pub levels: Vec<f64>,
    /// Noisy sequences, shape `[row, site]`: the label's `X_t` too.
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
