//! Repeated evaluations of slowly changing rows by the hollow network.

use std::ops::Range;

use burn::tensor::{Int, Tensor};
use glauber_tokens::Site;

use crate::attention::assign;
use crate::hollow::{Hollow, Modulations};
use crate::network::Design;
use crate::prior::Told;
use crate::{Conditions, SiteClassifier, Sites, States};

/// A [`Hollow`] network with cached states of its streams.
///
/// A forward state depends only on earlier sites, and a backward state only on later ones. A change at site `s` thus
/// keeps forward states up to `s` and backward states from `s` valid. A request for site `i` recomputes invalid states
/// up to `i` from the left and down to `i` from the right. The logits equal those of the whole network, up to rounding
/// in matrix products of another shape. If the row's condition is constant
/// ([`Conditioning::SignalLevelOnly`](crate::Conditioning)), a sweep over the sites costs one pass over the sequence
/// and the read-outs of single sites.
pub struct Incremental<'a> {
    network: &'a Hollow,
    modulations: Modulations,
    /// Embedded tokens with their levels, `[batch, site, width]`.
    embedded: Tensor<3>,
    /// The levels' shift of queries, `[batch, site, width]`.
    level_queries: Option<Tensor<3>>,
    /// The forward stream and the backward one.
    streams: [Stream; 2],
    /// The prior's inputs of the rows.
    told: Option<Told>,
}

/// The cache of a stream, with its valid range.
struct Stream {
    /// Keys, rotated, and values of each block, `[batch, site, 2 · width]`.
    keys: Vec<Tensor<3>>,
    /// Keys, rotated, and values for each merging block, `[batch, site, 2 · width]`.
    merging_keys: Vec<Tensor<3>>,
    /// States, `[batch, site, width]`.
    states: Tensor<3>,
    /// Valid sites: before this one in the forward stream, from this one on in the backward stream.
    border: usize,
}

impl<'a> Incremental<'a> {
    /// Starts with rows of tokens `[batch, site]`; computes only embeddings.
    ///
    /// # Panics
    /// When the rows are longer than the network was built for, or empty.
    pub fn new(network: &'a Hollow, tokens: Tensor<2, Int>, conditions: &Conditions) -> Self {
        let [batch, len] = tokens.dims();
        assert!((1..=network.sizes().longest).contains(&len), "rows longer than the network, or empty");
        let device = tokens.device();
        let told = network.vocabulary().told(&tokens, conditions);
        let (embedded, level_queries) = network.embed(tokens, conditions.levels.clone(), 0);
        let width = embedded.dims()[2];
        let stream = |direction: usize| {
            let zeros = |count: usize, width: usize| vec![Tensor::zeros([batch, len, width], &device); count];
            Stream {
                keys: zeros(network.blocks_of(direction).len(), 2 * width),
                merging_keys: zeros(network.merging_blocks().len(), 2 * width),
                states: Tensor::zeros([batch, len, width], &device),
                border: [0, len][direction],
            }
        };
        let streams = [stream(0), stream(1)];
        Self { network, modulations: network.modulations(conditions), embedded, level_queries, streams, told }
    }

    /// Computes a stream's states at some sites adjacent to the valid ones.
    fn compute(&mut self, direction: usize, sites: Range<usize>) {
        if sites.is_empty() {
            return;
        }
        let (network, stream) = (self.network, &mut self.streams[direction]);
        let [batch, len, width] = self.embedded.dims();
        let rotary = network.rotary_of(sites.clone());
        let bias = network.bias_of(direction, sites.clone(), len);
        let mut x = network.seen(direction, &self.embedded, sites.clone());
        let blocks = network.blocks_of(direction).iter().zip(&self.modulations.streams[direction]);
        for ((block, modulation), keys) in blocks.zip(&mut stream.keys) {
            x = block.extend(x, sites.start, keys, modulation, &rotary, bias.clone());
        }
        for (block, keys) in network.merging_blocks().iter().zip(&mut stream.merging_keys) {
            let new = block.keys_of(direction, x.clone(), &rotary);
            assign(keys, [0..batch, sites.clone(), 0..2 * width], new);
        }
        assign(&mut stream.states, [0..batch, sites.clone(), 0..width], x);
        stream.border = [sites.end, sites.start][direction];
    }
}

impl States for Incremental<'_> {
    fn set(&mut self, site: Site, tokens: Tensor<2, Int>, levels: Tensor<2>) {
        let [batch, len, width] = self.embedded.dims();
        assert!(site < len && tokens.dims() == [batch, 1], "one token a row, for a site below {len}");
        if let Some(told) = &mut self.told {
            told.set(site, &tokens, &levels);
        }
        let (embedded, level_queries) = self.network.embed(tokens, levels, site);
        let column = || [0..batch, site..site + 1, 0..width];
        assign(&mut self.embedded, column(), embedded);
        if let (Some(kept), Some(new)) = (&mut self.level_queries, level_queries) {
            assign(kept, column(), new);
        }
        let [before, after] = &mut self.streams;
        before.border = before.border.min(site + 1);
        after.border = after.border.max(site);
    }

    fn logits(&mut self, sites: &[Site]) -> Tensor<3> {
        let len = self.embedded.dims()[1];
        let (first, last) = sites.iter().fold((len, 0), |(low, high), &site| (low.min(site), high.max(site)));
        assert!(first < len && last < len, "sites below {len}, at least one");
        self.compute(0, self.streams[0].border..last + 1);
        self.compute(1, first..self.streams[1].border);
        let states = self.streams.each_ref().map(|stream| Sites::Block(sites).pick(stream.states.clone()));
        let level_query = self.level_queries.clone().map(|levels| Sites::Block(sites).pick(levels));
        let merging = self.network.merging(sites, 1, len);
        let logits = self.network.read_out(states, level_query, &self.modulations, &merging, |at, _| {
            self.streams.each_ref().map(|stream| stream.merging_keys[at].clone())
        });
        self.network.vocabulary().add_prior(logits, self.told.as_ref(), Sites::Block(sites))
    }
}
