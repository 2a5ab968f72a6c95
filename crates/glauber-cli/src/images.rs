//! Images as data: opened as a configuration says, drawn as grids of tokens, written as sheets.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use glauber_chain::ChainRng;
use glauber_pixels::{
    Colours, Extent, Fitted, FolderConfig, FolderSource, Image, ImageSource, Mnist, PixelCodec, ShapeConfig,
    ShapeSource, SheetStyle, contact_sheet, split,
};
use glauber_tokens::{Codec, Token};
use glauber_train::{DataConfig, ImagesConfig, SequenceSource};

use crate::progress::say;

/// Images on a sheet are enlarged to about this many pixels a side.
const SHOWN_SIDE: usize = 96;

/// A configuration's images.
pub struct Pictures {
    pub train: Grids,
    pub held_out: Grids,
    /// The names of the classes there are, told or not.
    pub class_names: Vec<String>,
}

/// Images as training sequences.
pub struct Grids {
    source: Arc<dyn ImageSource>,
    codec: PixelCodec,
    /// Whether the class is told.
    told: bool,
}

impl SequenceSource for Grids {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Option<usize> {
        let index = rng.below(self.source.len());
        let (tokens, class) = self.grid(index, rng);
        out.copy_from_slice(&tokens);
        class.filter(|_| self.told)
    }
}

impl Grids {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.source.len()
    }

    /// An image as a grid of tokens, shape `[site]`, and its class where the source knows it, told or not.
    pub fn grid(&self, index: usize, rng: &mut ChainRng) -> (Vec<Token>, Option<usize>) {
        let example = self.source.get(index, rng);
        (self.codec.encode(&example.image).expect("images of the extent of the codec"), example.class)
    }
}

/// The codec of a configuration's images; `None` where the data are none.
pub fn codec(data: &DataConfig) -> anyhow::Result<Option<PixelCodec>> {
    let DataConfig::Image { height, width, levels, .. } = *data else { return Ok(None) };
    Ok(Some(PixelCodec::new(Extent::new(height, width)?, levels)?))
}

/// Opens a configuration's images, divided into those to train on and those held out.
pub fn open(data: &DataConfig, seed: u64) -> anyhow::Result<Pictures> {
    let (Some(codec), DataConfig::Image { classes, held_out, images, .. }) = (codec(data)?, data) else {
        bail!("`data.kind` is not \"image\": this run was trained on something else");
    };
    let (train, test) = parts(images, codec.extent(), Colours::Grey, *classes > 0, *held_out, seed)?;
    let class_names = train.class_names().to_vec();
    if *classes > 0 && *classes != class_names.len() {
        bail!("`data.classes` is {classes}, but the images have {}: {}", class_names.len(), class_names.join(", "));
    }
    let grids = |source| Grids { source, codec: codec.clone(), told: *classes > 0 };
    Ok(Pictures { train: grids(train), held_out: grids(test), class_names })
}

/// How many classes a configuration's images have, whether they are told or not.
pub fn class_count(data: &DataConfig, seed: u64) -> anyhow::Result<usize> {
    let DataConfig::Image { height, width, held_out, images, .. } = data else { return Ok(0) };
    let (train, _) = parts(images, Extent::new(*height, *width)?, Colours::Grey, true, *held_out, seed)?;
    Ok(train.class_names().len())
}

type Source = Arc<dyn ImageSource>;

/// Opens images, divided into those to train on and those held out.
pub fn parts(
    images: &ImagesConfig,
    extent: Extent,
    colours: Colours,
    labels: bool,
    held_out: f64,
    seed: u64,
) -> anyhow::Result<(Source, Source)> {
    let whole: Source = match images {
        ImagesConfig::Mnist { path } => {
            let Mnist { train, test } = Mnist::open(path)?;
            let fitted = |source| -> Source { Arc::new(Fitted::new(source, extent, colours)) };
            return Ok((fitted(train), fitted(test)));
        }
        ImagesConfig::Shapes { count, seed } => {
            Arc::new(ShapeSource::new(ShapeConfig { extent, colours, count: *count, seed: *seed }))
        }
        ImagesConfig::Folder { path, flip } => {
            let config = FolderConfig { colours, flip: *flip, labels, ..FolderConfig::new(extent) };
            let folder = FolderSource::open(path, config)?;
            say(&format!("{}: {}", path.display(), folder.report()));
            Arc::new(folder)
        }
    };
    let (train, test) = split(whole, held_out, seed)?;
    Ok((Arc::new(train), Arc::new(test)))
}

/// Token grids as images.
pub fn decode<'a>(codec: &PixelCodec, grids: impl Iterator<Item = &'a [Token]>) -> anyhow::Result<Vec<Image>> {
    Ok(grids.map(|grid| codec.decode(grid)).collect::<Result<_, _>>()?)
}

/// Images in rows on one sheet, enlarged where they are small.
pub fn sheet(images: &[Image], columns: usize) -> anyhow::Result<Image> {
    let side = images.first().map_or(1, |image| image.extent().height().max(image.extent().width()));
    let style =
        SheetStyle { columns, scale: SHOWN_SIDE.div_ceil(side).clamp(1, 8), background: 0.5, ..SheetStyle::default() };
    Ok(contact_sheet(images, &style)?)
}

/// Writes images on one sheet.
pub fn write_sheet(images: &[Image], columns: usize, path: &Path) -> anyhow::Result<()> {
    sheet(images, columns)?.save_png(path).with_context(|| path.display().to_string())
}
