use glauber_chain::ChainRng;
use glauber_chain::oracles::{Ising, Lattice, kaufman_log_partition};
use glauber_chain::statistics::Estimate;
use glauber_energy::{
    Annealed, Annealing, EnergyError, Factor, FactorGraph, Increment, IntervalMethod, IsingBits, LevelStep, Levels,
    LogPartition, Particles, Population, ProductLaw, Table, Target, exact, systematic, two_sided, unwatched,
};
use glauber_schedule::Boundary;
use glauber_tokens::Token;

fn run(settings: Annealing, population: &mut dyn Population, levels: &Levels) -> Annealed {
    settings.run(population, levels, &mut unwatched).unwrap()
}

fn variance(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}

fn torus(side: usize, coupling: f64, field: f64) -> Ising {
    Ising::new(Lattice::new(side, side, Boundary::Torus).unwrap(), coupling, field).unwrap()
}

const PLAIN: Annealing = Annealing { increment: Increment::Annealed, resample_below: None, seed: 3 };
const RAO: Annealing = Annealing { increment: Increment::RaoBlackwell, resample_below: None, seed: 3 };
const SMC: Annealing = Annealing { increment: Increment::RaoBlackwell, resample_below: Some(0.5), seed: 3 };

/// `E w = Z` for every kind of increment and for resampling, and weighted samples have the target's law.
#[test]
fn weights_are_unbiased() {
    let table = Table::random(3, 4, 1.5, 2).unwrap();
    let base = ProductLaw::new(&[vec![1.0, 2.0, 3.0], vec![1.0, 1.0, 1.0], vec![2.0, 1.0, 1.0], vec![1.0, 3.0, 1.0]]);
    let exact = exact::enumerate(&table).unwrap();
    let levels = Levels::linear(4).unwrap();
    for settings in [PLAIN, RAO, SMC, Annealing { increment: Increment::Annealed, ..SMC }] {
        let mut ratios = Vec::new();
        let mut first = Vec::new();
        for seed in 0..200 {
            let mut particles = Particles::new(&table, &base, 64, seed).unwrap();
            let found = run(Annealing { seed, ..settings }, &mut particles, &levels);
            ratios.push((found.log_partition.estimate - exact.log_partition()).exp());
            let weights: Vec<f64> = found.log_weights.iter().map(|log| log.exp()).collect();
            let hits = found.tokens.iter().zip(&weights).filter(|(row, _)| row[0] == 0).map(|(_, w)| w).sum::<f64>();
            first.push(hits / weights.iter().sum::<f64>());
        }
        let found = Estimate::independent(&ratios);
        assert!(found.standard_error < 0.02 && found.deviation_from(1.0).abs() < 4.0, "{settings:?}: {found:?}");
        let marginal = Estimate::independent(&first);
        assert!((marginal.mean - exact.marginals()[0][0]).abs() < 4.0 * marginal.standard_error + 0.01);
    }
}

/// The variances of the table of energies.md §5 (three tokens, four sites, log γ from N(0, 4)): (E25) is lower at every
/// number of levels, and both fall with it. The figures there are of another table.
#[test]
fn rao_blackwell_has_the_lower_variance() {
    let base = ProductLaw::uniform(3, 4);
    for sweeps in [1, 4, 16] {
        let levels = Levels::linear(sweeps).unwrap();
        let (mut plain, mut rao) = (0.0, 0.0);
        for seed in 0..8 {
            let table = Table::random(3, 4, 2.0, seed).unwrap();
            let of = |settings| {
                let mut particles = Particles::new(&table, &base, 4000, 1).unwrap();
                variance(&run(settings, &mut particles, &levels).log_weights)
            };
            plain += of(PLAIN);
            rao += of(RAO);
        }
        assert!(rao < 0.85 * plain, "{sweeps} sweeps: {rao} for {plain}");
    }
}

/// One bit a particle and one token a particle have the same law of weights: means and variances agree.
#[test]
fn bits_weigh_what_particles_weigh() {
    for field in [0.0, 0.15] {
        let ising = torus(4, 0.4, field);
        let exact = exact::enumerate(&ising).unwrap().log_partition();
        let base = ProductLaw::uniform(2, 16);
        let levels = Levels::linear(6).unwrap();
        for settings in [PLAIN, RAO] {
            let mut particles = Particles::new(&ising, &base, 8192, 5).unwrap();
            let mut bits = IsingBits::new(&ising, 8192, 5).unwrap();
            let [one, other] = [run(settings, &mut particles, &levels), run(settings, &mut bits, &levels)];
            let [a, b] = [&one, &other].map(|found| Estimate::independent(&found.log_weights));
            let error = (a.standard_error.powi(2) + b.standard_error.powi(2)).sqrt();
            assert!((a.mean - b.mean).abs() < 4.0 * error, "{settings:?}: {a:?}, {b:?}");
            let ratio = variance(&one.log_weights) / variance(&other.log_weights);
            assert!((0.85..1.18).contains(&ratio), "{settings:?}: {ratio}");
            for found in [one, other] {
                let weights: Vec<f64> = found.log_weights.iter().map(|log| (log - exact).exp()).collect();
                assert!(Estimate::independent(&weights).deviation_from(1.0).abs() < 4.0);
            }
        }
        // Slopes are what the densities say of the tokens.
        let bits = IsingBits::new(&ising, 64, 2).unwrap();
        for (slope, row) in bits.slopes().iter().zip(bits.tokens().iter()) {
            assert!((slope - ising.log_density(row) - 16.0 * 2f64.ln()).abs() < 1e-9);
        }
    }
}

