//! MAUVE: compares the feature distributions of samples and real data.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::JudgeError;
use crate::clusters::cluster;

/// Settings of MAUVE.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MauveSettings {
    /// Share of the variance that the principal components keep.
    pub variance: f64,
    /// Vectors of the smaller set per cluster.
    pub vectors_per_cluster: usize,
    /// Number of clusterings, with different starts.
    pub clusterings: usize,
    /// Scale of the divergences.
    pub scale: f64,
    /// Number of mixtures of the two laws, at least 2.
    pub mixtures: usize,
    /// Seed of the clusterings.
    pub seed: u64,
}

impl Default for MauveSettings {
    /// The paper's: 90 % of the variance, one cluster per ten vectors, 5 clusterings, scale 5, 25 mixtures.
    fn default() -> Self {
        Self { variance: 0.9, vectors_per_cluster: 10, clusterings: 5, scale: 5.0, mixtures: 25, seed: 0 }
    }
}

/// MAUVE with its parameters. Values with different numbers of clusters are not comparable.
#[derive(Debug, Clone, PartialEq)]
pub struct Mauve {
    /// The mean over the clusterings, between 0 and 1: 1 if the laws are equal.
    pub value: f64,
    /// The value of each clustering.
    pub clusterings: Vec<f64>,
    /// Clusters per clustering.
    pub clusters: usize,
    /// Number of principal components.
    pub components: usize,
}

/// MAUVE of the vectors of real texts `p` and of samples `q`, both of shape `[row][feature]`, for instance the last
/// states of an autoregressive network.
///
/// All vectors are scaled to norm 1 (except zeros), projected on their principal components and clustered together. `P`
/// and `Q` are the shares of the clusters. With `R = w P + (1 − w) Q` it is the area under the curve of `(e^(−c
/// KL(Q|R)), e^(−c KL(P|R)))` over the mixtures `w`, with its ends `(1, 0)` and `(0, 1)`.
///
/// It is biased upward for few vectors, so compare it with held-out text against held-out text. Do not use n-gram
/// counts as features.
///
/// K. Pillutla and others, "MAUVE: Measuring the Gap Between Neural Text and Human Text", 2021.
///
/// # Errors
/// [`JudgeError::TooFew`] for a set of fewer than two vectors or settings of 0; [`JudgeError::Features`] for vectors of
/// different lengths, or not finite.
pub fn mauve(p: &[Vec<f32>], q: &[Vec<f32>], settings: &MauveSettings) -> Result<Mauve, JudgeError> {
    let smaller = p.len().min(q.len());
    let needed = [
        ("vectors of each set", smaller, 2),
        ("vectors per cluster", settings.vectors_per_cluster, 1),
        ("clusterings", settings.clusterings, 1),
        ("mixtures", settings.mixtures, 2),
    ];
    if let Some(&(what, found, expected)) = needed.iter().find(|(_, found, least)| found < least) {
        return Err(JudgeError::TooFew { what, found, expected });
    }
    let len = p[0].len();
    let differs = |vector: &&Vec<f32>| vector.len() != len || vector.iter().any(|value| !value.is_finite());
    if let Some(found) = p.iter().chain(q).find(differs) {
        return Err(JudgeError::Features { found: found.len(), expected: len });
    }
    let vectors = principal_components(p, q, settings.variance);
    let clusters = (smaller as f64 / settings.vectors_per_cluster as f64).round().max(2.0) as usize;
    let once = |clustering: usize| {
        let found = cluster(&vectors, clusters, settings.seed, clustering as u64);
        let (in_p, in_q) = found.split_at(p.len());
        let shares = |of: &[usize]| {
            let mut shares = vec![0.0; clusters];
            of.iter().for_each(|&cluster| shares[cluster] += 1.0 / of.len() as f64);
            shares
        };
        area(&shares(in_p), &shares(in_q), settings)
    };
    let clusterings: Vec<f64> = (0..settings.clusterings).map(once).collect();
    let value = clusterings.iter().sum::<f64>() / clusterings.len() as f64;
    Ok(Mauve { value, clusterings, clusters, components: vectors.nrows() })
}

