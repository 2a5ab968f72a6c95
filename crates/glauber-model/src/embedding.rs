//! Embedding and read-out.

use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig, Initializer, Linear};
use burn::tensor::{Device, Int, Tensor};
use glauber_fused::modulated_norm;

use crate::attention::{apply, linear};
use crate::block::modulations;
use crate::prior::{PriorTerms, Told};
use crate::roles::{Role, Roles};
use crate::{Conditions, ModelConfig, Sites};

/// Output of a read-out: logits `[batch, site, token]`, and with a prior the weights of logits and terms `[batch, site,
/// weight]`.
pub(crate) struct Logits {
    pub logits: Tensor<3>,
    pub weights: Option<Tensor<3>>,
}

/// The embedding table, and the read-out from states to logits: with its own weights, or tied to the table.
#[derive(Module, Debug)]
pub(crate) struct Vocabulary {
    table: Embedding,
    /// Learned embedding of each site, `[site, width]`.
    sites: Option<Param<Tensor<2>>>,
    modulation: Linear,
    head: Option<Linear>,
    /// Bias of a tied read-out, `[token]`.
    tied_bias: Option<Param<Tensor<1>>>,
    /// The prior of the sites.
    pub prior: Option<PriorTerms>,
    vocab: usize,
}

impl Vocabulary {
    /// A table of `vocab + extra` rows, for up to `len` sites; the read-out gives `vocab` logits.
    pub fn new(config: &ModelConfig, [vocab, extra]: [usize; 2], len: usize, device: &Device) -> Self {
        let table = EmbeddingConfig::new(vocab + extra, config.width).with_initializer(Initializer::Zeros).init(device);
        let zeros = || Initializer::Zeros.init([vocab], device);
        let sites = || Initializer::Zeros.init([len, config.width], device);
        Self {
            table,
            sites: config.site_vectors.then(sites),
            modulation: linear(config.condition_width, 2 * config.width, true, device),
            head: (!config.tied).then(|| linear(config.width, vocab, true, device)),
            tied_bias: config.tied.then(zeros),
            prior: PriorTerms::new(config.prior.as_ref(), config.width, device),
            vocab,
        }
    }

    pub fn roles(&self, roles: &mut Roles) {
        roles.add(&self.table.weight, Role::Table);
        self.sites.iter().for_each(|sites| roles.add(sites, Role::Table));
        roles.linear(&self.modulation, Role::Modulation);
        self.head.iter().for_each(|head| roles.linear(head, Role::ReadOut));
        self.tied_bias.iter().for_each(|bias| roles.add(bias, Role::Bias));
        self.prior.iter().for_each(|prior| prior.roles(roles));
    }

    /// Number of tokens with logits.
    pub fn size(&self) -> usize {
        self.vocab
    }

    /// Numbers of an embedded token.
    pub fn width(&self) -> usize {
        self.table.weight.dims()[1]
    }

    /// Tokens `[batch, site]`, the first of them at site `first`, to `[batch, site, width]`.
    pub fn embed(&self, tokens: Tensor<2, Int>, first: usize) -> Tensor<3> {
        let count = tokens.dims()[1];
        let embedded = self.table.forward(tokens);
        match &self.sites {
            Some(sites) => embedded + sites.val().narrow(0, first, count).unsqueeze(),
            None => embedded,
        }
    }

    /// Shift and scale of the read-out from a condition `[batch, condition width]`, each `[batch, width]`.
    pub fn modulation(&self, condition: Tensor<2>) -> [Tensor<2>; 2] {
        modulations(&self.modulation, condition)
    }

    /// States `[batch, site, width]`, read out.
    pub fn logits(&self, states: Tensor<3>, [shift, scale]: [Tensor<2>; 2]) -> Logits {
        let dtype = states.dtype();
        let states = modulated_norm(states, shift, scale);
        let weights = self.prior.as_ref().map(|prior| prior.weigh(states.clone()).cast(dtype));
        let logits = match &self.head {
            Some(head) => apply(head, states).cast(dtype),
            None => self.tied(states),
        };
        Logits { logits, weights }
    }

    /// Adds the prior of the sites, if there is one, to logits.
    pub fn with_prior(
        &self,
        logits: Logits,
        tokens: &Tensor<2, Int>,
        conditions: &Conditions,
        sites: Sites<'_>,
    ) -> Tensor<3> {
        self.add_prior(logits, self.told(tokens, conditions).as_ref(), sites)
    }

    /// The prior's inputs of the rows, if there is a prior.
    pub fn told(&self, tokens: &Tensor<2, Int>, conditions: &Conditions) -> Option<Told> {
        self.prior.as_ref().map(|_| Told::of(tokens, conditions))
    }

    /// Adds the prior of the rows to logits.
    pub fn add_prior(&self, logits: Logits, told: Option<&Told>, sites: Sites<'_>) -> Tensor<3> {
        match self.prior.as_ref().zip(told) {
            Some((prior, told)) => prior.add(logits, told, sites),
            None => logits.logits,
        }
    }

    fn tied(&self, states: Tensor<3>) -> Tensor<3> {
        let [batch, sites, width] = states.dims();
        let table = self.table.weight.val().narrow(0, 0, self.vocab);
        // Normalised states have length √width: scaled to 1, logits start as small as the table's entries.
        let flat = states.reshape([batch * sites, width]);
        let logits = flat.mul_scalar(1.0 / (width as f64).sqrt()).matmul(table.transpose());
        let logits = logits.reshape([batch, sites, self.vocab]);
        match &self.tied_bias {
            Some(bias) => logits + bias.val().unsqueeze(),
            None => logits,
        }
    }
}
