//! Classifiers of images: their training, and what it leaves.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_fidelity::{ClassifierTrainConfig, ClassifierTrainer, FeatureNetwork, NetworkConfig, Recognition};
use glauber_files::write_whole;
use glauber_pixels::{Colours, Extent, ImageSource};
use serde_json::{Value, json};

use crate::error::{Context, Result, ensure};
use crate::images::ImagesConfig;
use crate::images::{Source, parts};
use crate::journal::PROGRESS;
use crate::{Event, Flow, FolderLock, Hook, Say};

/// What a training leaves beside the network.
const REPORT: &str = "training.json";
/// What a training that was ended may leave.
const FIRST: [&str; 3] = [PROGRESS, REPORT, "weights.safetensors"];
/// Share of the images that is held out, where the data are not divided already: as in a run.
const HELD_OUT: f64 = 0.05;
/// Images that are recognised at a time.
const BATCH: usize = 256;

/// What a classifier is trained on, and how.
#[derive(Debug, Clone)]
pub struct ClassifierSettings {
    /// Where the images are.
    pub images: ImagesConfig,
    /// What people call that.
    pub data: String,
    /// What the network sees.
    pub extent: Extent,
    /// In colour, or in greys.
    pub colours: Colours,
    /// The training.
    pub training: ClassifierTrainConfig,
    /// Decides everything random.
    pub seed: u64,
}

/// The training of a classifier, and the folder that it holds.
pub struct ClassifierTraining {
    settings: ClassifierSettings,
    folder: PathBuf,
    lock: FolderLock,
    trainer: ClassifierTrainer,
    /// To train on, and held out.
    parts: [Source; 2],
}

impl ClassifierTraining {
    /// Opens the images and takes the folder, which is not there yet or empty. What was read is said.
    ///
    /// # Errors
    /// When images cannot be read or have fewer than two classes, a setting is out of range, or the folder is not free.
    pub fn begin(settings: &ClassifierSettings, folder: &Path, device: &Device, say: Say<'_>) -> Result<Self> {
        let ClassifierSettings { images, extent, colours, training, seed, .. } = settings;
        training.validate()?;
        FolderLock::check_free(folder, &FIRST).with_context(|| format!("`--run {}`", folder.display()))?;
        let parts = parts(images, *extent, *colours, true, HELD_OUT, *seed, say)?;
        let classes = parts[0].class_names().to_vec();
        ensure!(classes.len() > 1, "`--path`: expected sub-folders as classes, at least two, found {}", classes.len());
        let network =
            FeatureNetwork::new(&NetworkConfig::classifier(*extent, *colours, classes.clone()), *seed, device)?;
        say(&format!(
            "classifier of {} weights for {} classes: {}; {} images to train on, {} held out",
            network.weights(),
            classes.len(),
            classes.join(", "),
            parts[0].len(),
            parts[1].len()
        ));
        let lock = FolderLock::begin(folder, &FIRST)?;
        let trainer = ClassifierTrainer::new(network, training, *seed, device)?;
        Ok(Self { settings: settings.clone(), folder: folder.into(), lock, trainer, parts })
    }

    /// The names of the classes.
    pub fn classes(&self) -> &[String] {
        self.parts[0].class_names()
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.trainer.steps()
    }

    /// Trains until the last step, or until it is to stop.
    ///
    /// # Errors
    /// When the loss is no number.
    pub fn run(&mut self, hook: &mut dyn Hook) -> Result<Flow> {
        let mut flow = Flow::Continue;
        while self.trainer.steps() < self.settings.training.steps && flow == Flow::Continue {
            let loss = self.trainer.step(self.parts[0].as_ref())?;
            flow = hook.on_event(Event::Step { step: self.trainer.steps(), loss });
        }
        Ok(flow)
    }

    /// Writes network and report, after so many seconds; how many of the images held out it recognises.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn finish(self, seconds: f64) -> Result<Recognition> {
        let ClassifierSettings { images, data, training, seed, .. } = &self.settings;
        let (network, [train, held_out]) = (self.trainer.network(), &self.parts);
        let recognition = recognised(&network, held_out.as_ref())?;
        let report = json!({
            "data": data, "path": images.place().map(std::path::absolute).transpose()?, "images": train.len(), "held_out": held_out.len(),
            "accuracy": recognition.share(), "accuracy_interval": recognition.interval(), "right_by_class": recognition.right,
            "held_out_by_class": recognition.count, "training": training, "steps": self.trainer.steps(), "seed": seed, "seconds": seconds,
            "weights": network.weights(), "version": env!("CARGO_PKG_VERSION"),
        });
        // The network's description comes last: without it the folder is no network's.
        let path = self.folder.join(REPORT);
        write_whole(&path, format!("{report:#}\n")).with_context(|| path.display().to_string())?;
        network.save(&self.folder)?;
        self.lock.begun()?;
        Ok(recognition)
    }
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
    let same_path = match (images.place(), report["path"].as_str()) {
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

/// How many of the images the network recognises.
fn recognised(network: &FeatureNetwork, source: &dyn ImageSource) -> Result<Recognition> {
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
