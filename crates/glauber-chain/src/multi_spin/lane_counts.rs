//! A counter for each bit of a word.

use super::LANES;

/// 64 binary counters; each word has one digit of all of them.
#[derive(Default)]
pub(super) struct LaneCounts {
    /// Shape `[digit]`, the lowest first.
    digits: Vec<u64>,
}

impl LaneCounts {
    /// Adds one to the counters whose bit is set.
    pub fn add(&mut self, word: u64) {
        let mut carry = word;
        for digit in &mut self.digits {
            if carry == 0 {
                return;
            }
            (*digit, carry) = (*digit ^ carry, *digit & carry);
        }
        if carry != 0 {
            self.digits.push(carry);
        }
    }

    /// The counters, shape `[lane]`.
    pub fn counts(&self) -> [u64; LANES] {
        std::array::from_fn(|lane| {
            let digits = self.digits.iter().enumerate();
            digits.map(|(place, digit)| (digit >> lane & 1) << place).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_count_on_their_own() {
        let mut counts = LaneCounts::default();
        for turn in 0..130u64 {
            counts.add((0..64).filter(|lane| turn <= *lane).map(|lane| 1 << lane).sum::<u64>() | 1);
        }
        let expected: [u64; LANES] = std::array::from_fn(|lane| if lane == 0 { 130 } else { lane as u64 + 1 });
        assert_eq!(counts.counts(), expected);
    }
}
