//! `glauber infill`.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use glauber_chain::{Chains, DrawControls, SiteConditional, StepDiagnostics, TokenRows};
use glauber_pixels::{Image, read_mask};
use glauber_text::{Layout, Template, TextCodec};
use glauber_tokens::{Token, TokenBatch};
use indicatif::ProgressBar;

use crate::arguments::InfillFlags;
use crate::device::device;
use crate::film::Film;
use crate::images::{PictureCodec, write_sheet};
use crate::sampling::{MOST_CHAINS, Sampling, check_count, summary};
use crate::trained::Trained;

/// Fills the gaps and prints the best alternatives.
pub fn infill(flags: &InfillFlags) -> anyhow::Result<()> {
    let controls = flags.draw.controls()?;
    check_count("--count", flags.count)?;
    check_count("--candidates", flags.candidates.unwrap_or(1))?;
    let trained = Trained::load(&flags.run, &device(&flags.draw.device)?)?;
    let candidates = flags.candidates.unwrap_or(4 * flags.count).clamp(flags.count, MOST_CHAINS);
    if let (Some(image), Some(mask), Some(out)) = (&flags.image, &flags.mask, &flags.out) {
        return paint(flags, controls, &trained, [image, mask, out]);
    }
    let codec = trained.codec()?;
    let template = Template::parse(flags.text.as_deref().unwrap_or_default(), codec)?;
    let layout = template.layout(flags.gap_tokens, trained.schedule.len(), codec)?;
    let sampling = Sampling::from_flags(&trained, controls, &flags.sampler)?;
    let conditional = trained.conditional_of(sampling.schedule(), &flags.class)?;
    let (alternatives, done) =
        alternatives(codec, &sampling, conditional.as_ref(), &layout, candidates, flags.draw.seed)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "generated text stands between ⟦ and ⟧; log-probability in nats per generated token")?;
    for (rank, alternative) in alternatives.iter().take(flags.count).enumerate() {
        writeln!(out, "{:>3}. {:>7.3}  {}", rank + 1, alternative.score, alternative.text)?;
    }
    if alternatives.len() < flags.count {
        writeln!(out, "{candidates} chains gave no more; `--candidates` runs more of them")?;
    }
    eprintln!("{}", summary(done, candidates));
    Ok(())
}

/// Paints a part of an image, `--count` times, and writes a sheet: the image without the part, then what was painted.
fn paint(
    flags: &InfillFlags,
    controls: DrawControls,
    trained: &Trained,
    [image, mask, out]: [&PathBuf; 3],
) -> anyhow::Result<()> {
    let not_images = || format!("`--image`: {} was not trained on images", flags.run.display());
    let codec = trained.pictures()?.with_context(not_images)?;
    let (known, painted) = known(&codec, image, mask)?;
    let sampling = Sampling::from_flags(trained, controls, &flags.sampler)?;
    let conditional = trained.conditional_of(sampling.schedule(), &flags.class)?;
    let mut chains = sampling.start(flags.count, flags.draw.seed);
    for row in 0..flags.count {
        for site in (0..known.len()).filter(|&site| !painted[site]) {
            chains.clamp(row, site, known[site])?;
        }
    }
    let mut film = flags.animate.as_deref().map(|path| Film::new(path, flags.count.min(8))).transpose()?;
    let done = Film::shoot(film.as_mut(), &sampling, conditional.as_ref(), &mut chains)?;
    let hole = codec.decode_all(&TokenBatch::new(known.clone(), known.len())?)?;
    let hole = hole.into_iter().map(|image| image.covered(&codec.pixels(&painted), 0.5));
    let images: Vec<Image> = hole.chain(codec.decode_all(chains.tokens())?).collect();
    write_sheet(&images, (flags.count + 1).min(8), out)?;
    if let Some(film) = film {
        film.write(&codec, known.len())?;
    }
    eprintln!("{}", summary(done, flags.count));
    println!("{}", out.display());
    Ok(())
}

/// The tokens of an image, and which sites are to be painted, both of shape `[site]`.
///
/// A site is painted where one of its pixels is. What is hidden is taken out of the image before it is encoded: a tokenizer looks at
/// more than one patch for a token, and what is known must not tell of what is not.
fn known(codec: &PictureCodec, image: &Path, mask: &Path) -> anyhow::Result<(Vec<Token>, Vec<bool>)> {
    let image = Image::open(image)?;
    let image = image.without(&read_mask(mask, image.extent())?).resized(codec.extent());
    let hidden = read_mask(mask, codec.extent())?;
    ensure!(hidden.contains(&true), "{}: nothing is white, so nothing is to be painted", mask.display());
    let painted = codec.sites(&hidden);
    let known = codec.encode(&image.without(&codec.pixels(&painted)))?;
    Ok((known, painted))
}

/// One way to fill the gaps.
pub struct Alternative {
    /// Mean over the gaps' tokens of `log P(x_i | everything else)`, nats.
    pub score: f64,
    /// The text, what was generated between markers.
    pub text: String,
}

/// Runs `candidates` chains with the known text clamped: the distinct results, best first.
pub fn alternatives(
    codec: &TextCodec,
    sampling: &Sampling,
    conditional: &dyn SiteConditional,
    layout: &Layout,
    candidates: usize,
    seed: u64,
) -> anyhow::Result<(Vec<Alternative>, StepDiagnostics)> {
    let mut chains = sampling.start(candidates, seed);
    clamp(&mut chains, layout)?;
    let bar = ProgressBar::new(sampling.steps() as u64);
    let done = sampling.run(conditional, &mut chains, &mut |steps| bar.set_position(steps as u64))?;
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
