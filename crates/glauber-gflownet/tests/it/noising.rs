//! Trajectory balance on the noising chain (E14): what the lazy kernel reaches, and heat bath cannot.

use glauber_chain::oracles::EnumeratedTable;
use glauber_chain::{ChainRng, Constrained, HeatBath, Lazy, ReverseKernel, SiteConditional, TokenRows};
use glauber_energy::dag::{Bge, DagTarget, DataTable};
use glauber_energy::{Base, ProductLaw, Table, Target, exact};
use glauber_gflownet::{GflownetError, reverse_paths};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};

const SHAPE: (usize, usize) = (3, 4);

/// The law of a noised sequence, to start from.
struct Noised {
    table: EnumeratedTable,
    law: Vec<f64>,
}

impl Target for Noised {
    fn vocab(&self) -> usize {
        SHAPE.0
    }
    fn len(&self) -> usize {
        SHAPE.1
    }
    fn log_density(&self, tokens: &[u32]) -> f64 {
        self.law[self.table.state(tokens)].ln()
    }
}

impl Base for Noised {
    fn draw(&self, rng: &mut ChainRng, tokens: &mut [u32]) {
        let mut left = rng.uniform();
        let drawn = self.law.iter().position(|p| {
            left -= p;
            left < 0.0
        });
        tokens.copy_from_slice(&self.table.sequence(drawn.unwrap_or(0)));
    }
}

fn chain(sweeps: usize) -> (Table, EnumeratedTable, Schedule) {
    let target = Table::random(SHAPE.0, SHAPE.1, 2.0, 3).unwrap();
    let listed = exact::enumerate(&target).unwrap();
    let table = EnumeratedTable::new(SHAPE.0, SHAPE.1, listed.probabilities().to_vec()).unwrap();
    let order = SiteOrder::round_robin(SHAPE.1, sweeps).unwrap();
    let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(SHAPE.0).unwrap(), 1e-3, false).unwrap();
    (target, table, schedule)
}

/// Mean and variance of `log w − log Z`, and the mean of `w / Z` with its standard error.
fn moments(log_weights: &[f64], log_z: f64) -> [f64; 4] {
    let n = log_weights.len() as f64;
    let of = |values: &[f64]| {
        let mean = values.iter().sum::<f64>() / n;
        (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n)
    };
    let logs: Vec<f64> = log_weights.iter().map(|log| log - log_z).collect();
    let ratios: Vec<f64> = logs.iter().map(|log| log.exp()).collect();
    let ((mean, variance), (ratio, spread)) = (of(&logs), of(&ratios));
    [mean, variance, ratio, (spread / n).sqrt()]
}

fn weights<K: ReverseKernel>(sweeps: usize, from_noise: bool, kernel: &K) -> [f64; 4] {
    let (target, table, schedule) = chain(sweeps);
    let conditional = table.conditional(&schedule).unwrap();
    let law = table.law_at(&schedule, schedule.horizon());
    let (uniform, noised) = (ProductLaw::uniform(SHAPE.0, SHAPE.1), Noised { table, law });
    let base: &dyn Base = if from_noise { &uniform } else { &noised };
    let found = reverse_paths(&target, base, &conditional, &schedule, kernel, 2000, 5).unwrap();
    moments(&found.log_weights, exact::enumerate(&target).unwrap().log_partition())
}

#[test]
fn every_path_of_the_lazy_kernel_weighs_z() {
    for sweeps in [1, 4, 16] {
        let [mean, variance, ..] = weights(sweeps, false, &Lazy::default());
        assert!(mean.abs() < 1e-10 && variance < 1e-20, "{sweeps} sweeps from the exact law: {mean}, {variance}");
        // From noise, what is left is the start: the levels end at .001, not at 0. The variance is twice the divergence.
        let [mean, variance, ..] = weights(sweeps, true, &Lazy::default());
        assert!(mean.abs() < 1e-3 && variance < 1e-5, "{sweeps} sweeps from noise: {mean}, {variance}");
        let (_, table, schedule) = chain(sweeps);
        let law = table.law_at(&schedule, schedule.horizon());
        let uniform = 1.0 / law.len() as f64;
        let divergence: f64 = law.iter().map(|p| uniform * (uniform / p).ln()).sum();
        let error = (variance / 2000.0).sqrt();
        assert!((mean + divergence).abs() < 4.0 * error, "{sweeps} sweeps: {mean} ± {error}, not -{divergence}");
        let ratio = variance / (2.0 * divergence);
        assert!((ratio - 1.0).abs() < 0.15, "{sweeps} sweeps: variance {ratio} of twice the divergence");
    }
}

