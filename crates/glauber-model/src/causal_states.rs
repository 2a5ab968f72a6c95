//! Repeated evaluations of rows by the autoregressive network, while they are filled from the last site to the first.

use burn::tensor::{Int, Tensor};
use glauber_tokens::Site;

use crate::attention::assign;
use crate::autoregressive::Autoregressive;
use crate::block::Modulation;
use crate::network::Design;
use crate::prior::Told;
use crate::{Conditions, SiteClassifier, Sites, States};

/// An [`Autoregressive`] network with cached keys and states.
///
/// The state of a site depends on the sites after it alone. A change at site `s` thus keeps the states from `s` on, and a
/// request for site `i` computes those from `i` to the first valid one: a sweep from the last site to the first costs one pass.
pub(crate) struct CausalStates<'a> {
    network: &'a Autoregressive,
    condition: Tensor<2>,
    modulations: Vec<Modulation>,
    /// Embedded tokens, `[batch, site, width]`.
    embedded: Tensor<3>,
    /// Keys, rotated, and values of each block, `[batch, site, 2 · width]`.
    keys: Vec<Tensor<3>>,
    /// States, `[batch, site, width]`.
    states: Tensor<3>,
    /// States are valid from this site on.
    border: usize,
    /// The prior's inputs of the rows.
    told: Option<Told>,
}

impl<'a> CausalStates<'a> {
    /// Starts with rows of tokens `[batch, site]`; computes only embeddings.
    pub fn new(network: &'a Autoregressive, tokens: Tensor<2, Int>, conditions: &Conditions) -> Self {
        let [batch, len] = tokens.dims();
        assert!((1..=network.sizes().longest).contains(&len), "rows longer than the network, or empty");
        let device = tokens.device();
        let told = network.vocabulary().told(&tokens, conditions);
        let condition = network.timeless(conditions);
        let embedded = network.vocabulary().embed(tokens, 0);
        let width = embedded.dims()[2];
        let blocks = network.blocks();
        Self {
            network,
            modulations: blocks.iter().map(|block| block.modulation(condition.clone())).collect(),
            condition,
            embedded,
            keys: vec![Tensor::zeros([batch, len, 2 * width], &device); blocks.len()],
            states: Tensor::zeros([batch, len, width], &device),
            border: len,
            told,
        }
    }

    /// Computes the states from a site to the first valid one.
    fn compute(&mut self, first: Site) {
        if first >= self.border {
            return;
        }
        let [batch, len, width] = self.embedded.dims();
        let new = first..self.border;
        let mut x = self.network.seen(&self.embedded, new.clone());
        let (rotary, bias) = self.network.positions(new.clone(), len);
        let blocks = self.network.blocks().iter().zip(&self.modulations);
        for ((block, modulation), keys) in blocks.zip(&mut self.keys) {
            x = block.extend(x, first, keys, modulation, &rotary, bias.clone());
        }
        assign(&mut self.states, [0..batch, new, 0..width], x);
        self.border = first;
    }
}

impl States for CausalStates<'_> {
    fn set(&mut self, site: Site, tokens: Tensor<2, Int>, levels: Tensor<2>) {
        let [batch, len, width] = self.embedded.dims();
        assert!(site < len && tokens.dims() == [batch, 1], "one token a row, for a site below {len}");
        if let Some(told) = &mut self.told {
            told.set(site, &tokens, &levels);
        }
        let embedded = self.network.vocabulary().embed(tokens, site);
        assign(&mut self.embedded, [0..batch, site..site + 1, 0..width], embedded);
        self.border = self.border.max(site);
    }

    fn logits(&mut self, sites: &[Site]) -> Tensor<3> {
        let len = self.embedded.dims()[1];
        let (first, last) = sites.iter().fold((len, 0), |(low, high), &site| (low.min(site), high.max(site)));
        assert!(first < len && last < len, "sites below {len}, at least one");
        self.compute(first);
        let (vocabulary, sites) = (self.network.vocabulary(), Sites::Block(sites));
        let modulation = vocabulary.modulation(self.condition.clone());
        vocabulary.add_prior(vocabulary.logits(sites.pick(self.states.clone()), modulation), self.told.as_ref(), sites)
    }
}
