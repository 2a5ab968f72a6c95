//! The densities, by sums over the latent variables of a point.

use std::f64::consts::PI;

use statrs::function::erf::erf;

use crate::PlaneSet;
use crate::set::{ARMS, RADIUS, SQUEEZE, TURN, moon, roll, turned};

/// Nodes of a sum over an angle or a length: many for each width of the noise.
const NODES: usize = 2000;

impl PlaneSet {
    /// The logarithm of the density at a point, in nats; `−∞` where there are no points.
    ///
    /// Curves under Gaussian noise are integrated along the curve, by a sum that is exact to 1e-6 nats where points lie.
    pub fn log_density(self, [x, y]: [f64; 2]) -> f64 {
        match self {
            Self::Spirals => [1.0, -1.0].map(|side| spiral([side * x, side * y])).iter().sum::<f64>() / 2.0,
            Self::Gaussians => {
                let at = |k: usize| (PI / 4.0 * k as f64).sin_cos();
                let each = (0..8)
                    .map(at)
                    .map(|(sin, cos)| gauss([x * SQUEEZE - RADIUS * cos, y * SQUEEZE - RADIUS * sin], 0.5));
                each.sum::<f64>() / 8.0 * SQUEEZE * SQUEEZE
            }
            Self::Circles => {
                let radius = (x * x + y * y).sqrt() / 3.0;
                let around = |r: f64| {
                    mean(|u| {
                        let (sin, cos) = (2.0 * PI * u).sin_cos();
                        gauss([radius - r * cos, r * sin], 0.08)
                    })
                };
                (around(1.0) + around(0.5)) / 2.0 / 9.0
            }
            Self::Moons => {
                let (x, y) = ((x + 1.0) / 2.0, (y + 0.2) / 2.0);
                let along = |upper| {
                    mean(|u| {
                        let [a, b] = moon(upper, PI * u);
                        gauss([x - a, y - b], 0.1)
                    })
                };
                (along(true) + along(false)) / 2.0 / 4.0
            }
            Self::Pinwheel => (0..ARMS).map(|arm| arm_density(arm, x / 2.0, y / 2.0)).sum::<f64>() / ARMS as f64 / 4.0,
            Self::SwissRoll => {
                let (x, y) = (5.0 * x, 5.0 * y);
                25.0 * mean(|u| {
                    let t = roll(u);
                    gauss([x - t * t.cos(), y - t * t.sin()], 1.0)
                })
            }
            Self::Checkerboard => {
                let (x, y) = (x / 2.0, y / 2.0);
                let row = (y - x.floor().rem_euclid(2.0)).floor();
                let inside = (-2.0..2.0).contains(&x) && (row == 0.0 || row == -2.0);
                if inside { 1.0 / 8.0 / 4.0 } else { 0.0 }
            }
        }
        .ln()
    }
}

/// The mean of a function over `[0, 1]` by midpoints.
fn mean(f: impl Fn(f64) -> f64) -> f64 {
    (0..NODES).map(|node| f((node as f64 + 0.5) / NODES as f64)).sum::<f64>() / NODES as f64
}

/// The density of Gaussian noise in two dimensions.
fn gauss([x, y]: [f64; 2], width: f64) -> f64 {
    let variance = width * width;
    (-(x * x + y * y) / (2.0 * variance)).exp() / (2.0 * PI * variance)
}

/// One spiral: at each angle a square of side 1/6, blurred.
fn spiral([x, y]: [f64; 2]) -> f64 {
    const SIDE: f64 = 0.5 / 3.0;
    let below = |z: f64| (1.0 + erf(z / (0.1 * 2f64.sqrt()))) / 2.0;
    let blurred = |z: f64| (below(z) - below(z - SIDE)) / SIDE;
    mean(|u| {
        let n = u.sqrt() * TURN;
        blurred(x + n.cos() * n / 3.0) * blurred(y - n.sin() * n / 3.0)
    })
}

/// An arm of the pinwheel: a point lies where the way along the arm and the way across it fit its radius and its angle.
fn arm_density(arm: usize, x: f64, y: f64) -> f64 {
    let (radius, angle) = ((x * x + y * y).sqrt(), y.atan2(x));
    // By how much the angle of a place along the arm is off, in (−π, π].
    let off = |along: f64, side: f64| {
        let across = side * (radius * radius - along * along).max(0.0).sqrt();
        let found = across.atan2(along) - turned(arm, along) - angle;
        (across, found - 2.0 * PI * (found / (2.0 * PI)).round())
    };
    let place = |at: f64| radius * (PI * at).cos();
    let mut density = 0.0;
    for side in [1.0, -1.0] {
        for node in 0..NODES / 5 {
            let [mut low, mut high] = [node, node + 1].map(|node| node as f64 * 5.0 / NODES as f64);
            let (before, after) = (off(place(low), side).1, off(place(high), side).1);
            // A change of sign that is no jump from −π to π.
            if before * after > 0.0 || (before - after).abs() > PI || before == 0.0 {
                continue;
            }
            for _ in 0..50 {
                let middle = (low + high) / 2.0;
                if off(place(middle), side).1 * before > 0.0 { low = middle } else { high = middle }
            }
            let along = place(low);
            let across = off(along, side).0;
            let law = |z: f64, width: f64| (-z * z / (2.0 * width * width)).exp() / (width * (2.0 * PI).sqrt());
            let stretched = (1.0 + 0.25 * along.exp() * across).abs();
            density += law(along - 1.0, 0.3) * law(across, 0.1) / stretched.max(1e-12);
        }
    }
    density
}
