//! A bound compared with the true source.

use glauber_chain::BoundTerms;
use glauber_chain::statistics::Estimate;

/// Quantities of the true source, in nats per token.
pub struct Truth {
    /// The entropy of the source, if it has a closed form.
    pub entropy: Option<f64>,
    /// `−log π` of the sequences.
    pub surprise: Estimate,
    /// The bound of the exact conditional.
    pub bound: Estimate,
    /// The network's bound less that of the exact conditional, sequence by sequence.
    pub excess: Estimate,
}

impl Truth {
    /// Compares `terms` of a network's bound with those of the exact conditional on the same sequences, steps and
    /// noise. `surprises` are `−ln π` of each sequence, and `entropy` is optional; both in nats per sequence of `len`
    /// tokens.
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

/// A mean over sequences, divided by the units per sequence.
pub fn per(values: &[f64], units: usize) -> Estimate {
    Estimate::independent(&values.iter().map(|value| value / units as f64).collect::<Vec<_>>())
}
