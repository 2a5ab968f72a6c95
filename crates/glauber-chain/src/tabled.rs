//! Heat bath from a [`LawTable`]: the same draws as with full laws, without computing them.

use glauber_schedule::SiteOrder;
use glauber_tokens::{Site, Step, Token};

use crate::chains::ChainsView;
use crate::{ChainRng, LawTable, StepDiagnostics};

/// Uniform numbers drawn at a time.
const DRAWS: usize = 256;
/// Approximate number of sites of consecutive steps per list; every row is updated with a list before the next.
const SITES: usize = 1024;

/// Some consecutive steps.
#[derive(Default)]
struct Stretch {
    steps: u64,
    sites: Vec<Site>,
    runs: Vec<Run>,
}

/// Sites of a range of steps, up to an end.
struct Run {
    end: usize,
    /// Redrawn from one evaluation, not one after another.
    together: bool,
}

impl Stretch {
    fn with_room() -> Self {
        Self { sites: Vec::with_capacity(SITES), ..Self::default() }
    }

    #[inline]
    fn push(&mut self, sites: &[Site]) {
        self.steps += 1;
        let together = sites.len() > 1;
        match sites {
            [site] => self.sites.push(*site),
            _ => self.sites.extend_from_slice(sites),
        }
        let end = self.sites.len();
        match self.runs.last_mut() {
            Some(run) if !together && !run.together => run.end = end,
            _ => self.runs.push(Run { end, together }),
        }
    }

    fn clear(&mut self) {
        self.steps = 0;
        self.sites.clear();
        self.runs.clear();
    }
}

#[derive(Default)]
struct Scratch {
    words: Vec<[u8; 8]>,
    laws: Vec<u16>,
}

/// Redraws some sites of every row from one evaluation.
pub(crate) fn update(table: &LawTable, mut view: ChainsView<'_>, sites: &[Site]) -> StepDiagnostics {
    let mut stretch = Stretch::default();
    if !sites.is_empty() {
        stretch.push(sites);
    }
    redraw(table, &mut view, &stretch, &mut Scratch::default())
}

/// Updates the sites of each step of an order in every row.
pub(crate) fn run(
    table: &LawTable,
    mut view: ChainsView<'_>,
    order: &SiteOrder,
    steps: impl Iterator<Item = Step>,
) -> StepDiagnostics {
    let mut sum = StepDiagnostics::default();
    let (mut stretch, mut scratch) = (Stretch::with_room(), Scratch::default());
    for t in steps {
        stretch.push(order.sites(t));
        if stretch.sites.len() >= SITES {
            sum += redraw(table, &mut view, &stretch, &mut scratch);
            stretch.clear();
        }
    }
    sum += redraw(table, &mut view, &stretch, &mut scratch);
    sum
}

fn redraw(table: &LawTable, view: &mut ChainsView<'_>, stretch: &Stretch, scratch: &mut Scratch) -> StepDiagnostics {
    match table.width() {
        1 => redraw_wide::<1>(table, view, stretch, scratch),
        3 => redraw_wide::<3>(table, view, stretch, scratch),
        7 => redraw_wide::<7>(table, view, stretch, scratch),
        _ => redraw_wide::<15>(table, view, stretch, scratch),
    }
}

fn redraw_wide<const WIDTH: usize>(
    table: &LawTable,
    view: &mut ChainsView<'_>,
    stretch: &Stretch,
    scratch: &mut Scratch,
) -> StepDiagnostics {
    match table.is_complete() {
        true => redraw_rows::<WIDTH, true>(table, view, stretch, scratch),
        false => redraw_rows::<WIDTH, false>(table, view, stretch, scratch),
    }
}

fn redraw_rows<const WIDTH: usize, const COMPLETE: bool>(
    table: &LawTable,
    view: &mut ChainsView<'_>,
    stretch: &Stretch,
    scratch: &mut Scratch,
) -> StepDiagnostics {
    let rows = view.rngs.len() as u64;
    let mut changes = 0;
    for (row, rng) in view.tokens.chunks_exact_mut(view.len).zip(view.rngs.iter_mut()) {
        let mut start = 0;
        for run in &stretch.runs {
            let sites = &stretch.sites[start..run.end];
            changes += match run.together {
                true => together::<WIDTH, COMPLETE>(table, row, sites, rng, scratch),
                false => one_by_one::<WIDTH, COMPLETE>(table, row, sites, rng, &mut scratch.words),
            };
            start = run.end;
        }
    }
    let (updates, evaluations) = (rows * stretch.sites.len() as u64, rows * stretch.steps);
    StepDiagnostics { updates, changes, evaluations, rounds: stretch.steps * rows.min(1) }
}

fn one_by_one<const WIDTH: usize, const COMPLETE: bool>(
    table: &LawTable,
    row: &mut [Token],
    sites: &[Site],
    rng: &mut ChainRng,
    words: &mut Vec<[u8; 8]>,
) -> u64 {
    let thresholds = table.thresholds::<WIDTH>();
    let mut changes = 0;
    for sites in sites.chunks(DRAWS) {
        words.resize(sites.len(), [0; 8]);
        rng.fill(words);
        for (&site, word) in sites.iter().zip(words.iter()) {
            let law = table.law::<WIDTH, COMPLETE>(row, site);
            changes += replace(&mut row[site], token(&thresholds[usize::from(law)], word));
        }
    }
    changes
}

fn together<const WIDTH: usize, const COMPLETE: bool>(
    table: &LawTable,
    row: &mut [Token],
    sites: &[Site],
    rng: &mut ChainRng,
    scratch: &mut Scratch,
) -> u64 {
    let Scratch { words, laws } = scratch;
    let thresholds = table.thresholds::<WIDTH>();
    laws.clear();
    laws.extend(sites.iter().map(|&site| table.law::<WIDTH, COMPLETE>(row, site)));
    let mut changes = 0;
    for (sites, laws) in sites.chunks(DRAWS).zip(laws.chunks(DRAWS)) {
        words.resize(sites.len(), [0; 8]);
        rng.fill(words);
        for ((&site, &law), word) in sites.iter().zip(laws).zip(words.iter()) {
            changes += replace(&mut row[site], token(&thresholds[usize::from(law)], word));
        }
    }
    changes
}

/// The token at the uniform number that a word holds.
#[inline]
fn token<const WIDTH: usize>(thresholds: &[u64; WIDTH], word: &[u8; 8]) -> Token {
    let uniform = u64::from_le_bytes(*word) >> 11;
    // The sign of the difference counts the thresholds above, where a comparison would not be vectorised.
    let above: u64 = thresholds.iter().map(|&least| uniform.wrapping_sub(least) >> 63).sum();
    (WIDTH as u64 - above) as Token
}

#[inline]
fn replace(shown: &mut Token, token: Token) -> u64 {
    u64::from(std::mem::replace(shown, token) != token)
}
