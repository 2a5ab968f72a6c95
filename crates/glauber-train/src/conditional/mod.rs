//! A trained network as a conditional of the chain.

mod kept;

use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Tensor};

use glauber_chain::{ChainError, RowSites, SiteConditional, TokenRows};
use glauber_model::{Asked, SiteClassifier, Sites};
use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step};

use self::kept::{Inputs, Kept};
use crate::{Objective, Place, TrainError, fit};

/// Maximal number of rows per evaluation, so that memory does not grow with the number of chains.
const MOST_ROWS: usize = 64;
/// Maximal number of row copies, each with another hidden site, per evaluation.
const MOST_COPIES: usize = 1024;

/// The conditionals `log r_θ(a)` of a network, for kernels.
///
/// The schedule may have other sweeps than in training, because the network is conditioned on the time over the horizon
/// and on signal levels. Clamped sites count as clean if the network is conditioned on signal levels.
///
/// If all rows request the same sites, a hollow network caches its streams' states ([`States`](glauber_model::States));
/// numbers differ only by single-precision rounding. A block-causal network caches the clean blocks before the
/// requested one. Other networks need a pass over the row per requested site, except that masked sites of a
/// bidirectional network share one pass.
pub struct NetworkConditional<'a> {
    network: &'a dyn SiteClassifier,
    objective: &'a dyn Objective,
    schedule: &'a Schedule,
    device: &'a Device,
    class: Option<usize>,
    /// The cached states for each group of [`MOST_ROWS`] rows.
    kept: Mutex<Vec<Option<Kept<'a>>>>,
}

impl Clone for NetworkConditional<'_> {
    /// The same conditionals with empty caches.
    fn clone(&self) -> Self {
        Self { kept: Mutex::default(), ..*self }
    }
}

impl<'a> NetworkConditional<'a> {
    /// Combines a network, its training objective and a schedule. The device must not be an autodiff one.
    ///
    /// # Errors
    /// If the schedule's vocabulary differs from the network's, or its sequences are longer. If a bidirectional network
    /// is used with noise other than absorbing. Those of [`Objective::check`].
    pub fn new(
        network: &'a dyn SiteClassifier,
        objective: &'a dyn Objective,
        schedule: &'a Schedule,
        device: &'a Device,
    ) -> Result<Self, TrainError> {
        fit::check(network, objective, schedule)?;
        Ok(Self { network, objective, schedule, device, class: None, kept: Mutex::default() })
    }

    /// Class conditioning: the conditionals of one class. Without it, a network trained with classes gives the law of
    /// all classes together.
    ///
    /// # Errors
    /// [`TrainError::Class`] when the network does not know the class.
    pub fn of_class(self, class: Option<usize>) -> Result<Self, TrainError> {
        fit::check_class(self.network, class)?;
        Ok(Self { class, ..self })
    }

    /// Writes `log r_θ` of the requested sites, `out` of shape `[row, requested site, token]`. If sites are `marked`,
    /// shape `[row, site]`, only their numbers are read.
    fn evaluate(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: Sites<'_>,
        marked: Option<&[bool]>,
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        let len = tokens.len();
        let size = sites.per_row(len) * self.vocab();
        self.check(tokens, steps, sites, marked)?;
        fit::agree(
            "numbers to be written, one for each row, site asked for and token",
            out.len(),
            tokens.rows() * size,
        )?;
        if out.is_empty() {
            return Ok(());
        }
        for (chunk, part) in out.chunks_mut(MOST_ROWS * size).enumerate() {
            let rows = chunk * MOST_ROWS..(chunk * MOST_ROWS + part.len() / size);
            let sites = match sites {
                Sites::Each(each) => Sites::Each(&each[rows.clone()]),
                same => same,
            };
            let marked = marked.map(|marked| &marked[rows.start * len..rows.end * len]);
            let inputs = self.inputs(tokens.slice(rows.clone()), &steps[rows.clone()]);
            let logits = self.logits(chunk, inputs, sites, marked);
            for (value, logit) in part.iter_mut().zip(logits) {
                *value = f64::from(logit);
            }
            for (at, row) in part.chunks_exact_mut(self.vocab()).enumerate() {
                let step = steps[rows.start + at / sites.per_row(len)];
                let site = asked_site(sites, at, len);
                self.objective.output().log_conditional(&Place { schedule: self.schedule, step, site }, row);
            }
        }
        Ok(())
    }

