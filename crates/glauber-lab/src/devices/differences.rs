//! How far the devices are apart, and how far they may be.
//!
//! Both compute in single precision, in another order: a logit is a sum of some thousand products, each rounded to 2⁻²⁴ of its size.

use glauber_tokens::TokenBatch;
use serde::Serialize;

use super::subject::Both;

/// Of logits: the largest difference over the largest logit.
const LOGITS: f64 = 1e-4;
/// Of a loss: the difference over the loss.
const LOSS: f64 = 1e-5;
/// Of a gradient: the length of the difference over the length of the gradient.
const GRADIENT: f64 = 1e-3;
/// Of a loss and a gradient whose products are of factors rounded to bfloat16, 8 bits of mantissa, beside single precision.
const MIXED: [f64; 2] = [0.01, 0.03];
/// Tolerance of losses in consecutive steps, each from the weights of the previous one.
const STEPS: f64 = 1e-3;
/// Maximal share of differing sites in samples. A draw differs only if its uniform number is within rounding of the
/// border between two tokens. All later draws then depend on it.
const SITES: f64 = 0.02;

/// A thing that is measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What it is, for people.
    pub what: String,
    /// How large it is.
    pub found: f64,
    /// How large it may be.
    pub most: f64,
}

/// All that was measured, in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Differences(pub Vec<Difference>);

impl Differences {
    fn add(&mut self, what: impl Into<String>, found: f64, most: f64) {
        self.0.push(Difference { what: what.into(), found, most });
    }

    /// Logits of the same network.
    pub fn logits(&mut self, logits: &Both<Vec<f32>>) {
        self.add("logits, largest difference over largest logit", of_largest(logits), LOGITS);
    }

    /// Logits of a network that one device trained and the other read.
    pub fn checkpoint(&mut self, logits: &Both<Vec<f32>>) {
        self.add("logits after training there, checkpoint read here", of_largest(logits), LOGITS);
    }

    /// Losses of steps that follow each other.
    pub fn losses(&mut self, [here, there]: &Both<Vec<f64>>) {
        let relative = here.iter().zip(there).map(|(&here, &there)| relative(here, there));
        let what = format!("losses of {} training steps, relative", here.len());
        self.add(what, if here.len() == there.len() { largest(relative) } else { f64::NAN }, STEPS);
    }

    /// A loss and its gradient.
    pub fn gradients(&mut self, [(loss, here), (other, there)]: &Both<(f64, Vec<f32>)>) {
        self.add("loss, relative", relative(*loss, *other), LOSS);
        self.add("gradient, length of difference over length", of_length(here, there), GRADIENT);
    }

    /// A loss and its gradient, there in mixed precision.
    pub fn mixed_gradients(&mut self, [(loss, here), (other, there)]: &Both<(f64, Vec<f32>)>) {
        self.add("loss in bf16 there, relative", relative(*loss, *other), MIXED[0]);
        self.add("gradient in bf16 there, length of difference over length", of_length(here, there), MIXED[1]);
    }

    /// Sequences that were drawn with the same uniform numbers.
    pub fn samples(&mut self, drawn: &str, [here, there]: &Both<TokenBatch>) {
        let sites = here.as_slice().iter().zip(there.as_slice());
        let (all, differ) = (sites.len(), sites.filter(|(here, there)| here != there).count());
        let what = format!("samples drawn {drawn}, share of {all} sites that differ");
        self.add(what, differ as f64 / all as f64, SITES);
    }

    /// What is too large, for people. What is not a number is too large.
    pub fn beyond(&self) -> Vec<String> {
        let beyond = self.0.iter().filter(|difference| difference.found.is_nan() || difference.found > difference.most);
        beyond.map(|Difference { what, found, most }| format!("{what}: {found:.1e}, at most {most:.0e}")).collect()
    }
}

/// The largest of some numbers; one that is not a number is larger than all.
fn largest(mut numbers: impl Iterator<Item = f64>) -> f64 {
    numbers
        .try_fold(0.0, |most: f64, number| if number.is_nan() { Err(number) } else { Ok(most.max(number)) })
        .unwrap_or_else(|nan| nan)
}

fn relative(here: f64, there: f64) -> f64 {
    (here - there).abs() / here.abs()
}

fn of_largest([here, there]: &Both<Vec<f32>>) -> f64 {
    if here.len() != there.len() {
        return f64::NAN;
    }
    let apart = here.iter().zip(there).map(|(&here, &there)| (f64::from(here) - f64::from(there)).abs());
    largest(apart) / largest(here.iter().map(|&value| f64::from(value).abs()))
}

fn of_length(here: &[f32], there: &[f32]) -> f64 {
    if here.len() != there.len() {
        return f64::NAN;
    }
    let apart: f64 = here.iter().zip(there).map(|(&here, &there)| (f64::from(here) - f64::from(there)).powi(2)).sum();
    (apart / here.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>()).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_agrees_is_within_and_what_does_not_is_named() {
        let mut same = Differences::default();
        same.logits(&[vec![1.0, -4.0], vec![1.0, -4.0]]);
        same.gradients(&[(2.0, vec![3.0, 4.0]), (2.0, vec![3.0, 4.0])]);
        same.samples("on the host", &[batch(vec![1, 2, 3, 4]), batch(vec![1, 2, 3, 4])]);
        same.losses(&[vec![1.0, 2.0], vec![1.0, 2.0]]);
        assert_eq!(same.beyond(), Vec::<String>::new());
        assert!(same.0.iter().all(|difference| difference.found == 0.0));
        let mut other = Differences::default();
        other.logits(&[vec![1.0, -4.0], vec![1.0, -4.1]]);
        other.gradients(&[(2.0, vec![3.0, 4.0]), (2.1, vec![3.0, 4.5])]);
        other.samples("on the host", &[batch(vec![1, 2, 3, 4]), batch(vec![1, 2, 4, 4])]);
        other.losses(&[vec![1.0, 2.0], vec![1.0, 2.5]]);
        let found: Vec<f64> = other.0.iter().map(|difference| (difference.found * 1e4).round() / 1e4).collect();
        assert_eq!(found, [0.025, 0.05, 0.1, 0.25, 0.25]);
        assert_eq!(other.beyond().len(), 5);
    }

    #[test]
    fn what_is_no_number_or_of_another_length_is_beyond() {
        for logits in [[vec![1.0], vec![f32::NAN]], [vec![1.0], vec![1.0, 1.0]], [vec![0.0], vec![0.0]]] {
            let mut differences = Differences::default();
            differences.logits(&logits);
            assert_eq!(differences.beyond().len(), 1, "{logits:?}");
        }
        let mut differences = Differences::default();
        differences.gradients(&[(1.0, vec![1.0]), (f64::NAN, vec![])]);
        differences.losses(&[vec![1.0], vec![]]);
        assert_eq!(differences.beyond().len(), 3);
    }

    fn batch(tokens: Vec<u32>) -> TokenBatch {
        TokenBatch::new(tokens, 2).unwrap()
    }
}
