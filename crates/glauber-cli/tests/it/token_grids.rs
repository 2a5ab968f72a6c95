//! Images through a tokenizer, end to end in small: token grids encoded once, training over them, sheets, films, painting in a part,
//! resuming, and the mistakes that users make.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::program::{run, said};
use burn::tensor::Device;
use glauber_image::{LevelConfig, QuantiserConfig, VqConfig, VqModel};
use glauber_pixels::{Colours, Extent, Image};
use serde_json::Value;

const SIDE: usize = 16;
/// Rows (columns) of pixels to a row (column) of tokens.
const FACTOR: usize = 4;

/// What the one line of a refusal says.
fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

/// A tokenizer of drawn weights for colour images of 16×16, whose scalar quantiser uses its tokens without training.
fn tokenizer(folder: &Path, seed: u64) {
    let level = |width| LevelConfig { width, encoder_attention: false, decoder_attention: false };
    let config = VqConfig {
        channels: 3,
        out_channels: 3,
        image_size: SIDE,
        stem_width: 8,
        blocks: 1,
        middle_attention: true,
        norm_groups: 4,
        latent_channels: 4,
        quantiser: QuantiserConfig::Fsq { levels: vec![4, 3, 3] },
        levels: vec![level(8), level(8), level(8)],
    };
    let model = VqModel::new(&config, seed, &Device::flex()).expect("a model");
    model.save(folder).expect("written");
}

const SMALL: [&str; 10] = [
    "model.width=16",
    "model.layers=1",
    "model.condition_width=8",
    "train.warmup_steps=2",
    "train.samples=3",
    "train.sample_every=3",
    "train.checkpoint_every=3",
    "train.validate_every=3",
    "train.validation_sequences=4",
    "data.images.count=40",
];

/// Trains in a moment on shapes in colour, conditioned on classes.
fn train(folder: &Path, name: &str, more: &[&str]) -> Output {
    let settings = SMALL.iter().flat_map(|setting| ["--set", setting]);
    let words = ["train", "image", "--tokenizer", "tok", "--classes", "--steps", "6", "--batch", "4", "--sweeps", "2"];
    let words: Vec<&str> =
        words.into_iter().chain(settings).chain(["--run", name]).chain(more.iter().copied()).collect();
    run(folder, &words)
}

/// All files of a folder with their content, but for the lock and what holds the time.
fn weights(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let last =
        fs::read_dir(run.join("checkpoints")).expect("checkpoints").map(|entry| entry.expect("entry").path()).max();
    for entry in fs::read_dir(last.expect("a checkpoint")).expect("a folder") {
        let path = entry.expect("entry").path();
        if path.extension().is_some_and(|ending| ending == "safetensors") {
            found.push((path.file_name().expect("a name").into(), fs::read(&path).expect("read")));
        }
    }
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn token_grids_are_learned_sampled_and_resumed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    tokenizer(&at.join("tok"), 1);
    let text = said(&train(at, "run", &[]));
    assert!(text.contains("encoding 40 images with a tokenizer of 36 tokens"), "{text}");
    assert!(text.contains("16x16 as 4x4 tokens of 36") && text.contains("38 images to train on, 2 held out"), "{text}");
    let sheet = Image::open(at.join("run/samples-6.png")).expect("a sheet");
    assert_eq!((sheet.colours(), sheet.extent().height()), (Colours::Rgb, 16 * 6 + 4));
    let info = said(&run(at, &["info", "run"]));
    assert!(info.contains("16x16 as 4x4 tokens") && info.contains("36 tokens, sequences of 16"), "{info}");

    // The run keeps its own tokenizer, and what was encoded is found again.
    fs::remove_dir_all(at.join("tok")).expect("removed");
    let sample = ["sample", "--run", "run", "--out", "all.png", "--each-class", "-n", "2", "--animate", "film.png"];
    said(&run(at, &[&sample[..], &["--guidance", "0.5"]].concat()));
    let sheet = Image::open(at.join("all.png")).expect("a sheet");
    let side = |images: usize| images * (16 * 6 + 2) + 2;
    assert_eq!((sheet.extent().height(), sheet.extent().width()), (side(7), side(2)));
    assert_eq!(Image::open(at.join("film.png")).expect("a film").extent(), sheet.extent());
    said(&run(at, &["sample", "--run", "run", "--out", "few.png", "--grid", "2x2", "--class", "1", "--apart", "2"]));
    let bound = said(&run(at, &["eval", "--run", "run", "--sequences", "4", "--draws", "4", "--apart", "4"]));
    assert!(bound.contains("held-out images"), "{bound}");

    // Cut short and gone on with: the same weights, and nothing is encoded again.
    tokenizer(&at.join("tok"), 1);
    let again = said(&train(at, "short", &["--set", "train.steps=6", "--set", "train.keep_checkpoints=9"]));
    assert!(!again.contains("encoding"), "{again}");
    fs::remove_dir_all(at.join("tok")).expect("removed");
    let checkpoints = at.join("short/checkpoints");
    let mut steps: Vec<PathBuf> =
        fs::read_dir(&checkpoints).expect("checkpoints").map(|entry| entry.expect("entry").path()).collect();
    steps.sort();
    assert_eq!(steps.len(), 2);
    fs::remove_dir_all(&steps[1]).expect("the last checkpoint is lost");
    let resumed = said(&run(at, &["train", "image", "--run", "short", "--resume"]));
    assert!(!resumed.contains("encoding"), "{resumed}");
    assert_eq!(weights(&at.join("short")), weights(&at.join("run")));
}

