//! Class conditioning: a network trained with classes, and classifier-free guidance.

use std::error::Error;

use burn::tensor::Device;
use glauber::chain::oracles::{MarkovMixture, MarkovSource};
use glauber::chain::{Guided, HeatBath, ReverseSampler, Sampler};
use glauber::model::{ModelConfig, Network, Preset};
use glauber::schedule::{Schedule, ScheduleConfig};
use glauber::train::{Denoising, Drawing, NetworkConditional, SiteTask, TrainConfig};

const VOCAB: usize = 7;
const LENGTH: usize = 16;

/// The mean posterior of the class asked for over samples of it, without guidance and with it.
pub(crate) fn posteriors(steps: usize) -> Result<[f64; 2], Box<dyn Error>> {
    let device = Device::flex();
    let classes = vec![MarkovSource::random(VOCAB, 1, 3.0)?, MarkovSource::random(VOCAB, 2, 3.0)?];
    let source = MarkovMixture::new(vec![0.5, 0.5], classes)?;
    let schedule = Schedule::from_config(&ScheduleConfig::default(), LENGTH, VOCAB, None, None)?;
    let model = ModelConfig { classes: 2, width: 32, heads: 2, condition_width: 16, ..Preset::Tiny.config() };
    let network = Network::new(&model, VOCAB, LENGTH, 0, &device)?;
    let config = TrainConfig { steps, warmup_steps: 10, ..TrainConfig::default() };
    // A tenth of the rows is drawn without its class: the same network learns the law of both together.
    let drawing = Drawing { class_dropout: 0.1, ..Drawing::held_out(&network) };
    let task = SiteTask::new(&network, &source, &schedule, &Denoising, 8)?.with_drawing(drawing);
    let mut trainer = config.trainer(network, 0, &device, 1);
    while trainer.steps() < steps {
        trainer.step(&task)?;
    }
    let all = NetworkConditional::new(trainer.average(), &Denoising, &schedule, &device)?;
    let of_class = all.clone().of_class(Some(1))?;
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut chains = [sampler.start(64, 0), sampler.start(64, 0)];
    sampler.sample(&of_class, &mut chains[0])?;
    sampler.sample(&Guided::new(of_class.clone(), all, 1.0)?, &mut chains[1])?;
    let mean = |rows: Vec<f64>| rows.iter().sum::<f64>() / rows.len() as f64;
    Ok(chains.map(|chains| mean(chains.tokens().iter().map(|row| source.class_posterior(row)[1]).collect())))
}

fn main() -> Result<(), Box<dyn Error>> {
    let [plain, guided] = posteriors(400)?;
    println!("samples of class 1 are of class 1 with probability {plain:.3}, with guidance {guided:.3}");
    Ok(())
}
