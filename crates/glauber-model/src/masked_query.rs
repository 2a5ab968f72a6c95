//! The masked-query network of the paper: a query token replaces the requested site.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::embedding::{Logits, Vocabulary};
use crate::network::Design;
use crate::roles::Roles;
use crate::{Asked, Bidirectional, Conditions, ModelConfig, SiteClassifier, Sites, Sizes};

/// A bidirectional transformer; one pass gives the logits of one site of each row.
///
/// For several sites of a row, it runs one copy of the row per site.
#[derive(Module, Debug)]
pub struct MaskedQuery {
    transformer: Bidirectional,
    /// Id of the query token: the first after the vocabulary.
    query: usize,
}

impl MaskedQuery {
    /// Logits of one site per row: `[batch, 1, token]`.
    fn one_site_a_row(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: &[usize]) -> Logits {
        let device = tokens.device();
        let [batch, len] = tokens.dims();
        let hidden: Vec<bool> = sites.iter().flat_map(|&asked| (0..len).map(move |site| site == asked)).collect();
        let hidden = Tensor::<2, Bool>::from_data(TensorData::new(hidden, [batch, len]), &device);
        self.transformer.plain(tokens.mask_fill(hidden, self.query as i32), conditions, Sites::Each(sites))
    }
}

impl Design for MaskedQuery {
    fn new(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self {
        Self { transformer: Bidirectional::with_extra(config, vocab, 1, len, device), query: vocab }
    }

    fn recomputing(self, on: bool) -> Self {
        Self { transformer: self.transformer.recomputing(on), ..self }
    }

    fn plain(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Logits {
        let [batch, len] = tokens.dims();
        let block: Vec<usize> = match sites {
            Sites::Each(each) => return self.one_site_a_row(tokens, conditions, each),
            Sites::All => (0..len).collect(),
            Sites::Block(block) => block.to_vec(),
        };
        let copies = block.len();
        let rows = batch * copies;
        let tokens = tokens.unsqueeze_dim::<3>(1).expand([batch, copies, len]);
        let sites: Vec<usize> = block.iter().copied().cycle().take(rows).collect();
        let Logits { logits, weights } =
            self.one_site_a_row(tokens.reshape([rows, len]), &conditions.repeat(copies), &sites);
        let each_row = |of: Tensor<3>| {
            let last = of.dims()[2];
            of.reshape([batch, copies, last])
        };
        Logits { logits: each_row(logits), weights: weights.map(each_row) }
    }

    fn vocabulary(&self) -> &Vocabulary {
        self.transformer.vocabulary()
    }

    fn roles(&self, roles: &mut Roles) {
        self.transformer.roles(roles);
    }
}

impl SiteClassifier for MaskedQuery {
    fn sizes(&self) -> Sizes {
        self.transformer.sizes()
    }

    fn answers(&self) -> Asked {
        Asked::OneSite
    }

    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3> {
        self.vocabulary().with_prior(self.plain(tokens.clone(), conditions, sites), &tokens, conditions, sites)
    }
}
