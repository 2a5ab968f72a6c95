//! D3PM.

use burn::tensor::Tensor;
use glauber_schedule::Schedule;
use glauber_train::{
    DenoisingLaw, DeviceLaw, Label, Objective, Output, OwnToken, TargetList, Targets, TrainError, require_fixed_law,
};

/// Weight of the added cross-entropy of the clean token.
const SHARE: f64 = 1e-3;

/// The bound of D3PM (Austin et al. 2021, eq. 1 and 5), a step of all sites at a time, and a thousandth of the clean token's cross-entropy:
///
/// `T Σ_i [KL(p(X_{t−1,i} | X_{t,i}, X_{0,i}) ‖ p(X_{t−1,i} | X_{t,i}, μ)) − 0.001 ln μ(X_{0,i})]`
///
/// with `p(b | a, ·) ∝ r(b) K(b → a)` and `r = α μ + (1 − α) q` at the level before the step. For `T → ∞` and without the cross-entropy
/// it is `level-bound`; it is above it by `O(1/T)`.
#[derive(Debug)]
pub struct DiscreteBound;

impl Objective for DiscreteBound {
    fn name(&self) -> &'static str {
        "discrete-bound"
    }

    fn output(&self) -> &'static dyn Output {
        &DenoisingLaw
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        let q = label.schedule.law().probabilities();
        let (shown, after, steps) = (label.noisy as usize, label.level, label.schedule.sweeps() as f64);
        // No step is before the first: the row is clean.
        let before = label.step.checked_sub(1).map_or(1.0, |step| label.schedule.signal_level(label.site, step));
        let clean = |b: usize| if b == label.clean as usize { 1.0 } else { 0.0 };
        let truth = |b: usize| before * clean(b) + (1.0 - before) * q[b];
        let (keep, noise) = (after / before, (1.0 - after / before) * q[shown]);
        let mass = keep * truth(shown) + noise;
        let posterior = |b: usize| truth(b) * (noise + if b == shown { keep } else { 0.0 }) / mass;
        let entropy: f64 =
            (0..q.len()).map(|b| (posterior(b), truth(b))).filter(|(p, _)| *p > 0.0).map(|(p, r)| p * r.ln()).sum();
        let own = keep * truth(shown) / mass;
        let constant = entropy - mass.ln();
        targets.push(label.clean, [before, f64::from(label.noisy), noise / mass, own, keep, noise, constant, steps]);
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        let number = |at: usize| targets.numbers[at].clone();
        let (before, shown) = (number(0), number(1).int().unsqueeze_dim(2));
        let law =
            DeviceLaw { level: before.clone().unsqueeze_dim(2), noise: targets.noise.clone(), mask: targets.mask };
        let log_r = DenoisingLaw.on_device(logits.clone(), &law);
        let of_shown: Tensor<2> = log_r.clone().gather(2, shown).squeeze_dim(2);
        let of_clean = targets.logit(log_r.clone());
        let of_noise: Tensor<2> = (log_r * targets.noise.clone()).sum_dim(2).squeeze_dim(2);
        let under_truth = of_clean * before.clone() + of_noise * before.neg().add_scalar(1.0);
        // Σ_b p(b) ln r_θ(b), and the mass of the model's posterior.
        let crossed = under_truth * number(2) + of_shown.clone() * number(3);
        let mass = (of_shown.exp() * number(4) + number(5)).clamp_min(1e-30).log();
        let divergence = number(6) - crossed + mass;
        (divergence - targets.log_probability(logits).mul_scalar(SHARE)) * number(7)
    }

    fn check(&self, schedule: &Schedule) -> Result<(), TrainError> {
        require_fixed_law(self, schedule)
    }

    fn own_token(&self) -> OwnToken {
        OwnToken::Seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{VOCAB, denoising_law, each_label, fixed, loss_of};

    /// `ln p(· | a)` of (P1) from the law of the clean token, token by token.
    fn posterior(label: &Label<'_>, clean: &[f64]) -> Vec<f64> {
        let q = label.schedule.law().probabilities();
        let before = if label.step == 0 { 1.0 } else { label.schedule.signal_level(label.site, label.step - 1) };
        let keep = label.level / before;
        let step =
            |b: usize| (1.0 - keep) * q[label.noisy as usize] + if b == label.noisy as usize { keep } else { 0.0 };
        let joint: Vec<f64> = (0..VOCAB).map(|b| (before * clean[b] + (1.0 - before) * q[b]) * step(b)).collect();
        let mass: f64 = joint.iter().sum();
        joint.iter().map(|p| (p / mass).ln()).collect()
    }

    #[test]
    fn it_is_the_formula_of_the_paper() {
        each_label(&fixed(), |label, logits| {
            let mu = denoising_law(label, logits);
            let truth: Vec<f64> = (0..VOCAB).map(|b| f64::from(u8::from(b == label.clean as usize))).collect();
            let (p, model) = (posterior(label, &truth), posterior(label, &mu));
            let divergence: f64 =
                p.iter().zip(&model).filter(|(p, _)| p.exp() > 0.0).map(|(p, model)| p.exp() * (p - model)).sum();
            let mass: f64 = logits.iter().map(|logit| logit.exp()).sum();
            let crossed = mass.ln() - logits[label.clean as usize];
            let expected = label.schedule.horizon() as f64 * (divergence + SHARE * crossed);
            let found = loss_of(&DiscreteBound, label, logits);
            assert!((found - expected).abs() < 5e-4 * expected.max(1.0), "{label:?}: {found}, expected {expected}");
        });
    }
}
