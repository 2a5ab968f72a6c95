//! `glauber eval`: the likelihood bound (N) of a trained run.

use std::io::Write;

use anyhow::ensure;
use glauber_chain::statistics::Estimate;
use glauber_program::device::device;
use glauber_program::outputs::check_picture;
use glauber_program::progress::bar;
use glauber_program::screen::{self, remark};
use glauber_run::Trained;
use glauber_run::energy::EnergyData;
use glauber_run::evaluation::{Evaluation, EvaluationSettings, TargetEvidence, Truth, WeightedMean, evaluate, per};
use glauber_run::images::PictureCodec;
use serde_json::{Map, Value, json};

use crate::arguments::{EvalFlags, KernelName};
use crate::energy::{ROWS, edges, write_edges};

/// Estimates the bound and prints it.
pub fn eval(flags: &EvalFlags) -> anyhow::Result<()> {
    let trained = Trained::load(&flags.run, &device(&flags.device)?)?;
    if let Some(path) = &flags.edges {
        let graphs = trained.config.data.get::<EnergyData>().is_some_and(|data| data.target.is_dag());
        ensure!(graphs, "`--edges`: {} was not trained on acyclic graphs: leave it out", flags.run.display());
        check_picture(("--edges", path), true, &[])?;
    }
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
    if let (Some(path), Some(found)) = (&flags.edges, &evaluation.evidence) {
        ensure!(
            found.forbidden < 1.0,
            "`--edges`: all own paths end where the target is 0; train longer, or raise `--sequences`"
        );
        write_edges(path, edges(&found.nodes, found.means.iter().map(|mean| mean.mean))?)?;
    }
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
    evidence: Option<TargetEvidence>,
}

impl Report {
    fn new(flags: &EvalFlags, trained: &Trained, evaluation: Evaluation) -> anyhow::Result<Self> {
        let Evaluation { schedule, evaluated, terms, truth, evidence } = evaluation;
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
            evidence,
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
            return self.evidence.as_ref().map_or(Ok(()), |found| print_evidence(found, &mut out));
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
        if let Some(found) = &self.evidence {
            estimates.extend([("log_z_lower", found.lower), ("log_z_upper", found.upper)]);
            put("log_z", json!(found.log_partition.estimate));
            put("log_z_interval", json!(found.log_partition.interval));
            put("log_z_exact", json!(found.exact));
            put("effective_share", json!(found.evidence.effective_share));
            put("acceptance", json!(found.evidence.acceptance));
            put("forbidden", json!(found.forbidden));
            put("means", json!(found.means));
        }
        for (key, estimate) in estimates {
            put(key, json!(estimate.mean));
            put(&format!("{key}_error"), json!(estimate.standard_error));
        }
        writeln!(screen::out(), "{}", Value::Object(object))?;
        Ok(())
    }
}

/// What a run says of `log Z` of its target.
fn print_evidence(found: &TargetEvidence, out: &mut impl Write) -> anyhow::Result<()> {
    let mut line = |name: &str, estimate: Estimate, by: &str| {
        writeln!(out, "{name:<17} {:.5} ± {:.5} nats, {by}", estimate.mean, estimate.standard_error)
    };
    if found.forbidden == 0.0 {
        line("log Z, at least", found.lower, "the mean log-weight of own paths")?;
    }
    line("log Z, at most", found.upper, "that of paths back from the samples above")?;
    let [low, high] = found.log_partition.interval;
    writeln!(out, "log Z             {:.5} nats, 95 % {low:.5} to {high:.5}", found.log_partition.estimate)?;
    if let Some(exact) = found.exact {
        writeln!(out, "                  {:.5} exactly, by {}", exact.value, exact.by)?;
    }
    let [share, acceptance] = [found.evidence.effective_share, found.evidence.acceptance].map(|part| 100.0 * part);
    writeln!(out, "own paths         {share:.1} % effective; independence Metropolis accepts {acceptance:.1} %")?;
    if found.forbidden > 0.0 {
        let share = 100.0 * found.forbidden;
        writeln!(
            out,
            "                  {share:.1} % end where the target is 0, so that nothing bounds log Z from below"
        )?;
    }
    writeln!(
        out,
        "\n{:<24} {:>12} {:>10} {:>12} {:>12}",
        "mean of own paths", "weighted", "error", "unweighted", "exactly"
    )?;
    let mut means: Vec<&WeightedMean> = found.means.iter().collect();
    if !found.nodes.is_empty() {
        means.sort_by(|a, b| b.mean.total_cmp(&a.mean));
    }
    for WeightedMean { name, mean, standard_error, unweighted, exact } in means.iter().take(ROWS) {
        let shown = |value: f64| if value.is_nan() { "-".into() } else { format!("{value:.6}") };
        let [mean, error, exact] = [*mean, *standard_error, exact.unwrap_or(f64::NAN)].map(shown);
        writeln!(out, "{name:<24} {mean:>12} {error:>10} {unweighted:>12.6} {exact:>12}")?;
    }
    if means.len() > ROWS {
        writeln!(out, "({} more in --json)", means.len() - ROWS)?;
    }
    Ok(())
}
