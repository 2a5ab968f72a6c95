//! The chain on the device takes the path of the chain on the host, draw by draw.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use glauber_chain::{
    AfterStep, ChainError, ChainRng, Chains, DrawControls, HeatBath, ReverseSampler, Sampler, SiteConditional,
    TokenRows,
};
use glauber_model::{Conditioning, ModelConfig, Network, NetworkKind, Positions};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Site, Step};
use glauber_train::{Binary, Denoising, DeviceChains, DeviceSampler, NetworkConditional, Objective, objectives};

const VOCAB: usize = 13;
const LEN: usize = 12;

/// Weights that make an opinionated network of an untrained one.
pub struct Wake(pub ChainRng);

impl ModuleMapper for Wake {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.shape();
        let values: Vec<f32> = (0..shape.num_elements()).map(|_| self.0.uniform() as f32 - 0.5).collect();
        param.map(|old| Tensor::from_data(TensorData::new(values, shape), &old.device()))
    }
}

fn network(kind: NetworkKind, conditioning: Conditioning) -> Network {
    let config = ModelConfig {
        network: kind,
        width: 16,
        layers: 2,
        merge_layers: 1,
        heads: 2,
        condition_width: 8,
        positions: Positions::Line,
        site_vectors: false,
        conditioning,
        classes: 0,
        tied: false,
        block: 0,
        prior: None,
    };
    let network = Network::new(&config, VOCAB, LEN, 1, &Device::flex()).expect("valid sizes");
    network.map(&mut Wake(ChainRng::new(5, 0)))
}

fn schedule(law: NoiseLaw, order: SiteOrder) -> Schedule {
    Schedule::new(SignalShape::Linear, order, law, 1e-3, false).expect("a schedule")
}

fn start(sampler: &dyn Sampler, clamp: bool) -> Chains {
    let mut chains = sampler.start(9, 4);
    if clamp {
        for row in 0..9 {
            for site in [0, 3, 4, row] {
                chains.clamp(row, site, (row % 5) as u32).expect("a place");
            }
        }
    }
    chains
}

fn agree(
    kind: NetworkKind,
    objective: &'static dyn Objective,
    schedule: &Schedule,
    controls: DrawControls,
    clamp: bool,
) {
    for conditioning in [Conditioning::SignalLevel, Conditioning::SignalLevelOnly] {
        agree_on(&network(kind, conditioning), objective, schedule, controls, clamp);
    }
}

fn agree_on(
    network: &Network,
    objective: &'static dyn Objective,
    schedule: &Schedule,
    controls: DrawControls,
    clamp: bool,
) {
    let device = Device::flex();
    let sampler = ReverseSampler::new(schedule, HeatBath::new(controls).expect("controls"));
    let mut host = start(&sampler, clamp);
    let mut chains = DeviceChains::upload(&host, &device);
    let conditional = NetworkConditional::new(network, objective, schedule, &device).expect("they fit");
    let conditional = AfterStep::where_several(conditional, schedule);
    let on_host = sampler.sample(&conditional, &mut host).expect("sampling");
    let on_device = DeviceSampler::new(network, objective, schedule, controls, &device).expect("a sampler");
    let mut undone = start(&sampler, clamp);
    let mut sweeps = Vec::new();
    let done = on_device.run(&mut chains, schedule.horizon(), 0, |left| sweeps.push(left)).expect("sampling");
    assert_eq!(done, on_host, "redraws, changes and evaluations");
    assert_eq!(sweeps, (0..schedule.sweeps()).rev().collect::<Vec<_>>());
    // Tokens, and generators: both take the same uniform numbers.
    assert_eq!(chains.download().expect("chains"), host, "{objective:?}, {controls:?}, clamped: {clamp}");
    let middle = schedule.horizon() / 2;
    let mut done = on_device.undo(&mut undone, schedule.horizon(), middle, |_| ()).expect("sampling");
    done += on_device.undo(&mut undone, middle, 0, |_| ()).expect("sampling");
    assert_eq!((undone, done), (host, on_host), "up and down in between");
}

#[test]
fn a_network_of_no_numbers_is_told_and_not_drawn_from() {
    struct Break;
    impl ModuleMapper for Break {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|old| old * f32::NAN)
        }
    }
    let network = network(NetworkKind::Hollow, Conditioning::SignalLevel).map(&mut Break);
    let schedule = schedule(NoiseLaw::uniform(VOCAB).expect("a law"), round_robin());
    let (device, controls) = (Device::flex(), DrawControls::default());
    let sampler = DeviceSampler::new(&network, &Denoising, &schedule, controls, &device).expect("a sampler");
    let mut chains = Chains::from_noise(&schedule, ChainRng::streams(1, 3));
    let before = chains.clone();
    let error = sampler.undo(&mut chains, schedule.horizon(), 0, |_| ()).expect_err("no law").to_string();
    assert!(error.contains("36 conditionals of sweep 3 contain a NaN"), "{error}");
    assert_eq!(chains, before);
}

