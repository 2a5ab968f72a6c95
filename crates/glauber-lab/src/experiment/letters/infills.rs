//! Gaps in held-out windows, filled once.

use glauber_chain::{ChainRng, SequenceLaw};
use glauber_judge::Ngram;
use glauber_tokens::{Token, TokenBatch};
use serde::{Deserialize, Serialize};

use super::report::Mean;

/// Letters of a gap in the middle of a window; the last is half of one of 64.
const LENGTHS: [usize; 4] = [4, 8, 16, 32];
/// Seed of fillings that no chain draws.
const SEED: u64 = 1;

/// Windows with gaps.
pub struct Gaps {
    windows: TokenBatch,
}

/// How gaps of one length were filled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Infill {
    /// Letters of the gap.
    pub gap: usize,
    /// Share of gaps that were filled with what stood there.
    pub exact: Mean,
    /// Bits of the whole window under the judge, above those of the window as it was.
    pub bits: Mean,
}

impl Gaps {
    pub fn new(windows: TokenBatch) -> Self {
        Self { windows }
    }

    /// Each window filled by itself: given the window and where the gap lies, the window filled.
    pub fn filled(
        &self,
        judge: &Ngram,
        mut fill: impl FnMut(&[Token], usize, usize, &mut ChainRng) -> anyhow::Result<Vec<Token>>,
    ) -> anyhow::Result<Vec<Infill>> {
        self.filled_together(judge, |windows, start, end| {
            let mut rngs = ChainRng::streams(SEED, windows.rows());
            let rows = windows.iter().zip(&mut rngs).map(|(row, rng)| fill(row, start, end, rng));
            Ok(TokenBatch::from_rows(rows.collect::<anyhow::Result<Vec<_>>>()?)?)
        })
    }

    /// All windows filled at once.
    pub fn filled_together(
        &self,
        judge: &Ngram,
        mut fill: impl FnMut(&TokenBatch, usize, usize) -> anyhow::Result<TokenBatch>,
    ) -> anyhow::Result<Vec<Infill>> {
        let len = self.windows.len();
        let gaps = LENGTHS.into_iter().filter(|&gap| gap < len);
        let infill = |gap: usize| {
            let (start, end) = ((len - gap) / 2, (len - gap) / 2 + gap);
            let filled = fill(&self.windows, start, end)?;
            let pairs = || self.windows.iter().zip(filled.iter());
            let exact: Vec<f64> = pairs().map(|(a, b)| f64::from(u8::from(a[start..end] == b[start..end]))).collect();
            let surprise = |row: &[Token]| -judge.log_probability(row) / std::f64::consts::LN_2;
            let bits: Vec<f64> = pairs().map(|(a, b)| surprise(b) - surprise(a)).collect();
            Ok(Infill { gap, exact: Mean::of(&exact), bits: Mean::of(&bits) })
        };
        gaps.map(infill).collect()
    }
}
