//! A model of a plan: trained for its budget, then judged.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, ensure};
use burn::module::Module;
use burn::tensor::Device;
use glauber_chain::{ChainRng, own_token_leak};
use glauber_files::write_whole;
use glauber_judge::{Bootstrap, LetterEntropy, Spelling, TextJudge, TextNgram, Texts, TwoSample};
use glauber_program::device::replicas;
use glauber_program::progress::{bar, say};
use glauber_program::{Layers, training};
use glauber_run::evaluation::{EvaluationSettings, evaluate, spread};
use glauber_run::text::{PreparedText, TextData};
use glauber_run::training::Training;
use glauber_run::{
    Blocks, CheckpointInfo, Drawer, FolderLock, Rank, RunConfig, RunFolder, SamplerSettings, Sampling, Trained,
};
use glauber_text::TextCodec;
use glauber_tokens::TokenBatch;
use serde::{Deserialize, Serialize};

use super::Flags;
use super::course::Mark;
use super::infills::{Gaps, Infill, texts};
use super::plan::{Model, Plan, SamplerEntry};
use super::report::{Bound, Judged, Mean, Row};
use crate::pilot::steps_within;

/// The configuration that models start from.
const BASE: &str = include_str!("../../configs/letters-base.toml");
/// The order of the n-gram that judges.
const JUDGE: usize = 5;
/// Number of windows for conditionals with every token at a site.
const LEAKED: usize = 64;
/// Seed of samples and infills.
const SEED: u64 = 1;

/// Settings and results of a finished run.
#[derive(Serialize, Deserialize)]
struct Outcome {
    asked: Asked,
    rows: Vec<Row>,
}

/// What decides the rows of a model, besides the defaults of its configuration.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Asked {
    /// A number made of the training text.
    corpus: String,
    set: Vec<String>,
    samplers: Vec<SamplerEntry>,
    bound_passes: Option<usize>,
    steps: Option<usize>,
    /// Where the clock decides.
    minutes: Option<f64>,
    windows: usize,
    draws: usize,
    infills: usize,
    #[serde(default, skip_serializing_if = "none")]
    checkpoints: usize,
}

/// What all models share.
pub struct Field<'a> {
    plan: &'a Plan,
    flags: &'a Flags,
    corpus: Vec<PathBuf>,
    device: Device,
    training: Texts,
    /// Windows of the held-out text.
    held_out: Texts,
    judge: TextNgram,
    spelling: Spelling,
    /// Against other windows of the held-out text.
    two_sample: TwoSample,
    gaps: Gaps,
    /// Windows for conditionals.
    leaked: TokenBatch,
    codec: TextCodec,
}

impl<'a> Field<'a> {
    /// Prepares the text and the judges.
    pub fn new(plan: &'a Plan, flags: &'a Flags, device: Device) -> anyhow::Result<Self> {
        let corpus = plan.corpus(&flags.data, &flags.out)?;
        // What a plan says wrong is found before anything is trained.
        for model in &plan.models {
            configuration(plan, &corpus, &model.set, 0).with_context(|| format!("the model `{}`", model.name))?;
        }
        let config = configuration(plan, &corpus, &plan.models[0].set, 0)?;
        let text = config.data.get::<TextData>().context("`data.kind` is not \"text\", which `compare` needs")?.clone();
        let cache = flags.out.join("tokens");
        let ranks = Rank::alone();
        let (folder, threads) = (flags.out.as_path(), 1);
        let run =
            Training { config: &config, folder, device: &device, resume: false, steps: None, threads, ranks: &ranks };
        let prepared = run.open(&cache, &mut |_| (), |opening| PreparedText::new(&text, opening))?;
        let (stream, codec) = (prepared.data.train(), prepared.codec);
        let mut train = vec![0; stream.tokens()];
        stream.window(0, &mut train);
        let training = texts(&codec, [train.as_slice()].into_iter())?;
        let windows = prepared.data.validation().sequences(text.length)?;
        let held_out = spread(&windows, plan.budget().windows);
        let others = spread(&windows, windows.count());
        let others: Vec<_> = others.iter().filter(|row| !held_out.iter().any(|taken| taken == *row)).collect();
        let count = plan.budget().windows.min(others.len());
        let real = texts(&codec, (0..count).map(|row| others[row * others.len() / count]))?;
        Ok(Self {
            gaps: Gaps::new(spread(&windows, plan.budget().infills)),
            leaked: spread(&windows, plan.budget().windows.min(LEAKED)),
            judge: TextNgram::fit(JUDGE, &training)?,
            spelling: Spelling::new(&training),
            two_sample: TwoSample::new(&real, SEED),
            held_out: texts(&codec, held_out.iter())?,
            plan,
            flags,
            corpus,
            device,
            training,
            codec,
        })
    }

