//! Image sources of configurations.

use std::path::Path;
use std::sync::Arc;

use super::ImagesConfig;
use crate::Say;
use crate::error::Result;
use glauber_pixels::{
    Colours, Crop, Extent, Fitted, FolderConfig, FolderReport, FolderSource, ImageSource, Mnist, ShapeConfig,
    ShapeSource, split,
};

/// Maximal number of held-out pictures named in messages.
const NAMED: usize = 8;

/// Images, shared.
pub type Source = Arc<dyn ImageSource>;

/// Training and held-out images; sources without a split hold out a share. `labels`: whether sub-folders are classes.
/// Reports what it reads.
///
/// # Errors
/// If images cannot be read, or a part is empty.
pub fn parts(
    images: &ImagesConfig,
    extent: Extent,
    colours: Colours,
    labels: bool,
    held_out: f64,
    seed: u64,
    say: Say<'_>,
) -> Result<[Source; 2]> {
    let mut names = Vec::new();
    let whole: Source = match images {
        ImagesConfig::Mnist { path } => {
            let Mnist { train, test } = match Mnist::open(path) {
                // Labels that nobody asks for may be missing, or damaged.
                Err(error) if !labels => Mnist::open_unlabelled(path).map_err(|_| error)?,
                opened => opened?,
            };
            let fitted = |source| -> Source { Arc::new(Fitted::new(source, extent, colours)) };
            return Ok([fitted(train), fitted(test)]);
        }
        ImagesConfig::Shapes { count, seed } => {
            Arc::new(ShapeSource::new(ShapeConfig { extent, colours, count: *count, seed: *seed }))
        }
        ImagesConfig::Folder { path, flip, crop_margin } => {
            let crop = crop_margin.map_or(Crop::Centre, |margin| Crop::Random { margin });
            let config = FolderConfig { colours, flip: *flip, labels, crop, extent };
            let folder = FolderSource::open(path, config)?;
            tell(path, folder.report(), say);
            names.extend((0..folder.len()).map(|index| folder.path(index).display().to_string()));
            Arc::new(folder)
        }
    };
    let (train, held_out) = split(whole, held_out, seed)?;
    if !names.is_empty() && held_out.len() <= NAMED {
        let held_out: Vec<&str> = held_out.indices().iter().map(|&index| names[index].as_str()).collect();
        say(&format!("held out: {}", held_out.join(", ")));
    }
    Ok([Arc::new(train), Arc::new(held_out)])
}

/// Reports the images read, and the reasons for skipped files.
fn tell(path: &Path, report: &FolderReport, say: Say<'_>) {
    let more = if report.broken.len() > FolderReport::NAMED { " (`-v` names every one)" } else { "" };
    say(&format!("{}: {report}{more}", path.display()));
    for broken in report.broken.iter().skip(FolderReport::NAMED) {
        tracing::info!("left out: {}", broken.reason);
    }
}