#[test]
fn heat_bath_forgets_what_the_noise_keeps() {
    // One sweep of complete noise keeps nothing; more do, and E w = Z all the same.
    let [_, one, ..] = weights(1, true, &HeatBath::default());
    let [_, four, ratio, error] = weights(4, true, &HeatBath::default());
    assert!(one < 1e-3 && four > 0.3, "{one}, {four}");
    assert!((ratio - 1.0).abs() < 4.0 * error, "E w / Z = {ratio} ± {error}");
}

#[test]
fn weights_of_wrong_conditionals_have_mean_z() {
    // The conditionals of another table.
    let (target, _, schedule) = chain(2);
    let other = Table::random(SHAPE.0, SHAPE.1, 0.7, 8).unwrap();
    let listed = exact::enumerate(&other).unwrap();
    let table = EnumeratedTable::new(SHAPE.0, SHAPE.1, listed.probabilities().to_vec()).unwrap();
    let conditional = table.conditional(&schedule).unwrap();
    let base = ProductLaw::uniform(SHAPE.0, SHAPE.1);
    let found = reverse_paths(&target, &base, &conditional, &schedule, &Lazy::default(), 20_000, 6).unwrap();
    let [mean, _, ratio, error] = moments(&found.log_weights, exact::enumerate(&target).unwrap().log_partition());
    assert!(mean < -0.1, "the bound is loose: {mean}");
    assert!((ratio - 1.0).abs() < 4.0 * error, "E w / Z = {ratio} ± {error}");
    let short = ProductLaw::uniform(SHAPE.0, 3);
    let error = reverse_paths(&target, &short, &conditional, &schedule, &Lazy::default(), 1, 1).unwrap_err();
    assert!(matches!(error, GflownetError::Mismatch { found: 3, expected: 4, .. }), "{error}");
}

/// Every edge as likely as not, whatever the rest.
struct Coins(usize);

impl SiteConditional for Coins {
    fn vocab(&self) -> usize {
        2
    }
    fn len(&self) -> usize {
        self.0
    }
    fn log_conditionals(&self, _: TokenRows<'_>, _: usize, _: &[usize], out: &mut [f64]) -> glauber_chain::Result<()> {
        out.fill(-std::f64::consts::LN_2);
        Ok(())
    }
}

/// A constrained chain never closes a cycle, whatever the conditional, and its weights are still those of the target.
#[test]
fn constrained_paths_weigh_the_acyclic_graphs() {
    let mut rng = ChainRng::new(3, 0);
    let values = (0..30 * 4).map(|_| rng.uniform()).collect();
    let names = ["a", "b", "c", "d"].map(String::from).to_vec();
    let target = DagTarget::new(Bge::new(&DataTable::new(names, values).unwrap()).unwrap()).unwrap();
    let log_z = exact::enumerate(&target).unwrap().log_partition();
    let base = ProductLaw::uniform(2, 12);
    let exclude = |known: &[Option<u32>], site: usize, possible: &mut [bool]| target.exclude(known, site, possible);
    for sweeps in [1, 3] {
        let order = SiteOrder::round_robin(12, sweeps).unwrap();
        let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(2).unwrap(), 1e-3, false).unwrap();
        let paths = |conditional: &dyn SiteConditional| {
            reverse_paths(&target, &base, conditional, &schedule, &Lazy::default(), 4000, 5).unwrap().log_weights
        };
        assert!(paths(&Coins(12)).iter().filter(|log| log.is_infinite()).count() > 1000);
        let found = paths(&Constrained::new(Coins(12), &schedule, exclude).unwrap());
        assert!(found.iter().all(|log| log.is_finite()), "{sweeps} sweeps");
        let [.., ratio, error] = moments(&found, log_z);
        assert!((ratio - 1.0).abs() < 4.0 * error && error < 0.3, "{sweeps} sweeps: {ratio} ± {error}");
    }
}