    fn check(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: Sites<'_>,
        marked: Option<&[bool]>,
    ) -> Result<(), ChainError> {
        let (rows, len) = (tokens.rows(), self.schedule.len());
        tokens.check(len, self.vocab())?;
        fit::agree("steps, one for each row", steps.len(), rows)?;
        fit::agree("marks, one for each token", marked.map_or(rows * len, <[bool]>::len), rows * len)?;
        let asked = match sites {
            Sites::All => &[],
            Sites::Block(block) => block,
            Sites::Each(each) => {
                fit::agree("sites, one for each row", each.len(), rows)?;
                each
            }
        };
        match asked.iter().find(|&&site| site >= len) {
            Some(&site) => Err(ChainError::OutsideSequence { site, len }),
            None => Ok(()),
        }
    }

    /// Logits of the requested sites, each without its own token: `[row, requested site, token]`.
    fn logits(&self, chunk: usize, inputs: Inputs, sites: Sites<'_>, marked: Option<&[bool]>) -> Vec<f32> {
        match (self.network.answers(), sites) {
            (Asked::All, Sites::Block(block)) => self.kept_logits(chunk, inputs, block),
            (Asked::All | Asked::After, _) => self.pass(&inputs, sites),
            (Asked::OneSite, _) => {
                let asked = inputs.rows() * sites.per_row(inputs.len);
                self.alone(&inputs, sites, &(0..asked).collect::<Vec<_>>(), |_, _, _| ())
            }
            (Asked::Masked, _) if let Some(places) = self.of_one_block(&inputs, sites, marked) => {
                let (rows, per_row, vocab) = (inputs.rows(), sites.per_row(inputs.len), self.vocab());
                let block: Vec<Site> = places.iter().map(|&at| asked_site(sites, at, inputs.len)).collect();
                let mut logits = vec![0.0; rows * per_row * vocab];
                let places = (0..rows).flat_map(|row| places.iter().map(move |at| row * per_row + at));
                for (place, own) in places.zip(self.kept_logits(chunk, inputs, &block).chunks_exact(vocab)) {
                    logits[place * vocab..][..vocab].copy_from_slice(own);
                }
                logits
            }
            (Asked::Masked, _) => {
                // The constructor has seen that noise draws nothing else.
                let mask = self.schedule.law().mask().map_or(0, |mask| mask as i32);
                let shown = |inputs: &Inputs, place: usize| inputs.tokens[place] != mask;
                self.hidden_logits(inputs, sites, marked, shown, |inputs, place, _| inputs.tokens[place] = mask)
            }
            (Asked::InView, _) => {
                // Nothing has taught it what to say of a site that it takes for clean. Of one that it takes for noisy it says the same,
                // as far as it has learned to leave the site's own token out.
                let swept = self.schedule.order().sweep_start(1);
                let doubt = |inputs: &mut Inputs, place: usize, site| {
                    inputs.levels[place] = self.schedule.signal_level(site, swept) as f32;
                };
                self.hidden_logits(inputs, sites, marked, |inputs, place| inputs.levels[place] == 1.0, doubt)
            }
        }
    }

    /// The indices in `[requested site]` that some row requests, if the network is block-causal and they are masks of
    /// one block.
    fn of_one_block(&self, inputs: &Inputs, sites: Sites<'_>, marked: Option<&[bool]>) -> Option<Vec<usize>> {
        let (block, mask) = (self.network.block()?, self.schedule.law().mask()? as i32);
        if matches!(sites, Sites::Each(_)) {
            return None;
        }
        let (len, per_row) = (inputs.len, sites.per_row(inputs.len));
        let asked = |row: usize, at: usize| {
            let place = row * len + asked_site(sites, at, len);
            marked.is_none_or(|marked| marked[place]).then_some(place)
        };
        let asked = |at: usize| (0..inputs.rows()).filter_map(move |row| asked(row, at));
        let places: Vec<usize> = (0..per_row).filter(|&at| asked(at).next().is_some()).collect();
        let of = |at: &usize| asked_site(sites, *at, len) / block;
        let one = places.windows(2).all(|pair| of(&pair[0]) == of(&pair[1]));
        let masks = places.iter().copied().flat_map(asked).all(|place| inputs.tokens[place] == mask);
        (one && masks && !places.is_empty()).then_some(places)
    }

    fn pass(&self, inputs: &Inputs, sites: Sites<'_>) -> Vec<f32> {
        values(self.network.logits(inputs.tokens(self.device), &inputs.conditions(self.device), sites))
    }

