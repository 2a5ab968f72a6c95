//! Training examples, drawn on the host.

use burn::tensor::{Device, Int, Tensor, TensorData};

use glauber_chain::{ChainRng, corrupt_at_levels};
use glauber_model::{Asked, Conditions, RightView, Sites};
use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use super::sequence::{check, density};
use super::{BlockSteps, Drawing, Label, Objective, Right, Targets};
use crate::{Passage, SequenceSource, TrainError};

/// The minimal noise probability in the evidence of a visible token.
const LEAST_NOISE: f64 = 1e-20;

/// A batch of noisy sequences with a label for every requested site.
///
/// Each row has its own step, stratified over the horizon, and is noised in closed form (equation (M)).
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    /// Sites per row, `L`.
    pub len: usize,
    /// The step of each row, shape `[row]`.
    pub steps: Vec<Step>,
    /// The step over the horizon, fractional if time is continuous, shape `[row]`.
    pub times: Vec<f64>,
    /// The signal level of each site, shape `[row, site]`.
    pub levels: Vec<f64>,
    /// The class of each row that the network receives, shape `[row]`; empty without classes.
    pub classes: Vec<usize>,
    /// The part of the data that each row is from, shape `[row]`.
    pub parts: Vec<Option<usize>>,
    /// Clean sequences `X_0`, shape `[row, site]`.
    pub clean: Vec<Token>,
    /// `log γ` of the clean sequences, shape `[row]`, for objectives that compare paths; else empty.
    pub log_densities: Vec<f64>,
    /// Noisy sequences `X_t`, shape `[row, site]`: the context of every label.
    pub context: Vec<Token>,
    /// For labels of a whole sweep: the tokens and levels to the right of each site. `context` and `levels` are those
    /// to the left, and `steps` has the sweep's first step.
    pub right: Option<Right>,
    /// For blocks with their own steps; the network also receives the clean sequences.
    pub blocks: Option<BlockSteps>,
    /// The requested site of each row, shape `[row]`; `None` requests all.
    pub sites: Option<Vec<Site>>,
    /// The token shown at each requested site, right after a step `t` that touched it: `Z` or `X_t`, shape `[row,
    /// requested site]`.
    pub shown: Vec<Token>,
    /// Whether the token shown is noise (`Z ≠ φ`), shape `[row, requested site]`.
    pub noise: Vec<bool>,
    /// Whether the label counts, shape `[row, requested site]`; `None` when all do.
    pub counted: Option<Vec<bool>>,
}

impl Examples {
    /// Draws `rows` examples.
    ///
    /// # Errors
    /// [`TrainError::Sequence`] when the source returns a token outside the vocabulary, an unknown class, or classes
    /// for only some sequences. Also when masked sites are requested without a mask token. Those of the source.
    pub fn draw(
        source: &dyn SequenceSource,
        schedule: &Schedule,
        rows: usize,
        drawing: &Drawing,
        rng: &mut ChainRng,
    ) -> Result<Self, TrainError> {
        if drawing.asked == Asked::Masked && schedule.law().mask().is_none() {
            let expected = "a noise law with one, where labels are those of masked sites".into();
            return Err(TrainError::Sequence { found: "no mask".into(), expected });
        }
        let len = schedule.len();
        let mut examples = Self {
            len,
            steps: Vec::with_capacity(rows),
            times: Vec::with_capacity(rows),
            levels: vec![1.0; rows * len],
            classes: Vec::new(),
            parts: Vec::with_capacity(rows),
            clean: vec![0; rows * len],
            log_densities: Vec::new(),
            context: vec![0; rows * len],
            right: drawing.whole_sweeps.then(|| Right { levels: vec![1.0; rows * len], context: vec![0; rows * len] }),
            blocks: drawing
                .block
                .map(|block| BlockSteps { block, steps: Vec::with_capacity(rows * len.div_ceil(block)) }),
            sites: (drawing.asked == Asked::OneSite).then(|| Vec::with_capacity(rows)),
            shown: Vec::new(),
            noise: Vec::new(),
            counted: (drawing.asked == Asked::Masked).then(Vec::new),
        };
        for row in 0..rows {
            let u = (row as f64 + rng.uniform()) / rows as f64;
            examples.draw_row(source, schedule, row, u, drawing, rng)?;
        }
        match examples.classes.len() {
            told if told == 0 || told == rows => Ok(examples),
            told => Err(TrainError::Sequence {
                found: format!("no class, but {told} of {rows} have one"),
                expected: "a class for every sequence, or for none".into(),
            }),
        }
    }

