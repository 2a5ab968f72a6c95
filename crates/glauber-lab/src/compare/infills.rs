//! Gaps in held-out windows, filled once.

use glauber_judge::{TextNgram, Texts};
use glauber_text::TextCodec;
use glauber_tokens::{Codec, Token, TokenBatch};
use serde::{Deserialize, Serialize};

use super::report::Mean;

/// Tokens of a gap in the middle of a window, as far as windows are longer; and half of a window.
const LENGTHS: [usize; 3] = [4, 8, 16];

/// Windows with gaps.
pub struct Gaps {
    windows: TokenBatch,
}

/// How gaps of one length were filled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Infill {
    /// Tokens of the gap.
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

    /// All windows filled at once: given the windows and where the gap lies, the windows as texts.
    pub fn filled(
        &self,
        judge: &TextNgram,
        codec: &TextCodec,
        mut fill: impl FnMut(&TokenBatch, usize, usize) -> anyhow::Result<Texts>,
    ) -> anyhow::Result<Vec<Infill>> {
        if self.windows.rows() == 0 {
            return Ok(Vec::new());
        }
        let len = self.windows.len();
        let original = texts(codec, self.windows.iter())?;
        let before = judge.bits(&original);
        let gaps = LENGTHS.into_iter().filter(|&gap| gap < len / 2).chain([len / 2]);
        let infill = |gap: usize| {
            let (start, end) = ((len - gap) / 2, (len - gap) / 2 + gap);
            let filled = fill(&self.windows, start, end)?;
            let pairs = original.iter().zip(filled.iter());
            let exact: Vec<f64> = pairs.map(|(a, b)| f64::from(u8::from(a == b))).collect();
            let bits: Vec<f64> =
                judge.bits(&filled).iter().zip(&before).map(|(after, before)| after - before).collect();
            Ok(Infill { gap, exact: Mean::of(&exact), bits: Mean::of(&bits) })
        };
        gaps.map(infill).collect()
    }
}

/// Sequences as texts.
pub fn texts<'a>(codec: &TextCodec, rows: impl Iterator<Item = &'a [Token]>) -> anyhow::Result<Texts> {
    let rows = rows.map(|row| Ok(codec.decode(row)?)).collect::<anyhow::Result<Vec<String>>>()?;
    Ok(rows.into_iter().collect())
}
