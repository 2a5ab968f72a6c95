//! Saves a training, and resumes it in another trainer bit for bit.

use std::error::Error;
use std::path::Path;

use burn::tensor::Device;
use glauber::chain::oracles::MarkovSource;
use glauber::model::{Network, Preset};
use glauber::schedule::{Schedule, ScheduleConfig};
use glauber::train::{Denoising, SiteTask, TrainConfig};

/// The losses of twenty steps, and of the last ten again after a resume.
pub(crate) fn losses(folder: &Path) -> Result<[Vec<f64>; 2], Box<dyn Error>> {
    let device = Device::flex();
    let source = MarkovSource::random(11, 1, 2.0)?;
    let schedule = Schedule::from_config(&ScheduleConfig::default(), 16, 11, None, None)?;
    let network = Network::new(&Preset::Tiny.config(), 11, 16, 0, &device)?;
    let task = SiteTask::new(&network, &source, &schedule, &Denoising, 4)?;
    let config = TrainConfig { steps: 20, ..TrainConfig::default() };

    let mut unbroken = config.trainer(network.clone(), 7, &device, 1);
    let mut losses = Vec::new();
    for step in 0..20 {
        if step == 10 {
            unbroken.save(folder)?;
        }
        losses.push(unbroken.step(&task)?.loss);
    }
    let mut resumed = config.trainer(network, 7, &device, 1);
    resumed.load(folder, 10)?;
    let mut again = Vec::new();
    while resumed.steps() < 20 {
        again.push(resumed.step(&task)?.loss);
    }
    Ok([losses, again])
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("glauber-resume-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let [unbroken, resumed] = losses(&folder)?;
    std::fs::remove_dir_all(&folder)?;
    println!("the last loss, unbroken {} and resumed {}", unbroken[19], resumed[9]);
    Ok(())
}
