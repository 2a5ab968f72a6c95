//! The sets, and how their points are drawn.

use std::f64::consts::PI;

use glauber_chain::ChainRng;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Centres of the eight Gaussians lie at this radius, before all is divided by [`SQUEEZE`].
pub(crate) const RADIUS: f64 = 4.0;
/// What the eight Gaussians are divided by.
pub(crate) const SQUEEZE: f64 = 1.414;
/// Arms of the pinwheel.
pub(crate) const ARMS: usize = 5;
/// The largest angle of a spiral.
pub(crate) const TURN: f64 = 540.0 * 2.0 * PI / 360.0;

/// A set of points of the plane.
///
/// Definitions are those of scikit-learn (`make_swiss_roll`, `make_circles`, `make_moons`) and of Grathwohl et al. 2019 (FFJORD), as the
/// published rows use them, but that angles are drawn independently where the originals take a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase", parse_err_ty = String, parse_err_fn = unknown)]
pub enum PlaneSet {
    /// Two spirals.
    #[strum(serialize = "2spirals")]
    Spirals,
    /// Eight Gaussians on a circle.
    #[strum(serialize = "8gaussians")]
    Gaussians,
    /// Two circles, one inside the other.
    Circles,
    /// Two half circles that hook into each other.
    Moons,
    /// Five bent arms.
    Pinwheel,
    /// A rolled band.
    SwissRoll,
    /// Every other square of a board.
    Checkerboard,
}

impl PlaneSet {
    /// All of them, in the order of the published tables.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name of the published tables.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// A point.
    pub fn draw(self, rng: &mut ChainRng) -> [f64; 2] {
        match self {
            Self::Spirals => {
                let n = rng.uniform().sqrt() * TURN;
                let side = if rng.uniform() < 0.5 { 1.0 } else { -1.0 };
                let x = -n.cos() * n + 0.5 * rng.uniform();
                let y = n.sin() * n + 0.5 * rng.uniform();
                let [a, b] = normal(rng);
                [side * x / 3.0 + 0.1 * a, side * y / 3.0 + 0.1 * b]
            }
            Self::Gaussians => {
                let angle = PI / 4.0 * rng.below(8) as f64;
                let [a, b] = normal(rng);
                [(RADIUS * angle.cos() + 0.5 * a) / SQUEEZE, (RADIUS * angle.sin() + 0.5 * b) / SQUEEZE]
            }
            Self::Circles => {
                let (radius, angle) = (if rng.uniform() < 0.5 { 1.0 } else { 0.5 }, 2.0 * PI * rng.uniform());
                let [a, b] = normal(rng);
                [3.0 * (radius * angle.cos() + 0.08 * a), 3.0 * (radius * angle.sin() + 0.08 * b)]
            }
            Self::Moons => {
                let (upper, angle) = (rng.uniform() < 0.5, PI * rng.uniform());
                let [x, y] = moon(upper, angle);
                let [a, b] = normal(rng);
                [2.0 * (x + 0.1 * a) - 1.0, 2.0 * (y + 0.1 * b) - 0.2]
            }
            Self::Pinwheel => {
                let [a, b] = normal(rng);
                let (along, across) = (1.0 + 0.3 * a, 0.1 * b);
                let [x, y] = pinwheel(rng.below(ARMS), along, across);
                [2.0 * x, 2.0 * y]
            }
            Self::SwissRoll => {
                let t = roll(rng.uniform());
                let [a, b] = normal(rng);
                [(t * t.cos() + a) / 5.0, (t * t.sin() + b) / 5.0]
            }
            Self::Checkerboard => {
                let x = 4.0 * rng.uniform() - 2.0;
                let y = rng.uniform() - 2.0 * rng.below(2) as f64 + x.floor().rem_euclid(2.0);
                [2.0 * x, 2.0 * y]
            }
        }
    }
}

/// Two independent draws of the standard normal law (Box and Muller).
fn normal(rng: &mut ChainRng) -> [f64; 2] {
    let radius = (-2.0 * (1.0 - rng.uniform()).ln()).sqrt();
    let angle = 2.0 * PI * rng.uniform();
    [radius * angle.cos(), radius * angle.sin()]
}

/// A point of the moons without noise.
pub(crate) fn moon(upper: bool, angle: f64) -> [f64; 2] {
    if upper { [angle.cos(), angle.sin()] } else { [1.0 - angle.cos(), 0.5 - angle.sin()] }
}

/// The angle of the roll at a fraction of the band.
pub(crate) fn roll(u: f64) -> f64 {
    1.5 * PI * (1.0 + 2.0 * u)
}

/// How far the arm is turned at a distance along it.
pub(crate) fn turned(arm: usize, along: f64) -> f64 {
    2.0 * PI * arm as f64 / ARMS as f64 + 0.25 * along.exp()
}

/// A point of an arm, half as large.
fn pinwheel(arm: usize, along: f64, across: f64) -> [f64; 2] {
    let (sin, cos) = turned(arm, along).sin_cos();
    [along * cos + across * sin, -along * sin + across * cos]
}

/// The error of a name that no set has.
fn unknown(name: &str) -> String {
    let names: Vec<&str> = PlaneSet::ALL.iter().map(|set| set.name()).collect();
    format!("`{name}`, expected one of {}", names.join(", "))
}
