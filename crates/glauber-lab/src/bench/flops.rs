//! Floating-point operations of a step, counted from the shapes.

use anyhow::bail;
use glauber_model::{ModelConfig, NetworkKind};

/// Iterations of Newton and Schulz in a step of Muon (`glauber-descent/src/muon.rs`).
const ITERATIONS: u64 = 5;

/// Iterations on one square, where there are several (`glauber-fused/src/kernels/newton_schulz.rs`).
const A_SQUARE: u64 = 3;

/// Features of the time, and of a signal level with the width of its hidden layer (`glauber-model/src/conditions.rs`).
const TIME_FEATURES: u64 = 128;
const LEVEL_FEATURES: u64 = 34;
const LEVEL_HIDDEN: u64 = 64;

/// Counts operations of a hollow or a masked-query network, `length` sites a row, with the conditioning of the presets.
///
/// A product of `[m, k]` and `[k, n]` counts `2 m k n`; other operations are not counted. Attention counts every pair
/// of query and key, including hidden ones, because both sides of the benchmark compute them. A backward pass counts
/// twice its forward pass, a training step three times.
pub struct Flops<'a> {
    pub model: &'a ModelConfig,
    pub vocab: usize,
    pub length: usize,
}

/// `2 k n`: one row through a linear layer.
fn row(inputs: u64, outputs: u64) -> u64 {
    2 * inputs * outputs
}

