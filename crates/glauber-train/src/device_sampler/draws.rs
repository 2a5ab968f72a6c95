//! Laws and draws on a device, in single precision.

use burn::tensor::{Bool, Int, Tensor};

use glauber_chain::DrawControls;

/// Temperature, top-k and nucleus: log-probabilities `[row, site, token]` to weights.
pub(super) fn controlled(controls: &DrawControls, log_r: Tensor<3>) -> Tensor<3> {
    let peak = log_r.clone().max_dim(2);
    if controls.temperature == 0.0 {
        return first_of(log_r.equal(peak));
    }
    let weights = ((log_r - peak).div_scalar(controls.temperature)).exp();
    let vocab = weights.dims()[2];
    let weights = match controls.top_k.filter(|&k| k < vocab) {
        Some(k) => keep_from(weights.clone(), weights.topk(k, 2).narrow(2, k - 1, 1)),
        None => weights,
    };
    match controls.top_p {
        Some(p) => nucleus(weights, p),
        None => weights,
    }
}

/// 1 at the first true entry of the last axis, else 0.
fn first_of(found: Tensor<3, Bool>) -> Tensor<3> {
    let found = found.float();
    let count = found.clone().cumsum(2);
    found * count.equal_elem(1.0).float()
}

/// Sets weights below the smallest kept one to 0.
fn keep_from(weights: Tensor<3>, least: Tensor<3>) -> Tensor<3> {
    let shape = weights.dims();
    let dropped = weights.clone().lower(least.expand(shape));
    weights.mask_fill(dropped, 0.0)
}

/// Keeps the most probable tokens with a total share `p` of the mass.
fn nucleus(weights: Tensor<3>, p: f64) -> Tensor<3> {
    let ranked = weights.clone().sort_descending(2);
    let before = ranked.clone().cumsum(2) - ranked.clone();
    let goal = weights.clone().sum_dim(2).mul_scalar(p);
    let shape = ranked.dims();
    // Whatever comes after the goal is out: it must not decide the least weight.
    let out = before.greater_equal(goal.expand(shape));
    let least = ranked.mask_fill(out, f32::INFINITY).min_dim(2);
    keep_from(weights, least)
}

/// The token drawn by inversion at the uniform number `[row, site, 1]`, shape `[row, site]`, and whether the total
/// weight is positive.
pub(super) fn draw(weights: Tensor<3>, uniforms: Tensor<3>) -> (Tensor<2, Int>, Tensor<2, Bool>) {
    let [rows, sites, vocab] = weights.dims();
    let mass = weights.clone().cumsum(2);
    // The goal stays below the sum as it was added up, so that the last stretch is not overshot.
    let total = mass.clone().narrow(2, vocab - 1, 1);
    let passed = mass.clone().lower_equal(uniforms * total.clone()).bool_and(mass.lower(total.clone()));
    // Not so of a NaN.
    let lawful = total.greater_elem(0.0).reshape([rows, sites]);
    (passed.int().sum_dim(2).reshape([rows, sites]), lawful)
}
