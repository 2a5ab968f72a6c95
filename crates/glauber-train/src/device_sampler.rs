//! The reverse chain on the device: tokens and logits stay there.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};

use glauber_chain::{ChainError, ChainRng, Chains, DrawControls};
use glauber_model::{Conditions, Incremental, Network, SiteClassifier, Sites};
use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token, TokenBatch};

use crate::{Objective, TrainError};

/// Heat bath down a schedule without a round trip: each step sends up one uniform number a redraw and the numbers of its sites; nothing
/// of shape `[row, token]` comes back. The noise levels of a sweep go up when it begins.
///
/// Draws are those of [`HeatBath`](glauber_chain::HeatBath) from the same generators, but in single precision: where a uniform number
/// falls within rounding of the border between two tokens, or tokens tie at the edge of top-k or the nucleus, the two may differ.
pub struct DeviceSampler<'a> {
    network: &'a Network,
    objective: Objective,
    schedule: &'a Schedule,
    controls: DrawControls,
    class: Option<usize>,
    device: &'a Device,
    /// `q`, shape `[1, 1, token]`.
    noise: Tensor<3>,
}

/// Chains whose tokens lie on a device; their generators stay on the host.
pub struct DeviceChains {
    /// `[row, site]`.
    tokens: Tensor<2, Int>,
    rngs: Vec<ChainRng>,
    /// Which sites are known, `[row, site]`, on the host and on the device.
    clamped: Option<(Vec<bool>, Tensor<2, Bool>)>,
}

impl DeviceChains {
    /// Copies chains to a device.
    pub fn upload(chains: &Chains, device: &Device) -> Self {
        let (rows, len) = (chains.rows(), chains.len());
        let tokens: Vec<i32> = chains.tokens().as_slice().iter().map(|&token| token as i32).collect();
        let places = (0..rows).flat_map(|row| (0..len).map(move |site| (row, site)));
        let known: Vec<bool> = places.map(|(row, site)| chains.is_clamped(row, site)).collect();
        let on_device = |known: Vec<bool>| {
            let mask = Tensor::from_data(TensorData::new(known.clone(), [rows, len]), device);
            (known, mask)
        };
        Self {
            tokens: Tensor::from_data(TensorData::new(tokens, [rows, len]), device),
            rngs: chains.rngs().to_vec(),
            clamped: known.contains(&true).then(|| on_device(known)),
        }
    }

    /// Brings the sequences back, shape `[row, site]`, with the generators.
    ///
    /// # Errors
    /// When the device returns something else than tokens.
    pub fn download(self) -> Result<(TokenBatch, Vec<ChainRng>), TrainError> {
        let len = self.tokens.dims()[1];
        let tokens: Vec<Token> = self.tokens.into_data().iter::<i64>().map(|token| token as Token).collect();
        let batch = TokenBatch::new(tokens, len).map_err(|error| TrainError::Sampling(error.to_string()))?;
        Ok((batch, self.rngs))
    }

    /// One uniform number for every free site of the block, 0 at known ones: `[row, site of the block]`.
    fn uniforms(&mut self, sites: &[Site]) -> Tensor<3> {
        let [rows, len] = self.tokens.dims();
        let mut values = Vec::with_capacity(rows * sites.len());
        for (row, rng) in self.rngs.iter_mut().enumerate() {
            for &site in sites {
                let known = self.clamped.as_ref().is_some_and(|(known, _)| known[row * len + site]);
                values.push(if known { 0.0 } else { rng.uniform() as f32 });
            }
        }
        Tensor::from_data(TensorData::new(values, [rows, sites.len(), 1]), &self.tokens.device())
    }

    /// Writes drawn tokens, `[row, site of the block]`, where sites are free.
    fn write(&mut self, sites: &[Site], drawn: Tensor<2, Int>) {
        let rows = drawn.dims()[0];
        for (at, &site) in sites.iter().enumerate() {
            let column = [0..rows, site..site + 1];
            let drawn = drawn.clone().narrow(1, at, 1);
            let drawn = match &self.clamped {
                None => drawn,
                Some((_, known)) => {
                    let old = self.tokens.clone().slice(column.clone());
                    drawn.mask_where(known.clone().slice(column.clone()), old)
                }
            };
            self.tokens = self.tokens.clone().slice_assign(column, drawn);
        }
    }
}

