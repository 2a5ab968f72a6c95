//! Autoencoders of other projects, against what their own code makes of the same images.
//!
//! Each fixture's `expected.safetensors` holds images, latents before quantisation, indices, and the images decoded from these. Those of
//! `tests/fixtures` were made by its `make.py`; larger ones, made by the projects' own code, are not everywhere.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor, TensorData};
use burn_store::{ModuleStore, SafetensorsStore, bridge};
use glauber_image::import::{self, Imported};
use glauber_image::{ImageError, ImageTokenizer, VqModel};

/// The largest difference allowed, relative to the largest value.
const TOLERANCE: f64 = 1e-4;

/// A fixture's folder.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The folder of a large fixture.
fn large(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/vq-fixtures").join(name)
}

fn expected(folder: &Path, name: &str) -> TensorData {
    let mut store = SafetensorsStore::from_file(folder.join("expected.safetensors"));
    let stored = store.get_tensor(name).unwrap().unwrap_or_else(|| panic!("no tensor {name}"));
    bridge::to_data(stored).unwrap()
}

fn relative_error(found: Tensor<4>, expected: &TensorData) -> f64 {
    let found = found.into_data();
    assert_eq!(found.shape(), expected.shape());
    let (found, expected): (Vec<f64>, Vec<f64>) = (found.iter().collect(), expected.iter().collect());
    let largest = expected.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let difference = found.iter().zip(&expected).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
    assert!(found.iter().all(|x| x.is_finite()));
    difference / largest
}

fn check(model: &VqModel, folder: &Path, device: &Device) {
    let images = Tensor::<4>::from_data(expected(folder, "image"), device);
    let latents = model.latents(images.clone()).unwrap();
    let latent_error = relative_error(latents.clone(), &expected(folder, "latent"));

    let indices: Vec<i64> = model.quantise(latents).unwrap().into_data().iter().collect();
    let theirs = expected(folder, "indices");
    let shape: [usize; 3] = theirs.shape().to_vec().try_into().unwrap();
    let theirs: Vec<i64> = theirs.iter().collect();
    assert_eq!(indices, theirs);
    assert_eq!(model.encode(images).unwrap().into_data().iter::<i64>().collect::<Vec<_>>(), theirs);
    let distinct = theirs.iter().collect::<std::collections::BTreeSet<_>>().len();

    let indices = Tensor::<3, Int>::from_data(TensorData::new(theirs, shape), device);
    let decoded = model.decode(indices).unwrap();
    let decoded_error = relative_error(decoded.clone(), &expected(folder, "decoded"));
    eprintln!("relative errors: latents {latent_error:.1e}, images {decoded_error:.1e}; {distinct} distinct indices");
    check_saved(model, decoded, folder, device);
    assert!(distinct > 1, "a constant grid would prove little");
    assert!(latent_error < TOLERANCE, "latents: {latent_error:e}");
    assert!(decoded_error < TOLERANCE, "decoded images: {decoded_error:e}");
}

/// The autoencoder, saved as one of ours and read back as a tokenizer, decodes its own tokens to the same images.
fn check_saved(model: &VqModel, decoded: Tensor<4>, folder: &Path, device: &Device) {
    let root = tempfile::tempdir().unwrap();
    model.save(&root.path().join("imported")).unwrap();
    let tokenizer = ImageTokenizer::load(&root.path().join("imported"), device).unwrap();
    let indices = expected(folder, "indices");
    assert_eq!((&tokenizer.grid()[..], tokenizer.vocab_size()), (&indices.shape()[1..], model.config().vocab_size()));
    let tokens = tokenizer.encode(Tensor::from_data(expected(folder, "image"), device)).unwrap();
    assert_eq!(tokenizer.decode(&tokens).unwrap().into_data(), decoded.into_data());
}

#[test]
fn diffusers_as_its_own_code_computes_it() {
    check_diffusers(&fixture("diffusers"));
}

#[test]
#[ignore = "needs a `VQModel` that diffusers ran, in ../shared/data/vq-fixtures/diffusers-vq"]
fn a_large_diffusers_as_its_own_code_computes_it() {
    check_diffusers(&large("diffusers-vq"));
}

fn check_diffusers(folder: &Path) {
    let device = Device::flex();
    let Imported { model, ignored } = import::diffusers(folder, &device).unwrap();
    assert_eq!(ignored, Vec::<String>::new());
    check(&model, folder, &device);
}

