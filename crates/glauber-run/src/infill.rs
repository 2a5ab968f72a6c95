//! Gaps of a text, filled in many ways and ranked.

use std::collections::HashSet;

use glauber_chain::{Chains, SiteConditional, StepDiagnostics, TokenRows};
use glauber_text::{Layout, TextCodec};
use glauber_tokens::{Token, TokenBatch};

use crate::drawer::Drawer;
use crate::error::Result;
use crate::sampling::Sampling;

/// One way to fill the gaps.
pub struct Alternative {
    /// Mean over the gaps' tokens of `log P(x_i | everything else)`, nats.
    pub score: f64,
    /// The text, what was generated between markers.
    pub text: String,
}

/// A text with gaps, and what fills them.
pub struct Infill<'a> {
    /// The run's.
    pub codec: &'a TextCodec,
    /// How chains go down.
    pub sampling: &'a Sampling,
    /// What draws.
    pub drawer: &'a Drawer<'a>,
    /// What the results are ranked by.
    pub conditional: &'a dyn SiteConditional,
    /// Which tokens are known.
    pub layout: &'a Layout,
}

impl Infill<'_> {
    /// Runs `candidates` chains with the known text clamped, chain `i` with stream `i` of `seed`: the distinct results, best first by the conditional.
    /// `progress` is told the steps done.
    ///
    /// # Errors
    /// When the parts do not fit together, or the conditional fails.
    pub fn alternatives(
        &self,
        candidates: usize,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(Vec<Alternative>, StepDiagnostics)> {
        let &Self { codec, sampling, drawer, conditional, layout } = self;
        let mut chains = sampling.start(candidates, seed);
        clamp(&mut chains, layout)?;
        let done = sampling.run(drawer, &mut chains, progress)?;
        let (sequences, _) = chains.into_parts();
        let mut found: Vec<Alternative> = Vec::new();
        for row in distinct(&sequences, layout.end) {
            let text = layout.render(codec, row, "⟦", "⟧")?;
            found.push(Alternative { score: score(conditional, row, layout)?, text });
        }
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        // Different tokens may spell the same text: the better spelling stands for it.
        let mut seen = HashSet::new();
        found.retain(|alternative| seen.insert(alternative.text.clone()));
        Ok((found, done))
    }
}

fn clamp(chains: &mut Chains, layout: &Layout) -> Result<()> {
    for row in 0..chains.rows() {
        for (site, &token) in layout.tokens.iter().enumerate() {
            if layout.clamp[site] {
                chains.clamp(row, site, token)?;
            }
        }
    }
    Ok(())
}

/// One row for each distinct text.
fn distinct(sequences: &TokenBatch, end: usize) -> Vec<&[Token]> {
    let mut rows: Vec<&[Token]> = sequences.iter().collect();
    rows.sort_by_key(|row| &row[..end]);
    rows.dedup_by_key(|row| &row[..end]);
    rows
}

/// The pseudo-log-likelihood of the generated tokens: each given all the others.
fn score(conditional: &dyn SiteConditional, row: &[Token], layout: &Layout) -> Result<f64> {
    let sites: Vec<usize> = (0..layout.end).filter(|&site| !layout.clamp[site]).collect();
    let vocab = conditional.vocab();
    let mut log_r = vec![0.0; sites.len() * vocab];
    conditional.log_conditionals(TokenRows::new(row, row.len()), 0, &sites, &mut log_r)?;
    let terms = sites.iter().zip(log_r.chunks_exact(vocab)).map(|(&site, log_r)| log_r[row[site] as usize]);
    Ok(terms.sum::<f64>() / sites.len() as f64)
}
