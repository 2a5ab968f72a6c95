use std::ops::ControlFlow;

use glauber_chain::oracles::Lattice;
use glauber_energy::{EnergyError, Model, Stage, Study, StudySettings};
use glauber_schedule::Boundary;

/// An open lattice: no multi-spin coding.
fn model() -> Model {
    Model::ising(Lattice::new(3, 3, Boundary::Open).unwrap(), 0.4, 0.2).unwrap()
}

fn settings() -> StudySettings {
    StudySettings { particles: 400, sweeps: 40, chains: 6, updates: 330, burn_in: 7, ..StudySettings::default() }
}

#[test]
fn a_watcher_sees_every_stage_to_its_end() {
    let mut seen = Vec::new();
    let study = Study::of(&model(), &settings(), &mut |stage| {
        seen.push(stage);
        ControlFlow::Continue(())
    });
    assert!(study.is_ok());
    let pilot = seen.iter().take_while(|stage| matches!(stage, Stage::Pilot(_, 64))).count();
    let annealing: Vec<Stage> = (1..=40).map(|done| Stage::Annealing(done, 40)).collect();
    assert!(pilot > 0 && seen[pilot..pilot + 40] == annealing);
    // 337 updates in pieces of four.
    let equilibrium: Vec<Stage> = (1..=85).map(|piece| Stage::Equilibrium((4 * piece).min(337), 337)).collect();
    assert_eq!(seen[pilot + 40..], equilibrium);
}

#[test]
fn a_watcher_stops_every_stage() {
    for stop in [Stage::Pilot(2, 64), Stage::Annealing(3, 40), Stage::Equilibrium(8, 337)] {
        let failed = Study::of(&model(), &settings(), &mut |stage| match stage == stop {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        });
        assert!(matches!(failed, Err(EnergyError::Stopped { .. })), "{stop:?}");
    }
}

#[test]
fn a_study_agrees_with_the_exact_values_on_any_number_of_threads() {
    let of = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| Study::of(&model(), &settings(), &mut |_| ControlFlow::Continue(())).unwrap())
    };
    let study = of(1);
    let exact = glauber_energy::exact::enumerate(&*model().target).unwrap();
    assert!((study.exact.unwrap().value - exact.log_partition()).abs() < 1e-9);
    assert!((study.log_partition.estimate - exact.log_partition()).abs() < 0.05);
    for (mean, observable) in study.means.iter().zip(&model().observables) {
        let expected = exact.mean(|tokens| (observable.measure)(tokens));
        assert!((mean.mean - expected).abs() < 5.0 * mean.standard_error, "{mean:?}, exactly {expected}");
    }
    let other = of(3);
    assert_eq!((study.means, study.samples, study.log_partition), (other.means, other.samples, other.log_partition));
}
