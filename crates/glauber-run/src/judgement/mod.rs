//! How good the samples of a run on images are.

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

/// The stream of the seed that chooses the images of which precision and recall are taken.
const COMPARED_STREAM: u64 = u64::MAX - 4;

/// A run's images, and the networks that judge what is like them.
pub struct Jury<'a> {
    settings: JudgementSettings,
    codec: &'a PictureCodec,
    /// To train on, and held out.
    parts: [Source; 2],
    judge: Judge,
}

/// What samples, held-out images and independent pixels come to.
pub struct Judgement {
    /// Numbers of a feature vector.
    pub dim: usize,
    /// Training images compared with.
    pub reference: usize,
    /// How many of them each class has, shape `[class]`; empty where none is known.
    pub by_class: Vec<usize>,
    /// The names of the classes.
    pub class_names: Vec<String>,
    /// Whether sites are patches, made tokens by a tokenizer.
    pub patches: bool,
    /// Samples, held-out images, independent pixels; with a tokenizer, held-out images through it.
    pub rows: Vec<Row>,
}

impl<'a> Jury<'a> {
    /// Opens the images of a run and loads the networks. What was read is said.
    ///
    /// # Errors
    /// When the run is not on images, these have changed or are too few, or the networks do not fit to them.
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

    /// Judges samples beside held-out images and independent pixels.
    ///
    /// # Errors
    /// When images cannot be decoded, or are none that the networks see.
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

/// Images as those that samples should be like. Where a tokenizer makes tokens of them, that is as they came: what it loses, samples lack.
/// Where each pixel is a token, it is in the greys of the tokens.
fn as_compared<'a>(set: Set<'a>, codec: &'a PictureCodec) -> Set<'a> {
    match codec {
        PictureCodec::Pixels(_) => set.through(codec),
        PictureCodec::Tokenizer(_) => set,
    }
}
