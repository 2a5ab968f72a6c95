//! The hollow network: two streams that exclude the predicted site, and a read-out that merges them.
//!
//! The idea of a hollow transformer is that of Sun et al., "Score-based Continuous-time Discrete Diffusion Models" (2023), §5.

use std::ops::Range;

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear};
use burn::tensor::{Device, Int, Tensor};

use glauber_fused::Rotary;

use crate::attention::{apply, linear};
use crate::block::{Block, Merging, MergingBlock, Modulation};
use crate::conditions::{LevelEmbedding, RowCondition};
use crate::constants::{RotaryTables, StreamBiases};
use crate::embedding::{Logits, Vocabulary};
use crate::network::Design;
use crate::roles::{Role, Roles};
use crate::{Conditions, Incremental, ModelConfig, SiteClassifier, Sites, Sizes, States};

/// All leave-one-out logits in one pass.
///
/// The forward stream is shifted by one site, so its state at `i` depends only on `x_0 … x_{i−1}`; that of the backward
/// stream depends only on `x_{i+1} … x_{L−1}`. The read-out's query at `i` is computed from both states at `i`. It
/// attends over forward states at sites `≤ i` and backward states at sites `≥ i`. The logits of `i` thus never depend
/// on `x_i`.
#[derive(Module, Debug)]
pub struct Hollow {
    rotary: RotaryTables,
    biases: StreamBiases,
    vocabulary: Vocabulary,
    condition: RowCondition,
    levels: Option<LevelEmbedding>,
    /// Embeddings of the positions before the first site and after the last, `[2, width]`.
    ends: Param<Tensor<2>>,
    forward_stream: Vec<Block>,
    backward_stream: Vec<Block>,
    join: Linear,
    merge: Vec<MergingBlock>,
}

/// The modulation of the network by the rows' condition.
pub(crate) struct Modulations {
    /// Of each block of the forward stream, and of the backward one.
    pub streams: [Vec<Modulation>; 2],
    /// Of each merging block.
    pub merge: Vec<Modulation>,
    /// Of the read-out: see [`Vocabulary::modulation`].
    pub read_out: [Tensor<2>; 2],
}

impl Hollow {
    /// Both streams' states from embedded tokens, all `[batch, site, width]`.
    fn streams(&self, embedded: [Tensor<3>; 2], modulations: &Modulations) -> [Tensor<3>; 2] {
        let len = embedded[0].dims()[1];
        let rotary = self.rotary.first(len);
        [0, 1].map(|direction| {
            let bias = self.bias_of(direction, 0..len, len);
            let seen = self.seen(direction, &embedded[direction], 0..len);
            let blocks = self.blocks_of(direction).iter().zip(&modulations.streams[direction]);
            blocks.fold(seen, |x, (block, modulation)| block.forward(x, modulation, &rotary, Some(bias.clone())))
        })
    }

    /// The modulation of every block by the rows' condition.
    pub(crate) fn modulations(&self, conditions: &Conditions) -> Modulations {
        let condition = self.condition.forward(conditions);
        let of_stream =
            |blocks: &[Block]| blocks.iter().map(|block| block.modulation(condition.clone())).collect::<Vec<_>>();
        Modulations {
            streams: [of_stream(&self.forward_stream), of_stream(&self.backward_stream)],
            merge: self.merge.iter().map(|block| block.modulation(condition.clone())).collect(),
            read_out: self.vocabulary.modulation(condition.clone()),
        }
    }

    /// Embedded tokens and signal levels `[batch, site]` from site `first` on, and the levels' shift of queries; both
    /// `[batch, site, width]`.
    pub(crate) fn embed(
        &self,
        tokens: Tensor<2, Int>,
        levels: Tensor<2>,
        first: usize,
    ) -> (Tensor<3>, Option<Tensor<3>>) {
        let embedded = self.vocabulary.embed(tokens, first);
        match &self.levels {
            None => (embedded, None),
            Some(embedding) => {
                let levels = embedding.forward(levels);
                (levels.mark(embedded), Some(levels.query))
            }
        }
    }

    /// Rotary tables of some sites.
    pub(crate) fn rotary_of(&self, sites: Range<usize>) -> Rotary {
        self.rotary.range(sites.start, sites.len())
    }

    /// Attention bias of a stream's states at some sites over all its keys.
    pub(crate) fn bias_of(&self, direction: usize, sites: Range<usize>, len: usize) -> Tensor<4> {
        self.biases.rows_of(direction, sites.start, sites.len(), len)
    }

    pub(crate) fn blocks_of(&self, direction: usize) -> &[Block] {
        [&self.forward_stream, &self.backward_stream][direction]
    }

    pub(crate) fn merging_blocks(&self) -> &[MergingBlock] {
        &self.merge
    }