fn taming(folder: &Path, device: &Device) -> Result<Imported, ImageError> {
    import::taming(&folder.join("last.ckpt"), &folder.join("model.yaml"), device)
}

#[test]
fn taming_as_its_own_code_computes_it() {
    check_taming(&fixture("taming"));
}

#[test]
#[ignore = "needs a checkpoint that taming-transformers ran, in ../shared/data/vq-fixtures/taming-vqgan"]
fn a_large_taming_as_its_own_code_computes_it() {
    check_taming(&large("taming-vqgan"));
}

fn check_taming(folder: &Path) {
    let device = Device::flex();
    let Imported { model, ignored } = taming(folder, &device).unwrap();
    let expected = ["loss.discriminator.main.0.weight", "loss.logvar", "loss.perceptual_loss.lin0.model.1.weight"];
    assert_eq!(ignored, expected);
    check(&model, folder, &device);
}

/// A folder with a fixture's files, one of them changed.
fn changed(folder: &Path, file: &str, change: impl Fn(&str) -> String) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        fs::write(copy.path().join(path.file_name().unwrap()), fs::read(&path).unwrap()).unwrap();
    }
    let before = fs::read_to_string(folder.join(file)).unwrap();
    let after = change(&before);
    assert_ne!(before, after, "the change changes nothing");
    fs::write(copy.path().join(file), after).unwrap();
    copy
}

#[test]
fn diffusers_refusals_name_the_key() {
    let (folder, device) = (fixture("diffusers"), Device::flex());
    let message = |from: &str, to: &str| {
        let copy = changed(&folder, "config.json", |text| text.replacen(from, to, 1));
        import::diffusers(copy.path(), &device).unwrap_err().to_string()
    };
    let cases = [
        ("\"norm_type\": \"group\"", "\"norm_type\": \"spatial\"", "`norm_type` is \"spatial\", expected \"group\""),
        ("\"act_fn\": \"silu\"", "\"act_fn\": \"gelu\"", "`act_fn` is \"gelu\""),
        ("\"_class_name\": \"VQModel\"", "\"_class_name\": \"AutoencoderKL\"", "`_class_name` is \"AutoencoderKL\""),
        ("\"DownEncoderBlock2D\"", "\"SkipDownBlock2D\"", "`down_block_types` is [\"SkipDownBlock2D\""),
        ("\"sample_size\": 16", "\"sample_size\": 0", "`sample_size` is 0"),
        (
            "\"norm_num_groups\": 4",
            "\"norm_num_groups\": 3",
            "`block_out_channels` is 4, expected a multiple of `norm_num_groups` = 3",
        ),
        ("\"in_channels\": 3", "\"in_channels\": \"three\"", "`in_channels` is \"three\", expected a whole number"),
        ("\"act_fn\"", "\"use_quantum_attention\": true, \"act_fn\"", "`use_quantum_attention` is true"),
        ("\"block_out_channels\"", "\"_ignored\"", "no key `block_out_channels`"),
        ("4,", "8,", "tensor `encoder.conv_in.weight` has shape [4, 3, 3, 3], the configuration says [8, 3, 3, 3]"),
        (
            "\"layers_per_block\": 1",
            "\"layers_per_block\": 2",
            "no tensor `encoder.down_blocks.0.resnets.1.norm1.weight`",
        ),
        ("\"mid_block_add_attention\": true", "\"mid_block_add_attention\": false", "`decoder.mid_block.attentions.0"),
        (
            "\"DownEncoderBlock2D\"",
            "\"AttnDownEncoderBlock2D\"",
            "no tensor `encoder.down_blocks.0.attentions.0.group_norm.weight` of shape [4]",
        ),
    ];
    for (from, to, expected) in cases {
        let found = message(from, to);
        assert!(found.contains(expected), "{to}: {found}");
    }
    let harmless =
        changed(&folder, "config.json", |text| text.replace("\"force_upcast\": false", "\"force_upcast\": true"));
    assert!(import::diffusers(harmless.path(), &device).is_ok());
    let odd = changed(&folder, "config.json", |text| text.replace("\"sample_size\": 16", "\"sample_size\": 15"));
    assert_eq!(import::diffusers(odd.path(), &device).unwrap().model.config().image_size, 16);
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(import::diffusers(empty.path(), &device), Err(ImageError::Io { .. })));
    let torn = changed(&folder, "config.json", |text| text[..40].to_owned());
    assert!(matches!(import::diffusers(torn.path(), &device), Err(ImageError::Malformed { .. })));
    let half = changed(&folder, "config.json", |text| format!("{text}\n"));
    let weights = half.path().join("diffusion_pytorch_model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(import::diffusers(half.path(), &device), Err(ImageError::Malformed { .. })));
}