    fn draw_row(
        &mut self,
        source: &dyn SequenceSource,
        schedule: &Schedule,
        row: usize,
        u: f64,
        drawing: &Drawing,
        rng: &mut ChainRng,
    ) -> Result<(), TrainError> {
        let here = row * self.len..(row + 1) * self.len;
        let clean = &mut self.clean[here.clone()];
        let Passage { class, part } = source.passage(rng, clean)?;
        self.parts.push(part);
        check(clean, class, schedule.law().vocab(), drawing.classes)?;
        if let Some(class) = class {
            self.classes.push(drawing.told(class, rng));
        }
        if drawing.densities {
            self.log_densities.push(density(source, clean)?);
        }
        let levels = &mut self.levels[here.clone()];
        let context = &mut self.context[here.clone()];
        let mut masked = None;
        let (step, time) = match &mut self.right {
            None if let Some(BlockSteps { block, steps }) = &mut self.blocks => {
                let mask = schedule.law().mask().filter(|_| drawing.counts_masks);
                let count = levels.len().div_ceil(*block);
                for (at, levels) in levels.chunks_mut(*block).enumerate() {
                    let u = (u + at as f64 / count as f64).fract();
                    let placed = drawing.placed_at(u, levels.len());
                    steps.push(drawing.place_block(schedule, placed, at * *block, levels));
                    if let Some(mask) = mask {
                        masked.get_or_insert((mask, Vec::new())).1.extend(Drawing::masks(u, levels, rng));
                    }
                }
                if mask.is_none() {
                    drawing.clamp(levels, rng);
                }
                (0, 0.0)
            }
            None => {
                let placed = drawing.place(schedule, drawing.placed_at(u, levels.len()), levels);
                match schedule.law().mask().filter(|_| drawing.counts_masks) {
                    Some(mask) => masked = Some((mask, Drawing::masks(u, levels, rng))),
                    None => drawing.clamp(levels, rng),
                }
                placed
            }
            Some(right) => {
                let right_levels = &mut right.levels[here.clone()];
                let step = drawing.sweep(schedule, u, [&mut *levels, &mut *right_levels], rng);
                corrupt_at_levels(
                    schedule.law_of_levels(),
                    |site| right_levels[site],
                    clean,
                    rng,
                    &mut right.context[here.clone()],
                );
                (step, step as f64 / schedule.horizon() as f64)
            }
        };
        match masked {
            None => corrupt_at_levels(schedule.law_of_levels(), |site| levels[site], clean, rng, context),
            Some((mask, masked)) => {
                for (site, token) in context.iter_mut().enumerate() {
                    *token = if masked[site] { mask } else { clean[site] };
                }
            }
        }
        // What a label's X_t is.
        let context = self.right.as_ref().map_or(&*context, |right| &right.context[here]);
        self.steps.push(step);
        self.times.push(time);
        let asked = match &mut self.sites {
            None => 0..self.len,
            Some(sites) => {
                let site = rng.below(self.len);
                sites.push(site);
                site..site + 1
            }
        };
        // A fresh Z for every site asked for: no site's label changes another's context (docs/math.md, §6).
        for site in asked {
            let step = self.blocks.as_ref().map_or(step, |blocks| blocks.of(row, site, self.len));
            let noise = rng.uniform() < schedule.beta(step);
            let shown = match noise {
                true => schedule.step_law(step).draw(rng.uniform()),
                false => context[site],
            };
            self.shown.push(shown);
            self.noise.push(noise);
            if let Some(counted) = &mut self.counted {
                counted.push(Some(context[site]) == schedule.law().mask());
            }
        }
        Ok(())
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.steps.len()
    }

    /// Number of requested sites per row.
    pub fn asked(&self) -> usize {
        self.sites.as_ref().map_or(self.len, |_| 1)
    }

