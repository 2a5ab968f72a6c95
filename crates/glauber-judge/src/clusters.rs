//! Clusters of vectors.

use glauber_chain::ChainRng;
use nalgebra::{DMatrix, DVectorView};

/// Maximal number of rounds.
const ROUNDS: usize = 500;

/// The cluster of each vector (one column each): Lloyd's algorithm with k-means++ centres (D. Arthur and S.
/// Vassilvitskii, 2007).
///
/// A clustering takes the stream of its number.
pub(crate) fn cluster(vectors: &DMatrix<f64>, clusters: usize, seed: u64, stream: u64) -> Vec<usize> {
    let mut centres = first_centres(vectors, clusters, &mut ChainRng::new(seed, stream));
    let mut found = Vec::new();
    for _ in 0..ROUNDS {
        let nearest: Vec<usize> = vectors.column_iter().map(|vector| nearest(&centres, &vector)).collect();
        if nearest == found {
            break;
        }
        found = nearest;
        let mut sums = DMatrix::zeros(centres.nrows(), clusters);
        let mut counts = vec![0.0; clusters];
        for (vector, &cluster) in vectors.column_iter().zip(&found) {
            counts[cluster] += 1.0;
            let mut sum = sums.column_mut(cluster);
            sum += vector;
        }
        // A centre that has lost all its vectors stays where it is.
        for cluster in (0..clusters).filter(|&cluster| counts[cluster] > 0.0) {
            centres.set_column(cluster, &(sums.column(cluster) / counts[cluster]));
        }
    }
    found
}

fn nearest(centres: &DMatrix<f64>, vector: &DVectorView<f64>) -> usize {
    let distances = centres.column_iter().map(|centre| distance(&centre, vector));
    distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(cluster, _)| cluster)
}

/// The squared distance.
fn distance(a: &DVectorView<f64>, b: &DVectorView<f64>) -> f64 {
    a.zip_fold(b, 0.0, |sum, a, b| sum + (a - b) * (a - b))
}

/// Vectors drawn one after another, each by its squared distance to the nearest one before.
fn first_centres(vectors: &DMatrix<f64>, clusters: usize, rng: &mut ChainRng) -> DMatrix<f64> {
    let mut chosen = vec![rng.below(vectors.ncols())];
    let mut distances = vec![f64::INFINITY; vectors.ncols()];
    while chosen.len() < clusters {
        let last = vectors.column(chosen[chosen.len() - 1]);
        for (nearest, vector) in distances.iter_mut().zip(vectors.column_iter()) {
            *nearest = nearest.min(distance(&vector, &last));
        }
        let mut left = rng.uniform() * distances.iter().sum::<f64>();
        let reached = distances.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        chosen.push(reached.unwrap_or_else(|| rng.below(vectors.ncols())));
    }
    vectors.select_columns(&chosen)
}
