//! Ranks that are threads of one process.

use std::ops::{AddAssign, Range};
use std::sync::{Arc, Barrier, PoisonError, RwLock};

use crate::World;

/// A rank that is a thread: for several devices in one process, and for tests.
///
/// Every rank must take part in every exchange, or the others wait forever. A rank that panics therefore ends the
/// process.
///
/// # Panics
/// [`all_reduce`](World::all_reduce), [`all_reduce_f64`](World::all_reduce_f64) and
/// [`reduce_scatter`](World::reduce_scatter), if ranks pass different numbers of entries.
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    table: Arc<Table>,
}

/// Shared memory through which ranks exchange values.
#[derive(Debug)]
struct Table {
    barrier: Barrier,
    singles: RwLock<Vec<Vec<f32>>>,
    doubles: RwLock<Vec<Vec<f64>>>,
    bytes: RwLock<Vec<Vec<u8>>>,
}

impl Threads {
    /// A world of `size` ranks, one for each thread.
    ///
    /// # Panics
    /// If `size` is 0.
    pub fn world(size: usize) -> Vec<Self> {
        assert!(size > 0, "a group has at least one rank");
        let table = Arc::new(Table {
            barrier: Barrier::new(size),
            singles: RwLock::new(vec![Vec::new(); size]),
            doubles: RwLock::new(vec![Vec::new(); size]),
            bytes: RwLock::new(vec![Vec::new(); size]),
        });
        (0..size).map(|rank| Self { rank, table: Arc::clone(&table) }).collect()
    }

    /// Publishes `values`, then passes those of all ranks to `look`.
    fn exchange<T, R>(&self, place: &RwLock<Vec<Vec<T>>>, values: Vec<T>, look: impl FnOnce(&[Vec<T>]) -> R) -> R {
        place.write().unwrap_or_else(PoisonError::into_inner)[self.rank] = values;
        self.table.barrier.wait();
        // All look at the same time.
        let seen = look(&place.read().unwrap_or_else(PoisonError::into_inner));
        // Nobody lays down the next thing before all have seen this one.
        self.table.barrier.wait();
        seen
    }

    fn add<T: Copy + AddAssign>(&self, place: &RwLock<Vec<Vec<T>>>, values: &mut [T]) {
        let count = values.len();
        let sums = self.exchange(place, values.to_vec(), |all| sum_in_order(all, 0..count));
        values.copy_from_slice(&sums);
    }
}

/// Sums some entries over all ranks, in order.
fn sum_in_order<T: Copy + AddAssign>(all: &[Vec<T>], entries: Range<usize>) -> Vec<T> {
    let mut sums = all[0][entries.clone()].to_vec();
    for one in &all[1..] {
        assert_eq!(one.len(), all[0].len(), "ranks give different numbers of entries");
        sums.iter_mut().zip(&one[entries.clone()]).for_each(|(sum, value)| *sum += *value);
    }
    sums
}

impl Drop for Threads {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

impl World for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.table.singles.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn all_reduce(&self, values: &mut [f32]) {
        self.add(&self.table.singles, values);
    }

    fn all_reduce_f64(&self, values: &mut [f64]) {
        self.add(&self.table.doubles, values);
    }

    fn reduce_scatter(&self, values: Vec<f32>, borders: &[usize]) -> Vec<f32> {
        let own = borders[self.rank]..borders[self.rank + 1];
        self.exchange(&self.table.singles, values, |all| sum_in_order(all, own))
    }

    fn all_gather(&self, part: Vec<f32>, _: &[usize]) -> Vec<f32> {
        self.exchange(&self.table.singles, part, |all| all.concat())
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.exchange(&self.table.bytes, bytes, |all| all[0].clone())
    }

    fn gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let first = self.is_first();
        self.exchange(&self.table.bytes, bytes, |all| if first { all.to_vec() } else { Vec::new() })
    }

    fn abort(&self, code: i32) -> ! {
        std::process::exit(code)
    }
}
