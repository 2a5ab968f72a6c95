//! Measures how much a conditional reveals of the site's own token.

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token, TokenBatch};

use crate::{ChainRng, Result, RowSites, SiteConditional, TokenRows, corrupt};

/// The mutual information `I(a; b)` in bits for each row. `a` is the site's own token, uniform over the tokens of the
/// sequences, and `b` is drawn from the conditional. Step and site of each row are random.
///
/// It is 0 for conditionals that cannot read the site: oracles and leave-one-out networks. It is small for a network
/// that reads the token and has learned to ignore it (`docs/math.md`, §6).
///
/// ```
/// use glauber_chain::oracles::EnumeratedTable;
/// use glauber_chain::{ChainRng, own_token_leak};
/// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
/// use glauber_tokens::TokenBatch;
///
/// let table = EnumeratedTable::new(2, 2, vec![4.0, 1.0, 1.0, 2.0])?;
/// let order = SiteOrder::round_robin(2, 4)?;
/// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(2)?, 1e-3, false)?;
/// let clean = TokenBatch::from_rows([[0, 0], [1, 1]])?;
/// let bits = own_token_leak(&table.conditional(&schedule)?, &schedule, &clean, &mut ChainRng::new(1, 0))?;
/// assert_eq!(bits, [0.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of the conditional.
pub fn own_token_leak(
    conditional: &dyn SiteConditional,
    schedule: &Schedule,
    clean: &TokenBatch,
    rng: &mut ChainRng,
) -> Result<Vec<f64>> {
    let (rows, len, vocab) = (clean.rows(), clean.len(), conditional.vocab());
    let steps: Vec<Step> = (0..rows).map(|_| rng.below(schedule.horizon())).collect();
    let sites: Vec<Site> = (0..rows).map(|_| rng.below(len)).collect();
    let mut noisy = vec![0; rows * len];
    for ((row, &step), out) in clean.iter().zip(&steps).zip(noisy.chunks_exact_mut(len)) {
        corrupt(schedule, row, step, rng, out);
    }
    let tokens = (0..vocab as Token).filter(|&token| Some(token) != schedule.law().mask());
    let shown: Vec<Vec<f64>> = tokens
        .map(|token| {
            sites.iter().enumerate().for_each(|(row, &site)| noisy[row * len + site] = token);
            let mut laws = vec![0.0; rows * vocab];
            conditional.log_conditionals_at(TokenRows::new(&noisy, len), &steps, RowSites::Each(&sites), &mut laws)?;
            laws.iter_mut().for_each(|log| *log = log.exp());
            Ok(laws)
        })
        .collect::<Result<_>>()?;
    let information = |row: usize| {
        let laws = || shown.iter().map(|laws| &laws[row * vocab..][..vocab]);
        let mean = |b: usize| laws().map(|law| law[b]).sum::<f64>() / shown.len() as f64;
        let of = |b: usize| {
            let mean = mean(b);
            laws().map(|law| law[b]).filter(|p| *p > 0.0).map(|p| p * (p / mean).log2()).sum::<f64>()
        };
        ((0..vocab).map(of).sum::<f64>() / shown.len() as f64).max(0.0)
    };
    Ok((0..rows).map(information).collect())
}

#[cfg(test)]
mod tests {
    use glauber_schedule::{NoiseLaw, SignalShape, SiteOrder};

    use super::*;

    /// Says that the token in view is right, with a probability.
    struct Echo(f64);

    impl SiteConditional for Echo {
        fn vocab(&self) -> usize {
            4
        }

        fn len(&self) -> usize {
            3
        }

        fn log_conditionals(&self, tokens: TokenRows<'_>, _: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
            let shown = tokens.iter().flat_map(|row| sites.iter().map(|&site| row[site] as usize));
            for (law, shown) in out.chunks_exact_mut(4).zip(shown) {
                law.fill(((1.0 - self.0) / 3.0).ln());
                law[shown] = self.0.ln();
            }
            Ok(())
        }
    }

    #[test]
    fn what_is_told_of_the_own_token_is_measured_in_bits() {
        let order = SiteOrder::round_robin(3, 4).expect("an order");
        let law = NoiseLaw::uniform(4).expect("a law");
        let schedule = Schedule::new(SignalShape::Linear, order, law, 1e-3, false).expect("a schedule");
        let clean = TokenBatch::from_rows([[0, 1, 2], [3, 3, 0]]).expect("rows");
        for right in [0.25, 0.4, 1.0] {
            // The capacity of a symmetric channel of four symbols.
            let rest = (1.0 - right) / 3.0;
            let plog = |p: f64| if p > 0.0 { p * p.log2() } else { 0.0 };
            let expected = 2.0 + plog(right) + 3.0 * plog(rest);
            let found = own_token_leak(&Echo(right), &schedule, &clean, &mut ChainRng::new(1, 0)).expect("bits");
            assert!(found.iter().all(|bits| (bits - expected).abs() < 1e-12), "{found:?}, expected {expected}");
        }
    }
}
