//! What is judged, and by what.

use std::path::PathBuf;

use crate::drawer::DrawPlace;
use crate::error::{Result, ensure};

/// Most samples, and most images to compare with.
const MOST: usize = 1 << 20;

/// What is judged, and by what.
#[derive(Debug, Clone)]
pub struct JudgementSettings {
    /// Network that recognises classes; its features are used if no others are given.
    pub classifier: Option<PathBuf>,
    /// Network that gives the features.
    pub features: Option<PathBuf>,
    /// Samples, evenly of all classes where the run has classes, and held-out images.
    pub count: usize,
    /// Training images to compare with, or all of them where there are fewer.
    pub reference: usize,
    /// Nearest neighbours that make the radii of precision and recall.
    pub neighbours: usize,
    /// Seed of whatever is drawn.
    pub seed: u64,
    /// Weight of the class, where it is emphasised.
    pub guidance: Option<f64>,
    /// Where samples are drawn.
    pub place: DrawPlace,
}

impl JudgementSettings {
    /// Images that are needed of each set at least.
    pub(super) fn least(&self) -> usize {
        self.neighbours.saturating_add(1).max(2)
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// Names the one that is out of range.
    pub fn check(&self) -> Result<()> {
        let least = self.least();
        for (flag, count) in [("--count", self.count), ("--reference", self.reference)] {
            ensure!((least..=MOST).contains(&count), "`{flag}` is {count}, expected a number in {least}..={MOST}");
        }
        ensure!(self.neighbours > 0, "`--neighbours` is 0, expected at least 1");
        Ok(())
    }
}
