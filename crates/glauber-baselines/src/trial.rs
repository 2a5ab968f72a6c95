//! Losses of single labels, for the tests of all objectives.

use burn::tensor::{Device, Tensor};
use glauber_chain::ChainRng;
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_train::{Label, Objective, Targets};

pub const VOCAB: usize = 5;

/// Every pair of a clean token and one shown, at several levels of several laws, with random logits.
/// Laws that are the same at every level.
pub fn fixed() -> Vec<NoiseLaw> {
    let masks = NoiseLaw::absorbing(VOCAB, 4).expect("a law");
    let uniform = NoiseLaw::uniform(VOCAB).expect("a law");
    let mixture = NoiseLaw::mixture(&[(0.7, masks.clone()), (0.3, uniform.clone())]).expect("a law");
    vec![uniform, masks, mixture, NoiseLaw::unigram(&[4, 1, 0, 2, 3], 0.0).expect("a law")]
}

/// GIDD's law.
pub fn moving(share: f64) -> NoiseLaw {
    NoiseLaw::moving(VOCAB, 4, share).expect("a law")
}

pub fn each_label(laws: &[NoiseLaw], mut check: impl FnMut(&Label<'_>, &[f64])) {
    let mut rng = ChainRng::new(1, 0);
    for law in laws {
        let order = SiteOrder::strided(3, 3, 8).expect("an order");
        let schedule = Schedule::new(SignalShape::Linear, order, law.clone(), 1e-3, true).expect("a schedule");
        for step in 1..schedule.horizon() {
            let level = schedule.signal_level(0, step);
            let logits: Vec<f64> = (0..VOCAB).map(|_| 6.0 * rng.uniform()).collect();
            for (clean, noisy) in (0..4).flat_map(|a| (0..VOCAB as u32).map(move |b| (a, b))) {
                // What noise cannot have put there is signal.
                if clean == noisy || law.probability_at(level, noisy) > 0.0 {
                    let label =
                        Label { schedule: &schedule, step, site: 0, level, clean, noisy, shown: noisy, noise: false };
                    check(&label, &logits);
                }
            }
        }
    }
}

/// `μ` of logits: no clean token is the mask.
pub fn denoising_law(label: &Label<'_>, logits: &[f64]) -> Vec<f64> {
    let weight = |b: usize| if label.schedule.law().mask() == Some(b as u32) { 0.0 } else { logits[b].exp() };
    let mass: f64 = (0..VOCAB).map(weight).sum();
    (0..VOCAB).map(|b| weight(b) / mass).collect()
}

/// The loss of a label on the device.
pub fn loss_of(objective: &dyn Objective, label: &Label<'_>, logits: &[f64]) -> f64 {
    let device = Device::flex();
    let logits: Vec<f32> = logits.iter().map(|&logit| logit as f32).collect();
    let logits = Tensor::<1>::from_floats(logits.as_slice(), &device).reshape([1, 1, VOCAB]);
    let targets = Targets::of(objective, label.schedule, [*label], [1, 1], &device);
    objective.loss(logits, &targets).into_data().iter::<f64>().next().expect("a loss")
}
