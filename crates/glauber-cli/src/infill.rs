//! `glauber infill`.

use std::collections::HashSet;
use std::io::Write;

use anyhow::ensure;
use glauber_chain::{Chains, SiteConditional, StepDiagnostics, TokenRows};
use glauber_text::{Coverage, Layout, Piece, Template, TextCodec};
use glauber_tokens::{Token, TokenBatch};
use indicatif::ProgressBar;

use crate::arguments::InfillFlags;
use crate::device::device;
use crate::drawer::Drawer;
use crate::paint::paint;
use crate::sampling::{MOST_CHAINS, Sampling, check_count, summary};
use crate::screen::{self, remark};
use crate::trained::Trained;

/// Tokens in a gap `____`, unless `--gap-tokens` says otherwise.
const GAP_TOKENS: usize = 4;

/// Fills the gaps and prints the best alternatives.
pub fn infill(flags: &InfillFlags) -> anyhow::Result<()> {
    let controls = flags.draw.controls()?;
    check_count("--count", flags.count)?;
    check_count("--candidates", flags.candidates.unwrap_or(1))?;
    let trained = Trained::load(&flags.run, &device(&flags.draw.device)?)?;
    let candidates = flags.candidates.unwrap_or(4 * flags.count).clamp(flags.count, MOST_CHAINS);
    if let (Some(mask), Some(out)) = (&flags.mask, &flags.out) {
        return paint(flags, controls, &trained, mask, out);
    }
    let codec = trained.codec()?;
    ensure!(
        flags.out.is_none(),
        "`--out`: what fills a text is printed; leave it out, and redirect the output to a file"
    );
    let template = Template::parse(flags.text.as_deref().unwrap_or_default(), codec)?;
    let has_default_gap = template.pieces.contains(&Piece::Gap(None));
    ensure!(
        flags.gap_tokens.is_none() || has_default_gap,
        "`--gap-tokens` has no effect: the text has no gap `____`; leave it out"
    );
    tell_lost(&template, codec)?;
    let layout = template.layout(flags.gap_tokens.unwrap_or(GAP_TOKENS), trained.schedule.len(), codec)?;
    let sampling = Sampling::from_flags(&trained, controls, &flags.sampler)?;
    let conditional = trained.conditional_of(sampling.schedule(), &flags.class)?;
    let class = (trained.class(flags.class.class.as_deref())?, flags.class.guidance);
    let drawer = Drawer::of(&trained, &sampling, class, flags.sampler.draw_on, &flags.draw.device)?;
    let (alternatives, done) =
        alternatives(codec, &sampling, &drawer, conditional.as_ref(), &layout, candidates, flags.draw.seed)?;
    let mut out = screen::out();
    writeln!(out, "generated text stands between ⟦ and ⟧; log-probability in nats per generated token")?;
    for (rank, alternative) in alternatives.iter().take(flags.count).enumerate() {
        writeln!(out, "{:>3}. {:>7.3}  {}", rank + 1, alternative.score, alternative.text)?;
    }
    if alternatives.len() < flags.count {
        writeln!(out, "{candidates} chains gave no more; `--candidates` runs more of them")?;
    }
    remark(&summary(done, candidates));
    Ok(())
}

/// Says what of the known text the chain does not see.
fn tell_lost(template: &Template, codec: &TextCodec) -> anyhow::Result<()> {
    let mut coverage = Coverage::default();
    for piece in &template.pieces {
        if let Piece::Known { text, .. } = piece {
            coverage += codec.measure(text)?.1;
        }
    }
    if coverage.missing() > 0.0 {
        remark(&format!("the tokens do not stand for all of the known text: {coverage}"));
    }
    Ok(())
}

/// One way to fill the gaps.
pub struct Alternative {
    /// Mean over the gaps' tokens of `log P(x_i | everything else)`, nats.
    pub score: f64,
    /// The text, what was generated between markers.
    pub text: String,
}

/// Runs `candidates` chains with the known text clamped: the distinct results, best first by the conditional.
pub fn alternatives(
    codec: &TextCodec,
    sampling: &Sampling,
    drawer: &Drawer<'_>,
    conditional: &dyn SiteConditional,
    layout: &Layout,
    candidates: usize,
    seed: u64,
) -> anyhow::Result<(Vec<Alternative>, StepDiagnostics)> {
    let mut chains = sampling.start(candidates, seed);
    clamp(&mut chains, layout)?;
    let bar = ProgressBar::new(sampling.steps() as u64);
    let done = sampling.run(drawer, &mut chains, &mut |steps| bar.set_position(steps as u64))?;
    bar.finish_and_clear();
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

fn clamp(chains: &mut Chains, layout: &Layout) -> anyhow::Result<()> {
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
fn score(conditional: &dyn SiteConditional, row: &[Token], layout: &Layout) -> anyhow::Result<f64> {
    let sites: Vec<usize> = (0..layout.end).filter(|&site| !layout.clamp[site]).collect();
    let vocab = conditional.vocab();
    let mut log_r = vec![0.0; sites.len() * vocab];
    conditional.log_conditionals(TokenRows::new(row, row.len()), 0, &sites, &mut log_r)?;
    let terms = sites.iter().zip(log_r.chunks_exact(vocab)).map(|(&site, log_r)| log_r[row[site] as usize]);
    Ok(terms.sum::<f64>() / sites.len() as f64)
}