impl<'a> DeviceSampler<'a> {
    /// Puts a network, the objective it was trained with and a schedule together, on the device that holds the network, which must not be
    /// an autodiff one.
    ///
    /// # Errors
    /// When a control is out of range.
    pub fn new(
        network: &'a Network,
        objective: Objective,
        schedule: &'a Schedule,
        controls: DrawControls,
        device: &'a Device,
    ) -> Result<Self, ChainError> {
        controls.validate()?;
        let noise: Vec<f32> = schedule.law().probabilities().iter().map(|&q| q as f32).collect();
        let shape = [1, 1, noise.len()];
        let noise = Tensor::from_data(TensorData::new(noise, shape), device);
        Ok(Self { network, objective, schedule, controls, class: None, device, noise })
    }

    /// Samples one class of a network that was trained with classes.
    pub fn of_class(self, class: Option<usize>) -> Self {
        Self { class, ..self }
    }

    /// The reverse chain from time `from` to time `to`; `after_sweep` is told the number of sweeps left.
    ///
    /// # Errors
    /// When `to ≤ from ≤ T` does not hold, or the chains have another number of sites.
    pub fn run(
        &self,
        chains: &mut DeviceChains,
        from: Step,
        to: Step,
        mut after_sweep: impl FnMut(usize),
    ) -> Result<(), ChainError> {
        let horizon = self.schedule.horizon();
        if to > from || from > horizon {
            return Err(ChainError::OutsideHorizon { from, to, horizon });
        }
        let (found, expected) = (chains.tokens.dims()[1], self.schedule.len());
        if found != expected {
            return Err(ChainError::Mismatch { what: "sites of the chains", found, expected });
        }
        let order = self.schedule.order();
        let mut now = from;
        let mut kept = None;
        while now > to {
            let sweep = order.sweep_of(now - 1);
            let next = order.sweep_start(sweep).max(to);
            let levels = self.levels(next, now);
            for step in (next..now).rev() {
                self.step(chains, step, levels.clone().narrow(0, step - next, 1), &mut kept);
            }
            now = next;
            after_sweep(sweep);
        }
        Ok(())
    }

    /// The signal levels at some steps, `[step, site]`.
    fn levels(&self, from: Step, to: Step) -> Tensor<2> {
        let len = self.schedule.len();
        let levels =
            (from..to).flat_map(|step| (0..len).map(move |site| self.schedule.signal_level(site, step) as f32));
        Tensor::from_data(TensorData::new(levels.collect::<Vec<f32>>(), [to - from, len]), self.device)
    }

    /// What a network says of some sites. A hollow one that is not told the time keeps its streams' states from step to step.
    fn logits(
        &self,
        chains: &DeviceChains,
        step: Step,
        levels: &Tensor<2>,
        kept: &mut Option<Incremental<'a>>,
    ) -> Tensor<3> {
        let sites = self.schedule.sites(step);
        let conditions = self.conditions(chains, step, levels);
        let Network::Hollow(hollow) = self.network else {
            return self.network.logits(self.context(chains, sites), &conditions, Sites::Block(sites));
        };
        let states = match kept.take().filter(|_| !hollow.follows_time()) {
            None => Incremental::new(hollow, chains.tokens.clone(), &conditions),
            Some(mut states) => {
                for site in self.changed_before(step) {
                    let (tokens, levels) = (chains.tokens.clone(), conditions.levels.clone());
                    states.set(site, tokens.narrow(1, site, 1), levels.narrow(1, site, 1));
                }
                states
            }
        };
        kept.insert(states).logits(sites)
    }

    /// The sites whose tokens or signal levels at a step are not those of the step before it on the way down.
    fn changed_before(&self, step: Step) -> Vec<Site> {
        let written = self.schedule.sites(step + 1);
        let level = |site, step| self.schedule.signal_level(site, step);
        let changed = |&site: &Site| written.contains(&site) || level(site, step) != level(site, step + 1);
        (0..self.schedule.len()).filter(changed).collect()
    }

    fn step(&self, chains: &mut DeviceChains, step: Step, levels: Tensor<2>, kept: &mut Option<Incremental<'a>>) {
        let sites = self.schedule.sites(step);
        let uniforms = chains.uniforms(sites);
        let logits = self.logits(chains, step, &levels, kept);
        // The sites of a step have mostly one level, but need not have.
        let level = sites.iter().map(|&site| levels.clone().narrow(1, site, 1)).collect();
        let level = Tensor::cat(level, 1).unsqueeze_dim::<3>(2);
        let weights =
            self.controlled(self.objective.log_conditional_on_device(logits, level, self.noise.clone(), self.mask()));
        chains.write(sites, draw(weights, uniforms));
    }

    fn mask(&self) -> Option<Token> {
        self.schedule.law().mask()
    }

