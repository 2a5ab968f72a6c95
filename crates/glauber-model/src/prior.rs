//! What a network adds of a rule of thumb about each site.

use std::sync::{Arc, OnceLock};

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_chain::SitePrior;
use glauber_tokens::{Site, Token};
use serde::{Deserialize, Serialize};

use crate::roles::{Role, Roles};
use crate::{Conditions, Sites};

/// The prior under a network, as a configuration states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PriorConfig {
    /// Most tokens of a context of the n-grams.
    pub order: usize,
}

/// Terms of a prior: their weights, which begin at 1 and are learnt, and what says them.
#[derive(Module, Debug)]
pub(crate) struct PriorTerms {
    /// `[term]`.
    weights: Param<Tensor<1>>,
    /// The same in all clones of a network: its average, its replicas.
    #[module(skip)]
    source: Arc<OnceLock<Arc<dyn SitePrior>>>,
    /// Whether the network sees the sites after one alone: it adds nothing of those before.
    after: bool,
}

/// What a prior is told of rows: tokens and levels `[row, site]`, and parts `[row]`.
#[derive(Debug)]
pub(crate) struct Told {
    pub tokens: Vec<Token>,
    pub levels: Vec<f32>,
    parts: Option<Vec<Option<usize>>>,
    len: usize,
}

impl Told {
    pub fn of(tokens: &Tensor<2, Int>, conditions: &Conditions) -> Self {
        Self {
            tokens: tokens.to_data().iter::<i64>().map(|token| token as Token).collect(),
            levels: conditions.levels.to_data().iter::<f32>().collect(),
            parts: conditions.parts.clone(),
            len: tokens.dims()[1],
        }
    }
}

impl PriorTerms {
    /// None where the configuration has none.
    pub fn new(config: Option<&PriorConfig>, device: &Device) -> Option<Self> {
        config.map(|_| Self {
            weights: Initializer::Ones.init([NGRAM_TERMS], device),
            source: Arc::default(),
            after: false,
        })
    }

    pub fn of_sites_after(self) -> Self {
        Self { after: true, ..self }
    }

    pub fn set(&self, source: Arc<dyn SitePrior>) {
        assert_eq!(source.terms(), NGRAM_TERMS, "terms of the prior, against its weights");
        assert!(self.source.set(source).is_ok(), "a network is given its prior once");
    }

    pub fn roles(&self, roles: &mut Roles) {
        roles.add(&self.weights, Role::Bias);
    }

    /// Adds the weighed terms to logits `[row, asked site, token]`.
    pub fn add(&self, logits: Tensor<3>, told: &Told, sites: Sites<'_>) -> Tensor<3> {
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
            source.write(part, &told.tokens[here.clone()], &told.levels[here], sites, &mut row_terms);
            for (term, values) in row_terms.chunks_exact(each).enumerate() {
                if self.after && term == BEFORE {
                    continue;
                }
                terms[term * size + row * each..][..each].copy_from_slice(values);
            }
        }
        let terms = Tensor::<2>::from_data(TensorData::new(terms, [NGRAM_TERMS, size]), &logits.device());
        let weights = self.weights.val().unsqueeze_dim::<2>(0);
        let dtype = logits.dtype();
        logits + weights.matmul(terms).reshape([rows, asked, vocab]).cast(dtype)
    }
}

/// Terms of an n-gram prior: the token alone, from the left, from the right.
const NGRAM_TERMS: usize = 3;
/// Which of them speaks of the sites before.
const BEFORE: usize = 1;