#[test]
fn fidelity_compares_with_images_as_they_came() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    said(&run(at, &["train", "classifier", "--size", "16", "--colour", "--steps", "3", "--run", "classifier"]));
    let judged = |name: &str, seed: u64| -> Value {
        let _ = fs::remove_dir_all(at.join("tok"));
        tokenizer(&at.join("tok"), seed);
        said(&train(at, name, &["--set", "data.images.count=200", "--set", "data.held_out=0.2"]));
        let words = ["fidelity", "--run", name, "--classifier", "classifier", "-n", "40", "--reference", "160"];
        let text = said(&run(at, &words));
        assert!(text.contains("images are as they came") && text.contains("held-out, through the codec"), "{text}");
        serde_json::from_str(&said(&run(at, &[&words[..], &["--json"]].concat()))).expect("one line of JSON")
    };
    let (one, other) = (judged("one", 1), judged("other", 2));
    for set in ["held_out", "independent"] {
        assert_eq!(one[set], other[set], "{set} have nothing to do with the tokenizer");
    }
    assert_ne!(one["samples"], other["samples"]);
    assert_ne!(one["held_out_through_codec"], other["held_out_through_codec"]);
    // Tokenizers of drawn weights lose nearly everything, and that is to be seen.
    let frechet = |set: &str| one[set]["frechet"].as_f64().expect("a number");
    assert!(frechet("held_out_through_codec") > 2.0 * frechet("held_out"), "{one}");
    assert!(frechet("samples") > 2.0 * frechet("held_out"), "{one}");

    said(&train(at, "few", &[]));
    let few = refused(&run(at, &["fidelity", "--run", "few", "--classifier", "classifier", "-n", "40"]));
    assert!(few.contains("2 images held out, expected at least 4") && few.contains("data.held_out"), "{few}");
}

