//! From gradients to weights, for any module of burn's.
//!
//! Micro-batches are computed side by side ([`Replicas`]), their gradients are added up in a fixed order, over ranks as well ([`Exchange`]),
//! and an [`Optimiser`] moves each parameter by the [rule](UpdateRule) that its caller gave it ([`ParamGroups`]). What comes out
//! depends on the number of micro-batches and of ranks, never on threads.

mod course;
mod exchange;
mod gradients;
mod groups;
mod jobs;
mod lanes;
mod muon;
mod optimiser;
mod weights;

pub use course::Course;
pub use exchange::Exchange;
pub use gradients::{Replicas, StepGradients, mean_gradients};
pub use groups::{ParamGroups, UpdateRule};
pub use lanes::Lanes;
pub use optimiser::{Optimiser, OptimiserConstants};
pub use weights::{fingerprint, moving_average};
