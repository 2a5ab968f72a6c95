//! `glauber infill` of images.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use glauber_chain::DrawControls;
use glauber_pixels::Image;
use glauber_program::outputs;
use glauber_program::progress::{bar, say};
use glauber_program::screen::{self, remark};
use glauber_run::images::{check_sheet, write_sheet};
use glauber_run::{Drawer, Film, Painting, Sampling, Trained, check_count, held_out, summary};

use crate::arguments::InfillFlags;

/// Maximal number of images per row of a sheet.
const COLUMNS: usize = 8;

/// Repaints the masked part of images, `--count` times each, and writes a sheet: the masked image, then the repainted
/// ones. For one repainting of one file, it writes only the repainted image. Pixels outside the part are unchanged.
pub fn paint(
    flags: &InfillFlags,
    controls: DrawControls,
    trained: &Trained,
    mask: &Path,
    out: &Path,
) -> anyhow::Result<()> {
    let codec = trained.pictures().with_context(|| format!("{} was not trained on images", flags.run.display()))?;
    let mut read = vec![("--mask", mask)];
    read.extend(flags.image.as_deref().map(|image| ("--image", image)));
    read.extend(trained.config.data.reads().into_iter().map(|(_, images)| ("--run", images)));
    outputs::check(out, flags.animate.as_deref(), &read)?;
    let mut painting = Painting::new(codec, mask)?;
    match &flags.image {
        Some(path) => painting.add(Image::open(path)?, false)?,
        None => {
            let images = held_out(flags.held_out.unwrap_or(1), trained, codec, &mut say)?;
            images.into_iter().try_for_each(|image| painting.add(image, true))?;
        }
    }
    let sampling = Sampling::of(trained, &flags.sampler.settings(controls))?;
    let class = (trained.class(flags.class.class.as_deref())?, flags.class.guidance);
    let drawer = Drawer::of(trained, &sampling, class, flags.sampler.place(&flags.draw.device))?;
    let (images, rows) = (painting.images(), painting.images() * flags.count);
    check_count("--held-out` times `--count", rows)?;
    let alone = flags.image.is_some() && flags.count == 1;
    let tiles = flags.count + if flags.image.is_some() { 1 } else { 2 };
    let columns = if images == 1 { tiles.min(COLUMNS) } else { tiles };
    check_sheet("--count", codec.extent(), tiles * images, columns)?;
    let film = |path| Film::new(path, codec.extent(), rows, flags.count.min(COLUMNS));
    let mut film = flags.animate.as_deref().map(film).transpose()?;
    let mut chains = painting.start(&sampling, flags.count, flags.draw.seed)?;
    let bar = bar(sampling.steps());
    let done = Film::shoot(film.as_mut(), &sampling, &drawer, &mut chains, &mut |step| bar.set_position(step as u64))?;
    bar.finish_and_clear();
    let results = painting.finish(chains.tokens())?;
    match alone {
        true => results[0].save_png(out)?,
        false => write_sheet(&painting.tiled(&results), columns, out)?,
    }
    if let Some(film) = film {
        film.write(codec.len(), &|grids| painting.finish(grids))?;
    }
    remark(&summary(done, rows));
    Ok(writeln!(screen::out(), "{}", out.display())?)
}
