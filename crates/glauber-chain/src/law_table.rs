//! Precomputed laws of lattice models: a redraw is a look-up and a few integer comparisons.

use std::collections::HashMap;

use glauber_tokens::{Site, Token};

use crate::controls::draw;
use crate::oracles::Lattice;
use crate::{ChainError, Result};

/// Most neighbours of a site.
const DEGREE: usize = 4;
/// Above every uniform number, and less than `2⁶³` from any.
const UNREACHED: u64 = 1 << 62;

/// The conditionals of a nearest-neighbour model on a [`Lattice`], precomputed for every set of neighbours' tokens.
///
/// A law is stored as thresholds: the uniform numbers at which inversion moves to the next token, in units of `2⁻⁵³`,
/// the spacing of [`ChainRng`](crate::ChainRng). They are computed with the function that inverts a full law, so the
/// table draws the same token from the same number, rounding included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LawTable {
    vocab: usize,
    /// Shape `[site, 4]`; entries past a site's degree are the site itself, and have no effect.
    neighbours: Vec<[u32; DEGREE]>,
    degrees: Vec<u8>,
    /// Whether every site has four neighbours.
    complete: bool,
    /// The first place of each degree, shape `[degree]`. The digits of a place are the neighbours' tokens.
    starts: [usize; DEGREE + 1],
    /// The index of the law, shape `[place]`. Unused for short laws, of which each place has its own copy.
    laws: Vec<u16>,
    /// Shape `[law, width]`: the least number that gives at least token 1, 2, ... `vocab − 1`, padded with numbers never reached.
    thresholds: Vec<u64>,
    width: usize,
}

impl LawTable {
    /// The largest vocabulary that a table lists.
    pub const LARGEST_VOCAB: usize = 16;

    /// Computes the table of a model. `law` writes the probabilities of a site (shape `[token]`) given its neighbours'
    /// tokens, in ascending order, one per bond.
    ///
    /// # Errors
    /// If there is no token, or more than [`LARGEST_VOCAB`](Self::LARGEST_VOCAB), or a law has no positive finite mass.
    pub fn new(lattice: &Lattice, vocab: usize, mut law: impl FnMut(&[Token], &mut [f64])) -> Result<Self> {
        let listed = (1..=Self::LARGEST_VOCAB).contains(&vocab);
        ChainError::unless_in_range(listed, "vocab", vocab as f64, "1 to 16 tokens in a table of laws")?;
        // A digit of a place has as many values as the thresholds separate, a power of 2.
        let base = vocab.max(2).next_power_of_two();
        let mut table = Self {
            vocab,
            neighbours: lattice.padded_neighbours().to_vec(),
            degrees: (0..lattice.sites()).map(|site| lattice.neighbours(site).len() as u8).collect(),
            complete: (0..lattice.sites()).all(|site| lattice.neighbours(site).len() == DEGREE),
            starts: [0; DEGREE + 1],
            laws: Vec::new(),
            thresholds: Vec::new(),
            width: base - 1,
        };
        let (mut row, mut known) = (vec![0.0; vocab], HashMap::new());
        let mut listed: Vec<Vec<u64>> = Vec::new();
        for degree in 0..=DEGREE {
            table.starts[degree] = table.laws.len();
            for code in 0..base.pow(degree as u32) {
                let mut around: Vec<Token> = (0..degree).map(|k| (code / base.pow(k as u32) % base) as Token).collect();
                // No neighbour shows a digit beyond the vocabulary: any law will do there.
                around.iter_mut().for_each(|token| *token = (*token).min(vocab as Token - 1));
                around.sort_unstable();
                let id = match known.get(&around) {
                    Some(&id) => id,
                    None => {
                        law(&around, &mut row);
                        listed.push(table.inverted(&row)?);
                        known.insert(around, listed.len() as u16 - 1);
                        listed.len() as u16 - 1
                    }
                };
                table.laws.push(id);
            }
        }
        table.thresholds = match is_short(table.width) {
            true => table.laws.iter().flat_map(|&id| &listed[usize::from(id)]).copied().collect(),
            false => listed.concat(),
        };
        Ok(table)
    }

    /// The thresholds of a law, shape `[width]`.
    fn inverted(&self, law: &[f64]) -> Result<Vec<u64>> {
        let at = |token: usize| if token < self.vocab { threshold(law, token as Token) } else { Ok(UNREACHED) };
        (1..=self.width).map(at).collect()
    }

    /// Number of tokens `V`.
    pub fn vocab(&self) -> usize {
        self.vocab
    }

    /// Sites of the lattice.
    pub fn sites(&self) -> usize {
        self.degrees.len()
    }

