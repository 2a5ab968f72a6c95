//! Quality of an image run's samples.

mod draw;
mod judge;
mod row;
mod sets;
mod settings;

use glauber_chain::ChainRng;

use crate::Say;
use crate::classifier::warn_of_another_division;
use crate::error::{Context, Result, ensure};
use crate::images::{ImageConfig, PictureCodec, Source, check, divided, identity};
use crate::trained::Trained;

pub use draw::{Drawn, draw};
pub use row::Row;
pub use settings::JudgementSettings;

use judge::Judge;
use sets::Set;

/// The stream of the seed that chooses the images for precision and recall.
const COMPARED_STREAM: u64 = u64::MAX - 4;

/// A run's images, and the networks that compare samples with them.
pub struct Jury<'a> {
    settings: JudgementSettings,
    codec: &'a PictureCodec,
    /// Training and held-out images.
    parts: [Source; 2],
    judge: Judge,
}

/// Results for samples, held-out images and independent pixels.
pub struct Judgement {
    /// Dimension of feature vectors.
    pub dim: usize,
    /// Number of training images in the comparison.
    pub reference: usize,
    /// Number of these per class, shape `[class]`; empty if unknown.
    pub by_class: Vec<usize>,
    /// The names of the classes.
    pub class_names: Vec<String>,
    /// Whether sites are patches of a tokenizer.
    pub patches: bool,
    /// Rows: samples, held-out images, independent pixels, and with a tokenizer its reconstructions.
    pub rows: Vec<Row>,
}

impl<'a> Jury<'a> {
    /// Opens the images of a run, and loads the networks. Reports what it reads.
    ///
    /// # Errors
    /// If the run is not on images, images have changed or are too few, or the networks do not fit.
    pub fn of(trained: &'a Trained, settings: &JudgementSettings, say: Say<'_>) -> Result<Self> {
        settings.check()?;
        let shown = trained.path().display();
        let not_images = || format!("{shown}: this run was not trained on images");
        let image: &ImageConfig = trained.config.data.get().with_context(not_images)?;
        let codec = trained.pictures().with_context(not_images)?;
        let parts = divided(image, codec, trained.config.seed, say)?;
        check(&identity(image, codec, &parts)?, &trained.vocabulary, trained.path())?;
        let (counts, least) = ([parts[0].len(), parts[1].len()], settings.least());
        for (what, found) in [("to train on", counts[0]), ("held out", counts[1])] {
            ensure!(
                found >= least,
                "{shown}: {found} images {what}, expected at least {least}: train on more images, or change `data.held_out`, which is {}",
                image.held_out
            );
        }
        let judge = Judge::load(settings, parts[0].class_names(), &trained.device)?;
        for network in [&settings.classifier, &settings.features].into_iter().flatten() {
            warn_of_another_division(network, &image.images, trained.config.seed, counts);
        }
        Ok(Self { settings: settings.clone(), codec, parts, judge })
    }

    /// Compares samples, held-out images and independent pixels.
    ///
    /// # Errors
    /// If images cannot be decoded, or the networks do not accept them.
    pub fn judge(&self, drawn: &Drawn) -> Result<Judgement> {
        let ([train, held_out], codec) = (&self.parts, self.codec);
        let JudgementSettings { count, reference, neighbours, seed, .. } = self.settings;
        let reference = as_compared(Set::reference(train.as_ref(), reference, seed), codec);
        let independent = Set::independent(&reference, count, seed)?;
        let chosen = || Set::held_out(held_out.as_ref(), count, seed);
        let mut sets = vec![
            ("samples", Set::samples(drawn, codec)),
            ("held-out images", as_compared(chosen(), codec)),
            ("independent pixels", independent),
        ];
        let patches = matches!(codec, PictureCodec::Tokenizer(_));
        if patches {
            sets.push(("held-out, through the codec", chosen().through(codec)));
        }
        let data = self.judge.examine(&reference)?;
        let mut rng = ChainRng::new(seed, COMPARED_STREAM);
        let mut row = |(name, set): &(&'static str, Set<'_>)| {
            Row::new(name, self.judge.examine(set)?, &data.features, neighbours, &mut rng)
        };
        let rows = sets.iter().map(&mut row).collect::<Result<Vec<Row>>>()?;
        Ok(Judgement {
            dim: self.judge.dim(),
            reference: data.features.len(),
            by_class: data.by_class,
            class_names: train.class_names().to_vec(),
            patches,
            rows,
        })
    }
}

/// The reference images. With a tokenizer these are the originals, so that its losses count. With pixel tokens they are
/// reduced to the tokens' grey levels.
fn as_compared<'a>(set: Set<'a>, codec: &'a PictureCodec) -> Set<'a> {
    match codec {
        PictureCodec::Pixels(_) => set.through(codec),
        PictureCodec::Tokenizer(_) => set,
    }
}