    /// Inputs of a stream at some sites, from embedded tokens `[batch, site, width]`: the previous neighbour in its
    /// direction, or an end. Direction 0 is the forward stream, 1 the backward one.
    pub(crate) fn seen(&self, direction: usize, embedded: &Tensor<3>, sites: Range<usize>) -> Tensor<3> {
        let [batch, len, width] = embedded.dims();
        let end = || self.ends.val().narrow(0, direction, 1).unsqueeze_dim::<3>(0).expand([batch, 1, width]);
        let part = |from: usize, to: usize| embedded.clone().narrow(1, from, to - from);
        let Range { start, end: stop } = sites;
        match direction {
            0 if start > 0 => part(start - 1, stop - 1),
            0 if stop > 1 => Tensor::cat(vec![end(), part(0, stop - 1)], 1),
            1 if stop < len => part(start + 1, stop + 1),
            1 if start + 1 < len => Tensor::cat(vec![part(start + 1, len), end()], 1),
            _ => end(),
        }
    }

    /// The read-out of both streams' states at the requested sites, `[batch, requested site, width]`.
    pub(crate) fn read_out(
        &self,
        states: [Tensor<3>; 2],
        level_query: Option<Tensor<3>>,
        modulations: &Modulations,
        merging: &Merging,
        keys: impl Fn(usize, &MergingBlock) -> [Tensor<3>; 2],
    ) -> Logits {
        let dtype = states[0].dtype();
        let queries = apply(&self.join, Tensor::cat(states.into(), 2)).cast(dtype);
        let queries = level_query.into_iter().fold(queries, |queries, level| queries + level);
        let blocks = self.merge.iter().zip(&modulations.merge).enumerate();
        let queries = blocks.fold(queries, |queries, (at, (block, modulation))| {
            block.forward(queries, modulation, keys(at, block), merging)
        });
        self.vocabulary.logits(queries, modulations.read_out.clone())
    }

    pub(crate) fn merging(&self, asked: &[usize], rows: usize, len: usize) -> Merging {
        Merging { rotary: self.rotary.at(asked, rows), bias: self.biases.merging(asked, rows, len) }
    }
}

impl Design for Hollow {
    fn new(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self {
        let stream = || (0..config.layers).map(|_| Block::new(config, device)).collect();
        let merge = (0..config.merge_layers).map(|_| MergingBlock::new(config, device));
        Self {
            rotary: RotaryTables::new(len, config, device),
            biases: StreamBiases::new(len, device),
            vocabulary: Vocabulary::new(config, [vocab, 0], len, device),
            condition: RowCondition::new(config, device),
            levels: LevelEmbedding::new(config, device),
            ends: Initializer::Zeros.init([2, config.width], device),
            forward_stream: stream(),
            backward_stream: stream(),
            join: linear(2 * config.width, config.width, true, device),
            merge: merge.collect(),
        }
    }

    fn plain(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Logits {
        let [batch, len] = tokens.dims();
        assert!(len <= self.rotary.len(), "sequence longer than the network");
        let modulations = self.modulations(conditions);
        let (embedded, level_queries) = self.embed(tokens, conditions.levels.clone(), 0);
        let (embedded, level_queries) = match &conditions.right {
            None => ([embedded.clone(), embedded], level_queries),
            Some(right) => {
                let (right, level_queries) = self.embed(right.tokens.clone(), right.levels.clone(), 0);
                ([embedded, right], level_queries)
            }
        };
        let streams = self.streams(embedded, &modulations);
        let every: Vec<usize>;
        let (asked, rows) = match sites {
            Sites::All => {
                every = (0..len).collect();
                (every.as_slice(), 1)
            }
            Sites::Block(block) => (block, 1),
            Sites::Each(each) => (each, batch),
        };
        let states = streams.clone().map(|states| sites.pick(states));
        let level_query = level_queries.map(|levels| sites.pick(levels));
        let rotary = self.rotary.first(len);
        let merging = self.merging(asked, rows, len);
        self.read_out(states, level_query, &modulations, &merging, |_, block| {
            let [before, after] = streams.clone();
            [block.keys_of(0, before, &rotary), block.keys_of(1, after, &rotary)]
        })
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn roles(&self, roles: &mut Roles) {
        self.vocabulary.roles(roles);
        self.condition.roles(roles);
        self.levels.iter().for_each(|levels| levels.roles(roles));
        roles.add(&self.ends, Role::Table);
        self.forward_stream.iter().chain(&self.backward_stream).for_each(|block| block.roles(roles));
        roles.linear(&self.join, Role::Join);
        self.merge.iter().for_each(|block| block.roles(roles));
    }

    fn recomputing(self, on: bool) -> Self {
        let stream = |blocks: Vec<Block>| blocks.into_iter().map(|block| block.recomputing(on)).collect();
        Self {
            forward_stream: stream(self.forward_stream),
            backward_stream: stream(self.backward_stream),
            merge: self.merge.into_iter().map(|block| block.recomputing(on)).collect(),
            ..self
        }
    }
}

impl SiteClassifier for Hollow {
    fn sizes(&self) -> Sizes {
        Sizes { vocab: self.vocabulary.size(), longest: self.rotary.len(), classes: self.condition.classes() }
    }

    fn has_two_views(&self) -> bool {
        true
    }

    fn follows_time(&self) -> bool {
        self.condition.is_timed()
    }

    fn states<'a>(&'a self, tokens: Tensor<2, Int>, conditions: &Conditions) -> Option<Box<dyn States + 'a>> {
        Some(Box::new(Incremental::new(self, tokens, conditions)))
    }

    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3> {
        self.vocabulary.with_prior(self.plain(tokens.clone(), conditions, sites), &tokens, conditions, sites)
    }
}
