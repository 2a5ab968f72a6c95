//! Priors of sites.

use std::fmt::Debug;

use glauber_tokens::{Site, Token};

/// A simple estimate of a site's token given the noisy tokens of the others. A network adds a learned correction.
///
/// The estimate must not depend on the site's own token and level. Conditionals then stay leave-one-out, and samplers
/// and bounds stay valid.
pub trait SitePrior: Debug + Send + Sync {
    /// Terms that a network weighs and adds.
    fn terms(&self) -> usize;

    /// Writes the terms for some sites of a sequence, in nats: `out` of shape `[term, requested site,
    /// token]`.
    ///
    /// The estimate at a site reads `left` at the sites before and `right` at the sites after; usually both are the
    /// same sequence. A sequence that the prior was counted on belongs to a `part` of the data, and the estimate
    /// excludes that part.
    ///
    /// # Panics
    /// When there is no such site, or a token lies outside the vocabulary.
    fn write(&self, part: Option<usize>, left: Seen<'_>, right: Seen<'_>, sites: &[Site], out: &mut [f32]);
}

/// A noisy sequence.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Shape `[site]`.
    pub tokens: &'a [Token],
    /// The signal level of each, shape `[site]`; 1 means that the token is known.
    pub levels: &'a [f32],
}
