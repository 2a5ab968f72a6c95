//! A block-causal network asked again and again about a block, with the clean blocks before it kept.

use std::ops::Range;

use burn::tensor::{Int, Tensor};
use glauber_tokens::Site;

use crate::block::Modulation;
use crate::block_causal::BlockCausal;
use crate::network::Design;
use crate::{Conditions, SiteClassifier, Sites, States};

/// A [`BlockCausal`] network that keeps the keys and values of clean blocks between questions (Arriola et al. 2025, §4): a question about
/// a block costs a pass over that block alone, where the whole network takes one over two sequences. A block that has changed is taken in
/// when one behind it is asked for.
pub(crate) struct CleanBlocks<'a> {
    network: &'a BlockCausal,
    condition: Tensor<2>,
    modulations: Vec<Modulation>,
    /// What stands at every site, `[batch, site]`.
    tokens: Tensor<2, Int>,
    /// Keys, rotated, and values of each layer, `[batch, site, 2 · width]`.
    keys: Vec<Tensor<3>>,
    /// Blocks, the first ones, whose keys hold.
    held: usize,
}

impl<'a> CleanBlocks<'a> {
    /// Begins with rows of tokens `[batch, site]`; nothing is computed yet.
    pub fn new(network: &'a BlockCausal, tokens: Tensor<2, Int>, conditions: &Conditions) -> Self {
        let ([batch, len], device) = (tokens.dims(), tokens.device());
        let condition = network.condition(conditions);
        let modulations = network.modulations(&condition);
        let keys = vec![Tensor::zeros([batch, len, 2 * network.width()], &device); modulations.len()];
        Self { network, condition, modulations, tokens, keys, held: 0 }
    }

    /// States of some sites, `[batch, site, width]`, which see those of their blocks and those before; `keys` take them in.
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
