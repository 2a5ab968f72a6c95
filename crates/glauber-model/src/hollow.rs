//! The hollow network: two streams that never see the site they speak of, and a read-out that merges them.
//!
//! The idea of a hollow transformer is that of Sun et al., "Score-based Continuous-time Discrete Diffusion Models" (2023), §5.

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear};
use burn::tensor::{Device, Int, Tensor};

use crate::attention::{apply, linear};
use crate::bidirectional::pick;
use crate::block::{Block, Merging, MergingBlock};
use crate::conditions::{LevelEmbedding, RowCondition};
use crate::constants::{RotaryTables, StreamBiases};
use crate::embedding::Vocabulary;
use crate::{Conditions, ModelConfig, SiteClassifier, Sites};

/// All leave-one-out logits in one pass.
///
/// The forward stream is shifted by one site, so its state at `i` depends on `x_0 … x_{i−1}` alone; the backward stream's on
/// `x_{i+1} … x_{L−1}`. The read-out's query at `i` is made of both states at `i` and attends over forward states at sites
/// `≤ i` and backward states at sites `≥ i`. Nothing on the way to the logits of `i` has seen `x_i`.
#[derive(Module, Debug)]
pub struct Hollow {
    rotary: RotaryTables,
    biases: StreamBiases,
    vocabulary: Vocabulary,
    condition: RowCondition,
    levels: Option<LevelEmbedding>,
    /// What stands before the first site and after the last, `[2, width]`.
    ends: Param<Tensor<2>>,
    forward_stream: Vec<Block>,
    backward_stream: Vec<Block>,
    join: Linear,
    merge: Vec<MergingBlock>,
}

impl Hollow {
    pub(crate) fn new(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self {
        let stream = || (0..config.layers).map(|_| Block::new(config, device)).collect();
        let merge = (0..config.merge_layers).map(|_| MergingBlock::new(config, device));
        Self {
            rotary: RotaryTables::new(len, config, device),
            biases: StreamBiases::new(len, device),
            vocabulary: Vocabulary::new(config, vocab, 0, device),
            condition: RowCondition::new(config, device),
            levels: LevelEmbedding::new(config, device),
            ends: Initializer::Zeros.init([2, config.width], device),
            forward_stream: stream(),
            backward_stream: stream(),
            join: linear(2 * config.width, config.width, true, device),
            merge: merge.collect(),
        }
    }

    /// Both streams' states of embedded tokens, each `[batch, site, width]`.
    fn streams(&self, embedded: Tensor<3>, condition: &Tensor<2>) -> [Tensor<3>; 2] {
        let [batch, len, width] = embedded.dims();
        let end = |at: usize| {
            let end = self.ends.val().narrow(0, at, 1);
            end.unsqueeze_dim::<3>(0).expand([batch, 1, width])
        };
        let (before, after) = match len {
            1 => (end(0), end(1)),
            _ => (
                Tensor::cat(vec![end(0), embedded.clone().narrow(1, 0, len - 1)], 1),
                Tensor::cat(vec![embedded.narrow(1, 1, len - 1), end(1)], 1),
            ),
        };
        let rotary = self.rotary.first(len);
        let run = |blocks: &[Block], x: Tensor<3>, bias: Tensor<4>| {
            blocks.iter().fold(x, |x, block| block.forward(x, condition.clone(), &rotary, Some(bias.clone())))
        };
        [
            run(&self.forward_stream, before, self.biases.causal(len)),
            run(&self.backward_stream, after, self.biases.anticausal(len)),
        ]
    }
}

impl SiteClassifier for Hollow {
    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3> {
        let [batch, len] = tokens.dims();
        assert!(len <= self.rotary.len(), "sequence longer than the network");
        let condition = self.condition.forward(conditions);
        let levels = self.levels.as_ref().map(|levels| levels.forward(conditions.levels.clone()));
        let embedded = self.vocabulary.embed(tokens);
        let embedded = levels.iter().fold(embedded, |embedded, levels| levels.mark(embedded));
        let streams = self.streams(embedded, &condition);
        let every: Vec<usize>;
        let (asked, rows) = match sites {
            Sites::All => {
                every = (0..len).collect();
                (every.as_slice(), 1)
            }
            Sites::Block(block) => (block, 1),
            Sites::Each(each) => (each, batch),
        };
        let merging = Merging {
            query_rotary: self.rotary.at(asked, rows),
            key_rotary: self.rotary.first(len),
            bias: self.biases.merging(asked, rows, len),
            streams: streams.clone(),
        };
        let joined = Tensor::cat(streams.map(|states| pick(states, sites)).into(), 2);
        let queries = apply(&self.join, joined);
        let queries = levels.into_iter().fold(queries, |queries, levels| queries + pick(levels.query, sites));
        let queries =
            self.merge.iter().fold(queries, |queries, block| block.forward(queries, condition.clone(), &merging));
        self.vocabulary.logits(queries, condition)
    }
}
