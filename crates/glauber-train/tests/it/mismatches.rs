//! Things that were not made for each other are refused where they are put together.

use burn::tensor::Device;
use glauber_chain::oracles::MarkovSource;
use glauber_chain::{ChainRng, Chains, DrawControls, RowSites, SiteConditional, TokenRows};
use glauber_model::{ModelConfig, Network, NetworkKind, Preset};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Token, TokenBatch};
use glauber_train::{
    Asked, Binary, Denoising, DeviceSampler, Drawing, Examples, NetworkConditional, Objective, SequenceSource,
    TrainError, excess_over_bayes,
};

const VOCAB: usize = 7;
const LEN: usize = 6;

fn model(network: NetworkKind, classes: usize) -> ModelConfig {
    ModelConfig { network, width: 16, layers: 1, heads: 2, condition_width: 8, classes, ..Preset::Tiny.config() }
}

fn network(kind: NetworkKind, classes: usize) -> Network {
    Network::new(&model(kind, classes), VOCAB, LEN, 1, &Device::flex()).expect("valid sizes")
}

fn schedule(law: NoiseLaw, len: usize) -> Schedule {
    let order = SiteOrder::round_robin(len, 2).expect("an order");
    Schedule::new(SignalShape::Linear, order, law, 1e-3, false).expect("a schedule")
}

fn uniform(vocab: usize) -> NoiseLaw {
    NoiseLaw::uniform(vocab).expect("a law")
}

fn drawing() -> Drawing {
    Drawing {
        asked: Asked::All,
        continuous: false,
        clamped_share: 0.0,
        counts_masks: false,
        whole_sweeps: false,
        block: None,
        densities: false,
        classes: 0,
        class_dropout: 0.0,
    }
}

/// Both samplers, and the excess over the Bayes loss: why they do not take the three together.
fn refusals(network: &Network, objective: &'static dyn Objective, schedule: &Schedule) -> Vec<String> {
    let device = Device::flex();
    let controls = DrawControls::default();
    let source = MarkovSource::random(schedule.law().vocab(), 1, 2.0).expect("a source");
    let rows = Examples::draw(&source, schedule, 2, &drawing(), &mut ChainRng::new(1, 0)).expect("examples");
    let on_host = NetworkConditional::new(network, objective, schedule, &device).err();
    let on_device = DeviceSampler::new(network, objective, schedule, controls, &device).err();
    let excess = excess_over_bayes(network, objective, schedule, &source, &[rows], &device).err();
    [on_host, on_device, excess].into_iter().flatten().map(|error| error.to_string()).collect()
}

#[test]
fn networks_and_schedules_of_other_sizes_are_refused() {
    let absorbing = || NoiseLaw::absorbing(VOCAB, 0).expect("a law");
    let leaky = NoiseLaw::mixture(&[(0.9, absorbing()), (0.1, uniform(VOCAB))]).expect("a law");
    let other = "found 8, expected 7";
    let fewer = "found 6, expected 7";
    let longer = "sites of the schedule";
    for kind in [NetworkKind::Hollow, NetworkKind::MaskedQuery] {
        let network = network(kind, 0);
        for (law, len, words) in [(uniform(8), LEN, other), (uniform(6), LEN, fewer), (uniform(VOCAB), 7, longer)] {
            let found = refusals(&network, &Denoising, &schedule(law, len));
            assert!(found.len() == 3 && found.iter().all(|error| error.contains(words)), "{kind:?}: {found:?}");
        }
        assert_eq!(refusals(&network, &Denoising, &schedule(uniform(VOCAB), LEN)), [""; 0]);
        let found = refusals(&network, &Binary, &schedule(absorbing(), LEN));
        assert!(found.len() == 3 && found.iter().all(|error| error.contains("`binary`")), "{found:?}");
        let moving = schedule(NoiseLaw::moving(VOCAB, 0, 0.3).expect("a law"), LEN);
        let found = refusals(&network, &Binary, &moving);
        assert!(found.len() == 3 && found.iter().all(|error| error.contains("moves")), "{found:?}");
        assert_eq!(refusals(&network, &Denoising, &moving), [""; 0]);
    }
    let network = network(NetworkKind::Bidirectional, 0);
    for law in [uniform(VOCAB), leaky] {
        let found = refusals(&network, &Denoising, &schedule(law, LEN));
        assert!(found.len() == 3 && found.iter().all(|error| error.contains("`schedule.noise`")), "{found:?}");
    }
}