/// The row "AIS, (E25), SMC": at β = .28 half the variance or less, and log Z near Kaufman's.
#[test]
fn the_torus_of_sixteen_comes_out() {
    let ising = torus(16, 0.28, 0.0);
    let exact = kaufman_log_partition(16, 16, 0.28).unwrap();
    let levels = Levels::linear(64).unwrap();
    let of = |settings, levels: &Levels| run(settings, &mut IsingBits::new(&ising, 1024, 1).unwrap(), levels);
    let (plain, rao) = (of(PLAIN, &levels.clone().by_sweep()), of(RAO, &levels));
    assert!(variance(&rao.log_weights) < 0.5 * variance(&plain.log_weights));
    assert!((rao.log_partition.effective_share - 0.84).abs() < 0.05, "{:?}", rao.log_partition);
    assert!((rao.log_partition.estimate - exact).abs() < 0.06);
    let smc = run(SMC, &mut IsingBits::new(&torus(16, 0.6, 0.0), 256, 1).unwrap(), &Levels::linear(64).unwrap());
    assert!(smc.resamplings > 0);
    assert!((smc.log_partition.estimate - kaufman_log_partition(16, 16, 0.6).unwrap()).abs() < 5.0);
    // At the transition within .05.
    let critical = torus(16, 0.4407, 0.0);
    let mut pilot = IsingBits::new(&critical, 256, 9).unwrap();
    let levels = Levels::from_pilot(&mut pilot, 0.99, 4096, 4096, &mut unwatched).unwrap();
    let found = run(SMC, &mut IsingBits::new(&critical, 1024, 1).unwrap(), &levels).log_partition;
    assert!((found.estimate - kaufman_log_partition(16, 16, 0.4407).unwrap()).abs() < 0.05, "{found:?}");
}

/// Bounds from both sides bracket log Z, and close as the levels get finer.
#[test]
fn bounds_come_from_both_sides() {
    let table = Table::random(3, 4, 2.0, 6).unwrap();
    let exact = exact::enumerate(&table).unwrap();
    let base = ProductLaw::uniform(3, 4);
    let samples = exact.sample(4000, 1);
    for increment in [Increment::Annealed, Increment::RaoBlackwell] {
        let mut widths = Vec::new();
        for sweeps in [2, 32] {
            let found = two_sided(&table, &base, &samples, &Levels::linear(sweeps).unwrap(), increment, 1).unwrap();
            assert!(found.lower().mean - 3.0 * found.lower().standard_error < exact.log_partition());
            assert!(found.upper().mean + 3.0 * found.upper().standard_error > exact.log_partition());
            widths.push(found.upper().mean - found.lower().mean);
        }
        assert!(widths[1] < 0.4 * widths[0] && widths[1] > 0.0, "{widths:?}");
    }
}

/// The reversed chain has `E 1/w' = 1/Z`, which only the right kernels give.
#[test]
fn reversed_weights_are_unbiased_too() {
    let table = Table::random(3, 3, 1.0, 8).unwrap();
    let exact = exact::enumerate(&table).unwrap();
    let base = ProductLaw::new(&[vec![1.0, 2.0, 1.0], vec![1.0, 1.0, 1.0], vec![3.0, 2.0, 1.0]]);
    for increment in [Increment::Annealed, Increment::RaoBlackwell] {
        let levels = Levels::linear(2).unwrap();
        let found = two_sided(&table, &base, &exact.sample(40_000, 1), &levels, increment, 2).unwrap();
        let ratio = |log: &f64| (exact.log_partition() - log).exp();
        let mean = Estimate::independent(&found.backward.iter().map(ratio).collect::<Vec<_>>());
        assert!(mean.standard_error < 0.02 && mean.deviation_from(1.0).abs() < 4.0, "{increment:?}: {mean:?}");
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    // So many particles that every call spreads them over the threads.
    let ising = torus(8, 0.4, 0.0);
    let base = ProductLaw::uniform(2, 64);
    let of = |threads: usize, bits: bool, settings: Annealing| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let levels = Levels::linear(10).unwrap();
            match bits {
                true => run(settings, &mut IsingBits::new(&ising, 8192, 1).unwrap(), &levels),
                false => run(settings, &mut Particles::new(&ising, &base, 400, 1).unwrap(), &levels),
            }
        })
    };
    for (bits, settings) in [(false, SMC), (true, SMC), (false, RAO), (true, RAO)] {
        assert_eq!(of(1, bits, settings), of(3, bits, settings));
    }
}

