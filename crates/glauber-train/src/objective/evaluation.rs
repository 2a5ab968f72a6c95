//! Held-out losses, in f64 on the host except for the objective's own loss.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use glauber_chain::oracles::MarkovSource;
use glauber_chain::statistics::Estimate;
use glauber_descent::Trainer;
use glauber_model::{Asked, SiteClassifier};
use glauber_schedule::Schedule;
use glauber_tokens::Site;

use super::losses::{binary_cross_entropy, signal_logit};
use super::{Label, Objective, Place, Truth};
use crate::site_task::weighs_own_token;
use crate::{Examples, TrainError, fit};

/// Mean held-out losses, in nats per requested site.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Losses {
    /// The objective's own loss.
    pub loss: f64,
    /// `−log r_θ(X_{t,i})`, comparable between objectives.
    pub step_cross_entropy: f64,
    /// The loss of "signal or noise?" with `p` from `r_θ` through (R), comparable between objectives.
    pub binary: f64,
}

/// A network's excess over the Bayes loss, in nats per requested site.
///
/// Expectations over the label given its context, which are never negative and have little noise. Standard errors are
/// over sequences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Excess {
    /// Of the objective's own loss.
    pub own: Estimate,
    /// Of the step cross-entropy, `KL(r ‖ r_θ)`, comparable between objectives.
    pub step: Estimate,
}

/// The logits of a batch, `[batch, requested site, token]`.
fn logits(network: &dyn SiteClassifier, examples: &Examples, device: &Device) -> Tensor<3> {
    let (context, conditions) = examples.inputs(device);
    network.logits(context, &conditions, examples.query())
}

/// Visits the labels that count, with their index and logits, shape `[token]`.
fn for_each_label<'a>(
    examples: &Examples,
    schedule: &'a Schedule,
    logits: Tensor<3>,
    mut visit: impl FnMut(usize, Label<'a>, &mut [f64]),
) {
    let vocab = logits.dims()[2];
    let mut logits: Vec<f64> = logits.into_data().iter::<f64>().collect();
    for (at, logits) in logits.chunks_exact_mut(vocab).enumerate().filter(|(at, _)| examples.counts(*at)) {
        visit(at, examples.label(schedule, at), logits);
    }
}

fn place<'a>(label: &Label<'a>) -> Place<'a> {
    Place { schedule: label.schedule, step: label.step, site: label.site }
}

/// Sums of a batch's losses, in the order of [`Losses`], and the number of labels.
type LossSums = [f64; 4];

/// The losses of a network over a batch of held-out examples. The device must not be an autodiff one.
fn loss_sums(
    network: &dyn SiteClassifier,
    objective: &dyn Objective,
    schedule: &Schedule,
    batch: &Examples,
    device: &Device,
) -> LossSums {
    let logits = logits(network, batch, device);
    let trained = match weighs_own_token(network, objective) {
        true => logits.clone() + batch.evidence(schedule, device),
        false => logits.clone(),
    };
    let own = objective.loss(trained, &batch.targets(objective, schedule, device));
    let own: Vec<f64> = own.into_data().iter::<f64>().collect();
    let mut sums = [0.0; 4];
    for_each_label(batch, schedule, logits, |at, label, log_r| {
        sums[0] += own[at];
        objective.output().log_conditional(&place(&label), log_r);
        sums[1] -= log_r[label.noisy as usize];
        sums[2] += binary_cross_entropy(signal_logit(schedule, label.step, label.shown, log_r), label.noise);
        sums[3] += 1.0;
    });
    sums
}

impl Losses {
    /// The losses of a trainer's average over batches of examples. Ranks divide the batches, and all receive the same
    /// bits.
    ///
    /// # Panics
    /// When the examples' sequences are longer than the network's, or of another vocabulary.
    pub fn of<N: Module + SiteClassifier + Sync>(
        trainer: &Trainer<N>,
        objective: &dyn Objective,
        schedule: &Schedule,
        batches: &[Examples],
    ) -> Self {
        let batches =
            trainer.evaluate(batches, |network, batch, device| loss_sums(network, objective, schedule, batch, device));
        let [loss, step_cross_entropy, binary, labels] =
            [0, 1, 2, 3].map(|at| batches.iter().map(|sums| sums[at]).sum::<f64>());
        Self { loss: loss / labels, step_cross_entropy: step_cross_entropy / labels, binary: binary / labels }
    }
}

