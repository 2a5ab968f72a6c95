//! Evaluates the conditionals of a step's sites and redraws them, for any kernel.

use std::iter::Sum;
use std::ops::AddAssign;

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use crate::chains::ChainsView;
use crate::{
    ChainError, Chains, LawTable, Result, ReverseKernel, RowSites, SiteConditional, Steps, TokenRows, Touch, tabled,
};

/// Counts of work, summed over the chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepDiagnostics {
    /// Sites redrawn.
    pub updates: u64,
    /// Redraws that changed the token.
    pub changes: u64,
    /// Evaluated sequences: one per chain and step with a free site.
    pub evaluations: u64,
    /// Batches of evaluations, each for all chains with a free site. If chains are divided over threads, the maximum
    /// over the threads.
    pub rounds: u64,
}

/// Adds later work.
impl AddAssign for StepDiagnostics {
    fn add_assign(&mut self, other: Self) {
        self.updates += other.updates;
        self.changes += other.changes;
        self.evaluations += other.evaluations;
        self.rounds += other.rounds;
    }
}

/// Merges counts of chains that ran in parallel; rounds take the maximum.
impl Sum for StepDiagnostics {
    fn sum<I: Iterator<Item = Self>>(shares: I) -> Self {
        shares.fold(Self::default(), |mut sum, share| {
            let rounds = sum.rounds.max(share.rounds);
            sum += share;
            Self { rounds, ..sum }
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
    asked: Vec<bool>,
    conditionals: Vec<f64>,
}

/// Redraws the free sites of `sites` in every chain, from one evaluation.
pub(crate) fn update<K: ReverseKernel, C: SiteConditional + ?Sized>(
    kernel: &K,
    conditional: &C,
    chains: &mut Chains,
    step: Step,
    sites: &[Site],
) -> Result<StepDiagnostics> {
    check_fit(conditional, chains)?;
    if let Some(&site) = sites.iter().find(|&&site| site >= chains.len()) {
        return Err(ChainError::OutsideSequence { site, len: chains.len() });
    }
    let mut view = chains.view();
    if let Some(table) = listed(kernel, conditional, &view) {
        return Ok(tabled::update(table, view, sites));
    }
    let even = even(conditional.vocab());
    let touch = Touch::forgetful(step, &even);
    update_view(kernel, conditional, &mut view, touch, sites, &mut Scratch::default())
}

/// Updates the sites of each step, with one evaluation per step for all rows.
pub(crate) fn run_view<K: ReverseKernel, C: SiteConditional + ?Sized>(
    kernel: &K,
    conditional: &C,
    mut view: ChainsView<'_>,
    of: Steps<'_>,
    steps: impl Iterator<Item = Step>,
) -> Result<StepDiagnostics> {
    if let Some(table) = listed(kernel, conditional, &view) {
        return Ok(tabled::run(table, view, of.order, steps));
    }
    let mut scratch = Scratch::default();
    let mut sum = StepDiagnostics::default();
    let even = of.schedule.map_or_else(|| even(conditional.vocab()), |_| Vec::new());
    for t in steps {
        let touch = of.schedule.map_or_else(|| Touch::forgetful(t, &even), |schedule| Touch::new(schedule, t, 0, 0));
        sum += update_view(kernel, conditional, &mut view, touch, of.order.sites(t), &mut scratch)?;
    }
    Ok(sum)
}

/// The uniform law, shape `[token]`.
fn even(vocab: usize) -> Vec<f64> {
    vec![1.0 / vocab as f64; vocab]
}

/// The table that gives the same draws, if there is one.
fn listed<'c, K: ReverseKernel, C: SiteConditional + ?Sized>(
    kernel: &K,
    conditional: &'c C,
    view: &ChainsView<'_>,
) -> Option<&'c LawTable> {
    let table =
        conditional.law_table().filter(|table| table.sites() == view.len && table.vocab() == conditional.vocab());
    table.filter(|_| kernel.is_plain() && view.clamped.is_none())
}

fn update_view<K: ReverseKernel, C: SiteConditional + ?Sized>(
    kernel: &K,
    conditional: &C,
    view: &mut ChainsView<'_>,
    touch: Touch<'_>,
    sites: &[Site],
    scratch: &mut Scratch,
) -> Result<StepDiagnostics> {
    let every = sites.len() == view.len;
    if view.clamped.is_none() {
        let rows = view.rngs.len();
        let Scratch { asked, conditionals, .. } = &mut *scratch;
        evaluate(kernel, conditional, view.rows(), touch, (sites, every), (asked, conditionals))?;
        return redraw(kernel, view, 0..rows, touch, sites, &mut scratch.conditionals);
    }
    free_part(view, sites, scratch);
    let Scratch { rows, sites, tokens, clamped, asked, conditionals } = scratch;
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
    evaluate(kernel, conditional, free, touch, (sites, every), (asked, conditionals))?;
    redraw(kernel, view, rows.iter().copied(), touch, sites, conditionals)
}

/// Draws from the evaluated rows, shape `[row, requested site, token]`.
fn redraw<K: ReverseKernel>(
    kernel: &K,
    view: &mut ChainsView<'_>,
    rows: impl ExactSizeIterator<Item = usize>,
    touch: Touch<'_>,
    sites: &[Site],
    conditionals: &mut [f64],
) -> Result<StepDiagnostics> {
    if conditionals.is_empty() {
        return Ok(StepDiagnostics::default());
    }
    let mut diagnostics = StepDiagnostics { rounds: 1, ..Default::default() };
    let evaluated = rows.len();
    let vocab = conditionals.len() / (evaluated * sites.len());
    let mut laws = conditionals.chunks_exact_mut(vocab);
    for row in rows {
        diagnostics.evaluations += 1;
        for (&site, law) in sites.iter().zip(&mut laws) {
            if view.is_clamped(row, site) {
                continue;
            }
            let uniform = view.rngs[row].uniform();
            let shown = &mut view.tokens[row * view.len + site];
            let touch = touch.at(site, *shown);
            let token =
                kernel.draw(&touch, law, uniform).map_err(|refusal| refusal.at(view.first_row + row, &touch))?;
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

/// Writes the conditionals of a step's sites, shape `[row, site, token]`. If the step touches several sites, it skips
/// those that the kernel does not need; if it touches all, also clamped ones. A network that reads the current tokens
/// needs one pass per requested site.
fn evaluate<K: ReverseKernel, C: SiteConditional + ?Sized>(
    kernel: &K,
    conditional: &C,
    tokens: TokenRows<'_>,
    touch: Touch<'_>,
    (sites, every): (&[Site], bool),
    (asked, out): (&mut Vec<bool>, &mut Vec<f64>),
) -> Result<()> {
    let (vocab, len) = (conditional.vocab(), tokens.len());
    let size = tokens.rows() * sites.len() * vocab;
    out.resize(size, 0.0);
    if size == 0 {
        return Ok(());
    }
    asked.clear();
    let mut left_out = false;
    if sites.len() > 1 {
        asked.resize(tokens.rows() * len, false);
        for (row, shown) in tokens.iter().enumerate() {
            for &site in sites {
                let free = tokens.clamped(row).is_none_or(|clamped| !clamped[site]);
                let asks = kernel.asks(&touch.at(site, shown[site]));
                asked[row * len + site] = free && asks;
                left_out |= if every { !(free && asks) } else { free && !asks };
            }
        }
    }
    if !left_out {
        return match kernel.reads_logs() {
            true => conditional.log_conditionals(tokens, touch.step, sites, out),
            false => conditional.conditionals(tokens, touch.step, sites, out),
        };
    }
    let mut all = vec![0.0; tokens.rows() * len * vocab];
    conditional.log_conditionals_at(tokens, &vec![touch.step; tokens.rows()], RowSites::Marked(asked), &mut all)?;
    let even = -(vocab as f64).ln();
    let places = (0..tokens.rows()).flat_map(|row| sites.iter().map(move |site| row * len + site));
    for (law, place) in out.chunks_exact_mut(vocab).zip(places) {
        match asked[place] {
            true => law.copy_from_slice(&all[place * vocab..][..vocab]),
            false => law.fill(even),
        }
    }
    if !kernel.reads_logs() {
        out.iter_mut().for_each(|value| *value = value.exp());
    }
    Ok(())
}

fn check_fit<C: SiteConditional + ?Sized>(conditional: &C, chains: &Chains) -> Result<()> {
    check_len(conditional.len(), chains)?;
    Ok(chains.tokens().check_vocab(conditional.vocab())?)
}

fn check_len(found: usize, chains: &Chains) -> Result<()> {
    let what = "sites of the conditional and of the order, against those of the chains";
    ChainError::unless_equal(what, found, chains.len())
}

pub(crate) fn check_steps<C: SiteConditional + ?Sized>(conditional: &C, chains: &Chains, of: Steps<'_>) -> Result<()> {
    of.schedule.map_or(Ok(()), |schedule| check_vocab(conditional, schedule))?;
    check_fit(conditional, chains)?;
    check_len(of.order.len(), chains)
}

pub(crate) fn check_vocab<C: SiteConditional + ?Sized>(conditional: &C, schedule: &Schedule) -> Result<()> {
    let what = "tokens of the conditional, against those of the noise law";
    ChainError::unless_equal(what, conditional.vocab(), schedule.law().vocab())
}
