//! The masked-query network of the paper: the site asked for is replaced by a query token.

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use crate::embedding::Vocabulary;
use crate::network::Design;
use crate::roles::Roles;
use crate::{Asked, Bidirectional, Conditions, ModelConfig, SiteClassifier, Sites, Sizes};

/// A bidirectional transformer; one pass gives the logits of one site of each row.
///
/// Asked for several sites of a row, it runs one copy of the row for each.
#[derive(Module, Debug)]
pub struct MaskedQuery {
    transformer: Bidirectional,
    /// Id of the query token: the first after the vocabulary.
    query: usize,
}

impl MaskedQuery {
    /// Logits of one site a row: `[batch, 1, token]`.
    fn one_site_a_row(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: &[usize]) -> Tensor<3> {
        let device = tokens.device();
        let [batch, len] = tokens.dims();
        let hidden: Vec<bool> = sites.iter().flat_map(|&asked| (0..len).map(move |site| site == asked)).collect();
        let hidden = Tensor::<2, Bool>::from_data(TensorData::new(hidden, [batch, len]), &device);
        let shown = tokens.clone().mask_fill(hidden, self.query as i32);
        let logits = self.transformer.plain(shown, conditions, Sites::Each(sites));
        self.transformer.vocabulary().with_prior(logits, &tokens, conditions, Sites::Each(sites))
    }
}

impl Design for MaskedQuery {
    fn new(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self {
        Self { transformer: Bidirectional::with_extra(config, vocab, 1, len, device), query: vocab }
    }

    fn recomputing(self, on: bool) -> Self {
        Self { transformer: self.transformer.recomputing(on), ..self }
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
        let logits = self.one_site_a_row(tokens.reshape([rows, len]), &conditions.repeat(copies), &sites);
        let vocab = logits.dims()[2];
        logits.reshape([batch, copies, vocab])
    }
}
