//! Random words, and heat bath on words of spins. All loops run over the words of a group, so that the compiler can
//! vectorise them.

use super::thresholds::Thresholds;
use crate::ChainRng;

/// Words handled together.
pub(super) const GROUP: usize = 8;

/// A site of 64 chains, `GROUP` times.
pub(super) type Words = [u64; GROUP];

/// Digits compared between checks for undecided chains.
const DIGITS_AT_ONCE: usize = 4;

/// Parallel xoshiro256++ generators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WordRng {
    /// Shape `[word of the state, generator]`.
    state: [Words; 4],
}

impl WordRng {
    /// Generators with independent states from a stream of a seed.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut words = [[0; 8]; 4 * GROUP];
        ChainRng::new(seed, stream).fill(&mut words);
        let state = |at: usize, generator: usize| u64::from_le_bytes(words[4 * generator + at]);
        Self { state: std::array::from_fn(|at| std::array::from_fn(|generator| state(at, generator))) }
    }

    /// The next word of each generator.
    #[inline(always)]
    fn next(&mut self) -> Words {
        let [a, b, c, d] = &mut self.state;
        let mut words = [0; GROUP];
        for i in 0..GROUP {
            words[i] = a[i].wrapping_add(d[i]).rotate_left(23).wrapping_add(a[i]);
            let shifted = b[i] << 17;
            c[i] ^= a[i];
            d[i] ^= b[i];
            b[i] ^= c[i];
            a[i] ^= d[i];
            c[i] ^= shifted;
            d[i] = d[i].rotate_left(45);
        }
        words
    }
}

/// New spins given the words of the four neighbours, in the chains marked in `open`; 0 in the others.
#[inline(always)]
pub(super) fn heat_bath(around: [&Words; 4], open: Words, thresholds: &Thresholds, rng: &mut WordRng) -> Words {
    let counts = counts(around);
    let (mut spins, mut open) = ([0; GROUP], open);
    for digits in thresholds.digits.as_chunks::<DIGITS_AT_ONCE>().0 {
        for digit in digits {
            let random = rng.next();
            for i in 0..GROUP {
                // The digit of P(up) that goes with each chain's count.
                let wanted = counts[0][i] & digit[0]
                    | counts[1][i] & digit[1]
                    | counts[2][i] & digit[2]
                    | counts[3][i] & digit[3]
                    | counts[4][i] & digit[4];
                // The first digit that differs decides: up where the random number has the 0.
                let decided = (random[i] ^ wanted) & open[i];
                spins[i] |= decided & wanted;
                open[i] ^= decided;
            }
        }
        if open.iter().fold(0, |any, word| any | word) == 0 {
            break;
        }
    }
    spins
}

/// In which chains 0, 1, 2, 3 and 4 of the words are set.
#[inline(always)]
pub(super) fn counts(around: [&Words; 4]) -> [Words; 5] {
    let [a, b, c, d] = around;
    let mut counts = [[0; GROUP]; 5];
    for i in 0..GROUP {
        let (odd, both) = ([a[i] ^ b[i], c[i] ^ d[i]], [a[i] & b[i], c[i] & d[i]]);
        let ones = odd[0] ^ odd[1];
        let fours = both[0] & both[1];
        let twos = (both[0] ^ both[1]) | (odd[0] & odd[1]);
        counts[0][i] = !(ones | twos | fours);
        counts[1][i] = ones & !twos;
        counts[2][i] = twos & !ones;
        counts[3][i] = ones & twos;
        counts[4][i] = fours;
    }
    counts
}

#[cfg(test)]
mod tests {
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn random_words_are_those_of_the_library() {
        let mut seeds = [[0; 8]; 4 * GROUP];
        ChainRng::new(11, 3).fill(&mut seeds);
        let seeds = seeds.as_flattened().as_chunks::<32>().0;
        let mut library: Vec<_> = seeds.iter().map(|seed| Xoshiro256PlusPlus::from_seed(*seed)).collect();
        let mut rng = WordRng::new(11, 3);
        for _ in 0..100 {
            let expected: Vec<u64> = library.iter_mut().map(|rng| rng.next_u64()).collect();
            assert_eq!(rng.next().as_slice(), expected);
        }
    }

    /// Digit by digit in all chains against the comparison of two numbers in each, with the same random words.
    #[test]
    fn spins_are_up_where_the_random_number_is_below_the_probability() {
        let thresholds = Thresholds::new(0.3, 0.1);
        let digit = |word: u64, lane: usize| word >> lane & 1;
        let number = |digits: &[u64], lane: usize| digits.iter().fold(0, |sum, word| sum << 1 | digit(*word, lane));
        let mut rng = WordRng::new(1, 2);
        for turn in 0..200 {
            let around: [Words; 4] = std::array::from_fn(|_| rng.next());
            let open = if turn % 2 == 0 { [u64::MAX; GROUP] } else { rng.next() };
            let mut ahead = rng.clone();
            let found = heat_bath([&around[0], &around[1], &around[2], &around[3]], open, &thresholds, &mut rng);
            let random: Vec<Words> = (0..64).map(|_| ahead.next()).collect();
            for (i, spins) in found.into_iter().enumerate() {
                let random: Vec<u64> = random.iter().map(|words| words[i]).collect();
                for lane in 0..64 {
                    let up: u64 = around.iter().map(|words| digit(words[i], lane)).sum();
                    let probability: Vec<u64> = thresholds.digits.iter().map(|digit| digit[up as usize]).collect();
                    let expected = number(&random, lane) < number(&probability, lane) && digit(open[i], lane) == 1;
                    assert_eq!(digit(spins, lane) == 1, expected, "word {i}, chain {lane}");
                }
            }
        }
    }

    #[test]
    fn counts_are_those_of_all_sixteen_surroundings() {
        // Bit k of neighbour j is bit j of k.
        let words: [Words; 4] = std::array::from_fn(|j| [(0..16u64).map(|k| (k >> j & 1) << k).sum(); GROUP]);
        let counts = counts([&words[0], &words[1], &words[2], &words[3]]);
        for k in 0..16u32 {
            let found: Vec<usize> = (0..5).filter(|&count| counts[count][GROUP - 1] >> k & 1 == 1).collect();
            assert_eq!(found, [k.count_ones() as usize]);
        }
    }
}
