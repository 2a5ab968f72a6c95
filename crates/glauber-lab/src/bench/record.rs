//! A record of a few training steps, from which another implementation can prove that it is the same.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use burn::tensor::{Int, Tensor, TensorData};
use clap::Args;
use glauber_model::{Conditions, SiteClassifier, Sites};
use glauber_run::{Event, Flow, Hook, Run, Surroundings};
use glauber_train::Examples;
use serde_json::{Value, json};

use super::setup::{Setup, ShapeFlags, UniformTokens};

/// Steps before the first checkpoint, so that nothing is zero any more, and steps recorded after it.
const STEPS: usize = 4;

/// Rows whose logits are recorded.
const ROWS: usize = 2;

/// Sizes, and where to write.
#[derive(Debug, Args)]
pub struct Flags {
    #[command(flatten)]
    shape: ShapeFlags,
    /// Output folder, which must not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Trains, and writes `recorded.json` beside the run with its checkpoints.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    let mut setup = Setup::of(&flags.shape)?;
    // The full rate at once, or the weights would hardly move.
    setup.config.train.warmup_steps = 1;
    ensure!(setup.config.train.batch >= ROWS, "`--batch` is {}, expected at least {ROWS}", setup.config.train.batch);
    let folder = flags.out.join("run");
    let mut trainer = setup.trainer(&folder)?;
    let source = UniformTokens(setup.vocab);
    steps(&mut trainer, &source)?;
    let asked = logits(&setup, &trainer, &trainer.next_examples(&source)?[0])?;
    let steps = steps(&mut trainer, &source)?;
    let checkpoint = |step: usize| -> anyhow::Result<String> {
        let all = trainer.folder().checkpoints()?;
        let found = all.into_iter().find(|checkpoint| checkpoint.step == step).context("a checkpoint each step")?;
        Ok(found.path.strip_prefix(&flags.out).unwrap_or(&found.path).display().to_string())
    };
    let recorded = json!({
        "setup": setup.describe()?,
        "step": STEPS,
        "before": checkpoint(STEPS)?,
        "after": checkpoint(2 * STEPS)?,
        "asked": asked,
        "steps": steps,
    });
    let path = flags.out.join("recorded.json");
    glauber_files::write_whole(&path, recorded.to_string()).with_context(|| path.display().to_string())
}

/// Some steps with a checkpoint after the last: their examples and losses.
fn steps(trainer: &mut Run, source: &UniformTokens) -> anyhow::Result<Vec<Value>> {
    let around = Surroundings { train: source, validation: source, sample: None, excess: None };
    let mut recorded = Vec::new();
    for step in 1..=STEPS {
        let mut batch = batch(&trainer.next_examples(source)?);
        let mut one = OneStep { loss: f64::NAN };
        match step {
            STEPS => drop(trainer.run(&around, &mut one)?),
            _ => one.loss = trainer.train_step(source)?.0,
        }
        batch["loss"] = one.loss.into();
        recorded.push(batch);
    }
    Ok(recorded)
}

/// Stops after a step.
struct OneStep {
    loss: f64,
}

impl Hook for OneStep {
    fn on_event(&mut self, event: Event<'_>) -> Flow {
        if let Event::Step { loss, .. } = event {
            self.loss = loss;
        }
        Flow::Stop
    }

    fn seconds(&self) -> f64 {
        0.0
    }
}

/// Examples of all micro-batches as one batch.
fn batch(parts: &[Examples]) -> Value {
    let rows = |of: fn(&Examples) -> Vec<Value>| parts.iter().flat_map(of).collect::<Vec<Value>>();
    json!({
        "tokens": rows(|part| part.context.chunks(part.len).map(|row| json!(row)).collect()),
        "clean": rows(|part| part.clean.chunks(part.len).map(|row| json!(row)).collect()),
        "levels": rows(|part| part.levels.chunks(part.len).map(|row| json!(row)).collect()),
        "times": rows(|part| part.times.iter().map(|time| json!(time)).collect()),
        // None where every site is asked for.
        "sites": rows(|part| part.sites.iter().flatten().map(|site| json!(site)).collect()),
    })
}

/// The network's logits of the first rows, every site.
fn logits(setup: &Setup, trainer: &Run, examples: &Examples) -> anyhow::Result<Value> {
    let (len, device) = (examples.len, setup.device());
    let rows = ROWS.min(examples.rows());
    let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect::<Vec<f32>>();
    let tokens: Vec<i32> = examples.context[..rows * len].iter().map(|&token| token as i32).collect();
    let conditions = Conditions {
        time: Tensor::from_data(TensorData::new(single(&examples.times[..rows]), [rows]), &device),
        levels: Tensor::from_data(TensorData::new(single(&examples.levels[..rows * len]), [rows, len]), &device),
        classes: None,
        parts: None,
        right: None,
    };
    let tokens = Tensor::<2, Int>::from_data(TensorData::new(tokens, [rows, len]), &device);
    let logits = trainer.network().logits(tokens, &conditions, Sites::All);
    Ok(json!({
        "tokens": examples.context[..rows * len].chunks(len).collect::<Vec<_>>(),
        "levels": examples.levels[..rows * len].chunks(len).collect::<Vec<_>>(),
        "times": examples.times[..rows],
        "logits": logits.into_data().iter::<f32>().collect::<Vec<f32>>(),
    }))
}
