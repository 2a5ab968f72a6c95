//! A network of one's own: it sees the two neighbours of a site and nothing else.
//!
//! Of a Markov chain that is half blind where neighbours are noisy, and exact where they are clean.

use std::error::Error;

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};
use glauber::chain::oracles::MarkovSource;
use glauber::chain::{Chains, HeatBath, ReverseSampler, Sampler};
use glauber::model::{Conditions, SiteClassifier, Sites, Sizes};
use glauber::schedule::{Schedule, ScheduleConfig};
use glauber::train::{
    Denoising, LearningRateSchedule, NetworkConditional, ParamGroups, Settings, SiteTask, Trainer, UpdateRule,
};

const VOCAB: usize = 5;
const LENGTH: usize = 12;
const WIDTH: usize = 16;

#[derive(Module, Debug)]
struct Neighbours {
    table: Embedding,
    hidden: Linear,
    out: Linear,
}

impl Neighbours {
    fn new(device: &Device) -> Self {
        Self {
            table: EmbeddingConfig::new(VOCAB, WIDTH).init(device),
            hidden: LinearConfig::new(2 * WIDTH + 1, 2 * WIDTH).init(device),
            out: LinearConfig::new(2 * WIDTH, VOCAB).init(device),
        }
    }
}

impl SiteClassifier for Neighbours {
    fn sizes(&self) -> Sizes {
        Sizes { vocab: VOCAB, longest: LENGTH, classes: 0 }
    }

    fn logits(&self, tokens: Tensor<2, Int>, conditions: &Conditions, sites: Sites<'_>) -> Tensor<3> {
        let [batch, len] = tokens.dims();
        let states = self.table.forward(tokens);
        let nothing = Tensor::zeros([batch, 1, WIDTH], &states.device());
        let left = Tensor::cat(vec![nothing.clone(), states.clone().narrow(1, 0, len - 1)], 1);
        let right = Tensor::cat(vec![states.narrow(1, 1, len - 1), nothing], 1);
        let time = conditions.time.clone().reshape([batch, 1, 1]).expand([batch, len, 1]);
        let seen = sites.pick(Tensor::cat(vec![left, right, time], 2));
        self.out.forward(relu(self.hidden.forward(seen)))
    }
}

/// The losses of the first and the last step; then the mean log-probability, in nats a token, of the network's samples and of uniform noise
/// under the law of the data.
pub(crate) fn train_and_sample(steps: usize) -> Result<[[f64; 2]; 2], Box<dyn Error>> {
    let device = Device::flex();
    let source = MarkovSource::random(VOCAB, 1, 4.0)?;
    let schedule = Schedule::from_config(&ScheduleConfig::default(), LENGTH, VOCAB, None, None)?;
    let network = Neighbours::new(&device);
    let task = SiteTask::new(&network, &source, &schedule, &Denoising, 32)?;
    let groups = ParamGroups::all(&network, UpdateRule::AdamW);
    let course = LearningRateSchedule { peak: 1e-2, warmup_steps: 5, steps, minimum: 0.1 };
    let mut trainer = Trainer::new(network, groups, Settings::new(course, 0), &device, 1);
    let losses = (0..steps).map(|_| Ok(trainer.step(&task)?.loss)).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    let conditional = NetworkConditional::new(trainer.average(), &Denoising, &schedule, &device)?;
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut chains = sampler.start(64, 0);
    let mean = |chains: &Chains| {
        let total: f64 = chains.tokens().iter().map(|row| source.log_probability(row)).sum();
        total / (chains.rows() * LENGTH) as f64
    };
    let noise = mean(&chains);
    sampler.sample(&conditional, &mut chains)?;
    Ok([[losses[0], losses[steps - 1]], [mean(&chains), noise]])
}

fn main() -> Result<(), Box<dyn Error>> {
    let [[first, last], [samples, noise]] = train_and_sample(300)?;
    println!("loss {first:.3} at the first step, {last:.3} at the last");
    println!("log-probability {samples:.3} nats a token of samples, {noise:.3} of noise");
    Ok(())
}
