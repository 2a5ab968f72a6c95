//! The masked-query network of the paper: the site asked for is replaced by a query token.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::block::Block;
use crate::constants::{RotaryTables, indices};
use crate::embedding::Vocabulary;
use crate::time::TimeEmbedding;
use crate::{ModelConfig, SiteClassifier, Sites};

/// A bidirectional transformer; one pass gives the logits of one site of each row.
///
/// Asked for several sites of a row, it runs one copy of the row for each.
#[derive(Module, Debug)]
pub struct MaskedQuery {
    rotary: RotaryTables,
    vocabulary: Vocabulary,
    time: TimeEmbedding,
    blocks: Vec<Block>,
    /// Id of the query token: the first after the vocabulary.
    query: usize,
}

impl MaskedQuery {
    pub(crate) fn new(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self {
        Self {
            rotary: RotaryTables::new(len, config.width / config.heads, device),
            vocabulary: Vocabulary::new(config, vocab, 1, device),
            time: TimeEmbedding::new(config.condition_width, device),
            blocks: (0..config.layers).map(|_| Block::new(config, device)).collect(),
            query: vocab,
        }
    }

    /// Logits of one site a row: `[batch, 1, token]`.
    fn one_site_a_row(&self, tokens: Tensor<2, Int>, time: Tensor<1>, sites: &[usize]) -> Tensor<3> {
        let device = tokens.device();
        let [batch, len] = tokens.dims();
        let hidden: Vec<bool> = sites.iter().flat_map(|&asked| (0..len).map(move |site| site == asked)).collect();
        let hidden = Tensor::<2, Bool>::from_data(TensorData::new(hidden, [batch, len]), &device);
        let condition = self.time.forward(time);
        let embedded = self.vocabulary.embed(tokens.mask_fill(hidden, self.query as i32));
        let rotary = self.rotary.first(len);
        let states = self.blocks.iter().fold(embedded, |x, block| block.forward(x, condition.clone(), &rotary, None));
        let width = states.dims()[2];
        let at = indices(sites, &device).reshape([batch, 1, 1]);
        let asked = states.gather(1, at.expand([batch, 1, width]));
        self.vocabulary.logits(asked, condition)
    }
}

impl SiteClassifier for MaskedQuery {
    fn logits(&self, tokens: Tensor<2, Int>, time: Tensor<1>, sites: Sites<'_>) -> Tensor<3> {
        let [batch, len] = tokens.dims();
        assert!(len <= self.rotary.len(), "sequence longer than the network");
        let block: Vec<usize> = match sites {
            Sites::Each(each) => return self.one_site_a_row(tokens, time, each),
            Sites::All => (0..len).collect(),
            Sites::Block(block) => block.to_vec(),
        };
        let copies = block.len();
        let rows = batch * copies;
        let tokens = tokens.unsqueeze_dim::<3>(1).expand([batch, copies, len]);
        let time = time.unsqueeze_dim::<2>(1).expand([batch, copies]);
        let sites: Vec<usize> = block.iter().copied().cycle().take(rows).collect();
        let logits = self.one_site_a_row(tokens.reshape([rows, len]), time.reshape([rows]), &sites);
        let vocab = logits.dims()[2];
        logits.reshape([batch, copies, vocab])
    }
}
