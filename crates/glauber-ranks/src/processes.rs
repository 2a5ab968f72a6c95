//! Ranks that are processes, over MPI.

use std::ops::{AddAssign, Range};

use mpi::Threading;
use mpi::datatype::{Partition, PartitionMut};
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Destination, Equivalence, Root, Source};

use crate::Ranks;

/// Entries that are exchanged at a time: two buffers of so many, however large a gradient is and however many ranks there are.
const BLOCK: usize = 1 << 22;
/// The exit code of a process that panicked.
const PANICKED: i32 = 101;

/// A process among those that `mpirun` or `srun` began.
///
/// Every rank has a part of the entries that it sums: it is sent that part by all others, adds up in order, and sends the sums to all. Each rank
/// sends and receives about twice its entries, however many ranks there are. The library's own sum is not used: in which order it adds is its
/// own affair.
pub struct Processes {
    world: SimpleCommunicator,
    /// Among the ranks of this machine.
    rank_on_machine: usize,
    /// Ends MPI when it is dropped.
    _universe: Universe,
}

impl Processes {
    /// Joins the others; `None` where this process has done so before. Exchanges are for the thread that calls this. A process that no launcher
    /// began, or that of another MPI library, is alone.
    pub fn join() -> Option<Self> {
        let (universe, _) = mpi::initialize_with_threading(Threading::Funneled)?;
        let world = universe.world();
        let rank_on_machine = index(world.split_shared(world.rank()).rank());
        Some(Self { world, rank_on_machine, _universe: universe })
    }

    fn add<T: Equivalence + Copy + Default + AddAssign>(&self, values: &mut [T]) {
        let size = self.size();
        for block in values.chunks_mut(BLOCK.max(size)) {
            let part = block.len().div_ceil(size);
            // The last part of the last block may be short: what is missing counts as nought.
            let mut sent = block.to_vec();
            sent.resize(part * size, T::default());
            let mut received = vec![T::default(); part * size];
            self.world.all_to_all_into(&sent[..], &mut received[..]);
            let (sums, others) = received.split_at_mut(part);
            for other in others.chunks(part) {
                sums.iter_mut().zip(other).for_each(|(sum, value)| *sum += *value);
            }
            self.world.all_gather_into(&*sums, &mut sent[..]);
            block.copy_from_slice(&sent[..block.len()]);
        }
    }
}

/// The entries of each rank that are exchanged together with those of the others: a block of every part.
struct Blocks<'a> {
    borders: &'a [usize],
    /// Most entries of a part in a block.
    share: usize,
}

impl<'a> Blocks<'a> {
    fn of(borders: &'a [usize]) -> Self {
        let ranks = borders.len() - 1;
        Self { borders, share: (BLOCK / ranks).max(1) }
    }

    /// How many there are.
    fn count(&self) -> usize {
        let longest = self.borders.windows(2).map(|ends| ends[1] - ends[0]).max().unwrap_or(0);
        longest.div_ceil(self.share)
    }

    /// The entries of each rank in a block.
    fn entries(&self, block: usize) -> Vec<Range<usize>> {
        let part = |ends: &[usize]| {
            let at = |blocks: usize| (ends[0] + blocks * self.share).min(ends[1]);
            at(block)..at(block + 1)
        };
        self.borders.windows(2).map(part).collect()
    }
}

/// Where messages of some lengths lie in a buffer, one after the other: lengths and beginnings.
fn side_by_side(lengths: impl Iterator<Item = usize>) -> [Vec<i32>; 2] {
    let lengths: Vec<i32> = lengths.map(|length| length as i32).collect();
    let beginnings = lengths.iter().scan(0, |end, length| Some(std::mem::replace(end, *end + length)));
    let beginnings = beginnings.collect();
    [lengths, beginnings]
}

/// A number of MPI's that is never negative.
fn index(number: i32) -> usize {
    usize::try_from(number).unwrap_or(0)
}

impl Ranks for Processes {
    fn rank(&self) -> usize {
        index(self.world.rank())
    }

    fn size(&self) -> usize {
        index(self.world.size())
    }

    fn sum(&self, values: &mut [f32]) {
        self.add(values);
    }

    fn sum_doubles(&self, values: &mut [f64]) {
        self.add(values);
    }

    fn sum_parts(&self, values: &[f32], borders: &[usize]) -> Vec<f32> {
        let (rank, size, blocks) = (self.rank(), self.size(), Blocks::of(borders));
        let mut part = Vec::with_capacity(borders[rank + 1] - borders[rank]);
        for block in 0..blocks.count() {
            let entries = blocks.entries(block);
            let own = entries[rank].len();
            let [lengths, beginnings] = side_by_side(entries.iter().map(Range::len));
            let sent: Vec<f32> = entries.into_iter().flat_map(|range| &values[range]).copied().collect();
            let mut received = vec![0.0; own * size];
            let [own_lengths, own_beginnings] = side_by_side(std::iter::repeat_n(own, size));
            self.world.all_to_all_varcount_into(
                &Partition::new(&sent[..], lengths, beginnings),
                &mut PartitionMut::new(&mut received[..], own_lengths, own_beginnings),
            );
            let (sums, others) = received.split_at_mut(own);
            for other in others.chunks(own.max(1)) {
                sums.iter_mut().zip(other).for_each(|(sum, value)| *sum += *value);
            }
            part.extend_from_slice(sums);
        }
        part
    }

    fn join_parts(&self, part: &[f32], borders: &[usize]) -> Vec<f32> {
        let (rank, blocks) = (self.rank(), Blocks::of(borders));
        let mut all = vec![0.0; borders.last().copied().unwrap_or(0)];
        for block in 0..blocks.count() {
            let entries = blocks.entries(block);
            let Range { start, end } = entries[rank];
            let [lengths, beginnings] = side_by_side(entries.iter().map(Range::len));
            let mut received = vec![0.0; entries.iter().map(Range::len).sum()];
            self.world.all_gather_varcount_into(
                &part[start - borders[rank]..end - borders[rank]],
                &mut PartitionMut::new(&mut received[..], lengths, beginnings),
            );
            let mut rest = &received[..];
            for range in entries {
                let (message, others) = rest.split_at(range.len());
                all[range].copy_from_slice(message);
                rest = others;
            }
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

    fn rank_on_machine(&self) -> usize {
        self.rank_on_machine
    }

    fn name(&self) -> String {
        let machine = mpi::environment::processor_name().unwrap_or_else(|_| "a machine without a name".into());
        format!("rank {} of {}, on {machine}", self.rank(), self.size())
    }
}

impl Drop for Processes {
    /// A rank that panics ends all: MPI would wait for the others, and they for it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.world.abort(PANICKED);
        }
    }
}
