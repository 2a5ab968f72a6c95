//! Training of image tokenizers end to end in small: what a run leaves behind, runs that are stopped or killed, and the mistakes that
//! users make.

use std::fs;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use crate::program::{glauber, run, said};
use burn::tensor::Device;
use glauber_image::ImageTokenizer;
use glauber_pixels::{Colours, Extent, Image};

/// A network that trains in a moment on 16×16 shapes, with a discriminator.
fn small(run: &str, steps: &str) -> Vec<String> {
    let settings = [
        "model.stem_width=8",
        "model.norm_groups=4",
        "model.latent_channels=8",
        "model.levels=[{ width = 8 }, { width = 8 }]",
        "model.middle_attention=false",
        "run.evaluate_every=4",
        "run.checkpoint_every=6",
        "run.held_out_images=6",
        "run.shown=3",
        "train.warmup_steps=2",
        "train.revive_below=0.3",
        "train.discriminator.begin=5",
        "train.discriminator.width=8",
        "train.discriminator.halvings=1",
        "train.discriminator.adaptive=true",
        "data.images.count=60",
    ];
    let words = ["train", "image-tokenizer", "--size", "16x16", "--batch", "4", "--quantiser", "codebook:32"];
    let ends = ["--steps", steps, "--run", run];
    let words = words.into_iter().chain(ends).chain(settings.iter().flat_map(|setting| ["--set", *setting]));
    words.map(Into::into).collect()
}

fn train(folder: &Path, words: &[String]) -> Output {
    run(folder, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let parse = |line| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line.as_object_mut().expect("an object").remove("seconds");
        line
    };
    text.lines().map(parse).collect()
}

#[test]
fn a_run_leaves_a_tokenizer_and_what_tells_of_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let text = said(&train(at, &small("run", "10")));
    assert!(text.contains("8×8 tokens of 32") && text.contains("PSNR") && text.contains("run/tokenizer"), "{text}");
    let lines = metrics(&at.join("run"));
    assert_eq!(lines.iter().map(|line| line["step"].as_u64()).collect::<Vec<_>>(), [Some(4), Some(8), Some(10)]);
    for line in &lines {
        let number = |key: &str| line[key].as_f64().unwrap_or_else(|| panic!("no `{key}` in {line}"));
        assert!(number("psnr") > 0.0 && number("psnr") < 60.0 && number("ssim") < 1.0);
        assert!((1.0..=32.0).contains(&number("used")));
        assert!(number("perplexity") >= 1.0 && number("perplexity") <= number("used") + 1e-9);
        assert!(number("total") > 0.0 && number("absolute") > 0.0);
        assert_eq!(line["discriminator"].is_number(), number("step") > 5.0, "{line}");
    }
    let sheet = Image::open(at.join("run/reconstructions-8.png")).expect("a sheet");
    assert_eq!(sheet.extent(), Extent::new(2 * 98 + 2, 3 * 98 + 2).expect("an extent"));
    let curves = fs::read_to_string(at.join("run/quality.svg")).expect("curves");
    assert!(curves.contains("perplexity") && curves.contains("PSNR"));
    let config: toml::Table =
        fs::read_to_string(at.join("run/config.toml")).expect("a configuration").parse().expect("TOML");
    assert_eq!(config["model"]["image_size"].as_integer(), Some(16));
    assert_eq!(config["train"]["steps"].as_integer(), Some(10));

    let info = said(&run(at, &["info", "run"]));
    for part in
        ["of an image tokenizer", "60 drawn shapes", "as 8x8 tokens of 32, a codebook", "PSNR", "at step 10 of 10"]
    {
        assert!(info.contains(part), "no `{part}` in {info}");
    }
    let output = run(at, &["sample", "--run", "run", "--out", "x.png"]);
    let refused = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && refused.contains("--tokenizer run"), "{refused}");

    // The tokenizer reads images as the evaluation did.
    let tokenizer = ImageTokenizer::load(&at.join("run/tokenizer"), &Device::flex()).expect("a tokenizer");
    assert_eq!((tokenizer.grid(), tokenizer.vocab_size()), ([8, 8], 32));

    // The resolved configuration makes the same run.
    said(&run(at, &["train", "image-tokenizer", "--config", "run/config.toml", "--run", "again"]));
    assert_eq!(metrics(&at.join("again")), lines);
    let weights = |run: &str| fs::read(at.join(run).join("tokenizer/weights.safetensors")).expect("weights");
    assert!(weights("run") == weights("again"));

    // A kill after the last checkpoint leaves what is made of it behind the times, or nothing: going on makes it again.
    let resume = ["train", "image-tokenizer", "--resume", "--run", "run"];
    fs::remove_dir_all(at.join("run/tokenizer")).expect("removed");
    fs::remove_file(at.join("run/quality.svg")).expect("removed");
    fs::write(at.join("run/metrics.jsonl"), "").expect("written");
    said(&run(at, &resume));
    assert!(weights("run") == weights("again") && at.join("run/quality.svg").is_file());
    assert_eq!(metrics(&at.join("run")), lines);

    // A checkpoint that a failing disk has spoilt is named, and the one before it does.
    let last = at.join("run/checkpoints/step-00000010");
    fs::write(last.join("training/weights.safetensors"), "").expect("written");
    let spoilt = run(at, &resume);
    let text = String::from_utf8_lossy(&spoilt.stderr).into_owned();
    assert!(spoilt.status.code() == Some(2) && text.contains("step-00000010: remove this folder"), "{text}");
    fs::remove_dir_all(&last).expect("removed");
    said(&run(at, &resume));
    assert_eq!(metrics(&at.join("run")), lines);
    assert!(weights("run") == weights("again"));
}

