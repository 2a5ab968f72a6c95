//! The likelihood bound in continuous time as a loss.

use crate::objective::{
    DenoisingLaw, DeviceLaw, Label, Objective, Output, OwnToken, Place, TargetList, Targets, Truth, rate,
};
use burn::tensor::Tensor;

/// The maximum of `ln r_0(a) / r_θ(a)`, above which single precision overflows.
const MOST: f64 = 30.0;

/// (f) The bound on the negative log-likelihood in continuous time, for infinitely many steps that touch all sites. The
/// loss is the contribution of a site at a level (`glauber_chain::level_term`, `docs/math.md`, §8). It equals the loss
/// of MDLM and MD4 under absorbing noise, of UDLM and Duo under uniform noise, and of SEDD with ratios of `r_θ` for any
/// noise.
///
/// Its mean over labels is the bound per site in nats, without the prior term. Many linear sweeps draw levels nearly
/// uniformly, which has the least variance. One sweep draws `ln α` uniformly, and needs twenty times the labels.
#[derive(Debug)]
pub struct LevelBound;

impl LevelBound {
    /// The loss's inputs of a label, with the bracket of the term multiplied by `weight`, for objectives with other
    /// weights.
    pub fn numbers(label: &Label<'_>, weight: f64) -> [f64; 5] {
        let tokens = 0..label.schedule.law().vocab();
        let entropy = tokens.map(|b| label.truth(b)).filter(|r| *r > 0.0).map(|r| r * r.ln()).sum();
        [label.level, f64::from(label.noisy), weight, entropy, label.truth(label.noisy as usize).ln()]
    }
}

impl Objective for LevelBound {
    fn name(&self) -> &'static str {
        "level-bound"
    }

    fn output(&self) -> &'static dyn Output {
        &DenoisingLaw
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        let drawn = label.schedule.law_of_levels().rate(label.level).probability(label.noisy);
        let weight = label.rate() * drawn / label.truth(label.noisy as usize);
        targets.push(label.clean, Self::numbers(label, weight));
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        let [level, shown, weight, entropy, log_shown] = [0, 1, 2, 3, 4].map(|at| targets.numbers[at].clone());
        let law = DeviceLaw { level: level.clone().unsqueeze_dim(2), noise: targets.noise.clone(), mask: targets.mask };
        let log_r = DenoisingLaw.on_device(logits, &law);
        let at = |token| -> Tensor<2> { log_r.clone().gather(2, token).squeeze_dim(2) };
        let of_clean = at(targets.token.clone().unsqueeze_dim(2));
        let of_shown = at(shown.int().unsqueeze_dim(2));
        let of_noise: Tensor<2> = (log_r * targets.noise.clone()).sum_dim(2).squeeze_dim(2);
        let noise = level.clone().neg().add_scalar(1.0);
        let divergence = entropy - of_clean * level - of_noise * noise;
        let ratio = (log_shown - of_shown).clamp_max(MOST);
        (divergence + ratio.clone().exp() - ratio.add_scalar(1.0)) * weight
    }

    fn excess(&self, truth: &Truth<'_>, logits: &[f64]) -> f64 {
        let mut log_model = logits.to_vec();
        self.output().log_conditional(&truth.place, &mut log_model);
        let Place { schedule, step, site } = truth.place;
        let drawn = schedule.law_of_levels().rate(schedule.signal_level(site, step));
        let term = |(a, &q): (usize, &f64)| {
            let ratio = truth.conditional[a].ln() - log_model[a];
            if q > 0.0 { q * (ratio.exp() - ratio - 1.0) } else { 0.0 }
        };
        let jumps: f64 = drawn.probabilities().iter().enumerate().map(term).sum();
        rate(schedule, step) * (truth.step_excess(self.output(), logits) + jumps)
    }

    fn own_token(&self) -> OwnToken {
        OwnToken::Seen
    }

    fn is_continuous(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use glauber_chain::{ChainRng, level_term};
    use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};

    use super::*;
    use crate::objective::normalise;

    const VOCAB: usize = 5;

    /// The loss of one label on the device.
    fn loss(label: Label<'_>, logits: &[f64]) -> f64 {
        let device = Device::flex();
        let logits: Vec<f32> = logits.iter().map(|&logit| logit as f32).collect();
        let logits = Tensor::<1>::from_floats(logits.as_slice(), &device).reshape([1, 1, VOCAB]);
        let targets = Targets::of(&LevelBound, label.schedule, [label], [1, 1], &device);
        LevelBound.loss(logits, &targets).into_data().iter::<f64>().next().expect("a loss")
    }

    #[test]
    fn it_is_the_term_of_its_level_in_double_precision() {
        let masks = NoiseLaw::absorbing(VOCAB, 4).expect("a law");
        let uniform = NoiseLaw::uniform(VOCAB).expect("a law");
        let mixture = NoiseLaw::mixture(&[(0.7, masks.clone()), (0.3, uniform.clone())]).expect("a law");
        let mut rng = ChainRng::new(1, 0);
        let moving = NoiseLaw::moving(VOCAB, 4, 0.3).expect("a law");
        for law in [uniform, masks, mixture, NoiseLaw::unigram(&[4, 1, 0, 2, 3], 0.0).expect("a law"), moving] {
            let order = SiteOrder::round_robin(3, 8).expect("an order");
            let schedule = Schedule::new(SignalShape::Linear, order, law.clone(), 1e-3, true).expect("a schedule");
            for step in 0..schedule.horizon() {
                let level = (schedule.level(step as f64 / 24.0) - 0.01).max(1e-3);
                let logits: Vec<f64> = (0..VOCAB).map(|_| 6.0 * rng.uniform()).collect();
                let mut log_mu = logits.clone();
                law.mask().into_iter().for_each(|mask| log_mu[mask as usize] = f64::NEG_INFINITY);
                normalise(&mut log_mu);
                for (clean, noisy) in (0..4).flat_map(|a| (0..VOCAB as u32).map(move |b| (a, b))) {
                    if clean != noisy && law.probability_at(level, noisy) == 0.0 {
                        continue; // noise cannot have put it there
                    }
                    let label =
                        Label { schedule: &schedule, step, site: 0, level, clean, noisy, shown: noisy, noise: false };
                    let expected = rate(&schedule, step) * level_term(&law, level, noisy, clean, &log_mu);
                    let found = loss(label, &logits);
                    assert!((found - expected).abs() < 2e-4 * expected.max(1.0), "{law:?}: {found} {expected}");
                }
            }
        }
    }
}
