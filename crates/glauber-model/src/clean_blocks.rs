//! Repeated evaluations of a block by a block-causal network, with cached clean blocks.

use std::ops::Range;

use burn::tensor::{Int, Tensor};
use glauber_tokens::Site;

use crate::block::Modulation;
use crate::block_causal::BlockCausal;
use crate::network::Design;
use crate::{Conditions, SiteClassifier, Sites, States};

/// A [`BlockCausal`] network with cached keys and values of clean blocks (Arriola et al. 2025, §4). An evaluation costs
/// a pass over one block, and not over two sequences. A changed block is added to the cache when a later block is
/// requested.
pub(crate) struct CleanBlocks<'a> {
    network: &'a BlockCausal,
    condition: Tensor<2>,
    modulations: Vec<Modulation>,
    /// The tokens, `[batch, site]`.
    tokens: Tensor<2, Int>,
    /// Keys, rotated, and values of each layer, `[batch, site, 2 · width]`.
    keys: Vec<Tensor<3>>,
    /// The number of leading blocks with valid keys.
    held: usize,
}

impl<'a> CleanBlocks<'a> {
    /// Starts with rows of tokens `[batch, site]`, without any computation.
    pub fn new(network: &'a BlockCausal, tokens: Tensor<2, Int>, conditions: &Conditions) -> Self {
        let ([batch, len], device) = (tokens.dims(), tokens.device());
        let condition = network.condition(conditions);
        let modulations = network.modulations(&condition);
        let keys = vec![Tensor::zeros([batch, len, 2 * network.width()], &device); modulations.len()];
        Self { network, condition, modulations, tokens, keys, held: 0 }
    }

    /// States of some sites, `[batch, site, width]`, which attend to their own and earlier blocks; `keys` is updated.
    fn pass(&self, sites: Range<usize>, keys: &mut [Tensor<3>]) -> Tensor<3> {
        let tokens = self.tokens.clone().narrow(1, sites.start, sites.len());
        self.network.extend(tokens, sites, self.tokens.dims()[1], &self.modulations, keys)
    }
}

impl States for CleanBlocks<'_> {
    fn set(&mut self, site: Site, tokens: Tensor<2, Int>, _: Tensor<2>) {
        let [batch, len] = self.tokens.dims();
        assert!(site < len && tokens.dims() == [batch, 1], "one token a row, for a site below {len}");
        self.tokens = self.tokens.clone().slice_assign([0..batch, site..site + 1], tokens);
        self.held = self.held.min(site / self.network.block().unwrap_or(len));
    }

    fn logits(&mut self, sites: &[Site]) -> Tensor<3> {
        let len = self.tokens.dims()[1];
        let block = self.network.block().unwrap_or(len);
        let of = sites.first().map_or(0, |site| site / block);
        assert!(sites.iter().all(|&site| site < len && site / block == of), "sites below {len}, of one block");
        let (first, end) = (of * block, len.min((of + 1) * block));
        if self.held < of {
            let mut keys = std::mem::take(&mut self.keys);
            self.pass(self.held * block..first, &mut keys);
            (self.keys, self.held) = (keys, of);
        }
        let states = self.pass(first..end, &mut self.keys.clone());
        let asked: Vec<Site> = sites.iter().map(|site| site - first).collect();
        let modulation = self.network.vocabulary().modulation(self.condition.clone());
        self.network.vocabulary().logits(Sites::Block(&asked).pick(states), modulation).logits // it has no prior
    }
}
