//! Classifiers trained, saved and read back; networks of somebody else's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_fidelity::{
    ClassifierTrainConfig, ClassifierTrainer, FeatureNetwork, FidelityError, NetworkConfig, Recognition,
    frechet_distance,
};
use glauber_pixels::{Colours, Extent, Image, ImageSource, ShapeConfig, ShapeSource};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

const SIDE: usize = 12;

fn shapes(count: usize, seed: u64) -> ShapeSource {
    let extent = Extent::new(SIDE, SIDE).unwrap();
    ShapeSource::new(ShapeConfig { extent, colours: Colours::Grey, count, seed })
}

fn images(source: &dyn ImageSource) -> (Vec<Image>, Vec<usize>) {
    let example = |index| source.get(index, &mut ChainRng::new(0, 0));
    (0..source.len()).map(example).map(|example| (example.image, example.class.unwrap())).unzip()
}

fn fresh(source: &dyn ImageSource, seed: u64) -> FeatureNetwork {
    let config = NetworkConfig::classifier(source.extent(), source.colours(), source.class_names().to_vec());
    FeatureNetwork::new(&config, seed, &Device::flex()).unwrap()
}

fn trained(steps: usize, seed: u64) -> FeatureNetwork {
    let source = shapes(2000, 1);
    let config = ClassifierTrainConfig { steps, batch: 32, ..ClassifierTrainConfig::default() };
    let mut trainer = ClassifierTrainer::new(fresh(&source, seed), &config, seed, &Device::flex()).unwrap();
    (0..steps).for_each(|_| assert!(trainer.step(&source).unwrap().is_finite()));
    assert_eq!(trainer.steps(), steps);
    trainer.network()
}

fn recognised(network: &FeatureNetwork, source: &dyn ImageSource) -> Recognition {
    let (images, classes) = images(source);
    let mut recognition = Recognition::none(source.class_names().len());
    let found = network.classify(&images).unwrap();
    classes.into_iter().zip(found).for_each(|(class, found)| recognition.add(class, found));
    recognition
}

#[test]
fn shapes_are_learned_and_the_network_comes_back_from_its_folder() {
    let held_out = shapes(400, 2);
    let classes = held_out.class_names().len();
    let before = recognised(&fresh(&held_out, 7), &held_out).share();
    assert!(before < 2.5 / classes as f64, "{before} without training");
    let network = trained(200, 7);
    let after = recognised(&network, &held_out);
    assert!(after.share() > 0.75, "{after:?}");

    let folder = tempfile::tempdir().unwrap();
    network.save(folder.path()).unwrap();
    network.save(folder.path()).unwrap();
    let loaded = FeatureNetwork::load(folder.path(), &Device::flex()).unwrap();
    assert_eq!((loaded.config(), loaded.weights()), (network.config(), network.weights()));
    let (images, _) = images(&held_out);
    assert_eq!(loaded.examine(&images).unwrap(), network.examine(&images).unwrap());
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");

    // Its features tell noise from shapes, and shapes from shapes hardly at all.
    let mut rng = ChainRng::new(3, 0);
    let mut grey = || (0..SIDE * SIDE).map(|_| rng.uniform() as f32).collect();
    let noise: Vec<Image> = (0..400).map(|_| Image::new(held_out.extent(), Colours::Grey, grey()).unwrap()).collect();
    let features = |images: &[Image]| network.features(images).unwrap();
    let data = features(&images);
    let (others, _) = self::images(&shapes(400, 5));
    let (near, far) =
        (frechet_distance(&data, &features(&others)).unwrap(), frechet_distance(&data, &features(&noise)).unwrap());
    assert!(near * 5.0 < far, "{near} {far}");
}

#[test]
fn equal_seeds_train_equal_networks() {
    let (one, same, other) = (trained(4, 1), trained(4, 1), trained(4, 2));
    let (images, _) = images(&shapes(5, 9));
    assert_eq!(one.features(&images).unwrap(), same.features(&images).unwrap());
    assert_ne!(one.features(&images).unwrap(), other.features(&images).unwrap());
}

