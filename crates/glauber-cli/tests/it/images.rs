//! Images end to end in small: training on drawn shapes, sheets, films, painting in a part, and the mistakes that users make.

use std::fs;
use std::path::Path;

use crate::program::{glauber, run, said};
use glauber_pixels::{Colours, Extent, Image, PixelCodec};
use glauber_tokens::{Codec, Token};

const SIDE: usize = 8;

/// Trains in a moment on 8×8 shapes in four greys, conditioned on classes.
fn trained(folder: &Path, more: &[&str]) -> String {
    let small = ["model.width=16", "model.layers=1", "model.condition_width=8", "train.warmup_steps=2"];
    let short = ["train.samples=4", "train.sample_every=3", "train.validation_sequences=4", "data.images.count=50"];
    let settings = small.iter().chain(&short).flat_map(|setting| ["--set", setting]);
    let words = ["train", "image", "--size", "8", "--classes", "--steps", "6", "--batch", "4", "--sweeps", "2"];
    let words: Vec<&str> = words.into_iter().chain(settings).chain(["--run", "run"]).collect();
    said(&run(folder, &[&words[..], more].concat()))
}

/// A token of 2×2 pixels: a quarter of the sites, and what is known outside of them stays pixel by pixel.
#[test]
fn patches_of_pixels_are_tokens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    trained(at, &["--patch", "2"]);
    assert!(said(&run(at, &["info", "run"])).contains("2x2 pixels a token"));
    let sample = ["sample", "--run", "run", "-n", "2", "--out", "sheet.png"];
    let output = run(at, &sample);
    said(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("32.0 evaluations"), "{output:?}");
    let report = said(&run(at, &["eval", "--run", "run", "--sequences", "2", "--draws", "2"]));
    let number = |unit: &str| -> f64 {
        let line = report.lines().find(|line| line.ends_with(unit)).unwrap_or_else(|| panic!("no {unit}: {report}"));
        line.split_whitespace().rev().nth(5).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{line}"))
    };
    assert!((number("bits per token") / number("bits per pixel") - 4.0).abs() < 0.01, "{report}");

    let extent = Extent::new(SIDE, SIDE).expect("an extent");
    Image::filled(extent, Colours::Grey, 1.0).save_png(at.join("image.png")).expect("written");
    // A pixel of the patch at (2, 4) is to be painted.
    let dot = |pixel: usize| f32::from(u8::from(pixel == 3 * SIDE + 5));
    let mask = Image::new(extent, Colours::Grey, (0..SIDE * SIDE).map(dot).collect()).expect("a mask");
    mask.save_png(at.join("mask.png")).expect("written");
    let infill =
        ["infill", "--run", "run", "--image", "image.png", "--mask", "mask.png", "--out", "out.png", "-n", "1"];
    said(&run(at, &infill));
    let painted = Image::open(at.join("out.png")).expect("an image");
    let around =
        (0..SIDE * SIDE).filter(|pixel| ![2, 3].contains(&(pixel / SIDE)) || ![4, 5].contains(&(pixel % SIDE)));
    assert!(around.into_iter().all(|pixel| painted.pixel(pixel / SIDE, pixel % SIDE)[0] == 1.0));
}

