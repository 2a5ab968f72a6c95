//! `glauber fidelity`: quality of an image run's samples.

use std::io::Write;
use std::time::Instant;

use glauber_fidelity::{PrecisionRecall, Recognition};
use glauber_program::device::device;
use glauber_program::progress::bar;
use glauber_program::screen::{self, remark};
use glauber_run::classifier::by_class;
use glauber_run::judgement::{Judgement, JudgementSettings, Jury, Row, draw};
use glauber_run::{Sampling, Trained};
use serde_json::{Value, json};

use crate::arguments::FidelityFlags;

/// Draws samples, compares them with held-out images and independent pixels, and prints the results.
pub fn fidelity(flags: &FidelityFlags) -> anyhow::Result<()> {
    let controls = flags.draw.controls()?;
    let settings = JudgementSettings {
        classifier: flags.classifier.clone(),
        features: flags.features.clone(),
        count: flags.count,
        reference: flags.reference,
        neighbours: flags.neighbours,
        seed: flags.draw.seed,
        guidance: flags.guidance,
        place: flags.sampler.place(&flags.draw.device),
    };
    settings.check()?;
    let trained = Trained::load(&flags.run, &device(&flags.draw.device)?)?;
    let jury = Jury::of(&trained, &settings, &mut |line| remark(line))?;
    let asked = flags.sampler.settings(controls);
    let sampling = Sampling::of(&trained, &asked)?;
    let (bar, started) = (bar(flags.count), Instant::now());
    let drawn = draw(&trained, &sampling, &settings, &mut |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    let (seconds, count) = (started.elapsed().as_secs_f64(), drawn.grids.len() as f64);
    let report = Report {
        flags,
        step: trained.state.step,
        classes: trained.config.model.classes,
        sampler: sampler(flags, &sampling),
        steps: sampling.steps(),
        evaluations: drawn.evaluations as f64 / count,
        seconds: seconds / count,
        judgement: jury.judge(&drawn)?,
    };
    if flags.json { report.print_json() } else { report.print() }
}

/// Finished results.
struct Report<'a> {
    flags: &'a FidelityFlags,
    step: usize,
    classes: usize,
    sampler: String,
    steps: usize,
    /// Network passes per sample.
    evaluations: f64,
    /// For one sample.
    seconds: f64,
    judgement: Judgement,
}

impl Report<'_> {
    /// Lines for people.
    fn print(&self) -> anyhow::Result<()> {
        let Judgement { dim, reference, class_names: names, patches, rows, .. } = &self.judgement;
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
            dim,
            network.map(|path| path.display().to_string()).unwrap_or_default(),
            reference,
            flags.neighbours
        )?;
        let data = match patches {
            true => "training and held-out images are as they came; what the run's tokenizer loses, samples lack",
            false => "all images are in the greys of the run's tokens: what these lose counts for nothing here",
        };
        writeln!(out, "{data}\n")?;
        writeln!(
            out,
            "{:<28}{:>7}{:>25}{:>12}{:>10}{:>11}{:>9}",
            "", "images", "recognised (95 %)", "Fréchet", "compared", "precision", "recall"
        )?;
        for row in rows {
            let recognised = row.recognition.as_ref().map_or("-".into(), share);
            let PrecisionRecall { precision, recall } = row.precision_recall;
            let Row { name, images, frechet, compared, .. } = row;
            write!(out, "{name:<28}{images:>7}{recognised:>25}{frechet:>12.4}")?;
            writeln!(out, "{compared:>10}{precision:>11.4}{recall:>9.4}")?;
        }
        writeln!(out, "\nheld-out images are the floor of the Fréchet distance, independent pixels the ceiling")?;
        if *patches {
            writeln!(out, "held-out images through the codec are the floor that the run's tokenizer leaves")?;
        }
        writeln!(
            out,
            "precision and recall are of so many images of a set and as many training images, chosen at random"
        )?;
        let range = self.judgement.by_class.iter().min().zip(self.judgement.by_class.iter().max());
        if self.classes > 0 && range.is_some_and(|(least, most)| most - least > 1) {
            let counts: Vec<_> =
                names.iter().zip(&self.judgement.by_class).map(|(name, n)| format!("{name} {n}")).collect();
            let counts = counts.join(", ");
            writeln!(
                out,
                "the training images are not divided evenly among the classes, as the samples are: {counts}"
            )?;
        }
        if let Some(recognition) = &rows[0].recognition {
            writeln!(out, "samples recognised by class: {}", by_class(recognition, names))?;
        }
        if rows[1].images < flags.count {
            let held_out = rows[1].images;
            writeln!(out, "only {held_out} images are held out: fewer images make distances larger, the floor's too")?;
        }
        Ok(())
    }

    /// One line for programs.
    fn print_json(&self) -> anyhow::Result<()> {
        let flags = self.flags;
        let row = |number: usize| self.judgement.rows.get(number).map(json_of);
        let object = json!({
            "run": flags.run, "step": self.step, "classifier": flags.classifier, "features": flags.features,
            "feature_numbers": self.judgement.dim, "classes": self.classes, "seed": flags.draw.seed, "reference": self.judgement.reference,
            "neighbours": flags.neighbours, "sampler": self.sampler, "steps": self.steps,
            "evaluations_per_image": self.evaluations, "seconds_per_image": self.seconds, "device": flags.draw.device,
            "reference_by_class": self.judgement.by_class, "samples": row(0), "held_out": row(1), "independent": row(2),
            "held_out_through_codec": row(3),
        });
        writeln!(screen::out(), "{object}")?;
        Ok(())
    }
}

/// The figures of a set for programs.
fn json_of(row: &Row) -> Value {
    let recognition = row.recognition.as_ref().map(|recognition| {
        json!({
            "share": recognition.share(), "interval": recognition.interval(), "images": recognition.total(),
            "right_by_class": recognition.right, "images_by_class": recognition.count,
        })
    });
    json!({
        "images": row.images, "frechet": row.frechet, "compared": row.compared,
        "precision": row.precision_recall.precision, "recall": row.precision_recall.recall, "recognised": recognition,
    })
}

/// The share recognised, with its interval.
fn share(recognition: &Recognition) -> String {
    let [low, high] = recognition.interval();
    format!("{:.4} ({low:.4}–{high:.4})", recognition.share())
}

/// The sampler in words.
fn sampler(flags: &FidelityFlags, sampling: &Sampling) -> String {
    let (draw, sampler, schedule) = (&flags.draw, &flags.sampler, sampling.schedule());
    let mut words = vec![sampling.name().to_owned()];
    words.push(format!("{} sweeps of {} sites in {} steps", schedule.sweeps(), schedule.len(), sampling.steps()));
    words.extend(sampler.chain.block.map(|sites| format!("blocks of {sites}")));
    words.extend(sampler.share.map(|share| format!("share {share}")));
    words.extend(sampler.strength.map(|strength| format!("strength {strength}")));
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
