//! The exact law of what a sampler that builds sequences step by step ends on (a GFlowNet's terminal law).

use glauber_chain::{SiteConditional, TokenRows};
use glauber_tokens::{Site, Step, Token};

use crate::{EnergyError, Result};

/// How a sequence is filled in any order: which empty site is next, and with what.
pub trait FillingPolicy {
    /// The probabilities of the next site, shape `[site]`, given what is filled; 0 for filled sites.
    fn sites(&self, filled: &[Option<Token>]) -> Vec<f64>;

    /// The probabilities of a token at an empty site, shape `[token]`.
    fn tokens(&self, filled: &[Option<Token>], site: Site) -> Vec<f64>;
}

/// The law of completed sequences under a policy, shape `[state]`, site 0 varying slowest: mass is pushed through all
/// `(V+1)^L` partly filled states.
///
/// # Errors
/// When there are more than 2²² such states.
pub fn filling_law(policy: &dyn FillingPolicy, vocab: usize, len: usize) -> Result<Vec<f64>> {
    const LIMIT: usize = 1 << 22;
    let entries = (vocab as f64 + 1.0).powi(len as i32);
    if entries > LIMIT as f64 {
        return Err(EnergyError::TooLarge { entries, limit: LIMIT });
    }
    let (base, states) = (vocab + 1, (vocab + 1).pow(len as u32));
    let digit = |state: usize, site: Site| state / base.pow((len - 1 - site) as u32) % base;
    let filled = |state: usize| -> Vec<Option<Token>> {
        // Digit 0 is an empty site.
        (0..len).map(|site| digit(state, site).checked_sub(1).map(|token| token as Token)).collect()
    };
    let count = |state: usize| (0..len).filter(|&site| digit(state, site) > 0).count();
    let mut levels = vec![Vec::new(); len + 1];
    (0..states).for_each(|state| levels[count(state)].push(state));
    let mut mass = vec![0.0; states];
    mass[0] = 1.0;
    for &state in levels[..len].iter().flatten() {
        if mass[state] == 0.0 {
            continue;
        }
        let shown = filled(state);
        for (site, next) in policy.sites(&shown).into_iter().enumerate().filter(|(_, next)| *next > 0.0) {
            for (token, p) in policy.tokens(&shown, site).into_iter().enumerate() {
                mass[state + (token + 1) * base.pow((len - 1 - site) as u32)] += mass[state] * next * p;
            }
        }
    }
    let complete = |state: usize| {
        let mut place = 0;
        for site in (0..len).rev() {
            place += (state / vocab.pow((len - 1 - site) as u32) % vocab + 1) * base.pow((len - 1 - site) as u32);
        }
        mass[place]
    };
    Ok((0..vocab.pow(len as u32)).map(complete).collect())
}

/// The probability that a policy ends on one sequence, over all orders of its sites: a sum over subsets,
/// `f(S) = Σ_{i∈S} f(S∖i) ω(i|S∖i) r(x_i|x_{S∖i})`, `L · 2^L` terms.
///
/// # Errors
/// When the sequence has more than 20 sites.
pub fn filling_probability(policy: &dyn FillingPolicy, tokens: &[Token]) -> Result<f64> {
    let len = tokens.len();
    EnergyError::unless_in_range(len <= 20, "sites", len as f64, "at most 20")?;
    let mut f = vec![0.0; 1 << len];
    f[0] = 1.0;
    for subset in 0..(1usize << len) - 1 {
        if f[subset] == 0.0 {
            continue;
        }
        let filled: Vec<Option<Token>> =
            tokens.iter().enumerate().map(|(site, &token)| (subset >> site & 1 == 1).then_some(token)).collect();
        let sites = policy.sites(&filled);
        for site in (0..len).filter(|&site| subset >> site & 1 == 0 && sites[site] > 0.0) {
            let law = policy.tokens(&filled, site);
            f[subset | 1 << site] += f[subset] * sites[site] * law[tokens[site] as usize];
        }
    }
    Ok(f[(1 << len) - 1])
}

/// The law of terminal cells of a walk on `H^D`, shape `[cell]`, coordinate 0 varying slowest. The walk starts at the origin,
/// and raises one coordinate at a time or stops. `policy` gives the probabilities of raising each coordinate, then of
/// stopping, shape `[D + 1]`. A coordinate at `H − 1` cannot rise (torchgfn's and gfnx's grid).
///
/// # Errors
/// When there are too many cells, or a policy raises a coordinate beyond the border.
pub fn grid_law(side: usize, dimensions: usize, policy: impl Fn(&[Token]) -> Vec<f64>) -> Result<Vec<f64>> {
    let cells = super::states(side, dimensions)?;
    let (mut mass, mut ends) = (vec![0.0; cells], vec![0.0; cells]);
    mass[0] = 1.0;
    // Raising a coordinate raises the number of the cell, so that numbers are an order of the walk.
    for cell in 0..cells {
        let stride = |d: usize| side.pow((dimensions - 1 - d) as u32);
        let at: Vec<Token> = (0..dimensions).map(|d| (cell / stride(d) % side) as Token).collect();
        let law = policy(&at);
        EnergyError::unless_equal("probabilities of a policy, coordinates and stop", law.len(), dimensions + 1)?;
        for d in (0..dimensions).filter(|&d| law[d] > 0.0) {
            let inside = (at[d] as usize) + 1 < side;
            EnergyError::unless_in_range(
                inside,
                "coordinate",
                f64::from(at[d]),
                "below the border, where it may rise",
            )?;
            mass[cell + stride(d)] += mass[cell] * law[d];
        }
        ends[cell] = mass[cell] * law[dimensions];
    }
    Ok(ends)
}

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
