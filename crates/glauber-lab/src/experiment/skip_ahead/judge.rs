//! How far samples are from where they should be.

use std::collections::HashMap;

use glauber_chain::statistics::Estimate;
use glauber_chain::{ChainRng, SiteConditional, TokenRows};
use glauber_tokens::TokenBatch;

/// Exchanges of sequences that say how a statistic is distributed when nothing is wrong.
const EXCHANGES: usize = 200;
/// Least number of counts that a cell of the chi-square expects of the samples.
const LEAST: f64 = 5.0;
/// Sequences whose conditionals are held at a time.
const ROWS: usize = 16;

/// A number for each sequence, nats a token.
type Logs<'a> = Box<dyn Fn(&TokenBatch) -> anyhow::Result<Vec<f64>> + 'a>;

/// Compares samples with a reference.
pub struct Judge<'a> {
    reference: TokenBatch,
    logs: Logs<'a>,
    reference_logs: Estimate,
    seed: u64,
}

/// What a comparison found.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// The chi-square of token counts against the reference, in standard deviations above its mean when nothing is wrong.
    pub tokens: f64,
    /// The same of pairs of neighbours.
    pub pairs: f64,
    /// Mean log-likelihood, nats a token.
    pub log: Estimate,
    /// That of the samples less that of the reference.
    pub above: Estimate,
}

impl<'a> Judge<'a> {
    pub fn new(reference: TokenBatch, logs: Logs<'a>, seed: u64) -> anyhow::Result<Self> {
        let reference_logs = Estimate::independent(&logs(&reference)?);
        Ok(Self { reference, logs, reference_logs, seed })
    }

    pub fn quality(&self, samples: &TokenBatch) -> anyhow::Result<Quality> {
        let log = Estimate::independent(&(self.logs)(samples)?);
        let standard_error = log.standard_error.hypot(self.reference_logs.standard_error);
        Ok(Quality {
            tokens: self.distance(samples, 1),
            pairs: self.distance(samples, 2),
            log,
            above: Estimate { mean: log.mean - self.reference_logs.mean, standard_error },
        })
    }

    /// The chi-square of runs of `size` neighbours, standardised. Runs of one sequence are dependent, so the chi-square
    /// law does not hold. A permutation test exchanges sequences between samples and reference instead.
    fn distance(&self, samples: &TokenBatch, size: usize) -> f64 {
        let count = samples.rows();
        let cells = Cells::new(samples.iter().chain(self.reference.iter()), size, count);
        let mut order: Vec<usize> = (0..cells.rows.len()).collect();
        let found = cells.statistic(&order[..count]);
        let mut rng = ChainRng::new(self.seed, u64::MAX);
        let mut exchanged = || {
            for at in 0..count {
                let other = at + rng.below(order.len() - at);
                order.swap(at, other);
            }
            cells.statistic(&order[..count])
        };
        let null: Vec<f64> = (0..EXCHANGES).map(|_| exchanged()).collect();
        let null = Estimate::independent(&null);
        let deviation = null.standard_error * (EXCHANGES as f64).sqrt();
        // Where everything is rare there is one cell, and nothing to compare.
        if deviation > 0.0 { (found - null.mean) / deviation } else { 0.0 }
    }
}

/// Runs of neighbouring tokens, counted.
struct Cells {
    /// The cells of each sequence's runs.
    rows: Vec<Vec<usize>>,
    /// Runs in each cell over all sequences; the first cell has all that are rare.
    totals: Vec<u64>,
    /// Share of the samples in all sequences.
    share: f64,
}

