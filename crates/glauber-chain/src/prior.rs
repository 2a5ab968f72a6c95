//! What is known of a site beforehand.

use std::fmt::Debug;

use glauber_tokens::{Site, Token};

/// What a rule of thumb says of a site's token, given noisy tokens at the others: a network may begin
/// there and learn the rest.
///
/// A site's own token and level must not matter to what is said of it: then conditionals stay
/// leave-one-out, and every sampler and bound exact.
pub trait SitePrior: Debug + Send + Sync {
    /// Terms that a network weighs and adds.
    fn terms(&self) -> usize;

    /// Writes the terms for some sites of a sequence, in nats: `out` of shape `[term, asked site,
    /// token]`.
    ///
    /// Of a site, `left` is seen at the sites before and `right` at those after: mostly they are the
    /// same sequence. A sequence that the rule was made of belongs to a `part` of the data: the rule
    /// then speaks as if it had not seen that part.
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
