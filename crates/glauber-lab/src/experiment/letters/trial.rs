//! A trial: trained for its time, then judged.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use burn::module::Module;
use burn::tensor::Device;
use glauber_chain::{ExactGenerator, Generator, SequenceLaw};
use glauber_files::write_whole;
use glauber_judge::{Bootstrap, CrossEntropy, Judge, LetterEntropy, Ngram, Spelling, TextJudge, Texts, TwoSample};
use glauber_program::device::replicas;
use glauber_program::progress::{bar, say};
use glauber_program::{Layers, training};
use glauber_run::evaluation::{EvaluationSettings, evaluate, spread};
use glauber_run::text::{PreparedText, TextData};
use glauber_run::training::Training;
use glauber_run::{Drawer, Rank, RunConfig, RunFolder, SamplerSettings, Sampling, Trained};
use glauber_text::TextCodec;
use glauber_tokens::{Codec, Token, TokenBatch};
use serde::{Deserialize, Serialize};

use super::infills::Gaps;
use super::report::{Bound, Drawn, Mean, Row};
use super::{Asked, Flags, Trial};
use crate::experiment::pilot::steps_within;

/// The configuration that trials start from.
const BASE: &str = include_str!("../../../configs/letters-base.toml");
/// The order of the n-gram that judges.
const JUDGE: usize = 5;
/// Seed of samples and infills.
const SEED: u64 = 1;
/// What a trial came to, in its folder.
const RESULT: &str = "letters.json";

/// What a finished trial was asked, and what it came to.
#[derive(Serialize, Deserialize)]
struct Outcome {
    asked: Asked,
    rows: Vec<Row>,
}

/// What all trials share.
pub struct Field<'a> {
    flags: &'a Flags,
    letters: &'a Path,
    device: Device,
    /// The training text.
    train: Vec<Token>,
    /// Windows of the held-out text.
    held_out: TokenBatch,
    judge: Ngram,
    spelling: Spelling,
    /// Against other windows of the held-out text.
    two_sample: TwoSample,
    gaps: Gaps,
    codec: TextCodec,
}

impl<'a> Field<'a> {
    /// Prepares the text and the judge.
    pub fn new(flags: &'a Flags, letters: &'a Path, device: Device) -> anyhow::Result<Self> {
        let config = configuration(flags, letters, &[], 0)?;
        let text = config.data.get::<TextData>().context("letters are text")?.clone();
        let cache = flags.out.join("tokens");
        let ranks = Rank::alone();
        let (folder, threads) = (flags.out.as_path(), 1);
        let training =
            Training { config: &config, folder, device: &device, resume: false, steps: None, threads, ranks: &ranks };
        let prepared = training.open(&cache, &mut |_| (), |opening| PreparedText::new(&text, opening))?;
        let stream = prepared.data.train();
        let mut train = vec![0; stream.tokens()];
        stream.window(0, &mut train);
        let vocab = prepared.data.vocab_size();
        let windows = prepared.data.validation().sequences(text.length)?;
        let held_out = spread(&windows, flags.windows);
        let judge = Ngram::fit(JUDGE, vocab, [&train])?;
        let gaps = Gaps::new(spread(&windows, flags.infills));
        let codec = prepared.codec;
        let spelling = Spelling::new(&Texts::from_characters(vec![codec.decode(&train)?.chars().collect()]));
        let others = spread(&windows, windows.count());
        let others = TokenBatch::from_rows(others.iter().filter(|row| !held_out.iter().any(|taken| taken == *row)))?;
        let count = flags.windows.min(others.rows());
        let real = (0..count).map(|row| codec.decode(others.row(row * others.rows() / count)));
        let two_sample = TwoSample::new(&real.collect::<Result<Vec<_>, _>>()?.into_iter().collect(), SEED);
        Ok(Self { flags, letters, device, train, held_out, judge, spelling, two_sample, gaps, codec })
    }

    /// What samples are compared with: held-out text under the judge.
    pub fn held_out(&self) -> anyhow::Result<Row> {
        let drawn = self.drawn(&self.held_out, 0.0)?;
        Ok(Row { drawn: Some(drawn), ..Row::named("held-out text") })
    }

    /// An n-gram as a baseline.
    pub fn ngram(&self, order: usize) -> anyhow::Result<Row> {
        let ngram = Ngram::fit(order, self.judge.vocab(), [&self.train])?;
        let bits: Vec<f64> = self.held_out.iter().map(|row| bits(-ngram.log_probability(row), row.len())).collect();
        let samples = ExactGenerator::new(&ngram, self.held_out.len()).draw(self.flags.windows, SEED)?;
        let infills = self.gaps.filled(&self.judge, |row, start, end, rng| {
            let mut filled = row[..start].to_vec();
            filled.extend(ngram.continued(&row[..start], end - start, rng));
            filled.extend_from_slice(&row[end..]);
            Ok(filled)
        })?;
        Ok(Row {
            bound: Some(Bound::of(bits)),
            drawn: Some(self.drawn(&samples, self.held_out.len() as f64)?),
            infills,
            ..Row::named(&ngram.name())
        })
    }

    /// Samples under the judges.
    fn drawn(&self, samples: &TokenBatch, passes: f64) -> anyhow::Result<Drawn> {
        let texts = samples.iter().map(|row| self.codec.decode(row)).collect::<Result<Vec<_>, _>>()?;
        let texts: Texts = texts.into_iter().collect();
        let first =
            |judge: &dyn TextJudge| Ok::<_, anyhow::Error>(judge.judge(&texts, &Bootstrap::default())?[0].clone());
        Ok(Drawn {
            bits: Mean::of_score(&CrossEntropy(&self.judge).judge(samples)?[0]),
            entropy: Mean::of_score(&first(&LetterEntropy)?),
            spelling: Some(Mean::of_score(&first(&self.spelling)?)),
            accuracy: Some(Mean::of_score(&first(&self.two_sample)?)),
            passes,
        })
    }

