//! Exact results for the two-dimensional Ising model: the infinite lattice, the finite torus, and strips.

use std::f64::consts::{LN_2, PI};

use glauber_schedule::Boundary;

use super::Ising;
use crate::{ChainError, Result};

/// The tallest lattice that [`log_partition_strip`] takes.
pub const MAX_STRIP_HEIGHT: usize = 10;

/// The critical coupling of the infinite square lattice, `ln(1 + √2) / 2`.
pub fn critical_coupling() -> f64 {
    (1.0 + 2f64.sqrt()).ln() / 2.0
}

/// The energy per spin of the infinite lattice without field at coupling β > 0, in units of the bond strength (Onsager 1944).
pub fn onsager_energy(coupling: f64) -> f64 {
    let tanh = (2.0 * coupling).tanh();
    let complement = 2.0 * tanh * tanh - 1.0;
    // The elliptic integral diverges logarithmically at the critical point, but its factor vanishes there.
    let singular = if complement == 0.0 {
        0.0
    } else {
        let integral = PI / (2.0 * arithmetic_geometric_mean(1.0, complement.abs()));
        2.0 / PI * complement * integral
    };
    -(1.0 + singular) / tanh
}

fn arithmetic_geometric_mean(mut a: f64, mut b: f64) -> f64 {
    while (a - b).abs() > 1e-15 * a {
        (a, b) = ((a + b) / 2.0, (a * b).sqrt());
    }
    a
}

/// The spontaneous magnetisation of the infinite lattice (Yang 1952), 0 up to the critical coupling.
pub fn yang_magnetisation(coupling: f64) -> f64 {
    let power = (2.0 * coupling).sinh().powi(-4);
    if coupling <= 0.0 || power >= 1.0 { 0.0 } else { (1.0 - power).powf(0.125) }
}

/// `ln Z` of an Ising torus without field at coupling β > 0, in nats (Kaufman 1949).
///
/// # Errors
/// When a side is below 2 or the coupling is not in `(0, 100]`.
pub fn kaufman_log_partition(height: usize, width: usize, coupling: f64) -> Result<f64> {
    Ok(kaufman(height, width, coupling)?.0)
}

/// The energy per spin of the same torus, `−(1/N) d ln Z / dβ`, differentiated in closed form. Terms cancel at high
/// temperature: the error is about `1e-16 / β`.
///
/// # Errors
/// When a side is below 2 or the coupling is not in `(0, 100]`.
pub fn kaufman_energy(height: usize, width: usize, coupling: f64) -> Result<f64> {
    Ok(-kaufman(height, width, coupling)?.1 / (height * width) as f64)
}

/// `Z = ½ (2 sinh 2β)^{N/2} (Π 2cosh + Π 2sinh over odd modes + Π 2cosh + Π 2sinh over even modes)`, the modes at half the width
/// times their energies `γ`. Returns `ln Z` and its derivative in β.
fn kaufman(height: usize, width: usize, coupling: f64) -> Result<(f64, f64)> {
    let least = height.min(width);
    ChainError::unless_in_range(least >= 2, "height and width", least as f64, "at least 2")?;
    let good = coupling > 0.0 && coupling <= 100.0;
    ChainError::unless_in_range(good, "coupling", coupling, "a positive number of at most 100")?;
    let spins = (height * width) as f64;
    let (sinh, cosh) = ((2.0 * coupling).sinh(), (2.0 * coupling).cosh());
    let modes = |parity: usize| -> Vec<(f64, f64)> {
        (0..height).map(|r| mode(2 * r + parity, height, width, coupling)).collect()
    };
    let mut terms = Vec::new();
    for modes in [modes(1), modes(0)] {
        terms.push(cosh_product(&modes));
        terms.push(sinh_product(&modes));
    }
    let peak = terms.iter().map(|term| term.log).fold(f64::NEG_INFINITY, f64::max);
    let weight = |term: &Term| (term.log - peak).exp();
    let sum: f64 = terms.iter().map(|term| weight(term) * term.value).sum();
    let slope: f64 = terms.iter().map(|term| weight(term) * term.slope).sum();
    let log = spins / 2.0 * (2.0 * sinh).ln() - LN_2 + peak + sum.ln();
    Ok((log, spins * cosh / sinh + slope / sum))
}

/// Half the width times the energy `γ_l` of mode `l`, and the derivative of that in β.
fn mode(l: usize, height: usize, width: usize, coupling: f64) -> (f64, f64) {
    let (sinh, cosh) = ((2.0 * coupling).sinh(), (2.0 * coupling).cosh());
    let half = width as f64 / 2.0;
    if l == 0 {
        // Signed: negative above the critical temperature.
        let energy = 2.0 * coupling + coupling.tanh().ln();
        return (half * energy, half * (2.0 + 2.0 / sinh));
    }
    let cosh_energy = cosh * cosh / sinh - (PI * l as f64 / height as f64).cos();
    let energy = cosh_energy.acosh();
    let slope = 2.0 * cosh * (1.0 - 1.0 / (sinh * sinh)) / energy.sinh();
    (half * energy, half * slope)
}

