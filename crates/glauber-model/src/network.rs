//! The networks that configurations can name, and the choice between them.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use glauber_chain::SitePrior;

use crate::embedding::{Logits, Vocabulary};
use crate::roles::Roles;
use crate::{Asked, Conditions, ModelConfig, ModelError, Network, SiteClassifier, Sites, Sizes, States};

/// An architecture: built from a configuration, it lists the roles of its parameters.
///
/// To add one, implement this trait in a new file, and add a line to the list of [`networks`].
pub(crate) trait Design: SiteClassifier {
    /// Builds the network for `vocab` tokens and up to `len` sites, with valid sizes. Every weight is zero;
    /// `initialise` then draws weights by their roles.
    fn new(config: &ModelConfig, vocab: usize, len: usize, device: &Device) -> Self
    where
        Self: Sized;

    /// See [`Network::recomputing`].
    fn recomputing(self, on: bool) -> Self
    where
        Self: Sized;

    /// Output without the prior: logits of the requested sites, `[batch, requested site, token]`, and the prior's
    /// weights.
    fn plain(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Logits;

    /// Its embedding and read-out.
    fn vocabulary(&self) -> &Vocabulary;

    /// Adds every parameter with its role, each once.
    fn roles(&self, roles: &mut Roles);
}

/// Generates the choice between architectures from a list of module, type and name in files and flags.
macro_rules! networks {
    ($($module:ident::$design:ident = $name:literal,)+) => {
        $(pub use $module::$design;)+

        /// The architectures of leave-one-out networks (`docs/math.md`, §6).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum NetworkKind {
            $(
                #[doc = concat!("See [`", stringify!($design), "`].")]
                #[serde(rename = $name)]
                $design,
            )+
        }

        impl NetworkKind {
            /// All architectures.
            pub const ALL: &[Self] = &[$(Self::$design),+];

            /// The name in files and flags.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$design => $name,)+
                }
            }
        }

        /// One of the networks that a configuration can name.
        #[derive(burn::module::Module, Debug)]
        #[allow(clippy::large_enum_variant)] // one value a program
        pub enum Network {
            $(
                #[doc = concat!("See [`", stringify!($design), "`].")]
                $design($design),
            )+
        }

        impl Network {
            /// The configured architecture, before its weights are drawn.
            fn undrawn(config: &ModelConfig, vocab: usize, len: usize, device: &burn::tensor::Device) -> Self {
                match config.network {
                    $(NetworkKind::$design => Self::$design(network::Design::new(config, vocab, len, device)),)+
                }
            }

            fn design(&self) -> &dyn network::Design {
                match self {
                    $(Self::$design(design) => design,)+
                }
            }

            /// Enables activation checkpointing: blocks store only their inputs, and recompute the rest in the backward
            /// pass. A training step has a third more operations, and stores the intermediate results of one block
            /// instead of all.
            ///
            /// Logits and gradients do not change. It has an effect only on the CPU device.
            pub fn recomputing(self, on: bool) -> Self {
                match self {
                    $(Self::$design(design) => Self::$design(network::Design::recomputing(design, on)),)+
                }
            }
        }
    };
}
pub(crate) use networks;

impl Network {
    /// Builds the network for `vocab` tokens and sequences of up to `len` sites, with weights drawn from `seed`.
    ///
    /// The weights do not depend on the device. Modulations and untied read-outs start at zero: an untrained network
    /// gives uniform conditionals, or nearly uniform ones with a tied read-out.
    ///
    /// # Errors
    /// [`ModelError`] when the sizes do not fit each other.
    pub fn new(config: &ModelConfig, vocab: usize, len: usize, seed: u64, device: &Device) -> Result<Self, ModelError> {
        check(config, vocab, len)?;
        Ok(crate::initialise::draw_weights(Self::undrawn(config, vocab, len, device), seed))
    }

    /// Sets the prior of a network whose configuration has one; other networks are unchanged.
    ///
    /// All clones share it, including earlier ones. Before this call, `logits` of such a network panics.
    ///
    /// # Panics
    /// If the prior is already set, or has another number of terms than an n-gram prior.
    pub fn set_prior(&self, prior: Arc<dyn SitePrior>) {
        if let Some(terms) = &self.design().vocabulary().prior {
            terms.set(prior);
        }
    }

    /// Number of weights of the network that [`new`](Self::new) builds, without drawing them.
    ///
    /// # Errors
    /// [`ModelError`] when the sizes do not fit each other.
    pub fn count_parameters(
        config: &ModelConfig,
        vocab: usize,
        len: usize,
        device: &Device,
    ) -> Result<usize, ModelError> {
        check(config, vocab, len)?;
        Ok(Self::undrawn(config, vocab, len, device).num_params())
    }
}

fn check(config: &ModelConfig, vocab: usize, len: usize) -> Result<(), ModelError> {
    let sizes = [("vocabulary", vocab), ("data.length", len)];
    let block = (config.network == crate::NetworkKind::BlockCausal).then_some(("model.block", config.block));
    sizes.into_iter().chain(block).try_for_each(ModelError::unless_zero)?;
    // Left of a site stand clean blocks and noisy sites, which are two sequences.
    if block.is_some() && config.prior.is_some() {
        let found = format!("set with the network `{}`", config.network.name());
        return Err(ModelError::setting(
            "model.prior",
            found,
            "none: leave the key out, or use another `model.network`",
        ));
    }
    config.validate()
}

impl SiteClassifier for Network {
    fn sizes(&self) -> Sizes {
        self.design().sizes()
    }

    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3> {
        self.design().logits(tokens, conditions, sites)
    }

    fn trained_logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Vec<Tensor<3>> {
        let (design, vocabulary) = (self.design(), self.design().vocabulary());
        let plain = design.plain(tokens.clone(), conditions, sites);
        match vocabulary.told(&tokens, conditions) {
            None => vec![plain.logits],
            Some(told) => vec![plain.logits.clone(), vocabulary.add_prior(plain, Some(&told), sites)],
        }
    }

    fn answers(&self) -> Asked {
        self.design().answers()
    }

    fn has_two_views(&self) -> bool {
        self.design().has_two_views()
    }

    fn block(&self) -> Option<usize> {
        self.design().block()
    }

    fn follows_time(&self) -> bool {
        self.design().follows_time()
    }

    fn states<'a>(&'a self, tokens: Tensor<2, Int>, conditions: &Conditions) -> Option<Box<dyn States + 'a>> {
        self.design().states(tokens, conditions)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::Error;

    use crate::NetworkKind;

    fn read(name: &str) -> Result<NetworkKind, Error> {
        NetworkKind::deserialize(name.into_deserializer())
    }

    #[test]
    fn designs_are_read_by_name_and_others_are_refused_with_the_names() {
        let names: Vec<&str> = NetworkKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names[..3], ["hollow", "masked-query", "bidirectional"], "runs of earlier versions have them");
        let error = read("recurrent").unwrap_err().to_string();
        assert!(error.contains("recurrent"), "{error}");
        for (&kind, name) in NetworkKind::ALL.iter().zip(names) {
            assert_eq!(read(name), Ok(kind));
            assert!(error.contains(name), "{error}");
        }
    }
}
