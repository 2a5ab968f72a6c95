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

/// A rank's handle to its world: all ranks that work together.
///
/// Collective methods block until every rank has called them. All ranks must call the same methods in the same order.
pub trait World {
    /// This rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// All-reduce: sums `values` over all ranks, entry by entry. The order is fixed, ((v₀ + v₁) + v₂) + …, rounded
    /// after each addition. All ranks must pass as many entries; all receive the sums.
    fn all_reduce(&self, values: &mut [f32]);

    /// [`all_reduce`](Self::all_reduce) of `f64`.
    fn all_reduce_f64(&self, values: &mut [f64]);

    /// Reduce-scatter: sums as [`all_reduce`](Self::all_reduce), and returns the entries `borders[rank]..borders[rank +
    /// 1]` to each rank. All ranks must pass the same `borders`: one more than ranks, from 0 to the number of entries.
    fn reduce_scatter(&self, values: Vec<f32>, borders: &[usize]) -> Vec<f32>;

    /// All-gather: concatenates the parts of all ranks and returns them to all. Part lengths follow the `borders` of
    /// [`reduce_scatter`](Self::reduce_scatter).
    fn all_gather(&self, part: Vec<f32>, borders: &[usize]) -> Vec<f32>;

    /// Broadcast: returns the bytes of the first rank to all ranks, and ignores those of the others.
    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8>;

    /// Gather: returns the bytes of all ranks, in their order, to the first rank, and nothing to the others.
    fn gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>>;

    /// Ends all ranks at once with an exit code. A failing rank calls it, because the others would wait for it forever.
    fn abort(&self, code: i32) -> !;

    /// This rank among those of its machine, from 0. It selects the GPU.
    fn local_rank(&self) -> usize {
        self.rank()
    }

    /// A name for error messages.
    fn name(&self) -> String {
        format!("rank {} of {}", self.rank(), self.size())
    }

    /// Whether this is the first rank, which prints and writes.
    fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Whether `yes` is true at any rank.
    fn any(&self, yes: bool) -> bool {
        let mut votes = [f64::from(u8::from(yes))];
        self.all_reduce_f64(&mut votes);
        votes[0] > 0.0
    }

    /// This rank's share of `count` items: contiguous ranges in the order of the ranks, whose lengths differ by at most
    /// one.
    fn share(&self, count: usize) -> Range<usize> {
        let border = |rank: usize| rank * (count / self.size()) + rank.min(count % self.size());
        border(self.rank())..border(self.rank() + 1)
    }
}

/// A world of one rank.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl World for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn all_reduce(&self, _: &mut [f32]) {}

    fn all_reduce_f64(&self, _: &mut [f64]) {}

    fn reduce_scatter(&self, values: Vec<f32>, _: &[usize]) -> Vec<f32> {
        values
    }

    fn all_gather(&self, part: Vec<f32>, _: &[usize]) -> Vec<f32> {
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
