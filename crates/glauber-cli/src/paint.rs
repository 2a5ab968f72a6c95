//! `glauber infill` of images.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, ensure};
use glauber_chain::{ChainRng, Chains, DrawControls};
use glauber_pixels::{Image, reached, read_mask};
use glauber_tokens::{Token, TokenBatch};
use glauber_train::DataConfig;

use crate::arguments::InfillFlags;
use crate::drawer::Drawer;
use crate::film::Film;
use crate::images::{PictureCodec, check, check_sheet, divided, identity, write_sheet};
use crate::outputs;
use crate::sampling::{Sampling, check_count, summary};
use crate::screen::{self, remark};
use crate::trained::Trained;

/// Images in a row of a sheet at most.
const COLUMNS: usize = 8;

/// An image of which a part is to be painted.
struct Canvas {
    /// The image as it was, on the sheet before the one without the part.
    whole: Option<Image>,
    /// The image of the codec's extent without the part, which is filled from around it.
    seen: Image,
    /// Its tokens, shape `[site]`.
    known: Vec<Token>,
}

impl Canvas {
    /// An image of any extent without the covered pixels of the codec's extent.
    fn new(image: &Image, whole: Option<Image>, codec: &PictureCodec, covered: &[bool]) -> anyhow::Result<Self> {
        let (extent, image) = (codec.extent(), image.middle(codec.extent()).to_colours(codec.colours()?));
        // What is hidden is taken out of an image before it is brought to another size, and before it is encoded: what is made of a place
        // looks at those around it too, and what is known must not tell of what is not.
        let hidden = reached(covered, extent, image.extent());
        let seen = image.without(&hidden).resized(extent).without(covered);
        Ok(Self { whole, known: codec.encode(&seen)?, seen })
    }
}

/// Paints the masked part of images, `--count` times each, and writes a sheet: the image without the part, then what was painted; or, where
/// one painting of one file is asked for, the image with its part painted. Pixels outside the part stay those of the image.
pub fn paint(
    flags: &InfillFlags,
    controls: DrawControls,
    trained: &Trained,
    mask: &Path,
    out: &Path,
) -> anyhow::Result<()> {
    let codec = trained.pictures()?.with_context(|| format!("{} was not trained on images", flags.run.display()))?;
    let mut read = vec![("--mask", mask)];
    read.extend(flags.image.as_deref().map(|image| ("--image", image)));
    read.extend(outputs::images_of(&trained.config.data).map(|images| ("--run", images)));
    outputs::check(out, flags.animate.as_deref(), &read)?;
    let painted = painted(&codec, mask)?;
    let covered = codec.pixels(&painted);
    let canvases = canvases(flags, trained, &codec, &covered)?;
    let sampling = Sampling::from_flags(trained, controls, &flags.sampler)?;
    let class = (trained.class(flags.class.class.as_deref())?, flags.class.guidance);
    let drawer = Drawer::of(trained, &sampling, class, flags.sampler.draw_on, &flags.draw.device)?;
    let rows = canvases.len() * flags.count;
    check_count("--held-out` times `--count", rows)?;
    let alone = flags.image.is_some() && flags.count == 1;
    let tiles = flags.count + if flags.image.is_some() { 1 } else { 2 };
    let columns = if canvases.len() == 1 { tiles.min(COLUMNS) } else { tiles };
    check_sheet("--count", codec.extent(), tiles * canvases.len(), columns)?;
    let film = |path| Film::new(path, codec.extent(), rows, flags.count.min(COLUMNS));
    let mut film = flags.animate.as_deref().map(film).transpose()?;
    let mut chains = sampling.start(rows, flags.draw.seed);
    for (row, canvas) in (0..rows).map(|row| (row, &canvases[row / flags.count])) {
        clamp(&mut chains, row, canvas, &painted)?;
    }
    let done = Film::shoot(film.as_mut(), &sampling, &drawer, &mut chains)?;
    let finish = |grids: &TokenBatch| -> anyhow::Result<Vec<Image>> {
        let seen = (0..rows).map(|row| &canvases[row / flags.count].seen);
        Ok(codec.decode_all(grids)?.iter().zip(seen).map(|(image, seen)| seen.overlaid(&covered, image)).collect())
    };
    let results = finish(chains.tokens())?;
    match alone {
        true => results[0].save_png(out)?,
        false => write_sheet(&tiled(&canvases, &covered, &results), columns, out)?,
    }
    if let Some(film) = film {
        film.write(codec.len(), &finish)?;
    }
    remark(&summary(done, rows));
    Ok(writeln!(screen::out(), "{}", out.display())?)
}

/// Each image, where it is to be seen, without its part, and with the part painted.
fn tiled(canvases: &[Canvas], covered: &[bool], results: &[Image]) -> Vec<Image> {
    let mut images = Vec::new();
    for (canvas, results) in canvases.iter().zip(results.chunks(results.len() / canvases.len())) {
        images.extend(canvas.whole.clone());
        images.push(canvas.seen.covered(covered, 0.5));
        images.extend(results.iter().cloned());
    }
    images
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
    covered: &[bool],
) -> anyhow::Result<Vec<Canvas>> {
    match &flags.image {
        Some(path) => Ok(vec![Canvas::new(&Image::open(path)?, None, codec, covered)?]),
        None => {
            let whole = held_out(flags.held_out.unwrap_or(1), trained, codec)?.into_iter();
            whole.map(|image| Canvas::new(&image, Some(image.clone()), codec, covered)).collect()
        }
    }
}

/// So many of the images that the run did not train on, evenly spaced.
fn held_out(count: usize, trained: &Trained, codec: &PictureCodec) -> anyhow::Result<Vec<Image>> {
    let DataConfig::Image(image) = &trained.config.data else { unreachable!("a run with a codec of pictures") };
    let seed = trained.config.seed;
    let parts = divided(image, codec, seed)?;
    check(&identity(image, codec, &parts)?, &trained.vocabulary, trained.path())?;
    let [_, source] = parts;
    let most = source.len();
    ensure!((1..=most).contains(&count), "`--held-out` is {count}, expected 1 to {most}: so many images are held out");
    Ok((0..count).map(|place| source.get(place * most / count, &mut ChainRng::new(seed, place as u64)).image).collect())
}
