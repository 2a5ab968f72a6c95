//! What the judgement prints.

use std::io::Write;

use glauber_fidelity::{Features, PrecisionRecall, Recognition, frechet_distance, precision_recall};
use serde_json::{Value, json};

use super::draw::Drawn;
use super::judge::Judge;
use crate::arguments::FidelityFlags;
use crate::sampling::Sampling;
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
    /// Compares features with those of the training images; precision and recall with as many of each.
    pub fn new(
        name: &'static str,
        found: &Features,
        data: &Features,
        recognition: Option<Recognition>,
        neighbours: usize,
    ) -> anyhow::Result<Self> {
        let compared = found.len().min(data.len());
        Ok(Self {
            name,
            images: found.len(),
            frechet: frechet_distance(found, data)?,
            compared,
            precision_recall: precision_recall(&data.first(compared), &found.first(compared), neighbours)?,
            recognition,
        })
    }

    fn json(&self) -> Value {
        let recognition = self.recognition.as_ref().map(|recognition| {
            json!({
                "share": recognition.share(), "error": recognition.error(), "images": recognition.total(),
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
    reference: usize,
    rows: [Row; 3],
}

impl<'a> Report<'a> {
    pub fn new(
        flags: &'a FidelityFlags,
        trained: &Trained,
        sampling: &Sampling,
        judge: &Judge,
        samples: &Drawn,
        reference: usize,
        rows: [Row; 3],
    ) -> Self {
        let count = samples.labelled.len() as f64;
        Self {
            flags,
            step: trained.state.step,
            classes: trained.config.model.classes,
            sampler: sampler(flags, sampling),
            steps: sampling.steps(),
            evaluations: samples.evaluations as f64 / count,
            seconds: samples.seconds / count,
            dim: judge.dim(),
            reference,
            rows,
        }
    }

    /// Lines for people.
    pub fn print(&self, names: &[String]) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
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
        writeln!(
            out,
            "all images have passed through the run's codec, so that what it loses counts for nothing here\n"
        )?;
        writeln!(
            out,
            "{:<20}{:>7}{:>20}{:>12}{:>11}{:>9}",
            "", "images", "recognised", "Fréchet", "precision", "recall"
        )?;
        for row in &self.rows {
            let recognised = row
                .recognition
                .as_ref()
                .map_or("-".into(), |recognition| format!("{:.4} ± {:.4}", recognition.share(), recognition.error()));
            let PrecisionRecall { precision, recall } = row.precision_recall;
            let Row { name, images, frechet, .. } = row;
            writeln!(out, "{name:<20}{images:>7}{recognised:>20}{frechet:>12.4}{precision:>11.4}{recall:>9.4}")?;
        }
        writeln!(out, "\nheld-out images are the floor of the Fréchet distance, independent pixels the ceiling")?;
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
        let [samples, held_out, independent] = &self.rows;
        let object = json!({
            "run": flags.run, "step": self.step, "classifier": flags.classifier, "features": flags.features,
            "feature_numbers": self.dim, "classes": self.classes, "seed": flags.draw.seed, "reference": self.reference,
            "neighbours": flags.neighbours, "sampler": self.sampler, "steps": self.steps,
            "evaluations_per_image": self.evaluations, "seconds_per_image": self.seconds, "device": flags.draw.device,
            "samples": samples.json(), "held_out": held_out.json(), "independent": independent.json(),
        });
        writeln!(std::io::stdout(), "{object}")?;
        Ok(())
    }
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
