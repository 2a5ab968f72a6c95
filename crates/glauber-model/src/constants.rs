//! Tensors that depend only on the sequence length: rotary tables and attention biases.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use glauber_fused::Rotary;

use crate::{ModelConfig, Positions};

/// Rotary tables for up to `len` sites.
#[derive(Module, Debug)]
pub(crate) struct RotaryTables {
    /// Cosines, `[site, head width]`.
    cos: Tensor<2>,
    /// Sines with the rotation's sign folded in, `[site, head width]`.
    sin: Tensor<2>,
    len: usize,
}

/// Additive attention biases for up to `len` sites.
#[derive(Module, Debug)]
pub(crate) struct StreamBiases {
    /// 0 where key ≤ query, −∞ elsewhere, `[query site, key site]`.
    causal: Tensor<2>,
    /// 0 where key ≥ query, −∞ elsewhere, `[query site, key site]`.
    anticausal: Tensor<2>,
}

/// The longest wavelength of positions on a line, divided by 2π.
const LINE_BASE: f64 = 10_000.0;

/// The longest wavelength for each axis of a grid, divided by 2π; grids are short.
const GRID_BASE: f64 = 100.0;

/// Angular frequency `i` of `count`, falling from 1 to near `1 / base`.
fn frequency(i: usize, count: usize, base: f64) -> f64 {
    base.powf(-(i as f64) / count as f64)
}

/// A `[len, columns]` tensor of values.
fn table(value: impl Fn(usize, usize) -> f64, len: usize, columns: usize, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (0..len * columns).map(|at| value(at / columns, at % columns) as f32).collect();
    Tensor::from_data(TensorData::new(values, [len, columns]), device)
}

