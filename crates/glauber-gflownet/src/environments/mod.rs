//! Environments.

mod dags;
mod filling;
mod grid;

pub use dags::{DagBuilding, DagState};
pub use filling::{Filling, FillingOrder, FillingState};
pub use grid::{GridState, GridWalk};
