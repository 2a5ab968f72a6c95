//! A counter for each bit of a word.

use super::LANES;
use super::words::{GROUP, Words};

/// Words that are added up before the counters are touched: three digits hold their sum.
const AT_ONCE: usize = 7;
/// Digits of a counter.
const DIGITS: usize = 40;

/// 64 binary counters to a word; a word has one digit of all of them. `GROUP` words are counted side by side.
pub(super) struct LaneCounts {
    /// Shape `[digit]`, the lowest first.
    digits: [Words; DIGITS],
    /// Digits that may be set.
    used: usize,
    waiting: [Words; AT_ONCE],
    waiters: usize,
}

impl Default for LaneCounts {
    #[inline(always)]
    fn default() -> Self {
        Self { digits: [[0; GROUP]; DIGITS], used: 0, waiting: [[0; GROUP]; AT_ONCE], waiters: 0 }
    }
}

/// Three digits of one place as their sum and a carry.
#[inline(always)]
fn add3<const N: usize>(a: &[u64; N], b: &[u64; N], c: &[u64; N]) -> [[u64; N]; 2] {
    let odd = |i: usize| a[i] ^ b[i];
    [std::array::from_fn(|i| odd(i) ^ c[i]), std::array::from_fn(|i| a[i] & b[i] | odd(i) & c[i])]
}

impl LaneCounts {
    /// Adds one to the counters whose bit is set.
    #[inline(always)]
    pub fn add(&mut self, words: Words) {
        self.waiting[self.waiters] = words;
        self.waiters += 1;
        if self.waiters == AT_ONCE {
            self.flush();
        }
    }

    /// Adds the words of a slice, as many side by side as fit.
    #[inline(always)]
    pub fn add_all(&mut self, words: impl ExactSizeIterator<Item = u64>) {
        let mut words = words.fuse();
        for _ in 0..words.len().div_ceil(GROUP) {
            self.add(std::array::from_fn(|_| words.next().unwrap_or(0)));
        }
    }

    #[inline(always)]
    fn flush(&mut self) {
        let [a, b, c, d, e, f, g] = &self.waiting;
        let ([left, two], [right, other_two]) = (add3(a, b, c), add3(d, e, f));
        let [ones, last_two] = add3(&left, &right, g);
        let [twos, fours] = add3(&two, &other_two, &last_two);
        let mut carry = [0; GROUP];
        for (place, digit) in self.digits.iter_mut().enumerate() {
            let add = [&ones, &twos, &fours].get(place).copied().unwrap_or(&[0; GROUP]);
            [*digit, carry] = add3(digit, add, &carry);
            self.used = self.used.max(place + 1);
            if place >= 2 && carry == [0; GROUP] {
                break;
            }
        }
        (self.waiting, self.waiters) = ([[0; GROUP]; AT_ONCE], 0);
    }

    /// The counters, shape `[lane]`.
    #[inline(always)]
    pub fn counts(mut self) -> [u64; LANES] {
        self.flush();
        let mut counts = [0; LANES];
        // The words of a digit are summed on all lanes at once; what they carry goes to the next digits.
        let mut sums = [0u64; DIGITS + 4];
        for place in 0..self.used {
            for word in self.digits[place] {
                let mut carry = word;
                for sum in &mut sums[place..] {
                    if carry == 0 {
                        break;
                    }
                    (*sum, carry) = (*sum ^ carry, *sum & carry);
                }
            }
        }
        for (place, sum) in sums[..self.used + 4].iter().enumerate() {
            for (lane, count) in counts.iter_mut().enumerate() {
                *count += (sum >> lane & 1) << place;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_count_on_their_own() {
        let word = |turn: u64| (0..64).filter(|lane| turn <= *lane).map(|lane| 1 << lane).sum::<u64>() | 1;
        // Not a multiple of what is counted at once.
        for turns in [0, 1, 7, 64, 130, 1000] {
            let mut counts = LaneCounts::default();
            counts.add_all((0..turns).map(word).collect::<Vec<_>>().into_iter());
            let expected: [u64; LANES] =
                std::array::from_fn(|lane| if lane == 0 { turns } else { turns.min(lane as u64 + 1) });
            assert_eq!(counts.counts(), expected, "{turns} words");
        }
    }
}
