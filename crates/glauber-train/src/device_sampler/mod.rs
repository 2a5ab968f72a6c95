//! The reverse chain on the device: tokens and logits stay there. Draws are in `f32`; they agree with the host, the reference, except
//! where a uniform number falls within rounding of a border.

mod chains;
mod draws;

pub use chains::DeviceChains;

use burn::tensor::{Device, Int, Tensor, TensorData};

use glauber_chain::{ChainError, Chains, DrawControls, StepDiagnostics};
use glauber_model::{Asked, Conditions, SiteClassifier, Sites, States};
use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token, TokenBatch, TokenError};

use self::draws::{controlled, draw};
use crate::objective::law_tensor;
use crate::{DeviceLaw, Objective, TrainError, fit};

/// Maximal number of tokens on the device at once in [`DeviceSampler::undo`].
const MOST_TOKENS: usize = 1 << 16;

/// Heat bath down a schedule without round trips. Each step uploads one uniform number per redraw and the indices of
/// its sites; no tensor of shape `[row, token]` is downloaded. The noise levels of a sweep are uploaded at its start.
///
/// Draws equal those of [`HeatBath`](glauber_chain::HeatBath) from the same generators, but in single precision. They
/// may differ if a uniform number is within rounding of the border between two tokens, or tokens tie at the edge of
/// top-k or the nucleus.
pub struct DeviceSampler<'a> {
    network: &'a dyn SiteClassifier,
    objective: &'a dyn Objective,
    schedule: &'a Schedule,
    controls: DrawControls,
    class: Option<usize>,
    device: &'a Device,
    /// `q`, shape `[1, 1, token]`.
    noise: Tensor<3>,
}

impl<'a> DeviceSampler<'a> {
    /// Combines a network, its training objective and a schedule on the network's device, which must not be an autodiff
    /// one.
    ///
    /// # Errors
    /// When a control is out of range, and as [`NetworkConditional::new`](crate::NetworkConditional::new).
    pub fn new(
        network: &'a dyn SiteClassifier,
        objective: &'a dyn Objective,
        schedule: &'a Schedule,
        controls: DrawControls,
        device: &'a Device,
    ) -> Result<Self, TrainError> {
        controls.validate()?;
        fit::check(network, objective, schedule)?;
        let noise = law_tensor(schedule.law(), device);
        Ok(Self { network, objective, schedule, controls, class: None, device, noise })
    }

    /// Class conditioning: samples one class of a network trained with classes.
    ///
    /// # Errors
    /// [`TrainError::Class`] when the network does not know the class.
    pub fn of_class(self, class: Option<usize>) -> Result<Self, TrainError> {
        fit::check_class(self.network, class)?;
        Ok(Self { class, ..self })
    }

    /// Runs the reverse chain from time `from` to time `to` for chains on the host. Uploads and downloads groups of
    /// rows that fit on the device. `after_sweep` receives the mean time of the chains.
    ///
    /// # Errors
    /// As [`run`](Self::run); the chains are then unchanged.
    pub fn undo(
        &self,
        chains: &mut Chains,
        from: Step,
        to: Step,
        mut after_sweep: impl FnMut(Step),
    ) -> Result<StepDiagnostics, TrainError> {
        let (rows, len) = (chains.rows(), chains.len());
        let at_once = (MOST_TOKENS / len).max(1);
        let order = self.schedule.order();
        let mut done = StepDiagnostics::default();
        let (mut tokens, mut rngs, mut clamped) = (Vec::new(), Vec::new(), Vec::new());
        for first in (0..rows).step_by(at_once) {
            let here = first..(first + at_once).min(rows);
            let mut on_device = DeviceChains::upload_rows(chains, here.clone(), self.device);
            done += self.run(&mut on_device, from, to, |sweep| {
                let now = order.sweep_start(sweep).max(to);
                after_sweep((here.start * to + here.len() * now + (rows - here.end) * from) / rows);
            })?;
            let places = here.flat_map(|row| (0..len).map(move |site| (row, site)));
            clamped.extend(places.map(|(row, site)| chains.is_clamped(row, site)));
            let (part, generators) = on_device.download()?.into_parts();
            tokens.extend(part.into_vec());
            rngs.extend(generators);
        }
        let batch = TokenBatch::new(tokens, len).map_err(ChainError::from)?;
        *chains = Chains::new(batch, rngs)?;
        chains.set_clamped(clamped)?;
        Ok(done)
    }

