//! Sets of feature vectors.

use glauber_chain::ChainRng;

use crate::FidelityError;

/// Feature vectors of images, shape `[image, feature]`, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    values: Vec<f64>,
    dim: usize,
}

impl Features {
    /// Vectors of `dim` numbers each, one after the other, shape `[image, feature]`.
    ///
    /// # Errors
    /// [`FidelityError::Shape`] when `dim` is 0 or the numbers are not complete vectors; [`FidelityError::NotFinite`]
    /// names the first number that is not finite.
    pub fn new(values: Vec<f64>, dim: usize) -> Result<Self, FidelityError> {
        if dim == 0 || !values.len().is_multiple_of(dim) {
            let found = format!("{} numbers as vectors of {dim}", values.len());
            return Err(FidelityError::Shape { found, expected: "complete vectors of one or more numbers".into() });
        }
        if let Some(place) = values.iter().position(|value| !value.is_finite()) {
            return Err(FidelityError::NotFinite { image: place / dim, feature: place % dim, found: values[place] });
        }
        Ok(Self { values, dim })
    }

    /// No vectors yet, of `dim` numbers each.
    ///
    /// # Errors
    /// [`FidelityError::Shape`] when `dim` is 0.
    pub fn empty(dim: usize) -> Result<Self, FidelityError> {
        Self::new(Vec::new(), dim)
    }

    /// Appends the vectors of another set.
    ///
    /// # Errors
    /// [`FidelityError::Dimension`] when they are of another dimension.
    pub fn append(&mut self, more: &Self) -> Result<(), FidelityError> {
        self.check_dim(more)?;
        self.values.extend_from_slice(&more.values);
        Ok(())
    }

    /// A random subset of `count` vectors, or all if there are fewer.
    #[must_use]
    pub fn chosen(&self, count: usize, rng: &mut ChainRng) -> Self {
        let mut images: Vec<usize> = (0..self.len()).collect();
        let count = count.min(images.len());
        for place in 0..count {
            images.swap(place, place + rng.below(self.len() - place));
        }
        Self { values: images[..count].iter().flat_map(|&image| self.row(image)).copied().collect(), dim: self.dim }
    }

    /// Number of vectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Numbers of a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The numbers of an image, shape `[feature]`.
    ///
    /// # Panics
    /// When there is no such image.
    #[must_use]
    pub fn row(&self, image: usize) -> &[f64] {
        &self.values[image * self.dim..][..self.dim]
    }

    /// All numbers, shape `[image, feature]`.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Checks that another set has vectors of the same dimension.
    pub(crate) fn check_dim(&self, other: &Self) -> Result<(), FidelityError> {
        if self.dim == other.dim {
            return Ok(());
        }
        Err(FidelityError::Dimension { found: other.dim, expected: self.dim })
    }

    /// Checks that there are enough vectors.
    pub(crate) fn check_count(&self, what: &'static str, least: usize) -> Result<(), FidelityError> {
        if self.len() >= least {
            return Ok(());
        }
        Err(FidelityError::TooFew { what, found: self.len(), least })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_back_by_image() {
        let mut features = Features::new(vec![1.0, 2.0, 3.0, 4.0], 2).unwrap();
        features.append(&Features::new(vec![5.0, 6.0], 2).unwrap()).unwrap();
        assert_eq!((features.len(), features.dim(), features.row(2)), (3, 2, [5.0, 6.0].as_slice()));
        assert!(Features::empty(4).unwrap().is_empty());
    }

    #[test]
    fn every_vector_is_chosen_equally_often_and_none_twice() {
        let features = Features::new((0..20).map(f64::from).collect(), 2).unwrap();
        let mut count = [0; 10];
        for stream in 0..4000 {
            let chosen = features.chosen(3, &mut ChainRng::new(5, stream));
            let mut images: Vec<usize> = (0..3).map(|place| chosen.row(place)[0] as usize / 2).collect();
            images.iter().for_each(|&image| count[image] += 1);
            images.sort_unstable();
            images.dedup();
            assert_eq!((images.len(), chosen.len()), (3, 3));
        }
        // 1200 expected; five standard deviations.
        assert!(count.iter().all(|&count| (count as f64 - 1200.0).abs() < 145.0), "{count:?}");
        let mut all: Vec<f64> = features.chosen(99, &mut ChainRng::new(5, 0)).values().to_vec();
        all.sort_by(f64::total_cmp);
        assert_eq!(all, features.values());
    }

    #[test]
    fn what_is_no_set_of_vectors_is_told() {
        assert!(matches!(Features::empty(0), Err(FidelityError::Shape { .. })));
        assert!(matches!(Features::new(vec![1.0; 5], 2), Err(FidelityError::Shape { .. })));
        let error = Features::new(vec![1.0, 2.0, f64::NAN, 4.0], 2).unwrap_err().to_string();
        assert!(error.contains("feature 0 of image 1 is NaN"), "{error}");
        let mut features = Features::empty(2).unwrap();
        let error = features.append(&Features::empty(3).unwrap()).unwrap_err();
        assert!(matches!(error, FidelityError::Dimension { found: 3, expected: 2 }));
    }
}
