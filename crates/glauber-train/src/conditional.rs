//! A trained network behind the chain's seam.

use burn::tensor::{Device, Int, Tensor, TensorData};

use glauber_chain::{ChainError, SiteConditional, TokenRows};
use glauber_model::{Network, SiteClassifier, Sites};
use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step};

use crate::Objective;

/// The conditionals `log r_θ(a)` of a network, as the heat-bath kernel wants them.
///
/// Rows are evaluated `max_rows` at a time, so that memory does not grow with the number of chains.
pub struct NetworkConditional<'a> {
    network: &'a Network,
    objective: Objective,
    schedule: &'a Schedule,
    device: &'a Device,
    max_rows: usize,
}

impl<'a> NetworkConditional<'a> {
    /// Puts a network, the objective it was trained with and its schedule together. The device must not be an autodiff one.
    pub fn new(network: &'a Network, objective: Objective, schedule: &'a Schedule, device: &'a Device) -> Self {
        Self { network, objective, schedule, device, max_rows: 64 }
    }

    fn logits(&self, rows: &[u32], len: usize, step: Step, sites: &[Site]) -> Vec<f32> {
        let batch = rows.len() / len;
        let tokens: Vec<i32> = rows.iter().map(|&token| token as i32).collect();
        let tokens = TensorData::new(tokens, [batch, len]);
        let time = step as f64 / self.schedule.horizon() as f64;
        let logits = self.network.logits(
            Tensor::<2, Int>::from_data(tokens, self.device),
            Tensor::full([batch], time, self.device),
            match sites.len() == len && sites.iter().copied().eq(0..len) {
                true => Sites::All,
                false => Sites::Block(sites),
            },
        );
        logits.into_data().iter::<f32>().collect()
    }
}

impl SiteConditional for NetworkConditional<'_> {
    fn vocab(&self) -> usize {
        self.schedule.law().vocab()
    }

    fn len(&self) -> usize {
        self.schedule.len()
    }

    fn log_conditionals(
        &self,
        tokens: TokenRows<'_>,
        step: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        let (len, vocab) = (tokens.len(), self.vocab());
        let rows = tokens.as_slice().chunks(self.max_rows * len);
        let parts = out.chunks_mut(self.max_rows * sites.len() * vocab);
        for (rows, part) in rows.zip(parts) {
            for (value, logit) in part.iter_mut().zip(self.logits(rows, len, step, sites)) {
                *value = f64::from(logit);
            }
        }
        for (at, row) in out.chunks_exact_mut(vocab).enumerate() {
            let site = sites[at % sites.len()];
            self.objective.log_conditional(self.schedule, step, site, row);
        }
        Ok(())
    }
}