    /// Runs the reverse chain from time `from` to time `to`. `after_sweep` receives the number of sweeps left.
    ///
    /// # Errors
    /// If `to ≤ from ≤ T` does not hold, or the chains have another number of sites or a token outside the vocabulary.
    /// At the end of a sweep, if a conditional contained a NaN or had zero mass.
    pub fn run(
        &self,
        chains: &mut DeviceChains,
        from: Step,
        to: Step,
        mut after_sweep: impl FnMut(usize),
    ) -> Result<StepDiagnostics, TrainError> {
        let horizon = self.schedule.horizon();
        if to > from || from > horizon {
            return Err(ChainError::OutsideHorizon { from, to, horizon }.into());
        }
        fit::agree("sites of the chains", chains.tokens.dims()[1], self.schedule.len())?;
        let ((token, row, site), vocab) = (chains.highest, self.schedule.law().vocab());
        if token as usize >= vocab {
            return Err(ChainError::from(TokenError::OutsideVocabulary { token, row, site, vocab }).into());
        }
        let mut done = StepDiagnostics::default();
        let order = self.schedule.order();
        let mut now = from;
        let mut kept = None;
        while now > to {
            let sweep = order.sweep_of(now - 1);
            let next = order.sweep_start(sweep).max(to);
            let levels = self.levels(next, now);
            for step in (next..now).rev() {
                self.step(chains, step, levels.clone().narrow(0, step - next, 1), &mut kept);
                done += chains.count(self.schedule.sites(step));
            }
            done.changes += chains.settle(sweep)?;
            now = next;
            after_sweep(sweep);
        }
        Ok(done)
    }

    /// The signal levels at some steps, `[step, site]`.
    fn levels(&self, from: Step, to: Step) -> Tensor<2> {
        let len = self.schedule.len();
        let levels =
            (from..to).flat_map(|step| (0..len).map(move |site| self.schedule.signal_level(site, step) as f32));
        Tensor::from_data(TensorData::new(levels.collect::<Vec<f32>>(), [to - from, len]), self.device)
    }

