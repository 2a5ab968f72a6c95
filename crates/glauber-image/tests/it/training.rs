//! Autoencoders of our own: drawn, trained, written, read, and used as tokenizers.

use std::fs;

use burn::tensor::{Device, Tensor, TensorData};
use glauber_image::{
    DiscriminatorConfig, ImageError, ImageTokenizer, QuantiserConfig, TokenizerTrainConfig, TokenizerTrainer, VqModel,
};
use glauber_tokens::TokenBatch;

use crate::small::{SIZE, sizes};

fn codebook() -> QuantiserConfig {
    QuantiserConfig::Codebook { entries: 32, dim: 4 }
}

fn fsq() -> QuantiserConfig {
    QuantiserConfig::Fsq { levels: vec![5, 4, 3] }
}

/// Soft discs at places that depend on the row and the batch, `[batch, 1, 16, 16]`.
fn images(batch: usize, at: usize, device: &Device) -> Tensor<4> {
    let mut values = Vec::new();
    for row in 0..batch {
        let place = (at * batch + row) as f32;
        let (x, y) = (8.0 + 5.0 * (1.3 * place).sin(), 8.0 + 5.0 * (2.1 * place).cos());
        for pixel in 0..SIZE * SIZE {
            let (dx, dy) = ((pixel % SIZE) as f32 - x, (pixel / SIZE) as f32 - y);
            values.push((2.0 - 0.7 * (dx * dx + dy * dy).sqrt()).clamp(-1.0, 1.0));
        }
    }
    Tensor::from_data(TensorData::new(values, [batch, 1, SIZE, SIZE]), device)
}

fn train(quantiser: QuantiserConfig, training: &TokenizerTrainConfig, steps: usize) -> (TokenizerTrainer, Vec<f64>) {
    let device = Device::flex();
    let model = VqModel::new(&sizes(quantiser), 7, &device).unwrap();
    let mut trainer = TokenizerTrainer::new(model, training, 7, &device).unwrap();
    let mut losses = Vec::new();
    for step in 0..steps {
        let found = trainer.step(images(8, step, &device)).unwrap();
        assert_eq!(found.step, step);
        assert_eq!(found.discriminator.is_some(), found.adversarial.is_some());
        losses.push(found.square);
    }
    (trainer, losses)
}

fn quick() -> TokenizerTrainConfig {
    TokenizerTrainConfig { learning_rate: 3e-3, warmup_steps: 10, decay: 0.9, ..TokenizerTrainConfig::default() }
}

/// Mean squared difference of held-out images and their reconstructions through tokens, and the variance of these images.
fn through_tokens(model: VqModel) -> (f64, f64) {
    let device = Device::flex();
    let held_out = images(12, 1000, &device);
    let tokenizer = ImageTokenizer::new(model, [SIZE, SIZE]).unwrap();
    let tokens = tokenizer.encode(held_out.clone()).unwrap();
    assert_eq!((tokens.rows(), tokens.len()), (12, 64));
    tokens.check_vocab(tokenizer.vocab_size()).unwrap();
    let decoded = tokenizer.decode(&tokens).unwrap();
    assert_eq!(decoded.dims(), held_out.dims());
    let (decoded, original): (Vec<f64>, Vec<f64>) =
        (decoded.into_data().iter().collect(), held_out.into_data().iter().collect());
    let count = original.len() as f64;
    let mean = original.iter().sum::<f64>() / count;
    let error = decoded.iter().zip(&original).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / count;
    (error, original.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count)
}

#[test]
fn a_codebook_learns_to_carry_images() {
    let (trainer, losses) = train(codebook(), &quick(), 80);
    let (error, variance) = through_tokens(trainer.model());
    eprintln!(
        "codebook: first {:.3}, last {:.3}; held out {error:.3} of variance {variance:.3}",
        losses[0], losses[79]
    );
    assert!(error < 0.3 * variance, "{error} of {variance}");
}

#[test]
fn scalar_quantisation_learns_to_carry_images() {
    let (trainer, losses) = train(fsq(), &quick(), 80);
    let (error, variance) = through_tokens(trainer.model());
    eprintln!("scalar: first {:.3}, last {:.3}; held out {error:.3} of variance {variance:.3}", losses[0], losses[79]);
    assert!(error < 0.3 * variance, "{error} of {variance}");
}

#[test]
fn training_repeats_itself_and_the_discriminator_begins_when_it_should() {
    let discriminator = DiscriminatorConfig { begin: 2, width: 8, halvings: 1, ..DiscriminatorConfig::default() };
    let training = TokenizerTrainConfig { discriminator: Some(discriminator), ..quick() };
    let device = Device::flex();
    let run = || {
        let model = VqModel::new(&sizes(codebook()), 7, &device).unwrap();
        let mut trainer = TokenizerTrainer::new(model, &training, 3, &device).unwrap();
        let steps: Vec<_> = (0..5).map(|step| trainer.step(images(4, step, &device)).unwrap()).collect();
        assert_eq!(trainer.steps(), 5);
        steps
    };
    let found = run();
    assert_eq!(found.iter().map(|s| s.discriminator.is_some()).collect::<Vec<_>>(), [false, false, true, true, true]);
    assert!(found.iter().all(|s| s.total.is_finite() && s.usage.distinct >= 1 && s.usage.perplexity >= 1.0));
    // The loss is the weighted sum of its parts.
    let last = found[4];
    let sum = last.absolute + last.square + 0.25 * last.commitment + 0.1 * last.adversarial.unwrap();
    assert!((last.total - sum).abs() < 1e-5, "{last:?}");
    assert_eq!(run(), found);
}

