//! A run in memory: the training loop and its output files.

mod resuming;
mod world;

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_descent::Trainer;
use glauber_model::Network;
use glauber_schedule::Schedule;
use glauber_train::{Drawing, Examples, Losses, SequenceSource, SiteTask, TrainError, require};

use crate::data::{ExcessFn, data_kinds};
use crate::error::{Result, ensure};
use crate::run::checkpoint;
use crate::run::folder::schedule;
use crate::run::records::Evaluations;
use crate::{Event, Flow, FolderLock, Hook, MetricLine, RunCodec, RunConfig, RunFolder, TrainingState, Vocabulary};

/// Sequences evaluated at a time.
const EVALUATION_ROWS: usize = 32;

/// Purposes of random streams, each with its own seed. Weights are drawn from the run's seed itself.
#[derive(Clone, Copy)]
#[repr(u64)]
enum Purpose {
    Training = 1,
    Validation = 2,
    Samples = 3,
}

/// A run in memory: network, average, optimiser and progress.
///
/// Every draw is a function of seed, purpose, step and micro-batch, so a resumed run draws the same as an uninterrupted
/// one.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// use burn::tensor::Device;
/// use glauber_run::{Event, Flow, Hook, Opening, Run, RunConfig};
///
/// struct Silent;
///
/// impl Hook for Silent {
///     fn on_event(&mut self, _: Event<'_>) -> Flow {
///         Flow::Continue
///     }
///     fn seconds(&self) -> f64 {
///         0.0
///     }
/// }
///
/// let text = "[data]\nkind = 'sudoku'\nside = 4\n[train]\nsteps = 2\nbatch = 2\nsample_every = 0";
/// let (config, device): (RunConfig, _) = (toml::from_str(text)?, Device::flex());
/// let (run, cache) = (folder.path().join("run"), folder.path().join("cache"));
/// let mut opening =
///     Opening { config: &config, begun: None, first: true, cache: &cache, device: &device, say: &mut |_| {} };
/// let data = config.data.open(&mut opening)?;
/// let mut begun = Run::begin(config.clone(), &data.vocabulary, Some(&*data.codec), &run, &device, 1)?; // one thread
/// data.train(&mut begun, &mut Silent)?;
/// drop(begun); // lets go of the folder
/// let mut resumed = Run::resume(&run, &device, 1)?;
/// assert_eq!(resumed.state().step, 2);
/// resumed.set_steps(3)?;
/// data.train(&mut resumed, &mut Silent)?;
/// # Ok(())
/// # }
/// ```
pub struct Run {
    config: RunConfig,
    schedule: Schedule,
    trainer: Trainer<Network>,
    state: TrainingState,
    evaluations: Evaluations,
    /// Repairs of the folder, in words.
    notes: Vec<String>,
    folder: RunFolder,
    /// Lock of the folder, held by the first rank.
    _lock: Option<FolderLock>,
    validation: Vec<Examples>,
    /// Whether the configured prior has been set.
    has_prior: bool,
}

/// Inputs of a run besides its configuration.
pub struct Surroundings<'a> {
    /// Training sequences.
    pub train: &'a dyn SequenceSource,
    /// Held-out sequences.
    pub validation: &'a dyn SequenceSource,
    /// Draws and formats samples of the averaged weights; `None` for no samples.
    pub sample: Option<&'a SampleFn<'a>>,
    /// An additional number per evaluation, such as the excess over the Bayes loss.
    pub excess: Option<&'a ExcessFn<'a>>,
}

/// A request for samples during training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Sequences.
    pub count: usize,
    /// Seed of the chains.
    pub seed: u64,
    /// Steps done.
    pub step: usize,
}

/// Draws samples from a network, and formats them.
pub type SampleFn<'a> = dyn Fn(&Network, Draw) -> Result<Vec<String>> + 'a;

impl Run {
    /// Starts a run in a new folder.
    ///
    /// `device` is the plain device; gradients are taken on its autodiff counterpart. `threads` micro-batches run in
    /// parallel.
    ///
    /// # Errors
    /// If the configuration is inconsistent, or the folder cannot be written.
    pub fn begin(
        config: RunConfig,
        vocabulary: &Vocabulary,
        codec: Option<&dyn RunCodec>,
        folder: &Path,
        device: &Device,
        threads: usize,
    ) -> Result<Self> {
        let create = |config: &RunConfig| {
            let (folder, lock) = RunFolder::create(folder, config, vocabulary, codec)?;
            Ok((Some(lock), folder))
        };
        Self::assemble(config, vocabulary, create, device, threads)
    }