/// A network's excess over the Bayes loss on examples of a Markov source; only at masks if the network reads other
/// tokens. The device must not be an autodiff one.
///
/// # Errors
/// When source, schedule, examples and network do not fit each other.
pub fn excess_over_bayes(
    network: &dyn SiteClassifier,
    objective: &dyn Objective,
    schedule: &Schedule,
    source: &MarkovSource,
    batches: &[Examples],
    device: &Device,
) -> Result<Excess, TrainError> {
    fit::check(network, objective, schedule)?;
    for examples in batches {
        fit::agree("sites of the examples, against those of the schedule", examples.len, schedule.len())?;
    }
    let vocab = schedule.law().vocab();
    // Of each row: the excess of the own loss, of the step cross-entropy, and the labels that they are over.
    let mut sums: Vec<[f64; 3]> = Vec::new();
    for examples in batches {
        let first = sums.len();
        sums.resize(first + examples.rows(), [0.0; 3]);
        let mut posteriors = Vec::with_capacity(examples.rows());
        for row in 0..examples.rows() {
            posteriors.push(posteriors_of(source, schedule, examples, row)?);
        }
        for_each_label(examples, schedule, logits(network, examples, device), |at, label, logits| {
            // A network that sees tokens is asked about masks alone.
            if network.answers() == Asked::Masked && Some(label.noisy) != schedule.law().mask() {
                return;
            }
            let row = at / examples.asked();
            let denoising = &posteriors[row][label.site * vocab..][..vocab];
            let alpha = schedule.signal_level(label.site, label.step);
            let mix = |(m, q): (&f64, &f64)| alpha * m + (1.0 - alpha) * q;
            let law = schedule.law_at(label.site, label.step).probabilities();
            let conditional: Vec<f64> = denoising.iter().zip(law).map(mix).collect();
            let truth = Truth { place: place(&label), denoising, conditional: &conditional };
            let [own, step, count] = &mut sums[first + row];
            *own += objective.excess(&truth, logits);
            *step += truth.step_excess(objective.output(), logits);
            *count += 1.0;
        });
    }
    sums.retain(|[_, _, count]| *count > 0.0);
    let estimate = |at: usize| {
        let rows: Vec<f64> = sums.iter().map(|sums| sums[at] / sums[2]).collect();
        Estimate::independent(&rows)
    };
    Ok(Excess { own: estimate(0), step: estimate(1) })
}

/// The posteriors of a row's sites, shape `[site, token]`, each in the context of its label.
fn posteriors_of(
    source: &MarkovSource,
    schedule: &Schedule,
    examples: &Examples,
    row: usize,
) -> Result<Vec<f64>, TrainError> {
    let here = row * examples.len..(row + 1) * examples.len;
    let (left, step) = (&examples.context[here.clone()], examples.steps[row]);
    let Some(right) = &examples.right else {
        let sites: Vec<Site> = (0..examples.len).collect();
        return Ok(source.denoising_posteriors(schedule, step, left, &sites)?);
    };
    let right = &right.context[here];
    let posterior = |site: Site| {
        let context = [&left[..site], &right[site..]].concat();
        source.denoising_posteriors(schedule, step + site, &context, &[site])
    };
    let posteriors = (0..examples.len).map(posterior).collect::<Result<Vec<_>, _>>()?;
    Ok(posteriors.concat())
}

#[cfg(test)]
mod tests {
    use glauber_schedule::{NoiseLaw, SignalShape, SiteOrder};
    use glauber_tokens::{Step, Token};

