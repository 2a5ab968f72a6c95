//! A loss of one's own: cross-entropy of the clean token, weighted by the signal level of its site.

use std::error::Error;

use burn::tensor::{Device, Tensor};
use glauber::chain::oracles::MarkovSource;
use glauber::model::{Network, Preset};
use glauber::schedule::{Schedule, ScheduleConfig};
use glauber::train::{DenoisingLaw, Label, Objective, Output, SiteTask, TargetList, Targets, TrainConfig};

#[derive(Debug)]
pub(crate) struct Weighted;

impl Objective for Weighted {
    fn name(&self) -> &'static str {
        "weighted-denoising"
    }

    fn output(&self) -> &'static dyn Output {
        &DenoisingLaw
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        targets.push(label.clean, [label.level]);
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        targets.log_probability(logits).neg() * targets.numbers[0].clone()
    }
}

/// The losses of the first and the last step.
pub(crate) fn first_and_last(steps: usize) -> Result<[f64; 2], Box<dyn Error>> {
    let device = Device::flex();
    let source = MarkovSource::random(5, 1, 3.0)?;
    let schedule = Schedule::from_config(&ScheduleConfig::default(), 16, 5, None, None)?;
    let network = Network::new(&Preset::Tiny.config(), 5, 16, 0, &device)?;
    let task = SiteTask::new(&network, &source, &schedule, &Weighted, 8)?;
    let config = TrainConfig { steps, warmup_steps: 5, ..TrainConfig::default() };
    let mut trainer = config.trainer(network, 0, &device, 1);
    let losses = (0..steps).map(|_| Ok(trainer.step(&task)?.loss)).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    Ok([losses[0], losses[steps - 1]])
}

fn main() -> Result<(), Box<dyn Error>> {
    let [first, last] = first_and_last(200)?;
    println!("loss {first:.3} at the first step, {last:.3} at the last");
    Ok(())
}
