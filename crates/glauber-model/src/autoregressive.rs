//! A causal transformer: predicts each site from the sites after it.

use std::ops::Range;

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Int, Tensor};
use glauber_fused::Rotary;

use crate::block::Block;
use crate::causal_states::CausalStates;
use crate::conditions::RowCondition;
use crate::constants::{RotaryTables, StreamBiases};
use crate::embedding::{Logits, Vocabulary};
use crate::network::Design;
use crate::prior::PriorTerms;
use crate::roles::{Role, Roles};
use crate::{Asked, Conditions, ModelConfig, SiteClassifier, Sites, Sizes, States};

/// The autoregressive baseline: the logits of a site depend only on the sites after it.
///
/// A single reverse sweep from complete noise goes from the last site to the first. Sites after the current one are
/// then clean, and those before are noise. The chain is then autoregression, and the bound (N) the exact likelihood.
/// The network is not conditioned on time or signal levels. It trains on clean sequences, all sites at once.
#[derive(Module, Debug)]
pub struct Autoregressive {
    rotary: RotaryTables,
    biases: StreamBiases,
    vocabulary: Vocabulary,
    condition: RowCondition,
    /// Embedding of the position after the last site, `[1, width]`.
    end: Param<Tensor<2>>,
    blocks: Vec<Block>,
}

impl Autoregressive {
    /// Logits of all sites, `[batch, site, token]`, and their states, `[batch, site, width]`. The state of the first
    /// site depends on all others.
    ///
    /// # Panics
    /// As [`logits`](SiteClassifier::logits).
    pub fn logits_and_states(&self, tokens: Tensor<2, Int>, conditions: &Conditions) -> [Tensor<3>; 2] {
        let condition = self.timeless(conditions);
        let states = self.states_of(tokens.clone(), &condition);
        let logits = self.vocabulary.logits(states.clone(), self.vocabulary.modulation(condition));
        [self.vocabulary.with_prior(logits, &tokens, conditions, Sites::All), states]
    }

    /// The rows' condition, without time.
    pub(crate) fn timeless(&self, conditions: &Conditions) -> Tensor<2> {
        self.condition.forward(&Conditions { time: conditions.time.zeros_like(), ..conditions.clone() })
    }

    /// States of tokens `[batch, site]`, shape `[batch, site, width]`.
    fn states_of(&self, tokens: Tensor<2, Int>, condition: &Tensor<2>) -> Tensor<3> {
        let len = tokens.dims()[1];
        assert!(len <= self.rotary.len(), "sequence longer than the network");
        let embedded = self.vocabulary.embed(tokens, 0);
        let (seen, (rotary, bias)) = (self.seen(&embedded, 0..len), self.positions(0..len, len));
        let blocks = self.blocks.iter();
        blocks
            .fold(seen, |x, block| block.forward(x, &block.modulation(condition.clone()), &rotary, Some(bias.clone())))
    }
}

impl Autoregressive {
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The inputs of some sites: each gets the embedding of the site after it.
    pub(crate) fn seen(&self, embedded: &Tensor<3>, sites: Range<usize>) -> Tensor<3> {
        let [batch, len, width] = embedded.dims();
        let end = || self.end.val().unsqueeze_dim::<3>(0).expand([batch, 1, width]);
        let after = |to: usize| embedded.clone().narrow(1, sites.start + 1, to - sites.start - 1);
        match sites.end {
            end_of if end_of < len => after(end_of + 1),
            _ if sites.start + 1 < len => Tensor::cat(vec![after(len), end()], 1),
            _ => end(),
        }
    }

    /// Rotary tables of some sites, and the attention bias of their states over all keys.
    pub(crate) fn positions(&self, sites: Range<usize>, len: usize) -> (Rotary, Tensor<4>) {
        let bias = self.biases.rows_of(1, sites.start, sites.len(), len);
        (self.rotary.range(sites.start, sites.len()), bias)
    }
}

impl Design for Autoregressive {
    fn new(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self {
        let mut vocabulary = Vocabulary::new(config, [vocab, 0], len, device);
        vocabulary.prior = vocabulary.prior.map(PriorTerms::of_sites_after);
        Self {
            rotary: RotaryTables::new(len, config, device),
            biases: StreamBiases::new(len, device),
            vocabulary,
            condition: RowCondition::new(config, device),
            end: Initializer::Zeros.init([1, config.width], device),
            blocks: (0..config.layers).map(|_| Block::new(config, device)).collect(),
        }
    }

    fn recomputing(self, on: bool) -> Self {
        Self { blocks: self.blocks.into_iter().map(|block| block.recomputing(on)).collect(), ..self }
    }

    fn plain(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Logits {
        let condition = self.timeless(conditions);
        let states = self.states_of(tokens, &condition);
        self.vocabulary.logits(sites.pick(states), self.vocabulary.modulation(condition))
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn roles(&self, roles: &mut Roles) {
        self.vocabulary.roles(roles);
        self.condition.roles(roles);
        roles.add(&self.end, Role::Table);
        self.blocks.iter().for_each(|block| block.roles(roles));
    }
}

impl SiteClassifier for Autoregressive {
    fn sizes(&self) -> Sizes {
        Sizes { vocab: self.vocabulary.size(), longest: self.rotary.len(), classes: self.condition.classes() }
    }

    fn answers(&self) -> Asked {
        Asked::After
    }

    fn follows_time(&self) -> bool {
        false
    }

    fn states<'a>(&'a self, tokens: Tensor<2, Int>, conditions: &Conditions) -> Option<Box<dyn States + 'a>> {
        Some(Box::new(CausalStates::new(self, tokens, conditions)))
    }

    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3> {
        self.vocabulary.with_prior(self.plain(tokens.clone(), conditions, sites), &tokens, conditions, sites)
    }
}
