//! Tensors that depend on the sequence length alone: rotary tables and attention biases.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use glauber_fused::Rotary;

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

/// A `[len, columns]` tensor of values.
fn table(value: impl Fn(usize, usize) -> f64, len: usize, columns: usize, device: &Device) -> Tensor<2> {
    let values: Vec<f32> = (0..len * columns).map(|at| value(at / columns, at % columns) as f32).collect();
    Tensor::from_data(TensorData::new(values, [len, columns]), device)
}

impl RotaryTables {
    pub fn new(len: usize, head_width: usize, device: &Device) -> Self {
        let half = head_width / 2;
        let angle = |site: usize, i: usize| {
            let frequency = 10_000f64.powf(-((i % half) as f64) / half as f64);
            site as f64 * frequency
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
        let pick = |table: &Tensor<2>| table.clone().narrow(0, 0, len).unsqueeze_dims(&[0, 2]);
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

    /// Attention bias of the forward stream, `[1, 1, query site, key site]`.
    pub fn causal(&self, len: usize) -> Tensor<4> {
        square(&self.causal, len)
    }

    /// Attention bias of the backward stream, `[1, 1, query site, key site]`.
    pub fn anticausal(&self, len: usize) -> Tensor<4> {
        square(&self.anticausal, len)
    }

    /// Attention bias of the read-out over both streams' keys, `[rows, 1, query site, 2 · key site]`, for the query sites given:
    /// `[rows, sites]` of them in a flat slice.
    pub fn merging(&self, sites: &[usize], rows: usize, len: usize) -> Tensor<4> {
        let pick = |bias: &Tensor<2>| select_rows(&bias.clone().narrow(1, 0, len), sites);
        let both = Tensor::cat(vec![pick(&self.causal), pick(&self.anticausal)], 1);
        both.reshape([rows, 1, sites.len() / rows, 2 * len])
    }
}

fn square(bias: &Tensor<2>, len: usize) -> Tensor<4> {
    let part = bias.clone().narrow(0, 0, len).narrow(1, 0, len);
    part.unsqueeze_dims(&[0, 1])
}

fn select_rows(table: &Tensor<2>, rows: &[usize]) -> Tensor<2> {
    table.clone().select(0, indices(rows, &table.device()))
}

/// Sites as a tensor, `[site]`.
pub(crate) fn indices(sites: &[usize], device: &Device) -> Tensor<1, burn::tensor::Int> {
    let values: Vec<i32> = sites.iter().map(|&site| site as i32).collect();
    Tensor::from_data(TensorData::new(values, [sites.len()]), device)
}
