//! The heat-bath (Glauber) kernel.

use std::iter::Sum;
use std::ops::AddAssign;

use glauber_schedule::SiteOrder;
use glauber_tokens::{Site, Step, Token};
use rayon::prelude::*;

use crate::chains::ChainsView;
use crate::controls::draw;
use crate::{ChainError, Chains, DrawControls, SiteConditional, TokenRows};

/// What some updates did, summed over the chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepDiagnostics {
    /// Sites redrawn.
    pub updates: u64,
    /// Redraws that gave another token than stood there.
    pub changes: u64,
    /// Sequences whose conditional was evaluated: one for each chain and step with a free site.
    pub evaluations: u64,
}

impl AddAssign for StepDiagnostics {
    fn add_assign(&mut self, other: Self) {
        self.updates += other.updates;
        self.changes += other.changes;
        self.evaluations += other.evaluations;
    }
}

impl Sum for StepDiagnostics {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |mut sum, part| {
            sum += part;
            sum
        })
    }
}

/// Redraws sites from their conditional law given all others, whatever stands there now.
///
/// With a conditional that ignores the step this is ordinary Glauber dynamics; [`ReverseSampler`](crate::ReverseSampler) drives it
/// down a schedule. The sites of a block are redrawn from one evaluation: exact where the block's sites are independent given the
/// rest (a colour class of a lattice), an approximation otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HeatBath {
    controls: DrawControls,
}

/// Buffers that live as long as a run.
#[derive(Default)]
struct Scratch {
    rows: Vec<usize>,
    sites: Vec<Site>,
    tokens: Vec<Token>,
    clamped: Vec<bool>,
    conditionals: Vec<f64>,
}

impl HeatBath {
    /// A kernel that draws under the given controls. [`HeatBath::default`] draws from the conditional itself.
    ///
    /// # Errors
    /// When a control is out of range.
    pub fn new(controls: DrawControls) -> Result<Self, ChainError> {
        controls.validate()?;
        Ok(Self { controls })
    }

    /// How draws depart from the conditional.
    pub fn controls(&self) -> DrawControls {
        self.controls
    }