impl Cells {
    fn new<'t>(sequences: impl Iterator<Item = &'t [u32]> + Clone, size: usize, count: usize) -> Self {
        let mut totals: HashMap<&[u32], u64> = HashMap::new();
        sequences.clone().flat_map(|tokens| tokens.windows(size)).for_each(|run| *totals.entry(run).or_default() += 1);
        let share = count as f64 / sequences.clone().count() as f64;
        let mut kept: Vec<(&[u32], u64)> =
            totals.into_iter().filter(|(_, total)| *total as f64 * share >= LEAST).collect();
        // The order of a hash map changes from run to run, and with it the last digits of sums.
        kept.sort_unstable();
        let places: HashMap<&[u32], usize> = kept.iter().enumerate().map(|(at, (run, _))| (*run, at + 1)).collect();
        let cell = |run: &[u32]| places.get(run).copied().unwrap_or(0);
        let rows: Vec<Vec<usize>> = sequences.map(|tokens| tokens.windows(size).map(cell).collect()).collect();
        let rare = rows.iter().flatten().filter(|&&cell| cell == 0).count() as u64;
        let totals = std::iter::once(rare).chain(kept.iter().map(|(_, total)| *total)).collect();
        Self { rows, totals, share }
    }

    /// The chi-square of a choice of sequences against the rest.
    fn statistic(&self, chosen: &[usize]) -> f64 {
        let mut counts = vec![0u64; self.totals.len()];
        chosen.iter().flat_map(|&row| &self.rows[row]).for_each(|&cell| counts[cell] += 1);
        let term = |(&count, &total): (&u64, &u64)| {
            let expected = total as f64 * self.share;
            if total == 0 { 0.0 } else { (count as f64 - expected).powi(2) / (expected * (1.0 - self.share)) }
        };
        counts.iter().zip(&self.totals).map(term).sum()
    }
}

/// For each sequence the mean over its sites of `log r(x_i | x_{-i})` at time 0, nats a token.
pub fn pseudo_log_likelihoods(conditional: &dyn SiteConditional, samples: &TokenBatch) -> anyhow::Result<Vec<f64>> {
    let (len, vocab) = (samples.len(), conditional.vocab());
    let sites: Vec<usize> = (0..len).collect();
    let mut means = Vec::with_capacity(samples.rows());
    for tokens in samples.as_slice().chunks(ROWS * len) {
        let mut log_r = vec![0.0; tokens.len() * vocab];
        conditional.log_conditionals(TokenRows::new(tokens, len), 0, &sites, &mut log_r)?;
        let terms = tokens.iter().zip(log_r.chunks_exact(vocab)).map(|(&token, log_r)| log_r[token as usize]);
        let terms: Vec<f64> = terms.collect();
        means.extend(terms.chunks_exact(len).map(|terms| terms.iter().sum::<f64>() / len as f64));
    }
    Ok(means)
}

#[cfg(test)]
mod tests {
    use super::*;
    use glauber_chain::oracles::MarkovSource;

    fn judge(source: &MarkovSource, samples: &TokenBatch) -> Quality {
        let draw = |seed| ChainRng::streams(seed, 400).into_iter().map(|mut rng| source.sample(20, &mut rng));
        let logs =
            |samples: &TokenBatch| Ok(samples.iter().map(|tokens| source.log_probability(tokens) / 20.0).collect());
        let reference = TokenBatch::from_rows(draw(1)).unwrap();
        Judge::new(reference, Box::new(logs), 3).unwrap().quality(samples).unwrap()
    }

    #[test]
    fn samples_of_the_same_law_pass_and_others_do_not() {
        let source = MarkovSource::random(4, 1, 2.0).unwrap();
        let draw = |source: &MarkovSource| {
            let rngs = ChainRng::streams(2, 100).into_iter();
            TokenBatch::from_rows(rngs.map(|mut rng| source.sample(20, &mut rng))).unwrap()
        };
        let same = judge(&source, &draw(&source));
        assert!(same.tokens.abs() < 4.0 && same.pairs.abs() < 4.0, "{same:?}");
        assert!(same.above.deviation_from(0.0).abs() < 4.0, "{same:?}");
        // The same tokens, their neighbours lost: one sequence gives the first token, another the second.
        let samples = draw(&source);
        let mut shuffled = samples.clone();
        for row in 0..100 {
            for site in 0..20 {
                shuffled.row_mut(row)[site] = samples.row((row + site) % 100)[site];
            }
        }
        let shuffled = judge(&source, &shuffled);
        assert!(shuffled.tokens.abs() < 4.0 && shuffled.pairs > 10.0, "{shuffled:?}");
        // A peakedness of 0: every sequence alike.
        let other = judge(&source, &draw(&MarkovSource::random(4, 2, 0.0).unwrap()));
        assert!(other.tokens > 10.0 && other.pairs > 10.0 && other.above.deviation_from(0.0) < -10.0, "{other:?}");
    }
}
