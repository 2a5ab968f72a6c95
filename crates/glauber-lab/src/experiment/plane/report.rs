//! The table beside published rows, and the picture.

use std::fmt::Write as _;

use glauber_chain::ChainRng;
use glauber_chain::statistics::Estimate;
use glauber_pixels::{Colours, Extent, Image, PixelError, SheetStyle, comparison_sheet};
use glauber_plane::{GrayCode, PlaneSet};
use glauber_tokens::Token;
use serde::Serialize;

/// The numbers of all sets, in their order.
type OfSets = [f64; 7];
/// Negative log-likelihood in nats and squared MMD times 10,000, where it is known: Zhang et al. 2022 (EB-GFN), whose tables have PCD and
/// ALOE+ too; ED-Bern (Schröder et al. 2024) and EB-DNFS (of the energy) as table 3 of arXiv 2505.17741 has them.
const PUBLISHED: [(&str, OfSets, Option<OfSets>); 5] = [
    (
        "PCD (published)",
        [20.094, 19.991, 20.565, 19.763, 19.593, 20.172, 21.214],
        Some([2.160, 0.954, 0.188, 0.962, 0.505, 1.382, 2.831]),
    ),
    ("ALOE+ (published)", [20.062, 19.984, 20.570, 19.743, 19.576, 20.170, 21.142], None),
    (
        "EB-GFN (published)",
        [20.050, 19.982, 20.546, 19.732, 19.554, 20.146, 20.696],
        Some([0.583, 0.531, 0.305, 0.121, 0.492, 0.274, 1.206]),
    ),
    (
        "ED-Bern (published)",
        [20.039, 19.992, 20.601, 19.710, 19.568, 20.084, 20.679],
        Some([0.120, 0.014, 0.137, 0.088, 0.046, 0.045, 1.541]),
    ),
    (
        "EB-DNFS (published)",
        [20.118, 19.990, 20.517, 19.789, 19.566, 20.145, 20.682],
        Some([0.603, 0.070, 0.527, 0.223, 0.524, 0.388, 0.716]),
    ),
];
/// Pixels of a picture of a set, and how far it reaches from the middle.
const SIDE: usize = 96;
const REACH: f64 = 4.5;

/// The published rows of a set: name, negative log-likelihood in nats, squared MMD times 10,000.
pub fn published(set: PlaneSet) -> impl Iterator<Item = (&'static str, f64, String)> {
    let at = PlaneSet::ALL.iter().position(|&other| other == set).unwrap_or_default();
    PUBLISHED.iter().map(move |(name, nats, mmd)| {
        (*name, nats[at], mmd.map_or_else(|| "–".into(), |found| format!("{:.2}", found[at])))
    })
}

/// A set, and the results of its run.
#[derive(Debug, Serialize)]
pub struct Row {
    #[serde(serialize_with = "name")]
    pub set: PlaneSet,
    pub steps: usize,
    /// Of training.
    pub seconds: f64,
    /// What a perfect model has, in nats.
    #[serde(serialize_with = "numbers")]
    pub floor: Estimate,
    /// The bound of the run, in nats.
    #[serde(serialize_with = "numbers")]
    pub bound: Estimate,
    /// The bound above the surprise of the same points under the density.
    #[serde(serialize_with = "numbers")]
    pub excess: Estimate,
    #[serde(serialize_with = "numbers")]
    pub mmd: Estimate,
    /// Of points beside points.
    #[serde(serialize_with = "numbers")]
    pub mmd_of_points: Estimate,
    /// Of independent bits with the marginals of the set.
    #[serde(serialize_with = "numbers")]
    pub mmd_of_bits: Estimate,
}

fn name<S: serde::Serializer>(set: &PlaneSet, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(set.name())
}

fn numbers<S: serde::Serializer>(estimate: &Estimate, serializer: S) -> Result<S::Ok, S::Error> {
    [estimate.mean, estimate.standard_error].serialize(serializer)
}

/// Rows of sets, and below what others have published.
pub fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| set | steps | minutes | floor, nats | bound, nats | above the floor, same points | MMD² · 10⁴ | points beside points | independent bits |",
    );
    for (name, ..) in PUBLISHED {
        let _ = write!(table, " {name}: nats | MMD² · 10⁴ |");
    }
    let _ = write!(table, "\n|{}\n", "---|".repeat(9 + 2 * PUBLISHED.len()));
    let shown = |estimate: &Estimate, digits: usize| {
        format!("{:.digits$} ± {:.digits$}", estimate.mean, estimate.standard_error)
    };
    let scaled = |estimate: &Estimate| format!("{:.2} ± {:.2}", 1e4 * estimate.mean, 1e4 * estimate.standard_error);
    for row in rows {
        let _ = write!(
            table,
            "| {} | {} | {:.1} | {} | {} | {} | {} | {} | {} |",
            row.set,
            row.steps,
            row.seconds / 60.0,
            shown(&row.floor, 3),
            shown(&row.bound, 3),
            shown(&row.excess, 4),
            scaled(&row.mmd),
            scaled(&row.mmd_of_points),
            scaled(&row.mmd_of_bits),
        );
        for (_, nats, mmd) in published(row.set) {
            let _ = write!(table, " {nats:.3} | {mmd} |");
        }
        table.push('\n');
    }
    table
}

/// Points of each set above, draws of its run below.
#[derive(Default)]
pub struct Densities {
    points: Vec<Image>,
    draws: Vec<Image>,
}

impl Densities {
    /// Adds a set and the words that its run drew.
    pub fn add(&mut self, set: PlaneSet, words: &[u32]) -> Result<(), PixelError> {
        let (code, mut rng) = (GrayCode::of(set), ChainRng::new(0, 3));
        let point = |word: &u32| {
            let tokens: Vec<Token> = (0..32).map(|site| word >> site & 1).collect();
            code.decode(&tokens)
        };
        self.draws.push(density(words.iter().map(point).collect())?);
        self.points.push(density(words.iter().map(|_| set.draw(&mut rng)).collect())?);
        Ok(())
    }

    pub fn sheet(&self) -> Result<Image, PixelError> {
        comparison_sheet(&self.points, &self.draws, &SheetStyle { columns: 7, ..SheetStyle::default() })
    }
}

/// How many points lie where, black for many.
fn density(points: Vec<[f64; 2]>) -> Result<Image, PixelError> {
    let mut counts = vec![0.0f32; SIDE * SIDE];
    let place = |x: f64| (((x + REACH) / (2.0 * REACH) * SIDE as f64) as usize).min(SIDE - 1);
    for [x, y] in points {
        counts[place(-y) * SIDE + place(x)] += 1.0;
    }
    let most = counts.iter().copied().fold(1.0, f32::max);
    let grey = counts.into_iter().map(|count| 1.0 - (count / most).sqrt()).collect();
    Image::new(Extent::new(SIDE, SIDE)?, Colours::Grey, grey)
}
