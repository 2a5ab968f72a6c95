//! Training of image classifiers, and the resulting files.

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

/// File that a training writes beside the network.
const REPORT: &str = "training.json";
/// Files that an interrupted training may leave.
const FIRST: [&str; 3] = [PROGRESS, REPORT, "weights.safetensors"];
/// Share of held-out images, if the data have no split of their own; the same as in a run.
const HELD_OUT: f64 = 0.05;
/// Images classified per batch.
const BATCH: usize = 256;

/// Settings of a classifier's training.
#[derive(Debug, Clone)]
pub struct ClassifierSettings {
    /// The source of the images.
    pub images: ImagesConfig,
    /// Its name for people.
    pub data: String,
    /// Size of the network's input.
    pub extent: Extent,
    /// Colour or grey.
    pub colours: Colours,
    /// The training.
    pub training: ClassifierTrainConfig,
    /// Random seed.
    pub seed: u64,
}

/// The training of a classifier, with its locked folder.
pub struct ClassifierTraining {
    settings: ClassifierSettings,
    folder: PathBuf,
    lock: FolderLock,
    trainer: ClassifierTrainer,
    /// Training and held-out images.
    parts: [Source; 2],
}

impl ClassifierTraining {
    /// Opens the images and locks the folder, which must be new or empty. Reports what it reads.
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

    /// Trains until the last step, or until the hook stops it.
    ///
    /// # Errors
    /// If the loss is not finite.
    pub fn run(&mut self, hook: &mut dyn Hook) -> Result<Flow> {
        let mut flow = Flow::Continue;
        while self.trainer.steps() < self.settings.training.steps && flow == Flow::Continue {
            let loss = self.trainer.step(self.parts[0].as_ref())?;
            flow = hook.on_event(Event::Step { step: self.trainer.steps(), loss });
        }
        Ok(flow)
    }

    /// Writes network and report, and returns the recognition of held-out images. `seconds` is the training time.
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

/// The report of a network's training; `None` for a network from elsewhere.
fn report(network: &Path) -> Option<Value> {
    fs::read(network.join(REPORT)).ok().and_then(|text| serde_json::from_slice(&text).ok())
}

/// A description of a network's training and accuracy, if known.
pub fn training_of(network: &Path) -> Option<String> {
    let report = report(network)?;
    let [accuracy, held_out, steps, seed] = ["accuracy", "held_out", "steps", "seed"].map(|key| &report[key]);
    let data = report["path"].as_str().or(report["data"].as_str())?;
    Some(format!(
        "{steps} steps on {data}, seed {seed}: accuracy {:.4} on {held_out} held-out images",
        accuracy.as_f64()?
    ))
}

/// A warning if a network was trained on a run's images with another split, so that it may have seen the held-out ones.
/// `counts`: the run's numbers of training and held-out images.
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

/// The network's recognition of the images.
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

/// The recognised share of each class.
pub fn by_class(recognition: &Recognition, names: &[String]) -> String {
    let shares = recognition.right.iter().zip(&recognition.count);
    let shares = shares.zip(names).filter(|((_, count), _)| **count > 0);
    let share = |((right, count), name): ((&usize, &usize), &String)| format!("{name} {right}/{count}");
    shares.map(share).collect::<Vec<_>>().join(", ")
}
