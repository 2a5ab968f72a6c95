//! A residual branch behind a gate.

use rayon::prelude::*;

use super::simd::vectorised;
use super::{Sites, rows_a_thread};
use crate::operation::{Operation, Output};

/// `x + y · gate`: inputs `x` and `y [batch, site, width]`, `gate [batch, width]`.
#[derive(Debug, Clone)]
pub(crate) struct GatedResidual(pub Sites);

impl Operation<3> for GatedResidual {
    fn forward(&self, [x, y, gate]: [&[f32]; 3], _keep: bool) -> Output {
        let Sites { width, .. } = self.0;
        let mut out = x.to_vec();
        let rows = out.par_chunks_mut(self.0.row()).zip(y.par_chunks(self.0.row())).zip(gate.par_chunks(width));
        let rows = rows.with_min_len(rows_a_thread(self.0.row()));
        rows.for_each(|((out, y), gate)| add_gated(out, y, gate));
        Output { values: out, kept: Vec::new() }
    }

    fn backward(&self, [_, y, gate]: [&[f32]; 3], _kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 3] {
        let Sites { width, .. } = self.0;
        let row = self.0.row();
        let (mut of_y, mut of_gate) = (vec![0.0; y.len()], vec![0.0; gate.len()]);
        let outputs = of_y.par_chunks_mut(row).zip(of_gate.par_chunks_mut(width));
        let inputs = y.par_chunks(row).zip(gradient.par_chunks(row)).zip(gate.par_chunks(width));
        outputs.zip(inputs).for_each(|((of_y, of_gate), ((y, gradient), gate))| {
            back(of_y, of_gate, y, gradient, gate);
        });
        [gradient.to_vec(), of_y, of_gate]
    }
}

vectorised! {
    /// The sites of one row of a batch.
    fn add_gated<'a>(out: &'a mut [f32], y: &'a [f32], gate: &'a [f32]) {
        for (out, y) in out.chunks_exact_mut(gate.len()).zip(y.chunks_exact(gate.len())) {
            for ((out, &y), &gate) in out.iter_mut().zip(y).zip(gate) {
                *out += y * gate;
            }
        }
    }
}

vectorised! {
    /// The gradients of one row of a batch.
    fn back<'a>(of_y: &'a mut [f32], of_gate: &'a mut [f32], y: &'a [f32], gradient: &'a [f32], gate: &'a [f32]) {
        let width = gate.len();
        let sites = of_y.chunks_exact_mut(width).zip(y.chunks_exact(width)).zip(gradient.chunks_exact(width));
        for ((of_y, y), gradient) in sites {
            for ((of_y, &g), &gate) in of_y.iter_mut().zip(gradient).zip(gate) {
                *of_y = g * gate;
            }
            for ((of_gate, &g), &y) in of_gate.iter_mut().zip(gradient).zip(y) {
                *of_gate += g * y;
            }
        }
    }
}