    use super::*;
    use crate::objective::losses::binary_excess;
    use crate::objective::{
        Binary, Denoising, LevelBound, LogVariance, RatioMatching, StepCrossEntropy, TargetList, Targets, objectives,
    };

    const R: [f64; 4] = [0.5, 0.2, 0.2, 0.1];

    fn schedule() -> Schedule {
        let law = NoiseLaw::unigram(&[1, 2, 3, 4], 0.0).expect("a law");
        let order = SiteOrder::round_robin(5, 3).expect("an order");
        Schedule::new(SignalShape::Cosine, order, law, 1e-3, false).expect("a schedule")
    }

    /// The logits that minimise an objective if `r` is the true conditional: (R) solved for `f`, or any shift of a
    /// log-law.
    fn optimum(objective: &dyn Objective, schedule: &Schedule, step: Step) -> Vec<f64> {
        let log_r = R.map(f64::ln);
        match objective == &Binary as &dyn Objective {
            true => (0..4).map(|a| signal_logit(schedule, step, a, &log_r)).collect(),
            false => log_r.iter().map(|value| value + 0.7).collect(),
        }
    }

    /// Objectives whose loss is a sum over sites.
    fn of_sites() -> impl Iterator<Item = &'static dyn Objective> {
        objectives().into_iter().filter(|objective| !objective.compares_paths())
    }

    fn is_one_of(objective: &dyn Objective, some: &[&dyn Objective]) -> bool {
        some.contains(&objective)
    }

    /// `α R + (1 − α) q`.
    fn mixture(schedule: &Schedule, step: Step, site: Site, a: Token) -> f64 {
        let alpha = schedule.signal_level(site, step);
        alpha * R[a as usize] + (1.0 - alpha) * schedule.law().probability(a)
    }

    #[test]
    fn equation_h_and_the_mixture_give_the_conditional_back() {
        let schedule = schedule();
        for (step, site) in [(0, 0), (7, 1), (14, 4)] {
            for objective in objectives() {
                let mut row = optimum(objective, &schedule, step);
                let place = Place { schedule: &schedule, step, site };
                objective.output().log_conditional(&place, &mut row);
                for (a, value) in row.iter().enumerate() {
                    let expected = match is_one_of(objective, &[&Denoising, &RatioMatching, &LevelBound, &LogVariance])
                    {
                        true => mixture(&schedule, step, site, a as u32),
                        false => R[a],
                    };
                    assert!((value.exp() - expected).abs() < 1e-12, "{objective:?}, token {a}, step {step}");
                }
            }
        }
    }

    #[test]
    fn every_objective_is_minimised_by_the_conditional() {
        let schedule = schedule();
        let step = 8;
        for objective in of_sites() {
            let best = optimum(objective, &schedule, step);
            let least = expected_loss(objective, &schedule, step, &best);
            for at in 0..4 {
                for shift in [-0.1, 0.1] {
                    let mut other = best.clone();
                    other[at] += shift;
                    let loss = expected_loss(objective, &schedule, step, &other);
                    assert!(loss > least + 1e-5, "{objective:?}: {loss} against {least}");
                }
            }
        }
    }

    /// The expected loss of logits over the objective's label: the clean token (law `R`), the noisy one, or the noise
    /// and the shown token.
    fn expected_loss(objective: &dyn Objective, schedule: &Schedule, step: Step, logits: &[f64]) -> f64 {
        let level = schedule.signal_level(0, step);
        let loss = |shown: Token, noise: bool, clean: Token| {
            loss_of(objective, Label { schedule, step, site: 0, level, clean, noisy: clean, shown, noise }, logits)
        };
        if objective == &LevelBound as &dyn Objective {
            let pairs = (0..4u32).flat_map(|clean| (0..4u32).map(move |noisy| (clean, noisy)));
            let term = |(clean, noisy): (Token, Token)| {
                let signal = if clean == noisy { level } else { 0.0 };
                let mass = R[clean as usize] * (signal + (1.0 - level) * schedule.law().probability(noisy));
                let label = Label { schedule, step, site: 0, level, clean, noisy, shown: noisy, noise: false };
                mass * loss_of(objective, label, logits)
            };
            return pairs.map(term).sum();
        }
        let beta = schedule.beta(step);
        (0..4u32)
            .map(|a| {
                let noise = beta * schedule.law().probability(a) * loss(a, true, a);
                let signal = (1.0 - beta) * R[a as usize] * loss(a, false, a);
                match objective.name() {
                    "denoising" | "step-cross-entropy" => R[a as usize] * loss(a, false, a),
                    "ratio-matching" => mixture(schedule, step, 0, a) * loss(a, false, a),
                    _ => noise + signal,
                }
            })
            .sum()
    }

    fn loss_of(objective: &dyn Objective, label: Label<'_>, logits: &[f64]) -> f64 {
        let device = Device::flex();
        let mut list = TargetList::default();
        objective.aim(&label, &mut list);
        let float = |column: Vec<f32>| Tensor::<1>::from_floats(column.as_slice(), &device).reshape([1, 1]);
        let noise: Vec<f32> = label.schedule.law().probabilities().iter().map(|&q| q as f32).collect();
        let targets = Targets {
            token: Tensor::<1, burn::tensor::Int>::from_ints(list.tokens.as_slice(), &device).reshape([1, 1]),
            numbers: list.numbers.into_iter().map(float).collect(),
            noise: Tensor::<1>::from_floats(noise.as_slice(), &device).reshape([1, 1, 4]),
            mask: None,
            log_density: None,
            counted: None,
        };
        let logits: Vec<f32> = logits.iter().map(|&logit| logit as f32).collect();
        let logits = Tensor::<1>::from_floats(logits.as_slice(), &device).reshape([1, 1, 4]);
        objective.loss(logits, &targets).into_data().iter::<f64>().next().expect("a loss")
    }

    /// Each excess in f64 against the expected losses on the device, which computes in single precision.
    #[test]
    fn every_excess_is_the_expected_loss_above_its_least() {
        let schedule = schedule();
        let (step, site) = (8, 0);
        let conditional: Vec<f64> = (0..4).map(|a| mixture(&schedule, step, site, a)).collect();
        let place = Place { schedule: &schedule, step, site };
        for objective in of_sites() {
            // The binary ones and (d) learn the law of what is shown, here `R`; the others' `μ` is `R`.
            let of_mixture = is_one_of(objective, &[&Denoising, &RatioMatching, &LevelBound]);
            let truth = Truth { place, denoising: &R, conditional: if of_mixture { &conditional } else { &R } };
            let best = optimum(objective, &schedule, step);
            let other = [0.3, -0.2, 1.0, 0.5];
            let loss = |logits: &[f64]| expected_loss(objective, &schedule, step, logits);
            let (found, expected) = (objective.excess(&truth, &other), loss(&other) - loss(&best));
            assert!((found - expected).abs() < 2e-6, "{objective:?}: {found} against {expected}");
            assert!(objective.excess(&truth, &best).abs() < 1e-12);
        }
        assert!(is_one_of(&StepCrossEntropy, &objectives()));
    }

    #[test]
    fn the_binary_excess_is_the_expected_loss_above_its_least() {
        let schedule = schedule();
        let step = 8;
        let best = optimum(&Binary, &schedule, step);
        let other = [0.3, -0.2, 1.0, 0.5];
        let beta = schedule.beta(step);
        let loss = |logits: &[f64]| -> f64 {
            let at = |a: usize| {
                let noise = beta * schedule.law().probability(a as Token) * binary_cross_entropy(logits[a], true);
                noise + (1.0 - beta) * R[a] * binary_cross_entropy(logits[a], false)
            };
            (0..4).map(at).sum()
        };
        let place = Place { schedule: &schedule, step, site: 0 };
        let found = binary_excess(&Truth { place, denoising: &R, conditional: &R }, |a| other[a]);
        let expected = loss(&other) - loss(&best);
        assert!((found - expected).abs() < 1e-12, "{found} against {expected}");
    }
}
