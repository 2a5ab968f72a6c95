//! Settings of the comparison of image sets.

use std::path::PathBuf;

use crate::drawer::DrawPlace;
use crate::error::{Result, ensure};

/// Maximal number of samples and of reference images.
const MOST: usize = 1 << 20;

/// Settings of the comparison of image sets.
#[derive(Debug, Clone)]
pub struct JudgementSettings {
    /// Classifier; it also provides the features if no feature network is given.
    pub classifier: Option<PathBuf>,
    /// Feature network.
    pub features: Option<PathBuf>,
    /// Number of samples, evenly over the classes if there are any, and of held-out images.
    pub count: usize,
    /// Number of training images to compare with, or all if there are fewer.
    pub reference: usize,
    /// Number of nearest neighbours for the radii of precision and recall.
    pub neighbours: usize,
    /// Seed of all draws.
    pub seed: u64,
    /// Guidance weight.
    pub guidance: Option<f64>,
    /// Where to draw samples.
    pub place: DrawPlace,
}

impl JudgementSettings {
    /// Minimal number of images per set.
    pub(super) fn least(&self) -> usize {
        self.neighbours.saturating_add(1).max(2)
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// Names the setting out of range.
    pub fn check(&self) -> Result<()> {
        let least = self.least();
        for (flag, count) in [("--count", self.count), ("--reference", self.reference)] {
            ensure!((least..=MOST).contains(&count), "`{flag}` is {count}, expected a number in {least}..={MOST}");
        }
        ensure!(self.neighbours > 0, "`--neighbours` is 0, expected at least 1");
        Ok(())
    }
}
