//! Progress of a run, its evaluations and their curves.

use std::path::Path;

use glauber_image::TokenizerLosses;
use serde::{Deserialize, Serialize};

use super::evaluation::Quality;
use crate::error::Result;
use crate::run::records::{GREY, RED};
use crate::{Curve, Panel, Scale, picture};

/// Progress of a run, besides its training state.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Seconds of training, over all processes of the run.
    pub seconds: f64,
    /// Losses since the last evaluation.
    pub sums: Sums,
}

/// Sums over steps.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    steps: usize,
    total: f64,
    absolute: f64,
    square: f64,
    commitment: f64,
    revived: usize,
    /// Steps with a discriminator.
    judged: usize,
    adversarial: f64,
    adversarial_weight: f64,
    discriminator: f64,
}

impl Sums {
    /// Adds the losses of a step.
    pub fn add(&mut self, losses: &TokenizerLosses) {
        self.steps += 1;
        self.total += losses.total;
        self.absolute += losses.absolute;
        self.square += losses.square;
        self.commitment += losses.commitment;
        self.revived += losses.usage.revived;
        if let (Some(verdict), Some(weight), Some(loss)) =
            (losses.adversarial, losses.adversarial_weight, losses.discriminator)
        {
            self.judged += 1;
            self.adversarial += verdict;
            self.adversarial_weight += weight;
            self.discriminator += loss;
        }
    }
}

/// One evaluation, a line of `metrics.jsonl`. Training losses are means since the previous line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricLine {
    /// Optimiser steps done.
    pub step: usize,
    /// Seconds of training so far, over all processes of the run.
    pub seconds: f64,
    /// The autoencoder's weighted total loss.
    pub total: f64,
    /// Mean absolute difference, images from −1 to 1.
    pub absolute: f64,
    /// Mean squared difference.
    pub square: f64,
    /// Mean squared distance from latents to codes.
    pub commitment: f64,
    /// Number of dead codebook entries that were moved.
    pub revived: usize,
    /// The negative mean output of the discriminator on reconstructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adversarial: Option<f64>,
    /// The weight of that loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adversarial_weight: Option<f64>,
    /// The discriminator's own loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discriminator: Option<f64>,
    /// Mean peak signal-to-noise ratio of held-out images, decibels.
    pub psnr: f64,
    /// Mean structural similarity of held-out images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssim: Option<f64>,
    /// Number of different tokens used by the held-out images.
    pub used: usize,
    /// The exponential of the entropy of these tokens.
    pub perplexity: f64,
}

impl MetricLine {
    /// The evaluation of a step.
    pub(super) fn new(step: usize, state: &State, quality: &Quality) -> Self {
        let sums = &state.sums;
        let mean = |sum: f64| sum / sums.steps.max(1) as f64;
        let judged = |sum: f64| (sums.judged > 0).then(|| sum / sums.judged as f64);
        Self {
            step,
            seconds: state.seconds,
            total: mean(sums.total),
            absolute: mean(sums.absolute),
            square: mean(sums.square),
            commitment: mean(sums.commitment),
            revived: sums.revived,
            adversarial: judged(sums.adversarial),
            adversarial_weight: judged(sums.adversarial_weight),
            discriminator: judged(sums.discriminator),
            psnr: quality.psnr,
            ssim: quality.ssim,
            used: quality.usage.distinct,
            perplexity: quality.usage.perplexity,
        }
    }

    /// A line for people.
    pub fn text(&self, entries: usize) -> String {
        let ssim = self.ssim.map(|ssim| format!("  SSIM {ssim:.3}")).unwrap_or_default();
        format!(
            "held out: PSNR {:.2} dB{ssim}  {} of {entries} tokens used, perplexity {:.1}",
            self.psnr, self.used, self.perplexity
        )
    }
}

/// Curves of the evaluations over seconds: PSNR, tokens used and perplexity.
pub fn curves(path: &Path, title: &str, lines: &[MetricLine]) -> Result<String> {
    let curve = |name: &str, colour, value: fn(&MetricLine) -> f64| {
        let points = lines.iter().map(|line| (line.seconds, value(line))).collect();
        Curve { name: name.into(), colour, dashed: false, points, ..Curve::default() }
    };
    let panel = |y_label: &str, scale, curves| Panel {
        title: title.into(),
        x_label: "seconds of training".into(),
        y_label: y_label.into(),
        x_scale: Scale::FromZero,
        scale,
        curves,
    };
    let tokens =
        vec![curve("tokens used", GREY, |line| line.used as f64), curve("perplexity", RED, |line| line.perplexity)];
    let panels = [
        panel("PSNR of held-out images, dB", Scale::Fitted, vec![curve("PSNR", RED, |line| line.psnr)]),
        panel("tokens of held-out images", Scale::FromZero, tokens),
    ];
    picture(path, &panels)
}
