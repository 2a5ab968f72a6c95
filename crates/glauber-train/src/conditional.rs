//! A trained network behind the chain's seam.

use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Int, Tensor, TensorData};

use glauber_chain::{ChainError, RowSites, SiteConditional, TokenRows};
use glauber_model::{Conditions, Hollow, Incremental, Network, SiteClassifier, Sites};
use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step};

use crate::Objective;

/// Rows that are evaluated at a time, so that memory does not grow with the number of chains.
const MOST_ROWS: usize = 64;

/// The conditionals `log r_θ(a)` of a network, as the kernels want them.
///
/// The schedule may have other sweeps than the one trained on: the network is told the time over the horizon and the signal levels.
/// Sites that are clamped count as clean where the network is conditioned on signal levels.
///
/// Asked for the same sites of every row, a hollow network keeps its streams' states for the next question ([`Incremental`]): the same
/// numbers but for the rounding of single precision.
pub struct NetworkConditional<'a> {
    network: &'a Network,
    objective: Objective,
    schedule: &'a Schedule,
    device: &'a Device,
    class: Option<usize>,
    /// For each stretch of [`MOST_ROWS`] rows, what the network computed last.
    kept: Mutex<Vec<Option<Kept<'a>>>>,
}

/// Rows, and what a hollow network computed for them.
struct Kept<'a> {
    inputs: Inputs,
    states: Incremental<'a>,
}

/// What a network is told about some rows.
struct Inputs {
    /// Shape `[row, site]`.
    tokens: Vec<i32>,
    /// Shape `[row]`.
    times: Vec<f32>,
    /// Shape `[row, site]`.
    levels: Vec<f32>,
    class: Option<usize>,
    len: usize,
}

impl Inputs {
    fn rows(&self) -> usize {
        self.times.len()
    }

    fn tokens(&self, device: &Device) -> Tensor<2, Int> {
        Tensor::from_data(TensorData::new(self.tokens.clone(), [self.rows(), self.len]), device)
    }

    fn conditions(&self, device: &Device) -> Conditions {
        let rows = self.rows();
        let class = |class: usize| Tensor::from_data(TensorData::new(vec![class as i32; rows], [rows]), device);
        Conditions {
            time: Tensor::from_data(TensorData::new(self.times.clone(), [rows]), device),
            levels: Tensor::from_data(TensorData::new(self.levels.clone(), [rows, self.len]), device),
            classes: self.class.map(class),
        }
    }

    /// What stands at a site of every row, shape `[row]`.
    fn column<T: Copy>(&self, values: &[T], site: Site) -> Vec<T> {
        values.iter().skip(site).step_by(self.len).copied().collect()
    }

    /// Sites that are not as they were in every row.
    fn changes_since(&self, old: &Self) -> Vec<Site> {
        let differs = |at: usize| self.tokens[at] != old.tokens[at] || self.levels[at] != old.levels[at];
        (0..self.len).filter(|&site| (site..self.tokens.len()).step_by(self.len).any(differs)).collect()
    }
}

impl<'a> Kept<'a> {
    fn new(hollow: &'a Hollow, inputs: Inputs, device: &Device) -> Self {
        let states = Incremental::new(hollow, inputs.tokens(device), &inputs.conditions(device));
        Self { inputs, states }
    }

    /// Whether what was computed says something about these rows.
    fn serves(&self, hollow: &Hollow, inputs: &Inputs) -> bool {
        let old = &self.inputs;
        let time = !hollow.follows_time() || old.times == inputs.times;
        time && old.class == inputs.class && old.tokens.len() == inputs.tokens.len()
    }

    /// Takes in what has changed.
    fn follow(&mut self, inputs: Inputs, device: &Device) {
        let shape = [inputs.rows(), 1];
        for site in inputs.changes_since(&self.inputs) {
            let tokens = TensorData::new(inputs.column(&inputs.tokens, site), shape);
            let levels = TensorData::new(inputs.column(&inputs.levels, site), shape);
            self.states.set(site, Tensor::from_data(tokens, device), Tensor::from_data(levels, device));
        }
        self.inputs = inputs;
    }
}

impl Clone for NetworkConditional<'_> {
    /// The same conditionals, with nothing kept yet.
    fn clone(&self) -> Self {
        Self { kept: Mutex::default(), ..*self }
    }
}

impl<'a> NetworkConditional<'a> {
    /// Puts a network, the objective it was trained with and a schedule together. The device must not be an autodiff one.
    pub fn new(network: &'a Network, objective: Objective, schedule: &'a Schedule, device: &'a Device) -> Self {
        Self { network, objective, schedule, device, class: None, kept: Mutex::default() }
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
            let inputs = self.inputs(tokens.slice(rows.clone()), &steps[rows.clone()]);
            let logits = self.logits(chunk, inputs, sites);
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

    fn logits(&self, chunk: usize, mut inputs: Inputs, sites: Sites<'_>) -> Vec<f32> {
        let logits = match (self.network, sites) {
            (Network::Hollow(hollow), Sites::Block(block)) => self.kept_logits(hollow, chunk, inputs, block),
            _ => {
                let len = inputs.len;
                self.hide(&mut inputs.tokens, sites, len);
                self.network.logits(inputs.tokens(self.device), &inputs.conditions(self.device), sites)
            }
        };
        logits.into_data().iter::<f32>().collect()
    }

    fn kept_logits(&self, hollow: &'a Hollow, chunk: usize, inputs: Inputs, block: &[Site]) -> Tensor<3> {
        // States are taken out while they are worked on: a panic leaves none behind that do not match their rows.
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() <= chunk {
            all.resize_with(chunk + 1, || None);
        }
        let kept = match all[chunk].take().filter(|kept| kept.serves(hollow, &inputs)) {
            Some(mut kept) => {
                kept.follow(inputs, self.device);
                kept
            }
            None => Kept::new(hollow, inputs, self.device),
        };
        all[chunk].insert(kept).states.logits(block)
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

    fn inputs(&self, tokens: TokenRows<'_>, steps: &[Step]) -> Inputs {
        let (rows, len) = (tokens.rows(), tokens.len());
        let horizon = self.schedule.horizon() as f64;
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
        Inputs {
            tokens: tokens.as_slice().iter().map(|&token| token as i32).collect(),
            times: steps.iter().map(|&step| (step as f64 / horizon) as f32).collect(),
            levels: all,
            class: self.class,
            len,
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
