//! Layer norm with a scale and a shift for each row of a batch.

use rayon::prelude::*;

use super::simd::{sum, sum_2, vectorised};
use super::{Sites, rows_a_thread};
use crate::operation::{Operation, Output};

/// Added to the variance.
const EPSILON: f32 = 1e-5;

/// `(x − mean) / √(variance + ε) · (1 + scale) + shift` of every site: inputs `x [batch, site, width]`, `shift` and
/// `scale [batch, width]`.
#[derive(Debug, Clone)]
pub(crate) struct ModulatedNorm(pub Sites);

impl Operation<3> for ModulatedNorm {
    fn forward(&self, [x, shift, scale]: [&[f32]; 3], _keep: bool) -> Output {
        let Sites { sites, width } = self.0;
        let mut out = vec![0.0; x.len()];
        let mut statistics = vec![0.0; 2 * (x.len() / width)];
        let rows = out.par_chunks_mut(self.0.row()).zip(x.par_chunks(self.0.row()));
        let rows = rows.zip(statistics.par_chunks_mut(2 * sites)).with_min_len(rows_a_thread(self.0.row()));
        rows.zip(shift.par_chunks(width).zip(scale.par_chunks(width))).for_each(
            |(((out, x), statistics), (shift, scale))| {
                normalise(out, x, statistics, shift, scale);
            },
        );
        Output { values: out, kept: statistics }
    }

    fn backward(&self, [x, _, scale]: [&[f32]; 3], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 3] {
        let Sites { sites, width } = self.0;
        let batch = scale.len() / width;
        let mut of_x = vec![0.0; x.len()];
        let (mut of_shift, mut of_scale) = (vec![0.0; batch * width], vec![0.0; batch * width]);
        let row = self.0.row();
        let inputs = x.par_chunks(row).zip(gradient.par_chunks(row)).zip(kept.par_chunks(2 * sites));
        let outputs = of_x.par_chunks_mut(row).zip(of_shift.par_chunks_mut(width).zip(of_scale.par_chunks_mut(width)));
        outputs.zip(inputs).zip(scale.par_chunks(width)).for_each(
            |(((of_x, (of_shift, of_scale)), ((x, gradient), kept)), scale)| {
                back([of_x, of_shift, of_scale], [x, gradient, kept, scale]);
            },
        );
        [of_x, of_shift, of_scale]
    }
}

vectorised! {
    /// The sites of one row of a batch.
    fn normalise<'a>(out: &'a mut [f32], x: &'a [f32], statistics: &'a mut [f32], shift: &'a [f32], scale: &'a [f32]) {
        let width = scale.len();
        let sites = out.chunks_exact_mut(width).zip(x.chunks_exact(width));
        for ((out, x), statistics) in sites.zip(statistics.chunks_exact_mut(2)) {
            let (mean, inverse) = moments(x);
            statistics.copy_from_slice(&[mean, inverse]);
            for (((out, &x), &scale), &shift) in out.iter_mut().zip(x).zip(scale).zip(shift) {
                *out = (x - mean) * inverse * (1.0 + scale) + shift;
            }
        }
    }
}

vectorised! {
    /// The gradients of one row of a batch.
    fn back<'a>(outputs: [&'a mut [f32]; 3], inputs: [&'a [f32]; 4]) {
        let ([of_x, of_shift, of_scale], [x, gradient, kept, scale]) = (outputs, inputs);
        let width = scale.len();
        let mut scratch = Scratch { normal: vec![0.0; width], slope: vec![0.0; width] };
        let sites = of_x.chunks_exact_mut(width).zip(x.chunks_exact(width));
        for (((of_x, x), gradient), kept) in sites.zip(gradient.chunks_exact(width)).zip(kept.chunks_exact(2)) {
            scratch.fill(x, gradient, scale, kept);
            super::add_to(of_shift, gradient);
            for ((of_scale, &g), &normal) in of_scale.iter_mut().zip(gradient).zip(&scratch.normal) {
                *of_scale += g * normal;
            }
            scratch.through_the_norm(of_x, kept[1]);
        }
    }
}

/// Mean, and one over the standard deviation.
#[inline(always)]
fn moments(x: &[f32]) -> (f32, f32) {
    let count = x.len() as f32;
    let mean = sum(x, |x| x) / count;
    let variance = sum(x, |x| (x - mean) * (x - mean)) / count;
    (mean, 1.0 / (variance + EPSILON).sqrt())
}

struct Scratch {
    /// The normalised site.
    normal: Vec<f32>,
    /// The gradient by it.
    slope: Vec<f32>,
}

impl Scratch {
    #[inline(always)]
    fn fill(&mut self, x: &[f32], gradient: &[f32], scale: &[f32], kept: &[f32]) {
        let (mean, inverse) = (kept[0], kept[1]);
        for (normal, &x) in self.normal.iter_mut().zip(x) {
            *normal = (x - mean) * inverse;
        }
        for ((slope, &gradient), &scale) in self.slope.iter_mut().zip(gradient).zip(scale) {
            *slope = gradient * (1.0 + scale);
        }
    }

    /// The gradient by the site, with the components along mean and variance removed.
    #[inline(always)]
    fn through_the_norm(&self, of_x: &mut [f32], inverse: f32) {
        let count = of_x.len() as f32;
        let along_mean = sum(&self.slope, |slope| slope) / count;
        let along_normal = sum_2(&self.slope, &self.normal, |slope, normal| slope * normal) / count;
        for ((of_x, &slope), &normal) in of_x.iter_mut().zip(&self.slope).zip(&self.normal) {
            *of_x = inverse * (slope - along_mean - normal * along_normal);
        }
    }
}
