//! MAUVE of vectors whose laws are known.

use glauber_chain::ChainRng;
use glauber_judge::{JudgeError, Mauve, MauveSettings, mauve};

/// Vectors about corners of a cube, of one corner as often as its weight says.
fn vectors(weights: [usize; 4], stream: u64) -> Vec<Vec<f32>> {
    let mut rng = ChainRng::new(13, stream);
    let mut normal = || ((0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0) as f32;
    let corners = (0..4).flat_map(|corner| std::iter::repeat_n(corner, weights[corner]));
    let vector = |corner: usize| (0..6).map(|axis| f32::from(u8::from(axis == corner)) + 0.02 * normal()).collect();
    corners.map(vector).collect()
}

fn found(p: [usize; 4], q: [usize; 4], vectors_per_cluster: usize) -> Mauve {
    let settings = MauveSettings { vectors_per_cluster, ..MauveSettings::default() };
    mauve(&vectors(p, 0), &vectors(q, 1), &settings).unwrap()
}

#[test]
fn far_clusters_are_found_and_their_shares_compared() {
    // As many clusters as corners: the vectors of each are one cluster.
    let same = found([20; 4], [20; 4], 20);
    assert_eq!((same.clusters, same.clusterings.len()), (4, 5));
    assert!(same.value > 0.999, "{same:?}");
    let [near, far, apart] = [[26, 14, 20, 20], [60, 10, 5, 5], [80, 0, 0, 0]].map(|q| found([20; 4], q, 20).value);
    assert!(same.value > near && near > far && far > apart, "{near}, {far}, {apart}");
}

#[test]
fn laws_that_share_no_cluster_have_next_to_nothing() {
    let found = found([40, 40, 0, 0], [0, 0, 40, 40], 20);
    assert!(found.value > 0.0039 && found.value < 0.0044, "{found:?}");
}

#[test]
fn a_cluster_for_ten_vectors_finds_equal_laws_alike() {
    let found = found([50; 4], [50; 4], 10);
    assert_eq!(found.clusters, 20);
    assert!(found.value > 0.8 && found.components >= 3, "{found:?}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let (p, settings) = (vectors([2; 4], 0), MauveSettings::default());
    let short = vec![vec![0.0; 5]; 8];
    assert!(matches!(mauve(&p, &short, &settings), Err(JudgeError::Features { found: 5, expected: 6 })));
    assert!(matches!(mauve(&p, &p[..1], &settings), Err(JudgeError::TooFew { found: 1, expected: 2, .. })));
    let none = MauveSettings { vectors_per_cluster: 0, ..settings };
    assert!(matches!(mauve(&p, &p, &none), Err(JudgeError::TooFew { what: "vectors per cluster", .. })));
}