#[test]
fn taming_refusals_name_the_key() {
    let (folder, device) = (fixture("taming"), Device::flex());
    let message = |from: &str, to: &str| {
        let copy = changed(&folder, "model.yaml", |text| text.replacen(from, to, 1));
        taming(copy.path(), &device).unwrap_err().to_string()
    };
    let cases = [
        ("double_z: false", "double_z: true", "`model.params.ddconfig.double_z` is true, expected false"),
        ("      double_z: false", "", "`model.params.ddconfig.double_z` is absent, expected false"),
        ("vqgan.VQModel", "vqgan.GumbelVQ", "`model.target` is \"taming.models.vqgan.GumbelVQ\""),
        ("double_z: false", "double_z: false\n      resamp_with_conv: false", "ddconfig.resamp_with_conv` is false"),
        ("double_z: false", "double_z: false\n      give_pre_end: true", "ddconfig.give_pre_end` is true"),
        ("double_z: false", "double_z: false\n      tanh_out: true", "ddconfig.tanh_out` is true"),
        ("n_embed: 32", "n_embed: 32\n    remap: used.npy", "`model.params.remap` is \"used.npy\""),
        ("ch: 32", "ch: 40", "`model.params.ddconfig.ch` is 40, expected a multiple of `num_groups` = 32"),
        (
            "n_embed: 32",
            "n_embed: 64",
            "tensor `quantize.embedding.weight` has shape [32, 4], the configuration says [64, 4]",
        ),
        (
            "attn_resolutions: [8]",
            "attn_resolutions: [16]",
            "no tensor `encoder.down.0.attn.0.norm.weight` of shape [32]",
        ),
        (
            "attn_resolutions: [8]",
            "attn_resolutions: []",
            "tensor `decoder.up.1.attn.0.k.bias` belongs to the autoencoder",
        ),
        ("ddconfig:", "encoder:", "no key `model.params.ddconfig`"),
    ];
    for (from, to, expected) in cases {
        let found = message(from, to);
        assert!(found.contains(expected), "{to}: {found}");
    }
    let harmless = "double_z: false\n      tanh_out: false\n      give_pre_end: false";
    let harmless = changed(&folder, "model.yaml", |text| text.replace("double_z: false", harmless));
    taming(harmless.path(), &device).unwrap();
    let odd = changed(&folder, "model.yaml", |text| text.replace("resolution: 16", "resolution: 17"));
    assert_eq!(taming(odd.path(), &device).unwrap().model.config().image_size, 18);
    let copy = changed(&folder, "model.yaml", |text| format!("{text}\n"));
    fs::write(copy.path().join("last.ckpt"), b"no checkpoint at all").unwrap();
    assert!(matches!(taming(copy.path(), &device), Err(ImageError::Malformed { .. })));
}

#[test]
fn a_path_is_opened_whoever_wrote_what_is_there() {
    let device = Device::flex();
    let root = tempfile::tempdir().unwrap();
    let nowhere = import::open(&root.path().join("nowhere"), &device).unwrap_err();
    assert!(matches!(&nowhere, ImageError::NoTokenizer { .. }), "{nowhere}");
    let empty = import::open(root.path(), &device).unwrap_err().to_string();
    assert!(empty.contains("0 files .ckpt") && empty.contains("tokenizer/"), "{empty}");
    let folder = fixture("diffusers");
    let model = import::open(&folder, &device).unwrap().model;
    let print = model.fingerprint().unwrap();
    model.save(&root.path().join("run/tokenizer")).unwrap();
    for path in ["run", "run/tokenizer"] {
        let opened = import::open(&root.path().join(path), &device).unwrap();
        assert_eq!((opened.model.fingerprint().unwrap(), opened.ignored.len()), (print.clone(), 0));
    }
    let folder = fixture("taming");
    let by_file = import::open(&folder.join("last.ckpt"), &device).unwrap();
    let by_folder = import::open(&folder, &device).unwrap();
    assert_eq!(by_file.model.fingerprint().unwrap(), by_folder.model.fingerprint().unwrap());
    assert!(!by_file.ignored.is_empty());
    fs::copy(folder.join("last.ckpt"), root.path().join("alone.ckpt")).unwrap();
    let alone = import::open(&root.path().join("alone.ckpt"), &device).unwrap_err().to_string();
    assert!(alone.contains("0 files .yaml"), "{alone}");
}

