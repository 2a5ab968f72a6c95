//! Group norm, then SiLU.

use rayon::prelude::*;

use super::column_sums;
use super::simd::{exp, sum, sum_2, vectorised};
use crate::operation::{Operation, Output};

/// `silu((x − mean) / √(variance + ε) · scale + shift)`, moments over the channels of a group: inputs `x [batch, channel, height, width]`,
/// `scale` and `shift [channel]`.
#[derive(Debug, Clone)]
pub(crate) struct GroupNormSilu {
    pub channels: usize,
    pub groups: usize,
    /// Numbers of a channel.
    pub area: usize,
    pub epsilon: f32,
}

impl Operation<3> for GroupNormSilu {
    fn forward(&self, [x, scale, shift]: [&[f32]; 3], _keep: bool) -> Output {
        let mut out = vec![0.0; x.len()];
        let mut statistics = vec![0.0; 2 * (x.len() / self.group())];
        let groups = out.par_chunks_mut(self.group()).zip(x.par_chunks(self.group()));
        groups.zip(statistics.par_chunks_mut(2)).enumerate().for_each(|(at, ((out, x), statistics))| {
            forward(out, x, statistics, self.channels_of(scale, at), self.channels_of(shift, at), self.epsilon);
        });
        Output { values: out, kept: statistics }
    }

    fn backward(&self, [x, scale, shift]: [&[f32]; 3], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 3] {
        let batch = x.len() / (self.channels * self.area);
        let within = self.channels / self.groups;
        let mut of_x = vec![0.0; x.len()];
        let (mut of_scale, mut of_shift) = (vec![0.0; batch * self.channels], vec![0.0; batch * self.channels]);
        let inputs = x.par_chunks(self.group()).zip(gradient.par_chunks(self.group())).zip(kept.par_chunks(2));
        let outputs = of_scale.par_chunks_mut(within).zip(of_shift.par_chunks_mut(within));
        let outputs = of_x.par_chunks_mut(self.group()).zip(outputs);
        outputs.zip(inputs).enumerate().for_each(|(at, ((of_x, (of_scale, of_shift)), ((x, gradient), kept)))| {
            let (scale, shift) = (self.channels_of(scale, at), self.channels_of(shift, at));
            back([of_x, of_scale, of_shift], [x, gradient, kept, scale, shift]);
        });
        [of_x, column_sums(&of_scale, self.channels), column_sums(&of_shift, self.channels)]
    }
}

impl GroupNormSilu {
    /// Numbers of a group.
    fn group(&self) -> usize {
        self.channels / self.groups * self.area
    }

    /// The channels of group `at`, counted over the batch.
    fn channels_of<'a>(&self, channels: &'a [f32], at: usize) -> &'a [f32] {
        let within = self.channels / self.groups;
        &channels[at % self.groups * within..][..within]
    }
}

vectorised! {
    /// One group of an image.
    fn forward<'a>(
        out: &'a mut [f32],
        x: &'a [f32],
        statistics: &'a mut [f32],
        scale: &'a [f32],
        shift: &'a [f32],
        epsilon: f32,
    ) {
        let count = x.len() as f32;
        let mean = sum(x, |x| x) / count;
        let variance = sum(x, |x| (x - mean) * (x - mean)) / count;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        statistics.copy_from_slice(&[mean, inverse]);
        let area = x.len() / scale.len();
        let channels = out.chunks_exact_mut(area).zip(x.chunks_exact(area));
        for ((out, x), (&scale, &shift)) in channels.zip(scale.iter().zip(shift)) {
            for (out, &x) in out.iter_mut().zip(x) {
                let moved = (x - mean) * inverse * scale + shift;
                *out = moved * sigmoid(moved);
            }
        }
    }

    /// The gradients of one group of an image, by input, scale and shift.
    fn back<'a>(outputs: [&'a mut [f32]; 3], inputs: [&'a [f32]; 5]) {
        let ([of_x, of_scale, of_shift], [x, gradient, kept, scale, shift]) = (outputs, inputs);
        let (mean, inverse) = (kept[0], kept[1]);
        let (count, area) = (x.len() as f32, x.len() / scale.len());
        let (mut along_mean, mut along_normal) = (0.0, 0.0);
        for channel in 0..scale.len() {
            let (scale, shift) = (scale[channel], shift[channel]);
            let part = channel * area..(channel + 1) * area;
            let (slope, x, gradient) = (&mut of_x[part.clone()], &x[part.clone()], &gradient[part]);
            for ((slope, &x), &gradient) in slope.iter_mut().zip(x).zip(gradient) {
                let moved = (x - mean) * inverse * scale + shift;
                let open = sigmoid(moved);
                *slope = gradient * open * (1.0 + moved * (1.0 - open));
            }
            of_shift[channel] = sum(slope, |slope| slope);
            of_scale[channel] = sum_2(slope, x, |slope, x| slope * ((x - mean) * inverse));
            along_mean += scale * of_shift[channel];
            along_normal += scale * of_scale[channel];
        }
        // What moves mean and variance alone is taken out.
        let (along_mean, along_normal) = (along_mean / count, along_normal / count);
        let channels = of_x.chunks_exact_mut(area).zip(x.chunks_exact(area));
        for ((of_x, x), &scale) in channels.zip(scale) {
            for (of_x, &x) in of_x.iter_mut().zip(x) {
                let normal = (x - mean) * inverse;
                *of_x = inverse * (*of_x * scale - along_mean - normal * along_normal);
            }
        }
    }
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let power = exp(-x.abs());
    let open = 1.0 / (1.0 + power);
    if x >= 0.0 { open } else { power * open }
}
