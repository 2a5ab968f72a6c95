//! Parallel work on single-threaded pools.

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Pools of one thread each. The operations of a piece of work stay on its thread, so the serial parts of several
/// pieces run in parallel.
pub struct Lanes(Vec<ThreadPool>);

impl Lanes {
    /// `threads` lanes. A single lane keeps the parallelism within operations.
    pub fn new(threads: usize) -> Self {
        let name = |at| move |_| format!("lane-{at}");
        let pool = |at: usize| ThreadPoolBuilder::new().num_threads(1).thread_name(name(at)).build().ok();
        Self(if threads > 1 { (0..threads).filter_map(pool).collect() } else { Vec::new() })
    }

    /// Runs `work` on every piece, and returns the results in order. Pieces are assigned to lanes round-robin.
    pub fn run<T: Send, R: Send>(&self, pieces: Vec<T>, work: &(impl Fn(T) -> R + Sync)) -> Vec<R> {
        if pieces.len() < 2 || self.0.len() < 2 {
            return pieces.into_iter().map(work).collect();
        }
        let mut done: Vec<Option<R>> = Vec::new();
        done.resize_with(pieces.len(), || None);
        let mut lanes: Vec<Vec<(T, &mut Option<R>)>> = Vec::new();
        lanes.resize_with(self.0.len(), Vec::new);
        for (at, slot) in pieces.into_iter().zip(&mut done).enumerate() {
            lanes[at % self.0.len()].push(slot);
        }
        std::thread::scope(|scope| {
            for (pool, lane) in self.0.iter().zip(lanes) {
                let run = move || lane.into_iter().for_each(|(piece, slot)| *slot = Some(work(piece)));
                scope.spawn(|| pool.install(run));
            }
        });
        done.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_their_order() {
        for threads in [0, 1, 2, 3, 8] {
            let found = Lanes::new(threads).run((0..5).collect(), &|piece: usize| piece * piece);
            assert_eq!(found, [0, 1, 4, 9, 16], "{threads} threads");
        }
    }
}
