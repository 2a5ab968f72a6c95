//! The exact law of a chain that edits a sequence.

use glauber_chain::{SiteConditional, TokenRows};
use glauber_tokens::{Site, Step};

use crate::{EnergyError, Result};

/// The law after redraws of single sites by a conditional, shape `[state]`, site 0 varying slowest: of a chain that edits a
/// sequence, as heat bath does. `start` has that shape too; `updates` are the steps and sites, in order.
///
/// ```
/// use glauber_energy::{Gibbs, Table, exact};
///
/// let target = Table::random(2, 3, 1.0, 1)?;
/// let uniform = [1.0 / 8.0; 8];
/// let sweeps: Vec<_> = (0..60).map(|update| (0, update % 3)).collect(); // 20 sweeps over three sites
/// let law = exact::edit_law(&Gibbs(&target), &uniform, &sweeps)?;
/// let expected = exact::enumerate(&target)?;
/// assert!(law.iter().zip(expected.probabilities()).all(|(found, exact)| (found - exact).abs() < 1e-4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When there are more than 2²⁴ sequences, `start` has another size, or the conditional fails.
pub fn edit_law(conditional: &dyn SiteConditional, start: &[f64], updates: &[(Step, Site)]) -> Result<Vec<f64>> {
    let (vocab, len) = (conditional.vocab(), conditional.len());
    let states = super::states(vocab, len)?;
    EnergyError::unless_equal("states of the start", start.len(), states)?;
    let mut law = start.to_vec();
    let (mut tokens, mut rows) = (vec![0; len], vec![0.0; vocab]);
    for &(step, site) in updates {
        let stride = vocab.pow((len - 1 - site) as u32);
        // The states that differ in this site alone share their mass.
        for first in (0..states).filter(|state| state / stride % vocab == 0) {
            let mass: f64 = (0..vocab).map(|token| law[first + token * stride]).sum();
            if mass > 0.0 {
                super::enumeration::write_state(vocab, first, &mut tokens);
                conditional.conditionals(TokenRows::new(&tokens, len), step, &[site], &mut rows)?;
                (0..vocab).for_each(|token| law[first + token * stride] = mass * rows[token]);
            }
        }
    }
    Ok(law)
}