#[test]
fn shapes_are_learned_sampled_filmed_and_painted_in() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let text = trained(at, &[]);
    assert!(text.contains("classes, from 0: circle, square"), "{text}");
    assert!(at.join("run/samples-3.png").is_file() && at.join("run/samples-6.png").is_file(), "{text}");

    let sample =
        ["sample", "--run", "run", "--class", "1", "--out", "sheet.png", "--grid", "2x3", "--animate", "film.gif"];
    let output = run(at, &sample);
    said(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("128.0 evaluations"));
    let named = ["sample", "--run", "run", "--class", "square", "--out", "named.png", "--grid", "2x3"];
    said(&run(at, &named));
    assert!(fs::read(at.join("named.png")).expect("a sheet") == fs::read(at.join("sheet.png")).expect("a sheet"));
    let info = said(&run(at, &["info", "run"]));
    assert!(info.contains("classes     0 circle, 1 square, 2 "), "{info}");
    // Guidance asks the network twice.
    let output = run(at, &["sample", "--run", "run", "--class", "1", "--guidance", "2", "--out", "guided.png"]);
    said(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("256.0 evaluations"));
    let sheet = Image::open(at.join("sheet.png")).expect("a sheet");
    assert_eq!((sheet.extent().height(), sheet.extent().width()), (2 * 66 + 2, 3 * 66 + 2));
    assert!(at.join("film.gif").is_file());

    let extent = Extent::new(SIDE, SIDE).expect("an extent");
    let codec = PixelCodec::new(extent, 4).expect("four greys");
    let known: Vec<Token> = (0..SIDE * SIDE).map(|site| (site % 4) as Token).collect();
    codec.decode(&known).expect("an image").save_png(at.join("image.png")).expect("written");
    // The right half is to be painted.
    let white = |site: usize| if site % SIDE < SIDE / 2 { 0.0 } else { 1.0 };
    let mask = Image::new(extent, Colours::Grey, (0..SIDE * SIDE).map(white).collect()).expect("a mask");
    mask.save_png(at.join("mask.png")).expect("written");
    let infill =
        ["infill", "--run", "run", "--image", "image.png", "--mask", "mask.png", "--out", "painted.png", "-n", "2"];
    said(&run(at, &infill));
    let painted = Image::open(at.join("painted.png")).expect("a sheet");
    let mut differ = 0;
    for tile in 0..3 {
        for (site, &token) in known.iter().enumerate() {
            // Each pixel is a square of 8 × 8, images and edges are 2 apart.
            let (row, column) = (2 + site / SIDE * 8, 2 + tile * 66 + site % SIDE * 8);
            let found = painted.pixel(row, column)[0];
            let same = (found - token as f32 / 3.0).abs() < 0.01;
            assert!(same || white(site) == 1.0, "what is known was changed at tile {tile}, site {site}: {found}");
            differ += usize::from(!same);
        }
    }
    assert!(differ > 0, "nothing was painted");

    // The picture is there, and nobody reads what is said of it.
    let closed = || std::process::Stdio::from(std::io::pipe().expect("a pipe").1);
    for words in [&["sample", "--run", "run", "-n", "1", "--out", "unread.png"][..], &infill] {
        let output =
            glauber(words).current_dir(at).stdout(closed()).stderr(closed()).output().expect("the program runs");
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
    assert!(at.join("unread.png").is_file());

    // One painting is the image itself. Of a wide picture the middle is shown, as in training, and a dot of a large mask is painted.
    let wide = |place: usize| match (place % (4 * SIDE)).checked_sub(SIDE + SIDE / 2) {
        Some(column) if column < SIDE => known[place / (4 * SIDE) * SIDE + column] as f32 / 3.0,
        _ => 0.5,
    };
    let wide = Image::new(
        Extent::new(SIDE, 4 * SIDE).expect("an extent"),
        Colours::Grey,
        (0..4 * SIDE * SIDE).map(wide).collect(),
    );
    wide.expect("an image").save_png(at.join("wide.png")).expect("written");
    let dot = |pixel: usize| f32::from(u8::from(pixel == 31 * 100 + 57));
    let dot = Image::new(Extent::new(100, 100).expect("an extent"), Colours::Grey, (0..10_000).map(dot).collect());
    dot.expect("an image").save_png(at.join("dot.png")).expect("written");
    let infill =
        ["infill", "--run", "run", "--image", "wide.png", "--mask", "dot.png", "--out", "alone.png", "-n", "1"];
    said(&run(at, &infill));
    let alone = Image::open(at.join("alone.png")).expect("an image");
    assert_eq!(alone.extent(), extent);
    for site in (0..SIDE * SIDE).filter(|&site| site != 2 * SIDE + 4) {
        let found = alone.pixel(site / SIDE, site % SIDE)[0];
        assert!((found - known[site] as f32 / 3.0).abs() < 0.01, "site {site}: {found}");
    }

    // Of each held-out image itself, the image without the part, two paintings: the known half is the same on all three of them.
    let infill = ["infill", "--run", "run", "--held-out", "2", "--mask", "mask.png", "--out", "rows.png", "-n", "2"];
    said(&run(at, &infill));
    let rows = Image::open(at.join("rows.png")).expect("a sheet");
    assert_eq!((rows.extent().height(), rows.extent().width()), (2 * 66 + 2, 4 * 66 + 2));
    for (row, column) in (0..2 * SIDE).flat_map(|row| (0..SIDE / 2).map(move |column| (row, column))) {
        let y = 2 + row / SIDE * 66 + row % SIDE * 8;
        let tiles = [1, 2, 3].map(|tile| rows.pixel(y, 2 + tile * 66 + column * 8)[0]);
        assert!(tiles.iter().all(|&found| found == tiles[0]), "row {row}, column {column}: {tiles:?}");
    }
}

