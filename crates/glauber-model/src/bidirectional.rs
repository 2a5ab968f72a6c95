//! A plain bidirectional transformer: leave-one-out at masked sites.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::block::Block;
use crate::conditions::{LevelEmbedding, RowCondition};
use crate::constants::RotaryTables;
use crate::embedding::{Logits, Vocabulary};
use crate::network::Design;
use crate::roles::Roles;
use crate::{Asked, Conditions, ModelConfig, SiteClassifier, Sites, Sizes};

/// A bidirectional transformer that reads every token; one pass gives the logits of every site.
///
/// The logits of a site are independent of its clean token only if the site shows the mask. The caller must request
/// masked sites, or mask the requested sites.
#[derive(Module, Debug)]
pub struct Bidirectional {
    rotary: RotaryTables,
    vocabulary: Vocabulary,
    condition: RowCondition,
    levels: Option<LevelEmbedding>,
    blocks: Vec<Block>,
}

impl Bidirectional {
    /// With a table of `vocab + extra` tokens, and logits of `vocab`.
    pub(crate) fn with_extra(config: &ModelConfig, vocab: usize, extra: usize, len: usize, device: &Device) -> Self {
        Self {
            rotary: RotaryTables::new(len, config, device),
            vocabulary: Vocabulary::new(config, [vocab, extra], len, device),
            condition: RowCondition::new(config, device),
            levels: LevelEmbedding::new(config, device),
            blocks: (0..config.layers).map(|_| Block::new(config, device)).collect(),
        }
    }

    /// `[batch, site, width]` to the same, through all blocks.
    fn states(&self, embedded: Tensor<3>, condition: &Tensor<2>) -> Tensor<3> {
        let rotary = self.rotary.first(embedded.dims()[1]);
        let blocks = self.blocks.iter();
        blocks.fold(embedded, |x, block| block.forward(x, &block.modulation(condition.clone()), &rotary, None))
    }
}

impl Design for Bidirectional {
    fn new(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self {
        Self::with_extra(config, vocab, 0, len, device)
    }

    fn recomputing(self, on: bool) -> Self {
        Self { blocks: self.blocks.into_iter().map(|block| block.recomputing(on)).collect(), ..self }
    }

    fn plain(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Logits {
        let len = tokens.dims()[1];
        assert!(len <= self.rotary.len(), "sequence longer than the network");
        let condition = self.condition.forward(conditions);
        let embedded = self.vocabulary.embed(tokens, 0);
        let embedded = match &self.levels {
            Some(levels) => levels.forward(conditions.levels.clone()).mark(embedded),
            None => embedded,
        };
        let states = self.states(embedded, &condition);
        self.vocabulary.logits(sites.pick(states), self.vocabulary.modulation(condition))
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn roles(&self, roles: &mut Roles) {
        self.vocabulary.roles(roles);
        self.condition.roles(roles);
        self.levels.iter().for_each(|levels| levels.roles(roles));
        self.blocks.iter().for_each(|block| block.roles(roles));
    }
}

impl SiteClassifier for Bidirectional {
    fn sizes(&self) -> Sizes {
        Sizes { vocab: self.vocabulary.size(), longest: self.rotary.len(), classes: self.condition.classes() }
    }

    fn answers(&self) -> Asked {
        Asked::Masked
    }

    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3> {
        self.vocabulary.with_prior(self.plain(tokens.clone(), conditions, sites), &tokens, conditions, sites)
    }
}