impl RotaryTables {
    pub fn new(len: usize, config: &ModelConfig, device: &Device) -> Self {
        let head_width = config.width / config.heads;
        let half = head_width / 2;
        let angle = |site: usize, i: usize| match config.positions {
            Positions::Line => site as f64 * frequency(i % half, half, LINE_BASE),
            Positions::Grid { columns } => {
                let (axis, i) = ((i % half) / (half / 2), i % (half / 2));
                [site / columns, site % columns][axis] as f64 * frequency(i, half / 2, GRID_BASE)
            }
        };
        let sign = |i: usize| if i < half { -1.0 } else { 1.0 };
        Self {
            cos: table(|site, i| angle(site, i).cos(), len, head_width, device),
            sin: table(|site, i| sign(i) * angle(site, i).sin(), len, head_width, device),
            len,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Tables of the first `len` sites.
    pub fn first(&self, len: usize) -> Rotary {
        self.range(0, len)
    }

    /// Tables of the `count` sites from `first` on.
    pub fn range(&self, first: usize, count: usize) -> Rotary {
        let pick = |table: &Tensor<2>| table.clone().narrow(0, first, count).unsqueeze_dims(&[0, 2]);
        Rotary { cos: pick(&self.cos), sin: pick(&self.sin) }
    }

    /// Tables of the sites given: `[rows, sites]` of them in a flat slice.
    pub fn at(&self, sites: &[usize], rows: usize) -> Rotary {
        let pick = |table: &Tensor<2>| {
            let picked = select_rows(table, sites);
            let [_, width] = picked.dims();
            picked.reshape([rows, sites.len() / rows, 1, width])
        };
        Rotary { cos: pick(&self.cos), sin: pick(&self.sin) }
    }
}

impl StreamBiases {
    pub fn new(len: usize, device: &Device) -> Self {
        let bias = |seen: bool| if seen { 0.0 } else { f64::NEG_INFINITY };
        Self {
            causal: table(|query, key| bias(key <= query), len, len, device),
            anticausal: table(|query, key| bias(key >= query), len, len, device),
        }
    }

    /// Attention bias of one stream for the sites from `first` on, `[1, 1, new site, key site]`; 0 the forward stream, 1 the backward one.
    pub fn rows_of(&self, direction: usize, first: usize, new: usize, len: usize) -> Tensor<4> {
        let bias = [&self.causal, &self.anticausal][direction];
        bias.clone().narrow(0, first, new).narrow(1, 0, len).unsqueeze_dims(&[0, 1])
    }

    /// Attention bias of the read-out over both streams' keys, `[rows, 1, query site, 2 · key site]`, for the query sites given:
    /// `[rows, sites]` of them in a flat slice.
    pub fn merging(&self, sites: &[usize], rows: usize, len: usize) -> Tensor<4> {
        let pick = |bias: &Tensor<2>| select_rows(&bias.clone().narrow(1, 0, len), sites);
        let both = Tensor::cat(vec![pick(&self.causal), pick(&self.anticausal)], 1);
        both.reshape([rows, 1, sites.len() / rows, 2 * len])
    }
}

/// Additive attention biases over a noisy sequence followed by the clean one, in blocks.
#[derive(Module, Debug)]
pub(crate) struct BlockBiases {
    /// 0 where the key is in the block of the query, −∞ elsewhere, `[query site, key site]`.
    same: Tensor<2>,
    /// 0 where the key is in an earlier block, −∞ elsewhere.
    before: Tensor<2>,
    /// −∞ everywhere.
    none: Tensor<2>,
}

impl BlockBiases {
    pub fn new(len: usize, block: usize, device: &Device) -> Self {
        let of = |sees: fn(usize, usize) -> bool| {
            let bias = move |query: usize, key: usize| {
                if sees(query / block, key / block) { 0.0 } else { f64::NEG_INFINITY }
            };
            table(bias, len, len, device)
        };
        Self { same: of(|query, key| query == key), before: of(|query, key| key < query), none: of(|_, _| false) }
    }

    /// Of sequences of `len` sites, `[1, 1, 2 · site, 2 · site]`. A noisy site sees the noisy sites of its block and
    /// the clean sites of earlier blocks. A clean site sees the clean sites of its own and earlier blocks.
    pub fn of(&self, len: usize) -> Tensor<4> {
        let part = |bias: &Tensor<2>| bias.clone().narrow(0, 0, len).narrow(1, 0, len);
        let [same, before, none] = [&self.same, &self.before, &self.none].map(part);
        let noisy = Tensor::cat(vec![same.clone(), before.clone()], 1);
        let clean = Tensor::cat(vec![none, same.max_pair(before)], 1);
        Tensor::cat(vec![noisy, clean], 0).unsqueeze_dims(&[0, 1])
    }

    /// For clean sites of a sequence of `len`: they see their own and earlier blocks, `[1, 1, site, key site]`.
    pub fn clean(&self, sites: Range<usize>, len: usize) -> Tensor<4> {
        let part = |bias: &Tensor<2>| bias.clone().narrow(0, sites.start, sites.len()).narrow(1, 0, len);
        part(&self.same).max_pair(part(&self.before)).unsqueeze_dims(&[0, 1])
    }
}

fn select_rows(table: &Tensor<2>, rows: &[usize]) -> Tensor<2> {
    table.clone().select(0, indices(rows, &table.device()))
}

/// Sites as a tensor, `[site]`.
pub(crate) fn indices(sites: &[usize], device: &Device) -> Tensor<1, burn::tensor::Int> {
    let values: Vec<i32> = sites.iter().map(|&site| site as i32).collect();
    Tensor::from_data(TensorData::new(values, [sites.len()]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    /// The product of a rotated query and key, per frequency.
    fn offsets(config: &ModelConfig, len: usize, a: usize, b: usize) -> Vec<f32> {
        let device = Device::flex();
        let tables = RotaryTables::new(len, config, &device);
        let [cos, sin] = [tables.cos, tables.sin].map(|table| table.into_data().iter::<f32>().collect::<Vec<f32>>());
        let width = config.width / config.heads;
        let of = |table: &[f32], site: usize, i: usize| table[site * width + width / 2 + i];
        let part = |i: usize| of(&cos, a, i) * of(&cos, b, i) + of(&sin, a, i) * of(&sin, b, i);
        (0..width / 2).map(part).collect()
    }

    #[test]
    fn a_grid_tells_rows_and_columns_apart_and_nothing_else() {
        let config = ModelConfig { positions: Positions::Grid { columns: 5 }, ..Preset::Tiny.config() };
        let seen = |a, b| offsets(&config, 20, a, b);
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
        // One row down and two columns right, from two places.
        assert!(close(&seen(0, 7), &seen(11, 18)));
        // The same distance along the line, across the end of a row.
        assert!(!close(&seen(0, 7), &seen(4, 11)));
        // Within a row, the frequencies of rows stand still.
        let half = config.width / config.heads / 4;
        assert!(seen(5, 9)[..half].iter().all(|cos| (cos - 1.0).abs() < 1e-6));
        assert!(seen(5, 9)[half] < 0.9);
    }
}