    /// Logits of entries of `[row, requested site]`, each from a copy of its row in which `hide` may change the site:
    /// `[place, token]`.
    fn alone(
        &self,
        inputs: &Inputs,
        sites: Sites<'_>,
        places: &[usize],
        hide: impl Fn(&mut Inputs, usize, Site),
    ) -> Vec<f32> {
        let per_row = sites.per_row(inputs.len);
        let mut logits = Vec::with_capacity(places.len() * self.vocab());
        for places in places.chunks(MOST_COPIES) {
            let rows: Vec<usize> = places.iter().map(|at| at / per_row).collect();
            let each: Vec<Site> = places.iter().map(|&at| asked_site(sites, at, inputs.len)).collect();
            let mut copies = inputs.copies(&rows);
            each.iter().enumerate().for_each(|(row, &site)| hide(&mut copies, row * inputs.len + site, site));
            logits.extend(self.pass(&copies, Sites::Each(&each)));
        }
        logits
    }

    /// Logits of a network that reads unmasked sites. One pass serves all sites that are not `shown`; every other site
    /// is masked in its own copy of the row.
    fn hidden_logits(
        &self,
        mut inputs: Inputs,
        sites: Sites<'_>,
        marked: Option<&[bool]>,
        shown: impl Fn(&Inputs, usize) -> bool,
        hide: impl Fn(&mut Inputs, usize, Site),
    ) -> Vec<f32> {
        let (len, per_row, vocab) = (inputs.len, sites.per_row(inputs.len), self.vocab());
        let place = |at: usize| (at / per_row * len + asked_site(sites, at, len), asked_site(sites, at, len));
        let asked = inputs.rows() * per_row;
        let counts = |place: usize| shown(&inputs, place) && marked.is_none_or(|marked| marked[place]);
        let shown: Vec<usize> = (0..asked).filter(|&at| counts(place(at).0)).collect();
        if per_row == 1 {
            // Nothing else is asked of the row.
            for (place, site) in shown.iter().map(|&at| place(at)) {
                hide(&mut inputs, place, site);
            }
            return self.pass(&inputs, sites);
        }
        if shown.len() == asked {
            return self.alone(&inputs, sites, &shown, hide);
        }
        let mut logits = self.pass(&inputs, sites);
        let alone = self.alone(&inputs, sites, &shown, hide);
        for (at, own) in shown.iter().zip(alone.chunks_exact(vocab)) {
            logits[at * vocab..][..vocab].copy_from_slice(own);
        }
        logits
    }

    /// Logits from cached states, or from a full pass if the network has no cache.
    fn kept_logits(&self, chunk: usize, inputs: Inputs, block: &[Site]) -> Vec<f32> {
        // States are taken out while they are worked on: a panic leaves none behind that do not match their rows.
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() <= chunk {
            all.resize_with(chunk + 1, || None);
        }
        let kept = match all[chunk].take().filter(|kept| kept.serves(self.network, &inputs)) {
            Some(mut kept) => {
                kept.follow(inputs, self.device);
                kept
            }
            None => {
                let conditions = inputs.conditions(self.device);
                match self.network.states(inputs.tokens(self.device), &conditions) {
                    Some(states) => Kept { inputs, states },
                    None => return self.pass(&inputs, Sites::Block(block)),
                }
            }
        };
        values(all[chunk].insert(kept).states.logits(block))
    }

    fn inputs(&self, tokens: TokenRows<'_>, steps: &[Step]) -> Inputs {
        let (rows, len) = (tokens.rows(), tokens.len());
        let horizon = self.schedule.horizon() as f64;
        let mut levels = vec![0.0; len];
        let mut all = Vec::with_capacity(rows * len);
        for (row, &step) in steps.iter().enumerate() {
            // Rows mostly stand at the same step.
            if row == 0 || steps[row - 1] != step {
                // A token in view is that of after the step, which is asked for itself where steps touch several sites.
                let single = self.schedule.order().is_single_site();
                let after = usize::from(single && self.network.answers() == Asked::InView);
                self.schedule.signal_levels(step + after, &mut levels);
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

fn values(logits: Tensor<3>) -> Vec<f32> {
    logits.into_data().iter::<f32>().collect()
}

/// The site behind row `at` of conditionals of shape `[row, requested site]`.
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
        self.evaluate(tokens, &vec![step; tokens.rows()], sites, None, out)
    }

    fn log_conditionals_at(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: RowSites<'_>,
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        let (sites, marked) = match sites {
            RowSites::All => (Sites::All, None),
            RowSites::Marked(marked) => (Sites::All, Some(marked)),
            RowSites::Each(each) => (Sites::Each(each), None),
        };
        self.evaluate(tokens, steps, sites, marked, out)
    }
}
