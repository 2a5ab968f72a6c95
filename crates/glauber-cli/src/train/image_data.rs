//! Image flags of trainings, as tables of the configuration.

use std::fmt;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use glauber_program::Layers;
use glauber_run::images::ImagesConfig;
use toml::{Table, Value};

use crate::arguments::{CropMargin, ImagesFlags};

/// The configuration table of the image source.
const IMAGES: &str = "data.images";

/// How images are cropped from the pictures of a folder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crops {
    pub flip: bool,
    pub margin: Option<f64>,
}

impl fmt::Display for Crops {
    /// From flags.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let margin = self.margin.map_or("none".into(), |margin| margin.to_string());
        write!(f, "`--flip={} --crop-margin {margin}`", self.flip)
    }
}

impl Crops {
    /// The centre, without flips.
    pub const STILL: Self = Self { flip: false, margin: None };

    /// Those of the tokenizer at a path, if that is a run folder, or `tokenizer/` in one, trained on a folder of
    /// pictures.
    pub fn of_tokenizer(path: &Path) -> Option<Self> {
        let run = if path.file_name()? == "tokenizer" { path.parent()? } else { path };
        let config: Table = std::fs::read_to_string(run.join("config.toml")).ok()?.parse().ok()?;
        match config.get("data")?.get("images")?.clone().try_into().ok()? {
            ImagesConfig::Folder { flip, crop_margin, .. } => Some(Self { flip, margin: crop_margin }),
            ImagesConfig::Shapes { .. } | ImagesConfig::Mnist { .. } => None,
        }
    }
}

/// Applies `--data` and `--path`. A folder uses these crops unless `--set` or a flag overrides them.
pub fn set_images(layers: &mut Layers, flags: &ImagesFlags, crops: Crops) -> anyhow::Result<()> {
    let Some(data) = flags.data.as_deref() else { return Ok(()) };
    let path = || -> anyhow::Result<Value> {
        let path = flags.path.as_ref().with_context(|| format!("`--data {data}` needs `--path DIR`"))?;
        Ok(path.display().to_string().into())
    };
    let mut table = Table::from_iter([("kind".to_owned(), data.into())]);
    match data {
        "shapes" => {
            ensure!(flags.path.is_none(), "`--path` has no effect: `--data shapes` generates its images; leave it out");
            table.insert("count".into(), 10_000.into());
        }
        "mnist" => {
            table.insert("path".into(), path()?);
        }
        "folder" => {
            table.insert("path".into(), path()?);
            set_crops(&mut table, Some(crops.flip), crops.margin.map(CropMargin::Random));
        }
        _ => bail!("`--data {data}`: expected shapes, mnist or folder"),
    }
    layers.set(IMAGES, table)
}

/// Applies `--flip` and `--crop-margin`.
pub fn set_crop_flags(layers: &mut Layers, flags: &ImagesFlags) -> anyhow::Result<()> {
    if flags.flip.is_none() && flags.crop_margin.is_none() {
        return Ok(());
    }
    let table = layers.get(IMAGES).and_then(Value::as_table);
    let folder = table.filter(|table| table.get("kind").and_then(Value::as_str) == Some("folder"));
    let mut table = folder.context("`--flip` and `--crop-margin` need `--data folder`")?.clone();
    set_crops(&mut table, flags.flip, flags.crop_margin);
    layers.set(IMAGES, table)
}

fn set_crops(table: &mut Table, flip: Option<bool>, margin: Option<CropMargin>) {
    if let Some(flip) = flip {
        table.insert("flip".into(), flip.into());
    }
    match margin {
        Some(CropMargin::Random(margin)) => _ = table.insert("crop_margin".into(), margin.into()),
        Some(CropMargin::Middle) => _ = table.remove("crop_margin"),
        None => {}
    }
}