#[test]
fn scalar_quantisation_greys_and_folders() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    fs::create_dir(at.join("pictures")).expect("a folder");
    for number in 0..4u8 {
        let bytes: Vec<u8> = (0..40 * 30).map(|pixel| (pixel % 251) as u8 ^ (number * 40)).collect();
        let image = Image::from_bytes(Extent::new(40, 30).expect("an extent"), Colours::Grey, &bytes);
        image.expect("an image").save_png(at.join(format!("pictures/{number}.png"))).expect("written");
    }
    for number in 0..7 {
        fs::write(at.join(format!("pictures/broken-{number}.jpg")), "not a picture").expect("written");
    }
    let mut words = small("run", "6");
    words.retain(|word| word != "data.images.count=60");
    let last = words.pop();
    assert_eq!(last.as_deref(), Some("--set"));
    let quantiser = words.iter().position(|word| word == "codebook:32").expect("the quantiser");
    words[quantiser] = "fsq:4,3,3".into();
    let more = ["--data", "folder", "--path", "pictures", "--set", "model.channels=1", "--set", "model.out_channels=1"];
    words.extend(more.map(String::from));
    words.push("-v".into());
    let output = train(at, &words);
    let text = said(&output);
    assert!(text.contains("4 images read, 7 files left out") && text.contains("broken-4.jpg"), "{text}");
    assert!(text.contains("and 2 more (`-v` names every one)") && text.contains("held out: /"), "{text}");
    let more = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(more.contains("broken-5.jpg") && more.contains("broken-6.jpg"), "{more}");
    let tokenizer = ImageTokenizer::load(&at.join("run/tokenizer"), &Device::flex()).expect("a tokenizer");
    assert_eq!((tokenizer.vocab_size(), tokenizer.model().config().channels), (36, 1));

    // A model on what this tokenizer makes of a folder sees crops as the tokenizer did; the path in a run is absolute.
    let settings = ["model.width=16", "model.layers=1", "model.condition_width=8", "data.tokenizer.passes=2"];
    let settings = settings.iter().flat_map(|setting| ["--set", *setting]);
    let words = ["train", "image", "--data", "folder", "--path", "pictures", "--tokenizer", "run", "--steps", "1"];
    let words = words.into_iter().chain(["--batch", "2", "--sweeps", "1", "--run", "model"]).chain(settings);
    let text = said(&run(at, &words.collect::<Vec<_>>()));
    assert!(text.contains("`--flip=true --crop-margin 3`"), "{text}");
    for name in ["run", "model"] {
        let config = fs::read_to_string(at.join(name).join("config.toml")).expect("a configuration");
        let config: toml::Table = config.parse().expect("TOML");
        let images = &config["data"]["images"];
        assert_eq!((images["flip"].as_bool(), images["crop_margin"].as_float()), (Some(true), Some(3.0)));
        assert!(Path::new(images["path"].as_str().expect("a path")).is_absolute(), "{images}");
    }

    // Another picture under the name of one: the run is not on these images.
    let extent = Extent::new(40, 30).expect("an extent");
    Image::filled(extent, Colours::Grey, 0.5).save_png(at.join("pictures/2.png")).expect("written");
    let changed = run(at, &["train", "image-tokenizer", "--resume", "--run", "run"]);
    let text = String::from_utf8_lossy(&changed.stderr).into_owned();
    assert!(
        changed.status.code() == Some(2)
            && text.contains("run: the images, or the keys of `config.toml` that split them, have changed"),
        "{text}"
    );
}