    /// The tokens as the network is to see them: a bidirectional one must not see the sites asked for.
    fn context(&self, chains: &DeviceChains, sites: &[Site]) -> Tensor<2, Int> {
        let tokens = chains.tokens.clone();
        let (Network::Bidirectional(_), Some(mask)) = (self.network, self.mask()) else { return tokens };
        let rows = tokens.dims()[0];
        sites.iter().fold(tokens, |tokens, &site| {
            let column = [0..rows, site..site + 1];
            tokens.slice_assign(column, Tensor::full([rows, 1], mask as i32, self.device))
        })
    }

    fn conditions(&self, chains: &DeviceChains, step: Step, levels: &Tensor<2>) -> Conditions {
        let [rows, len] = chains.tokens.dims();
        let levels = levels.clone().expand([rows, len]);
        Conditions {
            time: Tensor::full([rows], step as f64 / self.schedule.horizon() as f64, self.device),
            levels: match &chains.clamped {
                Some((_, known)) => levels.mask_fill(known.clone(), 1.0),
                None => levels,
            },
            classes: self.class.map(|class| Tensor::full([rows], class as i32, self.device)),
        }
    }

    /// Temperature, top-k and nucleus: log-probabilities `[row, site, token]` to weights.
    fn controlled(&self, log_r: Tensor<3>) -> Tensor<3> {
        let peak = log_r.clone().max_dim(2);
        if self.controls.temperature == 0.0 {
            return first_of(log_r.equal(peak));
        }
        let weights = ((log_r - peak).div_scalar(self.controls.temperature)).exp();
        let vocab = weights.dims()[2];
        let weights = match self.controls.top_k.filter(|&k| k < vocab) {
            Some(k) => keep_from(weights.clone(), weights.topk(k, 2).narrow(2, k - 1, 1)),
            None => weights,
        };
        match self.controls.top_p {
            Some(p) => nucleus(weights, p),
            None => weights,
        }
    }
}

/// 1 at the first true entry of the last axis, else 0.
fn first_of(found: Tensor<3, Bool>) -> Tensor<3> {
    let found = found.float();
    let count = found.clone().cumsum(2);
    found * count.equal_elem(1.0).float()
}

/// Weights below the least one that is kept become 0.
fn keep_from(weights: Tensor<3>, least: Tensor<3>) -> Tensor<3> {
    let shape = weights.dims();
    let dropped = weights.clone().lower(least.expand(shape));
    weights.mask_fill(dropped, 0.0)
}

/// The most probable tokens that together have the share `p` of the mass.
fn nucleus(weights: Tensor<3>, p: f64) -> Tensor<3> {
    let ranked = weights.clone().sort_descending(2);
    let before = ranked.clone().cumsum(2) - ranked.clone();
    let goal = weights.clone().sum_dim(2).mul_scalar(p);
    let shape = ranked.dims();
    // Whatever comes after the goal is out: it must not decide the least weight.
    let out = before.greater_equal(goal.expand(shape));
    let least = ranked.mask_fill(out, f32::INFINITY).min_dim(2);
    keep_from(weights, least)
}

/// The token in whose stretch of the total weight the uniform number `[row, site, 1]` falls: `[row, site]`.
fn draw(weights: Tensor<3>, uniforms: Tensor<3>) -> Tensor<2, Int> {
    let [rows, sites, vocab] = weights.dims();
    let mass = weights.clone().cumsum(2);
    // The goal stays below the sum as it was added up, so that the last stretch is not overshot.
    let total = mass.clone().narrow(2, vocab - 1, 1);
    let passed = mass.clone().lower_equal(uniforms * total.clone()).bool_and(mass.lower(total));
    passed.int().sum_dim(2).reshape([rows, sites])
}

impl Objective {
    /// [`log_conditional`](Self::log_conditional) of all sites asked for at once, on the device.
    ///
    /// # Shapes
    /// - logits and output: `[batch, asked site, token]`
    /// - level: `[1 or batch, asked site, 1]`
    /// - noise: `q`, `[1, 1, token]`
    fn log_conditional_on_device(
        self,
        logits: Tensor<3>,
        level: Tensor<3>,
        noise: Tensor<3>,
        mask: Option<Token>,
    ) -> Tensor<3> {
        let shape = logits.dims();
        if self == Self::Binary {
            return log_softmax(logits + noise.log(), 2);
        }
        if matches!(self, Self::NormalisedBinary | Self::StepCrossEntropy) {
            return log_softmax(logits, 2);
        }
        let logits = match mask {
            Some(mask) => {
                let column = [0..shape[0], 0..shape[1], mask as usize..mask as usize + 1];
                let never = Tensor::full([shape[0], shape[1], 1], f32::NEG_INFINITY, &logits.device());
                logits.slice_assign(column, never)
            }
            None => logits,
        };
        let mu = log_softmax(logits, 2).exp();
        let noise = noise * level.clone().neg().add_scalar(1.0);
        (mu * level + noise).log()
    }
}