#[test]
fn mistakes_with_images_are_one_line_that_names_the_cure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    trained(at, &[]);
    let black = Image::filled(Extent::new(SIDE, SIDE).expect("an extent"), Colours::Grey, 0.0);
    black.save_png(at.join("black.png")).expect("written");
    Image::filled(black.extent(), Colours::Grey, 1.0).save_png(at.join("white.png")).expect("written");
    let jpeg = Path::new(env!("CARGO_MANIFEST_DIR")).join("../glauber-pixels/tests/fixtures/baseline.jpg");
    let jpeg = fs::read(jpeg).expect("a fixture");
    fs::create_dir_all(at.join("cut/class")).expect("created");
    for name in ["cut.jpg", "cut/class/cut.jpg"] {
        fs::write(at.join(name), &jpeg[..jpeg.len() / 2]).expect("written");
    }
    let lattice = "schedule.order={ kind = \"spaced\", height = 12, width = 8, spacing = 2 }";
    for (words, name) in [
        (vec!["train", "image", "--data", "mnist"], "--path"),
        (vec!["train", "image", "--data", "folder", "--path", ".", "--classes"], "`--classes` (leave it out"),
        (vec!["train", "image", "--flip"], "`--flip` and `--crop-margin` need `--data folder`"),
        (vec!["train", "image", "--data", "folder", "--path", ".", "--crop-margin", "-1"], "--crop-margin"),
        (vec!["train", "image", "--size", "8x12", "--set", lattice], "`height` = 8 and `width` = 12"),
        (vec!["train", "image", "--data", "mnist", "--path", "nowhere"], "nowhere"),
        (vec!["train", "image", "--data", "paintings"], "shapes, mnist or folder"),
        (vec!["train", "image", "--set", "model.positions.grid.columns=5"], "model.positions"),
        (vec!["train", "image", "--set", "data.levels=2", "--set", "data.tokenizer.path=x"], "leave one out"),
        (vec!["train", "image", "--tokenizer", "nowhere"], "--tokenizer"),
        (vec!["train", "image", "--tokenizer", "run"], "--tokenizer"),
        (vec!["sample", "--run", "run"], "--out"),
        (vec!["sample", "--run", "run", "--out", "x.png", "--class", "9"], "the classes 0 circle, 1 square"),
        (vec!["sample", "--run", "run", "--out", "x.png", "--animate", "x.mov"], ".gif"),
        (vec!["infill", "--run", "run", "--image", "black.png", "--mask", "black.png", "--out", "x.png"], "white"),
        (vec!["sample", "--run", "run", "--out", "x.png", "--apart", "9"], "1..=8"),
        (vec!["infill", "--run", "run", "--held-out", "0", "--mask", "white.png", "--out", "x.png"], "--held-out"),
        (vec!["infill", "--run", "run", "--held-out", "2"], "--mask"),
        (vec!["infill", "--run", "run", "--mask", "white.png", "--out", "x.png", "--gap-tokens", "3"], "--gap-tokens"),
        (vec!["infill", "--run", "run", "--mask", "white.png", "--out", "x.png", "--candidates", "3"], "--candidates"),
        (
            vec!["infill", "--run", "run", "--image", "black.png", "--mask", "white.png", "--out", "black.png"],
            "`--image`",
        ),
        (
            vec!["infill", "--run", "run", "--image", "black.png", "--mask", "white.png", "--out", "white.png"],
            "`--mask`",
        ),
        (vec!["sample", "--run", "run", "--out", "run/config.toml"], "ends in .png"),
        (vec!["sample", "--run", "run", "--out", "x.jpg"], "ends in .png"),
        (vec!["sample", "--run", "run", "--out", "x.png", "--animate", "./x.png"], "`--out`"),
        (vec!["sample", "--run", "run", "--out", "none/x.png"], "cannot write there"),
        (vec!["sample", "--run", "run", "--out", "x.png", "--grid", "1x512"], "`--grid`"),
        (vec!["sample", "--run", "run", "--out", "x.png", "--class", "-1"], "the classes 0 circle"),
        (vec!["sample", "--run", "run", "--out", "x.png", "--class", "dog"], "has the classes 0 circle, 1 square"),
        (
            vec!["infill", "--run", "run", "--image", "cut.jpg", "--mask", "white.png", "--out", "x.png"],
            "cut.jpg: the data of the",
        ),
        (
            vec!["infill", "--run", "run", "--image", "black.png", "--mask", "cut.jpg", "--out", "x.png"],
            "cut.jpg: the data of the",
        ),
        (vec!["train", "image", "--data", "folder", "--path", "nowhere", "--classes"], "cannot search"),
        (vec!["train", "image", "--data", "mnist", "--path", "nowhere", "--classes"], "nowhere: no train-images"),
        (
            vec!["train", "image", "--data", "folder", "--path", "cut", "--classes"],
            "no image that can be read among 1 files",
        ),
        (vec!["infill", "--run", "run", "a text with a ____"], "not trained on text"),
    ] {
        let output = run(at, &words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(!said.contains("panicked") && said.contains(name), "{words:?}: no `{name}` in: {said}");
        let blamed = said.contains("`--classes` (leave it out");
        assert_eq!(blamed, name.contains("leave it out"), "{words:?}: another cause is named: {said}");
    }

    // A run of before names of classes were kept says so.
    let vocabulary = at.join("run/vocabulary.json");
    let mut json: serde_json::Value =
        serde_json::from_slice(&fs::read(&vocabulary).expect("a vocabulary")).expect("JSON");
    assert_eq!(json["classes"][1], "square");
    json.as_object_mut().expect("an object").remove("classes");
    fs::write(&vocabulary, json.to_string()).expect("written");
    fs::remove_file(at.join("run/checksums.b3")).expect("checksums, which such a run had none of");
    let info = said(&run(at, &["info", "run"]));
    assert!(info.contains("classes     0..7, whose names the run does not keep"), "{info}");
    let output = run(at, &["sample", "--run", "run", "--out", "x.png", "--class", "square"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("0..7, whose names it does not keep"), "{said}");
    self::said(&run(at, &["sample", "--run", "run", "--out", "x.png", "--class", "1", "-n", "1"]));

    // Weights, averages and moments that are no numbers are named.
    let checkpoints = fs::read_dir(at.join("run/checkpoints")).expect("checkpoints");
    let newest = checkpoints.map(|entry| entry.expect("an entry").path()).max().expect("a checkpoint");
    let resume = ["train", "image", "--run", "run", "--resume"];
    fs::remove_file(newest.join("checksums.b3")).expect("checksums, which would name the file first");
    for (name, words) in [
        ("average", &["sample", "--run", "run", "--out", "x.png"][..]),
        ("weights", &resume),
        ("average", &resume),
        ("moment-1", &resume),
        ("moment-2", &resume),
    ] {
        let path = newest.join(format!("{name}.safetensors"));
        let whole = fs::read(&path).expect("weights");
        fs::write(&path, [&whole[..whole.len() - 4], &f32::INFINITY.to_le_bytes()].concat()).expect("written");
        let output = run(at, words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(
            said.contains(&format!("{name}.safetensors: tensor `")) && said.contains("` holds inf"),
            "{name}: {said}"
        );
        fs::write(&path, whole).expect("written back");
    }

    // A run holds out some of the images that it began with, and no others.
    let config = at.join("run/config.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, text.replace("count = 50", "count = 51")).expect("written");
    for words in [
        vec!["train", "image", "--run", "run", "--resume"],
        vec!["eval", "--run", "run", "--sequences", "2", "--draws", "2"],
        vec!["fidelity", "--run", "run", "--classifier", "run"],
        vec!["infill", "--run", "run", "--mask", "white.png", "--out", "x.png"],
    ] {
        let output = run(at, &words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(
            said.contains("run: the images, or the keys of `config.toml` that split them, have changed"),
            "{words:?}: {said}"
        );
    }
}

#[test]
fn labels_that_nobody_asks_for_may_be_any() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    fs::create_dir(at.join("letters")).expect("created");
    let put = |name: &str, magic: u8, axes: &[u32], content: Vec<u8>| {
        let axes = axes.iter().flat_map(|axis| axis.to_be_bytes());
        let file: Vec<u8> = [0, 0, 8, magic].into_iter().chain(axes).chain(content).collect();
        fs::write(at.join("letters").join(name), file).expect("written");
    };
    let image = |count: u32| (0..count * 64).map(|place| (place * 37 % 251) as u8).collect();
    put("train-images-idx3-ubyte", 3, &[30, 8, 8], image(30));
    put("t10k-images-idx3-ubyte", 3, &[4, 8, 8], image(4));
    put("train-labels-idx1-ubyte", 1, &[30], (0..30).map(|item| item % 27).collect());
    put("t10k-labels-idx1-ubyte", 1, &[4], vec![1, 26, 3, 4]);
    let small = ["model.width=16", "model.layers=1", "model.condition_width=8", "train.warmup_steps=2"];
    let short = ["train.samples=2", "train.validation_sequences=4"];
    let settings = small.iter().chain(&short).flat_map(|setting| ["--set", setting]);
    let words =
        ["train", "image", "--data", "mnist", "--path", "letters", "--size", "8", "--steps", "1", "--batch", "2"];
    let words: Vec<&str> = words.into_iter().chain(settings).chain(["--sweeps", "1", "--run"]).collect();
    let trained = |more: &[&str]| run(at, &[&words[..], more].concat());
    said(&trained(&["letters-alone"]));
    let text = said(&trained(&["letters-told", "--classes"]));
    assert!(text.contains("classes, from 0: 0, 1, 2") && text.contains("25, 26"), "{text}");
    // Nor need there be any, unless they are asked for.
    fs::remove_file(at.join("letters/t10k-labels-idx1-ubyte")).expect("removed");
    said(&trained(&["none"]));
    let output = trained(&["refused", "--classes"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(2) && said.contains("leave it out") && said.contains("no t10k-labels"),
        "{said}"
    );
}