    /// The sites to request from the network.
    pub fn query(&self) -> Sites<'_> {
        self.sites.as_deref().map_or(Sites::All, Sites::Each)
    }

    /// The site behind label `at` of a row.
    ///
    /// # Panics
    /// When there is no such label.
    pub fn site(&self, row: usize, at: usize) -> Site {
        self.sites.as_ref().map_or(at, |sites| sites[row])
    }

    /// Whether label `at` counts.
    ///
    /// # Panics
    /// When there is no such label.
    pub fn counts(&self, at: usize) -> bool {
        self.counted.as_ref().is_none_or(|counted| counted[at])
    }

    /// The network's inputs on a device: contexts `[batch, site]` and conditions.
    pub fn inputs(&self, device: &Device) -> (Tensor<2, Int>, Conditions) {
        let rows = self.rows();
        let context: Vec<i32> = self.context.iter().map(|&token| token as i32).collect();
        let classes: Vec<i32> = self.classes.iter().map(|&class| class as i32).collect();
        let conditions = Conditions {
            time: Tensor::from_data(TensorData::new(single(&self.times), [rows]), device),
            levels: Tensor::from_data(TensorData::new(single(&self.levels), [rows, self.len]), device),
            classes: (classes.len() == rows).then(|| Tensor::from_data(TensorData::new(classes, [rows]), device)),
            right: self.beside().map(|(tokens, levels)| {
                let tokens: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
                RightView {
                    tokens: Tensor::from_data(TensorData::new(tokens, [rows, self.len]), device),
                    levels: Tensor::from_data(TensorData::new(levels, [rows, self.len]), device),
                }
            }),
            parts: self.parts.iter().any(Option::is_some).then(|| self.parts.clone()),
        };
        (Tensor::from_data(TensorData::new(context, [rows, self.len]), device), conditions)
    }

    /// Tokens and levels of the network's second sequence, if any: those to the right of each site, or the clean
    /// tokens.
    fn beside(&self) -> Option<(&[Token], Vec<f32>)> {
        match &self.right {
            Some(right) => Some((&right.context, single(&right.levels))),
            None => self.blocks.is_some().then(|| (self.clean.as_slice(), vec![1.0; self.clean.len()])),
        }
    }

    /// Label `at` of all, in the order of `[row, requested site]`.
    ///
    /// # Panics
    /// When there is no such label.
    pub fn label<'a>(&self, schedule: &'a Schedule, at: usize) -> Label<'a> {
        let row = at / self.asked();
        let site = self.site(row, at % self.asked());
        let place = row * self.len + site;
        // In a sweep in order each site has a step of its own.
        let (step, levels, noisy) = match &self.right {
            None => {
                let step = self.blocks.as_ref().map_or(self.steps[row], |blocks| blocks.of(row, site, self.len));
                (step, &self.levels, &self.context)
            }
            Some(right) => (self.steps[row] + site, &right.levels, &right.context),
        };
        Label {
            schedule,
            step,
            site,
            level: levels[place],
            clean: self.clean[place],
            noisy: noisy[place],
            shown: self.shown[at],
            noise: self.noise[at],
        }
    }

    /// The evidence of each label's visible token about the clean one, as logits to add, `[batch, requested site,
    /// token]` (`docs/math.md`, §6): `ln(1 + α / ((1 − α) q(x)))` at the token shown, 0 at others.
    pub(crate) fn evidence(&self, schedule: &Schedule, device: &Device) -> Tensor<3> {
        let vocab = schedule.law().vocab();
        let mut says = vec![0f32; self.shown.len() * vocab];
        for (at, row) in says.chunks_exact_mut(vocab).enumerate() {
            let Label { level, noisy, .. } = self.label(schedule, at);
            let noise = (1.0 - level) * schedule.law_of_levels().probability_at(level, noisy);
            // Of a token that is signal for sure, enough that nothing else has a probability in single precision.
            row[noisy as usize] = (level / noise.max(LEAST_NOISE)).ln_1p() as f32;
        }
        Tensor::from_data(TensorData::new(says, [self.rows(), self.asked(), vocab]), device)
    }

    /// The inputs of an objective's losses, on a device.
    pub fn targets(&self, objective: &dyn Objective, schedule: &Schedule, device: &Device) -> Targets {
        let shape = [self.rows(), self.asked()];
        let labels = (0..self.shown.len()).map(|at| self.label(schedule, at));
        let counted = self.counted.as_ref().map(|counted| {
            let counted: Vec<f32> = counted.iter().map(|&counts| f32::from(counts)).collect();
            Tensor::from_data(TensorData::new(counted, shape), device)
        });
        let densities = Some(single(&self.log_densities)).filter(|densities| !densities.is_empty());
        let log_density = densities.map(|each| Tensor::from_data(TensorData::new(each, [self.rows(), 1]), device));
        Targets { counted, log_density, ..Targets::of(objective, schedule, labels, shape, device) }
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

#[cfg(test)]
mod tests {
    use glauber_chain::oracles::MarkovSource;
    use glauber_schedule::{NoiseLaw, SignalShape, SiteOrder};

    use super::*;
    use crate::objective::normalise;

    const VOCAB: usize = 3;
    const LEN: usize = 4;

    /// `P(X_{0,i} = · | X_t = x)` by the sum over all clean sequences.
    fn posterior(source: &MarkovSource, schedule: &Schedule, step: Step, x: &[Token], site: Site) -> Vec<f64> {
        let mut law = [0.0; VOCAB];
        for state in 0..VOCAB.pow(LEN as u32) {
            let clean: Vec<Token> = (0..LEN).map(|j| (state / VOCAB.pow(j as u32) % VOCAB) as Token).collect();
            let shows = |j: usize| {
                let alpha = schedule.signal_level(j, step);
                alpha * f64::from(clean[j] == x[j]) + (1.0 - alpha) * schedule.law_at(j, step).probability(x[j])
            };
            law[clean[site] as usize] += source.log_probability(&clean).exp() * (0..LEN).map(shows).product::<f64>();
        }
        let mass: f64 = law.iter().sum();
        law.iter().map(|p| p / mass).collect()
    }

    /// The leave-one-out law and the token in view make the posterior given all, whatever the noise.
    #[test]
    fn evidence_is_what_the_own_token_adds() {
        let device = Device::flex();
        let source = MarkovSource::random(VOCAB, 2, 2.0).expect("a source");
        let masks = NoiseLaw::absorbing(VOCAB, 2).expect("a law");
        let uniform = NoiseLaw::uniform(VOCAB).expect("a law");
        let mixture = NoiseLaw::mixture(&[(0.6, masks), (0.4, uniform.clone())]).expect("a law");
        let moving = NoiseLaw::moving(VOCAB, 2, 0.3).expect("a law");
        for law in [uniform, NoiseLaw::unigram(&[1, 5, 2], 0.0).expect("a law"), mixture, moving] {
            let order = SiteOrder::round_robin(LEN, 3).expect("an order");
            let schedule = Schedule::new(SignalShape::Linear, order, law, 1e-3, true).expect("a schedule");
            let drawing = Drawing {
                asked: Asked::InView,
                continuous: false,
                clamped_share: 0.0,
                counts_masks: false,
                whole_sweeps: false,
                block: None,
                densities: false,
                classes: 0,
                class_dropout: 0.0,
            };
            let examples =
                Examples::draw(&source, &schedule, 12, &drawing, &mut ChainRng::new(1, 0)).expect("examples");
            let says: Vec<f64> = examples.evidence(&schedule, &device).into_data().iter::<f64>().collect();
            for (at, says) in says.chunks_exact(VOCAB).enumerate() {
                let (row, site) = (at / LEN, at % LEN);
                let (step, x) = (examples.steps[row], &examples.context[row * LEN..][..LEN]);
                let mu = source.denoising_posteriors(&schedule, step, x, &[site]).expect("a law");
                let mut found: Vec<f64> = mu.iter().zip(says).map(|(mu, says)| mu.ln() + says).collect();
                normalise(&mut found);
                for (found, expected) in found.iter().zip(posterior(&source, &schedule, step, x, site)) {
                    assert!((found.exp() - expected).abs() < 1e-6, "step {step}, site {site}");
                }
            }
        }
    }
}