#[test]
fn a_part_is_painted_without_a_look_at_what_it_hides() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    tokenizer(&at.join("tok"), 1);
    said(&train(at, "run", &[]));
    let extent = Extent::new(SIDE, SIDE).expect("an extent");
    // One white pixel makes its patch white: rows 8 and below, and one pixel of the first patch.
    let white = |pixel: usize| pixel / SIDE >= 8 || pixel == 3 * SIDE + 3;
    let mask = (0..SIDE * SIDE).map(|pixel| f32::from(u8::from(white(pixel)))).collect();
    Image::new(extent, Colours::Grey, mask).expect("a mask").save_png(at.join("mask.png")).expect("written");
    let painted = |pixel: usize| pixel / SIDE >= 8 || (pixel / SIDE < FACTOR && pixel % SIDE < FACTOR);
    let seen = |place: usize| (place * 7 % 256) as f32 / 255.0;
    let sheets: Vec<Image> = ["one", "other"]
        .iter()
        .enumerate()
        .map(|(at_hand, name)| {
            let hidden = |place: usize| ((place * 13 + at_hand * 101) % 256) as f32 / 255.0;
            let value = |place: usize| if painted(place / 3) { hidden(place) } else { seen(place) };
            let image = Image::new(extent, Colours::Rgb, (0..SIDE * SIDE * 3).map(value).collect()).expect("an image");
            let [image_file, out] = [format!("{name}.png"), format!("{name}-painted.png")];
            image.save_png(at.join(&image_file)).expect("written");
            let infill =
                ["infill", "--run", "run", "--image", &image_file, "--mask", "mask.png", "--out", &out, "-n", "3"];
            let more = ["--class", "2", "--guidance", "1", "--animate", "film.gif", "--apart", "2"];
            said(&run(at, &[&infill[..], &more].concat()));
            // Alone, it is the image itself with a part painted: what is known is not the decoder's.
            let infill =
                ["infill", "--run", "run", "--image", &image_file, "--mask", "mask.png", "--out", "x.png", "-n", "1"];
            said(&run(at, &infill));
            let alone = Image::open(at.join("x.png")).expect("an image");
            let [bytes, expected] = [&alone, &image].map(Image::to_bytes);
            for place in (0..bytes.len()).filter(|place| !painted(place / 3)) {
                assert_eq!(bytes[place], expected[place], "at {place}");
            }
            Image::open(at.join(out)).expect("a sheet")
        })
        .collect();
    // Also the first tile, where what is hidden is covered.
    assert_eq!(sheets[0], sheets[1]);
    assert!(at.join("film.gif").is_file());
    let tile =
        |number: usize| sheets[0].crop(2, 2 + number * 98, Extent::new(96, 96).expect("an extent")).expect("a tile");
    assert_ne!(tile(1), tile(2), "two paintings differ");
    for pixel in (0..SIDE * SIDE).filter(|&pixel| painted(pixel)) {
        assert!((tile(0).pixel(pixel / SIDE * 6, pixel % SIDE * 6)[0] - 0.5).abs() < 0.01, "pixel {pixel} is covered");
    }
}

#[test]
fn mistakes_with_tokenizers_name_the_cure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    tokenizer(&at.join("tok"), 1);
    let size = refused(&train(at, "odd", &["--size", "18"]));
    assert!(size.contains("data.height") && size.contains("multiple of 4") && size.contains("--size"), "{size}");
    let levels = run(at, &["train", "image", "--tokenizer", "tok", "--levels", "2"]);
    assert!(refused(&levels).contains("--levels"));
    let mnist = refused(&run(at, &["train", "image", "--tokenizer", "tok/weights.safetensors"]));
    assert!(mnist.contains("no checkpoint") && mnist.contains("diffusers"), "{mnist}");
    said(&train(at, "run", &[]));
    let sample_tokenizer = refused(&run(at, &["sample", "--run", "tok", "--out", "x.png"]));
    assert!(sample_tokenizer.contains("is an image tokenizer, expected the run of a model"), "{sample_tokenizer}");
    let info = said(&run(at, &["info", "tok"]));
    assert!(info.contains("16x16 pixels of 3 channels as 4x4 tokens of 36"), "{info}");

    let own = at.join("run/tokenizer");
    fs::rename(&own, at.join("kept")).expect("moved");
    let resume = ["train", "image", "--run", "run", "--resume"];
    let sample = ["sample", "--run", "run", "--out", "x.png"];
    for words in [&resume[..], &sample] {
        let missing = refused(&run(at, words));
        assert!(missing.contains("run/tokenizer") && missing.contains("--tokenizer"), "{missing}");
    }
    tokenizer(&own, 2);
    for words in [&resume[..], &sample] {
        let other = refused(&run(at, words));
        assert!(other.contains("not the one this run was trained with") && other.contains("--tokenizer"), "{other}");
    }
    fs::remove_dir_all(&own).expect("removed");
    fs::rename(at.join("kept"), &own).expect("moved back");
    let config = at.join("run/config.toml");
    let text = fs::read_to_string(&config).expect("read");
    fs::write(&config, text.replace("count = 40", "count = 41")).expect("written");
    let changed = refused(&run(at, &resume));
    assert!(changed.contains("the images, or the keys of `config.toml` that split them, have changed"), "{changed}");
    // A tokenizer in a folder that no run was begun in is somebody's.
    fs::create_dir(at.join("full")).expect("created");
    tokenizer(&at.join("full/tokenizer"), 3);
    let full = refused(&train(at, "full", &[]));
    assert!(full.contains("not empty"), "{full}");
}

