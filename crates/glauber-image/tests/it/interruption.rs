//! A training that is interrupted and gone on with ends with the same weights, bit for bit, as one that never was; micro-batches are the
//! batch they were cut from; the adaptive weight is the ratio it says.

use std::fs;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use glauber_image::{
    DiscriminatorConfig, ImageError, QuantiserConfig, TokenizerLosses, TokenizerTrainConfig, TokenizerTrainer, VqModel,
};

use crate::small::{SIZE, sizes};

const SEED: u64 = 9;

fn codebook() -> QuantiserConfig {
    QuantiserConfig::Codebook { entries: 24, dim: 4 }
}

fn training() -> TokenizerTrainConfig {
    TokenizerTrainConfig {
        steps: 12,
        learning_rate: 3e-3,
        warmup_steps: 3,
        decay: 0.8,
        revive_below: 0.5,
        micro_batches: 2,
        ..TokenizerTrainConfig::default()
    }
}

fn contested(adaptive: bool) -> TokenizerTrainConfig {
    let discriminator =
        DiscriminatorConfig { begin: 3, width: 8, halvings: 1, adaptive, ..DiscriminatorConfig::default() };
    TokenizerTrainConfig { discriminator: Some(discriminator), ..training() }
}

/// Rings whose width and brightness depend on row and step, `[batch, 1, 16, 16]`.
fn images(batch: usize, step: usize) -> Tensor<4> {
    let value = |at: usize| {
        let (image, pixel) = (step * batch + at / (SIZE * SIZE), at % (SIZE * SIZE));
        let (x, y) = ((pixel % SIZE) as f32 - 7.5, (pixel / SIZE) as f32 - 7.5);
        ((x * x + y * y).sqrt() * (0.5 + 0.1 * (image % 7) as f32) + image as f32).sin()
    };
    let values: Vec<f32> = (0..batch * SIZE * SIZE).map(value).collect();
    Tensor::from_data(TensorData::new(values, [batch, 1, SIZE, SIZE]), &Device::flex())
}

fn begin(quantiser: QuantiserConfig, config: &TokenizerTrainConfig) -> TokenizerTrainer {
    let device = Device::flex();
    let model = VqModel::new(&sizes(quantiser), SEED, &device).unwrap();
    TokenizerTrainer::new(model, config, SEED, &device).unwrap()
}

fn steps(trainer: &mut TokenizerTrainer, range: std::ops::Range<usize>) -> Vec<TokenizerLosses> {
    range.map(|step| trainer.step(images(4, step)).unwrap()).collect()
}

