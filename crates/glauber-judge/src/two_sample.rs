//! A classifier two-sample test.

use glauber_chain::ChainRng;
use rayon::prelude::*;

use crate::logistic::{self, SparseRow};
use crate::{Bootstrap, JudgeError, Score, TextJudge, Texts};

/// Lengths of the n-grams, in characters.
const LENGTHS: [usize; 8] = [1, 2, 3, 4, 5, 6, 8, 10];
/// `log₂` of the number of hash values of n-grams.
const BUCKET_BITS: u32 = 15;
const BUCKETS: usize = 1 << BUCKET_BITS;
/// The length that rows are scaled to.
const NORM: f64 = 8.0;
const RIDGE: f64 = 1e-2;
const FOLDS: usize = 3;

/// A classifier two-sample test (C2ST): the held-out accuracy of a logistic regression that separates texts from real
/// ones.
///
/// Its columns are `ln(1 + count)` of n-grams of 1–6, 8 and 10 characters, hashed to 2¹⁵ values; rows are scaled to
/// norm 8. The fit minimises the mean loss in nats plus `10⁻² |w|² / 2`. Each of 3 folds is predicted by a fit on the
/// others. Both classes have equally many texts.
///
/// An accuracy of 1/2 means no detected difference. The second score, `1 −` cross-entropy in bits, is a lower bound on
/// the Jensen–Shannon divergence; negative values mean no detected difference.
///
/// Compare it with a control: other real texts in place of the samples. Cut texts to equal lengths, because the
/// classifier also detects length.
///
/// D. Lopez-Paz and M. Oquab, "Revisiting Classifier Two-Sample Tests", 2017.
#[derive(Debug, Clone)]
pub struct TwoSample {
    real: Vec<SparseRow>,
    seed: u64,
}

impl TwoSample {
    /// Counts n-grams in real texts. The seed assigns texts to folds.
    pub fn new(real: &Texts, seed: u64) -> Self {
        Self { real: real.iter().map(features).collect(), seed }
    }
}

impl TextJudge for TwoSample {
    fn judge(&self, texts: &Texts, bootstrap: &Bootstrap) -> Result<Vec<Score>, JudgeError> {
        let count = texts.rows().min(self.real.len());
        if count < FOLDS {
            return Err(JudgeError::TooFew { what: "texts of each kind", found: count, expected: FOLDS });
        }
        let texts: Vec<SparseRow> = texts.iter().take(count).map(features).collect();
        let real = self.real[..count].iter().map(|row| (row, 1.0));
        let rows: Vec<(&SparseRow, f64)> = real.chain(texts.iter().map(|row| (row, -1.0))).collect();
        // Each kind is spread evenly over the folds.
        let mut folds: Vec<usize> = (0..2 * count).map(|row| row % count % FOLDS).collect();
        let mut rng = ChainRng::new(self.seed, 0);
        for kind in folds.chunks_exact_mut(count) {
            (1..count).for_each(|last| kind.swap(last, rng.below(last + 1)));
        }
        let fit = |fold: usize| {
            let others = rows.iter().zip(&folds).filter(|(_, other)| **other != fold).map(|(row, _)| *row);
            let (fitted, labels): (Vec<_>, Vec<_>) = others.unzip();
            logistic::fit(&fitted, &labels, BUCKETS, RIDGE)
        };
        let weights: Vec<Vec<f64>> = (0..FOLDS).into_par_iter().map(fit).collect();
        let told = rows.iter().zip(&folds).map(|((row, label), &fold)| label * logistic::score(&weights[fold], row));
        let margins: Vec<f64> = told.collect();
        let right = |&margin: &f64| if margin == 0.0 { 0.5 } else { f64::from(margin > 0.0) };
        let gain = |&margin: &f64| 1.0 - logistic::loss(margin) / std::f64::consts::LN_2;
        let mean = |of: &dyn Fn(&f64) -> f64| bootstrap.mean(&margins.iter().map(of).collect::<Vec<_>>());
        Ok(vec![Score::of("C2ST accuracy", mean(&right), "share"), Score::of("C2ST gain", mean(&gain), "bits")])
    }
}

/// The features of a text.
fn features(text: &[char]) -> SparseRow {
    let mut found: Vec<u32> = LENGTHS.iter().flat_map(|&n| text.windows(n)).map(bucket).collect();
    found.sort_unstable();
    let counts = found.chunk_by(|a, b| a == b);
    let row: SparseRow = counts.map(|same| (same[0], (1.0 + same.len() as f64).ln())).collect();
    let norm = row.iter().map(|(_, value)| value * value).sum::<f64>().sqrt();
    row.into_iter().map(|(column, value)| (column, value * NORM / norm)).collect()
}

/// The hash of an n-gram: FNV-1a of its characters, with its upper bits mixed.
fn bucket(gram: &[char]) -> u32 {
    let hash = gram.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &character| {
        (hash ^ u64::from(u32::from(character))).wrapping_mul(0x0000_0100_0000_01b3)
    });
    ((hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - BUCKET_BITS)) as u32
}
