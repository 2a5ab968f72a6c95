//! Heat bath from a table of laws against heat bath from laws written out: the same uniform numbers give the same chains.

use glauber_chain::oracles::{Ising, Lattice, Potts};
use glauber_chain::{ChainError, Chains, DrawControls, HeatBath, ReverseKernel, SiteConditional, TokenRows};
use glauber_schedule::{Boundary, SiteOrder};
use glauber_tokens::{Site, Step, Token, TokenBatch};
use proptest::prelude::*;

/// A model that hides its table of laws.
struct WrittenOut<'a, C>(&'a C);

impl<C: SiteConditional> SiteConditional for WrittenOut<'_, C> {
    fn vocab(&self) -> usize {
        self.0.vocab()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn log_conditionals(
        &self,
        rows: TokenRows<'_>,
        t: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        self.0.log_conditionals(rows, t, sites, out)
    }

    fn conditionals(&self, rows: TokenRows<'_>, t: Step, sites: &[Site], out: &mut [f64]) -> Result<(), ChainError> {
        self.0.conditionals(rows, t, sites, out)
    }
}

/// One site a step, colour classes, and blocks in which neighbours are redrawn together.
fn orders(lattice: &Lattice) -> Vec<SiteOrder> {
    let sites = lattice.sites();
    let mixed: Vec<Vec<Site>> = vec![(0..sites).collect(), vec![0], vec![sites - 1], (0..sites).step_by(2).collect()];
    vec![
        SiteOrder::permutation(sites, 12, 5).unwrap(),
        lattice.order(12).unwrap(),
        SiteOrder::from_blocks(sites, [&mixed[..]; 6].concat()).unwrap(),
    ]
}

fn start(rows: usize, model: &impl SiteConditional, seed: u64) -> Chains {
    let tokens: Vec<Token> = (0..rows * model.len()).map(|at| ((at * 7 + at / 5) % model.vocab()) as Token).collect();
    Chains::seeded(TokenBatch::new(tokens, model.len()).unwrap(), seed)
}

/// Tokens, generators and diagnostics agree; says how many spins changed.
fn compare<C: SiteConditional + Sync>(model: &C, lattice: &Lattice, seed: u64) -> u64 {
    assert!(model.law_table().is_some());
    let mut changes = 0;
    for order in orders(lattice) {
        let kernel = HeatBath::default();
        let mut expected = start(3, model, seed);
        let (mut serial, mut parallel) = (expected.clone(), expected.clone());
        let steps = || (0..order.horizon()).chain((0..order.horizon()).rev());
        let written_out = kernel.run(&WrittenOut(model), &mut expected, &order, steps()).unwrap();
        assert_eq!(kernel.run(model, &mut serial, &order, steps()).unwrap(), written_out);
        assert_eq!(kernel.run_parallel(model, &mut parallel, &order, steps()).unwrap(), written_out);
        let sites = [1, 0, 1, lattice.sites() - 1];
        for sites in [&sites[..], &sites[..1], &[]] {
            let written_out = kernel.update(&WrittenOut(model), &mut expected, 0, sites).unwrap();
            assert_eq!(kernel.update(model, &mut serial, 0, sites).unwrap(), written_out);
            assert_eq!(kernel.update(&model, &mut parallel, 0, sites).unwrap(), written_out);
        }
        assert_eq!(serial, expected);
        assert_eq!(parallel, expected);
        changes += written_out.changes;
    }
    changes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn ising_draws_agree(
        height in 2usize..20, width in 2usize..20, torus: bool, coupling in -1.5..1.5f64, field in -1.0..1.0f64, seed: u64,
    ) {
        let boundary = if torus { Boundary::Torus } else { Boundary::Open };
        let lattice = Lattice::new(height, width, boundary).unwrap();
        compare(&Ising::new(lattice.clone(), coupling, field).unwrap(), &lattice, seed);
    }

    #[test]
    fn potts_draws_agree(
        height in 2usize..9, width in 2usize..9, torus: bool, colours in 1usize..17, coupling in -2.0..3.0f64, seed: u64,
    ) {
        let boundary = if torus { Boundary::Torus } else { Boundary::Open };
        let lattice = Lattice::new(height, width, boundary).unwrap();
        let potts = Potts::new(lattice.clone(), colours, coupling).unwrap();
        let changes = compare(&potts, &lattice, seed);
        prop_assert!(colours == 1 || changes > 0);
    }
}

/// Certain draws: probabilities of 0 and 1 in f64.
#[test]
fn frozen_models_agree() {
    let lattice = Lattice::new(4, 5, Boundary::Open).unwrap();
    compare(&Ising::new(lattice.clone(), 100.0, -100.0).unwrap(), &lattice, 1);
    compare(&Potts::new(lattice.clone(), 3, 100.0).unwrap(), &lattice, 1);
    compare(&Potts::new(lattice.clone(), 3, -100.0).unwrap(), &lattice, 1);
}

/// Clamped sites and sharpened draws take the written-out path, table or not.
#[test]
fn clamps_and_controls_are_respected() {
    let lattice = Lattice::new(4, 4, Boundary::Torus).unwrap();
    let ising = Ising::new(lattice, 0.3, 0.1).unwrap();
    let order = ising.lattice().order(20).unwrap();
    let mut chains = Chains::seeded(TokenBatch::filled(4, 16, 0), 1);
    chains.clamp(2, 5, 1).unwrap();
    let mut hidden = chains.clone();
    let cold = HeatBath::new(DrawControls { temperature: 0.5, ..Default::default() }).unwrap();
    for kernel in [HeatBath::default(), cold] {
        for _ in 0..10 {
            let found = kernel.run(&ising, &mut chains, &order, 0..order.horizon()).unwrap();
            assert_eq!(kernel.run(&WrittenOut(&ising), &mut hidden, &order, 0..order.horizon()).unwrap(), found);
            assert_eq!(chains, hidden);
            assert_eq!(chains.tokens().row(2)[5], 1);
        }
    }
}

#[test]
fn many_colours_have_no_table() {
    let lattice = Lattice::new(3, 3, Boundary::Open).unwrap();
    assert!(Potts::new(lattice.clone(), 17, 0.5).unwrap().law_table().is_none());
    let colours: Vec<usize> = (1..17).collect();
    assert!(colours.iter().all(|&n| Potts::new(lattice.clone(), n, 0.5).unwrap().law_table().is_some()));
}
