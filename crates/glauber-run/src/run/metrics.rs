//! The metrics of a run, one JSON object per line.

use serde::{Deserialize, Serialize};

/// One evaluation on held-out sequences.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricLine {
    /// Optimiser steps done.
    pub step: usize,
    /// Seconds of training so far, over all processes of the run.
    pub seconds: f64,
    /// Tokens processed so far.
    pub tokens: u64,
    /// Mean training loss since the last line, nats per requested site.
    pub train_loss: f64,
    /// Held-out loss of the run's own objective under the averaged weights, nats per requested site.
    pub loss: f64,
    /// Held-out `−log r_θ(X_{t,i})`, nats per requested site, comparable between objectives.
    pub step_cross_entropy: f64,
    /// Held-out loss of the classification "signal or noise?", nats per requested site, comparable between objectives.
    pub binary: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean excess over the Bayes loss if the source is known, nats per requested site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess: Option<f64>,
    /// Its standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess_error: Option<f64>,
    /// `KL(r ‖ r_θ)` if the source is known, nats per requested site, comparable between objectives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_excess: Option<f64>,
}
