//! `glauber train image-tokenizer`.

mod config;

use glauber_image::{TokenizerTrainer, VqModel};
use glauber_pixels::ImageSource;
use glauber_program::FolderFlags;
use glauber_program::device::{device, replicas};
use glauber_program::outputs::check_apart;
use glauber_program::progress::{Progress, journal, launcher, say, stop_on_interrupt};
use glauber_run::Outcome;
use glauber_run::images;
use glauber_run::tokenizer_run::{MetricLine, TokenizerHook, TokenizerRun, TokenizerTraining, held_out};
use glauber_run::training::{check_resumed, free_run};
use glauber_run::{Event, Flow, Hook};

use crate::arguments::ImageTokenizerFlags;
use config::resolve;

/// Trains an image tokenizer.
pub fn train(flags: &ImageTokenizerFlags) -> anyhow::Result<()> {
    let FolderFlags { run, resume, steps, device: name, threads, .. } = &flags.folder;
    let device = device(name)?;
    let path = free_run(run.as_deref(), "image-tokenizer")?;
    let begun = match *resume {
        true => {
            check_resumed(&path, "image-tokenizer")?;
            Some(TokenizerRun::open(&path)?)
        }
        false => None,
    };
    let config = match &begun {
        Some((_, config)) => config.clone(),
        None => {
            TokenizerRun::check_new(&path)?;
            let config = resolve(flags)?;
            let images = config.data.images.place().map(|images| ("--path", images));
            check_apart(("--run", &path), images.as_slice())?;
            config
        }
    };
    // Whatever is wrong with model or data is said before there is a folder.
    let fresh = VqModel::new(&config.model, config.seed, &device)?;
    let fresh = TokenizerTrainer::new(fresh, &config.train, config.seed, &device)?;
    let (extent, colours) = (config.extent()?, config.colours()?);
    let [images, others] =
        images::parts(&config.data.images, extent, colours, false, config.data.held_out, config.seed, &mut say)?;
    say(&format!("{} images to train on, {} held out", images.len(), others.len()));
    let fingerprint = images::fingerprint([&*images, &*others]);
    let held_out = held_out(&*others, config.seed, config.run.held_out_images);
    let run = match begun {
        Some((run, _)) => {
            run.check_images(&fingerprint)?;
            run
        }
        None => TokenizerRun::create(&path, &config, &fingerprint)?,
    };
    let of = config.train.steps;
    let mut training = TokenizerTraining::start(run, config, fresh, held_out, &device)?;
    if let (true, Some(steps)) = (*resume, *steps) {
        training = training.of_steps(steps)?;
        if steps != of {
            say(&format!("a run of {steps} steps from step {} on, of {of} before", training.steps()));
        }
    }
    let mut training = training.with_threads(replicas(*threads, name, 1));
    let flow = run_training(&mut training, &*images)?;
    let path = training.path().display();
    if flow == Flow::Stop {
        say(&format!("stopped; continue with `{} train image-tokenizer --resume --run {path}`", launcher()));
    }
    say(&format!("run folder: {path} (the tokenizer is {path}/tokenizer)"));
    Ok(())
}

/// Trains until the last step, or until Ctrl-C.
fn run_training(training: &mut TokenizerTraining, images: &dyn ImageSource) -> anyhow::Result<Flow> {
    let (sizes, batch, steps) =
        (training.config().model.clone(), training.config().run.batch, training.config().train.steps);
    let side = sizes.image_size / sizes.factor();
    say(&format!(
        "{} weights, {}×{} images as {side}×{side} tokens of {}, {steps} steps of {} images",
        training.weights(),
        sizes.image_size,
        sizes.image_size,
        sizes.vocab_size(),
        batch
    ));
    let journal = journal(training.path(), "image-tokenizer", training.steps(), steps);
    let stop = stop_on_interrupt()?;
    let mut told = Told { progress: Progress::new(training.steps(), steps, stop.flag(), Some(journal)), steps };
    let flow = training.run(images, &mut told);
    told.progress.finish(Outcome::of(&flow));
    drop(stop);
    if let Some(line) = training.last() {
        say(&format!("{} steps, {:.0} s, {}", line.step, line.seconds, line.text(sizes.vocab_size())));
    }
    Ok(flow?)
}

/// Prints the progress of a training.
struct Told {
    progress: Progress,
    steps: usize,
}

impl Hook for Told {
    fn on_event(&mut self, event: Event<'_>) -> Flow {
        self.progress.on_event(event)
    }

    fn seconds(&self) -> f64 {
        self.progress.seconds()
    }
}

impl TokenizerHook for Told {
    fn evaluated(&mut self, line: &MetricLine, entries: usize) {
        let (step, text) = (line.step, line.text(entries));
        self.progress.evaluated(step, &text);
        self.progress.line(&format!(
            "step {step:>6}/{}  loss {:.4}  {text}  {} revived  {}",
            self.steps,
            line.total,
            line.revived,
            self.progress.pace(step)
        ));
    }
}
