//! `glauber train classifier`.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use glauber_chain::ChainRng;
use glauber_fidelity::{ClassifierTrainConfig, ClassifierTrainer, FeatureNetwork, NetworkConfig, Recognition};
use glauber_files::write_whole;
use glauber_pixels::{Colours, Extent, ImageSource};
use glauber_train::{Event, Flow, FolderLock, ImagesConfig, Observer};
use serde_json::{Value, json};

use super::free_run;
use crate::arguments::ClassifierFlags;
use crate::device::device;
use crate::images;
use crate::outputs::{check_apart, place_of};
use crate::progress::{Journal, Outcome, PROGRESS, Progress, StopGuard, say, stop_on_interrupt};

/// What a training leaves beside the network.
const REPORT: &str = "training.json";
/// What a training that was ended may leave.
const FIRST: [&str; 3] = [PROGRESS, REPORT, "weights.safetensors"];
/// Share of the images that is held out, where the data are not divided already: as in a run.
const HELD_OUT: f64 = 0.05;
/// Images that are drawn, of shapes.
const SHAPES: usize = 10_000;
/// Images that are recognised at a time.
const BATCH: usize = 256;

/// Trains a classifier and says how well it recognises what was held out.
pub fn train(flags: &ClassifierFlags) -> anyhow::Result<()> {
    let device = device(&flags.device)?;
    let &ClassifierFlags { steps, batch, learning_rate, shift, seed, .. } = flags;
    let training = ClassifierTrainConfig { steps, batch, learning_rate, shift, ..ClassifierTrainConfig::default() };
    training.validate()?;
    let (images, side) = data(flags)?;
    let [height, width] = flags.size.unwrap_or([side; 2]);
    let extent = Extent::new(height, width)?;
    let colours = if flags.colour { Colours::Rgb } else { Colours::Grey };
    let folder = free_run(flags.run.as_deref(), "classifier")?;
    FolderLock::check_free(&folder, &FIRST).with_context(|| format!("`--run {}`", folder.display()))?;
    check_apart(("--run", &folder), place_of(&images).map(|images| ("--path", images)).as_slice())?;
    let [train, held_out] = images::parts(&images, extent, colours, true, HELD_OUT, flags.seed)?;
    let classes = train.class_names().to_vec();
    ensure!(classes.len() > 1, "`--path`: expected sub-folders as classes, at least two, found {}", classes.len());
    let config = NetworkConfig::classifier(extent, colours, classes.clone());
    let network = FeatureNetwork::new(&config, flags.seed, &device)?;
    say(&format!(
        "classifier of {} weights for {} classes: {}; {} images to train on, {} held out",
        network.weights(),
        classes.len(),
        classes.join(", "),
        train.len(),
        held_out.len()
    ));
    let lock = FolderLock::begin(&folder, &FIRST)?;
    // What was learned is not lost when it is asked to stop while it is judged.
    let stop = stop_on_interrupt()?;
    let started = Instant::now();
    let mut trainer = ClassifierTrainer::new(network, &training, seed, &device)?;
    run(&mut trainer, train.as_ref(), steps, &folder, &stop)?;
    let (network, seconds) = (trainer.network(), started.elapsed().as_secs_f64());
    let recognition = recognised(&network, held_out.as_ref())?;
    let done = trainer.steps();
    let [low, high] = recognition.interval();
    say(&format!(
        "accuracy {:.4} (95 %: {low:.4} to {high:.4}) on {} held-out images (seed {seed}); {done} steps of {batch} images, {seconds:.0} s",
        recognition.share(),
        recognition.total(),
    ));
    say(&format!("by class: {}", by_class(&recognition, &classes)));
    let report = json!({
        "data": flags.data, "path": place_of(&images).map(std::path::absolute).transpose()?, "images": train.len(), "held_out": held_out.len(),
        "accuracy": recognition.share(), "accuracy_interval": recognition.interval(), "right_by_class": recognition.right,
        "held_out_by_class": recognition.count, "training": training, "steps": done, "seed": seed, "seconds": seconds,
        "weights": network.weights(), "version": env!("CARGO_PKG_VERSION"),
    });
    // The network's description comes last: without it the folder is no network's.
    let path = folder.join(REPORT);
    write_whole(&path, format!("{report:#}\n")).with_context(|| path.display().to_string())?;
    network.save(&folder)?;
    lock.begun()?;
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

/// What the training of a network left; none of a network of somebody else's.
fn report(network: &Path) -> Option<Value> {
    fs::read(network.join(REPORT)).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

/// How a network was trained and how good it is, in words, where that is known.
pub fn training_of(network: &Path) -> Option<String> {
    let report = report(network)?;
    let [accuracy, held_out, steps, seed] = ["accuracy", "held_out", "steps", "seed"].map(|key| &report[key]);
    let data = report["path"].as_str().or(report["data"].as_str())?;
    Some(format!(
        "{steps} steps on {data}, seed {seed}: accuracy {:.4} on {held_out} held-out images",
        accuracy.as_f64()?
    ))
}

/// Warns where a network was trained on the images of a run, divided otherwise than by the run, so that it may have seen what the run holds
/// out. `counts`: the images that the run trains on, and those that it holds out.
pub fn warn_of_another_division(network: &Path, images: &ImagesConfig, seed: u64, counts: [usize; 2]) {
    let Some(report) = report(network) else { return };
    let kind = match images {
        ImagesConfig::Shapes { .. } => "shapes",
        ImagesConfig::Folder { .. } => "folder",
        ImagesConfig::Mnist { .. } => return, // divided by those who made it
    };
    let same_path = match (place_of(images), report["path"].as_str()) {
        (Some(one), Some(other)) => Path::new(other).canonicalize().ok() == one.canonicalize().ok(),
        (one, other) => one.is_none() && other.is_none(),
    };
    let divided = [("seed", seed), ("images", counts[0] as u64), ("held_out", counts[1] as u64)];
    let alike = divided.iter().all(|(key, number)| report[key].as_u64() == Some(*number));
    if report["data"] == kind && same_path && !alike {
        tracing::warn!(
            "{}: it was trained on images that this run holds out (seed {} and {} held out, the run's are {seed} and {}): its \
             verdict on those is too good; train one with `--seed {seed}` on the same images",
            network.display(),
            report["seed"],
            report["held_out"],
            counts[1]
        );
    }
}

fn run(
    trainer: &mut ClassifierTrainer,
    images: &dyn ImageSource,
    steps: usize,
    folder: &Path,
    stop: &StopGuard,
) -> anyhow::Result<()> {
    let mut progress = Progress::new(0, steps, stop.flag(), Some(Journal::begin(folder, "classifier", 0, steps)));
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