    /// Redraws the free sites of `sites` in every chain, from one evaluation. Uses one uniform number for each redraw; evaluates
    /// nothing where all the sites are clamped.
    ///
    /// # Errors
    /// When the conditional fails, writes a NaN or leaves no token possible, or has another number of sites than the chains, or when a
    /// chain shows a token outside the vocabulary. Chains
    /// before the one at fault have been updated.
    pub fn update<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        step: Step,
        sites: &[Site],
    ) -> Result<StepDiagnostics, ChainError> {
        check_fit(conditional, chains)?;
        if let Some(&site) = sites.iter().find(|&&site| site >= chains.len()) {
            return Err(ChainError::OutsideSequence { site, len: chains.len() });
        }
        let scratch = &mut Scratch::default();
        self.update_view(conditional, &mut chains.view(), step, sites, scratch)
    }

    /// Updates the sites of each step of an order, all chains in one evaluation a step. A sweep of Markov-chain Monte Carlo takes
    /// the steps `0..order.horizon()`; a reverse chain takes them backwards.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    ///
    /// # Panics
    /// When a step is not below the order's horizon.
    pub fn run<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        order: &SiteOrder,
        steps: impl Iterator<Item = Step>,
    ) -> Result<StepDiagnostics, ChainError> {
        check_fit(conditional, chains)?;
        check_len(order.len(), chains)?;
        self.run_view(conditional, chains.view(), order, steps)
    }

    /// [`run`](Self::run) with the chains shared out over the threads of the rayon pool: for conditionals that are cheap to evaluate.
    /// The result is the same, bit by bit.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    ///
    /// # Panics
    /// When a step is not below the order's horizon.
    pub fn run_parallel<C: SiteConditional + Sync + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        order: &SiteOrder,
        steps: impl Iterator<Item = Step> + Clone + Sync,
    ) -> Result<StepDiagnostics, ChainError> {
        check_fit(conditional, chains)?;
        check_len(order.len(), chains)?;
        let size = chains.rows().div_ceil(4 * rayon::current_num_threads()).max(1);
        let done = chains
            .view()
            .split(size)
            .into_par_iter()
            .map(|view| self.run_view(conditional, view, order, steps.clone()))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(done.into_iter().sum())
    }

    fn run_view<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        mut view: ChainsView<'_>,
        order: &SiteOrder,
        steps: impl Iterator<Item = Step>,
    ) -> Result<StepDiagnostics, ChainError> {
        let mut scratch = Scratch::default();
        let mut sum = StepDiagnostics::default();
        for t in steps {
            sum += self.update_view(conditional, &mut view, t, order.sites(t), &mut scratch)?;
        }
        Ok(sum)
    }

    fn update_view<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        view: &mut ChainsView<'_>,
        step: Step,
        sites: &[Site],
        scratch: &mut Scratch,
    ) -> Result<StepDiagnostics, ChainError> {
        if view.clamped.is_none() {
            let rows = view.rngs.len();
            evaluate(self, conditional, view.rows(), step, sites, &mut scratch.conditionals)?;
            return self.redraw(view, 0..rows, step, sites, &mut scratch.conditionals);
        }
        free_part(view, sites, scratch);
        let Scratch { rows, sites, tokens, clamped, conditionals } = scratch;
        if rows.is_empty() {
            return Ok(StepDiagnostics::default());
        }
        tokens.clear();
        clamped.clear();
        for &row in rows.iter() {
            tokens.extend_from_slice(view.rows().row(row));
            clamped.extend_from_slice(view.rows().clamped(row).unwrap_or_default());
        }
        let free = TokenRows::new(tokens, view.len).with_clamped(Some(clamped));
        evaluate(self, conditional, free, step, sites, conditionals)?;
        self.redraw(view, rows.iter().copied(), step, sites, conditionals)
    }

    /// Draws from the evaluated rows, shape `[row, asked site, token]`.
    fn redraw(
        &self,
        view: &mut ChainsView<'_>,
        rows: impl ExactSizeIterator<Item = usize>,
        step: Step,
        sites: &[Site],
        conditionals: &mut [f64],
    ) -> Result<StepDiagnostics, ChainError> {
        let mut diagnostics = StepDiagnostics::default();
        if conditionals.is_empty() {
            return Ok(diagnostics);
        }
        let evaluated = rows.len();
        let vocab = conditionals.len() / (evaluated * sites.len());
        let mut laws = conditionals.chunks_exact_mut(vocab);
        for row in rows {
            diagnostics.evaluations += 1;
            for (&site, law) in sites.iter().zip(&mut laws) {
                if view.is_clamped(row, site) {
                    continue;
                }
                if !self.controls.is_neutral() {
                    self.controls.apply(law);
                }
                let uniform = view.rngs[row].uniform();
                let token = draw(law, uniform).map_err(|mass| fault(mass, view.first_row + row, site, step))?;
                let shown = &mut view.tokens[row * view.len + site];
                diagnostics.updates += 1;
                diagnostics.changes += u64::from(*shown != token);
                *shown = token;
            }
        }
        Ok(diagnostics)
    }
}

/// Rows with a free site among `sites`, and the sites free in some row.
fn free_part(view: &ChainsView<'_>, sites: &[Site], scratch: &mut Scratch) {
    let rows = 0..view.rngs.len();
    let free = |row: usize, site: Site| !view.is_clamped(row, site);
    scratch.rows.clear();
    scratch.rows.extend(rows.filter(|&row| sites.iter().any(|&site| free(row, site))));
    scratch.sites.clear();
    let asked = |&site: &Site| scratch.rows.iter().any(|&row| free(row, site));
    scratch.sites.extend(sites.iter().copied().filter(asked));
}

fn evaluate<C: SiteConditional + ?Sized>(
    kernel: &HeatBath,
    conditional: &C,
    tokens: TokenRows<'_>,
    step: Step,
    sites: &[Site],
    out: &mut Vec<f64>,
) -> Result<(), ChainError> {
    let size = tokens.rows() * sites.len() * conditional.vocab();
    out.resize(size, 0.0);
    if size == 0 {
        return Ok(());
    }
    if kernel.controls.is_neutral() {
        conditional.conditionals(tokens, step, sites, out)
    } else {
        conditional.log_conditionals(tokens, step, sites, out)
    }
}

fn fault(mass: f64, row: usize, site: Site, step: Step) -> ChainError {
    if mass.is_nan() {
        ChainError::NotANumber { row, site, step }
    } else {
        ChainError::NoMass { row, site, step, mass }
    }
}

fn check_fit<C: SiteConditional + ?Sized>(conditional: &C, chains: &Chains) -> Result<(), ChainError> {
    check_len(conditional.len(), chains)?;
    Ok(chains.tokens().check_vocab(conditional.vocab())?)
}

fn check_len(found: usize, chains: &Chains) -> Result<(), ChainError> {
    if found == chains.len() {
        return Ok(());
    }
    Err(ChainError::Mismatch {
        what: "sites of the conditional and of the order, against those of the chains",
        found,
        expected: chains.len(),
    })
}