#[test]
fn checkpoints_are_found_where_lightning_lays_them() {
    let device = Device::flex();
    let folder = fixture("taming");
    let print = |path: &Path| import::open(path, &device).map(|opened| opened.model.fingerprint().unwrap());
    let expected = print(&folder).unwrap();
    let root = tempfile::tempdir().unwrap();
    let put = |from: &str, to: &str| {
        let to = root.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(folder.join(from), to).unwrap();
    };
    put("last.ckpt", "run/checkpoints/epoch=000012.ckpt");
    put("model.yaml", "run/configs/2021-04-01T00-00-00-project.yaml");
    fs::write(root.path().join("run/configs/2021-04-01T00-00-00-lightning.yaml"), "lightning: {}").unwrap();
    let found =
        ["run", "run/checkpoints", "run/checkpoints/epoch=000012.ckpt"].map(|path| print(&root.path().join(path)));
    assert!(found.iter().all(|found| found.as_ref().is_ok_and(|found| *found == expected)), "{found:?}");
    // The last one counts, and so does a YAML of the checkpoint's own name.
    put("model.yaml", "run/checkpoints/epoch=000013.ckpt");
    let two = print(&root.path().join("run")).unwrap_err().to_string();
    assert!(two.contains("2 files .ckpt") && two.contains("`CKPT,YAML`"), "{two}");
    put("last.ckpt", "run/checkpoints/last.ckpt");
    assert_eq!(print(&root.path().join("run")).unwrap(), expected);
    put("model.yaml", "run/checkpoints/last.yaml");
    put("model.yaml", "run/checkpoints/other.yaml");
    assert_eq!(print(&root.path().join("run")).unwrap(), expected);
    let two = print(&root.path().join("run/checkpoints/epoch=000012.ckpt")).unwrap_err().to_string();
    assert!(two.contains("2 files .yaml") && two.contains("`CKPT,YAML`"), "{two}");
}

#[test]
fn a_byte_order_mark_before_a_configuration_is_passed_over() {
    let device = Device::flex();
    let marked = changed(&fixture("diffusers"), "config.json", |text| format!("\u{feff}{text}"));
    import::diffusers(marked.path(), &device).unwrap();
    let marked = changed(&fixture("taming"), "model.yaml", |text| format!("\u{feff}{text}"));
    taming(marked.path(), &device).unwrap();
}

/// A file of safetensors with one number of a tensor changed.
fn poisoned(path: &Path, key: &str, number: f32) {
    let mut bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let place = 8 + length + header[key]["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[place..place + 4].copy_from_slice(&number.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

#[test]
fn weights_that_are_no_numbers_are_refused_by_their_tensor() {
    let device = Device::flex();
    let (weights, numbers) = ("diffusion_pytorch_model.safetensors", [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    for key in ["encoder.conv_in.bias", "quantize.embedding.weight", "decoder.mid_block.attentions.0.to_q.weight"] {
        for number in numbers {
            let copy = changed(&fixture("diffusers"), "config.json", |text| format!("{text}\n"));
            poisoned(&copy.path().join(weights), key, number);
            let error = import::open(copy.path(), &device).unwrap_err().to_string();
            assert!(error.contains(&format!("`{key}` holds {number}")), "{error}");
        }
    }
    let copy = changed(&fixture("taming"), "model.yaml", |text| format!("{text}\n"));
    let path = copy.path().join("last.ckpt");
    let mut archive = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
    let mut changed_archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if name == "archive/data/1" {
            content[12..16].copy_from_slice(&f32::NAN.to_le_bytes());
        }
        changed_archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        changed_archive.write_all(&content).unwrap();
    }
    fs::write(&path, changed_archive.finish().unwrap().into_inner()).unwrap();
    let error = taming(copy.path(), &device).unwrap_err().to_string();
    assert!(error.contains("tensor `quantize.embedding.weight` holds NaN"), "{error}");
    // One of ours, where the names are ours.
    let model = import::diffusers(&fixture("diffusers"), &device).unwrap().model;
    let root = tempfile::tempdir().unwrap();
    for key in ["quantiser.table", "encoder.norm_out.gamma", "decoder.conv_out.weight"] {
        model.save(&root.path().join("own")).unwrap();
        poisoned(&root.path().join("own/weights.safetensors"), key, f32::NAN);
        let error = VqModel::load(&root.path().join("own"), &device).unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}` holds NaN")), "{error}");
    }
}
