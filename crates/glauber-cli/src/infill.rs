//! `glauber infill`.

use std::io::Write;

use anyhow::ensure;
use glauber_program::device::device;
use glauber_program::progress::bar;
use glauber_program::screen::{self, remark};
use glauber_run::{Infill, MOST_CHAINS, Sampling, Trained, check_count, summary};
use glauber_text::{Coverage, Piece, Template, TextCodec};

use crate::arguments::InfillFlags;
use crate::paint::paint;

/// Default tokens in a gap `____`.
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
        "`--out` is for images; filled texts are printed: leave it out and redirect the output to a file"
    );
    let template = Template::parse(flags.text.as_deref().unwrap_or_default(), codec)?;
    let has_default_gap = template.pieces.contains(&Piece::Gap(None));
    ensure!(
        flags.gap_tokens.is_none() || has_default_gap,
        "`--gap-tokens` has no effect: the text has no gap `____`; leave it out"
    );
    tell_lost(&template, codec)?;
    let layout = template.layout(flags.gap_tokens.unwrap_or(GAP_TOKENS), trained.schedule.len(), codec)?;
    let sampling = Sampling::of(&trained, &flags.sampler.settings(controls))?;
    let class = (trained.class(flags.class.class.as_deref())?, flags.class.guidance);
    let infill = Infill::of(&trained, &sampling, class, flags.sampler.place(&flags.draw.device))?;
    let bar = bar(sampling.steps());
    let (alternatives, done) =
        infill.alternatives(&layout, candidates, flags.draw.seed, &mut |steps| bar.set_position(steps as u64))?;
    bar.finish_and_clear();
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

/// Reports known text that has no tokens.
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
