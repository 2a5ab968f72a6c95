//! Optimisers from configurations: update rules of weights, and the learning-rate schedule.

use burn::tensor::Device;
use glauber_descent::{LearningRateSchedule, OptimiserConstants, ParamGroups, Settings, Trainer, UpdateRule};
use glauber_model::{Network, Role};
use serde::{Deserialize, Serialize};

use crate::TrainConfig;

/// How weights follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserKind {
    /// AdamW for all parameters (Loshchilov and Hutter, 2019).
    AdamW,
    /// Muon for the matrices of attention and feed-forward layers, AdamW for the rest.
    Muon,
}

impl OptimiserKind {
    /// The update rules of a network's parameters. Matrices of linear layers, including modulations, have weight decay;
    /// biases and embeddings do not.
    pub fn groups(self, network: &Network) -> ParamGroups {
        let rule = |role: Role| match role {
            Role::Hidden if self == Self::Muon => UpdateRule::Muon,
            role if role.is_matrix() => UpdateRule::DecayedAdamW,
            _ => UpdateRule::AdamW,
        };
        network.roles().into_iter().map(|(parameter, role)| (parameter, rule(role))).collect()
    }
}

impl TrainConfig {
    /// A trainer of a network, with batches drawn from `seed`. It uses the optimiser settings of the configuration. The
    /// caller takes steps, evaluates and writes.
    pub fn trainer(&self, network: Network, seed: u64, device: &Device, threads: usize) -> Trainer<Network> {
        let groups = self.optimiser.groups(&network);
        Trainer::new(network, groups, self.settings(seed), device, threads)
    }

    /// Training settings; `seed` is that of the batches.
    pub fn settings(&self, seed: u64) -> Settings {
        let &Self { beta_1, beta_2, weight_decay, micro_batches, clip_norm, average_decay, .. } = self;
        let (peak, warmup_steps, steps) = (self.learning_rate, self.warmup_steps, self.steps);
        let learning_rate = LearningRateSchedule { peak, warmup_steps, steps, minimum: self.minimum_rate };
        let constants = OptimiserConstants { beta_1, beta_2, weight_decay };
        let average_decay = Some(average_decay);
        Settings { learning_rate, micro_batches, clip_norm, average_decay, constants, seed }
    }
}

/// Learning rate of a step: linear warm-up, then cosine decay to `minimum_rate` of the peak.
pub fn learning_rate(config: &TrainConfig, step: usize) -> f64 {
    config.settings(0).learning_rate.rate(step)
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
