//! GIDD.

use burn::tensor::Tensor;
use glauber_schedule::Schedule;
use glauber_train::{Label, LevelBound, Objective, Output, OwnToken, TargetList, Targets, TrainError, Truth, require};

/// The largest weight of a site.
const MOST_WEIGHT: f64 = 2.0;

/// The term of `level-bound` with the weights of GIDD (von Rütte et al. 2025, "dynamic"), under noise that moves from masks to tokens:
/// 2 at a mask, 1 at a token that is noise, and `(B / V) e^{λ/2}` at the clean token, at most 2; `λ = ln((1 − u) / u)`.
///
/// The last one is `q(X_0) / q(mask)` at the signal level. The weights of the bound itself grow without limit near the data. The program
/// of the authors has a sigmoid of `−u` in place of `λ`; this is the paper's.
#[derive(Debug)]
pub struct DynamicBound;

impl Objective for DynamicBound {
    fn name(&self) -> &'static str {
        "dynamic-bound"
    }

    fn output(&self) -> &'static dyn Output {
        LevelBound.output()
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        let law = label.schedule.law_of_levels();
        let of = |token| law.probability_at(label.level, token);
        let mask = law.mask().unwrap_or_default();
        let weight = match label.noisy {
            noisy if noisy == mask => MOST_WEIGHT,
            noisy if noisy != label.clean => 1.0,
            // Where nothing is noise the ratio has no limit.
            clean => (of(clean) / of(mask)).min(MOST_WEIGHT),
        };
        targets.push(label.clean, LevelBound::numbers(label, weight));
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        LevelBound.loss(logits, targets)
    }

    fn excess(&self, truth: &Truth<'_>, logits: &[f64]) -> f64 {
        LevelBound.excess(truth, logits)
    }

    fn check(&self, schedule: &Schedule) -> Result<(), TrainError> {
        let expected = "`{ kind = \"moving\", share = 0.2 }`, which the objective `dynamic-bound` needs";
        let found = "a law that is constant over the signal levels";
        require(schedule.law_of_levels().is_moving(), "schedule.noise", found, expected)
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
    use super::*;
    use crate::trial::{denoising_law, each_label, loss_of, moving};
    use glauber_chain::level_term;

    #[test]
    fn it_is_the_term_of_the_bound_with_other_weights() {
        let mut seen = [false; 4];
        for share in [0.3, 0.9] {
            each_label(&[moving(share)], |label, logits| {
                let law = label.schedule.law_of_levels();
                let log_mu: Vec<f64> = denoising_law(label, logits).iter().map(|mu| mu.ln()).collect();
                // The time whose level is that of the label, by bisection of (1 − u) / (1 + B √(u (1 − u))).
                let speed = 2.0 * share / (1.0 - share);
                let level = |u: f64| (1.0 - u) / (1.0 + speed * (u * (1.0 - u)).sqrt());
                let (mut low, mut high) = (0.0, 1.0);
                for _ in 0..80 {
                    let middle = 0.5 * (low + high);
                    if level(middle) > label.level { low = middle } else { high = middle }
                }
                let of_clean = speed / 4.0 * ((1.0 - low) / low).sqrt();
                let (kind, weight) = match label.noisy {
                    4 => (0, 2.0),
                    noisy if noisy != label.clean => (1, 1.0),
                    _ if of_clean > 2.0 => (2, 2.0),
                    _ => (3, of_clean),
                };
                seen[kind] = true;
                let shown = label.noisy as usize;
                let of_bound = law.rate(label.level).probability(label.noisy) / label.truth(shown);
                let expected = level_term(law, label.level, label.noisy, label.clean, &log_mu) / of_bound * weight;
                let found = loss_of(&DynamicBound, label, logits);
                assert!((found - expected).abs() < 2e-4 * expected.max(1.0), "{label:?}: {found}, expected {expected}");
            });
        }
        assert_eq!(seen, [true; 4]);
    }
}
