//! Codebook entries as moving averages of the latents they stand for, on the host in f64
//! (van den Oord et al., "Neural Discrete Representation Learning", 2017, appendix A.1).

use glauber_chain::ChainRng;

use super::draws::draw_latents;

/// Moving averages of how often each entry is used a batch, and of the sum of its latents.
pub(crate) struct CodebookAverages {
    decay: f64,
    revive_below: f64,
    dim: usize,
    /// `[entry]`.
    counts: Vec<f64>,
    /// `[entry, dimension]`.
    sums: Vec<f64>,
}

impl CodebookAverages {
    /// Averages that keep a table `[entry, dimension]` where it is, at the mean use of a batch of `positions`.
    pub fn new(table: &[f32], dim: usize, positions: usize, [decay, revive_below]: [f64; 2]) -> Self {
        let entries = table.len() / dim;
        let use_each = positions as f64 / entries as f64;
        Self {
            decay,
            revive_below,
            dim,
            counts: vec![use_each; entries],
            sums: table.iter().map(|&x| f64::from(x) * use_each).collect(),
        }
    }

    /// Restores averages from [`numbers`](Self::numbers); `None` if their count does not fit `entries` and `dim`.
    pub fn restored(numbers: &[f64], entries: usize, dim: usize, [decay, revive_below]: [f64; 2]) -> Option<Self> {
        if numbers.len() != entries * (1 + dim) {
            return None;
        }
        let (counts, sums) = numbers.split_at(entries);
        Some(Self { decay, revive_below, dim, counts: counts.to_vec(), sums: sums.to_vec() })
    }

    /// Counts `[entry]`, then sums `[entry, dimension]`.
    pub fn numbers(&self) -> Vec<f64> {
        [self.counts.as_slice(), &self.sums].concat()
    }

    /// Takes a batch in: its latents `[position, dimension]` and the entries they were given.
    ///
    /// Returns the new table `[entry, dimension]`, and the number of dead entries moved to latents of the batch.
    pub fn update(&mut self, latents: &[f32], indices: &[usize], rng: &mut ChainRng) -> (Vec<f32>, usize) {
        let fresh = 1.0 - self.decay;
        self.counts.iter_mut().for_each(|count| *count *= self.decay);
        self.sums.iter_mut().for_each(|sum| *sum *= self.decay);
        for (latent, &entry) in latents.chunks_exact(self.dim).zip(indices) {
            self.counts[entry] += fresh;
            let sums = &mut self.sums[entry * self.dim..][..self.dim];
            sums.iter_mut().zip(latent).for_each(|(sum, &x)| *sum += fresh * f64::from(x));
        }
        let revived = self.revive(latents, indices.len(), rng);
        let entry = |(at, sum): (usize, &f64)| (sum / self.counts[at / self.dim]) as f32;
        (self.sums.iter().enumerate().map(entry).collect(), revived)
    }

    /// Moves the dead entries to latents of the batch.
    fn revive(&mut self, latents: &[f32], positions: usize, rng: &mut ChainRng) -> usize {
        let use_each = positions as f64 / self.counts.len() as f64;
        // An entry never used has nothing to average when the decay is 0.
        let is_dead = |count: f64| count < self.revive_below * use_each || count <= 0.0;
        let dead: Vec<usize> = (0..self.counts.len()).filter(|&entry| is_dead(self.counts[entry])).collect();
        if dead.is_empty() {
            return 0;
        }
        let drawn = draw_latents(latents, self.dim, dead.len(), rng);
        for (&entry, chosen) in dead.iter().zip(drawn.chunks_exact(self.dim)) {
            let sums = &mut self.sums[entry * self.dim..][..self.dim];
            sums.iter_mut().zip(chosen).for_each(|(sum, &x)| *sum = f64::from(x) * use_each);
            self.counts[entry] = use_each;
        }
        dead.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_move_to_the_mean_of_their_latents() {
        let mut averages = CodebookAverages::new(&[0.0, 10.0], 1, 4, [0.5, 0.0]);
        let mut rng = ChainRng::new(1, 2);
        let (table, revived) = averages.update(&[1.0, 3.0, 2.0, 8.0], &[0, 0, 0, 1], &mut rng);
        // Entry 0: count 0.5 · 2 + 0.5 · 3, sum 0.5 · 0 + 0.5 · 6. Entry 1: count 0.5 · 2 + 0.5, sum 0.5 · 20 + 0.5 · 8.
        assert_eq!(table, [3.0 / 2.5, (14.0f64 / 1.5) as f32]);
        assert_eq!(revived, 0);
        let mut last = table;
        for _ in 0..60 {
            last = averages.update(&[1.0, 3.0, 2.0, 8.0], &[0, 0, 0, 1], &mut rng).0;
        }
        assert!((last[0] - 2.0).abs() < 1e-6 && (last[1] - 8.0).abs() < 1e-6, "{last:?}");
    }

    #[test]
    fn a_dead_entry_is_moved_to_a_latent_of_the_batch() {
        let mut averages = CodebookAverages::new(&[0.0, 0.0, 5.0, 5.0], 2, 4, [0.5, 0.1]);
        let mut rng = ChainRng::new(1, 2);
        let latents = [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0];
        let mut steps = 0;
        let table = loop {
            let (table, revived) = averages.update(&latents, &[0; 4], &mut rng);
            steps += 1;
            if revived == 1 {
                break table;
            }
            assert_eq!((revived, &table[2..]), (0, &[5.0, 5.0][..]), "an entry that is not used stays");
        };
        // Its use was the mean and is halved each step: below a tenth of it after four.
        assert_eq!(steps, 4);
        assert!(table[2..] == [1.0, 2.0] || table[2..] == [3.0, 4.0], "{table:?}");
    }

    #[test]
    fn entries_that_die_together_do_not_become_one() {
        // Two positions for eight entries, of which seven are never used.
        let table: Vec<f32> = (0..8).map(|entry| 100.0 * entry as f32).collect();
        let mut averages = CodebookAverages::new(&table, 1, 2, [0.5, 0.5]);
        let mut rng = ChainRng::new(1, 2);
        averages.update(&[1.0, 2.0], &[0, 0], &mut rng);
        let (table, revived) = averages.update(&[1.0, 2.0], &[0, 0], &mut rng);
        assert_eq!(revived, 7);
        let mut moved = table[1..].to_vec();
        moved.sort_unstable_by(f32::total_cmp);
        moved.dedup();
        assert_eq!(moved.len(), 7, "{table:?}");
        assert!(moved.iter().all(|x| (x - 1.0).abs() < 0.01 || (x - 2.0).abs() < 0.01), "{table:?}");
    }
}
