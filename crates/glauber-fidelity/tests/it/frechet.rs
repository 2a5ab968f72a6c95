//! The Fréchet distance against closed forms, and against what it must not depend on.

use glauber_chain::ChainRng;
use glauber_fidelity::{Features, FidelityError, Gaussian, frechet_distance};
use nalgebra::{DMatrix, SymmetricEigen};

/// Nearly normal vectors, each number a sum of twelve uniform ones, scaled and moved.
fn drawn(count: usize, dim: usize, seed: u64) -> Features {
    let mut rng = ChainRng::new(seed, 0);
    let mut number = |feature: usize| {
        let normal: f64 = (0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0;
        normal * (1.0 + feature as f64) + 0.5 * feature as f64
    };
    Features::new((0..count * dim).map(|place| number(place % dim)).collect(), dim).unwrap()
}

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "{found}, expected {expected}");
}

#[test]
fn one_dimension_has_a_closed_form() {
    // (μ₁ − μ₂)² + (σ₁ − σ₂)²
    for (mean, variance, expected) in
        [(0.0, 1.0, 0.0), (3.0, 1.0, 9.0), (0.0, 9.0, 4.0), (-2.0, 0.25, 4.25), (1.0, 0.0, 2.0)]
    {
        let (one, other) = (Gaussian::new(&[0.0], &[1.0]).unwrap(), Gaussian::new(&[mean], &[variance]).unwrap());
        near(one.frechet_distance(&other).unwrap(), expected, 1e-12);
        near(other.frechet_distance(&one).unwrap(), expected, 1e-12);
    }
}

#[test]
fn diagonal_laws_have_a_closed_form() {
    let diagonal = |variances: &[f64]| -> Vec<f64> {
        let dim = variances.len();
        (0..dim * dim).map(|place| if place % (dim + 1) == 0 { variances[place / dim] } else { 0.0 }).collect()
    };
    let (ones, others) = ([4.0, 1e-12, 9.0, 100.0], [1.0, 16.0, 0.0, 100.0]);
    let (mean, moved) = ([1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 3.0, 2.0]);
    let one = Gaussian::new(&mean, &diagonal(&ones)).unwrap();
    let other = Gaussian::new(&moved, &diagonal(&others)).unwrap();
    let apart: f64 = mean.iter().zip(&moved).map(|(a, b)| (a - b) * (a - b)).sum();
    let spread: f64 = ones.iter().zip(&others).map(|(a, b)| (a.sqrt() - b.sqrt()).powi(2)).sum();
    near(one.frechet_distance(&other).unwrap(), apart + spread, 1e-10);
}

#[test]
fn a_plane_by_hand() {
    // S₁ = I, S₂ with eigenvalues 1 and 9: tr S₂^½ = 1 + 3, and 2 + 10 − 2 · 4 = 4, however S₂ is turned.
    let one = Gaussian::new(&[0.0; 2], &[1.0, 0.0, 0.0, 1.0]).unwrap();
    let other = Gaussian::new(&[0.0; 2], &[5.0, 4.0, 4.0, 5.0]).unwrap();
    near(one.frechet_distance(&other).unwrap(), 4.0, 1e-12);
}

#[test]
fn mean_and_covariance_are_those_of_the_vectors() {
    let features = Features::new(vec![0.0, 0.0, 2.0, 1.0, 4.0, -1.0, 2.0, 4.0], 2).unwrap();
    let law = Gaussian::fit(&features).unwrap();
    assert_eq!(law.mean(), [2.0, 1.0]);
    // Deviations (−2, −1), (0, 0), (2, −2), (0, 3), divided by three.
    near(law.covariance(0, 0), 8.0 / 3.0, 1e-14);
    near(law.covariance(1, 1), 14.0 / 3.0, 1e-14);
    near(law.covariance(0, 1), -2.0 / 3.0, 1e-14);
    // More vectors than are summed at a time: twice the set has the same mean and (n − 1)/(n − ½) of the covariance.
    let many = drawn(1500, 3, 1);
    let mut twice = many.clone();
    twice.append(&many).unwrap();
    let (one, two) = (Gaussian::fit(&many).unwrap(), Gaussian::fit(&twice).unwrap());
    for (a, b) in one.mean().iter().zip(two.mean()) {
        near(*a, *b, 1e-12);
    }
    near(two.covariance(1, 2), one.covariance(1, 2) * 1499.0 / 1499.5, 1e-12);
}

#[test]
fn equal_sets_are_at_no_distance() {
    for (count, dim) in [(500, 7), (2, 7), (10, 40), (40, 40)] {
        let features = drawn(count, dim, 3);
        near(frechet_distance(&features, &features).unwrap(), 0.0, 1e-9);
    }
    let constant = Features::new(vec![1.0; 12], 4).unwrap();
    near(frechet_distance(&constant, &constant).unwrap(), 0.0, 0.0);
}

