//! A text file in, samples out, no run folder:
//! `cargo run --release -p glauber --features full --example train_text -- novel.txt 2000`

use std::error::Error;

use burn::tensor::Device;
use glauber::chain::{HeatBath, ReverseSampler, Sampler};
use glauber::model::{Network, Preset};
use glauber::schedule::{Schedule, ScheduleConfig};
use glauber::text::TextCodec;
use glauber::tokens::Codec;
use glauber::train::{Denoising, NetworkConditional, SiteTask, TrainConfig, Windows};

const LENGTH: usize = 32;

pub(crate) fn samples(text: &str, steps: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let (device, codec) = (Device::flex(), TextCodec::bytes());
    let source = Windows::new(codec.encode(text)?, LENGTH)?;
    let schedule = Schedule::from_config(&ScheduleConfig::default(), LENGTH, codec.vocab_size(), None, None)?;
    let network = Network::new(&Preset::Tiny.config(), codec.vocab_size(), LENGTH, 0, &device)?;
    let task = SiteTask::new(&network, &source, &schedule, &Denoising, 16)?;
    let config = TrainConfig { steps, ..TrainConfig::default() };
    let mut trainer = config.trainer(network, 0, &device, 2);
    for step in 1..=steps {
        let found = trainer.step(&task)?;
        if step % 100 == 0 {
            println!("step {step}: loss {:.3} nats a site", found.loss);
        }
    }
    let conditional = NetworkConditional::new(trainer.average(), &Denoising, &schedule, &device)?;
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut chains = sampler.start(3, 0);
    sampler.sample(&conditional, &mut chains)?;
    Ok(codec.decode_all(chains.tokens())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, steps] = &arguments[..] else { return Err("usage: train_text FILE STEPS".into()) };
    for text in samples(&std::fs::read_to_string(file)?, steps.parse()?)? {
        println!("{text:?}");
    }
    Ok(())
}
