//! What a network says of a site is given all others, whichever sites are asked with it.

use burn::module::Module;
use burn::tensor::Device;
use glauber_chain::{ChainRng, RowSites, SiteConditional, TokenRows};
use glauber_model::{Conditioning, ModelConfig, Network, NetworkKind, Preset};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Site, Step, Token};
use glauber_train::{Denoising, NetworkConditional};

use crate::device_sampler::Wake;

const VOCAB: usize = 7;
const LEN: usize = 10;
const MASK: Token = 6;
/// More than are evaluated at a time.
const ROWS: usize = 67;
const STEPS: [Step; 3] = [0, 13, 27];
const KINDS: [NetworkKind; 4] =
    [NetworkKind::Hollow, NetworkKind::MaskedQuery, NetworkKind::Bidirectional, NetworkKind::OwnEvidence];

fn network(kind: NetworkKind) -> Network {
    let sizes = ModelConfig { width: 16, layers: 1, heads: 2, condition_width: 8, ..Preset::Tiny.config() };
    let config = ModelConfig { network: kind, conditioning: Conditioning::SignalLevel, ..sizes };
    let network = Network::new(&config, VOCAB, LEN, 1, &Device::flex()).expect("valid sizes");
    network.map(&mut Wake(ChainRng::new(5, 0)))
}

fn schedule(kind: NetworkKind) -> Schedule {
    let law = match kind {
        NetworkKind::Bidirectional => NoiseLaw::absorbing(VOCAB, MASK),
        _ => NoiseLaw::uniform(VOCAB),
    };
    let order = SiteOrder::round_robin(LEN, 3).expect("an order");
    Schedule::new(SignalShape::Linear, order, law.expect("a law"), 1e-3, false).expect("a schedule")
}

/// Rows of all masks, of no mask, and of everything in between.
fn rows() -> Vec<Token> {
    let mut rng = ChainRng::new(3, 0);
    let token = |at: usize| match at / LEN {
        0 => MASK,
        1 => rng.below(MASK as usize) as Token,
        row if rng.uniform() < row as f64 / ROWS as f64 => MASK,
        _ => rng.below(VOCAB) as Token,
    };
    (0..ROWS * LEN).map(token).collect()
}

/// Each site alone, `[row, site, token]`.
fn one_at_a_time(conditional: &NetworkConditional<'_>, rows: TokenRows<'_>, step: Step) -> Vec<f64> {
    let mut all = vec![0.0; ROWS * LEN * VOCAB];
    for site in 0..LEN {
        let mut out = vec![0.0; ROWS * VOCAB];
        // With nothing kept from the question before.
        conditional.clone().log_conditionals(rows, step, &[site], &mut out).expect("conditionals");
        for (row, law) in out.chunks_exact(VOCAB).enumerate() {
            all[(row * LEN + site) * VOCAB..][..VOCAB].copy_from_slice(law);
        }
    }
    all
}

fn same(found: &[f64], expected: &[f64]) -> bool {
    found.iter().zip(expected).all(|(a, b)| a == b || (a - b).abs() < 2e-4)
}

#[test]
fn sites_asked_together_have_the_laws_that_they_have_alone() {
    let (tokens, device) = (rows(), Device::flex());
    let rows = TokenRows::new(&tokens, LEN);
    for kind in KINDS {
        let (network, schedule) = (network(kind), schedule(kind));
        let conditional = NetworkConditional::new(&network, &Denoising, &schedule, &device).expect("they fit");
        let alone: Vec<Vec<f64>> = STEPS.iter().map(|&step| one_at_a_time(&conditional, rows, step)).collect();
        let every: Vec<Site> = (0..LEN).collect();
        for asked in [&every[..], &[2, 5], &[9, 0, 4], &[3, 3], &[8], &[]] {
            for (step, alone) in STEPS.iter().zip(&alone) {
                let mut out = vec![0.0; ROWS * asked.len() * VOCAB];
                conditional.log_conditionals(rows, *step, asked, &mut out).expect("conditionals");
                for (at, law) in out.chunks_exact(VOCAB).enumerate() {
                    let (row, site) = (at / asked.len(), asked[at % asked.len()]);
                    let expected = &alone[(row * LEN + site) * VOCAB..][..VOCAB];
                    assert!(same(law, expected), "{kind:?}, {asked:?}, step {step}, row {row}, site {site}");
                }
            }
        }
    }
}

