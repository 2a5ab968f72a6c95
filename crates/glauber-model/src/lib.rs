#![doc = include_str!("../README.md")]
//! Leave-one-out site classifiers: networks that look at a noisy sequence without one site and say, for every token of the
//! vocabulary, how likely that token at that site is signal rather than noise (`docs/math.md`, §4 and §6).
//!
//! Three designs stand behind the [`SiteClassifier`] trait:
//!
//! - [`Hollow`]: a causal and an anti-causal stream, merged by an attention read-out. One pass gives the logits of every site.
//! - [`MaskedQuery`]: a bidirectional transformer in which the site asked for is replaced by a query token. One pass gives one site.
//! - [`Bidirectional`]: the same transformer without the query token, for absorbing noise: a site that shows the mask hides itself.
//! - [`OwnEvidence`]: the same for any noise; the site's own token is in view, and training takes its say away.
//!
//! The library holds no backend: every constructor takes a [`burn::tensor::Device`]. On burn's CPU
//! device layers are slow without the feature `cpu`, which fuses them.

mod attention;
mod autoregressive;
mod bidirectional;
mod block;
mod block_causal;
mod causal_states;
mod classifier;
mod clean_blocks;
mod conditions;
mod config;
mod constants;
mod embedding;
mod error;
mod hollow;
mod incremental;
mod initialise;
mod masked_query;
mod network;
mod own_evidence;
mod prior;
mod roles;
mod rounded;

pub use classifier::{Asked, SiteClassifier, Sites, Sizes, States};
pub use conditions::{Conditions, RightView};
pub use config::{Conditioning, ModelConfig, Positions, Preset};
pub use error::ModelError;
pub use incremental::Incremental;
pub use prior::PriorConfig;
pub use roles::Role;

network::networks! {
    hollow::Hollow = "hollow",
    masked_query::MaskedQuery = "masked-query",
    bidirectional::Bidirectional = "bidirectional",
    autoregressive::Autoregressive = "autoregressive",
    own_evidence::OwnEvidence = "own-evidence",
    block_causal::BlockCausal = "block-causal",
}
