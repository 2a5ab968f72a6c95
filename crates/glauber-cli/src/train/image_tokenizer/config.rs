//! The configuration of a tokenizer's run, from flags.

use anyhow::{Context, bail, ensure};
use glauber_program::Layers;
use glauber_run::tokenizer_run::TokenizerRunConfig;
use toml::Value;

use crate::arguments::ImageTokenizerFlags;
use crate::train::image_data::{self, Crops};

/// Default crops from the pictures of a folder.
const CROPS: Crops = Crops { flip: true, margin: Some(3.0) };
const QUANTISER: &str = "model.quantiser";

const DEFAULTS: &str = include_str!("../../../configs/image-tokenizer.toml");

/// The configuration of a new run: defaults, `--config`, `--set`, flags, in that order.
pub fn resolve(flags: &ImageTokenizerFlags) -> anyhow::Result<TokenizerRunConfig> {
    let mut layers = Layers::of_folder(DEFAULTS, &flags.folder, "run.batch", |layers| {
        image_data::set_images(layers, &flags.images, CROPS)?;
        if flags.images.data.as_deref() == Some("mnist") {
            let numbers = [("image_size", 28), ("channels", 1), ("out_channels", 1)];
            numbers.into_iter().try_for_each(|(key, number)| layers.set(&format!("model.{key}"), number))?;
        }
        Ok(())
    })?;
    image_data::set_crop_flags(&mut layers, &flags.images)?;
    if let Some([height, width]) = flags.size {
        ensure!(height == width, "`--size {height}x{width}`: crops are square, for instance `--size {height}`");
    }
    layers.set_numbers([("model.image_size", flags.size.map(|[side, _]| side))])?;
    if let Some(quantiser) = &flags.quantiser {
        set_quantiser(&mut layers, quantiser)?;
    }
    let mut config: TokenizerRunConfig = layers.parse()?;
    config.data.images.make_absolute()?;
    config.validate()?;
    Ok(config)
}

/// Parses `codebook:ENTRIES` and `fsq:LEVELS,LEVELS,…`.
fn set_quantiser(layers: &mut Layers, text: &str) -> anyhow::Result<()> {
    let expected =
        || format!("`--quantiser {text}`: expected codebook:ENTRIES or fsq:LEVELS,LEVELS,…, as in fsq:8,8,8");
    let number = |text: &str| text.trim().parse::<u32>().map(Value::from).with_context(expected);
    let mut table = toml::Table::new();
    match text.split_once(':') {
        Some(("codebook", entries)) => {
            let is_codebook = |value: &&Value| value.get("kind").and_then(Value::as_str) == Some("codebook");
            let built_in = Layers::built_in(DEFAULTS)?;
            // The dimension of another quantiser's latents is none of a codebook.
            let from = layers.get(QUANTISER).filter(is_codebook).or(built_in.get(QUANTISER));
            table.extend(from.and_then(Value::as_table).cloned().unwrap_or_default());
            table.insert("entries".into(), number(entries)?);
        }
        Some(("fsq", levels)) => {
            table.insert("kind".into(), "fsq".into());
            table.insert("levels".into(), levels.split(',').map(number).collect::<anyhow::Result<Vec<_>>>()?.into());
        }
        _ => bail!(expected()),
    }
    layers.set(QUANTISER, table)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use glauber_image::QuantiserConfig;
    use glauber_run::images::ImagesConfig;

    use super::*;
    use crate::arguments::{Arguments, Command, TrainWhat};

    fn resolve(words: &[&str]) -> anyhow::Result<TokenizerRunConfig> {
        let words = ["glauber", "train", "image-tokenizer"].iter().chain(words);
        match Arguments::parse_from(words).command {
            Command::Train { what: TrainWhat::ImageTokenizer(flags) } => super::resolve(&flags),
            _ => panic!("another command"),
        }
    }

    #[test]
    fn a_quantiser_of_a_flag_replaces_one_of_another_kind() {
        let fsq = ["--set", "model.quantiser={ kind = \"fsq\", levels = [4, 4] }", "--quantiser", "codebook:64"];
        let found = |words: &[&str]| resolve(words).expect("a configuration").model.quantiser;
        assert_eq!(found(&fsq), QuantiserConfig::Codebook { entries: 64, dim: 8 });
        let own = ["--set", "model.quantiser.dim=5", "--quantiser", "codebook:64"];
        assert_eq!(found(&own), QuantiserConfig::Codebook { entries: 64, dim: 5 });
        assert_eq!(found(&["--quantiser", "fsq:4, 3"]), QuantiserConfig::Fsq { levels: vec![4, 3] });
        for wrong in ["codebook:-3", "fsq:4,-3", "codebook:many", "tree:3"] {
            let message = format!("{:#}", resolve(&["--quantiser", wrong]).unwrap_err());
            assert!(message.contains(&format!("`--quantiser {wrong}`")), "{message}");
        }
    }

    #[test]
    fn a_discriminator_that_never_begins_is_refused() {
        let weight = ["--set", "train.discriminator.weight=0.5", "--set", "train.discriminator.halvings=1"];
        let message = resolve(&weight).unwrap_err().to_string();
        assert!(message.contains("`train.discriminator.begin` is 10000") && message.contains("--steps"), "{message}");
        resolve(&[&weight[..], &["--set", "train.discriminator.begin=1999"]].concat()).expect("it begins");
    }

    #[test]
    fn a_folder_is_cropped_at_random_and_its_path_is_absolute() {
        let images = |words: &[&str]| {
            let folder = ["--data", "folder", "--path", "x"];
            resolve(&[&folder, words].concat()).expect("a configuration").data.images
        };
        let path = std::path::absolute("x").expect("a path");
        let folder = |flip, crop_margin| ImagesConfig::Folder { path: path.clone(), flip, crop_margin };
        assert_eq!(images(&[]), folder(true, Some(CROPS.margin.expect("a margin"))));
        assert_eq!(images(&["--flip=false", "--crop-margin", "0.25"]), folder(false, Some(0.25)));
        assert_eq!(images(&["--set", "data.images.flip=false", "--crop-margin", "none"]), folder(false, None));
    }
}