    /// Characters of a held-out window, a mean.
    fn characters(&self) -> f64 {
        self.held_out.characters() as f64 / self.held_out.rows() as f64
    }

    /// What samples are compared with: held-out text under the judges.
    pub fn held_out(&self) -> anyhow::Result<Row> {
        Ok(Row { judged: Some(self.judged(&self.held_out)?), ..Row::named("held-out text") })
    }

    /// An n-gram of characters as a baseline: a pass a character.
    pub fn ngram(&self, order: usize) -> anyhow::Result<Row> {
        let ngram = TextNgram::fit(order, &self.training)?;
        let (count, len) = (self.plan.budget().windows, self.characters().round() as usize);
        let infills = self.gaps.filled(&self.judge, &self.codec, |windows, start, end| {
            let mut rngs = ChainRng::streams(SEED, windows.rows());
            let parts = |from, to| texts(&self.codec, windows.iter().map(move |row| &row[from..to]));
            let [before, gap, after] = [parts(0, start)?, parts(start, end)?, parts(end, windows.len())?];
            let rows = before.iter().zip(gap.iter()).zip(after.iter()).zip(&mut rngs);
            let filled = rows.map(|(((before, gap), after), rng)| {
                [before, &ngram.continued(before, gap.len(), rng), after].concat()
            });
            Ok(Texts::from_characters(filled.collect()))
        })?;
        let bits = ngram.bits(&self.held_out);
        Ok(Row {
            bound: Some(Bound::of(bits.iter().map(|bits| bits / self.characters()).collect())),
            passes: Some(len as f64),
            judged: Some(self.judged(&ngram.sample(count, len, SEED))?),
            infills,
            ..Row::named(&format!("order-{order} n-gram"))
        })
    }

    /// Texts under the judges.
    fn judged(&self, texts: &Texts) -> anyhow::Result<Judged> {
        let first = |judge: &dyn TextJudge| -> anyhow::Result<Mean> {
            Ok(Mean::of_score(&judge.judge(texts, &Bootstrap::default())?[0]))
        };
        Ok(Judged {
            bits: first(&self.judge)?,
            entropy: first(&LetterEntropy)?,
            spelling: first(&self.spelling)?,
            accuracy: first(&self.two_sample)?,
        })
    }

    /// The rows of a model's run: loaded if stored, otherwise the run is trained and evaluated. `None` if another
    /// process works on it.
    pub fn rows_of(&self, model: &Model, seed: u64) -> anyhow::Result<Option<Vec<Row>>> {
        let name = format!("{}-{seed}", model.name);
        let work = self.flags.out.join("work").join(&name);
        fs::create_dir_all(&work).with_context(|| work.display().to_string())?;
        let _held = match FolderLock::take(&work) {
            Err(_) if FolderLock::is_held(&work)? == Some(true) => return Ok(None),
            taken => taken?,
        };
        let (folder, kept) = (self.flags.out.join(&name), self.flags.rows.clone());
        let kept = kept.unwrap_or_else(|| self.flags.out.join("rows")).join(format!("{name}.json"));
        let asked = self.asked(model);
        if let Ok(text) = fs::read_to_string(&kept) {
            let outcome: Outcome = serde_json::from_str(&text).with_context(|| kept.display().to_string())?;
            ensure!(
                outcome.asked == asked,
                "{}: rows with other settings or another text; choose another `--out` or `--rows`, or remove the folder",
                kept.display()
            );
            return Ok(Some(outcome.rows));
        }
        let mut config = configuration(self.plan, &self.corpus, &model.set, seed)?;
        let begun = RunFolder::open(&folder).and_then(|run| run.config()).ok();
        if let (Some(begun), None) = (&begun, self.plan.budget().steps) {
            config.train.steps = begun.train.steps;
        }
        self.set_checkpoints(&mut config);
        ensure!(
            begun.as_ref().is_none_or(|begun| *begun == config),
            "{}: a run with other settings; choose another `--out`, or remove the run",
            folder.display()
        );
        self.train(config, begun.is_some(), &folder)?;
        let outcome = Outcome { asked, rows: self.rows_of_run(model, seed, &folder)? };
        let place = || kept.display().to_string();
        kept.parent().map_or(Ok(()), fs::create_dir_all).with_context(place)?;
        write_whole(&kept, serde_json::to_string(&outcome)?).with_context(place)?;
        Ok(Some(outcome.rows))
    }