/// Without a resampling, step by step and all at once are the same.
#[test]
fn a_filter_that_never_resamples_is_importance_sampling() {
    let table = Table::random(3, 4, 1.0, 1).unwrap();
    let base = ProductLaw::uniform(3, 4);
    let levels = Levels::linear(5).unwrap();
    let of = |settings| run(settings, &mut Particles::new(&table, &base, 50, 1).unwrap(), &levels).log_weights;
    assert_eq!(of(RAO), of(Annealing { resample_below: Some(0.0), ..RAO }));
}

#[test]
fn a_pilot_spends_its_levels_where_they_are_needed() {
    let ising = torus(16, 0.6, 0.0);
    let mut pilot = IsingBits::new(&ising, 256, 9).unwrap();
    let levels = Levels::from_pilot(&mut pilot, 0.99, 2000, 256, &mut unwatched).unwrap();
    let all: Vec<LevelStep> = levels.sweeps(2).flatten().collect();
    assert_eq!((all.len(), all[0].from, all[511].to), (512, 0.0, 1.0));
    assert!(all.windows(2).all(|pair| pair[0].to == pair[1].from));
    // The transition is at .4407 of .6: a level of .73. Linear levels spend three tenths between .6 and .9.
    let near = all.iter().filter(|step| (0.6..0.9).contains(&step.to)).count();
    assert!(near > 512 / 3, "{near} of 512 updates");
    let exact = kaufman_log_partition(16, 16, 0.6).unwrap();
    let smc = |levels: &Levels| -> f64 {
        let error = |seed| {
            let mut bits = IsingBits::new(&ising, 256, seed).unwrap();
            run(Annealing { seed, ..SMC }, &mut bits, levels).log_partition.estimate - exact
        };
        (0..8).map(|seed| f64::powi(error(seed), 2)).sum::<f64>() / 8.0
    };
    let (adapted, linear) = (smc(&levels), smc(&Levels::linear(256).unwrap()));
    assert!(adapted < linear && linear < 0.4, "{adapted}, {linear}");
}