#[test]
fn a_folder_is_flipped_and_cropped_in_as_many_passes_as_asked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    tokenizer(&at.join("tok"), 1);
    fs::create_dir(at.join("pictures")).expect("created");
    let extent = Extent::new(24, 40).expect("an extent");
    for number in 0..4 {
        let bytes: Vec<u8> = (0..24 * 40 * 3).map(|place| (place * (number + 3) % 251) as u8).collect();
        let image = Image::from_bytes(extent, Colours::Rgb, &bytes).expect("an image");
        image.save_png(at.join(format!("pictures/{number}.png"))).expect("written");
    }
    let settings = SMALL[..SMALL.len() - 1].iter().flat_map(|setting| ["--set", setting]);
    let words = ["train", "image", "--tokenizer", "tok", "--steps", "3"];
    let images = ["--set", "data.held_out=0.25", "--batch", "4", "--sweeps", "2"];
    let base: Vec<&str> = words.into_iter().chain(images).chain(settings).collect();
    let config = "[data.images]\nkind = \"folder\"\npath = \"pictures\"\nflip = true\ncrop_margin = 0.5\n";
    fs::write(at.join("chance.toml"), config).expect("written");
    let encoded = |name: &str, more: &[&str]| said(&run(at, &[&base[..], &["--run", name], more].concat()));
    assert!(encoded("still", &["--data", "folder", "--path", "pictures"]).contains("encoding 4 images"));
    let chance = ["--config", "chance.toml"];
    assert!(encoded("chance", &chance).contains("encoding 25 images"), "eight passes over three, one held out");
    let five = encoded("five", &[&chance[..], &["--set", "data.tokenizer.passes=5"]].concat());
    assert!(five.contains("encoding 16 images"), "{five}");
    assert!(!encoded("same", &chance).contains("encoding"), "found in the cache");
    // The same by settings, and by flags.
    let pictures = ["--data", "folder", "--path", "pictures"];
    let settings = ["--set", "data.images.flip=true", "--set", "data.images.crop_margin=0.5"];
    for (name, asked) in [("set", &settings[..]), ("flags", &["--flip", "--crop-margin", "0.5"])] {
        let text = encoded(name, &[&pictures[..], asked].concat());
        assert!(!text.contains("encoding"), "{name}: found in the cache: {text}");
    }
}

#[test]
fn tokenizers_of_other_projects_are_opened() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../glauber-image/tests/fixtures");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let [diffusers, taming] = ["diffusers", "taming"].map(|name| fixtures.join(name).display().to_string());
    let pair = format!("{taming}/last.ckpt,{taming}/model.yaml");
    for (name, path) in [("a", &diffusers), ("b", &taming), ("c", &pair)] {
        let settings = SMALL.iter().flat_map(|setting| ["--set", setting]);
        let words =
            ["train", "image", "--tokenizer", path, "--size", "8", "--steps", "3", "--batch", "4", "--sweeps", "1"];
        let words: Vec<&str> = words.into_iter().chain(settings).chain(["--run", name, "-v"]).collect();
        let output = run(at, &words);
        let text = said(&output);
        assert_eq!(text.contains("are not needed"), name != "a", "{text}");
        let more = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(more.contains("tensor not needed: loss.perceptual_loss.lin0.model.1.weight"), name != "a", "{more}");
        assert_eq!(text.contains("encoding"), name != "c", "the third is the second again: {text}");
        said(&run(at, &["sample", "--run", name, "--out", "x.png", "-n", "1"]));
    }
    // A number that is none, in the file of another project and in the run's own.
    let poisoned = |from: &Path, to: &Path| {
        let mut bytes = fs::read(from).expect("weights");
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        fs::write(to, bytes).expect("written");
    };
    fs::create_dir(at.join("nan")).expect("created");
    fs::copy(fixtures.join("diffusers/config.json"), at.join("nan/config.json")).expect("copied");
    let weights = "diffusion_pytorch_model.safetensors";
    poisoned(&fixtures.join("diffusers").join(weights), &at.join("nan").join(weights));
    let foreign = refused(&run(at, &["train", "image", "--tokenizer", "nan", "--size", "8", "--steps", "1"]));
    assert!(foreign.contains(weights) && foreign.contains("holds NaN"), "{foreign}");
    let own = at.join("a/tokenizer/weights.safetensors");
    poisoned(&own, &own);
    let sampled = refused(&run(at, &["sample", "--run", "a", "--out", "x.png"]));
    assert!(sampled.contains("a/tokenizer") && sampled.contains("holds NaN"), "{sampled}");
}
