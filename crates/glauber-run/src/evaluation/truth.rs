//! A bound beside what the true source says.

use glauber_chain::BoundTerms;
use glauber_chain::statistics::Estimate;

/// What the true source says of the same sequences.
pub struct Exact {
    terms: BoundTerms,
    /// `−ln π` of each sequence, nats.
    surprises: Vec<f64>,
    /// Nats of a sequence.
    entropy: Option<f64>,
}

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

impl Exact {
    /// Terms of the exact conditional's bound, `−ln π` of each sequence, and nats of a sequence.
    pub fn new(terms: BoundTerms, surprises: Vec<f64>, entropy: Option<f64>) -> Self {
        Self { terms, surprises, entropy }
    }

    /// Compares with the bound of a network on the same sequences, steps and noise.
    pub fn against(&self, network: &BoundTerms, len: usize) -> Truth {
        let totals = self.terms.totals();
        let above: Vec<f64> = network.totals().iter().zip(&totals).map(|(network, exact)| network - exact).collect();
        Truth {
            entropy: self.entropy.map(|nats| nats / len as f64),
            surprise: per(&self.surprises, len),
            bound: per(&totals, len),
            excess: per(&above, len),
        }
    }
}

/// A mean of numbers over sequences, divided by what one sequence has of something.
pub fn per(values: &[f64], units: usize) -> Estimate {
    Estimate::independent(&values.iter().map(|value| value / units as f64).collect::<Vec<_>>())
}
