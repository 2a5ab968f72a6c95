//! The shapes and textures themselves.

use std::f64::consts::{PI, TAU};

use glauber_chain::ChainRng;

/// The names of the kinds.
pub(super) const KINDS: [&str; 7] = ["circle", "square", "triangle", "stripes", "checks", "gradient", "noise"];

/// Cells of the coarse lattice of a noise at most.
const MOST_CELLS: usize = 64;

/// A shape or texture: how much ink is at a point, in units of the shorter side of the image.
pub(super) enum Motif {
    Circle {
        centre: (f64, f64),
        radius: f64,
    },
    Square {
        centre: (f64, f64),
        half: f64,
    },
    /// Equilateral: three half-planes at a distance from the centre.
    Triangle {
        centre: (f64, f64),
        inner: f64,
        turn: f64,
    },
    Stripes {
        turn: f64,
        period: f64,
        phase: f64,
    },
    Checks {
        period: f64,
        phase: (f64, f64),
    },
    /// From 0 to 1 across the image.
    Gradient {
        turn: f64,
        middle: (f64, f64),
        length: f64,
    },
    /// Random values on a lattice, interpolated smoothly.
    Noise {
        spacing: f64,
        columns: usize,
        lattice: Vec<f64>,
    },
}

impl Motif {
    /// Draws a motif of a kind for an image of `sides` (height, width), whose shorter side is 1 and has `pixels` pixels.
    pub(super) fn draw(kind: usize, sides: (f64, f64), pixels: f64, rng: &mut ChainRng) -> Self {
        let mut between = |low: f64, high: f64| low + (high - low) * rng.uniform();
        match kind {
            0 => {
                let radius = between(0.15, 0.4);
                Self::Circle { centre: inside(sides, radius, pixels, &mut between), radius }
            }
            1 => {
                let half = between(0.13, 0.38);
                Self::Square { centre: inside(sides, half, pixels, &mut between), half }
            }
            2 => {
                let outer = between(0.2, 0.42);
                let centre = inside(sides, outer, pixels, &mut between);
                Self::Triangle { centre, inner: outer / 2.0, turn: between(0.0, TAU / 3.0) }
            }
            3 => {
                let (turn, period) = (between(0.0, PI), period(pixels, &mut between));
                Self::Stripes { turn, period, phase: between(0.0, 1.0) }
            }
            4 => {
                let period = period(pixels, &mut between);
                Self::Checks { period, phase: (between(0.0, 1.0), between(0.0, 1.0)) }
            }
            5 => {
                let turn = between(0.0, TAU);
                let length = sides.0 * turn.sin().abs() + sides.1 * turn.cos().abs();
                Self::Gradient { turn, middle: (sides.0 / 2.0, sides.1 / 2.0), length }
            }
            _ => {
                let longer = sides.0.max(sides.1);
                let spacing = period(pixels, &mut between).max(longer / MOST_CELLS as f64);
                let cells = |side: f64| (side / spacing).ceil() as usize + 2;
                let (rows, columns) = (cells(sides.0), cells(sides.1));
                let lattice = (0..rows * columns).map(|place| {
                    let value = between(0.0, 1.0);
                    // Neighbours on either side of one half, so that no noise is flat.
                    if (place / columns + place % columns).is_multiple_of(2) { value / 2.0 } else { 1.0 - value / 2.0 }
                });
                Self::Noise { spacing, columns, lattice: lattice.collect() }
            }
        }
    }

    /// The share of ink at a point, 0 to 1.
    pub(super) fn ink(&self, y: f64, x: f64) -> f64 {
        let from = |centre: &(f64, f64)| (y - centre.0, x - centre.1);
        let filled = |is_inside: bool| f64::from(u8::from(is_inside));
        match self {
            Self::Circle { centre, radius } => filled(from(centre).0.hypot(from(centre).1) <= *radius),
            Self::Square { centre, half } => filled(from(centre).0.abs().max(from(centre).1.abs()) <= *half),
            Self::Triangle { centre, inner, turn } => {
                let beyond = |side: usize| along(from(centre), turn + TAU / 3.0 * side as f64);
                filled((0..3).all(|side| beyond(side) <= *inner))
            }
            Self::Stripes { turn, period, phase } => {
                filled((along((y, x), *turn) / period + phase).rem_euclid(1.0) < 0.5)
            }
            Self::Checks { period, phase } => {
                let half = |place: f64, phase: f64| (place / period + phase).rem_euclid(1.0) < 0.5;
                filled(half(y, phase.0) == half(x, phase.1))
            }
            Self::Gradient { turn, middle, length } => (along(from(middle), *turn) / length + 0.5).clamp(0.0, 1.0),
            Self::Noise { spacing, columns, lattice } => smooth(lattice, *columns, y / spacing, x / spacing),
        }
    }
}

