//! What the judgement prints.

use std::io::Write;

use glauber_chain::ChainRng;
use glauber_fidelity::{Features, PrecisionRecall, Recognition, frechet_distance, precision_recall};
use glauber_train::{DataConfig, ImageTokens};
use serde_json::{Value, json};

use super::draw::Drawn;
use super::judge::{Judge, Verdict};
use crate::arguments::FidelityFlags;
use crate::sampling::Sampling;
use crate::screen;
use crate::train::classifier::by_class;
use crate::trained::Trained;

/// The figures of a set of images, against the training images.
pub struct Row {
    name: &'static str,
    images: usize,
    frechet: f64,
    /// Images of each of the two sets that precision and recall compare.
    compared: usize,
    precision_recall: PrecisionRecall,
    recognition: Option<Recognition>,
}

impl Row {
    /// Compares features with those of the training images; precision and recall with as many of each, chosen at random.
    pub fn new(
        name: &'static str,
        found: Verdict,
        data: &Features,
        neighbours: usize,
        rng: &mut ChainRng,
    ) -> anyhow::Result<Self> {
        let Verdict { features, recognition, .. } = found;
        let compared = features.len().min(data.len());
        let [of_data, of_found] = [data, &features].map(|all| all.chosen(compared, rng));
        Ok(Self {
            name,
            images: features.len(),
            frechet: frechet_distance(&features, data)?,
            compared,
            precision_recall: precision_recall(&of_data, &of_found, neighbours)?,
            recognition,
        })
    }

    fn json(&self) -> Value {
        let recognition = self.recognition.as_ref().map(|recognition| {
            json!({
                "share": recognition.share(), "interval": recognition.interval(), "images": recognition.total(),
                "right_by_class": recognition.right, "images_by_class": recognition.count,
            })
        });
        json!({
            "images": self.images, "frechet": self.frechet, "compared": self.compared,
            "precision": self.precision_recall.precision, "recall": self.precision_recall.recall, "recognised": recognition,
        })
    }
}

/// A finished judgement.
pub struct Report<'a> {
    flags: &'a FidelityFlags,
    step: usize,
    classes: usize,
    sampler: String,
    steps: usize,
    /// Of the network, for one sample.
    evaluations: f64,
    /// For one sample.
    seconds: f64,
    dim: usize,
    /// Training images.
    reference: usize,
    /// How many of them each class has, shape `[class]`; empty where none is known.
    by_class: Vec<usize>,
    /// Whether sites are patches, made tokens by a tokenizer.
    patches: bool,
    /// Samples, held-out images, independent pixels; with a tokenizer, held-out images through it.
    rows: Vec<Row>,
}

impl<'a> Report<'a> {
    pub fn new(
        flags: &'a FidelityFlags,
        trained: &Trained,
        sampling: &Sampling,
        judge: &Judge,
        samples: &Drawn,
        data: &Verdict,
        rows: Vec<Row>,
    ) -> Self {
        let count = samples.grids.len() as f64;
        let patches = matches!(
            &trained.config.data,
            DataConfig::Image(image) if matches!(image.tokens, ImageTokens::Tokenizer(_))
        );
        Self {
            flags,
            step: trained.state.step,
            classes: trained.config.model.classes,
            sampler: sampler(flags, sampling),
            steps: sampling.steps(),
            evaluations: samples.evaluations as f64 / count,
            seconds: samples.seconds / count,
            dim: judge.dim(),
            reference: data.features.len(),
            by_class: data.by_class.clone(),
            patches,
            rows,
        }
    }