/// Writes a description and tensors as another program would.
fn foreign(folder: &Path, description: &str, tensors: &[(&str, Dtype, &[usize], Vec<u8>)]) {
    fs::write(folder.join("network.toml"), description).unwrap();
    let views: BTreeMap<&str, TensorView<'_>> = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.to_vec(), bytes).unwrap()))
        .collect();
    fs::write(folder.join("weights.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

const DESCRIPTION: &str = r#"
features = 3
classes = ["dark", "light"]
[input]
extent = { height = 2, width = 2 }
colours = "grey"
mean = [0.0]
deviation = [1.0]
[[layers]]
kind = "convolution"
channels = 1
kernel = 1
bias = false
[[layers]]
kind = "batch-norm"
epsilon = 0.0
[[layers]]
kind = "identity"
[[layers]]
kind = "global-average-pool"
[[layers]]
kind = "flatten"
[[layers]]
kind = "linear"
outputs = 2
"#;

type Tensor = (&'static str, Dtype, &'static [usize], Vec<u8>);

fn tensors() -> Vec<Tensor> {
    let f32s = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let f64s = |values: &[f64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    vec![
        ("0.weight", Dtype::F32, &[1, 1, 1, 1], f32s(&[8.0])),
        ("1.weight", Dtype::F32, &[1], f32s(&[3.0])),
        // −1 in sixteen bits, of either kind.
        ("1.bias", Dtype::F16, &[1], 0xbc00u16.to_le_bytes().to_vec()),
        ("1.running_mean", Dtype::BF16, &[1], 0xbf80u16.to_le_bytes().to_vec()),
        ("1.running_var", Dtype::F64, &[1], f64s(&[4.0])),
        ("1.num_batches_tracked", Dtype::I64, &[], 9i64.to_le_bytes().to_vec()),
        ("5.weight", Dtype::F32, &[2, 1], f32s(&[-1.0, 1.0])),
        ("5.bias", Dtype::F32, &[2], f32s(&[7.0, -7.0])),
    ]
}

#[test]
fn a_foreign_network_computes_what_its_layers_say() {
    let folder = tempfile::tempdir().unwrap();
    foreign(folder.path(), DESCRIPTION, &tensors());
    let network = FeatureNetwork::load(folder.path(), &Device::flex()).unwrap();
    let image = |values: [f32; 4]| Image::new(Extent::new(2, 2).unwrap(), Colours::Grey, values.to_vec()).unwrap();
    let found = network.examine(&[image([0.0; 4]), image([0.0, 1.0, 1.0, 1.0])]).unwrap();
    // 3 (8 v + 1) / 2 − 1 is ½ for black and 12½ for white; the second image's mean is 9½.
    assert_eq!(found.features.values(), [0.5, 9.5]);
    assert_eq!(found.classes, Some(vec![0, 1]));
    assert!(matches!(
        ClassifierTrainer::new(network, &ClassifierTrainConfig::default(), 0, &Device::flex()),
        Err(FidelityError::Setting { .. })
    ));
    let unnamed = DESCRIPTION.replace("classes = [\"dark\", \"light\"]", "");
    foreign(folder.path(), &unnamed, &tensors());
    let network = FeatureNetwork::load(folder.path(), &Device::flex()).unwrap();
    assert_eq!(network.examine(&[image([0.0; 4])]).unwrap().classes, None);
    assert!(matches!(network.classify(&[image([0.0; 4])]), Err(FidelityError::NoClasses)));
}

#[test]
fn folders_that_are_no_network_say_why() {
    let folder = tempfile::tempdir().unwrap();
    let message = || FeatureNetwork::load(folder.path(), &Device::flex()).unwrap_err().to_string();
    assert!(message().contains("network.toml"));
    let changed = |change: &dyn Fn(&mut Vec<Tensor>)| {
        let mut tensors = tensors();
        change(&mut tensors);
        foreign(folder.path(), DESCRIPTION, &tensors);
        message()
    };
    let found = changed(&|tensors| drop(tensors.remove(0)));
    assert!(found.contains("no tensor `0.weight` of shape [1, 1, 1, 1]"), "{found}");
    let found = changed(&|tensors| tensors[1].2 = &[1, 1]);
    assert!(found.contains("`1.weight` has shape [1, 1], `network.toml` says [1]"), "{found}");
    let found = changed(&|tensors| tensors.push(("6.weight", Dtype::F32, &[1], vec![0; 4])));
    assert!(found.contains("no place for the tensor `6.weight`"), "{found}");
    let found = changed(&|tensors| tensors[0].1 = Dtype::I32);
    assert!(found.contains("`0.weight` holds I32"), "{found}");
    // Numbers that are none, and those that are too large for 32 bits.
    let f64s = 1e300f64.to_le_bytes().to_vec();
    let (infinite, half) = (f32::INFINITY.to_le_bytes().to_vec(), vec![0x00, 0x7c]);
    let nan = f32::NAN.to_le_bytes().to_vec();
    for (dtype, bytes, number) in
        [(Dtype::F32, nan, "NaN"), (Dtype::F32, infinite, "inf"), (Dtype::F16, half, "inf"), (Dtype::F64, f64s, "inf")]
    {
        let found = changed(&|tensors| (tensors[0].1, tensors[0].3) = (dtype, bytes.clone()));
        assert!(found.contains(&format!("`0.weight` holds {number}")), "{found}");
    }
    foreign(folder.path(), &DESCRIPTION.replace("features = 3", "features = 6"), &tensors());
    assert!(message().contains("`features` is 6"), "{}", message());
    foreign(folder.path(), &DESCRIPTION.replace("outputs", "output"), &tensors());
    assert!(message().contains("network.toml") && message().contains("output"), "{}", message());
    fs::write(folder.path().join("network.toml"), DESCRIPTION).unwrap();
    fs::write(folder.path().join("weights.safetensors"), b"torn").unwrap();
    assert!(message().contains("weights.safetensors"), "{}", message());
    fs::remove_file(folder.path().join("weights.safetensors")).unwrap();
    assert!(matches!(FeatureNetwork::load(folder.path(), &Device::flex()), Err(FidelityError::Io { .. })));
}

#[test]
fn training_that_cannot_be_is_refused() {
    let source = shapes(4, 0);
    let begin = |config| ClassifierTrainer::new(fresh(&source, 0), &config, 0, &Device::flex()).map(|_| ());
    let fine = ClassifierTrainConfig::default;
    for config in [
        ClassifierTrainConfig { steps: 0, ..fine() },
        ClassifierTrainConfig { batch: 0, ..fine() },
        ClassifierTrainConfig { learning_rate: f64::NAN, ..fine() },
        ClassifierTrainConfig { weight_decay: -1.0, ..fine() },
    ] {
        assert!(matches!(begin(config), Err(FidelityError::Setting { .. })));
    }
    // Too few names for the classes of the images.
    let config = NetworkConfig::classifier(source.extent(), Colours::Grey, vec!["circle".into()]);
    let network = FeatureNetwork::new(&config, 0, &Device::flex()).unwrap();
    let mut trainer = ClassifierTrainer::new(network, &fine(), 0, &Device::flex()).unwrap();
    assert!(matches!(trainer.step(&shapes(50, 0)), Err(FidelityError::NoClasses)));
}
