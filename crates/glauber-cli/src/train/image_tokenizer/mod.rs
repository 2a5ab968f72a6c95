//! `glauber train image-tokenizer`.

mod config;
mod data;
mod evaluation;
mod folder;
mod look;
mod metrics;

use anyhow::Context;
use burn::tensor::Device;
use glauber_image::{ImageTokenizer, TokenizerTrainer, VqModel};
use glauber_pixels::{Image, ImageSource};
use glauber_train::{Event, Flow, Observer};

use crate::arguments::ImageTokenizerFlags;
use crate::device::{device, replicas};
use crate::images;
use crate::outputs::{check_apart, place_of};
use crate::progress::{Journal, Outcome, Progress, say, stop_on_interrupt};

use config::TokenizerRunConfig;
use folder::TokenizerRun;
use metrics::{MetricLine, State};

pub use look::{is_run, look};

/// Trains an image tokenizer.
pub fn train(flags: &ImageTokenizerFlags) -> anyhow::Result<()> {
    let device = device(&flags.device)?;
    let begun = match (flags.resume, &flags.run) {
        (true, run) => Some(TokenizerRun::open(run.as_deref().context("`--resume` needs `--run DIR`")?)?),
        (false, _) => None,
    };
    let path = super::free_run(flags.run.as_deref(), "image-tokenizer")?;
    let config = match &begun {
        Some((_, config)) => config.clone(),
        None => {
            TokenizerRun::check_new(&path)?;
            let config = TokenizerRunConfig::resolve(flags)?;
            let images = place_of(&config.data.images).map(|images| ("--path", images));
            check_apart(("--run", &path), images.as_slice())?;
            config
        }
    };
    // Whatever is wrong with model or data is said before there is a folder.
    let fresh = VqModel::new(&config.model, config.seed, &device)?;
    let fresh = TokenizerTrainer::new(fresh, &config.train, config.seed, &device)?;
    let (extent, colours) = (config.extent()?, config.colours()?);
    let [images, held_out] =
        images::parts(&config.data.images, extent, colours, false, config.data.held_out, config.seed)?;
    say(&format!("{} images to train on, {} held out", images.len(), held_out.len()));
    let fingerprint = images::fingerprint([&*images, &*held_out]);
    let held_out = data::held_out(&*held_out, config.seed, config.run.held_out_images);
    let run = match begun {
        Some((run, _)) => {
            run.check_images(&fingerprint)?;
            run
        }
        None => TokenizerRun::create(&path, &config, &fingerprint)?,
    };
    let mut training = Training::start(run, config, fresh, held_out, &device)?;
    if let (true, Some(steps)) = (flags.resume, flags.steps) {
        training = training.of_steps(steps)?;
    }
    training.trainer = training.trainer.with_threads(replicas(flags.threads, &flags.device, 1));
    let flow = training.run(&*images)?;
    let path = training.run.path().display();
    if flow == Flow::Stop {
        say(&format!("stopped; continue with `glauber train image-tokenizer --resume --run {path}`"));
    }
    say(&format!("run folder: {path} (the tokenizer is {path}/tokenizer)"));
    Ok(())
}

/// A run in memory.
struct Training {
    run: TokenizerRun,
    config: TokenizerRunConfig,
    trainer: TokenizerTrainer,
    state: State,
    metrics: Vec<MetricLine>,
    /// The evaluations as JSON lines: parsing may round the last digit.
    metric_text: String,
    held_out: Vec<Image>,
    device: Device,
}

impl Training {
    /// Goes on where the newest checkpoint stands, or begins with the fresh trainer where there is none. What is made of the checkpoint is
    /// made again: a kill may have come between the two.
    fn start(
        run: TokenizerRun,
        config: TokenizerRunConfig,
        fresh: TokenizerTrainer,
        held_out: Vec<Image>,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let latest = run.latest(&config, device)?;
        let resumed = latest.is_some();
        let (trainer, state, metric_text) = latest.unwrap_or_else(|| (fresh, State::default(), String::new()));
        let parse = |line| serde_json::from_str(line).context("metrics.jsonl of the newest checkpoint");
        let metrics = metric_text.lines().map(parse).collect::<anyhow::Result<Vec<MetricLine>>>()?;
        if resumed {
            run.publish(&trainer, &metric_text, &metrics, config.run.keep_checkpoints)?;
        }
        Ok(Self { run, config, trainer, state, metrics, metric_text, held_out, device: device.clone() })
    }

