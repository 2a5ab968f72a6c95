//! The network that is compared: the same weights on both devices.

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use glauber_chain::{ChainRng, DrawControls};
use glauber_model::{Network, SiteClassifier};
use glauber_run::RunFolder;
use glauber_run::Sampling;
use glauber_schedule::Schedule;
use glauber_tokens::TokenBatch;
use glauber_train::{
    DeviceChains, DeviceSampler, Drawing, Examples, NetworkConditional, Objective, Precision, loss_and_gradients,
};

use super::pace::Pace;
use crate::bench::UniformTokens;

/// The same thing on the CPU device and on the other.
pub type Both<T> = [T; 2];

/// A network on both devices.
pub struct Subject {
    networks: Both<Network>,
    devices: Both<Device>,
    objective: &'static dyn Objective,
    schedule: Schedule,
    /// Number of tokens.
    vocab: usize,
}

impl Subject {
    /// The averaged weights of a run's newest checkpoint.
    pub fn of_run(run: &Path, devices: &Both<Device>) -> anyhow::Result<Self> {
        let folder = RunFolder::open(run)?;
        let config = folder.config()?;
        let [(here, _), (there, _)] = [folder.load_average(&devices[0])?, folder.load_average(&devices[1])?];
        Ok(Self {
            networks: [here, there],
            devices: devices.clone(),
            objective: config.train.objective,
            schedule: folder.schedule()?,
            vocab: folder.vocabulary()?.size,
        })
    }

    /// Number of weights.
    pub fn weights(&self) -> usize {
        self.networks[0].num_params()
    }

    /// Examples as in an evaluation, of sequences that need no data.
    pub fn examples(&self, rows: usize, seed: u64) -> anyhow::Result<Examples> {
        let (source, drawing) = (UniformTokens(self.vocab), Drawing::held_out(&self.networks[0]));
        Ok(Examples::draw(&source, &self.schedule, rows, &drawing, &mut ChainRng::new(seed, 0))?)
    }

    fn each<T>(&self, one: impl Fn(&Network, &Device) -> T) -> Both<T> {
        [one(&self.networks[0], &self.devices[0]), one(&self.networks[1], &self.devices[1])]
    }

    /// The logits of the examples' requested sites.
    pub fn logits(&self, examples: &Examples) -> Both<Vec<f32>> {
        self.each(|network, device| logits(network, examples, device))
    }

    /// Losses, and gradients with all their entries in the order of the network's parameters; the CPU device's in single precision.
    pub fn gradients(&self, examples: &Examples, there: Precision) -> Both<(f64, Vec<f32>)> {
        let [network, other] = &self.networks;
        let [here, device] = &self.devices;
        [self.gradient(network, examples, Precision::F32, here), self.gradient(other, examples, there, device)]
    }

    fn gradient(
        &self,
        network: &Network,
        examples: &Examples,
        precision: Precision,
        device: &Device,
    ) -> (f64, Vec<f32>) {
        let (objective, schedule) = (self.objective, &self.schedule);
        let (loss, gradients) = loss_and_gradients(network, objective, schedule, examples, precision, device);
        let mut entries = Entries { gradients, all: Vec::new() };
        network.visit(&mut entries);
        (loss, entries.all)
    }

    /// Sequences whose draws are made on the host, in double precision.
    pub fn host_samples(&self, count: usize, seed: u64) -> anyhow::Result<Both<TokenBatch>> {
        let [here, there] = self.each(|network, device| {
            let conditional = NetworkConditional::new(network, self.objective, &self.schedule, device)?;
            Sampling::heat_bath(&self.schedule).draw(&conditional, count, seed, &mut |_| {})
        });
        Ok([here?.0, there?.0])
    }

    /// Sequences whose draws are made on the device, in single precision; how long a step took.
    pub fn device_samples(&self, count: usize, seed: u64) -> anyhow::Result<(Both<TokenBatch>, Both<Pace>)> {
        let [here, there] = self.each(|network, device| self.drawn_on(network, device, count, seed));
        let ((here, pace), (there, other)) = (here?, there?);
        Ok(([here, there], [pace, other]))
    }

    fn drawn_on(
        &self,
        network: &Network,
        device: &Device,
        count: usize,
        seed: u64,
    ) -> anyhow::Result<(TokenBatch, Pace)> {
        let chains = Sampling::heat_bath(&self.schedule).start(count, seed);
        let mut chains = DeviceChains::upload(&chains, device);
        let sampler = DeviceSampler::new(network, self.objective, &self.schedule, DrawControls::default(), device)?;
        let mut now = self.schedule.horizon();
        let pace = Pace::of(device, now - 1, |steps| {
            now -= steps;
            sampler.run(&mut chains, now + steps, now, |_| ())?;
            Ok(())
        })?;
        Ok((chains.download()?.into_parts().0, pace))
    }
}

/// The logits of the examples' requested sites, `[row, requested site, token]`.
pub fn logits(network: &Network, examples: &Examples, device: &Device) -> Vec<f32> {
    let (context, conditions) = examples.inputs(device);
    network.logits(context, &conditions, examples.query()).into_data().iter::<f32>().collect()
}

/// Takes gradients in the order of the network's parameters, which have identifiers of their own on each device.
struct Entries {
    gradients: GradientsParams,
    all: Vec<f32>,
}

impl ModuleVisitor for Entries {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.all.extend(gradient.into_data().iter::<f32>());
        }
    }
}