/// How far a point lies in a direction.
fn along((y, x): (f64, f64), turn: f64) -> f64 {
    y * turn.sin() + x * turn.cos()
}

/// A centre from which `radius` stays inside, a pixel of the edge left free.
fn inside(sides: (f64, f64), radius: f64, pixels: f64, between: &mut impl FnMut(f64, f64) -> f64) -> (f64, f64) {
    // Images of a few pixels have no room for the margin: there the shape is in the middle.
    let margin = (radius + 1.0 / pixels).min(0.5);
    (between(margin, sides.0 - margin), between(margin, sides.1 - margin))
}

/// A period of at least four pixels, 1/8 to 1/2 of the shorter side where the pixels suffice.
fn period(pixels: f64, between: &mut impl FnMut(f64, f64) -> f64) -> f64 {
    between(0.125, 0.5).max(4.0 / pixels)
}

/// A lattice, shape `[row, column]`, between its points: smooth steps from each to the next.
fn smooth(lattice: &[f64], columns: usize, y: f64, x: f64) -> f64 {
    let rows = lattice.len() / columns;
    let cell = |place: f64, count: usize| (place.max(0.0) as usize).min(count - 2);
    let (row, column) = (cell(y, rows), cell(x, columns));
    let step = |t: f64| t * t * (3.0 - 2.0 * t);
    let (down, right) = (step((y - row as f64).clamp(0.0, 1.0)), step((x - column as f64).clamp(0.0, 1.0)));
    let at = |row: usize, column: usize| lattice[row * columns + column];
    let across = |row: usize| at(row, column) + right * (at(row, column + 1) - at(row, column));
    across(row) + down * (across(row + 1) - across(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of ink in a unit square.
    fn area(motif: &Motif) -> f64 {
        let points = 500;
        let place = |i: usize| (i as f64 + 0.5) / points as f64;
        let ink: f64 = (0..points * points).map(|i| motif.ink(place(i / points), place(i % points))).sum();
        ink / (points * points) as f64
    }

    #[test]
    fn areas_are_those_of_geometry() {
        for stream in 0..20 {
            let drawn = |kind| Motif::draw(kind, (1.0, 1.0), 64.0, &mut ChainRng::new(5, stream));
            for (kind, name) in KINDS.iter().enumerate().take(6) {
                let motif = drawn(kind);
                let (expected, tolerance) = match &motif {
                    Motif::Circle { radius, .. } => (PI * radius * radius, 2e-3),
                    Motif::Square { half, .. } => (4.0 * half * half, 4e-3),
                    // The side of an equilateral triangle is 2√3 times its inner radius, its area 3√3 r².
                    Motif::Triangle { inner, .. } => (27f64.sqrt() * inner * inner, 2e-3),
                    // Symmetric about the middle.
                    Motif::Gradient { .. } => (0.5, 1e-9),
                    // Whole periods are half ink; what is left over at the edges is at most a quarter of a period each way.
                    Motif::Stripes { period, .. } | Motif::Checks { period, .. } => (0.5, 0.5 * period + 2e-3),
                    Motif::Noise { .. } => unreachable!("kinds 0 to 5"),
                };
                let found = area(&motif);
                assert!((found - expected).abs() < tolerance, "{name}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn noise_passes_through_its_lattice() {
        let lattice = [0.0, 0.5, 0.25, 1.0, 0.75, 0.5];
        assert_eq!(smooth(&lattice, 3, 0.0, 1.0), 0.5);
        assert_eq!(smooth(&lattice, 3, 1.0, 0.0), 1.0);
        assert_eq!(smooth(&lattice, 3, 1.0, 2.0), 0.5);
        assert_eq!(smooth(&lattice, 3, 0.5, 0.5), (0.0 + 0.5 + 1.0 + 0.75) / 4.0);
        assert_eq!(smooth(&lattice, 3, 9.0, 9.0), 0.5, "beyond the edge it stays");
    }
}
