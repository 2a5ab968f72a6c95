//! Ranks that are processes, over MPI.

use std::ops::AddAssign;

use mpi::Threading;
use mpi::datatype::{Partition, PartitionMut};
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Destination, Equivalence, Root, Source};

use crate::World;
use crate::pieces::{Pieces, lengths};

/// Approximate number of entries per exchange. It limits the two buffers, whatever the size of a gradient and the
/// number of ranks.
const BLOCK: usize = 1 << 22;
/// The exit code of a process that panicked.
const PANICKED: i32 = 101;

/// A process started by `mpirun` or `srun`.
///
/// Every rank sums an equal share of the entries: it receives that share from all ranks, sums in order, and sends the
/// sums on. An all-reduce sends them to all ranks, a reduce-scatter to the owner of the part. A rank sends and receives
/// about twice its entries in an all-reduce, for any number of ranks; in a reduce-scatter, its entries once and its
/// part. All-gather works in reverse. MPI's own sum is not used, because its order of additions is unspecified.
pub struct Processes {
    world: SimpleCommunicator,
    /// This rank among those of this machine.
    local_rank: usize,
    /// Ends MPI when it is dropped.
    _universe: Universe,
}

impl Processes {
    /// Joins the world; `None` if this process has joined before. Only the calling thread may use the result. Without a
    /// launcher, or with one of another MPI library, the world is this process alone.
    pub fn join() -> Option<Self> {
        let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)?;
        let world = universe.world();
        let local_rank = index(world.split_shared(world.rank()).rank());
        Some(Self { world, local_rank, _universe: universe })
    }

    /// Sums of this rank's share of the entries. Shares have equal lengths; entries past the end are 0.
    fn share_of_sums<T: Equivalence + Copy + Default + AddAssign>(&self, mut block: Vec<T>) -> Vec<T> {
        let size = self.size();
        let share = block.len().div_ceil(size);
        block.resize(share * size, T::default());
        let mut received = vec![T::default(); share * size];
        self.world.all_to_all_into(&block[..], &mut received[..]);
        let (sums, others) = received.split_at_mut(share);
        for other in others.chunks(share) {
            sums.iter_mut().zip(other).for_each(|(sum, value)| *sum += *value);
        }
        received.truncate(share);
        received
    }

    /// Concatenates the shares of all ranks, which have equal lengths.
    fn all_shares<T: Equivalence + Copy + Default>(&self, share: &[T]) -> Vec<T> {
        let mut all = vec![T::default(); share.len() * self.size()];
        self.world.all_gather_into(share, &mut all[..]);
        all
    }

    fn add<T: Equivalence + Copy + Default + AddAssign>(&self, values: &mut [T]) {
        for block in values.chunks_mut(BLOCK.max(self.size())) {
            let sums = self.share_of_sums(block.to_vec());
            block.copy_from_slice(&self.all_shares(&sums)[..block.len()]);
        }
    }

    /// Redistributes entries: `own` is this rank's part by the borders `from`; the result is its part by the borders
    /// `to`.
    fn divide_again(&self, own: &[f32], from: &[usize], to: &[usize]) -> Vec<f32> {
        let part = |borders: &[usize]| borders[self.rank()]..borders[self.rank() + 1];
        let [sent, sent_from] = side_by_side(&lengths(&part(from), to));
        let [received, received_to] = side_by_side(&lengths(&part(to), from));
        let mut again = vec![0.0; part(to).len()];
        let mut place = PartitionMut::new(&mut again[..], received, received_to);
        self.world.all_to_all_varcount_into(&Partition::new(own, sent, sent_from), &mut place);
        again
    }
}

/// Lengths and offsets of consecutive messages in a buffer.
fn side_by_side(lengths: &[usize]) -> [Vec<i32>; 2] {
    let lengths: Vec<i32> = lengths.iter().map(|&length| length as i32).collect();
    let beginnings = lengths.iter().scan(0, |end, length| Some(std::mem::replace(end, *end + length)));
    let beginnings = beginnings.collect();
    [lengths, beginnings]
}

/// Converts an MPI number that is never negative.
fn index(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

impl World for Processes {
    fn rank(&self) -> usize {
        index(self.world.rank())
    }

    fn size(&self) -> usize {
        index(self.world.size())
    }

    fn all_reduce(&self, values: &mut [f32]) {
        self.add(values);
    }

    fn all_reduce_f64(&self, values: &mut [f64]) {
        self.add(values);
    }

    fn reduce_scatter(&self, values: Vec<f32>, borders: &[usize]) -> Vec<f32> {
        let own_sums = |pieces: Pieces| {
            let block = pieces.ranges.iter().flat_map(|range| &values[range.clone()]).copied().collect();
            let (mut sums, shares) = (self.share_of_sums(block), pieces.shares());
            sums.truncate(shares[self.rank() + 1] - shares[self.rank()]);
            self.divide_again(&sums, &shares, &pieces.borders)
        };
        Pieces::of(borders, BLOCK).flat_map(own_sums).collect()
    }

    fn all_gather(&self, part: Vec<f32>, borders: &[usize]) -> Vec<f32> {
        let (rank, start) = (self.rank(), borders[self.rank()]);
        let mut all = vec![0.0; borders.last().copied().unwrap_or(0)];
        for pieces in Pieces::of(borders, BLOCK) {
            let (own, shares) = (&pieces.ranges[rank], pieces.shares());
            let mut share = self.divide_again(&part[own.start - start..own.end - start], &pieces.borders, &shares);
            share.resize(shares[1], 0.0);
            let block = self.all_shares(&share);
            let places = pieces.ranges.iter().zip(pieces.borders.windows(2));
            places.for_each(|(range, ends)| all[range.clone()].copy_from_slice(&block[ends[0]..ends[1]]));
        }
        all
    }

    fn broadcast(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let first = self.world.process_at_rank(0);
        let mut length = bytes.len() as u64;
        first.broadcast_into(&mut length);
        bytes.resize(length as usize, 0);
        if length > 0 {
            first.broadcast_into(&mut bytes[..]); // of nothing it is an error
        }
        bytes
    }

    fn gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        if !self.is_first() {
            self.world.process_at_rank(0).send(&bytes[..]);
            return Vec::new();
        }
        let received = (1..self.world.size()).map(|rank| self.world.process_at_rank(rank).receive_vec::<u8>().0);
        std::iter::once(bytes).chain(received).collect()
    }

    fn abort(&self, code: i32) -> ! {
        self.world.abort(code)
    }

    fn local_rank(&self) -> usize {
        self.local_rank
    }

    fn name(&self) -> String {
        let machine = mpi::environment::processor_name().unwrap_or_else(|_| "a machine without a name".into());
        format!("rank {} of {}, on {machine}", self.rank(), self.size())
    }
}

impl Drop for Processes {
    /// A panic ends all ranks, because MPI and the other ranks would wait forever.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.world.abort(PANICKED);
        }
    }
}
