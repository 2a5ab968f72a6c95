//! Infilling: fills the gaps of a text in many ways, and ranks the results.

use std::collections::HashSet;

use glauber_chain::{Chains, SiteConditional, StepDiagnostics, TokenRows};
use glauber_text::{Layout, TextCodec};
use glauber_tokens::{Token, TokenBatch};

use crate::drawer::{DrawPlace, Drawer};
use crate::error::Result;
use crate::sampling::Sampling;
use crate::trained::Trained;

/// One way to fill the gaps.
pub struct Alternative {
    /// Mean over the gaps' tokens of `log P(x_i | everything else)`, nats.
    pub score: f64,
    /// The text, with generated parts between markers.
    pub text: String,
}

/// Fills the gaps of texts.
///
/// ```no_run
/// # fn main() -> glauber_run::Result<()> {
/// # let device = burn::tensor::Device::default();
/// use glauber_run::{DrawPlace, Infill, Sampling, Trained};
/// use glauber_text::Template;
///
/// let trained = Trained::load("runs/mine".as_ref(), &device)?;
/// let template = Template::parse("It is a ____ that a single man", trained.codec()?)?;
/// let layout = template.layout(4, trained.schedule.len(), trained.codec()?)?; // 4 tokens in a gap
/// let sampling = Sampling::heat_bath(&trained.schedule);
/// let infill = Infill::of(&trained, &sampling, (None, None), DrawPlace::Host)?;
/// let (best_first, _) = infill.alternatives(&layout, 16, 42, &mut |_| {})?; // 16 chains, seed 42
/// # Ok(())
/// # }
/// ```
pub struct Infill<'a> {
    codec: &'a TextCodec,
    sampling: &'a Sampling,
    drawer: Drawer<'a>,
    /// The conditional that ranks the results.
    conditional: Box<dyn SiteConditional + 'a>,
}

impl<'a> Infill<'a> {
    /// Infilling with a text run, with optional class and guidance.
    ///
    /// # Errors
    /// If the run is not on text, lacks the class, or cannot draw in this place.
    pub fn of(
        trained: &'a Trained,
        sampling: &'a Sampling,
        (class, guidance): (Option<usize>, Option<f64>),
        place: DrawPlace,
    ) -> Result<Self> {
        let conditional = trained.conditional_of_class(sampling.schedule(), class, guidance)?;
        let drawer = Drawer::of(trained, sampling, (class, guidance), place)?;
        Ok(Self { codec: trained.codec()?, sampling, drawer, conditional })
    }

    /// Runs `candidates` chains with the known text clamped, chain `i` with stream `i` of `seed`. Returns the distinct
    /// results, best first by the conditional. `progress` receives the number of steps done.
    ///
    /// # Errors
    /// If the layout has another number of sites, or the conditional fails.
    pub fn alternatives(
        &self,
        layout: &Layout,
        candidates: usize,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(Vec<Alternative>, StepDiagnostics)> {
        let Self { codec, sampling, drawer, conditional } = self;
        let mut chains = sampling.start(candidates, seed);
        clamp(&mut chains, layout)?;
        let done = sampling.run(drawer, &mut chains, progress)?;
        let (sequences, _) = chains.into_parts();
        let mut found: Vec<Alternative> = Vec::new();
        for row in distinct(&sequences, layout.end) {
            let text = layout.render(codec, row, "⟦", "⟧")?;
            found.push(Alternative { score: score(conditional.as_ref(), row, layout)?, text });
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

/// One row per distinct text.
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
