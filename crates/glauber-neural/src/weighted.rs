//! Weighted sequences as a source of training sequences.

use glauber_chain::ChainRng;
use glauber_gflownet::Buffer;
use glauber_tokens::Token;
use glauber_train::{SequenceSource, TrainError};

/// Draws from a buffer in proportion to its weights. Any objective of `glauber-train` on them is weighted denoising
/// cross-entropy (E20): its least is reached by the denoising laws of the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightedSource<'a>(pub &'a Buffer);

impl SequenceSource for WeightedSource<'_> {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        let drawn = self.0.draw(rng);
        if drawn.len() != out.len() {
            return Err(TrainError::Sequence {
                found: format!("{} tokens", drawn.len()),
                expected: format!("{}, the sites of a sequence", out.len()),
            });
        }
        out.copy_from_slice(drawn);
        Ok(None)
    }
}