#[test]
fn a_tokenizer_survives_its_folder() {
    let device = Device::flex();
    let root = tempfile::tempdir().unwrap();
    for (name, quantiser) in [("table", codebook()), ("scalar", fsq())] {
        let model = VqModel::new(&sizes(quantiser), 11, &device).unwrap();
        let folder = root.path().join(name);
        model.save(&folder).unwrap();
        model.save(&folder).unwrap();
        // A kill between taking the old folder away and putting the new one there.
        fs::rename(&folder, root.path().join(format!(".{name}.removing"))).unwrap();
        model.save(&folder).unwrap();
        let tokenizer = ImageTokenizer::load(&folder, &device).unwrap();
        assert_eq!(tokenizer.model().config(), model.config());
        let batch = images(3, 0, &device);
        let expected: Vec<i64> = model.encode(batch.clone()).unwrap().into_data().iter().collect();
        let tokens = tokenizer.encode(batch).unwrap();
        assert_eq!(tokens.as_slice().iter().map(|&t| i64::from(t)).collect::<Vec<_>>(), expected);
        let direct = model.decode(model.encode(images(3, 0, &device)).unwrap()).unwrap();
        assert_eq!(tokenizer.decode(&tokens).unwrap().into_data(), direct.into_data());
    }
    let left: Vec<_> = fs::read_dir(root.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing half written is left: {left:?}");

    let weights = root.path().join("table/weights.safetensors");
    fs::copy(root.path().join("scalar/weights.safetensors"), &weights).unwrap();
    assert!(matches!(VqModel::load(&root.path().join("table"), &device), Err(ImageError::Malformed { .. })));
    fs::remove_file(&weights).unwrap();
    assert!(matches!(VqModel::load(&root.path().join("table"), &device), Err(ImageError::Io { .. })));
    assert!(matches!(VqModel::load(&root.path().join("none"), &device), Err(ImageError::Io { .. })));
    fs::write(root.path().join("table/notes.txt"), "mine").unwrap();
    let model = VqModel::new(&sizes(fsq()), 11, &device).unwrap();
    let refused = model.save(&root.path().join("table")).unwrap_err().to_string();
    assert!(refused.contains("`notes.txt`"), "{refused}");
}

#[test]
fn a_loaded_model_is_trained_like_the_one_saved() {
    let device = Device::flex();
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("table");
    let model = VqModel::new(&sizes(codebook()), 11, &device).unwrap();
    model.save(&folder).unwrap();
    let training = TokenizerTrainConfig { fresh_codebook: false, ..quick() };
    let losses = |model: VqModel| -> Vec<_> {
        let mut trainer = TokenizerTrainer::new(model, &training, 5, &device).unwrap();
        (0..4).map(|_| trainer.step(images(4, 0, &device)).unwrap()).collect()
    };
    let found = losses(VqModel::load(&folder, &device).unwrap());
    assert!(found[3].total < found[0].total, "{found:?}");
    assert_eq!(found, losses(model));
}

#[test]
fn a_seed_gives_the_same_weights_and_another_seed_others() {
    let device = Device::flex();
    let tokens = |seed| {
        let model = VqModel::new(&sizes(codebook()), seed, &device).unwrap();
        ImageTokenizer::new(model, [SIZE, SIZE]).unwrap().encode(images(2, 0, &device)).unwrap()
    };
    assert_eq!(tokens(1), tokens(1));
    assert_ne!(tokens(1), tokens(2));
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let device = Device::flex();
    let model = VqModel::new(&sizes(codebook()), 1, &device).unwrap();
    let error = model.encode(Tensor::zeros([1, 3, SIZE, SIZE], &device)).unwrap_err().to_string();
    assert!(error.contains("[1, 3, 16, 16], expected [batch, 1, height, width]"), "{error}");
    assert!(model.encode(Tensor::zeros([1, 1, SIZE, SIZE + 1], &device)).is_err());
    assert!(model.quantise(Tensor::zeros([1, 3, 2, 2], &device)).is_err());
    let error = ImageTokenizer::new(model.clone(), [16, 15]).unwrap_err().to_string();
    assert!(error.contains("`image_size` is 16 × 15, expected multiples of 2"), "{error}");
    // Another size than the model's own is fine.
    let tokenizer = ImageTokenizer::new(model.clone(), [8, 20]).unwrap();
    assert_eq!((tokenizer.grid(), tokenizer.sites()), ([4, 10], 40));
    assert!(tokenizer.encode(Tensor::zeros([1, 1, 16, 16], &device)).is_err());
    let outside = TokenBatch::filled(2, 40, 32);
    assert!(matches!(tokenizer.decode(&outside), Err(ImageError::Tokens(_))));
    assert!(matches!(tokenizer.decode(&TokenBatch::filled(2, 39, 0)), Err(ImageError::Shape { .. })));
    assert_eq!(tokenizer.decode(&TokenBatch::filled(2, 40, 31)).unwrap().dims(), [2, 1, 8, 20]);

    let mut colours = sizes(codebook());
    colours.out_channels = 3;
    let colours = VqModel::new(&colours, 1, &device).unwrap();
    assert!(TokenizerTrainer::new(colours, &quick(), 1, &device).is_err());
    let discriminator = Some(DiscriminatorConfig { halvings: 3, ..DiscriminatorConfig::default() });
    let training = TokenizerTrainConfig { discriminator, ..quick() };
    let mut trainer = TokenizerTrainer::new(model, &training, 1, &device).unwrap();
    let error = trainer.step(images(1, 0, &device)).unwrap_err().to_string();
    assert!(error.contains("at least 24"), "{error}");
}
