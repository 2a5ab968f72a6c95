//! Held-out losses, in f64 on the host.

use burn::tensor::Device;

use glauber_chain::oracles::MarkovSource;
use glauber_chain::statistics::Estimate;
use glauber_model::{Network, SiteClassifier};
use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use crate::objective::normalise;
use crate::{Examples, Objective, TrainError, fit};

/// Mean held-out losses, nats a site asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Evaluation {
    /// The objective's own loss.
    pub loss: f64,
    /// `−log r_θ(X_{t,i})`, the same quantity for every objective.
    pub step_cross_entropy: f64,
    /// The loss of "signal or noise?" with `p` from `r_θ` through (R), the same quantity for every objective.
    pub binary: f64,
}

/// How far above the Bayes loss a network is, nats a site asked for.
///
/// Expectations over the label given its context, so they are never negative and hardly noisy; errors are over the sequences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Excess {
    /// Of the objective's own loss.
    pub own: Estimate,
    /// Of the step cross-entropy, `KL(r ‖ r_θ)`: the same quantity for every objective.
    pub step: Estimate,
}

/// One label: where it stands, and the network's logits there.
struct Label<'a> {
    row: usize,
    step: Step,
    site: Site,
    shown: Token,
    noise: bool,
    clean: Token,
    noisy: Token,
    /// `[token]`.
    logits: &'a mut [f64],
}

