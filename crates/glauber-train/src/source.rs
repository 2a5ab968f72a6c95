//! Where training sequences come from.

use glauber_chain::ChainRng;
use glauber_chain::oracles::{MarkovMixture, MarkovSource};
use glauber_text::Sequences;
use glauber_tokens::Token;

/// A source of sequences of any length, each drawn with the generator given: the same generator, the same sequence.
pub trait SequenceSource: Send + Sync {
    /// Draws one sequence, shape `[site]`, and says which class it belongs to, where sequences have classes.
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Option<usize>;
}

impl SequenceSource for Sequences<'_> {
    /// A window at a uniform offset of the stream.
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Option<usize> {
        let start = (rng.uniform() * self.windows() as f64) as usize;
        self.window(start.min(self.windows() - 1), out);
        None
    }
}

impl SequenceSource for MarkovSource {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Option<usize> {
        out.copy_from_slice(&self.sample(out.len(), rng));
        None
    }
}

impl SequenceSource for MarkovMixture {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Option<usize> {
        let (class, tokens) = self.sample(out.len(), rng);
        out.copy_from_slice(&tokens);
        Some(class)
    }
}
