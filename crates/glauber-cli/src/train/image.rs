//! `glauber train image`.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use glauber_model::Positions;
use glauber_pixels::{Mnist, PixelError};
use glauber_program::Layers;
use glauber_program::device::device;
use glauber_program::outputs::check_apart;
use glauber_program::progress::say;
use glauber_program::training::train as train_run;
use glauber_run::images::{
    ImageConfig, ImageTokens, ImagesConfig, PictureCodec, Source, divided, open_tokenizer, opened, parts,
};
use glauber_run::training::{check_kind, new_run};
use glauber_run::{Rank, RunConfig, RunError};

use super::begun::Begun;
use super::image_data::{self, Crops};
use crate::arguments::ImageFlags;

const DEFAULTS: &str = include_str!("../../configs/image.toml");

/// A configuration with the objects opened to build it.
struct Made {
    config: RunConfig,
    codec: PictureCodec,
    /// The images, if they were opened for their classes.
    parts: Option<[Source; 2]>,
}

/// Trains on images.
pub fn train(flags: &ImageFlags, ranks: &Rank) -> anyhow::Result<()> {
    let cache = &flags.cache;
    if flags.train.resume {
        let config = || bail!("a run that is resumed has its own configuration");
        return Begun::of(&flags.train, Some("image"), cache, ranks, config)?.train(cache, ranks);
    }
    let device = device(&flags.train.device)?;
    let folder = new_run(flags.train.run.as_deref(), "image")?;
    let Made { config, codec, parts } = image_config(flags, &device)?;
    check_apart(("--run", &folder), &config.data.reads())?;
    if matches!(codec, PictureCodec::Tokenizer(_)) {
        check_apart(("--cache", cache), &config.data.reads())?;
    }
    let begun = Begun { config, folder, device, flags: &flags.train };
    let (training, image) = (begun.training(ranks), images_of(&begun.config)?);
    let opened = training.open(cache, &mut say, |opening| {
        let parts = parts.map_or_else(|| divided(image, &codec, opening.config.seed, opening.say), Ok)?;
        opened(image, codec, parts, opening)
    })?;
    train_run(&training, &opened)?;
    begun.tell();
    Ok(())
}

fn images_of(config: &RunConfig) -> anyhow::Result<&ImageConfig> {
    config.data.get().context("`data.kind` is not \"image\": resume the run with the command that started it")
}

/// The configuration of a new run, and its codec.
fn image_config(flags: &ImageFlags, device: &Device) -> anyhow::Result<Made> {
    let crops = flags.tokenizer.as_deref().and_then(Crops::of_tokenizer).unwrap_or(Crops::STILL);
    if flags.images.data.as_deref() == Some("folder") && crops != Crops::STILL {
        say(&format!("pictures are by default cut and turned as they were for the tokenizer: {crops}"));
    }
    let mut layers =
        Layers::with_data(DEFAULTS, &flags.train, |layers| image_data::set_images(layers, &flags.images, crops))?;
    image_data::set_crop_flags(&mut layers, &flags.images)?;
    let [height, width] = [0, 1].map(|axis| flags.size.map(|size| size[axis]));
    layers.set_numbers([("data.height", height), ("data.width", width)])?;
    layers.set_numbers([("data.levels", flags.levels), ("data.patch", flags.patch)])?;
    if let Some(path) = &flags.tokenizer {
        for (key, part) in tokenizer_keys(path)? {
            layers.set(key, part)?;
        }
    }
    let positions_set = layers.get("model.positions").is_some();
    let mut config = layers.finish()?;
    let seed = config.seed;
    check_kind(&config.data, "image")?;
    let image: &mut ImageConfig = config.data.get_mut().context("`data.kind` is not \"image\"")?;
    image.make_absolute()?;
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
    // Images are grids, unless the configuration says otherwise. A grid that is set and does not fit is refused below, if not for a flag that changes it.
    let resized = flags.size.is_some() || flags.tokenizer.is_some() || flags.patch.is_some();
    if !positions_set || (resized && config.model.positions != Positions::Line) {
        config.model.positions = Positions::Grid { columns: image.grid()[1].max(1) };
    }
    let told = |config: &mut RunConfig, classes: usize| {
        if let (true, Some(image)) = (flags.classes, config.data.get_mut::<ImageConfig>()) {
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
    Ok(Made { config, codec, parts })
}

/// Opens images with their classes.
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

/// Parses `PATH` or `CKPT,YAML`.
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
            (&["--patch", "2"], grid(8)),
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
            match &images_of(&config(&[&folder, words].concat())).unwrap().images {
                ImagesConfig::Folder { flip, crop_margin, .. } => (*flip, *crop_margin),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(crops(&[]), (false, Some(2.0)));
        assert_eq!(crops(&["--set", "data.images.flip=true"]), (true, Some(2.0)));
        assert_eq!(crops(&["--flip", "--crop-margin", "0.5"]), (true, Some(0.5)));
        assert_eq!(crops(&["--set", "data.images.flip=true", "--flip=false", "--crop-margin", "none"]), (false, None));
    }
}
