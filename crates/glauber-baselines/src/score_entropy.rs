//! SEDD.

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use glauber_train::{DeviceLaw, Label, Objective, Output, OwnToken, Place, TargetList, Targets};

use crate::MOST;

/// The denoising score entropy of SEDD (Lou et al. 2024, eq. 9), in continuous time:
///
/// `ρ q(a) Σ_{b ≠ a} [s(b) − y(b) ln s(b) + y(b) ln y(b) − y(b)]`, `y(b) = r_0(b) / r_0(a)`,
///
/// where the site shows `a`, `r_0 = α 1{X_0} + (1 − α) q` and `ρ` is the rate of `−ln α`. The network gives the ratios `s(b) = r(b) / r(a)`
/// themselves ([`Ratios`]), not by way of the clean token. With ratios of a clean token it would be `level-bound`, draw by draw.
#[derive(Debug)]
pub struct ScoreEntropy;

/// Logits of ratios: `r(b) ∝ e^{l(b)}`, and under noise with a mask `r(b) ∝ α / ((1 − α)(V − 1)) e^{l(b)}` but for the mask, so that even
/// logits are right about how many sites are masked. The shift is SEDD's; it has it for masks alone.
#[derive(Debug)]
pub struct Ratios;

/// The shift of the logits of all tokens except the mask, at a level.
fn shift(level: f64, vocab: usize) -> f64 {
    (level / ((1.0 - level) * (vocab - 1) as f64)).ln()
}

impl Output for Ratios {
    fn log_conditional(&self, place: &Place<'_>, row: &mut [f64]) {
        let law = place.schedule.law();
        assert_eq!(row.len(), law.vocab(), "one logit for each token of the noise law");
        if let Some(mask) = law.mask() {
            // Where nothing is noise, no site is masked.
            row[mask as usize] -= shift(place.schedule.signal_level(place.site, place.step), row.len());
        }
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mass: f64 = row.iter().map(|log| (log - top).exp()).sum();
        row.iter_mut().for_each(|log| *log -= top + mass.ln());
    }

    fn on_device(&self, logits: Tensor<3>, law: &DeviceLaw) -> Tensor<3> {
        let [rows, sites, vocab] = logits.dims();
        let Some(mask) = law.mask.map(|mask| mask as usize) else { return log_softmax(logits, 2) };
        let level = law.level.clone().expand([rows, sites, 1]);
        let noise = level.clone().neg().add_scalar(1.0).mul_scalar((vocab - 1) as f64).clamp_min(1e-20);
        let own = logits.clone().narrow(2, mask, 1) - level.log() + noise.log();
        log_softmax(logits.slice_assign([0..rows, 0..sites, mask..mask + 1], own), 2)
    }
}

impl Objective for ScoreEntropy {
    fn name(&self) -> &'static str {
        "score-entropy"
    }

    fn output(&self) -> &'static dyn Output {
        &Ratios
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        let law = label.schedule.law_of_levels();
        let (shown, level) = (label.noisy as usize, label.level);
        let others = (0..law.vocab()).filter(|&b| b != shown).map(|b| label.truth(b) / label.truth(shown));
        let least: f64 = others.filter(|y| *y > 0.0).map(|y| y * y.ln() - y).sum();
        // At a site that noise cannot have drawn nothing is lost.
        let weight = label.rate() * law.rate(level).probability(label.noisy);
        targets.push(label.clean, [level, f64::from(label.noisy), weight, 1.0 / label.truth(shown), least]);
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        let [level, shown, weight, inverse, least] = [0, 1, 2, 3, 4].map(|at| targets.numbers[at].clone());
        let law = DeviceLaw { level: level.clone().unsqueeze_dim(2), noise: targets.noise.clone(), mask: targets.mask };
        let log_r = Ratios.on_device(logits, &law);
        let of_shown = log_r.clone().gather(2, shown.int().unsqueeze_dim(2));
        // ln s, and 0 at the token shown.
        let log_ratios = (log_r - of_shown).clamp_max(MOST);
        let of_clean = targets.logit(log_ratios.clone());
        let of_noise: Tensor<2> = (log_ratios.clone() * targets.noise.clone()).sum_dim(2).squeeze_dim(2);
        let expected = (of_clean * level.clone() + of_noise * level.neg().add_scalar(1.0)) * inverse;
        let ratios: Tensor<2> = log_ratios.exp().sum_dim(2).squeeze_dim(2);
        (ratios.sub_scalar(1.0) - expected + least) * weight
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
    use crate::trial::{VOCAB, each_label, fixed, loss_of, moving};

    #[test]
    fn it_is_the_formula_of_the_paper() {
        each_label(&[fixed(), vec![moving(0.3)]].concat(), |label, logits| {
            let (law, a) = (label.schedule.law_of_levels(), label.noisy as usize);
            let (at, drawn) = (law.at(label.level), law.rate(label.level));
            let q = at.probabilities();
            let truth =
                |b: usize| (1.0 - label.level) * q[b] + if b == label.clean as usize { label.level } else { 0.0 };
            let shifted = |b: usize| match law.mask() {
                Some(mask) if mask as usize != b => logits[b] + shift(label.level, VOCAB),
                _ => logits[b],
            };
            let term = |b: usize| {
                let (s, y) = ((shifted(b) - shifted(a)).exp(), truth(b) / truth(a));
                s - y * s.ln() + if y > 0.0 { y * y.ln() } else { 0.0 } - y
            };
            let sum: f64 = (0..VOCAB).filter(|&b| b != a).map(term).sum();
            let (expected, found) =
                (label.rate() * drawn.probabilities()[a] * sum, loss_of(&ScoreEntropy, label, logits));
            assert!((found - expected).abs() < 2e-4 * expected.max(1.0), "{label:?}: {found}, expected {expected}");
        });
    }
}
