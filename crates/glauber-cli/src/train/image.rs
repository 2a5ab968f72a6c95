//! `glauber train image`.

use std::cell::Cell;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use glauber_model::{Network, Positions};
use glauber_pixels::{Mnist, PixelError};
use glauber_program::Layers;
use glauber_program::device::device;
use glauber_program::outputs::{check_apart, images_of as images_read};
use glauber_program::progress::{run, say};
use glauber_program::trainer;
use glauber_run::images::{PictureCodec, Pictures, Source, divided, open_tokenizer, parts, write_sheet};
use glauber_run::training::{check_kind, new_run, resumed};
use glauber_run::{Rank, RunError, Sampling, one_line};
use glauber_train::{
    DataConfig, ImageConfig, ImageTokens, ImagesConfig, RunConfig, RunFolder, Surroundings, TokenizerConfig, TrainError,
};

use super::image_data::{self, Crops};
use crate::arguments::ImageFlags;

const DEFAULTS: &str = include_str!("../../configs/image.toml");

/// Samples side by side on a sheet.
const COLUMNS: usize = 8;

/// A configuration with what it took to make it.
struct Begun {
    config: RunConfig,
    codec: PictureCodec,
    /// The images, where they had to be opened for their classes.
    parts: Option<[Source; 2]>,
}

/// Trains on images.
pub fn train(flags: &ImageFlags, ranks: &Rank) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (begun, folder) = match flags.train.resume {
        true => {
            let (config, folder) = resumed(flags.train.run.as_deref(), "image", ranks)?;
            let run = RunFolder::open(&folder)?;
            let codec = PictureCodec::of_run(&run, images_of(&config)?, &run.vocabulary()?, &device)?;
            (Begun { config, codec, parts: None }, folder)
        }
        false => {
            let folder = new_run(flags.train.run.as_deref(), "image")?;
            let begun = image_config(flags, &device)?;
            let read: Vec<_> = images_read(&begun.config.data).map(|images| ("--path", images)).into_iter().collect();
            check_apart(("--run", &folder), &read)?;
            if matches!(begun.codec, PictureCodec::Tokenizer(_)) {
                check_apart(("--cache", &flags.cache), &read)?;
            }
            (begun, folder)
        }
    };
    train_run(begun, &folder, &device, flags, ranks)?;
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
    Begun { config, codec, parts }: Begun,
    folder: &Path,
    device: &Device,
    flags: &ImageFlags,
    ranks: &Rank,
) -> anyhow::Result<()> {
    let (config, codec) = (&config, &codec);
    config.validate()?;
    let image = images_of(config)?;
    let parts = parts.map_or_else(|| divided(image, codec, config.seed, &mut say), Ok)?;
    let pictures = Pictures::of(image, codec, parts, &flags.cache, &mut say)?;
    if flags.train.resume {
        pictures.check(&RunFolder::open(folder)?.vocabulary()?, folder)?;
    }
    say(&format!("{} images to train on, {} held out", pictures.train.len(), pictures.held_out.len()));
    if let ([rows, columns], PictureCodec::Tokenizer(_)) = (image.grid(), codec) {
        say(&format!("{} as {rows}x{columns} tokens of {}", codec.extent(), codec.vocab_size()));
    }
    if config.data.classes() > 0 {
        say(&format!("classes, from 0: {}", pictures.class_names.join(", ")));
    }
    let vocabulary = pictures.vocabulary(codec)?;
    let mut trainer = trainer(config, &vocabulary, Some(codec), folder, device, &flags.train, ranks)?;
    let (schedule, objective) = (trainer.schedule().clone(), config.train.objective);
    let sheets = Cell::new(trainer.state().step / config.train.sample_every.max(1));
    let sample = |network: &Network, count: usize, seed: u64| {
        let grids = Sampling::of_network(network, objective, &schedule, device, count, seed)?;
        sheets.set(sheets.get() + 1);
        let path = folder.join(format!("samples-{}.png", sheets.get() * config.train.sample_every));
        let written = codec.decode_all(&grids).and_then(|images| write_sheet(&images, COLUMNS, &path));
        written.map_err(|error| TrainError::Sampling(one_line(&error)))?;
        Ok(vec![format!("{count} samples: {}", path.display())])
    };
    let around = Surroundings { train: &pictures.train, validation: &pictures.held_out, sample: &sample, excess: None };
    run(&mut trainer, &around, ranks)?;
    Ok(())
}

