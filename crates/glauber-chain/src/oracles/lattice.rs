//! The bonds of a square lattice.

use glauber_schedule::{Boundary, Neighbourhood, ScheduleError, SiteOrder};
use glauber_tokens::Site;

use crate::{ChainError, Result};

/// A `height × width` square lattice, row-major, with bonds to the four nearest neighbours.
///
/// On a torus with a side of 2, two sites share two bonds, one through the middle and one around.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lattice {
    height: usize,
    width: usize,
    boundary: Boundary,
    /// Shape `[site, 4]`; entries past a site's degree are the site itself.
    neighbours: Vec<[u32; 4]>,
    degrees: Vec<u8>,
}

impl Lattice {
    /// A lattice. A torus needs sides of at least 2, an open lattice of at least 1.
    ///
    /// # Errors
    /// When a side is too small or there are more than `2³²` sites.
    pub fn new(height: usize, width: usize, boundary: Boundary) -> Result<Self> {
        let least = if boundary == Boundary::Torus { 2 } else { 1 };
        for (key, side) in [("height", height), ("width", width)] {
            ChainError::unless_in_range(side >= least, key, side as f64, "at least 1, or 2 on a torus")?;
        }
        let sites = height.checked_mul(width).filter(|&sites| u32::try_from(sites).is_ok());
        let sites = sites.ok_or(ChainError::OutOfRange {
            key: "height",
            found: height as f64,
            expected: "a lattice of fewer than 2^32 sites",
        })?;
        let mut lattice =
            Self { height, width, boundary, neighbours: Vec::with_capacity(sites), degrees: Vec::with_capacity(sites) };
        for site in 0..sites {
            let mut around = [site as u32; 4];
            let mut degree = 0;
            for neighbour in lattice.around(site).into_iter().flatten() {
                around[degree] = neighbour as u32;
                degree += 1;
            }
            lattice.neighbours.push(around);
            lattice.degrees.push(degree as u8);
        }
        Ok(lattice)
    }

    /// Up, left, right and down, where they exist.
    fn around(&self, site: Site) -> [Option<Site>; 4] {
        let (y, x) = (site / self.width, site % self.width);
        let back = |at: usize, side: usize| match (at, self.boundary) {
            (0, Boundary::Open) => None,
            (0, Boundary::Torus) => Some(side - 1),
            _ => Some(at - 1),
        };
        let ahead = |at: usize, side: usize| match self.boundary {
            _ if at + 1 < side => Some(at + 1),
            Boundary::Open => None,
            Boundary::Torus => Some(0),
        };
        let at = |y: usize, x: usize| y * self.width + x;
        [
            back(y, self.height).map(|y| at(y, x)),
            back(x, self.width).map(|x| at(y, x)),
            ahead(x, self.width).map(|x| at(y, x)),
            ahead(y, self.height).map(|y| at(y, x)),
        ]
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The boundary condition.
    pub fn boundary(&self) -> Boundary {
        self.boundary
    }

    /// Number of sites.
    pub fn sites(&self) -> usize {
        self.degrees.len()
    }

    /// The neighbours of a site, one for each bond.
    ///
    /// # Panics
    /// When there is no such site.
    #[inline]
    pub fn neighbours(&self, site: Site) -> &[u32] {
        &self.neighbours[site][..usize::from(self.degrees[site] & 7).min(4)]
    }

    /// The neighbours of every site, shape `[site, 4]`; entries past a site's degree are the site itself.
    pub(crate) fn padded_neighbours(&self) -> &[[u32; 4]] {
        &self.neighbours
    }

    /// Every bond once.
    pub fn bonds(&self) -> impl Iterator<Item = (Site, Site)> + '_ {
        (0..self.sites()).flat_map(|site| {
            let [_, _, right, down] = self.around(site);
            [right, down].into_iter().flatten().map(move |other| (site, other))
        })
    }

    /// The chromatic order of the lattice: each step updates sites without a common bond.
    ///
    /// # Errors
    /// When `sweeps` is 0 or the steps overflow.
    pub fn order(&self, sweeps: usize) -> Result<SiteOrder, ScheduleError> {
        let neighbourhood = Neighbourhood::Four;
        SiteOrder::chromatic(self.height, self.width, neighbourhood, self.boundary, sweeps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_and_bonds_agree() {
        for boundary in [Boundary::Torus, Boundary::Open] {
            for (height, width) in [(2, 2), (3, 4), (5, 2)] {
                let lattice = Lattice::new(height, width, boundary).unwrap();
                let mut from_bonds = vec![Vec::new(); lattice.sites()];
                for (a, b) in lattice.bonds() {
                    from_bonds[a].push(b as u32);
                    from_bonds[b].push(a as u32);
                }
                for (site, expected) in from_bonds.iter_mut().enumerate() {
                    let mut found = lattice.neighbours(site).to_vec();
                    found.sort_unstable();
                    expected.sort_unstable();
                    assert_eq!(&found, expected);
                }
            }
        }
        assert!(Lattice::new(1, 4, Boundary::Torus).is_err());
        assert_eq!(Lattice::new(1, 1, Boundary::Open).unwrap().bonds().count(), 0);
    }
}
