#![doc = include_str!("../README.md")]
//! Each has a rank, counted from 0. What they add up is added in the order of their ranks, so that the sums are the same on all of them and in
//! every run of the same number of ranks, whatever the network between them does.

#[cfg(any(feature = "mpi", test))]
mod pieces;
#[cfg(feature = "mpi")]
mod processes;
mod threads;

use std::ops::Range;

#[cfg(feature = "mpi")]
pub use processes::Processes;
pub use threads::Threads;

/// One rank of several, as it sees the others.
///
/// Every method that exchanges anything waits for all ranks: all must call the same methods in the same order.
pub trait Ranks {
    /// This rank, from 0.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Adds up what all ranks give, entry by entry, in the order of the ranks: ((v₀ + v₁) + v₂) + …, rounded at each step. All must give as many
    /// entries. Every rank is left with the sums.
    fn sum(&self, values: &mut [f32]);

    /// [`sum`](Self::sum) in double precision.
    fn sum_doubles(&self, values: &mut [f64]);

    /// [`sum`](Self::sum) whose result is divided: this rank is left with the sums of the entries `borders[rank]..borders[rank + 1]`. All must give the same
    /// borders, one more than there are ranks, from 0 to the number of entries.
    fn sum_parts(&self, values: Vec<f32>, borders: &[usize]) -> Vec<f32>;

    /// The parts of all ranks one after the other, for all; each gives one as long as the `borders` of [`sum_parts`](Self::sum_parts) say.
    fn join_parts(&self, part: Vec<f32>, borders: &[usize]) -> Vec<f32>;

    /// What the first rank gives, for all; what the others give is dropped.
    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8>;

    /// What all ranks give, in their order, for the first; nothing for the others.
    fn gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>>;

    /// Ends all ranks at once, with an exit code, for one that cannot go on: the others would wait for it for ever.
    fn abort(&self, code: i32) -> !;

    /// This rank among those of the same machine, from 0: which of its cards to take.
    fn rank_on_machine(&self) -> usize {
        self.rank()
    }

    /// What to call it where something went wrong.
    fn name(&self) -> String {
        format!("rank {} of {}", self.rank(), self.size())
    }

    /// Whether this is the one that speaks and writes.
    fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Whether any rank says so.
    fn any(&self, yes: bool) -> bool {
        let mut votes = [f64::from(u8::from(yes))];
        self.sum_doubles(&mut votes);
        votes[0] > 0.0
    }

    /// This rank's part of so many things: parts follow each other by rank, and differ by one at most.
    fn share(&self, count: usize) -> Range<usize> {
        let border = |rank: usize| rank * (count / self.size()) + rank.min(count % self.size());
        border(self.rank())..border(self.rank() + 1)
    }
}

/// The only rank there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum(&self, _: &mut [f32]) {}

    fn sum_doubles(&self, _: &mut [f64]) {}

    fn sum_parts(&self, values: Vec<f32>, _: &[usize]) -> Vec<f32> {
        values
    }

    fn join_parts(&self, part: Vec<f32>, _: &[usize]) -> Vec<f32> {
        part
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        vec![bytes]
    }

    fn abort(&self, code: i32) -> ! {
        std::process::exit(code)
    }
}