    /// Builds and checks everything before the folder is created.
    fn assemble(
        config: RunConfig,
        vocabulary: &Vocabulary,
        folder: impl FnOnce(&RunConfig) -> Result<(Option<FolderLock>, RunFolder)>,
        device: &Device,
        threads: usize,
    ) -> Result<Self> {
        config.validate()?;
        require(
            data_kinds().contains(&config.data.name()),
            "data.kind",
            config.data.name(),
            "a kind that is registered (`register_data_kind`)",
        )?;
        let schedule = schedule(&config, vocabulary)?;
        config.train.objective.check(&schedule)?;
        let network = Network::new(&config.model, vocabulary.size, config.data.length(), config.seed, device)?;
        config.train.check(&network, &schedule, device)?;
        let (lock, folder) = folder(&config)?;
        let seed = seed_for(config.seed, Purpose::Training);
        Ok(Self {
            _lock: lock,
            trainer: config.train.trainer(network, seed, device, threads),
            schedule,
            folder,
            state: TrainingState::default(),
            evaluations: Evaluations::default(),
            notes: Vec::new(),
            validation: Vec::new(),
            has_prior: false,
            config,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// The forward chain.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The weights as trained.
    pub fn network(&self) -> &Network {
        self.trainer.model()
    }

    /// The moving average of the weights. With several ranks, it is complete after an evaluation or a checkpoint.
    pub fn average(&self) -> &Network {
        self.trainer.average()
    }

    /// The plain device of the training.
    pub fn device(&self) -> &Device {
        self.trainer.device()
    }

    /// The progress of the run.
    pub fn state(&self) -> TrainingState {
        self.state
    }

    /// The evaluations so far.
    pub fn metrics(&self) -> &[MetricLine] {
        &self.evaluations.lines
    }

    /// Damage found in the folder of a resumed run, and changes of its configuration, in words.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The run's folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Trains until the last step of the configuration, or until the hook stops it; both write a checkpoint. Ranks stop
    /// if the hook of any rank does. Only the first rank's hook receives evaluations, samples and checkpoints.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] when the loss is not finite, and errors of writing and sampling.
    pub fn run(&mut self, around: &Surroundings<'_>, hook: &mut dyn Hook) -> Result<Flow> {
        self.prepare_prior(around.train)?;
        self.draw_validation(around.validation)?;
        let before = self.state.seconds;
        let started = hook.seconds();
        while self.state.step < self.config.train.steps {
            let (loss, rate) = self.train_step(around.train)?;
            let step = self.state.step;
            self.state.seconds = before + hook.seconds() - started;
            let mut flow = hook.on_event(Event::Step { step, loss });
            let last = step == self.config.train.steps;
            let first = self.trainer.world().is_first();
            let train = &self.config.train;
            let validates = last || step.is_multiple_of(train.validate_every);
            let samples = train.sample_every > 0 && step.is_multiple_of(train.sample_every);
            let checkpoints = last || step.is_multiple_of(train.checkpoint_every);
            if validates || samples {
                self.trainer.complete_average();
            }
            let held_out = validates.then(|| self.evaluate(rate)).transpose()?;
            if let Some(held_out) = held_out.filter(|_| first) {
                let line = self.validate(held_out, rate, around)?;
                flow = flow.and(hook.on_event(Event::Validation(&line)));
                self.evaluations.push(line);
            }
            if let (true, true, Some(sample)) = (first, samples, around.sample) {
                let texts = sample(self.trainer.average(), self.draw())?;
                self.folder.append_samples(step, &texts)?;
                flow = flow.and(hook.on_event(Event::Samples { step, texts: &texts }));
            }
            let stop = self.trainer.world().any(flow == Flow::Stop);
            if stop || checkpoints {
                self.trainer.check_agreement()?;
                if !(validates || samples) {
                    self.trainer.complete_average();
                }
                self.trainer.complete_optimiser();
                if first {
                    self.write()?;
                    hook.on_event(Event::Checkpoint { step });
                }
            }
            if stop {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    }

    /// One optimiser step, for your own loop: its mean loss, in nats per requested site, and its learning rate. It
    /// writes nothing. Each rank updates only its own part of the average.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] when the loss or the gradient is not finite, and those of [`Examples::draw`].
    pub fn train_step(&mut self, source: &dyn SequenceSource) -> Result<(f64, f64), TrainError> {
        self.prepare_prior(source).map_err(|error| TrainError::Source(Box::new(error)))?;
        let task = SiteTask::configured(self.trainer.model(), source, &self.schedule, &self.config.train);
        let step = self.trainer.step(&task)?;
        self.state.step += 1;
        self.state.loss_sum += step.loss;
        self.state.loss_count += 1;
        self.state.tokens += (self.config.train.batch * self.schedule.len()) as u64;
        Ok((step.loss, step.rate))
    }

    /// The micro-batches of the next step of all ranks, as [`train_step`](Self::train_step) draws them.
    ///
    /// # Errors
    /// Those of [`Examples::draw`].
    pub fn next_examples(&self, source: &dyn SequenceSource) -> Result<Vec<Examples>, TrainError> {
        let task = SiteTask::configured(self.trainer.model(), source, &self.schedule, &self.config.train);
        self.trainer.next_batches(&task)
    }

    /// Counts the configured prior on training data and stores it in the folder, once before the first step.
    ///
    /// # Errors
    /// If the data have no prior, or it cannot be written.
    pub fn prepare_prior(&mut self, source: &dyn SequenceSource) -> Result<()> {
        if let (Some(config), false) = (&self.config.model.prior, self.has_prior) {
            ensure!(
                !self.schedule.law_of_levels().is_moving(),
                "`schedule.noise` is of kind `moving`, which `model.prior` does not support: set `model.prior` to \"none\""
            );
            let prior = crate::prior::count(config, source, self.schedule.len(), self.schedule.law())?;
            if self.trainer.world().is_first() {
                crate::prior::keep(&prior, &self.folder)?;
            }
            self.network().set_prior(Arc::new(prior));
            self.has_prior = true;
        }
        Ok(())
    }

    fn rng(&self, purpose: Purpose, stream: u64) -> ChainRng {
        ChainRng::new(seed_for(self.config.seed, purpose), stream)
    }

    /// The samples of the current step.
    fn draw(&self) -> Draw {
        let seed = seed_for(self.config.seed, Purpose::Samples).wrapping_add(self.state.step as u64);
        Draw { count: self.config.train.samples, seed, step: self.state.step }
    }

    /// The average's held-out losses. Ranks divide the batches.
    fn evaluate(&self, learning_rate: f64) -> Result<Losses> {
        let held_out = Losses::of(&self.trainer, self.config.train.objective, &self.schedule, &self.validation);
        if !held_out.loss.is_finite() || !held_out.step_cross_entropy.is_finite() {
            let (step, loss) = (self.state.step, held_out.loss);
            return Err(TrainError::Diverged { step, loss, norm: f64::NAN, learning_rate }.into());
        }
        Ok(held_out)
    }

    /// The same held-out sequences under the same noise at every evaluation.
    fn draw_validation(&mut self, source: &dyn SequenceSource) -> Result<()> {
        let sequences = self.config.train.validation_sequences;
        let train = &self.config.train;
        let whole_sweeps = train.whole_sweeps.hold(self.network(), train.objective, &self.schedule);
        let held_out = Drawing::held_out(self.network()).of(train.objective);
        let drawing = Drawing { continuous: false, whole_sweeps, ..held_out };
        let draw = |batch: usize| {
            let rows = EVALUATION_ROWS.min(sequences - batch * EVALUATION_ROWS);
            let mut rng = self.rng(Purpose::Validation, batch as u64);
            Examples::draw(source, &self.schedule, rows, &drawing, &mut rng)
        };
        self.validation = (0..sequences.div_ceil(EVALUATION_ROWS)).map(draw).collect::<Result<_, TrainError>>()?;
        Ok(())
    }

    fn validate(&mut self, held_out: Losses, rate: f64, around: &Surroundings<'_>) -> Result<MetricLine> {
        let train_loss = std::mem::take(&mut self.state.loss_sum) / std::mem::take(&mut self.state.loss_count) as f64;
        let excess = around.excess.map(|excess| excess(self.trainer.average(), &self.validation)).transpose()?;
        Ok(MetricLine {
            step: self.state.step,
            seconds: self.state.seconds,
            tokens: self.state.tokens,
            train_loss,
            loss: held_out.loss,
            step_cross_entropy: held_out.step_cross_entropy,
            binary: held_out.binary,
            learning_rate: rate,
            excess: excess.map(|excess| excess.own.mean),
            excess_error: excess.map(|excess| excess.own.standard_error),
            step_excess: excess.map(|excess| excess.step.mean),
        })
    }

    fn title(&self) -> String {
        format!("{} ({})", self.folder.path().display(), self.config.train.objective.name())
    }

    fn write(&self) -> Result<()> {
        let record = (&self.config, &self.state, self.evaluations.text.as_str());
        let folder = self.folder.checkpoint_folder();
        checkpoint::save(&folder, self.state.step, record, |at| Ok(self.trainer.save(at)?))?;
        checkpoint::remove_old(&folder, self.config.train.keep_checkpoints)?;
        self.folder.write_metrics(&self.title(), &self.evaluations)
    }
}

impl Flow {
    /// `Stop` if either is.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Continue, Self::Continue) => Self::Continue,
            _ => Self::Stop,
        }
    }
}

/// Separates seeds of different purposes (the odd constant is 2⁶⁴ over the golden ratio).
fn seed_for(seed: u64, purpose: Purpose) -> u64 {
    (seed ^ (purpose as u64) << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