/// All files of the training and of its tokenizer.
fn files(trainer: &TokenizerTrainer, folder: &Path) -> Vec<(String, Vec<u8>)> {
    trainer.save(&folder.join("training")).unwrap();
    trainer.model().save(&folder.join("tokenizer")).unwrap();
    let mut found = Vec::new();
    for part in ["training", "training/discriminator", "tokenizer"] {
        for entry in fs::read_dir(folder.join(part)).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = format!("{part}/{}", path.file_name().unwrap().to_string_lossy());
            if path.is_file() {
                found.push((name, fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn an_interrupted_training_ends_with_the_same_weights() {
    let root = tempfile::tempdir().unwrap();
    let scalar = QuantiserConfig::Fsq { levels: vec![5, 4, 3] };
    let kinds = [
        ("codebook", codebook(), training()),
        ("scalar", scalar, training()),
        ("discriminator", codebook(), contested(true)),
    ];
    for (name, quantiser, config) in kinds {
        let mut unbroken = begin(quantiser.clone(), &config);
        let expected = steps(&mut unbroken, 0..8);
        let revived: usize = expected.iter().map(|losses| losses.usage.revived).sum();
        assert_eq!(revived > 0, matches!(quantiser, QuantiserConfig::Codebook { .. }), "the generator is used");
        // Interrupted before the first step, within the warm-up, just after the discriminator began, and later.
        for stops in [vec![0], vec![2, 4], vec![6]] {
            let folder = root.path().join(format!("{name}-{stops:?}"));
            let mut found = Vec::new();
            let mut trainer = begin(quantiser.clone(), &config);
            for &stop in &stops {
                found.extend(steps(&mut trainer, found.len()..stop));
                trainer.save(&folder).unwrap();
                let resumed =
                    TokenizerTrainer::resume(&sizes(quantiser.clone()), &config, SEED, &folder, &Device::flex());
                trainer = resumed.unwrap();
                assert_eq!(trainer.steps(), stop);
            }
            found.extend(steps(&mut trainer, found.len()..8));
            assert_eq!(found, expected, "{name}, interrupted at {stops:?}");
            let (one, other) = (root.path().join(format!("{name}-one")), root.path().join(format!("{name}-other")));
            let (whole, parts) = (files(&unbroken, &one), files(&trainer, &other));
            assert_eq!(whole.len(), parts.len());
            for ((name, whole), (_, part)) in whole.iter().zip(&parts) {
                assert!(whole == part, "{name} differs after {stops:?}");
            }
        }
    }
}

#[test]
fn a_damaged_or_foreign_training_is_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    let (folder, device) = (root.path().join("training"), Device::flex());
    let config = contested(false);
    let mut trainer = begin(codebook(), &config);
    steps(&mut trainer, 0..4);
    trainer.save(&folder).unwrap();
    let resume = |quantiser| TokenizerTrainer::resume(&sizes(quantiser), &config, SEED, &folder, &device);
    resume(codebook()).unwrap();
    assert!(resume(QuantiserConfig::Codebook { entries: 25, dim: 4 }).is_err());
    let opponent = "discriminator/weights.safetensors";
    let names = ["progress.toml", "weights.safetensors", "moment-1.safetensors", "averages.f64", opponent];
    for name in names {
        let whole = fs::read(folder.join(name)).unwrap();
        fs::write(folder.join(name), &whole[..whole.len() / 2 - 1]).unwrap();
        let error = resume(codebook()).err().unwrap_or_else(|| panic!("half of `{name}` was accepted"));
        assert!(error.to_string().contains(name), "{name}: {error}");
        fs::remove_file(folder.join(name)).unwrap();
        let error = resume(codebook()).err().unwrap();
        assert!(matches!(&error, ImageError::Io { path, .. } if path.ends_with(name)), "{name}: {error}");
        fs::write(folder.join(name), whole).unwrap();
    }
    resume(codebook()).unwrap();
}

#[test]
fn micro_batches_are_the_batch_and_threads_change_nothing() {
    let run = |micro_batches, threads| {
        let config = TokenizerTrainConfig { micro_batches, ..contested(false) };
        let mut trainer = begin(codebook(), &config).with_threads(threads);
        steps(&mut trainer, 0..6)
    };
    let (whole, parts) = (run(1, 1), run(4, 1));
    assert_eq!(parts, run(4, 2));
    assert_eq!(parts, run(4, 3));
    // The first step starts from the same weights; later ones differ by what rounding makes of the order of sums.
    for (one, other) in whole.iter().zip(&parts) {
        let apart = |a: f64, b: f64| (a - b).abs() / a.abs().max(1e-3);
        let tolerance = if one.step == 0 { 1e-5 } else { 2e-2 };
        assert!(apart(one.total, other.total) < tolerance, "{one:?}\n{other:?}");
        assert_eq!(one.discriminator.is_some(), other.discriminator.is_some());
    }
    assert_eq!(whole[0].usage, parts[0].usage);
    let odd = begin(codebook(), &training()).step(images(3, 0)).unwrap_err().to_string();
    assert!(odd.contains("`micro_batches` = 2"), "{odd}");
}

#[test]
fn the_adaptive_weight_follows_the_differences() {
    // Four times the weight of the differences is four times their gradient, and leaves the verdict's gradient as it is.
    let weight = |factor: f64, adaptive: bool| {
        let mut config = TokenizerTrainConfig { absolute: factor, square: factor, ..contested(adaptive) };
        config.discriminator.as_mut().unwrap().begin = 0;
        let mut trainer = begin(codebook(), &config);
        let losses = trainer.step(images(4, 0)).unwrap();
        let sum = factor * (losses.absolute + losses.square)
            + 0.25 * losses.commitment
            + losses.adversarial_weight.unwrap() * losses.adversarial.unwrap();
        // The mean over micro-batches of a product is not the product of the means.
        assert!(adaptive || (losses.total - sum).abs() < 1e-5, "{losses:?}");
        losses.adversarial_weight.unwrap()
    };
    assert_eq!((weight(1.0, false), weight(4.0, false)), (0.1, 0.1));
    let (one, four) = (weight(1.0, true), weight(4.0, true));
    assert!(one > 0.0 && (four / one - 4.0).abs() < 1e-4, "{one} {four}");
}

#[test]
fn a_training_with_what_is_no_number_is_not_gone_on_with() {
    let root = tempfile::tempdir().unwrap();
    let (folder, config) = (root.path().join("training"), contested(false));
    let mut trainer = begin(codebook(), &config);
    steps(&mut trainer, 0..5);
    let resumed = || {
        let resumed = TokenizerTrainer::resume(&sizes(codebook()), &config, SEED, &folder, &Device::flex());
        resumed.map(drop).map_err(|error| error.to_string())
    };
    for (name, number) in [
        ("weights.safetensors", f64::from(f32::NAN)),
        ("moment-1.safetensors", f64::INFINITY),
        ("averages.f64", f64::NAN),
        ("discriminator/weights.safetensors", f64::NAN),
        ("discriminator/moment-2.safetensors", f64::NEG_INFINITY),
    ] {
        trainer.save(&folder).unwrap();
        assert_eq!(resumed(), Ok(()));
        let path = folder.join(name);
        let whole = fs::read(&path).unwrap();
        let end = match name {
            "averages.f64" => number.to_le_bytes().to_vec(),
            _ => (number as f32).to_le_bytes().to_vec(),
        };
        fs::write(&path, [&whole[..whole.len() - end.len()], &end].concat()).unwrap();
        let error = resumed().unwrap_err();
        assert!(error.contains(name) && error.contains(&format!(" {number}")), "{error}");
    }
}
