//! Finite scalar quantisation (Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple", 2023).

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::Quantised;

/// Room beyond the outermost levels, so that they are reached before tanh saturates.
const ROOM: f64 = 1e-3;

/// Each channel is bounded by a tanh and rounded to one of its levels; the index is the number that the levels spell, the first channel's
/// digit counting least.
///
/// With `L` levels, the levels of a channel are the whole numbers from `−⌊L/2⌋` to `⌈L/2⌉ − 1`, divided by `⌊L/2⌋`. The tanh is shifted where
/// `L` is even, so that a latent of 0 lies on the level 0.
#[derive(Module, Debug)]
pub struct Fsq {
    levels: Vec<usize>,
}

impl Fsq {
    pub(crate) fn new(levels: &[usize]) -> Self {
        Self { levels: levels.to_vec() }
    }

    /// One number a channel, `[1, channel]`.
    fn row(&self, value: impl Fn(f64) -> f64, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = self.levels.iter().map(|&l| value(l as f64) as f32).collect();
        Tensor::from_data(TensorData::new(values, [1, self.levels.len()]), device)
    }

    /// Latents between the outermost levels and a little beyond, in units of a level.
    fn bounded(&self, latents: Tensor<2>) -> Tensor<2> {
        let device = latents.device();
        let half = |l: f64| (l - 1.0) * (1.0 + ROOM) / 2.0;
        let offset = |l: f64| if l % 2.0 == 0.0 { 0.5 } else { 0.0 };
        let shift = |l: f64| (offset(l) / half(l)).atanh();
        (latents + self.row(shift, &device)).tanh() * self.row(half, &device) - self.row(offset, &device)
    }

    /// Rounded levels `[position, channel]` to indices.
    fn spell(&self, rounded: Tensor<2>) -> Tensor<1, Int> {
        let [positions, _] = rounded.dims();
        let mut place = 1;
        let digits = self.levels.iter().enumerate().map(|(channel, &levels)| {
            let level = rounded.clone().narrow(1, channel, 1).reshape([positions]).add_scalar((levels / 2) as f64);
            let digit = level.int().clamp(0, levels as i64 - 1).mul_scalar(place);
            place *= levels as i64;
            digit
        });
        let sum = digits.reduce(|sum, digit| sum + digit);
        sum.expect("a valid configuration has a channel")
    }

    /// Latents `[position, channel]` to indices `[position]`.
    pub fn indices(&self, latents: Tensor<2>) -> Tensor<1, Int> {
        self.spell(self.bounded(latents.inner()).round())
    }

    /// Indices `[position]` to codes `[position, channel]`, each number in −1..1.
    pub fn codes(&self, indices: Tensor<1, Int>) -> Tensor<2> {
        let [positions] = indices.dims();
        let mut rest = indices;
        let mut columns = Vec::new();
        for &levels in &self.levels {
            let half = (levels / 2) as f64;
            let digit = rest.clone().remainder_scalar(levels as i64);
            rest = (rest - digit.clone()).div_scalar(levels as i64);
            columns.push(digit.float().sub_scalar(half).div_scalar(half).reshape([positions, 1]));
        }
        Tensor::cat(columns, 1)
    }

    /// The codes of latents; rounding lets gradients through unchanged.
    pub fn quantise(&self, latents: Tensor<2>) -> Quantised {
        let bounded = self.bounded(latents);
        let rounded = bounded.clone().inner().round();
        let indices = self.spell(rounded.clone());
        let half = self.row(|l| (l / 2.0).floor(), &rounded.device());
        let straight = bounded.clone() + (rounded - bounded.inner());
        Quantised { codes: straight / half, indices, commitment: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_comes_back() {
        let device = Device::flex();
        let fsq = Fsq::new(&[8, 5, 3, 4]);
        let all: Vec<i64> = (0..8 * 5 * 3 * 4).collect();
        let indices = Tensor::<1, Int>::from_data(TensorData::new(all.clone(), [all.len()]), &device);
        let codes = fsq.codes(indices);
        // Back from codes to latents: codes are levels over ⌊L/2⌋, latents the levels' preimages under the bound.
        let values: Vec<f32> = codes.clone().into_data().iter().collect();
        let latents: Vec<f32> = values
            .chunks(4)
            .flat_map(|row| {
                row.iter().zip(&fsq.levels).map(|(&code, &l)| {
                    let half = (l as f64 - 1.0) * (1.0 + ROOM) / 2.0;
                    let offset = if l % 2 == 0 { 0.5 } else { 0.0 };
                    let level = f64::from(code) * (l / 2) as f64;
                    (((level + offset) / half).atanh() - (offset / half).atanh()) as f32
                })
            })
            .collect();
        let latents = Tensor::<2>::from_data(TensorData::new(latents, [all.len(), 4]), &device);
        let quantised = fsq.quantise(latents.clone());
        assert_eq!(quantised.indices.into_data().iter::<i64>().collect::<Vec<_>>(), all);
        assert_eq!(fsq.indices(latents).into_data().iter::<i64>().collect::<Vec<_>>(), all);
        let again: Vec<f32> = quantised.codes.into_data().iter().collect();
        assert!(again.iter().zip(&values).all(|(a, b)| (a - b).abs() < 1e-6));
        assert!(values.iter().all(|v| (-1.0..=1.0).contains(v)));
    }

    #[test]
    fn zero_lies_on_the_level_zero_and_extremes_on_the_outermost() {
        let device = Device::flex();
        let fsq = Fsq::new(&[8, 5]);
        let latents = Tensor::<2>::from_data([[0.0, 0.0], [50.0, 50.0], [-50.0, -50.0]], &device);
        let found: Vec<f32> = fsq.quantise(latents).codes.into_data().iter().collect();
        for (found, expected) in found.iter().zip([0.0, 0.0, 0.75, 1.0, -1.0, -1.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
        }
    }

    #[test]
    fn rounding_lets_the_gradient_of_the_bound_through() {
        let device = Device::flex();
        let fsq = Fsq::new(&[5]);
        let latents = Tensor::<2>::from_data([[0.3], [-1.1]], &device).autodiff().require_grad();
        let gradients = fsq.quantise(latents.clone()).codes.sum().backward();
        let found: Vec<f32> = latents.grad(&gradients).unwrap().into_data().iter().collect();
        for (found, x) in found.iter().zip([0.3f64, -1.1]) {
            let expected = 2.0 * (1.0 + ROOM) * (1.0 - x.tanh().powi(2)) / 2.0;
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} for {expected}");
        }
    }
}
