//! Precision and recall of samples by nearest neighbours.

use rayon::prelude::*;

use crate::{Features, FidelityError};

/// Neighbours that decide the radius around a vector, in the paper and by default.
pub const NEIGHBOURS: usize = 3;

/// Precision and recall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrecisionRecall {
    /// Precision: the share of samples within the data's manifold.
    pub precision: f64,
    /// Recall: the share of the data within the samples' manifold.
    pub recall: f64,
}

/// Precision and recall of samples. A set's manifold is the union of closed balls around its vectors, each with the
/// distance to the `neighbours`-th nearest other vector as radius.
///
/// T. Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen, T. Aila, *Improved precision and recall metric for assessing
/// generative models*, 2019: equations (1) and (2). Radii depend on the number of vectors, so use sets of equal size.
///
/// All pairs are compared, over threads; memory does not grow with their number.
///
/// # Errors
/// [`FidelityError::Setting`] for no neighbour, [`FidelityError::TooFew`] when a set has not more vectors than neighbours,
/// [`FidelityError::Dimension`] when the sets are of different dimensions.
pub fn precision_recall(
    data: &Features,
    samples: &Features,
    neighbours: usize,
) -> Result<PrecisionRecall, FidelityError> {
    data.check_dim(samples)?;
    FidelityError::require(neighbours > 0, "neighbours", neighbours, "at least 1")?;
    data.check_count("of the data", neighbours + 1)?;
    samples.check_count("among the samples", neighbours + 1)?;
    let share = |of: &Features, within: &Features| {
        let manifold = Manifold::new(within, neighbours);
        let inside = (0..of.len()).into_par_iter().filter(|&image| manifold.contains(of.row(image))).count();
        inside as f64 / of.len() as f64
    };
    Ok(PrecisionRecall { precision: share(samples, data), recall: share(data, samples) })
}

/// Balls around vectors.
struct Manifold<'a> {
    centres: &'a Features,
    /// Shape `[centre]`.
    squared_radii: Vec<f64>,
}

impl<'a> Manifold<'a> {
    fn new(centres: &'a Features, neighbours: usize) -> Self {
        let radius = |image: usize| {
            let mut nearest = vec![f64::INFINITY; neighbours];
            for other in (0..centres.len()).filter(|&other| other != image) {
                keep_least(&mut nearest, squared_distance(centres.row(image), centres.row(other)));
            }
            nearest[neighbours - 1]
        };
        Self { centres, squared_radii: (0..centres.len()).into_par_iter().map(radius).collect() }
    }

    fn contains(&self, vector: &[f64]) -> bool {
        let mut balls = self.squared_radii.iter().enumerate();
        balls.any(|(centre, &squared)| squared_distance(self.centres.row(centre), vector) <= squared)
    }
}

/// Takes a number among the least ones, which are ascending, in place of the greatest of them.
fn keep_least(least: &mut [f64], number: f64) {
    let last = least.len() - 1;
    if number >= least[last] {
        return;
    }
    let place = least.partition_point(|&kept| kept <= number);
    least[place..].rotate_right(1);
    least[place] = number;
}

/// The squared Euclidean distance. Eight sums side by side, which a processor adds at once; the same whichever vector comes first.
fn squared_distance(one: &[f64], other: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (ones, others) = (one.chunks_exact(LANES), other.chunks_exact(LANES));
    let rest: f64 = ones.remainder().iter().zip(others.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in ones.zip(others) {
        for lane in 0..LANES {
            sums[lane] += (a[lane] - b[lane]) * (a[lane] - b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(places: &[f64]) -> Features {
        Features::new(places.to_vec(), 1).unwrap()
    }

    fn found(data: &[f64], samples: &[f64], neighbours: usize) -> (f64, f64) {
        let PrecisionRecall { precision, recall } = precision_recall(&line(data), &line(samples), neighbours).unwrap();
        (precision, recall)
    }

    #[test]
    fn the_least_numbers_are_kept_in_order() {
        let mut least = vec![f64::INFINITY; 3];
        for number in [5.0, 2.0, 7.0, 2.0, 1.0, 9.0, 2.0] {
            keep_least(&mut least, number);
        }
        assert_eq!(least, [1.0, 2.0, 2.0]);
    }

    #[test]
    fn distances_of_every_length() {
        for dim in 1..40 {
            let one: Vec<f64> = (0..dim).map(|i| (i * i % 13) as f64).collect();
            let other: Vec<f64> = (0..dim).map(|i| (i * 7 % 11) as f64).collect();
            let expected: f64 = one.iter().zip(&other).map(|(a, b)| (a - b).powi(2)).sum();
            assert_eq!(squared_distance(&one, &other), expected, "whole numbers have exact sums");
            assert_eq!(squared_distance(&other, &one), expected);
        }
    }

    #[test]
    fn balls_on_a_line_by_hand() {
        // One neighbour. Data at 0, 1, 3: radii 1, 1, 2, so their manifold is −1..2 and 1..5. Samples at −1, 5.5, 6, 20: radii 6.5, 0.5, 0.5,
        // 14, so theirs is −7.5..5.5, 5..6, 5.5..6.5 and 6..34.
        assert_eq!(found(&[0.0, 1.0, 3.0], &[-1.0, 5.5, 6.0, 20.0], 1), (0.25, 1.0));
        // Two neighbours: the data's radii are 3, 2, 3, so −3..6; then 6 is on the rim.
        assert_eq!(found(&[0.0, 1.0, 3.0], &[-1.0, 5.5, 6.0, 20.0], 2), (0.75, 1.0));
    }

    #[test]
    fn few_modes_cost_recall_and_strays_cost_precision() {
        let data = [0.0, 1.0, 2.0, 100.0, 101.0, 102.0];
        assert_eq!(found(&data, &[0.0, 1.0, 2.0], 1), (1.0, 0.5));
        assert_eq!(found(&data, &[0.0, 1.0, 101.0, 100.0, 50.0, 51.0], 1), (4.0 / 6.0, 1.0));
        assert_eq!(found(&data, &data, 3), (1.0, 1.0));
    }

    #[test]
    fn equal_vectors_have_no_radius() {
        // All samples are one image of the data: precise, but the manifold is a point.
        assert_eq!(found(&[0.0, 1.0, 2.0, 3.0], &[2.0; 5], 3), (1.0, 0.25));
    }

    #[test]
    fn what_cannot_be_is_told() {
        let (data, plane) = (line(&[0.0, 1.0, 2.0, 3.0]), Features::new(vec![0.0; 8], 2).unwrap());
        assert!(matches!(precision_recall(&data, &plane, 3), Err(FidelityError::Dimension { found: 2, expected: 1 })));
        assert!(matches!(precision_recall(&data, &data, 0), Err(FidelityError::Setting { .. })));
        let error = precision_recall(&data, &line(&[0.0; 3]), 3).unwrap_err().to_string();
        assert_eq!(error, "3 images among the samples, expected at least 4");
        assert!(matches!(precision_recall(&data, &data, 4), Err(FidelityError::TooFew { found: 4, least: 5, .. })));
    }
}
