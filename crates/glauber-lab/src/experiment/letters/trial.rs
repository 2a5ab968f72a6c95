//! A trial: trained for its time, then judged.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use burn::module::Module;
use burn::tensor::Device;
use glauber_chain::{ExactGenerator, Generator, SequenceLaw};
use glauber_files::write_whole;
use glauber_judge::Ngram;
use glauber_program::device::replicas;
use glauber_program::progress::{bar, say};
use glauber_program::{Layers, training};
use glauber_run::evaluation::{EvaluationSettings, evaluate};
use glauber_run::text::{PreparedText, TextData};
use glauber_run::training::Training;
use glauber_run::{Drawer, Opened, Rank, Run, RunConfig, RunFolder, SamplerSettings, Sampling, Trained};
use glauber_shards::TokenStream;
use glauber_tokens::{Token, TokenBatch};

use super::infills::Gaps;
use super::report::{Bound, Drawn, Row};
use super::{Flags, Trial};

/// The configuration that trials start from.
const BASE: &str = include_str!("../../../../glauber-cli/configs/characters.toml");
/// The order of the n-gram that judges.
const JUDGE: usize = 5;
/// Seed of samples and infills.
const SEED: u64 = 1;
/// Steps before the speed is measured, and those that it is measured over.
const TIMED: [usize; 2] = [10, 40];
/// What a trial came to, in its folder.
const RESULT: &str = "letters.json";

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
    gaps: Gaps,
}

impl<'a> Field<'a> {
    /// Prepares the text and the judge.
    pub fn new(flags: &'a Flags, letters: &'a Path, device: Device) -> anyhow::Result<Self> {
        let config = configuration(flags, letters, &[], 0)?;
        let text = config.data.get::<TextData>().context("letters are text")?.clone();
        let cache = flags.out.join("tokens");
        let ranks = Rank::alone();
        let training = Training {
            config: &config,
            folder: &flags.out,
            device: &device,
            resume: false,
            steps: None,
            threads: 1,
            ranks: &ranks,
        };
        let prepared = training.open(&cache, &mut |_| (), |opening| PreparedText::new(&text, opening))?;
        let stream = prepared.data.train();
        let mut train = vec![0; stream.tokens()];
        stream.window(0, &mut train);
        let vocab = prepared.data.vocab_size();
        let held_out = spread(prepared.data.validation(), text.length, flags.windows)?;
        let judge = Ngram::fit(JUDGE, vocab, [&train])?;
        let gaps = Gaps::new(spread(prepared.data.validation(), text.length, flags.infills)?);
        Ok(Self { flags, letters, device, train, held_out, judge, gaps })
    }

    /// What samples are compared with: held-out text under the judge.
    pub fn held_out(&self) -> anyhow::Result<Row> {
        let drawn = Drawn::judged(&self.judge, &self.held_out, 0.0, 0)?;
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
            drawn: Some(Drawn::judged(&self.judge, &samples, self.held_out.len() as f64, 0)?),
            infills,
            ..Row::named(&ngram.name())
        })
    }

    /// Trains a trial unless it is there, and judges it: a row for each number of repair sweeps.
    pub fn trial(&self, trial: &Trial, seed: u64, folder: &Path) -> anyhow::Result<Vec<Row>> {
        let result = folder.join(RESULT);
        if let Ok(text) = fs::read_to_string(&result) {
            return serde_json::from_str(&text).with_context(|| result.display().to_string());
        }
        self.train(trial, seed, folder)?;
        let rows = self.judged(trial, seed, folder)?;
        write_whole(&result, serde_json::to_string_pretty(&rows)?).with_context(|| result.display().to_string())?;
        Ok(rows)
    }

    fn train(&self, trial: &Trial, seed: u64, folder: &Path) -> anyhow::Result<()> {
        let begun = RunFolder::open(folder).is_ok();
        let mut config = match begun {
            true => RunFolder::open(folder)?.config()?,
            false => configuration(self.flags, self.letters, &trial.set, seed)?,
        };
        let (ranks, cache) = (Rank::alone(), self.flags.out.join("tokens"));
        let opened = training::open(&self.asked((&config, folder), begun, &ranks), &cache)?;
        if !begun && self.flags.steps.is_none() {
            let scratch = tempfile::tempdir()?;
            let speed =
                speed(&mut self.asked((&config, scratch.path()), false, &ranks).run(&opened, &mut |_| ())?, &opened)?;
            config.train.steps = ((self.flags.minutes * 60.0 * speed) as usize).max(1);
            say(&format!("{speed:.2} steps a second: {} steps", config.train.steps));
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
        let settings = EvaluationSettings {
            data: Vec::new(),
            column: None,
            sequences: self.flags.windows,
            draws: self.flags.draws,
            seed: 0,
            kernel: std::sync::Arc::new(glauber_chain::Lazy::default()),
            sweeps: None,
            blocks: None,
            class: None,
            cache: self.flags.out.join("tokens"),
        };
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
                drawn: Some(Drawn::judged(&self.judge, &samples, passes, repair)?),
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

/// Steps a second.
fn speed(run: &mut Run, opened: &Opened) -> anyhow::Result<f64> {
    run.prepare_prior(&*opened.train)?;
    (0..TIMED[0]).try_for_each(|_| run.train_step(&*opened.train).map(|_| ()))?;
    let start = Instant::now();
    (0..TIMED[1]).try_for_each(|_| run.train_step(&*opened.train).map(|_| ()))?;
    Ok(TIMED[1] as f64 / start.elapsed().as_secs_f64())
}

/// Windows that do not overlap, spread evenly: those that a run's bound is estimated on.
fn spread(stream: &TokenStream, len: usize, count: usize) -> anyhow::Result<TokenBatch> {
    let sequences = stream.sequences(len)?;
    let all = sequences.count();
    let mut windows = TokenBatch::filled(count.min(all), len, 0);
    for row in 0..windows.rows() {
        sequences.get(row * all / count.min(all), windows.row_mut(row));
    }
    Ok(windows)
}