/// Log-normal weights, whose mean is known: the interval of 95 % covers in at least 90 % of 200 runs.
#[test]
fn intervals_cover() {
    for spread in [0.3f64, 1.0] {
        let mut widths = 0.0;
        let covered = (0..200)
            .filter(|&seed| {
                let mut rng = ChainRng::new(seed, 0);
                let mut normal = || (0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0;
                let logs: Vec<f64> = (0..256).map(|_| spread * normal() - spread * spread / 2.0).collect();
                let [low, high] = LogPartition::new(&logs, seed).interval;
                widths += (high - low) / 200.0;
                low <= 0.0 && 0.0 <= high
            })
            .count();
        assert!(covered >= 180, "{covered} of 200 at a spread of {spread}");
        // As wide as the error asks for: 2 z CV / √N, with the coefficient of variation of a log-normal law.
        let expected = 2.0 * 1.96 * ((spread * spread).exp_m1() / 256.0).sqrt();
        assert!((widths / expected - 1.0).abs() < 0.15, "{widths} for {expected}");
    }
    let few = LogPartition::new(&[0.0, -1.0, -9.0, -12.0], 1);
    assert_eq!(few.method, IntervalMethod::Bootstrap);
    assert!(few.interval[0] <= few.estimate && few.estimate <= few.interval[1]);
    // So few survivors that whole resamples are dead: the lower end says so.
    for alive in 1..4 {
        let mut logs = [f64::NEG_INFINITY; 64];
        logs[..alive].fill(0.0);
        let [low, high] = LogPartition::new(&logs, 1).interval;
        assert!(low == f64::NEG_INFINITY && high.is_finite(), "{alive} alive: {low} to {high}");
    }
    let equal = LogPartition::new(&[2.0; 30], 1);
    assert!((equal.effective_share - 1.0).abs() < 1e-12 && (equal.interval[1] - 2.0).abs() < 1e-6);
}

/// Intervals of a filter that resamples often cover too: a table of known mass, 200 runs.
#[test]
fn intervals_of_filters_cover() {
    let table = Table::random(3, 4, 2.5, 3).unwrap();
    let exact = exact::enumerate(&table).unwrap().log_partition();
    let base = ProductLaw::uniform(3, 4);
    let levels = Levels::linear(3).unwrap();
    for (count, method) in [(512, IntervalMethod::Delta), (16, IntervalMethod::Bootstrap)] {
        let (mut covered, mut resamplings, mut widths, mut errors) = (0, 0, 0.0, 0.0);
        for seed in 0..200 {
            let mut particles = Particles::new(&table, &base, count, seed).unwrap();
            let found = run(Annealing { seed, resample_below: Some(0.9), ..RAO }, &mut particles, &levels);
            let [low, high] = found.log_partition.interval;
            assert_eq!(found.log_partition.method, method);
            covered += usize::from(low <= exact && exact <= high);
            resamplings += found.resamplings;
            widths += (high - low) / 200.0;
            errors += (found.log_partition.estimate - exact).powi(2) / 200.0;
        }
        assert!(resamplings > 400 && covered >= 180, "{covered} of 200, {resamplings} resamplings, {count} particles");
        // Not so wide that they say nothing.
        assert!(widths < 2.0 * 2.0 * 1.96 * errors.sqrt(), "{widths} for errors of {}", errors.sqrt());
    }
}

#[test]
fn systematic_resampling_keeps_what_weighs() {
    let logs = [0.1f64, 0.0, 0.6, 0.3].map(f64::ln);
    assert_eq!(systematic(&logs, 0.5), [2, 2, 2, 3]);
    assert_eq!(systematic(&logs, 0.2), [0, 2, 2, 3]);
    assert_eq!(systematic(&[0.0; 5], 0.3), [0, 1, 2, 3, 4]);
}

/// Colourings of a ring of eight sites by three colours, of which there are 2⁸ + 2: hard constraints, which uniform
/// starts break in several places at once.
#[test]
fn hard_constraints_are_counted() {
    let differ = [f64::NEG_INFINITY, 0.0, 0.0, 0.0, f64::NEG_INFINITY, 0.0, 0.0, 0.0, f64::NEG_INFINITY];
    let bonds = (0..8).map(|i| Factor::new(vec![i, (i + 1) % 8], differ.to_vec())).collect();
    let graph = FactorGraph::new(3, 8, bonds).unwrap();
    assert!((exact::eliminate(&graph).unwrap() - 258f64.ln()).abs() < 1e-12);
    let base = ProductLaw::uniform(3, 8);
    for settings in [PLAIN, RAO, SMC] {
        let mut particles = Particles::new(&graph, &base, 20_000, 1).unwrap();
        let levels =
            Levels::from_pilot(&mut Particles::new(&graph, &base, 500, 2).unwrap(), 0.9, 20, 4, &mut unwatched)
                .unwrap();
        let found = run(settings, &mut particles, &levels);
        let weighted = found.tokens.iter().zip(&found.log_weights).filter(|(_, log)| **log > f64::NEG_INFINITY);
        assert!(weighted.clone().count() > 200 && weighted.clone().all(|(row, _)| graph.log_density(row) == 0.0));
        assert!((found.log_partition.estimate - 258f64.ln()).abs() < 0.15, "{settings:?}: {:?}", found.log_partition);
    }
    let never = FactorGraph::new(2, 1, vec![Factor::new(vec![0], vec![f64::NEG_INFINITY; 2])]).unwrap();
    let base = ProductLaw::uniform(2, 1);
    let failed =
        RAO.run(&mut Particles::new(&never, &base, 9, 1).unwrap(), &Levels::linear(2).unwrap(), &mut unwatched);
    assert!(matches!(failed, Err(EnergyError::NoSupport)));
}

struct Hole;

impl Target for Hole {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        3
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        if tokens == [1, 1, 1] { f64::NAN } else { 0.0 }
    }
}

#[test]
fn a_nan_names_particle_site_and_level() {
    let base = ProductLaw::new(&[vec![1.0, 0.0], vec![0.0, 1.0], vec![0.0, 1.0]]);
    let mut particles = Particles::new(&Hole, &base, 4, 1).unwrap();
    let levels = Levels::linear(1).unwrap();
    let failed = RAO.run(&mut particles, &levels, &mut unwatched).unwrap_err();
    assert!(matches!(failed, EnergyError::NoLaw { site: 0, .. }), "{failed}");
    let start = ProductLaw::new(&[vec![0.0, 1.0], vec![0.0, 1.0], vec![0.0, 1.0]]);
    assert!(matches!(Particles::new(&Hole, &start, 4, 1), Err(EnergyError::NotANumber { at: 0, .. })));
    assert!(Levels::linear(0).is_err() && Levels::along(vec![0.0, 0.7, 0.5, 1.0], 3).is_err());
}