#[test]
fn a_translation_costs_its_square() {
    let features = drawn(300, 5, 4);
    let moved = features.values().iter().map(|value| value + 2.0).collect();
    near(frechet_distance(&features, &Features::new(moved, 5).unwrap()).unwrap(), 20.0, 1e-8);
}

/// An orthogonal matrix: the eigenvectors of some symmetric one.
fn rotation(dim: usize) -> DMatrix<f64> {
    let mut rng = ChainRng::new(8, 0);
    let square = DMatrix::from_fn(dim, dim, |_, _| rng.uniform() - 0.5);
    SymmetricEigen::new(&square + square.transpose()).eigenvectors
}

#[test]
fn turning_both_sets_changes_nothing() {
    for (counts, dim) in [([200, 150], 6), ([8, 9], 12)] {
        let [one, other] = [drawn(counts[0], dim, 5), drawn(counts[1], dim, 6)];
        let turn = rotation(dim);
        let turned = |features: &Features| {
            let columns = DMatrix::from_column_slice(dim, features.len(), features.values());
            Features::new((&turn * columns).as_slice().to_vec(), dim).unwrap()
        };
        let expected = frechet_distance(&one, &other).unwrap();
        assert!(expected > 0.1);
        near(frechet_distance(&turned(&one), &turned(&other)).unwrap(), expected, 1e-9 * expected);
        near(frechet_distance(&other, &one).unwrap(), expected, 1e-9 * expected);
    }
}

/// The trace of `(S₁^½ S₂ S₁^½)^½` the direct way: by eigenvalues.
fn by_eigenvalues(one: &Gaussian, other: &Gaussian) -> f64 {
    let dim = one.dim();
    let matrix = |law: &Gaussian| DMatrix::from_fn(dim, dim, |row, column| law.covariance(row, column));
    let eigen = SymmetricEigen::new(matrix(one));
    let roots = DMatrix::from_diagonal(&eigen.eigenvalues.map(|value| value.max(0.0).sqrt()));
    let root = &eigen.eigenvectors * roots * eigen.eigenvectors.transpose();
    let inner = &root * matrix(other) * &root;
    let shared: f64 = SymmetricEigen::new(inner).eigenvalues.iter().map(|value| value.max(0.0).sqrt()).sum();
    let apart: f64 = one.mean().iter().zip(other.mean()).map(|(a, b)| (a - b) * (a - b)).sum();
    apart + matrix(one).trace() + matrix(other).trace() - 2.0 * shared
}

#[test]
fn singular_values_give_what_eigenvalues_give() {
    for (counts, dim) in [([400, 300], 20), ([30, 25], 50), ([3, 200], 16)] {
        let [one, other] = [drawn(counts[0], dim, 11), drawn(counts[1], dim, 12)].map(|f| Gaussian::fit(&f).unwrap());
        let expected = by_eigenvalues(&one, &other);
        // Roots of eigenvalues that are 0 but for rounding leave half of the digits.
        near(one.frechet_distance(&other).unwrap(), expected, 1e-6 * expected.abs());
    }
}

#[test]
fn samples_of_a_law_come_near_to_it() {
    let law = |scale: f64| Gaussian::new(&[0.0, 0.5], &[scale, 0.0, 0.0, 4.0 * scale]).unwrap();
    let fitted = Gaussian::fit(&drawn(20_000, 2, 21)).unwrap();
    assert!(fitted.frechet_distance(&law(1.0)).unwrap() < 2e-3);
    // (1 − √1.44)² (1 + 4)
    near(fitted.frechet_distance(&law(1.44)).unwrap(), 0.2, 0.02);
}

#[test]
fn what_cannot_be_is_told() {
    let one = Features::new(vec![1.0, 2.0], 2).unwrap();
    let error = Gaussian::fit(&one).unwrap_err().to_string();
    assert_eq!(error, "1 images to fit a normal distribution to, expected at least 2");
    let (two, three) = (drawn(5, 2, 0), drawn(5, 3, 0));
    assert!(matches!(frechet_distance(&two, &three), Err(FidelityError::Dimension { found: 3, expected: 2 })));
    assert!(matches!(Gaussian::new(&[0.0], &[]), Err(FidelityError::Shape { .. })));
    for covariance in [[1.0, 0.5, 0.4, 1.0], [1.0, 2.0, 2.0, 1.0], [1.0, 0.0, 0.0, f64::NAN]] {
        assert!(matches!(Gaussian::new(&[0.0; 2], &covariance), Err(FidelityError::Covariance { .. })));
    }
}
