//! The figures of a set of images.

use glauber_chain::ChainRng;
use glauber_fidelity::{Features, PrecisionRecall, Recognition, frechet_distance, precision_recall};

use super::judge::Verdict;
use crate::error::Result;

/// The figures of a set of images, against the training images.
pub struct Row {
    /// Their name.
    pub name: &'static str,
    /// Their number.
    pub images: usize,
    /// The Fréchet distance to the training images.
    pub frechet: f64,
    /// Images per set for precision and recall.
    pub compared: usize,
    /// Precision and recall.
    pub precision_recall: PrecisionRecall,
    /// Recognition of images with known class, if any.
    pub recognition: Option<Recognition>,
}

impl Row {
    /// Compares features with those of the training images; precision and recall with as many of each, chosen at random.
    ///
    /// # Errors
    /// When there are too few of either.
    pub(super) fn new(
        name: &'static str,
        found: Verdict,
        data: &Features,
        neighbours: usize,
        rng: &mut ChainRng,
    ) -> Result<Self> {
        let Verdict { features, recognition, .. } = found;
        let compared = features.len().min(data.len());
        let [of_data, of_found] = [data, &features].map(|all| all.chosen(compared, rng));
        Ok(Self {
            name,
            images: features.len(),
            frechet: frechet_distance(&features, data)?,
            compared,
            precision_recall: precision_recall(&of_data, &of_found, neighbours)?,
            recognition,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_and_recall_are_of_all_classes_where_samples_outnumber_the_data() {
        // Four classes on a line, the samples class after class, far more than there are data, and like them.
        let data: Vec<f64> = (0..40).map(|i| f64::from(i % 4 * 1000 + i)).collect();
        let samples = (0..400).map(|i| f64::from(i / 100 * 1000 + i % 40)).collect();
        let [data, samples] = [data, samples].map(|values| Features::new(values, 1).unwrap());
        let found = Verdict { features: samples, recognition: None, by_class: Vec::new() };
        let row = Row::new("samples", found, &data, 3, &mut ChainRng::new(0, 0)).unwrap();
        assert_eq!((row.images, row.compared), (400, 40));
        // The first 40 are of one class: recall would be a quarter.
        assert!(row.precision_recall.recall > 0.8, "{:?}", row.precision_recall);
    }
}
