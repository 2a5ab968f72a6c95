//! A bound beside what the true source says.

use glauber_chain::BoundTerms;
use glauber_chain::statistics::Estimate;

/// Numbers about the true source, nats a token.
pub struct Truth {
    /// The entropy of the source, where it has a closed form.
    pub entropy: Option<f64>,
    /// `−log π` of the sequences.
    pub surprise: Estimate,
    /// The bound of the exact conditional.
    pub bound: Estimate,
    /// The network's bound less that of the exact conditional, sequence by sequence.
    pub excess: Estimate,
}

impl Truth {
    /// Compares `terms` of a network's bound with those of the exact conditional on the same sequences, steps and noise. The source has
    /// `−ln π` of each sequence, `surprises`, and perhaps an `entropy`, nats of a sequence of `len` tokens.
    pub(super) fn of(
        terms: &BoundTerms,
        exact: &BoundTerms,
        surprises: &[f64],
        entropy: Option<f64>,
        len: usize,
    ) -> Self {
        let totals = exact.totals();
        let above: Vec<f64> = terms.totals().iter().zip(&totals).map(|(network, exact)| network - exact).collect();
        Self {
            entropy: entropy.map(|nats| nats / len as f64),
            surprise: per(surprises, len),
            bound: per(&totals, len),
            excess: per(&above, len),
        }
    }
}

/// A mean of numbers over sequences, divided by what one sequence has of something.
pub fn per(values: &[f64], units: usize) -> Estimate {
    Estimate::independent(&values.iter().map(|value| value / units as f64).collect::<Vec<_>>())
}
