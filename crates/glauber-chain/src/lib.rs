//! Forward noising, heat-bath kernels, the reverse sampler, and exact oracles.

mod chains;
mod conditional;
mod controls;
mod error;
mod forward;
mod heat_bath;
pub mod oracles;
mod reverse;
mod rng;
pub mod statistics;

pub use chains::Chains;
pub use conditional::{SiteConditional, TokenRows};
pub use controls::DrawControls;
pub use error::ChainError;
pub use forward::{corrupt, corrupt_batch, step};
pub use heat_bath::{HeatBath, StepDiagnostics};
pub use reverse::{ReverseSampler, SweepInfo};
pub use rng::{ChainRng, ChainRngState};