/// Vectors of norm 1 by the components of most variance, a column each.
fn principal_components(p: &[Vec<f32>], q: &[Vec<f32>], kept: f64) -> DMatrix<f64> {
    let values = p.iter().chain(q).flatten().map(|&value| f64::from(value));
    let mut vectors = DMatrix::from_iterator(p[0].len(), p.len() + q.len(), values);
    vectors.column_iter_mut().for_each(|mut vector| {
        vector.try_normalize_mut(0.0);
    });
    let mean = vectors.column_mean();
    vectors.column_iter_mut().for_each(|mut vector| vector -= &mean);
    let eigen = SymmetricEigen::new(&vectors * vectors.transpose());
    let mut order: Vec<usize> = (0..eigen.eigenvalues.len()).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let sums = order.iter().scan(0.0, |sum, &at| {
        *sum += eigen.eigenvalues[at];
        Some(*sum)
    });
    let enough = sums.take_while(|sum| *sum < kept * eigen.eigenvalues.sum()).count();
    order.truncate(enough + 1);
    eigen.eigenvectors.select_columns(&order).transpose() * vectors
}

/// The area under the divergence curve of two laws, both of shape `[cluster]`.
fn area(p: &[f64], q: &[f64], settings: &MauveSettings) -> f64 {
    // Not quite the ends, where a divergence may be infinite.
    const INSET: f64 = 1e-6;
    let weight = |point: usize| INSET + (1.0 - 2.0 * INSET) * point as f64 / (settings.mixtures - 1) as f64;
    let point = |weight: f64| {
        let divergence = |of: &[f64]| -> f64 {
            let mixed = p.iter().zip(q).map(|(p, q)| weight * p + (1.0 - weight) * q);
            of.iter().zip(mixed).filter(|(of, _)| **of > 0.0).map(|(of, mixed)| of * (of / mixed).ln()).sum()
        };
        [q, p].map(|of| (-settings.scale * divergence(of)).exp())
    };
    let mut curve = vec![[1.0, 0.0]];
    curve.extend((0..settings.mixtures).map(|at| point(weight(at))));
    curve.push([0.0, 1.0]);
    curve.windows(2).map(|ends| (ends[0][0] - ends[1][0]) * (ends[0][1] + ends[1][1]) / 2.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With the divergences `−ln (1 − w)` and `−ln w` the area is `∫ (1 − x^(1/c))^c dx = c B(5, 6)`.
    #[test]
    fn laws_that_have_nothing_in_common_leave_the_area_of_a_beta_function() {
        let settings = MauveSettings { mixtures: 10_001, ..MauveSettings::default() };
        let found = area(&[1.0, 0.0], &[0.0, 1.0], &settings);
        assert!((found - 1.0 / 252.0).abs() < 1e-6, "{found}");
        let coarse = area(&[1.0, 0.0], &[0.0, 1.0], &MauveSettings::default());
        assert!(coarse > found && coarse < 1.1 * found, "{coarse}");
    }

    #[test]
    fn equal_laws_leave_all_of_it_and_order_does_not_matter() {
        let settings = MauveSettings::default();
        let (p, q) = ([0.5, 0.25, 0.25], [0.25, 0.25, 0.5]);
        assert!((area(&p, &p, &settings) - 1.0).abs() < 1e-12);
        let [there, back] = [area(&p, &q, &settings), area(&q, &p, &settings)];
        assert!((there - back).abs() < 1e-12 && there > 0.5 && there < 0.95, "{there}, {back}");
    }

    #[test]
    fn components_of_little_variance_are_left_out() {
        let mut rng = glauber_chain::ChainRng::new(3, 0);
        let mut row =
            |_| -> Vec<f32> { [1.0, 0.9, 0.01].iter().map(|&size| size * (rng.uniform() as f32 - 0.5)).collect() };
        let (p, q): (Vec<_>, Vec<_>) = ((0..50).map(&mut row).collect(), (0..50).map(&mut row).collect());
        let found = principal_components(&p, &q, 0.9);
        assert_eq!((found.nrows(), found.ncols()), (2, 100));
        let spread = |component: usize| found.row(component).norm_squared();
        assert!(spread(0) >= spread(1) && spread(0) + spread(1) > 95.0, "{} {}", spread(0), spread(1));
    }
}
