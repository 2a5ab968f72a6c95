//! `glauber eval`: the likelihood bound (N) of a trained run.

use std::io::Write;

use glauber_chain::statistics::Estimate;
use glauber_program::device::device;
use glauber_program::progress::bar;
use glauber_program::screen::{self, remark};
use glauber_run::Trained;
use glauber_run::evaluation::{Evaluation, EvaluationSettings, Truth, evaluate, per};
use glauber_run::images::PictureCodec;
use serde_json::{Map, Value, json};

use crate::arguments::{EvalFlags, KernelName};

/// Estimates the bound and prints it.
pub fn eval(flags: &EvalFlags) -> anyhow::Result<()> {
    let trained = Trained::load(&flags.run, &device(&flags.device)?)?;
    let settings = EvaluationSettings {
        data: flags.data.clone(),
        column: flags.column.clone(),
        sequences: flags.sequences,
        draws: flags.draws,
        seed: flags.seed,
        kernel: flags.kernel.kernel(),
        sweeps: flags.chain.sweeps(),
        blocks: flags.chain.blocks(),
        class: trained.class(flags.class.as_deref())?,
        cache: flags.cache.clone(),
    };
    let bar = bar(0);
    let evaluation = evaluate(&trained, &settings, &mut |line| remark(line), &mut |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    })?;
    bar.finish_and_clear();
    let report = Report::new(flags, &trained, evaluation)?;
    if flags.json { report.print_json() } else { report.print() }
}

/// A finished evaluation.
struct Report {
    chain: String,
    from: String,
    sequences: usize,
    len: usize,
    draws: usize,
    characters: Option<usize>,
    nats: Estimate,
    bits: Estimate,
    bits_per_character: Option<Estimate>,
    /// For images whose tokens are patches of grey pixels; for single pixels it equals that per token.
    bits_per_pixel: Option<Estimate>,
    /// The reason for their absence.
    withheld: Option<String>,
    prior: Estimate,
    truth: Option<Truth>,
}

impl Report {
    fn new(flags: &EvalFlags, trained: &Trained, evaluation: Evaluation) -> anyhow::Result<Self> {
        let Evaluation { schedule, evaluated, terms, truth } = evaluation;
        let kernel = match flags.kernel {
            KernelName::Lazy => "lazy",
            KernelName::HeatBath => "heat-bath",
        };
        let characters = evaluated.characters.as_ref();
        let total = characters.map(|counts| counts.iter().sum());
        let per_character = characters.filter(|_| total > Some(0)).map(|counts| terms.bits_per_unit(counts));
        let pixels = match trained.pictures() {
            Some(PictureCodec::Pixels(codec)) => Some(codec.extent().pixels()),
            _ => None,
        };
        let bits = terms.bits_per_token();
        let per_pixel = |pixels: usize| {
            let share = evaluated.clean.len() as f64 / pixels as f64;
            Estimate { mean: share * bits.mean, standard_error: share * bits.standard_error }
        };
        Ok(Self {
            chain: format!("{kernel} kernel, {} sweeps, {} steps", schedule.sweeps(), schedule.horizon()),
            from: evaluated.from.clone(),
            sequences: evaluated.clean.rows(),
            len: evaluated.clean.len(),
            draws: flags.draws,
            characters: total,
            nats: terms.nats_per_token(),
            bits,
            bits_per_character: per_character.transpose()?,
            bits_per_pixel: pixels.filter(|pixels| *pixels != evaluated.clean.len()).map(per_pixel),
            withheld: evaluated.withheld.clone(),
            prior: per(terms.prior(), evaluated.clean.len()),
            truth,
        })
    }

    /// Lines for people.
    fn print(&self) -> anyhow::Result<()> {
        let mut out = screen::out();
        writeln!(out, "upper bound on the negative log-likelihood, equation (N): {}", self.chain)?;
        let tokens = self.sequences * self.len;
        writeln!(out, "data              {}", self.from)?;
        writeln!(
            out,
            "evaluated         {} sequences of {}, {tokens} tokens{}; {} steps drawn for each",
            self.sequences,
            self.len,
            self.characters.map_or(String::new(), |count| format!(", {count} characters")),
            self.draws
        )?;
        let mut line = |name: &str, estimate: Estimate, unit: &str| {
            writeln!(out, "{name:<17} {:.5} ± {:.5} {unit}", estimate.mean, estimate.standard_error)
        };
        line("bound", self.nats, "nats per token")?;
        line("", self.bits, "bits per token")?;
        if let Some(estimate) = self.bits_per_character {
            line("", estimate, "bits per character")?;
        }
        if let Some(estimate) = self.bits_per_pixel {
            line("", estimate, "bits per pixel")?;
        }
        line("  of it the start", self.prior, "nats per token")?;
        let Some(truth) = &self.truth else {
            if let Some(reason) = &self.withheld {
                writeln!(out, "no bits per character: {reason}")?;
            }
            return Ok(());
        };
        line("exact −log π", truth.surprise, "nats per token, of the same sequences")?;
        line("exact conditional", truth.bound, "nats per token, its own bound")?;
        line("above it", truth.excess, "nats per token, the network's doing")?;
        if let Some(entropy) = truth.entropy {
            let most = entropy + self.prior.mean;
            writeln!(out, "entropy of π      {entropy:.5} nats per token")?;
            writeln!(out, "                  the exact conditional's bound has a mean between that and {most:.5}")?;
        }
        Ok(())
    }

    /// One line for programs; numbers without a unit are nats per token.
    fn print_json(&self) -> anyhow::Result<()> {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| object.insert(key.into(), value);
        put("chain", json!(self.chain));
        put("data", json!(self.from));
        put("sequences", json!(self.sequences));
        put("tokens", json!(self.sequences * self.len));
        put("characters", json!(self.characters));
        put("draws", json!(self.draws));
        if let Some(reason) = &self.withheld {
            put("no_bits_per_character", json!(reason));
        }
        let mut estimates = vec![("nats_per_token", self.nats), ("bits_per_token", self.bits), ("prior", self.prior)];
        estimates.extend(self.bits_per_character.map(|estimate| ("bits_per_character", estimate)));
        estimates.extend(self.bits_per_pixel.map(|estimate| ("bits_per_pixel", estimate)));
        if let Some(truth) = &self.truth {
            estimates.extend([
                ("exact_surprise", truth.surprise),
                ("exact_bound", truth.bound),
                ("excess", truth.excess),
            ]);
            put("entropy", json!(truth.entropy));
        }
        for (key, estimate) in estimates {
            put(key, json!(estimate.mean));
            put(&format!("{key}_error"), json!(estimate.standard_error));
        }
        writeln!(screen::out(), "{}", Value::Object(object))?;
        Ok(())
    }
}