    /// Trains a trial unless it is there, and judges it: a row for each number of repair sweeps.
    pub fn trial(&self, trial: &Trial, seed: u64, folder: &Path) -> anyhow::Result<Vec<Row>> {
        let (result, asked) = (folder.join(RESULT), self.flags.asked(trial));
        let there =
            || format!("{}: a trial with other settings; choose another `--out`, or remove it", folder.display());
        if let Ok(text) = fs::read_to_string(&result) {
            let outcome: Outcome = serde_json::from_str(&text).with_context(|| result.display().to_string())?;
            ensure!(outcome.asked == asked, there());
            // A version before the classifier's column is judged again.
            if outcome.rows.iter().flat_map(|row| &row.drawn).all(|drawn| drawn.accuracy.is_some()) {
                return Ok(outcome.rows);
            }
        }
        let mut config = configuration(self.flags, self.letters, &trial.set, seed)?;
        let begun = RunFolder::open(folder).and_then(|run| run.config()).ok();
        if let Some(begun) = &begun {
            if self.flags.steps.is_none() {
                config.train.steps = begun.train.steps;
            }
            ensure!(*begun == config, there());
        }
        self.train(config, begun.is_some(), folder)?;
        let outcome = Outcome { asked, rows: self.judged(trial, seed, folder)? };
        write_whole(&result, serde_json::to_string_pretty(&outcome)?).with_context(|| result.display().to_string())?;
        Ok(outcome.rows)
    }

    fn train(&self, mut config: RunConfig, begun: bool, folder: &Path) -> anyhow::Result<()> {
        let (ranks, cache) = (Rank::alone(), self.flags.out.join("tokens"));
        let opened = training::open(&self.asked((&config, folder), begun, &ranks), &cache)?;
        if !begun && self.flags.steps.is_none() {
            let run = self.asked((&config, folder), false, &ranks);
            config.train.steps = steps_within(&run, &opened, 60.0 * self.flags.minutes)?;
            say(&format!("{} steps in {} minutes", config.train.steps, self.flags.minutes));
        }
        training::train(&self.asked((&config, folder), begun, &ranks), &opened)?;
        let done = RunFolder::open(folder)?.latest_checkpoint()?.step;
        ensure!(done == config.train.steps, "interrupted; the same command goes on with this run");
        Ok(())
    }

    fn asked<'b>(&'b self, (config, folder): (&'b RunConfig, &'b Path), resume: bool, ranks: &'b Rank) -> Training<'b> {
        let threads = replicas(self.flags.threads, "cpu", 1);
        Training { config, folder, device: &self.device, resume, steps: None, threads, ranks }
    }

    fn judged(&self, trial: &Trial, seed: u64, folder: &Path) -> anyhow::Result<Vec<Row>> {
        let trained = Trained::load(folder, &self.device)?;
        let cache = self.flags.out.join("tokens");
        let settings = EvaluationSettings::held_out(self.flags.windows, self.flags.draws, cache);
        let bar = bar(self.flags.windows);
        let evaluation = evaluate(&trained, &settings, &mut |_| (), &mut |done, _| bar.set_position(done as u64))?;
        bar.finish_and_clear();
        let len = self.held_out.len();
        let bound = Bound::of(evaluation.terms.totals().iter().map(|&nats| bits(nats, len)).collect());
        let minutes = RunFolder::open(folder)?.metrics()?.last().map(|line| line.seconds / 60.0);
        let mut rows = Vec::new();
        for &repair in &trial.repair {
            let sampling = Sampling::of(&trained, &SamplerSettings { repair, ..SamplerSettings::default() })?;
            let conditional = trained.conditional(sampling.schedule())?;
            let drawer = Drawer::host(&conditional);
            let (samples, done) = sampling.draw(&conditional, self.flags.windows, SEED, &mut |_| ())?;
            let passes = done.evaluations as f64 / self.flags.windows as f64;
            let infills = self.gaps.filled_together(&self.judge, |windows, start, end| {
                let mut chains = sampling.start(windows.rows(), SEED);
                for (row, tokens) in windows.iter().enumerate() {
                    for site in (0..start).chain(end..len) {
                        chains.clamp(row, site, tokens[site])?;
                    }
                }
                sampling.run(&drawer, &mut chains, &mut |_| ())?;
                Ok(chains.into_parts().0)
            })?;
            rows.push(Row {
                seed: Some(seed),
                repair,
                steps: Some(trained.state.step),
                minutes,
                parameters: Some(trained.network.num_params()),
                bound: Some(bound.clone()),
                drawn: Some(self.drawn(&samples, passes)?),
                infills,
                ..Row::named(&trial.name)
            });
        }
        Ok(rows)
    }
}

/// Nats of a window as bits a letter.
fn bits(nats: f64, len: usize) -> f64 {
    nats / len as f64 / std::f64::consts::LN_2
}

fn configuration(flags: &Flags, letters: &Path, set: &[String], seed: u64) -> anyhow::Result<RunConfig> {
    let mut layers = Layers::built_in(BASE)?;
    let path = letters.to_str().context("`--out`: expected a Unicode name")?;
    layers.set("data.corpus.paths", vec![path.to_owned()])?;
    layers.set("seed", i64::try_from(seed)?)?;
    layers.set("train.keep_checkpoints", 1)?;
    layers.set("train.steps", i64::try_from(flags.steps.unwrap_or(1 << 20))?)?;
    for setting in set.iter().chain(&flags.set) {
        layers.set_text(setting)?;
    }
    layers.finish()
}
