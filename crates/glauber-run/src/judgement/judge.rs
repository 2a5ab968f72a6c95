//! Networks for image metrics.

use std::path::Path;

use burn::tensor::Device;
use glauber_fidelity::{FeatureNetwork, Features, Found, Recognition};
use glauber_pixels::{Example, Image};

use super::sets::Set;
use super::settings::JudgementSettings;
use crate::error::{Context, Result, bail, ensure};

/// Images per batch.
const BATCH: usize = 256;

/// The feature network and the classifier.
pub struct Judge {
    features: FeatureNetwork,
    /// If it is a different network.
    classifier: Option<FeatureNetwork>,
    /// Number of recognised classes; 0 if the networks know none of the run's.
    classes: usize,
}

/// Measurements of a set of images.
pub struct Verdict {
    pub features: Features,
    /// Recognition of images with known class, if any.
    pub recognition: Option<Recognition>,
    /// Number of images per class, shape `[class]`; empty if unknown.
    pub by_class: Vec<usize>,
}

impl Judge {
    /// Loads the networks of the settings; `names` are the classes of the run's images.
    pub fn load(settings: &JudgementSettings, names: &[String], device: &Device) -> Result<Self> {
        let load = |path: &Path| FeatureNetwork::load(path, device);
        let classifier = settings.classifier.as_deref().map(load).transpose().context("`--classifier`")?;
        if let (Some(network), Some(path)) = (&classifier, &settings.classifier) {
            check_classes(&network.config().classes, names, path)?;
        }
        let features = settings.features.as_deref().map(load).transpose().context("`--features`")?;
        let (features, classifier) = match (features, classifier) {
            (Some(features), classifier) => (features, classifier),
            (None, Some(classifier)) => (classifier, None),
            (None, None) => bail!("give `--classifier DIR` or `--features DIR`"),
        };
        let known = &classifier.as_ref().unwrap_or(&features).config().classes;
        let classes = if known == names { names.len() } else { 0 };
        Ok(Self { features, classifier, classes })
    }

    /// Dimension of feature vectors.
    pub fn dim(&self) -> usize {
        self.features.dim()
    }

    /// Evaluates every image of a set.
    pub fn examine(&self, set: &Set<'_>) -> Result<Verdict> {
        let mut features = Features::empty(self.dim())?;
        let mut recognition = Recognition::none(self.classes);
        let mut by_class = Vec::new();
        for first in (0..set.len()).step_by(BATCH) {
            let examples = set.images(first..set.len().min(first + BATCH))?.into_iter();
            let (images, classes): (Vec<Image>, Vec<_>) =
                examples.map(|Example { image, class }| (image, class)).unzip();
            for &class in classes.iter().flatten() {
                by_class.resize(by_class.len().max(class + 1), 0);
                by_class[class] += 1;
            }
            let Found { features: more, classes: own } = self.features.examine(&images)?;
            features.append(&more)?;
            if self.classes == 0 {
                continue;
            }
            let found = match &self.classifier {
                Some(classifier) => Some(classifier.classify(&images)?),
                None => own,
            };
            for (class, found) in classes.iter().zip(found.unwrap_or_default()) {
                class.iter().for_each(|&class| recognition.add(class, found));
            }
        }
        let recognition = Some(recognition).filter(|recognition| recognition.total() > 0);
        Ok(Verdict { features, recognition, by_class })
    }
}

/// Checks that a classifier has the classes of the run's images, in order, if they have any.
fn check_classes(found: &[String], expected: &[String], path: &Path) -> Result<()> {
    let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    ensure!(
        expected.is_empty() || found == expected,
        "`--classifier {}`: its classes are {}, but the classes of the run's images are {}",
        path.display(),
        list(found),
        list(expected)
    );
    Ok(())
}
