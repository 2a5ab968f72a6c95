//! What a configuration makes of optimisers: which weights they step how, and the learning rate's course.

mod gradients;

use glauber_descent::{Course, ParamGroups, UpdateRule};
use glauber_model::{Network, Role};
use serde::{Deserialize, Serialize};

pub use self::gradients::loss_and_gradients;

use crate::TrainConfig;

/// How weights follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserKind {
    /// AdamW throughout (Loshchilov and Hutter, 2019).
    AdamW,
    /// Muon for the matrices of attention and feed-forward layers, AdamW for the rest.
    Muon,
}

impl OptimiserKind {
    /// The rules of a network's parameters. The matrices of linear layers are decayed, those that modulate blocks included; biases and
    /// embeddings are not.
    pub fn groups(self, network: &Network) -> ParamGroups {
        let rule = |role: Role| match role {
            Role::Hidden if self == Self::Muon => UpdateRule::Muon,
            role if role.is_matrix() => UpdateRule::DecayedAdamW,
            _ => UpdateRule::AdamW,
        };
        network.roles().into_iter().map(|(parameter, role)| (parameter, rule(role))).collect()
    }
}

/// Learning rate of a step: linear warm-up, then half a cosine down to `minimum_rate` of the peak.
pub fn learning_rate(config: &TrainConfig, step: usize) -> f64 {
    let (peak, warmup_steps, steps) = (config.learning_rate, config.warmup_steps, config.steps);
    Course { peak, warmup_steps, steps, minimum: config.minimum_rate }.rate(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_warms_up_then_falls_to_its_minimum() {
        let config = TrainConfig {
            steps: 100,
            warmup_steps: 10,
            learning_rate: 1.0,
            minimum_rate: 0.1,
            ..TrainConfig::default()
        };
        assert_eq!(learning_rate(&config, 0), 0.1);
        assert_eq!(learning_rate(&config, 9), 1.0);
        assert_eq!(learning_rate(&config, 10), 1.0);
        assert!((learning_rate(&config, 55) - 0.55).abs() < 1e-12);
        assert!((learning_rate(&config, 100) - 0.1).abs() < 1e-12);
    }
}
