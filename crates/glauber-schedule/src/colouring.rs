//! Proper colourings of a lattice: sites of one colour share no bond and can be updated together.

use glauber_tokens::Site;

/// Which sites of a square lattice are neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Neighbourhood {
    /// Left, right, up and down.
    #[default]
    Four,
    /// The four neighbours and the diagonals.
    Eight,
}

/// The boundary condition of a lattice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum Boundary {
    /// Periodic (torus).
    Torus,
    /// Open.
    #[default]
    Open,
}

/// A proper colouring of a path or cycle of `side` sites, and its number of colours: 2, or 3 on an odd cycle.
fn side_colours(side: usize, boundary: Boundary) -> (Vec<usize>, usize) {
    let mut colours: Vec<usize> = (0..side).map(|i| i % 2).collect();
    let odd_cycle = boundary == Boundary::Torus && side % 2 == 1 && side > 1;
    if odd_cycle {
        colours[side - 1] = 2;
    }
    (colours, if odd_cycle { 3 } else { side.min(2) })
}

/// The colour classes of a row-major lattice, none empty, each ascending.
pub(crate) fn classes(height: usize, width: usize, neighbourhood: Neighbourhood, boundary: Boundary) -> Vec<Vec<Site>> {
    let (rows, row_count) = side_colours(height, boundary);
    let (columns, column_count) = side_colours(width, boundary);
    let count = match neighbourhood {
        Neighbourhood::Four => row_count.max(column_count),
        Neighbourhood::Eight => row_count * column_count,
    };
    let mut classes = vec![Vec::new(); count];
    for (y, &a) in rows.iter().enumerate() {
        for (x, &b) in columns.iter().enumerate() {
            let colour = match neighbourhood {
                // Neighbours share one coordinate and differ in the other's colour, so the sums differ.
                Neighbourhood::Four => (a + b) % count,
                Neighbourhood::Eight => a * column_count + b,
            };
            classes[colour].push(y * width + x);
        }
    }
    classes.retain(|class| !class.is_empty());
    classes
}

/// The classes of a row-major lattice whose sites are at least `spacing` rows or columns apart: site (y, x) has class
/// (y mod spacing, x mod spacing). No class is empty; each is ascending.
pub(crate) fn spaced_classes(height: usize, width: usize, spacing: usize) -> Vec<Vec<Site>> {
    let class = |top: usize, left: usize| {
        let row = |y: usize| (left..width).step_by(spacing).map(move |x| y * width + x);
        (top..height).step_by(spacing).flat_map(row).collect()
    };
    let corners = (0..spacing.min(height)).flat_map(|top| (0..spacing.min(width)).map(move |left| (top, left)));
    corners.map(|(top, left)| class(top, left)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn spaced_sites_are_far_apart_and_each_is_there_once(
            height in 1usize..12, width in 1usize..12, spacing in 1usize..14
        ) {
            let classes = spaced_classes(height, width, spacing);
            prop_assert_eq!(classes.len(), spacing.min(height) * spacing.min(width));
            let mut all: Vec<Site> = classes.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..height * width).collect::<Vec<_>>());
            for class in &classes {
                prop_assert!(!class.is_empty() && class.is_sorted());
                for (at, &one) in class.iter().enumerate() {
                    for &other in &class[..at] {
                        let rows = (one / width).abs_diff(other / width);
                        let columns = (one % width).abs_diff(other % width);
                        prop_assert!(rows.max(columns) >= spacing, "{one} and {other}");
                    }
                }
            }
        }
    }

    #[test]
    fn two_apart_is_the_colouring_of_eight_neighbours() {
        for (height, width) in [(4, 6), (5, 7), (1, 5), (2, 2)] {
            let mut eight = classes(height, width, Neighbourhood::Eight, Boundary::Open);
            let mut spaced = spaced_classes(height, width, 2);
            eight.sort();
            spaced.sort();
            assert_eq!(spaced, eight);
        }
    }

    /// Neighbours by definition, not by the colouring's reasoning.
    fn neighbours(
        at: (usize, usize),
        size: (usize, usize),
        neighbourhood: Neighbourhood,
        boundary: Boundary,
    ) -> Vec<Site> {
        let mut found = Vec::new();
        for (dy, dx) in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)] {
            if neighbourhood == Neighbourhood::Four && dy != 0 && dx != 0 {
                continue;
            }
            let (y, x) = (at.0 as i64 + dy, at.1 as i64 + dx);
            let (h, w) = (size.0 as i64, size.1 as i64);
            let inside = (0..h).contains(&y) && (0..w).contains(&x);
            if inside || boundary == Boundary::Torus {
                found.push((y.rem_euclid(h) * w + x.rem_euclid(w)) as Site);
            }
        }
        found
    }

    proptest! {
        #[test]
        fn no_two_neighbours_share_a_colour(height in 1usize..9, width in 1usize..9, eight: bool, torus: bool) {
            let neighbourhood = if eight { Neighbourhood::Eight } else { Neighbourhood::Four };
            let boundary = if torus { Boundary::Torus } else { Boundary::Open };
            let classes = classes(height, width, neighbourhood, boundary);
            let mut colour = vec![usize::MAX; height * width];
            for (c, class) in classes.iter().enumerate() {
                for &site in class {
                    prop_assert_eq!(colour[site], usize::MAX);
                    colour[site] = c;
                }
            }
            prop_assert!(colour.iter().all(|&c| c < classes.len()));
            for site in 0..height * width {
                for other in neighbours((site / width, site % width), (height, width), neighbourhood, boundary) {
                    // On a torus one site wide a site is its own neighbour.
                    prop_assert!(other == site || colour[other] != colour[site]);
                }
            }
        }
    }

    #[test]
    fn even_lattices_need_two_or_four_colours() {
        let count = |h, w, n, b| classes(h, w, n, b).len();
        assert_eq!(count(4, 6, Neighbourhood::Four, Boundary::Torus), 2);
        assert_eq!(count(5, 6, Neighbourhood::Four, Boundary::Torus), 3);
        assert_eq!(count(5, 7, Neighbourhood::Four, Boundary::Open), 2);
        assert_eq!(count(4, 6, Neighbourhood::Eight, Boundary::Torus), 4);
        assert_eq!(count(5, 5, Neighbourhood::Eight, Boundary::Torus), 9);
    }
}
