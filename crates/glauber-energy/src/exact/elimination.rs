//! Exact sums over factor graphs: sum-product on chains and trees, transfer matrices on strips, and what lies between.

use std::collections::{BTreeMap, BTreeSet};

use glauber_tokens::Site;

use crate::target::log_sum_exp;
use crate::{EnergyError, Factor, FactorGraph, Result, Target};

/// The largest table that an exact value may need: 2²⁴ numbers, 128 MiB.
pub const MAX_ENTRIES: usize = 1 << 24;

/// `log Z` of a factor graph by variable elimination: sites are summed out one by one, in the cheapest of three orders. These
/// are as numbered, by columns (if the sites are numbered by rows of a lattice), and by least degree. On a chain or a tree
/// this is sum-product. On a strip of `h` rows or columns it is the transfer matrix. Its tables have at most `V^{h+1}`
/// entries, `V^{2h+1}` on a torus.
///
/// # Errors
/// When a table would have more than [`MAX_ENTRIES`] entries, or `Z` is 0.
pub fn eliminate(graph: &FactorGraph) -> Result<f64> {
    sum(graph, &plan(graph)?, None)
}

/// The marginals of all sites of a factor graph, shape `[site][token]`: an elimination for each token of each site.
///
/// # Errors
/// As [`eliminate`].
pub fn marginals(graph: &FactorGraph) -> Result<Vec<Vec<f64>>> {
    marginals_of(graph, &(0..graph.len()).collect::<Vec<_>>())
}

/// The marginals of some sites, shape `[asked site][token]`.
///
/// # Errors
/// As [`eliminate`].
///
/// # Panics
/// When there is no such site.
pub fn marginals_of(graph: &FactorGraph, sites: &[Site]) -> Result<Vec<Vec<f64>>> {
    let order = plan(graph)?;
    let total = sum(graph, &order, None)?;
    let share = |site, token| match sum(graph, &order, Some((site, token))) {
        Ok(log) => (log - total).exp(),
        Err(_) => 0.0,
    };
    Ok(sites.iter().map(|&site| (0..graph.vocab()).map(|token| share(site, token)).collect()).collect())
}

/// Entries of all tables that [`eliminate`] fills: its work. `None` if one is too large.
pub fn elimination_entries(graph: &FactorGraph) -> Option<f64> {
    cheapest_order(graph).map(|order| order.entries)
}

fn plan(graph: &FactorGraph) -> Result<Vec<Site>> {
    let least = (graph.vocab() as f64).powi(most_sites(graph.vocab()) as i32 + 1);
    let order = cheapest_order(graph).ok_or(EnergyError::TooLarge { entries: least, limit: MAX_ENTRIES })?;
    Ok(order.sites)
}

/// The most sites of a table.
fn most_sites(vocab: usize) -> usize {
    let fits = |sites: &u32| vocab.checked_pow(*sites).is_some_and(|entries| entries <= MAX_ENTRIES);
    (1..=MAX_ENTRIES.ilog2()).take_while(fits).count()
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

/// An order of elimination, and the entries of its tables.
struct Order {
    sites: Vec<Site>,
    entries: f64,
}

/// `None` if all orders need a table that is too large.
fn cheapest_order(graph: &FactorGraph) -> Option<Order> {
    let around = neighbours(graph);
    let numbered = || 0..graph.len();
    // In a lattice numbered by rows, the neighbours that are not beside each other are a row apart.
    let apart = around.iter().enumerate().flat_map(|(site, list)| list.iter().map(move |&other| other.abs_diff(site)));
    let mut times = BTreeMap::new();
    apart.filter(|&apart| apart > 1).for_each(|apart| *times.entry(apart).or_insert(0usize) += 1);
    let width = times.into_iter().max_by_key(|&(_, times)| times).map_or(1, |(apart, _)| apart);
    let columns = (0..width).flat_map(|column| numbered().skip(column).step_by(width));
    let orders = [
        play(graph.vocab(), &around, Some(numbered().collect())),
        play(graph.vocab(), &around, Some(columns.collect())),
        play(graph.vocab(), &around, None),
    ];
    orders.into_iter().flatten().min_by(|a, b| a.entries.total_cmp(&b.entries))
}

/// Eliminates on paper, in an order or by least degree: each site joins its neighbours to each other. `None` where a table
/// would be too large.
fn play(vocab: usize, around: &[Vec<Site>], order: Option<Vec<Site>>) -> Option<Order> {
    let mut around = around.to_vec();
    let mut degrees: BTreeSet<(usize, Site)> =
        around.iter().enumerate().map(|(site, list)| (list.len(), site)).filter(|_| order.is_none()).collect();
    let (mut sites, mut entries) = (Vec::with_capacity(around.len()), 0.0);
    for at in 0..around.len() {
        let site = match &order {
            Some(order) => order[at],
            None => degrees.pop_first()?.1,
        };
        let joined = std::mem::take(&mut around[site]);
        if joined.len() + 1 > most_sites(vocab) {
            return None;
        }
        entries += (vocab as f64).powi(joined.len() as i32 + 1);
        for &one in &joined {
            let before = around[one].len();
            let list = &mut around[one];
            list.extend(joined.iter().copied().filter(|&other| other != one));
            list.sort_unstable();
            list.dedup();
            list.retain(|&other| other != site);
            if order.is_none() {
                degrees.remove(&(before, one));
                degrees.insert((list.len(), one));
            }
        }
        sites.push(site);
    }
    Some(Order { sites, entries })
}

/// Sums sites out in an order; one may be fixed at a token.
fn sum(graph: &FactorGraph, order: &[Site], fixed: Option<(Site, usize)>) -> Result<f64> {
    let vocab = graph.vocab();
    let mut place = vec![0; graph.len()];
    order.iter().enumerate().for_each(|(at, &site)| place[site] = at);
    // Each factor waits for the first of its sites. Factors of no site are constants.
    let mut waiting: Vec<Vec<Factor>> = vec![Vec::new(); graph.len()];
    let mut total = 0.0;
    let fixed = fixed.map(|(site, token)| {
        let log = |shown| if shown == token { 0.0 } else { f64::NEG_INFINITY };
        Factor::new(vec![site], (0..vocab).map(log).collect())
    });
    let mut wait = |factor: Factor, waiting: &mut Vec<Vec<Factor>>| match factor.sites.iter().map(|&s| place[s]).min() {
        Some(first) => waiting[first].push(factor),
        None => total += factor.logs[0],
    };
    graph.factors().iter().cloned().chain(fixed).for_each(|factor| wait(factor, &mut waiting));
    for (at, &site) in order.iter().enumerate() {
        let with = std::mem::take(&mut waiting[at]);
        wait(summed_out(vocab, &with, site), &mut waiting);
    }
    if total.is_finite() { Ok(total) } else { Err(EnergyError::Impossible) }
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