fn start(folder: &Path, words: &[String]) -> Child {
    let mut command = glauber(words);
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
}

#[test]
fn a_killed_run_resumes_to_the_same_numbers() {
    const STEPS: &str = "60";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    said(&train(at, &small("unbroken", STEPS)));
    let (begin, resume) = (
        small("broken", STEPS),
        ["train", "image-tokenizer", "--resume", "--run", "broken", "--threads", "1"].map(String::from),
    );
    let mut kills = 0;
    let mut child = start(at, &begin);
    for attempt in 0u64.. {
        // Uneven waits hit steps, evaluations and the writing of checkpoints alike.
        std::thread::sleep(Duration::from_millis(100 + (attempt * 37) % 101 + attempt * 10));
        if let Some(status) = child.try_wait().expect("the program can be waited for") {
            assert!(status.success(), "attempt {attempt} failed by itself");
            break;
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("the program is gone");
        kills += 1;
        let begun = at.join("broken/config.toml").exists();
        child = start(at, if begun { &resume } else { &begin });
    }
    assert!(kills >= 2, "the run was over after {kills} kills: not a test");
    let read = |run: &str, file: &str| fs::read(at.join(run).join(file)).unwrap_or_else(|_| panic!("{run}/{file}"));
    let checkpoint = "checkpoints/step-00000060";
    for file in ["weights.safetensors", "averages.f64", "discriminator/weights.safetensors", "progress.toml"] {
        let file = format!("{checkpoint}/training/{file}");
        assert!(read("unbroken", &file) == read("broken", &file), "{file} differs after {kills} kills");
    }
    for file in ["tokenizer/weights.safetensors", "reconstructions-60.png"] {
        assert!(read("unbroken", file) == read("broken", file), "{file} differs after {kills} kills");
    }
    assert_eq!(metrics(&at.join("unbroken")), metrics(&at.join("broken")), "metrics differ after {kills} kills");
    let kept = fs::read_dir(at.join("broken/checkpoints")).expect("checkpoints").count();
    assert_eq!(kept, 2, "`run.keep_checkpoints`");
}

#[test]
fn mistakes_with_tokenizers_are_one_line_that_names_the_cure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    fs::create_dir(at.join("full")).expect("a folder");
    fs::write(at.join("full/notes.txt"), "mine").expect("written");
    for (words, name) in [
        (vec!["--data", "mnist"], "--path"),
        (vec!["--data", "folder", "--path", "nowhere"], "nowhere"),
        (vec!["--data", "paintings"], "shapes, mnist or folder"),
        (vec!["--data", "shapes", "--path", "x"], "`--path` has no effect"),
        (vec!["--size", "32x48"], "--size 32x48"),
        (vec!["--size", "30"], "image_size"),
        (vec!["--quantiser", "fsq:8,2"], "quantiser.levels"),
        (vec!["--quantiser", "tree"], "--quantiser tree"),
        (vec!["--quantiser", "codebook:-3"], "--quantiser codebook:-3"),
        (vec!["--set", "train.discriminator.weight=0.5"], "discriminator.begin"),
        (vec!["--batch", "3"], "--batch"),
        (vec!["--steps", "0"], "steps"),
        (vec!["--set", "train.learning_rate=-1"], "learning_rate"),
        (vec!["--set", "train.lerning_rate=1"], "lerning_rate"),
        (vec!["--set", "model.channels=2"], "channels"),
        (vec!["--set", "data.held_out=1.5"], "data.held_out"),
        (vec!["--set", "train.discriminator.halvings=5"], "discriminator.halvings"),
        (vec!["--config", "none.toml"], "none.toml"),
        (vec!["--device", "abacus"], "--device abacus"),
        (vec!["--run", "full"], "--run full"),
        (vec!["--resume", "--run", "full"], "--run full"),
        (vec!["--resume"], "--run"),
    ] {
        let all: Vec<&str> = ["train", "image-tokenizer"].into_iter().chain(words.iter().copied()).collect();
        let output = run(at, &all);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(!said.contains("panicked") && said.contains(name), "{words:?}: no `{name}` in: {said}");
    }
    assert!(!at.join("runs").exists(), "a mistake leaves no run");
}