impl Flops<'_> {
    /// Sites per row that a training step requests.
    pub fn asked_in_training(&self) -> usize {
        if self.model.network == NetworkKind::MaskedQuery { 1 } else { self.length }
    }

    /// Forward pass of one row with `asked` requested sites.
    ///
    /// # Errors
    /// When the network is of another kind.
    pub fn forward(&self, asked: usize) -> anyhow::Result<u64> {
        match self.model.network {
            NetworkKind::Hollow => Ok(self.hollow(asked as u64)),
            NetworkKind::MaskedQuery => Ok(asked as u64 * self.masked_query()),
            other => bail!("operations are not counted of {} networks", other.name()),
        }
    }

    /// Scores and weighted sum of some queries over some keys, all heads.
    fn attend(&self, queries: u64, keys: u64) -> u64 {
        2 * queries * row(self.model.width as u64, keys)
    }

    fn feed_forward(&self) -> u64 {
        2 * row(self.model.width as u64, 4 * self.model.width as u64)
    }

    /// A block of self-attention over a row.
    fn block(&self) -> u64 {
        let (width, length) = (self.model.width as u64, self.length as u64);
        let site = row(width, 3 * width) + row(width, width) + self.feed_forward();
        length * site + self.attend(length, length) + row(self.model.condition_width as u64, 6 * width)
    }

    /// What the step is made into.
    fn time(&self) -> u64 {
        let condition = self.model.condition_width as u64;
        row(TIME_FEATURES, condition) + row(condition, condition)
    }

    /// A pass, which answers for one site.
    fn masked_query(&self) -> u64 {
        let (width, condition) = (self.model.width as u64, self.model.condition_width as u64);
        let read_out = row(condition, 2 * width) + row(width, self.vocab as u64);
        self.model.layers as u64 * self.block() + self.time() + read_out
    }

    fn hollow(&self, asked: u64) -> u64 {
        let model = self.model;
        let (width, condition) = (model.width as u64, model.condition_width as u64);
        let (length, vocab) = (self.length as u64, self.vocab as u64);
        let (layers, merge_layers) = (model.layers as u64, model.merge_layers as u64);
        let (feed_forward, modulation) = (self.feed_forward(), row(condition, 6 * width));
        let merge = asked * (2 * row(width, width) + feed_forward)
            + 2 * length * row(width, 2 * width)
            + self.attend(asked, 2 * length)
            + modulation;
        let levels = length * (row(LEVEL_FEATURES, LEVEL_HIDDEN) + row(LEVEL_HIDDEN, 3 * width));
        let read_out = row(condition, 2 * width) + asked * (row(2 * width, width) + row(width, vocab));
        2 * layers * self.block() + merge_layers * merge + levels + self.time() + read_out
    }

    /// Muon's iterations in one optimiser step. Each of a matrix `[m, n]`, `m ≤ n`, is `2 m² n + 2 m³ + 2 m² n`.
    ///
    /// With `on_squares`, as on the CPU, `k ≤ 3` iterations of a matrix with `n ≥ 1.5 m` share the products with `n`, and
    /// have `4 k − 3` of `2 m³`. That half of a symmetric product need not be computed is not counted.
    ///
    /// # Errors
    /// When the network is of another kind.
    pub fn newton_schulz(&self, on_squares: bool) -> anyhow::Result<u64> {
        let model = self.model;
        let (streams, merge_layers) = match model.network {
            NetworkKind::Hollow => (2, model.merge_layers as u64),
            NetworkKind::MaskedQuery => (1, 0),
            other => bail!("operations are not counted of {} networks", other.name()),
        };
        let width = model.width as u64;
        let matrix = |times: u64| {
            let at_once = if on_squares && times > 1 { A_SQUARE } else { 1 };
            let counts = (0..ITERATIONS).step_by(at_once as usize).map(|begin| at_once.min(ITERATIONS - begin));
            counts.map(|count| 4 * times + 2 * (4 * count - 3)).sum::<u64>() * width.pow(3)
        };
        let feed_forward = 2 * matrix(4);
        let stream = matrix(3) + matrix(1) + feed_forward;
        let merge = 2 * matrix(1) + 2 * matrix(2) + feed_forward;
        Ok(streams * model.layers as u64 * stream + merge_layers * merge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glauber_model::Preset;

    /// Width 2, condition 3, one block a stream, one merging block, 5 tokens, 3 sites: small enough for paper.
    fn small() -> ModelConfig {
        ModelConfig { width: 2, layers: 1, merge_layers: 1, heads: 1, condition_width: 3, ..Preset::Tiny.config() }
    }

    #[test]
    fn operations_agree_with_a_count_by_hand() {
        let model = small();
        let flops = Flops { model: &model, vocab: 5, length: 3 };
        // A stream's block. Of each of 3 sites: queries, keys and values 2·2·6 = 24, output 2·2·2 = 8, up 2·2·8 = 32, down 32; in
        // all 96. Scores of 3 queries over 3 keys 2·3·3·2 = 36, weighted sum 36. Modulation 2·3·12 = 72.
        let stream = 3 * 96 + 72 + 72;
        // The merging block, all 3 sites asked for. Of each: query 8, output 8, up and down 64; in all 80. Keys and values of each
        // site of both streams 2·2·4 = 16. Scores of 3 queries over 6 keys 2·3·6·2 = 72, weighted sum 72. Modulation 72.
        let merge = 3 * 80 + 6 * 16 + 144 + 72;
        // Levels of each site: 2·34·64 = 4352 and 2·64·6 = 768. Time: 2·128·3 = 768 and 2·3·3 = 18.
        let conditions = 3 * 5120 + 786;
        // Modulation 2·3·4 = 24; of each site: join 2·4·2 = 16, head 2·2·5 = 20.
        let read_out = 24 + 3 * 36;
        assert_eq!(flops.forward(3).unwrap(), 2 * stream + merge + conditions + read_out);
        // One site asked for: 1 · 80, 6 · 16, scores and sum 2 · 24, 72.
        let merge = 80 + 96 + 48 + 72;
        assert_eq!(flops.forward(1).unwrap(), 2 * stream + merge + conditions + 24 + 36);
    }

    #[test]
    fn the_optimiser_agrees_with_a_count_by_hand() {
        let model = small();
        let flops = Flops { model: &model, vocab: 5, length: 3 };
        // Each iteration of [2, n]: 8n + 16 + 8n. [2, 6]: 112, [2, 2]: 48, [2, 8]: 144, [2, 4]: 80.
        let (stream, merge) = (112 + 48 + 2 * 144, 2 * 48 + 2 * 80 + 2 * 144);
        assert_eq!(flops.newton_schulz(false).unwrap(), 5 * (2 * stream + merge));
        // On squares, three iterations and two: twice 16n, and 9 + 5 products of 16. [2, 6]: 416, [2, 8]: 480, [2, 4]: 352.
        let (stream, merge) = (416 + 5 * 48 + 2 * 480, 2 * 5 * 48 + 2 * 352 + 2 * 480);
        assert_eq!(flops.newton_schulz(true).unwrap(), 2 * stream + merge);
        let model = ModelConfig { network: NetworkKind::MaskedQuery, ..small() };
        let flops = Flops { model: &model, vocab: 5, length: 3 };
        assert_eq!(flops.newton_schulz(true).unwrap(), stream);
    }

    #[test]
    fn a_masked_query_costs_a_pass_for_each_site() {
        let model = ModelConfig { network: NetworkKind::MaskedQuery, ..small() };
        let flops = Flops { model: &model, vocab: 5, length: 3 };
        // A block as above, the time 786, modulation 24, the read-out of one site 2·2·5 = 20.
        let pass = 3 * 96 + 72 + 72 + 786 + 24 + 20;
        assert_eq!((flops.asked_in_training(), flops.forward(1).unwrap()), (1, pass));
        assert_eq!(flops.forward(3).unwrap(), 3 * pass);
    }

    #[test]
    fn other_networks_are_refused() {
        let model = ModelConfig { network: NetworkKind::Bidirectional, ..small() };
        let flops = Flops { model: &model, vocab: 5, length: 3 };
        assert!(flops.forward(3).is_err() && flops.newton_schulz(true).is_err());
    }
}
