//! Logistic regression on sparse rows.

/// A sparse row: nonzero columns and their values.
pub(crate) type SparseRow = Vec<(u32, f64)>;

/// Maximal Newton steps, and conjugate-gradient steps per Newton step.
const STEPS: usize = 50;
/// The relative gradient norm at which to stop.
const TOLERANCE: f64 = 1e-4;

/// Weights, shape `[column]`, that minimise the mean of `ln(1 + e^(−y w·x))` with labels `y = ±1`,
/// plus `ridge |w|² / 2`: Newton's method, each step by conjugate gradients.
pub(crate) fn fit(rows: &[&SparseRow], labels: &[f64], columns: usize, ridge: f64) -> Vec<f64> {
    let problem = Problem { rows, labels, ridge };
    let mut weights = vec![0.0; columns];
    let mut first = None;
    for _ in 0..STEPS {
        let margins = problem.margins(&weights);
        let gradient = problem.gradient(&weights, &margins);
        let length = dot(&gradient, &gradient).sqrt();
        let first = *first.get_or_insert(length);
        if length <= TOLERANCE * first {
            break;
        }
        let precision = (length / first).sqrt().min(0.5) * length;
        let step = problem.newton(&gradient, &margins, precision);
        let (loss, slope) = (problem.loss(&weights, &margins), dot(&gradient, &step));
        let mut share = 1.0;
        weights = loop {
            let moved: Vec<f64> = weights.iter().zip(&step).map(|(weight, step)| weight + share * step).collect();
            let found = problem.loss(&moved, &problem.margins(&moved));
            if found <= loss + 1e-4 * share * slope || share < 1e-6 {
                break moved;
            }
            share /= 2.0;
        };
    }
    weights
}

/// The margin of a row: positive if label 1 is more likely.
pub(crate) fn score(weights: &[f64], row: &SparseRow) -> f64 {
    row.iter().map(|&(column, value)| weights[column as usize] * value).sum()
}

/// `ln(1 + e^−m)`, the loss in nats at a margin.
pub(crate) fn loss(margin: f64) -> f64 {
    (-margin).max(0.0) + (-margin.abs()).exp().ln_1p()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

struct Problem<'a> {
    rows: &'a [&'a SparseRow],
    labels: &'a [f64],
    ridge: f64,
}

impl Problem<'_> {
    fn margins(&self, weights: &[f64]) -> Vec<f64> {
        self.rows.iter().zip(self.labels).map(|(row, label)| label * score(weights, row)).collect()
    }

    fn loss(&self, weights: &[f64], margins: &[f64]) -> f64 {
        let mean = margins.iter().map(|&margin| loss(margin)).sum::<f64>() / margins.len() as f64;
        mean + self.ridge / 2.0 * dot(weights, weights)
    }

    fn gradient(&self, weights: &[f64], margins: &[f64]) -> Vec<f64> {
        let share = |row: usize| -self.labels[row] / (1.0 + margins[row].exp());
        self.weighted(weights, share)
    }

    /// `ridge · vector` plus the mean of rows, each times a number.
    fn weighted(&self, vector: &[f64], share: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut sum: Vec<f64> = vector.iter().map(|value| self.ridge * value).collect();
        for (number, row) in self.rows.iter().enumerate() {
            let share = share(number) / self.rows.len() as f64;
            row.iter().for_each(|&(column, value)| sum[column as usize] += share * value);
        }
        sum
    }

    /// The minimising step of a quadratic with this gradient, by conjugate gradients.
    fn newton(&self, gradient: &[f64], margins: &[f64], precision: f64) -> Vec<f64> {
        let mut step = vec![0.0; gradient.len()];
        let mut rest: Vec<f64> = gradient.iter().map(|value| -value).collect();
        let mut direction = rest.clone();
        let mut squares = dot(&rest, &rest);
        for _ in 0..STEPS {
            if squares.sqrt() <= precision {
                break;
            }
            // Labels are ±1: the curvature of a row does not know them.
            let curvature = |row: usize| {
                let probability = 1.0 / (1.0 + margins[row].exp());
                probability * (1.0 - probability) * score(&direction, self.rows[row])
            };
            let curved = self.weighted(&direction, curvature);
            let length = squares / dot(&direction, &curved);
            step.iter_mut().zip(&direction).for_each(|(step, along)| *step += length * along);
            rest.iter_mut().zip(&curved).for_each(|(rest, curved)| *rest -= length * curved);
            let left = dot(&rest, &rest);
            direction.iter_mut().zip(&rest).for_each(|(along, rest)| *along = rest + left / squares * *along);
            squares = left;
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With one column of value `x` and a share `p` of labels 1 the gradient is
    /// `ridge w − x (p − σ(w x))`.
    #[test]
    fn the_gradient_vanishes_at_the_weights_found() {
        let row: SparseRow = vec![(0, 2.0)];
        let rows = vec![&row; 8];
        let labels: Vec<f64> = (0..8).map(|row| if row < 6 { 1.0 } else { -1.0 }).collect();
        let found = fit(&rows, &labels, 1, 0.1)[0];
        let gradient = 0.1 * found - 2.0 * (0.75 - 1.0 / (1.0 + (-2.0 * found).exp()));
        assert!(gradient.abs() < 1e-3 && found > 0.2, "{found}, {gradient}");
        // Without a ridge it is the logarithm of the odds.
        let free = fit(&rows, &labels, 1, 0.0)[0];
        assert!((free - 3f64.ln() / 2.0).abs() < 1e-3, "{free}");
    }

    #[test]
    fn losses_at_far_margins_are_finite() {
        assert_eq!([loss(-1000.0), loss(1000.0)], [1000.0, 0.0]);
        assert!((loss(0.0) - std::f64::consts::LN_2).abs() < 1e-15);
    }
}