    /// Thresholds kept for each law: 1, 3, 7 or 15.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Whether every site has four neighbours.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The thresholds, shape `[law][width]`. `WIDTH` must be [`width`](Self::width).
    #[inline]
    pub(crate) fn thresholds<const WIDTH: usize>(&self) -> &[[u64; WIDTH]] {
        self.thresholds.as_chunks().0
    }

    /// The index of the law at a site. `WIDTH` must be [`width`](Self::width) and `COMPLETE`
    /// [`is_complete`](Self::is_complete).
    #[inline(always)]
    pub(crate) fn law<const WIDTH: usize, const COMPLETE: bool>(&self, row: &[Token], site: Site) -> u16 {
        let bits = WIDTH.count_ones();
        let degree = if COMPLETE { DEGREE } else { usize::from(self.degrees[site]).min(DEGREE) };
        let digits = self.neighbours[site][..degree].iter().rev().map(|&neighbour| row[neighbour as usize] as usize);
        let place = self.starts[degree] + digits.fold(0, |place, digit| place << bits | digit);
        if is_short(WIDTH) { place as u16 } else { self.laws[place] }
    }
}

/// Whether laws are short enough to store a copy for each place.
const fn is_short(width: usize) -> bool {
    width <= 3
}

/// The least `k` in `0..=2⁵³` such that inverting `law` at `k · 2⁻⁵³` gives `token` or a later one. Rounded inversion
/// is monotone in the uniform number, so a search near the exact value finds it.
fn threshold(law: &[f64], token: Token) -> Result<u64> {
    const END: u64 = 1 << 53;
    let refuse = |sum| ChainError::NotADistribution { what: format!("a listed law, {law:?},"), sum };
    let reached = |k: u64| draw(law, k as f64 / END as f64).map(|found| found >= token).map_err(refuse);
    let (total, below): (f64, f64) = (law.iter().sum(), law[..token as usize].iter().sum());
    let guess = ((below / total * END as f64) as u64).min(END);
    let mut reach = 1;
    let (mut low, mut high) = loop {
        // `low` is at most the threshold and `high` is at least the threshold.
        let (low, high) = (guess.saturating_sub(reach), (guess + reach).min(END));
        if (low == 0 || !reached(low - 1)?) && (high == END || reached(high)?) {
            break (low, high);
        }
        reach *= 4;
    };
    while low < high {
        let middle = low + (high - low) / 2;
        if reached(middle)? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const END: u64 = 1 << 53;

    fn at(law: &[f64], k: u64) -> Token {
        draw(law, k as f64 / END as f64).unwrap()
    }

    proptest! {
        /// Inversion at the threshold and just before it, for laws of every shape, zeros and a sum other than 1 included.
        #[test]
        fn thresholds_are_where_inversion_changes(
            law in prop::collection::vec(prop_oneof![Just(0.0), 0.0..1.0f64, 1e-18..1e-12f64], 2..9),
        ) {
            prop_assume!(law.iter().sum::<f64>() > 0.0);
            for token in 1..law.len() as Token {
                let k = threshold(&law, token).unwrap();
                prop_assert!(k == 0 || at(&law, k - 1) < token);
                prop_assert!(k == END || at(&law, k) >= token);
            }
        }
    }

    #[test]
    fn thresholds_of_a_fair_coin_and_of_certainty() {
        assert_eq!(threshold(&[0.5, 0.5], 1).unwrap(), END / 2);
        assert_eq!(threshold(&[0.0, 1.0], 1).unwrap(), 0);
        assert_eq!(threshold(&[1.0, 0.0], 1).unwrap(), END);
        assert!(threshold(&[0.0, 0.0], 1).is_err());
        assert!(threshold(&[f64::NAN, 1.0], 1).is_err());
    }

    #[test]
    fn widths_hold_the_vocabulary() {
        let lattice = Lattice::new(2, 2, glauber_schedule::Boundary::Torus).unwrap();
        for (vocab, width) in [(1, 1), (2, 1), (3, 3), (4, 3), (5, 7), (8, 7), (9, 15), (16, 15)] {
            let table = LawTable::new(&lattice, vocab, |_, law| law.fill(1.0)).unwrap();
            assert_eq!(table.width(), width, "{vocab} tokens");
        }
        assert!(LawTable::new(&lattice, 17, |_, law| law.fill(1.0)).is_err());
        assert!(LawTable::new(&lattice, 0, |_, law| law.fill(1.0)).is_err());
        assert!(LawTable::new(&lattice, 2, |_, law| law.fill(0.0)).is_err());
    }
}
