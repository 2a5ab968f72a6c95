//! Stochastic flows on tokens: layers of heat bath, Metropolis and permutations, with path weights (Wu, Köhler and Noé
//! 2020, on discrete spaces).

use glauber_chain::ChainRng;
use glauber_tokens::{Site, Token};
use rayon::prelude::*;

use crate::target::{Base, Target, draw, log_sum_exp};
use crate::{EnergyError, PathWeight, Result, Table};

/// A layer of a flow: moves a state and adds `log B − log F` to the weight of its path (E22).
pub trait Layer: Sync {
    /// Moves `tokens`, shape `[site]`.
    ///
    /// # Errors
    /// When the layer's law has no mass there.
    fn apply(&self, tokens: &mut [Token], rng: &mut ChainRng, weight: &mut PathWeight) -> Result<()>;
}

/// A permutation of the tokens of each site: a bijection, which weighs nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permutation {
    /// Shape `[site][token]`.
    tables: Vec<Vec<Token>>,
}

impl Permutation {
    /// From a table for each site.
    ///
    /// # Errors
    /// When a table is no permutation.
    pub fn new(tables: Vec<Vec<Token>>) -> Result<Self> {
        for table in &tables {
            let mut sorted = table.clone();
            sorted.sort_unstable();
            let good = sorted.iter().enumerate().all(|(at, &token)| at == token as usize);
            EnergyError::unless_in_range(good, "permutation", table.len() as f64, "tables that have every token once")?;
        }
        Ok(Self { tables })
    }
}

impl Layer for Permutation {
    fn apply(&self, tokens: &mut [Token], _: &mut ChainRng, _: &mut PathWeight) -> Result<()> {
        tokens.iter_mut().zip(&self.tables).for_each(|(token, table)| *token = table[*token as usize]);
        Ok(())
    }
}

/// Heat bath at a site under a target, with a backward kernel that draws the site from another: `Δ` of (E24). With the
/// same target twice the layer is reversible, and its weight is the difference of that target's log-densities.
pub struct HeatBathLayer<T, B> {
    /// The site.
    pub site: Site,
    /// What the forward kernel draws from.
    pub forward: T,
    /// What the backward kernel draws from.
    pub backward: B,
}

impl<T: Target, B: Target> Layer for HeatBathLayer<T, B> {
    fn apply(&self, tokens: &mut [Token], rng: &mut ChainRng, weight: &mut PathWeight) -> Result<()> {
        let (site, before) = (self.site, tokens[self.site]);
        let mut forward = vec![0.0; self.forward.vocab()];
        let mut backward = forward.clone();
        self.forward.log_ratios(tokens, site, &mut forward);
        self.backward.log_ratios(tokens, site, &mut backward);
        let mass = log_sum_exp(&backward);
        let no_law = |mass| EnergyError::NoLaw { row: 0, site, level: 1.0, mass };
        if !mass.is_finite() {
            return Err(no_law(mass.exp()));
        }
        let log_backward = backward[before as usize] - mass;
        let mut drawn = forward.clone();
        let (token, total) = draw(&mut drawn, rng.uniform()).map_err(no_law)?;
        tokens[site] = token;
        weight.step(log_backward, forward[token as usize] - total);
        Ok(())
    }
}

/// Metropolis at a site under a target, with a uniform proposal. Reversible, so `log B − log F` is what the target's
/// log-density lost. A state that the target forbids stays as it is.
pub struct MetropolisLayer<T> {
    /// The site.
    pub site: Site,
    /// The target.
    pub target: T,
}

impl<T: Target> Layer for MetropolisLayer<T> {
    fn apply(&self, tokens: &mut [Token], rng: &mut ChainRng, weight: &mut PathWeight) -> Result<()> {
        // Ratios to a forbidden state have no scale.
        if self.target.log_density(tokens) == f64::NEG_INFINITY {
            return Ok(());
        }
        let mut ratios = vec![0.0; self.target.vocab()];
        self.target.log_ratios(tokens, self.site, &mut ratios);
        let proposal = rng.below(ratios.len());
        let ratio = ratios[proposal];
        if ratio.is_nan() {
            return Err(EnergyError::NoLaw { row: 0, site: self.site, level: 1.0, mass: f64::NAN });
        }
        if rng.uniform() < ratio.exp() {
            tokens[self.site] = proposal as Token;
            weight.gain(-ratio);
        }
        Ok(())
    }
}

/// Layers drawn at random: heat bath under two tables in turn with Metropolis under a third and permutations. They have
/// nothing to do with any target, and `E w = Z` all the same: a check of what is built of layers.
///
/// # Errors
/// When a table of `vocab^len` entries would have more than 2²⁴.
pub fn random_layers(vocab: usize, len: usize, count: u64, seed: u64) -> Result<Vec<Box<dyn Layer>>> {
    let mut rng = ChainRng::new(seed, 99);
    let layer = |at: u64| -> Result<Box<dyn Layer>> {
        let table = |k: u64| Table::random(vocab, len, 0.7, 100 * seed + 10 * at + k);
        let site = rng.below(len);
        let mut permutation = || {
            let mut table: Vec<Token> = (0..vocab as Token).collect();
            (1..vocab).for_each(|at| table.swap(at, rng.below(at + 1)));
            table
        };
        Ok(match at % 3 {
            0 => Box::new(HeatBathLayer { site, forward: table(1)?, backward: table(2)? }),
            1 => Box::new(MetropolisLayer { site, target: table(3)? }),
            _ => Box::new(Permutation::new((0..len).map(|_| permutation()).collect())?),
        })
    };
    (0..count).map(layer).collect()
}

/// The log-weights of independent paths through some layers, shape `[path]`: from a draw of the base to the target.
/// `E w = Z` whatever the layers are, if the base allows what the target allows. Paths run on the rayon pool; path `i` has
/// stream `i` of the seed.
///
/// # Errors
/// When a layer has no law somewhere, or the target is NaN or `+∞` at an end. The error names the first such path.
pub fn run_flow<T: Target + ?Sized, B: Base + ?Sized>(
    base: &B,
    layers: &[Box<dyn Layer + '_>],
    target: &T,
    paths: usize,
    seed: u64,
) -> Result<Vec<f64>> {
    let path = |stream: usize| -> Result<f64> {
        let mut rng = ChainRng::new(seed, stream as u64);
        let mut tokens = vec![0; base.len()];
        base.draw(&mut rng, &mut tokens);
        let mut weight = PathWeight::start(base.log_density(&tokens));
        for layer in layers {
            layer.apply(&mut tokens, &mut rng, &mut weight).map_err(|error| match error {
                EnergyError::NoLaw { site, level, mass, .. } => EnergyError::NoLaw { row: stream, site, level, mass },
                other => other,
            })?;
        }
        let end = target.log_density(&tokens);
        if end.is_nan() || end == f64::INFINITY {
            return Err(EnergyError::NotANumber { what: "path", at: stream, found: end });
        }
        Ok(weight.end(end))
    };
    let all: Vec<Result<f64>> = (0..paths).into_par_iter().map(path).collect();
    all.into_iter().collect()
}
