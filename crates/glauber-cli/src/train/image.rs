//! `glauber train image`.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use glauber_model::{Network, Positions};
use glauber_train::{
    DataConfig, ImageConfig, ImageTokens, ImagesConfig, NetworkConditional, RunConfig, RunFolder, Surroundings,
    TokenizerConfig, TrainError,
};
use toml::Table;

use super::{new_run, resumed, run, trainer};
use crate::arguments::ImageFlags;
use crate::device::device;
use crate::images::{PictureCodec, Pictures, class_count, open_tokenizer, write_sheet};
use crate::progress::say;
use crate::run_config::Layers;
use crate::sampling::Sampling;

const DEFAULTS: &str = include_str!("../../../../configs/image.toml");

/// Samples side by side on a sheet.
const COLUMNS: usize = 8;

/// Trains on images.
pub fn train(flags: &ImageFlags) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (config, codec, folder) = match flags.train.resume {
        true => {
            let (config, folder) = resumed(&flags.train)?;
            let run = RunFolder::open(&folder)?;
            let codec = PictureCodec::of_run(&run, images_of(&config)?, &run.vocabulary()?, &device)?;
            (config, codec, folder)
        }
        false => {
            let (config, codec) = image_config(flags, &device)?;
            (config, codec, new_run(&flags.train, "image")?)
        }
    };
    train_run(&config, &codec, &folder, &device, flags)?;
    say(&format!("run folder: {}", folder.display()));
    Ok(())
}

fn images_of(config: &RunConfig) -> anyhow::Result<&ImageConfig> {
    match &config.data {
        DataConfig::Image(image) => Ok(image),
        _ => bail!("`data.kind` is not \"image\": this run is of another kind than `train image`"),
    }
}

/// Begins or continues a run; while it trains it writes sheets of samples into its folder.
fn train_run(
    config: &RunConfig,
    codec: &PictureCodec,
    folder: &Path,
    device: &Device,
    flags: &ImageFlags,
) -> anyhow::Result<()> {
    config.validate()?;
    let pictures = Pictures::open(images_of(config)?, codec, config.seed, &flags.cache)?;
    if flags.train.resume {
        pictures.check(&RunFolder::open(folder)?.vocabulary()?, folder)?;
    }
    say(&format!("{} images to train on, {} held out", pictures.train.len(), pictures.held_out.len()));
    if let ([rows, columns], PictureCodec::Tokenizer(_)) = (images_of(config)?.grid(), codec) {
        say(&format!("{} as {rows}x{columns} tokens of {}", codec.extent(), codec.vocab_size()));
    }
    if config.data.classes() > 0 {
        say(&format!("classes, from 0: {}", pictures.class_names.join(", ")));
    }
    let vocabulary = pictures.vocabulary(codec)?;
    let mut trainer = trainer(config, &vocabulary, Some(codec), folder, device, &flags.train)?;
    let (schedule, objective) = (trainer.schedule().clone(), config.train.objective);
    let sheets = Cell::new(trainer.state().step / config.train.sample_every.max(1));
    let sample = |network: &Network, count: usize, seed: u64| {
        let conditional = NetworkConditional::new(network, objective, &schedule, device);
        let drawn = Sampling::heat_bath(&schedule).draw(&conditional, count, seed, &mut |_| {});
        sheets.set(sheets.get() + 1);
        let path = folder.join(format!("samples-{}.png", sheets.get() * config.train.sample_every));
        let written = drawn.and_then(|(grids, _)| write_sheet(&codec.decode_all(&grids)?, COLUMNS, &path));
        written.map_err(|error| TrainError::Sampling(format!("{error:#}")))?;
        Ok(vec![format!("{count} samples: {}", path.display())])
    };
    let around = Surroundings { train: &pictures.train, validation: &pictures.held_out, sample: &sample, excess: None };
    run(&mut trainer, &around)?;
    Ok(())
}

/// The configuration of a new run, and its codec.
fn image_config(flags: &ImageFlags, device: &Device) -> anyhow::Result<(RunConfig, PictureCodec)> {
    let mut layers = Layers::new(DEFAULTS, &flags.train)?;
    if let Some(data) = &flags.data {
        layers.set("data.images", images_table(data, flags)?)?;
    }
    if let Some([height, width]) = flags.size {
        layers.set("data.height", i64::try_from(height)?)?;
        layers.set("data.width", i64::try_from(width)?)?;
    }
    if let Some(levels) = flags.levels {
        layers.set("data.levels", i64::try_from(levels)?)?;
    }
    if let Some(path) = &flags.tokenizer {
        for (key, part) in tokenizer_keys(path)? {
            layers.set(key, part)?;
        }
    }
    let mut config = layers.finish()?;
    let seed = config.seed;
    let DataConfig::Image(image) = &mut config.data else {
        bail!("`data.kind` is not \"image\": `train image` trains on images");
    };
    make_absolute(image)?;
    let model = match &mut image.tokens {
        ImageTokens::Pixels { .. } => None,
        ImageTokens::Tokenizer(tokenizer) => {
            let model = open_tokenizer(tokenizer, device)?;
            tokenizer.factor = model.config().factor();
            Some(model)
        }
    };
    if let (Some(model), Some(_), None) = (&model, &flags.tokenizer, flags.size) {
        [image.height, image.width] = [model.config().image_size; 2];
    }
    if flags.size.is_some() || flags.tokenizer.is_some() {
        // Grids that do not fit are refused below, with what does.
        config.model.positions = Positions::Grid { columns: image.grid()[1].max(1) };
    }
    if flags.classes {
        image.classes = class_count(image, seed)?;
        ensure!(image.classes > 0, "`--classes`: the images have no classes");
        config.model.classes = image.classes;
    }
    config.validate()?;
    let codec = PictureCodec::new(images_of(&config)?, model)?;
    Ok((config, codec))
}

/// So that the run can be resumed from any folder.
fn make_absolute(image: &mut ImageConfig) -> anyhow::Result<()> {
    let absolute = |path: &mut PathBuf| -> anyhow::Result<()> {
        *path = std::path::absolute(&*path)?;
        Ok(())
    };
    if let ImagesConfig::Mnist { path } | ImagesConfig::Folder { path, .. } = &mut image.images {
        absolute(path)?;
    }
    if let ImageTokens::Tokenizer(TokenizerConfig { path, yaml, .. }) = &mut image.tokens {
        absolute(path)?;
        yaml.as_mut().map(absolute).transpose()?;
    }
    Ok(())
}

fn images_table(data: &str, flags: &ImageFlags) -> anyhow::Result<Table> {
    let path = || flags.path.as_ref().with_context(|| format!("`--data {data}` needs `--path DIR`"));
    let mut table = Table::from_iter([("kind".to_owned(), data.into())]);
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

/// Reads `PATH` or `CKPT,YAML`.
fn tokenizer_keys(path: &Path) -> anyhow::Result<Vec<(&'static str, &str)>> {
    let text = path.to_str().with_context(|| format!("`--tokenizer {}`: not UTF-8", path.display()))?;
    Ok(match text.split_once(',') {
        Some((checkpoint, yaml)) if !path.exists() => {
            vec![("data.tokenizer.path", checkpoint), ("data.tokenizer.yaml", yaml)]
        }
        _ => vec![("data.tokenizer.path", text)],
    })
}