    /// Lines for people.
    pub fn print(&self, names: &[String]) -> anyhow::Result<()> {
        let mut out = screen::out();
        let (flags, seed) = (self.flags, self.flags.draw.seed);
        let classes = match self.classes {
            0 => "no class asked for".into(),
            classes => format!("{classes} classes evenly"),
        };
        writeln!(
            out,
            "{} at step {}, {} samples, {classes}, seed {seed}",
            flags.run.display(),
            self.step,
            flags.count
        )?;
        writeln!(
            out,
            "{}: {:.1} network evaluations and {:.3} s an image on {}",
            self.sampler, self.evaluations, self.seconds, flags.draw.device
        )?;
        let network = flags.features.as_ref().or(flags.classifier.as_ref());
        writeln!(
            out,
            "{} features of {}; against {} training images, seed {seed}; {} neighbours",
            self.dim,
            network.map(|path| path.display().to_string()).unwrap_or_default(),
            self.reference,
            flags.neighbours
        )?;
        let data = match self.patches {
            true => "training and held-out images are as they came; what the run's tokenizer loses, samples lack",
            false => "all images are in the greys of the run's tokens: what these lose counts for nothing here",
        };
        writeln!(out, "{data}\n")?;
        writeln!(
            out,
            "{:<28}{:>7}{:>25}{:>12}{:>10}{:>11}{:>9}",
            "", "images", "recognised (95 %)", "Fréchet", "compared", "precision", "recall"
        )?;
        for row in &self.rows {
            let recognised = row.recognition.as_ref().map_or("-".into(), share);
            let PrecisionRecall { precision, recall } = row.precision_recall;
            let Row { name, images, frechet, compared, .. } = row;
            write!(out, "{name:<28}{images:>7}{recognised:>25}{frechet:>12.4}")?;
            writeln!(out, "{compared:>10}{precision:>11.4}{recall:>9.4}")?;
        }
        writeln!(out, "\nheld-out images are the floor of the Fréchet distance, independent pixels the ceiling")?;
        if self.patches {
            writeln!(out, "held-out images through the codec are the floor that the run's tokenizer leaves")?;
        }
        writeln!(
            out,
            "precision and recall are of so many images of a set and as many training images, chosen at random"
        )?;
        let range = self.by_class.iter().min().zip(self.by_class.iter().max());
        if self.classes > 0 && range.is_some_and(|(least, most)| most - least > 1) {
            let counts: Vec<_> = names.iter().zip(&self.by_class).map(|(name, n)| format!("{name} {n}")).collect();
            let counts = counts.join(", ");
            writeln!(
                out,
                "the training images are not divided evenly among the classes, as the samples are: {counts}"
            )?;
        }
        if let Some(recognition) = &self.rows[0].recognition {
            writeln!(out, "samples recognised by class: {}", by_class(recognition, names))?;
        }
        if self.rows[1].images < flags.count {
            let held_out = self.rows[1].images;
            writeln!(out, "only {held_out} images are held out: fewer images make distances larger, the floor's too")?;
        }
        Ok(())
    }

    /// One line for programs.
    pub fn print_json(&self) -> anyhow::Result<()> {
        let flags = self.flags;
        let row = |number: usize| self.rows.get(number).map(Row::json);
        let object = json!({
            "run": flags.run, "step": self.step, "classifier": flags.classifier, "features": flags.features,
            "feature_numbers": self.dim, "classes": self.classes, "seed": flags.draw.seed, "reference": self.reference,
            "neighbours": flags.neighbours, "sampler": self.sampler, "steps": self.steps,
            "evaluations_per_image": self.evaluations, "seconds_per_image": self.seconds, "device": flags.draw.device,
            "reference_by_class": self.by_class, "samples": row(0), "held_out": row(1), "independent": row(2),
            "held_out_through_codec": row(3),
        });
        writeln!(screen::out(), "{object}")?;
        Ok(())
    }
}

/// The share recognised, with its interval.
fn share(recognition: &Recognition) -> String {
    let [low, high] = recognition.interval();
    format!("{:.4} ({low:.4}–{high:.4})", recognition.share())
}

/// The sampler in words.
fn sampler(flags: &FidelityFlags, sampling: &Sampling) -> String {
    let (draw, sampler, schedule) = (&flags.draw, &flags.sampler, sampling.schedule());
    let name = clap::ValueEnum::to_possible_value(&sampler.sampler).map(|value| value.get_name().to_owned());
    let mut words = vec![name.unwrap_or_default()];
    words.push(format!("{} sweeps of {} sites in {} steps", schedule.sweeps(), schedule.len(), sampling.steps()));
    words.extend(sampler.block.map(|sites| format!("blocks of {sites}")));
    words.extend(sampler.changes_per_eval.map(|changes| format!("changes per evaluation {changes:?}")));
    words.extend(sampler.conditioning_window.map(|steps| format!("conditioning window {steps}")));
    words.extend(
        sampler
            .renoise_steps
            .map(|steps| format!("{} rounds of ReDeNoise by {steps} steps", sampler.rounds.unwrap_or(1))),
    );
    words.extend(flags.guidance.map(|weight| format!("guidance {weight}")));
    if draw.temperature != 1.0 {
        words.push(format!("temperature {}", draw.temperature));
    }
    words.extend(draw.top_k.map(|k| format!("top {k}")));
    words.extend(draw.top_p.map(|p| format!("nucleus {p}")));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_and_recall_are_of_all_classes_where_samples_outnumber_the_data() {
        // Four classes on a line, the samples class after class, far more than there are data, and like them.
        let data: Vec<f64> = (0..40).map(|i| f64::from(i % 4 * 1000 + i)).collect();
        let samples = (0..400).map(|i| f64::from(i / 100 * 1000 + i % 40)).collect();
        let [data, samples] = [data, samples].map(|values| Features::new(values, 1).unwrap());
        let found = Verdict { features: samples, recognition: None, by_class: Vec::new() };
        let row = Row::new("samples", found, &data, 3, &mut ChainRng::new(0, 0)).unwrap();
        assert_eq!((row.images, row.compared), (400, 40));
        // The first 40 are of one class: recall would be a quarter.
        assert!(row.precision_recall.recall > 0.8, "{:?}", row.precision_recall);
    }
}