    fn asked(&self, model: &Model) -> Asked {
        let budget = self.plan.budget();
        // FNV-1a, which stays what it is.
        let characters = self.training.iter().flatten();
        let corpus = characters
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, &c| (hash ^ u64::from(c)).wrapping_mul(0x0100_0000_01b3));
        Asked {
            corpus: format!("{corpus:016x}"),
            set: self.plan.set.iter().chain(&model.set).cloned().collect(),
            samplers: model.samplers.clone(),
            bound_passes: model.bound_passes,
            steps: budget.steps,
            minutes: budget.steps.is_none().then_some(budget.minutes),
            windows: budget.windows,
            draws: budget.draws,
            infills: budget.infills,
            checkpoints: budget.checkpoints,
        }
    }

    fn train(&self, mut config: RunConfig, begun: bool, folder: &Path) -> anyhow::Result<()> {
        let (ranks, cache) = (Rank::alone(), self.flags.out.join("tokens"));
        let opened = training::open(&self.training((&config, folder), begun, &ranks), &cache)?;
        if !begun && self.plan.budget().steps.is_none() {
            let run = self.training((&config, folder), false, &ranks);
            config.train.steps = steps_within(&run, &opened, 60.0 * self.plan.budget().minutes)?;
            self.set_checkpoints(&mut config);
            say(&format!("{} steps in {} minutes", config.train.steps, self.plan.budget().minutes));
        }
        training::train(&self.training((&config, folder), begun, &ranks), &opened)?;
        let done = RunFolder::open(folder)?.latest_checkpoint()?.step;
        ensure!(done == config.train.steps, "interrupted; repeat the command to resume this run");
        Ok(())
    }

    /// Has a run keep the checkpoints that its bound is taken at.
    fn set_checkpoints(&self, config: &mut RunConfig) {
        let count = self.plan.budget().checkpoints;
        if count > 0 {
            config.train.checkpoint_every = config.train.steps.div_ceil(count);
            config.train.keep_checkpoints = count;
        }
    }

    fn training<'b>(
        &'b self,
        (config, folder): (&'b RunConfig, &'b Path),
        resume: bool,
        ranks: &'b Rank,
    ) -> Training<'b> {
        let threads = replicas(self.flags.threads, "cpu", 1);
        Training { config, folder, device: &self.device, resume, steps: None, threads, ranks }
    }

    fn rows_of_run(&self, model: &Model, seed: u64, folder: &Path) -> anyhow::Result<Vec<Row>> {
        let trained = Trained::load(folder, &self.device)?;
        let run = Row {
            seed: Some(seed),
            steps: Some(trained.state.step),
            minutes: RunFolder::open(folder)?.metrics()?.last().map(|line| line.seconds / 60.0),
            parameters: Some(trained.network.num_params()),
            bound: Some(self.bound(model, &trained)?),
            leak: Some(self.leak(&trained)?),
            course: self.course(model, folder)?,
            ..Row::named(&model.name)
        };
        let mut rows = Vec::new();
        for entry in &model.samplers {
            let all = entry.settings();
            for (at, settings) in all.iter().enumerate() {
                let (row, last) = (self.sampled(&trained, settings)?, at + 1 == all.len());
                // Gaps are filled with the most passes.
                let infills = if last { self.infills(&trained, settings)? } else { Vec::new() };
                rows.push(Row {
                    sampler: Some(entry.name()),
                    passes: row.passes,
                    seconds: row.seconds,
                    judged: row.judged,
                    infills,
                    ..run.clone()
                });
            }
        }
        Ok(rows)
    }

    /// The bound on held-out windows: of the chain that the model was trained on, or of passes of all sites.
    fn bound(&self, model: &Model, trained: &Trained) -> anyhow::Result<Bound> {
        let budget = self.plan.budget();
        let settings = EvaluationSettings {
            sweeps: model.bound_passes,
            blocks: model.bound_passes.map(|_| Blocks::All),
            ..EvaluationSettings::held_out(budget.windows, budget.draws, self.flags.out.join("tokens"))
        };
        let bar = bar(budget.windows);
        let evaluation = evaluate(trained, &settings, &mut |_| (), &mut |done, _| bar.set_position(done as u64))?;
        bar.finish_and_clear();
        let bits = |nats: &f64| nats / self.characters() / std::f64::consts::LN_2;
        Ok(Bound::of(evaluation.terms.totals().iter().map(bits).collect()))
    }

    /// What conditionals of single sites say of the sites' own tokens, on held-out windows.
    fn leak(&self, trained: &Trained) -> anyhow::Result<Mean> {
        let conditional = trained.conditional(&trained.schedule)?;
        let mut rng = ChainRng::new(SEED, 0);
        Ok(Mean::of(&own_token_leak(&conditional, &trained.schedule, &self.leaked, &mut rng)?))
    }

    /// The bound at the checkpoints of a run, if requested.
    fn course(&self, model: &Model, folder: &Path) -> anyhow::Result<Vec<Mark>> {
        if self.plan.budget().checkpoints == 0 {
            return Ok(Vec::new());
        }
        let mark = |checkpoint: &CheckpointInfo| {
            let trained = Trained::load(folder, &self.device)?.at(checkpoint)?;
            let bound = self.bound(model, &trained)?.mean();
            Ok(Mark { step: trained.state.step, minutes: trained.state.seconds / 60.0, bound })
        };
        RunFolder::open(folder)?.checkpoints()?.iter().map(mark).collect()
    }

    fn sampled(&self, trained: &Trained, settings: &SamplerSettings) -> anyhow::Result<Row> {
        let sampling = Sampling::of(trained, settings)?;
        let conditional = trained.conditional(sampling.schedule())?;
        let (count, started) = (self.plan.budget().windows, Instant::now());
        let bar = bar(sampling.steps());
        let (samples, done) = sampling.draw(&conditional, count, SEED, &mut |step| bar.set_position(step as u64))?;
        bar.finish_and_clear();
        Ok(Row {
            seconds: Some(started.elapsed().as_secs_f64() / count as f64),
            passes: Some(done.evaluations as f64 / count as f64),
            judged: Some(self.judged(&texts(&self.codec, samples.iter())?)?),
            ..Row::named("")
        })
    }

    fn infills(&self, trained: &Trained, settings: &SamplerSettings) -> anyhow::Result<Vec<Infill>> {
        let sampling = Sampling::of(trained, settings)?;
        let conditional = trained.conditional(sampling.schedule())?;
        let drawer = Drawer::host(&conditional);
        self.gaps.filled(&self.judge, &self.codec, |windows, start, end| {
            let mut chains = sampling.start(windows.rows(), SEED);
            for (row, tokens) in windows.iter().enumerate() {
                for site in (0..start).chain(end..windows.len()) {
                    chains.clamp(row, site, tokens[site])?;
                }
            }
            sampling.run(&drawer, &mut chains, &mut |_| ())?;
            texts(&self.codec, chains.tokens().iter())
        })
    }
}

fn none(count: &usize) -> bool {
    *count == 0
}

fn configuration(plan: &Plan, corpus: &[PathBuf], set: &[String], seed: u64) -> anyhow::Result<RunConfig> {
    let mut layers = Layers::built_in(BASE)?;
    let paths = corpus.iter().map(|path| path.to_str().map(str::to_owned).context("`--out`: expected a Unicode name"));
    layers.set("data.corpus.paths", paths.collect::<anyhow::Result<Vec<_>>>()?)?;
    layers.set("seed", i64::try_from(seed)?)?;
    layers.set("train.keep_checkpoints", 1)?;
    layers.set("train.steps", i64::try_from(plan.budget().steps.unwrap_or(1 << 20))?)?;
    for setting in plan.set.iter().chain(set) {
        layers.set_text(setting)?;
    }
    layers.finish()
}
