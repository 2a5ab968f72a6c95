#![doc = include_str!("../README.md")]
//! A model of this family is a noise law, an objective, a network and a sampler. Most of their losses are one number, the bound in
//! continuous time (`glauber_train::LevelBound`, `docs/math.md`, §8); this crate has those that are not. With all sites of a sequence
//! equally noisy (`schedule.order = { kind = "all-at-once" }`), peers are these settings of a run:
//!
//! | model | `schedule.noise` | `train.objective` | `model.network` | sampler |
//! |---|---|---|---|---|
//! | MDLM (Sahoo et al. 2024), MD4 (Shi et al. 2024) | absorbing | `level-bound` | `bidirectional` | `lazy`, `random`, `entropy-bound` |
//! | ReMDM (Wang et al. 2025) | absorbing | `level-bound` | `bidirectional` | `remask` |
//! | RADD (Ou et al. 2024), LLaDA (Nie et al. 2025) | absorbing | [`exact-count`](ExactCount) | `bidirectional` | `random`, `confidence` |
//! | P2 (Peng et al. 2025) | absorbing | `level-bound` | `hollow` | `path` |
//! | BD3-LM (Arriola et al. 2025), its order `block-by-block` | absorbing | [`exact-count`](ExactCount), `level-bound` | `block-causal` | `lazy` |
//! | SEDD (Lou et al. 2024) | absorbing, uniform | [`score-entropy`](ScoreEntropy) | `bidirectional`, `own-evidence` | `lazy` |
//! | D3PM (Austin et al. 2021) | absorbing, uniform | [`discrete-bound`](DiscreteBound) | `bidirectional`, `own-evidence` | `lazy` |
//! | UDLM (Schiff et al. 2024), Duo (Sahoo et al. 2025) | uniform | `level-bound` | `own-evidence` | `lazy`, `blend` |
//! | GIDD (von Rütte et al. 2025) | moving | `level-bound`, [`dynamic-bound`](DynamicBound) | `own-evidence`, `hollow` | `lazy` |
//! | SDDM (Sun et al. 2023) | uniform | `ratio-matching` | `hollow` | `lazy` |
//! | discrete flow matching (Gat et al. 2024) | uniform | `denoising` | `own-evidence` | `flow` |

mod discrete_bound;
mod dynamic_bound;
mod exact_count;
mod score_entropy;

use glauber_train::{Objective, TrainError, register_objective};

pub use discrete_bound::DiscreteBound;
pub use dynamic_bound::DynamicBound;
pub use exact_count::ExactCount;
pub use score_entropy::{Ratios, ScoreEntropy};

/// What configurations can name after [`register`]: a line each.
static ALL: &[&dyn Objective] = &[&ScoreEntropy, &DiscreteBound, &ExactCount, &DynamicBound];

/// Lets configurations of this process name the objectives of this crate. A program calls it once, before it reads any.
///
/// # Errors
/// [`TrainError::Config`] when it is called twice, or another objective has one of the names.
pub fn register() -> Result<(), TrainError> {
    ALL.iter().try_for_each(|objective| register_objective(*objective))
}

/// The largest ratio of probabilities that counts, in nats: beyond it single precision overflows.
const MOST: f64 = 30.0;

#[cfg(test)]
mod trial;
