//! Environments.

mod dags;
mod filling;
mod grid;

pub use dags::{DagBuilding, DagState};
pub use filling::{Filling, FillingOrder, FillingState, filled, filled_tokens};
pub use grid::{GridState, GridWalk};
