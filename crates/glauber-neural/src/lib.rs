#![doc = include_str!("../README.md")]
//! | question                                | place                                                          |
//! |-----------------------------------------|----------------------------------------------------------------|
//! | which network decides                   | [`PolicyNetwork`]: [`Perceptron`], [`FillingNetwork`], or yours |
//! | how it is trained                       | [`PathTask`], by any [`PathObjective`](glauber_gflownet::PathObjective) |
//! | how it is sampled                       | [`NetworkPolicy`] with [`Paths`](glauber_gflownet::Paths)      |
//! | what weighted samples teach             | [`WeightedSource`] with any objective of `glauber-train`       |
//! | an energy and its sampler together      | [`JointTraining`] of an [`EnergyNetwork`] and a policy; [`EnergyTarget`], [`EnergyTask`] |
//! | annealing with learned backward kernels | [`AnnealedUpdates`], [`BackwardTask`], [`annealed_weights`]    |

mod annealing;
mod classifier;
mod energy;
mod error;
mod joint;
mod perceptron;
mod policy;
mod task;
mod weighted;

pub use annealing::{AnnealedUpdates, BackwardTask, UpdateExamples, UpdateWeights, annealed_weights};
pub use classifier::FillingNetwork;
pub use energy::{ContrastiveBatch, DrawData, EnergyConfig, EnergyNetwork, EnergyTarget, EnergyTask};
pub use error::{NeuralError, Result};
pub use joint::{JointSettings, JointStep, JointTraining};
pub use perceptron::{Perceptron, PerceptronConfig};
pub use policy::{Logits, NetworkPolicy, PolicyNetwork};
pub use task::PathTask;
pub use weighted::WeightedSource;