#[test]
fn rows_at_steps_of_their_own_have_the_same_laws() {
    let (tokens, device) = (rows(), Device::flex());
    let rows = TokenRows::new(&tokens, LEN);
    let steps: Vec<Step> = (0..ROWS).map(|row| STEPS[row % 3]).collect();
    let sites: Vec<Site> = (0..ROWS).map(|row| row * 7 % LEN).collect();
    let marked: Vec<bool> = (0..ROWS * LEN).map(|at| at % 3 != 0).collect();
    for kind in KINDS {
        let (network, schedule) = (network(kind), schedule(kind));
        let conditional = NetworkConditional::new(&network, &Denoising, &schedule, &device).expect("they fit");
        let alone: Vec<Vec<f64>> = STEPS.iter().map(|&step| one_at_a_time(&conditional, rows, step)).collect();
        let mut out = vec![0.0; ROWS * LEN * VOCAB];
        for (asked, counts) in [(RowSites::All, None), (RowSites::Marked(&marked), Some(&marked))] {
            conditional.log_conditionals_at(rows, &steps, asked, &mut out).expect("conditionals");
            for (at, law) in out.chunks_exact(VOCAB).enumerate() {
                assert!(law.iter().all(|log| !log.is_nan()));
                if counts.is_none_or(|counts| counts[at]) {
                    let expected = &alone[at / LEN % 3][at * VOCAB..][..VOCAB];
                    assert!(same(law, expected), "{kind:?}, row {}, site {}", at / LEN, at % LEN);
                }
            }
        }
        let mut out = vec![0.0; ROWS * VOCAB];
        conditional.log_conditionals_at(rows, &steps, RowSites::Each(&sites), &mut out).expect("conditionals");
        for (row, law) in out.chunks_exact(VOCAB).enumerate() {
            let expected = &alone[row % 3][(row * LEN + sites[row]) * VOCAB..][..VOCAB];
            assert!(same(law, expected), "{kind:?}, row {row}");
        }
    }
}

/// What ranks infilled alternatives: the sum over the sites of a gap, each given all that was filled in around it.
#[test]
fn the_score_of_a_gap_is_the_sum_of_its_sites_asked_alone() {
    let device = Device::flex();
    let row: Vec<Token> = (0..LEN as Token).map(|site| site * 5 % MASK).collect();
    for kind in KINDS {
        let (network, schedule) = (network(kind), schedule(kind));
        let conditional = NetworkConditional::new(&network, &Denoising, &schedule, &device).expect("they fit");
        let score = |sites: &[Site]| {
            let mut out = vec![0.0; sites.len() * VOCAB];
            conditional.log_conditionals(TokenRows::new(&row, LEN), 0, sites, &mut out).expect("conditionals");
            let terms = sites.iter().zip(out.chunks_exact(VOCAB)).map(|(&site, law)| law[row[site] as usize]);
            terms.sum::<f64>()
        };
        let alone: f64 = (3..8).map(|site| score(&[site])).sum();
        let together = score(&[3, 4, 5, 6, 7]);
        assert!((together - alone).abs() < 1e-3, "{kind:?}: {together} together, {alone} alone");
    }
}

/// Block by block the network keeps the clean blocks before: the same laws down a chain as asked afresh, site by site.
#[test]
fn what_a_block_causal_network_keeps_changes_no_law() {
    const BLOCK: usize = 4;
    let sizes =
        ModelConfig { width: 16, layers: 2, heads: 2, condition_width: 8, block: BLOCK, ..Preset::Tiny.config() };
    let config = ModelConfig { network: NetworkKind::BlockCausal, conditioning: Conditioning::None, ..sizes };
    let (device, mut rng) = (Device::flex(), ChainRng::new(5, 0));
    let network =
        Network::new(&config, VOCAB, LEN, 1, &device).expect("valid sizes").map(&mut Wake(ChainRng::new(5, 0)));
    let order = SiteOrder::block_by_block(LEN, BLOCK, 3).expect("an order");
    let law = NoiseLaw::absorbing(VOCAB, MASK).expect("a law");
    let schedule = Schedule::new(SignalShape::Linear, order, law, 1e-3, false).expect("a schedule");
    let kept = NetworkConditional::new(&network, &Denoising, &schedule, &device).expect("they fit");
    let mut tokens = vec![MASK; ROWS * LEN];
    let mut compared = 0;
    for step in (0..schedule.horizon()).rev() {
        let sites = schedule.sites(step);
        let mut marked = vec![false; ROWS * LEN];
        let places = (0..ROWS).flat_map(|row| sites.iter().map(move |site| row * LEN + site));
        places.clone().for_each(|place| marked[place] = tokens[place] == MASK);
        let (rows, steps) = (TokenRows::new(&tokens, LEN), [step; ROWS]);
        let mut found = vec![0.0; ROWS * LEN * VOCAB];
        kept.log_conditionals_at(rows, &steps, RowSites::Marked(&marked), &mut found).expect("conditionals");
        for &site in sites {
            let mut alone = vec![0.0; ROWS * VOCAB];
            kept.clone()
                .log_conditionals_at(rows, &steps, RowSites::Each(&[site; ROWS]), &mut alone)
                .expect("conditionals");
            for row in (0..ROWS).filter(|row| marked[row * LEN + site]) {
                compared += 1;
                let law = &found[(row * LEN + site) * VOCAB..][..VOCAB];
                assert!(same(law, &alone[row * VOCAB..][..VOCAB]), "row {row}, site {site}, step {step}");
            }
        }
        // A pass of the chain: some masks are written, the last pass of a block writes all.
        let last = step == 0 || schedule.sites(step - 1) != sites;
        for place in places.filter(|&place| marked[place]).collect::<Vec<_>>() {
            if last || rng.uniform() < 0.4 {
                tokens[place] = rng.below(MASK as usize) as Token;
            }
        }
    }
    assert!(2 * compared > 3 * ROWS * LEN, "{compared}");
}
