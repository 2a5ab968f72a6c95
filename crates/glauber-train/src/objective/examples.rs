//! Training examples, drawn on the host.

use burn::tensor::{Device, Int, Tensor, TensorData};

use glauber_chain::{ChainRng, corrupt};
use glauber_model::Sites;
use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use crate::{Objective, SequenceSource};

/// A batch of noisy sequences with a label for every site asked for.
///
/// Each row has a step of its own, stratified over the horizon, and its sequence is noised in closed form (equation (M)).
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    /// Sites per row, `L`.
    pub len: usize,
    /// The step of each row, shape `[row]`.
    pub steps: Vec<Step>,
    /// Clean sequences `X_0`, shape `[row, site]`.
    pub clean: Vec<Token>,
    /// Noisy sequences `X_t`, shape `[row, site]`: the context of every label.
    pub context: Vec<Token>,
    /// The site asked for in each row, shape `[row]`; `None` asks for all.
    pub sites: Option<Vec<Site>>,
    /// The token shown at each site asked for, right after a step `t` that touched it: `Z` or `X_t`, shape `[row, asked site]`.
    pub shown: Vec<Token>,
    /// Whether the token shown is noise (`Z ≠ φ`), shape `[row, asked site]`.
    pub noise: Vec<bool>,
    horizon: Step,
}

/// The labels of a batch on the device, each `[batch, asked site]`.
pub(crate) struct Labels {
    /// The token whose logit the loss looks at.
    pub token: Tensor<2, Int>,
    /// +1 where the token shown is noise, −1 where it is signal.
    pub sign: Tensor<2>,
    /// `log Π_t(φ) − log Π_t(a)` of the token shown.
    pub offset: Tensor<2>,
}

impl Examples {
    /// Draws `rows` examples. With `one_site` a row asks for one uniform site, else for all.
    pub fn draw(
        source: &dyn SequenceSource,
        schedule: &Schedule,
        rows: usize,
        one_site: bool,
        rng: &mut ChainRng,
    ) -> Self {
        let len = schedule.len();
        let mut examples = Self {
            len,
            steps: Vec::with_capacity(rows),
            clean: vec![0; rows * len],
            context: vec![0; rows * len],
            sites: one_site.then(|| Vec::with_capacity(rows)),
            shown: Vec::new(),
            noise: Vec::new(),
            horizon: schedule.horizon(),
        };
        for row in 0..rows {
            let u = (row as f64 + rng.uniform()) / rows as f64;
            let step = ((u * schedule.horizon() as f64) as Step).min(schedule.horizon() - 1);
            examples.draw_row(source, schedule, row, step, rng);
        }
        examples
    }

    fn draw_row(
        &mut self,
        source: &dyn SequenceSource,
        schedule: &Schedule,
        row: usize,
        step: Step,
        rng: &mut ChainRng,
    ) {
        let here = row * self.len..(row + 1) * self.len;
        let clean = &mut self.clean[here.clone()];
        source.draw(rng, clean);
        let context = &mut self.context[here];
        corrupt(schedule, clean, step, rng, context);
        self.steps.push(step);
        let asked = match &mut self.sites {
            None => 0..self.len,
            Some(sites) => {
                let site = ((rng.uniform() * self.len as f64) as Site).min(self.len - 1);
                sites.push(site);
                site..site + 1
            }
        };
        // A fresh Z for every site asked for: no site's label changes another's context (docs/math.md, §6).
        for site in asked {
            let noise = rng.uniform() < schedule.beta(step);
            let shown = match noise {
                true => schedule.law().draw(rng.uniform()),
                false => context[site],
            };
            self.shown.push(shown);
            self.noise.push(noise);
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.steps.len()
    }

    /// Sites asked for in each row.
    pub fn asked(&self) -> usize {
        self.sites.as_ref().map_or(self.len, |_| 1)
    }

    /// What to ask the network for.
    pub fn query(&self) -> Sites<'_> {
        self.sites.as_deref().map_or(Sites::All, Sites::Each)
    }

    /// The site behind label `at` of a row.
    pub fn site(&self, row: usize, at: usize) -> Site {
        self.sites.as_ref().map_or(at, |sites| sites[row])
    }

    /// Contexts `[batch, site]` and times `[batch]` on a device.
    pub(crate) fn inputs(&self, device: &Device) -> (Tensor<2, Int>, Tensor<1>) {
        let context: Vec<i32> = self.context.iter().map(|&token| token as i32).collect();
        let time = |&step: &Step| (step as f64 / self.horizon as f64) as f32;
        let times: Vec<f32> = self.steps.iter().map(time).collect();
        let rows = self.rows();
        (
            Tensor::from_data(TensorData::new(context, [rows, self.len]), device),
            Tensor::from_data(TensorData::new(times, [rows]), device),
        )
    }

    /// The labels that an objective looks at, on a device.
    pub(crate) fn labels(&self, objective: Objective, schedule: &Schedule, device: &Device) -> Labels {
        let shape = [self.rows(), self.asked()];
        let token = |at: usize| match objective {
            Objective::Denoising => self.clean_at(at),
            _ => self.shown[at],
        };
        let tokens: Vec<i32> = (0..self.shown.len()).map(|at| token(at) as i32).collect();
        let sign = |&noise: &bool| if noise { 1.0f32 } else { -1.0 };
        let signs: Vec<f32> = self.noise.iter().map(sign).collect();
        let offset = |at: usize| {
            let step = self.steps[at / self.asked()];
            let noise = schedule.log_noise_probability(step, self.shown[at]);
            (schedule.log_keep_probability(step) - noise) as f32
        };
        let offsets: Vec<f32> = match objective {
            Objective::NormalisedBinary => (0..self.shown.len()).map(offset).collect(),
            _ => vec![0.0; self.shown.len()],
        };
        Labels {
            token: Tensor::from_data(TensorData::new(tokens, shape), device),
            sign: Tensor::from_data(TensorData::new(signs, shape), device),
            offset: Tensor::from_data(TensorData::new(offsets, shape), device),
        }
    }

    /// The clean token behind label `at`.
    pub fn clean_at(&self, at: usize) -> Token {
        let row = at / self.asked();
        self.clean[row * self.len + self.site(row, at % self.asked())]
    }

    /// The token of `X_t` behind label `at`.
    pub fn noisy_at(&self, at: usize) -> Token {
        let row = at / self.asked();
        self.context[row * self.len + self.site(row, at % self.asked())]
    }
}
