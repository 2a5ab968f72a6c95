//! A trained network behind the chain's seam.

use burn::tensor::{Device, Int, Tensor, TensorData};

use glauber_chain::{ChainError, RowSites, SiteConditional, TokenRows};
use glauber_model::{Conditions, Network, SiteClassifier, Sites};
use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step};

use crate::Objective;

/// Rows that are evaluated at a time, so that memory does not grow with the number of chains.
const MOST_ROWS: usize = 64;

/// The conditionals `log r_θ(a)` of a network, as the kernels want them.
///
/// The schedule may have other sweeps than the one trained on: the network is told the time over the horizon and the signal levels.
/// Sites that are clamped count as clean where the network is conditioned on signal levels.
#[derive(Clone, Copy)]
pub struct NetworkConditional<'a> {
    network: &'a Network,
    objective: Objective,
    schedule: &'a Schedule,
    device: &'a Device,
    class: Option<usize>,
}

impl<'a> NetworkConditional<'a> {
    /// Puts a network, the objective it was trained with and a schedule together. The device must not be an autodiff one.
    pub fn new(network: &'a Network, objective: Objective, schedule: &'a Schedule, device: &'a Device) -> Self {
        Self { network, objective, schedule, device, class: None }
    }

    /// The conditionals of one class. A network that was trained with classes gives the law of them all together without.
    pub fn of_class(self, class: Option<usize>) -> Self {
        Self { class, ..self }
    }

    /// Writes `log r_θ` of the sites asked for, `out` of shape `[row, asked site, token]`.
    fn evaluate(&self, tokens: TokenRows<'_>, steps: &[Step], sites: Sites<'_>, out: &mut [f64]) {
        let len = tokens.len();
        let size = sites.per_row(len) * self.vocab();
        for (chunk, part) in out.chunks_mut(MOST_ROWS * size).enumerate() {
            let rows = chunk * MOST_ROWS..(chunk * MOST_ROWS + part.len() / size);
            let sites = match sites {
                Sites::Each(each) => Sites::Each(&each[rows.clone()]),
                same => same,
            };
            let logits = self.logits(tokens.slice(rows.clone()), &steps[rows.clone()], sites);
            for (value, logit) in part.iter_mut().zip(logits) {
                *value = f64::from(logit);
            }
            for (at, row) in part.chunks_exact_mut(self.vocab()).enumerate() {
                let step = steps[rows.start + at / sites.per_row(len)];
                let site = asked_site(sites, at, len);
                self.objective.log_conditional(self.schedule, step, site, row);
            }
        }
    }

    fn logits(&self, tokens: TokenRows<'_>, steps: &[Step], sites: Sites<'_>) -> Vec<f32> {
        let (rows, len) = (tokens.rows(), tokens.len());
        let mut context: Vec<i32> = tokens.as_slice().iter().map(|&token| token as i32).collect();
        self.hide(&mut context, sites, len);
        let context = Tensor::<2, Int>::from_data(TensorData::new(context, [rows, len]), self.device);
        let logits = self.network.logits(context, &self.conditions(tokens, steps), sites);
        logits.into_data().iter::<f32>().collect()
    }

    /// A bidirectional network sees every token that it is shown: the sites asked for are masked. Asked for all of them, it is shown
    /// what there is, and its logits hold at masked sites.
    fn hide(&self, context: &mut [i32], sites: Sites<'_>, len: usize) {
        let (Network::Bidirectional(_), Some(mask)) = (self.network, self.schedule.law().mask()) else { return };
        for (row, tokens) in context.chunks_exact_mut(len).enumerate() {
            match sites {
                Sites::All => {}
                Sites::Block(block) => block.iter().for_each(|&site| tokens[site] = mask as i32),
                Sites::Each(each) => tokens[each[row]] = mask as i32,
            }
        }
    }

    fn conditions(&self, tokens: TokenRows<'_>, steps: &[Step]) -> Conditions {
        let (rows, len) = (tokens.rows(), tokens.len());
        let horizon = self.schedule.horizon() as f64;
        let times: Vec<f32> = steps.iter().map(|&step| (step as f64 / horizon) as f32).collect();
        let mut levels = vec![0.0; len];
        let mut all = Vec::with_capacity(rows * len);
        for (row, &step) in steps.iter().enumerate() {
            // Rows mostly stand at the same step.
            if row == 0 || steps[row - 1] != step {
                self.schedule.signal_levels(step, &mut levels);
            }
            let known = |site: usize| tokens.clamped(row).is_some_and(|clamped| clamped[site]);
            all.extend((0..len).map(|site| if known(site) { 1.0 } else { levels[site] as f32 }));
        }
        let class = |class: usize| Tensor::from_data(TensorData::new(vec![class as i32; rows], [rows]), self.device);
        Conditions {
            time: Tensor::from_data(TensorData::new(times, [rows]), self.device),
            levels: Tensor::from_data(TensorData::new(all, [rows, len]), self.device),
            classes: self.class.map(class),
        }
    }
}

/// The site behind row `at` of conditionals of shape `[row, asked site]`.
fn asked_site(sites: Sites<'_>, at: usize, len: usize) -> Site {
    match sites {
        Sites::All => at % len,
        Sites::Block(block) => block[at % block.len()],
        Sites::Each(each) => each[at],
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
        let every = sites.len() == tokens.len() && sites.iter().copied().eq(0..tokens.len());
        let sites = if every { Sites::All } else { Sites::Block(sites) };
        self.evaluate(tokens, &vec![step; tokens.rows()], sites, out);
        Ok(())
    }

    fn log_conditionals_at(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: RowSites<'_>,
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        let sites = match sites {
            RowSites::All => Sites::All,
            RowSites::Each(each) => Sites::Each(each),
        };
        self.evaluate(tokens, steps, sites, out);
        Ok(())
    }
}
