//! Exact sums over factor graphs: sum-product on chains and trees, transfer matrices on strips, and what lies between.

use glauber_tokens::Site;

use crate::target::log_sum_exp;
use crate::{EnergyError, Factor, FactorGraph, Result, Target};

/// The largest table that an exact value may need: 2²⁴ numbers, 128 MiB.
pub const MAX_ENTRIES: usize = 1 << 24;

/// `log Z` of a factor graph by variable elimination: sites are summed out one by one, in the cheaper of two orders, as
/// numbered and by least degree. On a chain or a tree this is sum-product, on a strip of `h` rows the transfer matrix with
/// tables of `V^h` (`V^{2h}` on a torus) entries.
///
/// # Errors
/// When a table would have more than [`MAX_ENTRIES`] entries, or `Z` is 0.
pub fn eliminate(graph: &FactorGraph) -> Result<f64> {
    let (order, width) = cheapest_order(graph);
    check(graph.vocab(), width)?;
    sum(graph, &order, None)
}

/// The marginals of a factor graph, shape `[site][token]`: an elimination for each token of each site.
///
/// # Errors
/// As [`eliminate`].
pub fn marginals(graph: &FactorGraph) -> Result<Vec<Vec<f64>>> {
    let (order, width) = cheapest_order(graph);
    check(graph.vocab(), width)?;
    let total = sum(graph, &order, None)?;
    let share = |site, token| match sum(graph, &order, Some((site, token))) {
        Ok(log) => (log - total).exp(),
        Err(_) => 0.0,
    };
    Ok((0..graph.len()).map(|site| (0..graph.vocab()).map(|token| share(site, token)).collect()).collect())
}

/// Entries of the largest table that [`eliminate`] needs.
pub fn table_entries(graph: &FactorGraph) -> f64 {
    (graph.vocab() as f64).powi(cheapest_order(graph).1 as i32)
}

fn check(vocab: usize, width: usize) -> Result<()> {
    let entries = (vocab as f64).powi(width as i32);
    if entries <= MAX_ENTRIES as f64 { Ok(()) } else { Err(EnergyError::TooLarge { entries, limit: MAX_ENTRIES }) }
}

/// The neighbours of every site, as sorted lists.
fn neighbours(graph: &FactorGraph) -> Vec<Vec<Site>> {
    let mut around = vec![Vec::new(); graph.len()];
    for factor in graph.factors() {
        for &site in &factor.sites {
            around[site].extend(factor.sites.iter().copied().filter(|&other| other != site));
        }
    }
    for list in &mut around {
        list.sort_unstable();
        list.dedup();
    }
    around
}

/// An order of elimination and the sites of its largest table.
fn cheapest_order(graph: &FactorGraph) -> (Vec<Site>, usize) {
    let around = neighbours(graph);
    let numbered = play(&around, |_, left| left[0]);
    let least = play(&around, |around, left| *left.iter().min_by_key(|&&site| around[site].len()).expect("a site"));
    if least.1 < numbered.1 { least } else { numbered }
}

/// Eliminates on paper: each site joins its neighbours to each other.
fn play(around: &[Vec<Site>], next: impl Fn(&[Vec<Site>], &[Site]) -> Site) -> (Vec<Site>, usize) {
    let mut around = around.to_vec();
    let mut left: Vec<Site> = (0..around.len()).collect();
    let (mut order, mut width) = (Vec::new(), 0);
    while !left.is_empty() {
        let site = next(&around, &left);
        left.retain(|&other| other != site);
        let joined = std::mem::take(&mut around[site]);
        width = width.max(joined.len() + 1);
        for &one in &joined {
            let list = &mut around[one];
            list.extend(joined.iter().copied().filter(|&other| other != one));
            list.sort_unstable();
            list.dedup();
            list.retain(|&other| other != site);
        }
        order.push(site);
    }
    (order, width)
}

/// Sums sites out in an order; one may be fixed at a token.
fn sum(graph: &FactorGraph, order: &[Site], fixed: Option<(Site, usize)>) -> Result<f64> {
    let vocab = graph.vocab();
    let mut factors: Vec<Factor> = graph.factors().to_vec();
    if let Some((site, token)) = fixed {
        let log = |shown| if shown == token { 0.0 } else { f64::NEG_INFINITY };
        factors.push(Factor::new(vec![site], (0..vocab).map(log).collect()));
    }
    let mut total = 0.0;
    for &site in order {
        let (with, without) = factors.into_iter().partition(|factor: &Factor| factor.sites.contains(&site));
        factors = without;
        let message = summed_out(vocab, &with, site);
        if message.sites.is_empty() {
            total += message.logs[0];
        } else {
            factors.push(message);
        }
    }
    // Factors of no site are constants.
    total += factors.iter().map(|factor| factor.logs[0]).sum::<f64>();
    if total.is_finite() {
        Ok(total)
    } else {
        Err(EnergyError::Graph("no sequence is possible under its factors".into()))
    }
}

/// The product of some factors, summed over a site.
fn summed_out(vocab: usize, factors: &[Factor], site: Site) -> Factor {
    let mut sites: Vec<Site> = factors.iter().flat_map(|f| f.sites.iter().copied()).filter(|&s| s != site).collect();
    sites.sort_unstable();
    sites.dedup();
    // How far an entry of each factor moves when a site of the result, or the summed site, moves by one token.
    let stride = |factor: &Factor, wanted: Site| -> usize {
        let place = factor.sites.iter().position(|&s| s == wanted);
        place.map_or(0, |place| vocab.pow((factor.sites.len() - 1 - place) as u32))
    };
    let strides: Vec<Vec<usize>> = factors.iter().map(|f| sites.iter().map(|&s| stride(f, s)).collect()).collect();
    let inner: Vec<usize> = factors.iter().map(|f| stride(f, site)).collect();
    let mut digits = vec![0usize; sites.len()];
    let mut places = vec![0usize; factors.len()];
    let mut terms = vec![0.0; vocab];
    let mut logs = Vec::with_capacity(vocab.pow(sites.len() as u32));
    loop {
        for (token, term) in terms.iter_mut().enumerate() {
            let entries = factors.iter().zip(&places).zip(&inner);
            *term = entries.map(|((factor, place), step)| factor.logs[place + token * step]).sum();
        }
        logs.push(log_sum_exp(&terms));
        // The next entry, the last site fastest.
        let mut at = sites.len();
        loop {
            if at == 0 {
                return Factor { sites, logs };
            }
            at -= 1;
            digits[at] += 1;
            places.iter_mut().zip(&strides).for_each(|(place, strides)| *place += strides[at]);
            if digits[at] < vocab {
                break;
            }
            digits[at] = 0;
            places.iter_mut().zip(&strides).for_each(|(place, strides)| *place -= vocab * strides[at]);
        }
    }
}