/// Conditionals that keep nothing from question to question.
struct Forgetful<'a> {
    network: &'a Network,
    schedule: &'a Schedule,
    device: Device,
}

impl SiteConditional for Forgetful<'_> {
    fn vocab(&self) -> usize {
        VOCAB
    }

    fn len(&self) -> usize {
        LEN
    }

    fn log_conditionals(
        &self,
        tokens: TokenRows<'_>,
        step: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        let fresh = NetworkConditional::new(self.network, &Denoising, self.schedule, &self.device);
        fresh.expect("they fit").log_conditionals(tokens, step, sites, out)
    }
}

#[test]
fn what_is_kept_between_steps_changes_no_draw() {
    let law = || NoiseLaw::uniform(VOCAB).expect("a law");
    let orders = [
        round_robin(),
        SiteOrder::permutation(LEN, 4, 3).expect("an order"),
        SiteOrder::strided(LEN, 3, 4).expect("an order"),
    ];
    for conditioning in [Conditioning::SignalLevel, Conditioning::SignalLevelOnly] {
        let network = network(NetworkKind::Hollow, conditioning);
        for order in orders.clone() {
            let schedule = schedule(law(), order);
            let sampler = ReverseSampler::new(&schedule, HeatBath::default());
            let (mut kept, mut expected) = (start(&sampler, true), start(&sampler, true));
            let device = Device::flex();
            let keeps = NetworkConditional::new(&network, &Denoising, &schedule, &device);
            sampler.sample(&keeps.expect("they fit"), &mut kept).expect("sampling");
            sampler
                .sample(&Forgetful { network: &network, schedule: &schedule, device }, &mut expected)
                .expect("sampling");
            assert_eq!(kept.tokens(), expected.tokens(), "{conditioning:?}");
        }
    }
}

fn round_robin() -> SiteOrder {
    SiteOrder::round_robin(LEN, 4).expect("an order")
}

#[test]
fn host_and_device_agree_for_every_network_and_objective() {
    let schedule = schedule(NoiseLaw::uniform(VOCAB).expect("a law"), round_robin());
    for kind in [NetworkKind::Hollow, NetworkKind::MaskedQuery] {
        for objective in objectives() {
            agree(kind, objective, &schedule, DrawControls::default(), false);
        }
    }
}

#[test]
fn host_and_device_agree_under_every_control() {
    let counts: Vec<u64> = (1..=VOCAB as u64).collect();
    let schedule = schedule(NoiseLaw::unigram(&counts, 0.0).expect("a law"), round_robin());
    let controls = [
        DrawControls { temperature: 0.7, ..DrawControls::default() },
        DrawControls { temperature: 0.0, ..DrawControls::default() },
        DrawControls { top_k: Some(3), ..DrawControls::default() },
        DrawControls { top_p: Some(0.6), ..DrawControls::default() },
        DrawControls { temperature: 1.3, top_k: Some(6), top_p: Some(0.8) },
    ];
    for controls in controls {
        agree(NetworkKind::Hollow, &Denoising, &schedule, controls, false);
        agree(NetworkKind::Hollow, &Denoising, &schedule, controls, true);
    }
}

#[test]
fn host_and_device_agree_on_clamped_chains_blocks_and_masks() {
    let uniform = NoiseLaw::uniform(VOCAB).expect("a law");
    let blocks = SiteOrder::strided(LEN, 3, 4).expect("an order");
    agree(NetworkKind::Hollow, &Denoising, &schedule(uniform.clone(), blocks.clone()), DrawControls::default(), true);
    agree(NetworkKind::MaskedQuery, &Binary, &schedule(uniform.clone(), blocks.clone()), DrawControls::default(), true);
    agree(NetworkKind::OwnEvidence, &Denoising, &schedule(uniform, blocks), DrawControls::default(), true);
    for order in [round_robin(), SiteOrder::strided(LEN, 3, 4).expect("an order")] {
        let moving = schedule(NoiseLaw::moving(VOCAB, VOCAB as u32 - 1, 0.3).expect("a law"), order.clone());
        for kind in [NetworkKind::Hollow, NetworkKind::OwnEvidence] {
            agree(kind, &Denoising, &moving, DrawControls::default(), true);
        }
        let absorbing = schedule(NoiseLaw::absorbing(VOCAB, VOCAB as u32 - 1).expect("a law"), order);
        for kind in [NetworkKind::Hollow, NetworkKind::Bidirectional] {
            agree(kind, &Denoising, &absorbing, DrawControls::default(), true);
        }
    }
}
