//! Errors of neural samplers.

use glauber_descent::DescentError;
use glauber_energy::EnergyError;
use glauber_gflownet::GflownetError;
use glauber_model::ModelError;

/// The result type of this crate.
pub type Result<T, E = NeuralError> = std::result::Result<T, E>;

/// An error of a neural sampler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NeuralError {
    /// An environment or an objective failed.
    #[error(transparent)]
    Gflownet(#[from] GflownetError),
    /// A target failed.
    #[error(transparent)]
    Energy(#[from] EnergyError),
    /// A step of the training failed.
    #[error(transparent)]
    Descent(#[from] DescentError),
    /// The sizes of a network do not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
}
