//! A bidirectional network that reads the site's own token, and learns logits without that token's evidence.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};

use crate::embedding::{Logits, Vocabulary};
use crate::network::Design;
use crate::roles::Roles;
use crate::{Asked, Bidirectional, Conditions, ModelConfig, SiteClassifier, Sites, Sizes};

/// A bidirectional transformer that reads both sides of a site and the site's own token.
///
/// Training adds that token's evidence about the clean token to the logits (`docs/math.md`, §6). The logits of least
/// loss then do not depend on it. Only a trained network is leave-one-out, and only approximately.
#[derive(Module, Debug)]
pub struct OwnEvidence {
    transformer: Bidirectional,
}

impl Design for OwnEvidence {
    fn new(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self {
        Self { transformer: Bidirectional::new(config, vocab, len, device) }
    }

    fn recomputing(self, on: bool) -> Self {
        Self { transformer: self.transformer.recomputing(on) }
    }

    fn plain(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Logits {
        self.transformer.plain(tokens, conditions, sites)
    }

    fn vocabulary(&self) -> &Vocabulary {
        self.transformer.vocabulary()
    }

    fn roles(&self, roles: &mut Roles) {
        self.transformer.roles(roles);
    }
}

impl SiteClassifier for OwnEvidence {
    fn sizes(&self) -> Sizes {
        self.transformer.sizes()
    }

    fn answers(&self) -> Asked {
        Asked::InView
    }

    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3> {
        self.transformer.logits(tokens, conditions, sites)
    }
}