    /// The same as a training of so many steps in all.
    fn of_steps(mut self, steps: usize) -> anyhow::Result<Self> {
        self.run.set_steps(&mut self.config, steps, self.trainer.steps())?;
        self.trainer = self.trainer.of_steps(steps);
        Ok(self)
    }

    /// Trains until the last step, or until Ctrl-C; a checkpoint is written either way.
    fn run(&mut self, images: &dyn ImageSource) -> anyhow::Result<Flow> {
        let (sizes, batch, steps) = (&self.config.model, self.config.run.batch, self.config.train.steps);
        let side = sizes.image_size / sizes.factor();
        say(&format!(
            "{} weights, {}×{} images as {side}×{side} tokens of {}, {steps} steps of {} images",
            self.trainer.model().weights(),
            sizes.image_size,
            sizes.image_size,
            sizes.vocab_size(),
            batch
        ));
        let journal = Journal::begin(self.run.path(), "image-tokenizer", self.trainer.steps(), steps);
        let stop = stop_on_interrupt()?;
        let mut progress = Progress::new(self.trainer.steps(), steps, stop.flag(), Some(journal));
        let flow = self.steps(images, &mut progress);
        progress.finish(Outcome::of(&flow));
        drop(stop);
        if let Some(line) = self.metrics.last() {
            let entries = self.config.model.vocab_size();
            say(&format!("{} steps, {:.0} s, {}", line.step, line.seconds, line.text(entries)));
        }
        flow
    }

    /// The loop.
    fn steps(&mut self, images: &dyn ImageSource, progress: &mut Progress) -> anyhow::Result<Flow> {
        let (table, steps) = (self.config.run.clone(), self.config.train.steps);
        let before = self.state.seconds;
        let mut flow = Flow::Continue;
        while self.trainer.steps() < steps && flow == Flow::Continue {
            let batch = data::batch(images, self.config.seed, self.trainer.steps(), table.batch);
            let losses = self.trainer.step(data::tensor(&batch, &self.device))?;
            let step = self.trainer.steps();
            self.state.sums.add(&losses);
            self.state.seconds = before + progress.seconds();
            flow = progress.notice(Event::Step { step, loss: losses.total });
            let last = step == steps;
            if last || step.is_multiple_of(table.evaluate_every) {
                self.evaluate(progress)?;
            }
            if last || flow == Flow::Stop || step.is_multiple_of(table.checkpoint_every) {
                self.run.save(&self.config, &self.trainer, &self.state, &self.metric_text)?;
                self.run.publish(&self.trainer, &self.metric_text, &self.metrics, table.keep_checkpoints)?;
            }
        }
        Ok(flow)
    }

    /// Sends the held-out images through tokens and back, and shows some of them.
    fn evaluate(&mut self, progress: &mut Progress) -> anyhow::Result<()> {
        let (step, sizes) = (self.trainer.steps(), &self.config.model);
        let tokenizer = ImageTokenizer::new(self.trainer.model(), [sizes.image_size; 2])?;
        let (quality, back) = evaluation::evaluate(&tokenizer, &self.held_out, &self.device)?;
        let line = MetricLine::new(step, &self.state, &quality);
        self.state.sums = metrics::Sums::default();
        let sheet = evaluation::sheet(&self.held_out, &back, self.config.run.shown)?;
        self.run.write(&format!("reconstructions-{step}.png"), &sheet.to_png()?)?;
        let text = line.text(sizes.vocab_size());
        let steps = self.config.train.steps;
        progress.evaluated(step, &text);
        progress.line(&format!(
            "step {step:>6}/{steps}  loss {:.4}  {text}  {} revived  {}",
            line.total,
            line.revived,
            progress.pace(step)
        ));
        self.metric_text += &(serde_json::to_string(&line)? + "\n");
        self.metrics.push(line);
        Ok(())
    }
}
