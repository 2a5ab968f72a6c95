//! `glauber train classifier`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use glauber_chain::ChainRng;
use glauber_fidelity::{ClassifierTrainConfig, ClassifierTrainer, FeatureNetwork, NetworkConfig, Recognition};
use glauber_pixels::{Colours, Extent, ImageSource, write_whole};
use glauber_train::{Event, Flow, ImagesConfig, Observer};
use serde_json::json;

use super::{LOCK, free_run, lock};
use crate::arguments::ClassifierFlags;
use crate::device::device;
use crate::images;
use crate::progress::{Journal, Outcome, PROGRESS, Progress, say, stop_on_interrupt};

/// What a training leaves beside the network.
const REPORT: &str = "training.json";
/// Share of the images that is held out, where the data are not divided already: as in a run.
const HELD_OUT: f64 = 0.05;
/// Images that are drawn, of shapes.
const SHAPES: usize = 10_000;
/// Images that are recognised at a time.
const BATCH: usize = 256;

/// Trains a classifier and says how well it recognises what was held out.
pub fn train(flags: &ClassifierFlags) -> anyhow::Result<()> {
    let device = device(&flags.device)?;
    let (images, side) = data(flags)?;
    let [height, width] = flags.size.unwrap_or([side; 2]);
    let extent = Extent::new(height, width)?;
    let colours = if flags.colour { Colours::Rgb } else { Colours::Grey };
    let folder = folder(flags.run.as_deref())?;
    let [train, held_out] = images::parts(&images, extent, colours, true, HELD_OUT, flags.seed)?;
    let classes = train.class_names().to_vec();
    ensure!(classes.len() > 1, "`--path`: expected sub-folders as classes, at least two, found {}", classes.len());
    let config = NetworkConfig::classifier(extent, colours, classes.clone());
    let network = FeatureNetwork::new(&config, flags.seed, &device)?;
    let &ClassifierFlags { steps, batch, learning_rate, shift, seed, .. } = flags;
    let training = ClassifierTrainConfig { steps, batch, learning_rate, shift, ..ClassifierTrainConfig::default() };
    say(&format!(
        "classifier of {} weights for {} classes: {}; {} images to train on, {} held out",
        network.weights(),
        classes.len(),
        classes.join(", "),
        train.len(),
        held_out.len()
    ));
    // Everything that can be wrong has been said: now there is a folder.
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let _lock = lock(&folder)?;
    let started = Instant::now();
    let mut trainer = ClassifierTrainer::new(network, &training, seed, &device)?;
    run(&mut trainer, train.as_ref(), steps, &folder)?;
    let (network, seconds) = (trainer.network(), started.elapsed().as_secs_f64());
    let recognition = recognised(&network, held_out.as_ref())?;
    let done = trainer.steps();
    say(&format!(
        "accuracy {:.4} ± {:.4} on {} held-out images (seed {seed}); {done} steps of {batch} images, {seconds:.0} s",
        recognition.share(),
        recognition.error(),
        recognition.total(),
    ));
    say(&format!("by class: {}", by_class(&recognition, &classes)));
    network.save(&folder)?;
    let report = json!({
        "data": flags.data, "path": flags.path, "images": train.len(), "held_out": held_out.len(),
        "accuracy": recognition.share(), "accuracy_error": recognition.error(), "right_by_class": recognition.right,
        "held_out_by_class": recognition.count, "training": training, "steps": done, "seed": seed, "seconds": seconds,
        "weights": network.weights(), "version": env!("CARGO_PKG_VERSION"),
    });
    write_whole(&folder.join(REPORT), format!("{report:#}\n").as_bytes())?;
    say(&format!("network: {}", folder.display()));
    Ok(())
}

/// Where the images are, and the side that suits them.
fn data(flags: &ClassifierFlags) -> anyhow::Result<(ImagesConfig, usize)> {
    let data = flags.data.as_str();
    let path = || flags.path.clone().with_context(|| format!("`--data {data}` needs `--path DIR`"));
    Ok(match data {
        "shapes" => {
            ensure!(flags.path.is_none(), "`--data shapes` are drawn: no `--path`");
            (ImagesConfig::Shapes { count: SHAPES, seed: 0 }, 16)
        }
        "mnist" => (ImagesConfig::Mnist { path: path()? }, 28),
        "folder" => (ImagesConfig::Folder { path: path()?, flip: false, crop_margin: None }, 32),
        _ => bail!("`--data {data}`: expected shapes, mnist or folder"),
    })
}

/// The folder to write; one that is there must be a network's.
fn folder(run: Option<&Path>) -> anyhow::Result<PathBuf> {
    let folder = free_run(run, "classifier")?;
    // What a training leaves that was ended is not in the way.
    let left = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| [LOCK, PROGRESS].iter().any(|name| entry.file_name() == *name))
    };
    let fits = match std::fs::read_dir(&folder) {
        Ok(mut entries) => folder.join("network.toml").is_file() || entries.all(left),
        Err(_) => !folder.exists(),
    };
    ensure!(fits, "`--run {}`: there is something else than a network; give another name", folder.display());
    Ok(folder)
}

fn run(trainer: &mut ClassifierTrainer, images: &dyn ImageSource, steps: usize, folder: &Path) -> anyhow::Result<()> {
    let mut progress = Progress::new(0, steps, stop_on_interrupt()?, Journal::begin(folder, "classifier", 0, steps));
    let mut all = || -> anyhow::Result<Flow> {
        let mut flow = Flow::Continue;
        while trainer.steps() < steps && flow == Flow::Continue {
            let loss = trainer.step(images)?;
            flow = progress.notice(Event::Step { step: trainer.steps(), loss });
        }
        Ok(flow)
    };
    let flow = all();
    progress.finish(Outcome::of(&flow));
    flow.map(drop)
}

/// How many of the images the network recognises.
fn recognised(network: &FeatureNetwork, source: &dyn ImageSource) -> anyhow::Result<Recognition> {
    let mut recognition = Recognition::none(source.class_names().len());
    let mut rng = ChainRng::new(0, 0);
    for first in (0..source.len()).step_by(BATCH) {
        let examples = (first..source.len().min(first + BATCH)).map(|index| source.get(index, &mut rng));
        let (images, classes): (Vec<_>, Vec<_>) = examples.map(|example| (example.image, example.class)).unzip();
        for (class, found) in classes.into_iter().zip(network.classify(&images)?) {
            recognition.add(class.context("an image without a class")?, found);
        }
    }
    Ok(recognition)
}

/// The shares recognised, class by class.
pub fn by_class(recognition: &Recognition, names: &[String]) -> String {
    let shares = recognition.right.iter().zip(&recognition.count);
    let shares = shares.zip(names).filter(|((_, count), _)| **count > 0);
    let share = |((right, count), name): ((&usize, &usize), &String)| format!("{name} {right}/{count}");
    shares.map(share).collect::<Vec<_>>().join(", ")
}