/// A term `value · e^log` of Z and its derivative `slope · e^log`.
struct Term {
    log: f64,
    value: f64,
    slope: f64,
}

fn cosh_product(modes: &[(f64, f64)]) -> Term {
    let log = modes.iter().map(|(x, _)| x.abs() + (-2.0 * x.abs()).exp().ln_1p()).sum();
    let slope = modes.iter().map(|(x, dx)| dx * x.tanh()).sum();
    Term { log, value: 1.0, slope }
}

/// The first factor is kept apart: it may be negative, and at the critical point it is 0 while its derivative is not.
fn sinh_product(modes: &[(f64, f64)]) -> Term {
    let (first, rest) = (modes[0], &modes[1..]);
    let rest_log: f64 = rest.iter().map(|(x, _)| x + (-(-2.0 * x).exp()).ln_1p()).sum();
    let rest_slope: f64 = rest.iter().map(|(x, dx)| dx / x.tanh()).sum();
    let size = first.0.abs();
    let decay = (-2.0 * size).exp();
    let (sinh, cosh) = (first.0.signum() * (1.0 - decay), 1.0 + decay);
    Term { log: rest_log + size, value: sinh, slope: cosh * first.1 + sinh * rest_slope }
}

/// `ln Z` of an Ising model on a lattice of at most [`MAX_STRIP_HEIGHT`] rows by the transfer matrix, with its field and boundary,
/// in nats. Costs `O(width · height · 2^height)` open and `2^height` times that on a torus.
///
/// # Errors
/// When the lattice is too tall; transpose it.
pub fn log_partition_strip(ising: &Ising) -> Result<f64> {
    let height = ising.lattice().height();
    let expected = "at most MAX_STRIP_HEIGHT rows; transpose the lattice";
    ChainError::unless_in_range(height <= MAX_STRIP_HEIGHT, "height", height as f64, expected)?;
    let strip = Strip::new(ising);
    let states = strip.column.len();
    let width = ising.lattice().width();
    let offset = width as f64 * strip.offset;
    if ising.lattice().boundary() == Boundary::Open {
        let (end, log) = strip.advance(strip.column.clone(), width - 1);
        return Ok(end.iter().sum::<f64>().ln() + log + offset);
    }
    // The trace of the product: from each column state around to itself.
    let around: Vec<f64> = (0..states)
        .map(|state| {
            let mut start = vec![0.0; states];
            start[state] = 1.0;
            let (end, log) = strip.advance(start, width);
            end[state].ln() + log
        })
        .collect();
    let peak = around.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = around.iter().map(|log| (log - peak).exp()).sum();
    Ok(peak + sum.ln() + offset)
}

/// The transfer matrix in its factors: a column's own weight, and one bond from each spin to the next column.
struct Strip {
    height: usize,
    /// Weight of each column state over `e^offset`.
    column: Vec<f64>,
    offset: f64,
    /// Weights of a bond between equal and between different spins, over `e^|β|`.
    bond: (f64, f64),
    /// `|β|` of all bonds between two columns.
    bonds: f64,
}

impl Strip {
    fn new(ising: &Ising) -> Self {
        let (height, coupling) = (ising.lattice().height(), ising.coupling());
        let torus = ising.lattice().boundary() == Boundary::Torus;
        let spin = |state: usize, y: usize| if state >> (y % height) & 1 == 1 { 1.0 } else { -1.0 };
        let bonds = if torus { height } else { height - 1 };
        let logs: Vec<f64> = (0..1usize << height)
            .map(|state| {
                let field: f64 = (0..height).map(|y| spin(state, y)).sum();
                let pairs: f64 = (0..bonds).map(|y| spin(state, y) * spin(state, y + 1)).sum();
                coupling * pairs + ising.field() * field
            })
            .collect();
        let offset = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self {
            height,
            column: logs.iter().map(|log| (log - offset).exp()).collect(),
            offset,
            bond: ((coupling - coupling.abs()).exp(), (-coupling - coupling.abs()).exp()),
            bonds: height as f64 * coupling.abs(),
        }
    }

