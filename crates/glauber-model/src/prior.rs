//! Priors under networks.

use std::sync::{Arc, OnceLock};

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_chain::{Seen, SitePrior};
use glauber_tokens::{Site, Token};
use serde::{Deserialize, Serialize};

use crate::attention::{apply, linear};
use crate::embedding::Logits;
use crate::roles::{Role, Roles};
use crate::{Conditions, RightView, Sites};

/// Terms of an n-gram prior: the token alone, from the left, from the right.
const NGRAM_TERMS: usize = 3;
/// The index of the term from the left.
const BEFORE: usize = 1;
/// Number of weights per site: the network's own logits, and each term.
const WEIGHTS: usize = 1 + NGRAM_TERMS;

/// Configuration of the prior under a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorConfig {
    /// Maximal context length of the n-grams, in tokens.
    pub order: usize,
}

/// A prior's terms, and their weights at each site.
#[derive(Module, Debug)]
pub(crate) struct PriorTerms {
    /// Added to the weight 1 of the network's own logits and of each term; starts at zero.
    weights: Linear,
    /// Shared by all clones of a network: its average and its replicas.
    #[module(skip)]
    source: Arc<OnceLock<Arc<dyn SitePrior>>>,
    /// Whether the network reads only the sites after the requested one; the term from the left is then not added.
    after: bool,
}

/// A prior's inputs: tokens and levels `[row, site]`, and parts `[row]`.
#[derive(Debug)]
pub(crate) struct Told {
    pub tokens: Vec<Token>,
    pub levels: Vec<f32>,
    parts: Option<Vec<Option<usize>>>,
    /// Tokens and levels to the right of a site, if they differ.
    right: Option<(Vec<Token>, Vec<f32>)>,
    len: usize,
}

impl Told {
    pub fn of(tokens: &Tensor<2, Int>, conditions: &Conditions) -> Self {
        let host = |tokens: &Tensor<2, Int>| tokens.to_data().iter::<i64>().map(|token| token as Token).collect();
        let right = |right: &RightView| (host(&right.tokens), right.levels.to_data().iter::<f32>().collect());
        Self {
            tokens: host(tokens),
            levels: conditions.levels.to_data().iter::<f32>().collect(),
            right: conditions.right.as_ref().map(right),
            parts: conditions.parts.clone(),
            len: tokens.dims()[1],
        }
    }

    /// Sets a site of every row: tokens and levels, each `[row, 1]`.
    pub fn set(&mut self, site: Site, tokens: &Tensor<2, Int>, levels: &Tensor<2>) {
        let (tokens, levels) = (tokens.to_data(), levels.to_data());
        for (row, (token, level)) in tokens.iter::<i64>().zip(levels.iter::<f32>()).enumerate() {
            (self.tokens[row * self.len + site], self.levels[row * self.len + site]) = (token as Token, level);
        }
    }
}

impl PriorTerms {
    /// `None` if the configuration has no prior.
    pub fn new(config: Option<&PriorConfig>, width: usize, device: &Device) -> Option<Self> {
        config.map(|_| Self { weights: linear(width, WEIGHTS, true, device), source: Arc::default(), after: false })
    }

    pub fn of_sites_after(self) -> Self {
        Self { after: true, ..self }
    }

    pub fn set(&self, source: Arc<dyn SitePrior>) {
        assert_eq!(source.terms(), NGRAM_TERMS, "terms of the prior, against its weights");
        assert!(self.source.set(source).is_ok(), "a network is given its prior once");
    }

    pub fn roles(&self, roles: &mut Roles) {
        roles.linear(&self.weights, Role::ReadOut);
    }

    /// Weights of the network's own logits and of the terms, from the states of the read-out, `[row, requested site,
    /// weight]`.
    pub fn weigh(&self, states: Tensor<3>) -> Tensor<3> {
        apply(&self.weights, states).add_scalar(1.0)
    }

    /// The weighted sum of logits `[row, requested site, token]` and terms.
    pub fn add(&self, Logits { logits, weights }: Logits, told: &Told, sites: Sites<'_>) -> Tensor<3> {
        let source = self.source.get().expect("a network with a prior is given it before it is asked");
        let [rows, asked, vocab] = logits.dims();
        let (each, size) = (asked * vocab, rows * asked * vocab);
        let mut terms = vec![0.0; NGRAM_TERMS * size];
        let mut row_terms = vec![0.0; NGRAM_TERMS * each];
        let every: Vec<Site> = (0..told.len).collect();
        for row in 0..rows {
            let here = row * told.len..(row + 1) * told.len;
            let sites = match sites {
                Sites::All => &every,
                Sites::Block(block) => block,
                Sites::Each(each) => &each[row..=row],
            };
            let part = told.parts.as_ref().and_then(|parts| parts[row]);
            let left = Seen { tokens: &told.tokens[here.clone()], levels: &told.levels[here.clone()] };
            let right = told
                .right
                .as_ref()
                .map_or(left, |(tokens, levels)| Seen { tokens: &tokens[here.clone()], levels: &levels[here.clone()] });
            source.write(part, left, right, sites, &mut row_terms);
            for (term, values) in row_terms.chunks_exact(each).enumerate() {
                if self.after && term == BEFORE {
                    continue;
                }
                terms[term * size + row * each..][..each].copy_from_slice(values);
            }
        }
        let weights = weights.expect("a read-out with a prior weighs it");
        let (device, dtype) = (logits.device(), logits.dtype());
        let own = logits * weights.clone().narrow(2, 0, 1);
        terms.chunks_exact(size).enumerate().fold(own, |logits, (term, values)| {
            let values = Tensor::<3>::from_data(TensorData::new(values.to_vec(), [rows, asked, vocab]), &device);
            logits + values.cast(dtype) * weights.clone().narrow(2, 1 + term, 1)
        })
    }
}
