//! A small run on the CPU device, gone on with on both.

use std::path::Path;

use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_program::MARKOV;
use glauber_run::markov::MarkovData;
use glauber_run::{DataConfig, Event, Flow, Hook, Run, RunConfig, RunFolder, Surroundings};
use glauber_train::{Drawing, Examples, SequenceSource};

use super::pace::Pace;
use super::subject::{Both, logits};

/// Steps on the CPU device before anything is compared, so that no weight is at its start any more.
const BEFORE: usize = 12;
/// Steps on each device from there.
const STEPS: usize = 6;
/// Sequences that the last checkpoint is looked at with.
const ROWS: usize = 4;

/// What it is trained on.
const DATA: MarkovData = MarkovData { length: 24, vocab: 16, source_seed: 1, classes: 1 };

/// What came of going on with a run on both devices.
pub struct Continued {
    /// The loss of each step.
    pub losses: Both<Vec<f64>>,
    pub paces: Both<Pace>,
    /// Logits of the other device's last network: on the CPU device, from the checkpoint that the other wrote, and where it was trained.
    pub logits: Both<Vec<f32>>,
}

/// Sizes at which a step in software is a matter of seconds. All weights move at once: there is no warm-up.
fn config() -> anyhow::Result<RunConfig> {
    let mut config: RunConfig = toml::from_str(MARKOV)?;
    config.data = DataConfig::new(DATA);
    (config.model.width, config.model.layers, config.model.condition_width) = (32, 2, 16);
    config.schedule.sweeps = 4.into();
    let train = &mut config.train;
    (train.batch, train.micro_batches, train.warmup_steps) = (8, 1, 1);
    train.steps = 2 * (BEFORE + STEPS);
    (train.validate_every, train.checkpoint_every) = (train.steps, train.steps);
    config.validate()?;
    Ok(config)
}

/// Trains and leaves a checkpoint.
pub fn train(folder: &Path, device: &Device) -> anyhow::Result<()> {
    let sequences = DATA.mixture()?;
    let mut trainer = Run::begin(config()?, &DATA.vocabulary(&sequences), None, folder, device, 1)?;
    write_after(&mut trainer, &sequences.classes()[0], BEFORE)
}

/// Goes on from the checkpoint on both devices, with the same examples; the other device leaves a checkpoint.
pub fn go_on(folder: &Path, devices: &Both<Device>) -> anyhow::Result<Continued> {
    let sequences = DATA.mixture()?;
    let source = &sequences.classes()[0];
    let go_on = |device: &Device| -> anyhow::Result<(Vec<f64>, Pace, Run)> {
        let mut trainer = Run::resume(folder, device, 1)?;
        let mut losses = Vec::new();
        let pace = Pace::of(device, STEPS - 1, |steps| {
            for _ in 0..steps {
                losses.push(trainer.train_step(source)?.0);
            }
            Ok(())
        })?;
        Ok((losses, pace, trainer))
    };
    // One after the other: a run is trained by one at a time.
    let (here, pace, trainer) = go_on(&devices[0])?;
    drop(trainer);
    let (there, other, mut trainer) = go_on(&devices[1])?;
    write_after(&mut trainer, source, 1)?;
    let (read, _) = RunFolder::open(folder)?.load_average(&devices[0])?;
    let drawing = Drawing::held_out(trainer.network());
    let examples = Examples::draw(source, trainer.schedule(), ROWS, &drawing, &mut ChainRng::new(1, 0))?;
    Ok(Continued {
        losses: [here, there],
        paces: [pace, other],
        logits: [logits(&read, &examples, &devices[0]), logits(trainer.average(), &examples, &devices[1])],
    })
}

/// So many steps more, then a checkpoint.
fn write_after(trainer: &mut Run, source: &dyn SequenceSource, steps: usize) -> anyhow::Result<()> {
    let around = Surroundings { train: source, validation: source, sample: None, excess: None };
    trainer.run(&around, &mut Until(trainer.state().step + steps))?;
    Ok(())
}

/// Stops a run at a step.
struct Until(usize);

impl Hook for Until {
    fn on_event(&mut self, event: Event<'_>) -> Flow {
        match event {
            Event::Step { step, .. } if step < self.0 => Flow::Continue,
            _ => Flow::Stop,
        }
    }

    fn seconds(&self) -> f64 {
        0.0
    }
}