fn for_each_label(network: &Network, batches: &[Examples], device: &Device, mut visit: impl FnMut(Label<'_>)) -> usize {
    let mut first_row = 0;
    for examples in batches {
        let (context, conditions) = examples.inputs(device);
        let logits = network.logits(context, &conditions, examples.query());
        let vocab = logits.dims()[2];
        let mut logits: Vec<f64> = logits.into_data().iter::<f64>().collect();
        for (at, row_logits) in logits.chunks_exact_mut(vocab).enumerate().filter(|(at, _)| examples.counts(*at)) {
            let row = at / examples.asked();
            visit(Label {
                row: first_row + row,
                step: examples.steps[row],
                site: examples.site(row, at % examples.asked()),
                shown: examples.shown[at],
                noise: examples.noise[at],
                clean: examples.clean_at(at),
                noisy: examples.noisy_at(at),
                logits: row_logits,
            });
        }
        first_row += examples.rows();
    }
    first_row
}

/// Sums of a batch's losses, in the order of [`Evaluation`], and how many labels they are over.
pub(crate) type LossSums = [f64; 4];

/// The losses of a network over a batch of held-out examples. The device must not be an autodiff one.
pub(crate) fn loss_sums(
    network: &Network,
    objective: Objective,
    schedule: &Schedule,
    batch: &Examples,
    device: &Device,
) -> LossSums {
    let mut sums = [0.0; 4];
    for_each_label(network, std::slice::from_ref(batch), device, |label| {
        sums[0] += own_loss(objective, schedule, &label);
        let log_r = label.logits;
        objective.log_conditional(schedule, label.step, label.site, log_r);
        sums[1] -= log_r[label.noisy as usize];
        let f = signal_logit(schedule, label.step, label.shown, log_r);
        sums[2] += binary_cross_entropy(f, label.noise);
        sums[3] += 1.0;
    });
    sums
}

impl Evaluation {
    /// Of the sums of all batches, in their order.
    pub fn mean(batches: &[LossSums]) -> Self {
        let [loss, step_cross_entropy, binary, labels] =
            [0, 1, 2, 3].map(|at| batches.iter().map(|sums| sums[at]).sum::<f64>());
        Self { loss: loss / labels, step_cross_entropy: step_cross_entropy / labels, binary: binary / labels }
    }
}

fn own_loss(objective: Objective, schedule: &Schedule, label: &Label<'_>) -> f64 {
    let f = label.logits[label.shown as usize];
    let binary = |f| binary_cross_entropy(f, label.noise);
    match objective {
        Objective::Binary => binary(f),
        Objective::NormalisedBinary => {
            let keep = schedule.log_keep_probability(label.step);
            let noise = schedule.log_noise_probability(label.step, label.shown);
            binary(f - log_sum_exp(label.logits) + keep - noise)
        }
        Objective::Denoising => log_sum_exp(label.logits) - label.logits[label.clean as usize],
        Objective::StepCrossEntropy | Objective::RatioMatching => {
            let mut log_r = label.logits.to_vec();
            objective.log_conditional(schedule, label.step, label.site, &mut log_r);
            -log_r[label.noisy as usize]
        }
    }
}

/// `f(a) = log Π_t(φ) + log r(a) − log Π_t(a)`: equation (R) solved for the signal logit.
fn signal_logit(schedule: &Schedule, step: Step, token: Token, log_r: &[f64]) -> f64 {
    let noise = schedule.log_noise_probability(step, token);
    schedule.log_keep_probability(step) + log_r[token as usize] - noise
}

/// `−log(1 − p)` of a signal, `−log p` of noise, with `f = log((1 − p)/p)`.
fn binary_cross_entropy(f: f64, noise: bool) -> f64 {
    softplus(if noise { f } else { -f })
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn log_sum_exp(row: &[f64]) -> f64 {
    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    top + row.iter().map(|value| (value - top).exp()).sum::<f64>().ln()
}

/// How far a network is above the Bayes loss on examples of a Markov source. The device must not be an autodiff one.
///
/// # Errors
/// When source, schedule, examples and network do not fit each other.
pub fn excess_over_bayes(
    network: &Network,
    objective: Objective,
    schedule: &Schedule,
    source: &MarkovSource,
    batches: &[Examples],
    device: &Device,
) -> Result<Excess, TrainError> {
    fit::check(network, objective, schedule)?;
    for examples in batches {
        fit::agree("sites of the examples, against those of the schedule", examples.len, schedule.len())?;
        if matches!(network, Network::Bidirectional(_)) && examples.counted.is_none() {
            return Err(TrainError::Sequence {
                found: "labels at sites that show their token".into(),
                expected: "labels at masked sites alone, where a bidirectional network does not see it".into(),
            });
        }
    }
    let sites: Vec<Site> = (0..schedule.len()).collect();
    let mut posteriors = Vec::new();
    for examples in batches {
        for (row, context) in examples.context.chunks_exact(examples.len).enumerate() {
            posteriors.push(source.denoising_posteriors(schedule, examples.steps[row], context, &sites)?);
        }
    }
    let mut sums = vec![[0.0; 3]; posteriors.len()];
    for_each_label(network, batches, device, |label| {
        let vocab = label.logits.len();
        let mu = &posteriors[label.row][label.site * vocab..][..vocab];
        let raw = label.logits.to_vec();
        let log_r = label.logits;
        objective.log_conditional(schedule, label.step, label.site, log_r);
        let alpha = schedule.signal_level(label.site, label.step);
        let law = schedule.law().probabilities();
        let mix = |(m, q): (&f64, &f64)| alpha * m + (1.0 - alpha) * q;
        let r: Vec<f64> = mu.iter().zip(law).map(mix).collect();
        let step = divergence(&r, log_r);
        let own = match objective {
            Objective::Denoising => divergence(mu, &normalised(raw)),
            Objective::StepCrossEntropy | Objective::RatioMatching => step,
            Objective::NormalisedBinary => {
                binary_excess(schedule, label.step, &r, |a| signal_logit(schedule, label.step, a as Token, log_r))
            }
            Objective::Binary => binary_excess(schedule, label.step, &r, |a| raw[a]),
        };
        let [own_sum, step_sum, count] = &mut sums[label.row];
        *own_sum += own;
        *step_sum += step;
        *count += 1.0;
    });
    sums.retain(|[_, _, count]| *count > 0.0);
    let estimate = |at: usize| {
        let rows: Vec<f64> = sums.iter().map(|sums| sums[at] / sums[2]).collect();
        Estimate::independent(&rows)
    };
    Ok(Excess { own: estimate(0), step: estimate(1) })
}

fn normalised(mut row: Vec<f64>) -> Vec<f64> {
    normalise(&mut row);
    row
}

/// `KL(p ‖ exp log_q)`.
fn divergence(p: &[f64], log_q: &[f64]) -> f64 {
    let term = |(&p, &log_q): (&f64, &f64)| if p > 0.0 { p * (p.ln() - log_q) } else { 0.0 };
    p.iter().zip(log_q).map(term).sum()
}

/// Expected binary cross-entropy of the logits given, above that of the true ones, over the token shown and its label.
fn binary_excess(schedule: &Schedule, step: Step, r: &[f64], logit: impl Fn(usize) -> f64) -> f64 {
    let term = |a: usize| {
        let noise = schedule.noise_probability(step, a as Token);
        let signal = schedule.keep_probability(step) * r[a];
        let truth = (signal / noise).ln();
        let f = logit(a);
        let above = |weight: f64, sign: f64| match weight > 0.0 {
            true => weight * (softplus(sign * f) - softplus(sign * truth)),
            false => 0.0,
        };
        above(noise, 1.0) + above(signal, -1.0)
    };
    (0..r.len()).map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use glauber_schedule::{NoiseLaw, SignalShape, SiteOrder};

    const R: [f64; 4] = [0.5, 0.2, 0.2, 0.1];

    fn schedule() -> Schedule {
        let law = NoiseLaw::unigram(&[1, 2, 3, 4], 0.0).expect("a law");
        let order = SiteOrder::round_robin(5, 3).expect("an order");
        Schedule::new(SignalShape::Cosine, order, law, 1e-3, false).expect("a schedule")
    }

    /// The logits that minimise an objective when `r` is the true conditional: (R) solved for `f`, or any shift of a log-law.
    fn optimum(objective: Objective, schedule: &Schedule, step: Step) -> Vec<f64> {
        let log_r = R.map(f64::ln);
        match objective {
            Objective::Binary => (0..4).map(|a| signal_logit(schedule, step, a, &log_r)).collect(),
            _ => log_r.iter().map(|value| value + 0.7).collect(),
        }
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
            for objective in Objective::ALL {
                let mut row = optimum(objective, &schedule, step);
                objective.log_conditional(&schedule, step, site, &mut row);
                for (a, value) in row.iter().enumerate() {
                    let expected = match objective {
                        Objective::Denoising | Objective::RatioMatching => mixture(&schedule, step, site, a as u32),
                        _ => R[a],
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
        for objective in Objective::ALL {
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

    /// The loss of logits, expected over what the objective's label is: the clean token (law `R`), the noisy one, or the noise and the
    /// token shown.
    fn expected_loss(objective: Objective, schedule: &Schedule, step: Step, logits: &[f64]) -> f64 {
        let loss = |shown: u32, noise: bool, clean: u32| {
            let mut logits = logits.to_vec();
            let label = Label { row: 0, step, site: 0, shown, noise, clean, noisy: clean, logits: &mut logits };
            own_loss(objective, schedule, &label)
        };
        let beta = schedule.beta(step);
        (0..4u32)
            .map(|a| {
                let noise = beta * schedule.law().probability(a) * loss(a, true, a);
                let signal = (1.0 - beta) * R[a as usize] * loss(a, false, a);
                match objective {
                    Objective::Denoising | Objective::StepCrossEntropy => R[a as usize] * loss(a, false, a),
                    Objective::RatioMatching => mixture(schedule, step, 0, a) * loss(a, false, a),
                    Objective::Binary | Objective::NormalisedBinary => noise + signal,
                }
            })
            .sum()
    }

    #[test]
    fn the_binary_excess_is_the_expected_loss_above_its_least() {
        let schedule = schedule();
        let step = 8;
        let best = optimum(Objective::Binary, &schedule, step);
        let other = [0.3, -0.2, 1.0, 0.5];
        let expected = expected_loss(Objective::Binary, &schedule, step, &other)
            - expected_loss(Objective::Binary, &schedule, step, &best);
        let found = binary_excess(&schedule, step, &R, |a| other[a]);
        assert!((found - expected).abs() < 1e-12, "{found} against {expected}");
    }
}