/// The configuration of a new run, and its codec.
fn image_config(flags: &ImageFlags, device: &Device) -> anyhow::Result<Begun> {
    let crops = flags.tokenizer.as_deref().and_then(Crops::of_tokenizer).unwrap_or(Crops::STILL);
    if flags.images.data.as_deref() == Some("folder") && crops != Crops::STILL {
        say(&format!("pictures are by default cut and turned as they were for the tokenizer: {crops}"));
    }
    let mut layers =
        Layers::with_data(DEFAULTS, &flags.train, |layers| image_data::set_images(layers, &flags.images, crops))?;
    image_data::set_crop_flags(&mut layers, &flags.images)?;
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
    let positions_set = layers.get("model.positions").is_some();
    let mut config = layers.finish()?;
    let seed = config.seed;
    check_kind(&config.data, "image")?;
    let DataConfig::Image(image) = &mut config.data else {
        bail!("`data.kind` is not \"image\": `train image` trains on images");
    };
    make_absolute(image)?;
    let model = match &mut image.tokens {
        ImageTokens::Pixels { .. } => None,
        ImageTokens::Tokenizer(tokenizer) => {
            let model = open_tokenizer(tokenizer, device, &mut say)?;
            tokenizer.factor = model.config().factor();
            Some(model)
        }
    };
    if let (Some(model), Some(_), None) = (&model, &flags.tokenizer, flags.size) {
        [image.height, image.width] = [model.config().image_size; 2];
    }
    // Images are grids, unless told otherwise. A grid that is set and does not fit is refused below, if not for a flag that changes it.
    let resized = flags.size.is_some() || flags.tokenizer.is_some();
    if !positions_set || (resized && config.model.positions != Positions::Line) {
        config.model.positions = Positions::Grid { columns: image.grid()[1].max(1) };
    }
    let told = |config: &mut RunConfig, classes: usize| {
        if let (true, DataConfig::Image(image)) = (flags.classes, &mut config.data) {
            (image.classes, config.model.classes) = (classes, classes);
        }
    };
    // How many classes there are is known when the images are open; until then any number stands for it.
    told(&mut config, 1);
    config.validate()?;
    let codec = PictureCodec::new(images_of(&config)?, model)?;
    let parts = match flags.classes {
        true => Some(with_classes(images_of(&config)?, &codec, seed)?),
        false => None,
    };
    if let Some([train, _]) = &parts {
        told(&mut config, train.class_names().len());
        config.validate()?;
    }
    Ok(Begun { config, codec, parts })
}

/// Images with their classes, whatever these are.
fn with_classes(image: &ImageConfig, codec: &PictureCodec, seed: u64) -> anyhow::Result<[Source; 2]> {
    let opened = parts(&image.images, codec.extent(), codec.colours()?, true, image.held_out, seed, &mut say);
    let opened = opened.map_err(|error| {
        let of_classes = match &image.images {
            ImagesConfig::Folder { .. } => matches!(error, RunError::Pixel(PixelError::Unlabelled { .. })),
            ImagesConfig::Mnist { path } => Mnist::open_unlabelled(path).is_ok(),
            ImagesConfig::Shapes { .. } => false,
        };
        let error = anyhow::Error::from(error);
        if of_classes { error.context("`--classes` (leave it out to train without classes)") } else { error }
    })?;
    ensure!(!opened[0].class_names().is_empty(), "`--classes`: the images have no classes");
    Ok(opened)
}

/// So that the run can be resumed from any folder.
fn make_absolute(image: &mut ImageConfig) -> anyhow::Result<()> {
    image_data::make_absolute(&mut image.images)?;
    if let ImageTokens::Tokenizer(TokenizerConfig { path, yaml, .. }) = &mut image.tokens {
        for path in std::iter::once(path).chain(yaml) {
            *path = std::path::absolute(&*path)?;
        }
    }
    Ok(())
}

/// Reads `PATH` or `CKPT,YAML`.
fn tokenizer_keys(path: &Path) -> anyhow::Result<Vec<(&'static str, &str)>> {
    let text = path.to_str().with_context(|| format!("`--tokenizer {}`: not UTF-8", path.display()))?;
    // Names of checkpoints have commas more often than those of configurations.
    Ok(match text.rsplit_once(',') {
        Some((checkpoint, yaml)) if !path.exists() => {
            vec![("data.tokenizer.path", checkpoint), ("data.tokenizer.yaml", yaml)]
        }
        _ => vec![("data.tokenizer.path", text)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::{Arguments, Command, TrainWhat};
    use clap::Parser;

    fn config(words: &[&str]) -> RunConfig {
        let words = ["glauber", "train", "image"].iter().chain(words);
        let Command::Train { what: TrainWhat::Image(flags) } = Arguments::parse_from(words).command else {
            panic!("another command")
        };
        image_config(&flags, &Device::flex()).expect("a configuration").config
    }

    #[test]
    fn images_are_grids_unless_told_otherwise() {
        let grid = |columns| Positions::Grid { columns };
        for (words, expected) in [
            (&[][..], grid(16)),
            (&["--size", "8x12"], grid(12)),
            (&["--preset", "tiny"], grid(16)),
            (&["--preset", "tiny", "--size", "8"], grid(8)),
            (&["--set", "model.positions=line"], Positions::Line),
            (&["--preset", "tiny", "--size", "8", "--set", "model.positions=line"], Positions::Line),
            (&["--set", "model.positions.grid.columns=16", "--size", "8"], grid(8)),
        ] {
            assert_eq!(config(words).model.positions, expected, "{words:?}");
        }
    }

    #[test]
    fn settings_go_over_the_data_and_flags_over_settings() {
        let crops = |words: &[&str]| {
            let folder = ["--data", "folder", "--path", "x", "--set", "data.images.crop_margin=2.0"];
            match config(&[&folder, words].concat()).data {
                DataConfig::Image(ImageConfig { images: ImagesConfig::Folder { flip, crop_margin, .. }, .. }) => {
                    (flip, crop_margin)
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(crops(&[]), (false, Some(2.0)));
        assert_eq!(crops(&["--set", "data.images.flip=true"]), (true, Some(2.0)));
        assert_eq!(crops(&["--flip", "--crop-margin", "0.5"]), (true, Some(0.5)));
        assert_eq!(crops(&["--set", "data.images.flip=true", "--flip=false", "--crop-margin", "none"]), (false, None));
    }
}