#[test]
fn classes_that_a_network_does_not_know_are_refused() {
    let (device, schedule) = (Device::flex(), schedule(uniform(VOCAB), LEN));
    for (classes, asked, refused) in [(0, Some(0), true), (2, Some(2), true), (2, Some(1), false), (2, None, false)] {
        let network = network(NetworkKind::Hollow, classes);
        let host = NetworkConditional::new(&network, &Denoising, &schedule, &device).expect("they fit");
        let controls = DrawControls::default();
        let on_device = DeviceSampler::new(&network, &Denoising, &schedule, controls, &device).expect("they fit");
        assert_eq!(host.of_class(asked).is_err(), refused, "{classes} classes, {asked:?}");
        assert_eq!(on_device.of_class(asked).is_err(), refused, "{classes} classes, {asked:?}");
    }
}

#[test]
fn questions_of_other_shapes_are_refused() {
    let (device, schedule) = (Device::flex(), schedule(uniform(VOCAB), LEN));
    let network = network(NetworkKind::Hollow, 0);
    let conditional = NetworkConditional::new(&network, &Denoising, &schedule, &device).expect("they fit");
    let ask = |tokens: &[Token], len: usize, sites: &[usize], numbers: usize| {
        conditional.log_conditionals(TokenRows::new(tokens, len), 0, sites, &mut vec![0.0; numbers]).is_err()
    };
    assert!(!ask(&[3; 2 * LEN], LEN, &[0, 5], 4 * VOCAB));
    assert!(ask(&[3; 2 * LEN], LEN / 2, &[0], 4 * VOCAB), "shorter rows");
    assert!(ask(&[7; 2 * LEN], LEN, &[0, 5], 4 * VOCAB), "a token outside the vocabulary");
    assert!(ask(&[3; 2 * LEN], LEN, &[0, 6], 4 * VOCAB), "a site outside the sequence");
    assert!(ask(&[3; 2 * LEN], LEN, &[0, 5], 4 * VOCAB - 1), "too few numbers");
    let at = |steps: &[usize], sites: RowSites<'_>, numbers: usize| {
        let rows = TokenRows::new(&[3; 2 * LEN], LEN);
        conditional.log_conditionals_at(rows, steps, sites, &mut vec![0.0; numbers]).is_err()
    };
    assert!(!at(&[1, 2], RowSites::Each(&[0, 5]), 2 * VOCAB));
    assert!(at(&[1], RowSites::Each(&[0, 5]), 2 * VOCAB), "too few steps");
    assert!(at(&[1, 2], RowSites::Each(&[0]), 2 * VOCAB), "too few sites");
    assert!(at(&[1, 2], RowSites::Each(&[0, 6]), 2 * VOCAB), "a site outside the sequence");
    assert!(at(&[1, 2], RowSites::Marked(&[true; LEN]), 2 * LEN * VOCAB), "too few marks");
    let controls = DrawControls::default();
    let sampler = DeviceSampler::new(&network, &Denoising, &schedule, controls, &device).expect("they fit");
    for (token, len, from) in [(7, LEN, 12), (3, LEN + 1, 12), (3, LEN, 13)] {
        let mut chains = Chains::seeded(TokenBatch::filled(2, len, token), 1);
        assert!(sampler.undo(&mut chains, from, 0, |_| ()).is_err(), "token {token}, {len} sites, from {from}");
    }
}

/// Says the same sequence again and again, with classes.
struct Constant(Token, fn(usize) -> Option<usize>, std::sync::atomic::AtomicUsize);

impl SequenceSource for Constant {
    fn draw(&self, _rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        out.fill(self.0);
        Ok((self.1)(self.2.fetch_add(1, std::sync::atomic::Ordering::Relaxed)))
    }
}

#[test]
fn sequences_that_a_network_has_no_place_for_are_refused() {
    let schedule = schedule(uniform(VOCAB), LEN);
    let draw = |token, classes, class: fn(usize) -> Option<usize>| {
        let drawing = Drawing { classes, ..drawing() };
        let source = Constant(token, class, 0.into());
        Examples::draw(&source, &schedule, 4, &drawing, &mut ChainRng::new(1, 0)).err().map(|error| error.to_string())
    };
    assert_eq!(draw(6, 0, |_| None), None);
    assert_eq!(draw(6, 2, |at| Some(at % 2)), None);
    assert!(
        draw(7, 0, |_| None).is_some_and(|error| error.contains("the token 7, expected tokens of the vocabulary 0..7"))
    );
    assert!(draw(6, 2, Some).is_some_and(|error| error.contains("the class 2, expected one of the classes 0..2")));
    assert!(draw(6, 2, |at| (at > 0).then_some(1)).is_some_and(|error| error.contains("3 of 4")));
    let masked = Drawing { asked: Asked::Masked, ..drawing() };
    let source = Constant(6, |_| None, 0.into());
    assert!(Examples::draw(&source, &schedule, 4, &masked, &mut ChainRng::new(1, 0)).is_err());
}