    /// The network's logits at some sites. A hollow network that is not conditioned on the time caches its streams'
    /// states between steps.
    fn logits(
        &self,
        chains: &DeviceChains,
        step: Step,
        levels: &Tensor<2>,
        kept: &mut Option<Box<dyn States + 'a>>,
    ) -> Tensor<3> {
        let sites = self.schedule.sites(step);
        let conditions = self.conditions(chains, step, levels);
        let network = self.network;
        if network.answers() == Asked::Masked {
            // Each site is hidden in a pass of its own: the others asked for are seen.
            let logits = |&site: &Site| network.logits(self.without(chains, site), &conditions, Sites::Block(&[site]));
            return Tensor::cat(sites.iter().map(logits).collect(), 1);
        }
        let states = match kept.take().filter(|_| !network.follows_time()) {
            None => match network.states(chains.tokens.clone(), &conditions) {
                Some(states) => states,
                None => return network.logits(chains.tokens.clone(), &conditions, Sites::Block(sites)),
            },
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

    /// The sites whose tokens or signal levels changed since the previous step of the reverse chain.
    fn changed_before(&self, step: Step) -> Vec<Site> {
        let written = self.schedule.sites(step + 1);
        let level = |site, step| self.schedule.signal_level(site, step);
        let changed = |&site: &Site| written.contains(&site) || level(site, step) != level(site, step + 1);
        (0..self.schedule.len()).filter(changed).collect()
    }

    fn step(&self, chains: &mut DeviceChains, step: Step, levels: Tensor<2>, kept: &mut Option<Box<dyn States + 'a>>) {
        let sites = self.schedule.sites(step);
        let uniforms = chains.uniforms(sites);
        let logits = self.logits(chains, step, &levels, kept);
        let log_r = self.log_conditionals(logits, step, &levels);
        let (drawn, lawful) = draw(controlled(&self.controls, log_r), uniforms);
        chains.write(sites, drawn, lawful);
    }

    /// `log r` of the sites of a step at the level before it, `[row, site, token]`. The sites have mostly one level, but need not have.
    fn log_conditionals(&self, logits: Tensor<3>, step: Step, levels: &Tensor<2>) -> Tensor<3> {
        let (output, sites) = (self.objective.output(), self.schedule.sites(step));
        let of = |levels: &Tensor<2>| {
            let levels = sites.iter().map(|&site| levels.clone().narrow(1, site, 1)).collect();
            Tensor::cat(levels, 1).unsqueeze_dim::<3>(2)
        };
        let law = |level, step| DeviceLaw { level, noise: self.noise_at(sites[0], step), mask: self.mask() };
        let before = of(levels);
        if self.schedule.order().is_single_site() || output.is_of_clean_token() {
            return output.on_device(logits, &law(before, step));
        }
        // What was asked for is `r` at the level after the step. μ is the same: what is below 0 by rounding or by a network that has
        // learned little is 0, and the rest sums to 1. A NaN stays a NaN.
        let noise = |level: &Tensor<3>, step| self.noise_at(sites[0], step) * level.clone().neg().add_scalar(1.0);
        let after = of(&self.levels(step + 1, step + 2));
        let signal = output.on_device(logits, &law(after.clone(), step + 1)).exp() - noise(&after, step + 1);
        let signal = signal.clone().mask_fill(signal.lower_elem(0.0), 0.0);
        let [rows, asked, _] = signal.dims();
        let signal = self.mask().map(|mask| mask as usize).into_iter().fold(signal, |signal, mask| {
            let none = Tensor::zeros([rows, asked, 1], self.device);
            signal.slice_assign([0..rows, 0..asked, mask..mask + 1], none)
        });
        let mass = signal.clone().sum_dim(2);
        let mass = mass.clone().mask_fill(mass.equal_elem(0.0), 1.0);
        (signal / mass * before.clone() + noise(&before, step)).log()
    }

    /// `q` of a site at a time, `[1, 1, token]`. For a moving law, all sites of a step have equally many touches.
    fn noise_at(&self, site: Site, time: Step) -> Tensor<3> {
        if !self.schedule.law_of_levels().is_moving() {
            return self.noise.clone();
        }
        law_tensor(self.schedule.law_at(site, time), self.device)
    }

    fn mask(&self) -> Option<Token> {
        self.schedule.law().mask()
    }

    /// The tokens with the requested sites masked, for a bidirectional network.
    fn without(&self, chains: &DeviceChains, site: Site) -> Tensor<2, Int> {
        let (tokens, Some(mask)) = (chains.tokens.clone(), self.mask()) else { unreachable!("checked by `new`") };
        let rows = tokens.dims()[0];
        tokens.slice_assign([0..rows, site..site + 1], Tensor::full([rows, 1], mask as i32, self.device))
    }

    fn conditions(&self, chains: &DeviceChains, step: Step, levels: &Tensor<2>) -> Conditions {
        let [rows, len] = chains.tokens.dims();
        // A step of several sites finds them as they are after it, and so is a token in view.
        let several = !self.schedule.order().is_single_site();
        let levels = match several || self.network.answers() == Asked::InView {
            true => self.levels(step + 1, step + 2),
            false => levels.clone(),
        };
        let step = step + usize::from(several);
        let levels = levels.expand([rows, len]);
        Conditions {
            time: Tensor::full([rows], step as f64 / self.schedule.horizon() as f64, self.device),
            levels: match &chains.clamped {
                Some((_, known)) => levels.mask_fill(known.clone(), 1.0),
                None => levels,
            },
            classes: self.class.map(|class| Tensor::full([rows], class as i32, self.device)),
            parts: None,
            right: None,
        }
    }
}
