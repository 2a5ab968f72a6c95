//! `glauber infill` of images.

use std::path::Path;

use anyhow::{Context, ensure};
use glauber_chain::{ChainRng, Chains, DrawControls};
use glauber_pixels::{Image, read_mask};
use glauber_tokens::{Token, TokenBatch};
use glauber_train::DataConfig;

use crate::arguments::InfillFlags;
use crate::film::Film;
use crate::images::{PictureCodec, parts, write_sheet};
use crate::sampling::{Sampling, check_count, summary};
use crate::trained::Trained;

/// Images in a row of a sheet at most.
const COLUMNS: usize = 8;

/// An image of which a part is to be painted.
struct Canvas {
    /// The image as it was, on the sheet before the one without the part.
    whole: Option<Image>,
    /// Its tokens without the part, shape `[site]`.
    known: Vec<Token>,
}

/// Paints the masked part of images, `--count` times each, and writes a sheet: the image without the part, then what was painted.
pub fn paint(
    flags: &InfillFlags,
    controls: DrawControls,
    trained: &Trained,
    mask: &Path,
    out: &Path,
) -> anyhow::Result<()> {
    let codec = trained.pictures()?.with_context(|| format!("{} was not trained on images", flags.run.display()))?;
    let painted = painted(&codec, mask)?;
    let canvases = canvases(flags, trained, &codec, mask, &painted)?;
    let sampling = Sampling::from_flags(trained, controls, &flags.sampler)?;
    let conditional = trained.conditional_of(sampling.schedule(), &flags.class)?;
    let rows = canvases.len() * flags.count;
    check_count("--held-out` times `--count", rows)?;
    let mut chains = sampling.start(rows, flags.draw.seed);
    for (row, canvas) in (0..rows).map(|row| (row, &canvases[row / flags.count])) {
        clamp(&mut chains, row, canvas, &painted)?;
    }
    let mut film = flags.animate.as_deref().map(|path| Film::new(path, flags.count.min(COLUMNS))).transpose()?;
    let done = Film::shoot(film.as_mut(), &sampling, conditional.as_ref(), &mut chains)?;
    let results = codec.decode_all(chains.tokens())?;
    let covered = codec.pixels(&painted);
    let mut images = Vec::new();
    for (canvas, results) in canvases.iter().zip(results.chunks(flags.count)) {
        let hole = codec.decode_all(&TokenBatch::new(canvas.known.clone(), codec.len())?)?;
        images.extend(canvas.whole.clone());
        images.extend(hole.into_iter().map(|image| image.covered(&covered, 0.5)));
        images.extend(results.iter().cloned());
    }
    let columns = images.len() / canvases.len();
    write_sheet(&images, if canvases.len() == 1 { columns.min(COLUMNS) } else { columns }, out)?;
    if let Some(film) = film {
        film.write(&codec, codec.len())?;
    }
    eprintln!("{}", summary(done, rows));
    println!("{}", out.display());
    Ok(())
}

fn clamp(chains: &mut Chains, row: usize, canvas: &Canvas, painted: &[bool]) -> anyhow::Result<()> {
    for site in (0..painted.len()).filter(|&site| !painted[site]) {
        chains.clamp(row, site, canvas.known[site])?;
    }
    Ok(())
}

/// Which sites are to be painted, shape `[site]`: those of which one pixel is.
fn painted(codec: &PictureCodec, mask: &Path) -> anyhow::Result<Vec<bool>> {
    let hidden = read_mask(mask, codec.extent())?;
    ensure!(hidden.contains(&true), "{}: nothing is white, so nothing is to be painted", mask.display());
    Ok(codec.sites(&hidden))
}

/// The images that the flags name.
fn canvases(
    flags: &InfillFlags,
    trained: &Trained,
    codec: &PictureCodec,
    mask: &Path,
    painted: &[bool],
) -> anyhow::Result<Vec<Canvas>> {
    // What is hidden is taken out of an image before it is encoded: a tokenizer looks at more than one patch for a token, and what is
    // known must not tell of what is not.
    let known = |image: &Image| codec.encode(&image.without(&codec.pixels(painted)));
    let Some(path) = &flags.image else {
        let whole = held_out(flags.held_out.unwrap_or(1), trained, codec)?;
        return whole.into_iter().map(|image| Ok(Canvas { known: known(&image)?, whole: Some(image) })).collect();
    };
    let image = Image::open(path)?;
    let image = image.without(&read_mask(mask, image.extent())?).resized(codec.extent());
    Ok(vec![Canvas { known: known(&image)?, whole: None }])
}

/// So many of the images that the run did not train on, evenly spaced.
fn held_out(count: usize, trained: &Trained, codec: &PictureCodec) -> anyhow::Result<Vec<Image>> {
    let DataConfig::Image(image) = &trained.config.data else { unreachable!("a run with a codec of pictures") };
    let seed = trained.config.seed;
    let [_, source] = parts(&image.images, codec.extent(), codec.colours()?, false, image.held_out, seed)?;
    let most = source.len();
    ensure!((1..=most).contains(&count), "`--held-out` is {count}, expected 1 to {most}: so many images are held out");
    Ok((0..count).map(|place| source.get(place * most / count, &mut ChainRng::new(seed, place as u64)).image).collect())
}
