//! Block diffusion: a transformer that reads its own noisy block and the clean blocks before it.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::block::{Block, Modulation};
use crate::clean_blocks::CleanBlocks;
use crate::conditions::RowCondition;
use crate::constants::{BlockBiases, RotaryTables};
use crate::embedding::{Logits, Vocabulary};
use crate::network::Design;
use crate::roles::Roles;
use crate::{Asked, Conditions, ModelConfig, SiteClassifier, Sites, Sizes, States};

/// The network of BD3-LM (Arriola et al. 2025): a site reads the noisy tokens of its own block, and the clean tokens of
/// all earlier blocks.
///
/// It runs over the noisy sequence followed by the clean one, in which a block reads itself and earlier blocks. One
/// pass trains all blocks, each with its own noise, if [`Conditions::right`] has the clean tokens. Otherwise both
/// sequences are equal, which is right for the first block that is not clean, the one that an order `block-by-block`
/// redraws. [States] cache the clean blocks, so that an evaluation costs a pass over one block. Signal levels are not
/// used, because masks show them.
#[derive(Module, Debug)]
pub struct BlockCausal {
    rotary: RotaryTables,
    biases: BlockBiases,
    vocabulary: Vocabulary,
    condition: RowCondition,
    blocks: Vec<Block>,
    /// Sites of a block.
    block: usize,
}

impl BlockCausal {
    pub(crate) fn width(&self) -> usize {
        self.vocabulary.width()
    }

    /// The condition of the rows, `[batch, condition width]`.
    pub(crate) fn condition(&self, conditions: &Conditions) -> Tensor<2> {
        self.condition.forward(conditions)
    }

    /// The modulation of each layer.
    pub(crate) fn modulations(&self, condition: &Tensor<2>) -> Vec<Modulation> {
        self.blocks.iter().map(|block| block.modulation(condition.clone())).collect()
    }

    /// States of tokens `[batch, new site]` of whole blocks. They attend to each other and to the cached keys and
    /// values of earlier blocks, `[batch, site, 2 · width]` per layer, and are added to the cache.
    pub(crate) fn extend(
        &self,
        tokens: Tensor<2, Int>,
        sites: Range<usize>,
        len: usize,
        modulations: &[Modulation],
        keys: &mut [Tensor<3>],
    ) -> Tensor<3> {
        let rotary = self.rotary.range(sites.start, sites.len());
        let bias = self.biases.clean(sites.clone(), len);
        let layers = self.blocks.iter().zip(modulations).zip(keys);
        layers.fold(self.vocabulary.embed(tokens, sites.start), |x, ((block, modulation), keys)| {
            block.extend(x, sites.start, keys, modulation, &rotary, bias.clone())
        })
    }
}

impl Design for BlockCausal {
    fn new(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self {
        Self {
            rotary: RotaryTables::new(len, config, device),
            biases: BlockBiases::new(len, config.block, device),
            vocabulary: Vocabulary::new(config, [vocab, 0], len, device),
            condition: RowCondition::new(config, device),
            blocks: (0..config.layers).map(|_| Block::new(config, device)).collect(),
            block: config.block,
        }
    }

    fn recomputing(self, on: bool) -> Self {
        Self { blocks: self.blocks.into_iter().map(|block| block.recomputing(on)).collect(), ..self }
    }

    fn plain(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Logits {
        let len = tokens.dims()[1];
        assert!(len <= self.rotary.len(), "sequence longer than the network");
        let condition = self.condition.forward(conditions);
        let clean = conditions.right.as_ref().map_or_else(|| tokens.clone(), |right| right.tokens.clone());
        let both = Tensor::cat([tokens, clean].map(|tokens| self.vocabulary.embed(tokens, 0)).into(), 1);
        let twice: Vec<usize> = (0..len).chain(0..len).collect();
        let (rotary, bias) = (self.rotary.at(&twice, 1), self.biases.of(len));
        let states = self
            .blocks
            .iter()
            .fold(both, |x, block| block.forward(x, &block.modulation(condition.clone()), &rotary, Some(bias.clone())));
        let states = states.narrow(1, 0, len);
        self.vocabulary.logits(sites.pick(states), self.vocabulary.modulation(condition))
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn roles(&self, roles: &mut Roles) {
        self.vocabulary.roles(roles);
        self.condition.roles(roles);
        self.blocks.iter().for_each(|block| block.roles(roles));
    }
}

impl SiteClassifier for BlockCausal {
    fn sizes(&self) -> Sizes {
        Sizes { vocab: self.vocabulary.size(), longest: self.rotary.len(), classes: self.condition.classes() }
    }

    fn answers(&self) -> Asked {
        Asked::Masked
    }

    fn block(&self) -> Option<usize> {
        Some(self.block)
    }

    fn follows_time(&self) -> bool {
        self.condition.is_timed()
    }

    fn states<'a>(&'a self, tokens: Tensor<2, Int>, conditions: &Conditions) -> Option<Box<dyn States + 'a>> {
        assert!((1..=self.rotary.len()).contains(&tokens.dims()[1]), "rows longer than the network, or empty");
        Some(Box::new(CleanBlocks::new(self, tokens, conditions)))
    }

    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3> {
        self.plain(tokens, conditions, sites).logits // it has no prior
    }
}
