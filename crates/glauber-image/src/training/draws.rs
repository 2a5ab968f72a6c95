//! Latents of a batch that become entries of a codebook.

use std::collections::HashSet;

use glauber_chain::ChainRng;

/// Noise on latents that are drawn again, as a part of their standard deviation.
const NOISE: f64 = 0.01;

/// So many latents of `[position, dimension]` in random order, each position once before any is drawn again, shape `[draw, dimension]`.
///
/// Of two equal entries the second is never nearest to anything. A repeated latent, from any position, is therefore
/// moved uniformly by up to a hundredth of the latents' standard deviation per dimension.
pub(super) fn draw_latents(latents: &[f32], dim: usize, count: usize, rng: &mut ChainRng) -> Vec<f32> {
    let positions = latents.len() / dim;
    let scale = NOISE * spread(latents, dim);
    let mut places: Vec<usize> = (0..positions).collect();
    let mut seen = HashSet::new();
    let mut drawn = Vec::with_capacity(count * dim);
    for draw in 0..count {
        // Fisher and Yates, begun anew when all have been drawn.
        let place = draw % positions;
        places.swap(place, place + rng.below(positions - place));
        let chosen = &latents[places[place] * dim..][..dim];
        let fresh = seen.insert(chosen.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
        drawn.extend(chosen.iter().map(|x| if fresh { *x } else { x + (scale * (2.0 * rng.uniform() - 1.0)) as f32 }));
    }
    drawn
}

/// The standard deviation of the latents about their mean, a dimension; 1 where they are all the same.
fn spread(latents: &[f32], dim: usize) -> f64 {
    let positions = (latents.len() / dim) as f64;
    let column = |at: usize| latents.iter().skip(at).step_by(dim).map(|&x| f64::from(x));
    let deviation = |at: usize| {
        let mean = column(at).sum::<f64>() / positions;
        column(at).map(|x| (x - mean).powi(2)).sum::<f64>()
    };
    let square = (0..dim).map(deviation).sum::<f64>() / latents.len() as f64;
    if square > 0.0 { square.sqrt() } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distinct(rows: &[f32], dim: usize) -> usize {
        rows.chunks_exact(dim)
            .map(|row| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
            .collect::<HashSet<_>>()
            .len()
    }

    #[test]
    fn every_latent_is_drawn_before_one_is_drawn_again() {
        let latents: Vec<f32> = (0..12).map(|x| x as f32).collect();
        for seed in 0..20 {
            let mut rng = ChainRng::new(seed, 2);
            let mut all = draw_latents(&latents, 2, 6, &mut rng);
            all.sort_unstable_by(f32::total_cmp);
            assert_eq!(all, latents);
            let more = draw_latents(&latents, 2, 17, &mut rng);
            assert_eq!(distinct(&more, 2), 17, "{more:?}");
            // The standard deviation is that of 0, 2, … 10.
            let near = |row: &[f32]| (0..6).any(|at| (0..2).all(|d| (row[d] - latents[2 * at + d]).abs() <= 0.0342));
            assert!(more.chunks_exact(2).all(near), "{more:?}");
        }
    }

    #[test]
    fn equal_latents_become_different_entries() {
        let mut rng = ChainRng::new(1, 2);
        for latents in [vec![3.0; 8], vec![0.0; 8], vec![1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 1.0, 1.0]] {
            assert_eq!(distinct(&draw_latents(&latents, 2, 4, &mut rng), 2), 4);
        }
    }
}
