//! Evaluating the conditionals of a step's sites and redrawing them, whatever the kernel.

use std::iter::Sum;
use std::ops::AddAssign;

use glauber_schedule::SiteOrder;
use glauber_tokens::{Site, Step, Token};
use rayon::prelude::*;

use crate::chains::ChainsView;
use crate::{ChainError, Chains, LawTable, SiteConditional, TokenRows, tabled};

/// How a kernel draws one site.
pub(crate) trait SiteDraw: Sync {
    /// Whether [`at`](Self::at) reads log-probabilities instead of probabilities.
    fn reads_logs(&self) -> bool;

    /// Whether a draw is plain inversion of the conditional, whatever stands there, so that it may come from a [`LawTable`].
    fn is_plain(&self) -> bool {
        false
    }

    /// The draw of a site at a step, from its conditional (shape `[token]`, overwritten), the token shown there, and one uniform number.
    fn at(&self, step: Step) -> impl Fn(&mut [f64], Token, f64) -> Result<Token, Refusal>;
}

/// Why no token could be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Refusal {
    /// The total weight is not a positive finite number.
    Mass(f64),
    /// The token shown has probability 0.
    Shown,
}

impl Refusal {
    pub fn at(self, row: usize, site: Site, step: Step, shown: Token) -> ChainError {
        match self {
            Self::Mass(mass) if mass.is_nan() => ChainError::NotANumber { row, site, step },
            Self::Mass(mass) => ChainError::NoMass { row, site, step, mass },
            Self::Shown => ChainError::Impossible { site, token: shown, step },
        }
    }
}

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

/// Buffers that live as long as a run.
#[derive(Default)]
struct Scratch {
    rows: Vec<usize>,
    sites: Vec<Site>,
    tokens: Vec<Token>,
    clamped: Vec<bool>,
    conditionals: Vec<f64>,
}

/// Redraws the free sites of `sites` in every chain, from one evaluation.
pub(crate) fn update<K: SiteDraw, C: SiteConditional + ?Sized>(
    kernel: &K,
    conditional: &C,
    chains: &mut Chains,
    step: Step,
    sites: &[Site],
) -> Result<StepDiagnostics, ChainError> {
    check_fit(conditional, chains)?;
    if let Some(&site) = sites.iter().find(|&&site| site >= chains.len()) {
        return Err(ChainError::OutsideSequence { site, len: chains.len() });
    }
    let mut view = chains.view();
    if let Some(table) = listed(kernel, conditional, &view) {
        return Ok(tabled::update(table, view, sites));
    }
    update_view(kernel, conditional, &mut view, step, sites, &mut Scratch::default())
}

/// Updates the sites of each step of an order, all chains in one evaluation a step.
pub(crate) fn run<K: SiteDraw, C: SiteConditional + ?Sized>(
    kernel: &K,
    conditional: &C,
    chains: &mut Chains,
    order: &SiteOrder,
    steps: impl Iterator<Item = Step>,
) -> Result<StepDiagnostics, ChainError> {
    check_fit(conditional, chains)?;
    check_len(order.len(), chains)?;
    run_view(kernel, conditional, chains.view(), order, steps)
}

/// [`run`] with the chains shared out over the threads of the rayon pool.
pub(crate) fn run_parallel<K: SiteDraw, C: SiteConditional + Sync + ?Sized>(
    kernel: &K,
    conditional: &C,
    chains: &mut Chains,
    order: &SiteOrder,
    steps: impl Iterator<Item = Step> + Clone + Sync,
) -> Result<StepDiagnostics, ChainError> {
    check_fit(conditional, chains)?;
    check_len(order.len(), chains)?;
    let size = rows_per_task(chains);
    let done = chains
        .view()
        .split(size)
        .into_par_iter()
        .map(|view| run_view(kernel, conditional, view, order, steps.clone()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(done.into_iter().sum())
}

/// Rows that go to one task when chains are shared out over threads.
pub(crate) fn rows_per_task(chains: &Chains) -> usize {
    chains.rows().div_ceil(4 * rayon::current_num_threads()).max(1)
}

fn run_view<K: SiteDraw, C: SiteConditional + ?Sized>(
    kernel: &K,
    conditional: &C,
    mut view: ChainsView<'_>,
    order: &SiteOrder,
    steps: impl Iterator<Item = Step>,
) -> Result<StepDiagnostics, ChainError> {
    if let Some(table) = listed(kernel, conditional, &view) {
        return Ok(tabled::run(table, view, order, steps));
    }
    let mut scratch = Scratch::default();
    let mut sum = StepDiagnostics::default();
    for t in steps {
        sum += update_view(kernel, conditional, &mut view, t, order.sites(t), &mut scratch)?;
    }
    Ok(sum)
}

/// The table that gives the same draws, where there is one.
fn listed<'c, K: SiteDraw, C: SiteConditional + ?Sized>(
    kernel: &K,
    conditional: &'c C,
    view: &ChainsView<'_>,
) -> Option<&'c LawTable> {
    let table =
        conditional.law_table().filter(|table| table.sites() == view.len && table.vocab() == conditional.vocab());
    table.filter(|_| kernel.is_plain() && view.clamped.is_none())
}

fn update_view<K: SiteDraw, C: SiteConditional + ?Sized>(
    kernel: &K,
    conditional: &C,
    view: &mut ChainsView<'_>,
    step: Step,
    sites: &[Site],
    scratch: &mut Scratch,
) -> Result<StepDiagnostics, ChainError> {
    if view.clamped.is_none() {
        let rows = view.rngs.len();
        evaluate(kernel, conditional, view.rows(), step, sites, &mut scratch.conditionals)?;
        return redraw(kernel, view, 0..rows, step, sites, &mut scratch.conditionals);
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
    evaluate(kernel, conditional, free, step, sites, conditionals)?;
    redraw(kernel, view, rows.iter().copied(), step, sites, conditionals)
}

/// Draws from the evaluated rows, shape `[row, asked site, token]`.
fn redraw<K: SiteDraw>(
    kernel: &K,
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
    let draw = kernel.at(step);
    for row in rows {
        diagnostics.evaluations += 1;
        for (&site, law) in sites.iter().zip(&mut laws) {
            if view.is_clamped(row, site) {
                continue;
            }
            let uniform = view.rngs[row].uniform();
            let shown = &mut view.tokens[row * view.len + site];
            let token =
                draw(law, *shown, uniform).map_err(|refusal| refusal.at(view.first_row + row, site, step, *shown))?;
            diagnostics.updates += 1;
            diagnostics.changes += u64::from(*shown != token);
            *shown = token;
        }
    }
    Ok(diagnostics)
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

fn evaluate<K: SiteDraw, C: SiteConditional + ?Sized>(
    kernel: &K,
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
    if kernel.reads_logs() {
        conditional.log_conditionals(tokens, step, sites, out)
    } else {
        conditional.conditionals(tokens, step, sites, out)
    }
}

pub(crate) fn check_fit<C: SiteConditional + ?Sized>(conditional: &C, chains: &Chains) -> Result<(), ChainError> {
    check_len(conditional.len(), chains)?;
    Ok(chains.tokens().check_vocab(conditional.vocab())?)
}

pub(crate) fn check_len(found: usize, chains: &Chains) -> Result<(), ChainError> {
    if found == chains.len() {
        return Ok(());
    }
    Err(ChainError::Mismatch {
        what: "sites of the conditional and of the order, against those of the chains",
        found,
        expected: chains.len(),
    })
}