    /// Advances by some columns: the vector of shape `[column state]` scaled to sum 1, and the logarithm of the scale.
    fn advance(&self, mut vector: Vec<f64>, columns: usize) -> (Vec<f64>, f64) {
        let (equal, different) = self.bond;
        let mut log = 0.0;
        for _ in 0..columns {
            for y in 0..self.height {
                for state in (0..vector.len()).filter(|state| state >> y & 1 == 0) {
                    let (down, up) = (vector[state], vector[state | 1 << y]);
                    vector[state] = equal * down + different * up;
                    vector[state | 1 << y] = different * down + equal * up;
                }
            }
            vector.iter_mut().zip(&self.column).for_each(|(v, weight)| *v *= weight);
            let sum: f64 = vector.iter().sum();
            if sum == 0.0 {
                // No state that is cold enough to matter can follow.
                return (vector, f64::NEG_INFINITY);
            }
            vector.iter_mut().for_each(|v| *v /= sum);
            log += sum.ln() + self.bonds;
        }
        (vector, log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracles::Lattice;

    fn ising(height: usize, width: usize, boundary: Boundary, coupling: f64, field: f64) -> Ising {
        Ising::new(Lattice::new(height, width, boundary).unwrap(), coupling, field).unwrap()
    }

    /// `ln Z` and the mean bond energy per spin by listing every configuration.
    fn brute_force(ising: &Ising) -> (f64, f64) {
        let sites = ising.lattice().sites();
        let (mut z, mut energy) = (0.0, 0.0);
        for state in 0..1u32 << sites {
            let tokens: Vec<u32> = (0..sites).map(|site| state >> site & 1).collect();
            let weight = ising.log_weight(&tokens).exp();
            z += weight;
            energy += weight * ising.bond_energy(&tokens);
        }
        (z.ln(), energy / z / sites as f64)
    }

    #[test]
    fn the_transfer_matrix_equals_brute_force() {
        for boundary in [Boundary::Open, Boundary::Torus] {
            for (height, width) in [(3, 4), (4, 3), (2, 2), (2, 5)] {
                for (coupling, field) in [(0.44, 0.0), (0.7, 0.3), (-0.5, 0.1), (9.0, 0.0)] {
                    let ising = ising(height, width, boundary, coupling, field);
                    let found = log_partition_strip(&ising).unwrap();
                    assert!((found - brute_force(&ising).0).abs() < 1e-11);
                }
            }
        }
        assert!(log_partition_strip(&ising(11, 2, Boundary::Open, 0.1, 0.0)).is_err());
        // So cold that two states are left, of 240 bonds.
        let cold = log_partition_strip(&ising(10, 12, Boundary::Torus, 100.0, 0.0)).unwrap();
        assert!((cold - 24_000.0 - 2f64.ln()).abs() < 1e-9, "{cold}");
    }

    #[test]
    fn kaufman_equals_brute_force_and_the_transfer_matrix() {
        for coupling in [0.1, 0.3, critical_coupling(), 0.4406868, 0.6, 1.2] {
            for (height, width) in [(3, 4), (4, 3), (2, 3), (4, 4)] {
                let (log, energy) = brute_force(&ising(height, width, Boundary::Torus, coupling, 0.0));
                let found = kaufman_log_partition(height, width, coupling).unwrap();
                assert!((found - log).abs() < 1e-11, "{found} {log}");
                let found = kaufman_energy(height, width, coupling).unwrap();
                assert!((found - energy).abs() < 1e-11, "{found} {energy}");
            }
            let strip = log_partition_strip(&ising(8, 13, Boundary::Torus, coupling, 0.0)).unwrap();
            assert!((strip - kaufman_log_partition(8, 13, coupling).unwrap()).abs() < 1e-10);
        }
        assert!(kaufman_energy(1, 4, 0.3).is_err());
        assert!(kaufman_energy(4, 4, 0.0).is_err());
        assert!(kaufman_energy(4, 4, 100.0).is_ok_and(|energy| (energy + 2.0).abs() < 1e-12));
        assert!(kaufman_energy(4, 4, f64::NAN).is_err());
    }

    #[test]
    fn large_tori_approach_onsager() {
        for coupling in [0.2, 0.3, 0.6, 0.8] {
            let finite = kaufman_energy(128, 128, coupling).unwrap();
            assert!((finite - onsager_energy(coupling)).abs() < 1e-9, "{coupling}");
        }
        let critical = critical_coupling();
        assert!((onsager_energy(critical) + 2f64.sqrt()).abs() < 1e-12);
        // At the critical point the torus differs by a term in 1/side.
        let gap = |side| kaufman_energy(side, side, critical).unwrap() - onsager_energy(critical);
        assert!((gap(32) / gap(64) - 2.0).abs() < 0.01);
    }

    #[test]
    fn yang_has_its_known_values() {
        assert_eq!(yang_magnetisation(0.44), 0.0);
        assert_eq!(yang_magnetisation(-1.0), 0.0);
        assert!((yang_magnetisation(0.6) - 0.973_609).abs() < 1e-6);
    }
}
