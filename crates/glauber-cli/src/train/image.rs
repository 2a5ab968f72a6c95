//! `glauber train image`.

use std::cell::Cell;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_model::Network;
use glauber_tokens::Token;
use glauber_train::{DataConfig, NetworkConditional, RunConfig, SequenceSource, Surroundings, TrainError, Vocabulary};

use super::{new_run, resumed, run, trainer};
use crate::arguments::{ImageFlags, TrainFlags};
use crate::device::device;
use crate::images;
use crate::progress::say;
use crate::run_config::Layers;
use crate::sampling::Sampling;

const DEFAULTS: &str = include_str!("../../../../configs/image.toml");

/// Images that the counts of tokens come from.
const COUNTED: u64 = 4096;

/// Samples side by side on a sheet.
const COLUMNS: usize = 8;

/// Trains on images.
pub fn train(flags: &ImageFlags) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (config, folder) = match flags.train.resume {
        true => resumed(&flags.train)?,
        false => (image_config(flags)?, new_run(&flags.train, "image")?),
    };
    train_run(&config, &folder, &device, &flags.train)?;
    say(&format!("run folder: {}", folder.display()));
    Ok(())
}

/// Begins or continues a run; while it trains it writes sheets of samples into its folder.
fn train_run(config: &RunConfig, folder: &Path, device: &Device, flags: &TrainFlags) -> anyhow::Result<()> {
    config.validate()?;
    let pictures = images::open(&config.data, config.seed)?;
    let codec = images::codec(&config.data)?.context("`data.kind` is not \"image\"")?;
    say(&format!("{} images to train on, {} held out", pictures.train.len(), pictures.held_out.len()));
    if config.data.classes() > 0 {
        say(&format!("classes, from 0: {}", pictures.class_names.join(", ")));
    }
    let vocabulary = vocabulary(&config.data, &pictures.train);
    let mut trainer = trainer(config, &vocabulary, None, folder, device, flags)?;
    let (schedule, objective) = (trainer.schedule().clone(), config.train.objective);
    let sheets = Cell::new(trainer.state().step / config.train.sample_every.max(1));
    let sample = |network: &Network, count: usize, seed: u64| {
        let conditional = NetworkConditional::new(network, objective, &schedule, device);
        let drawn = Sampling::heat_bath(&schedule).draw(&conditional, count, seed, &mut |_| {});
        sheets.set(sheets.get() + 1);
        let path = folder.join(format!("samples-{}.png", sheets.get() * config.train.sample_every));
        let written =
            drawn.and_then(|(grids, _)| images::write_sheet(&images::decode(&codec, grids.iter())?, COLUMNS, &path));
        written.map_err(|error| TrainError::Sampling(format!("{error:#}")))?;
        Ok(vec![format!("{count} samples: {}", path.display())])
    };
    let around = Surroundings { train: &pictures.train, validation: &pictures.held_out, sample: &sample, excess: None };
    run(&mut trainer, &around)?;
    Ok(())
}

/// How often each level stands in the images.
fn vocabulary(data: &DataConfig, images: &dyn SequenceSource) -> Vocabulary {
    let size = match *data {
        DataConfig::Image { levels, .. } => levels,
        _ => 0,
    };
    let mut counts = vec![0; size];
    let mut grid = vec![0; data.length()];
    for stream in 0..COUNTED {
        images.draw(&mut ChainRng::new(0, stream), &mut grid);
        grid.iter().for_each(|&token: &Token| counts[token as usize] += 1);
    }
    Vocabulary { size, counts, mask: None, codec: None, corpus: None, version: env!("CARGO_PKG_VERSION").into() }
}

/// The configuration of a new run.
fn image_config(flags: &ImageFlags) -> anyhow::Result<RunConfig> {
    let mut layers = Layers::new(DEFAULTS, &flags.train)?;
    if let Some(data) = &flags.data {
        layers.set("data.images", images_table(data, flags)?)?;
    }
    if let Some([height, width]) = flags.size {
        layers.set("data.height", i64::try_from(height)?)?;
        layers.set("data.width", i64::try_from(width)?)?;
        let grid = toml::Table::from_iter([("columns".to_owned(), i64::try_from(width)?.into())]);
        layers.set("model.positions", toml::Table::from_iter([("grid".to_owned(), grid.into())]))?;
    }
    if let Some(levels) = flags.levels {
        layers.set("data.levels", i64::try_from(levels)?)?;
    }
    let mut config = layers.finish()?;
    if flags.classes {
        let count = images::class_count(&config.data, config.seed)?;
        ensure!(count > 0, "`--classes`: the images have no classes");
        if let DataConfig::Image { classes, .. } = &mut config.data {
            *classes = count;
        }
        config.model.classes = count;
    }
    Ok(config)
}

fn images_table(data: &str, flags: &ImageFlags) -> anyhow::Result<toml::Table> {
    let path = || flags.path.as_ref().with_context(|| format!("`--data {data}` needs `--path DIR`"));
    let mut table = toml::Table::from_iter([("kind".to_owned(), data.into())]);
    match data {
        "shapes" => {
            ensure!(flags.path.is_none(), "`--data shapes` are drawn: no `--path`");
            table.insert("count".into(), 10_000.into());
        }
        "mnist" | "folder" => {
            table.insert("path".into(), path()?.display().to_string().into());
        }
        _ => bail!("`--data {data}`: expected shapes, mnist or folder"),
    }
    Ok(table)
}
