use std::ops::ControlFlow;

use glauber_chain::oracles::Lattice;
use glauber_energy::{EnergyError, Model, Stage, Study, StudySettings, TargetConfig, exact};
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

/// Every kind is read from its keys, and is the target that they name.
#[test]
fn targets_are_read_from_their_keys() {
    let table = "a,b,c\n1,2,0.5\n0.1,0.4,3\n2,5,1\n4,8,2\n1,1,1\n3,2,1\n0,2,4\n2,1,1\n";
    let rain = r#"{"sites": [{"name": "rain", "tokens": ["no", "yes"]}, {"name": "grass", "tokens": ["dry", "damp", "wet"]}],
        "factors": [{"sites": ["rain", "grass"], "weights": [[7, 2, 1], [1, 3, 6]]}]}"#;
    let cases = [
        (
            "kind = 'ising'\nlattice = { rows = 2, columns = 3 }\ncoupling = 0.4\nfield = 0.1",
            "",
            vec![0, 1, 1, 0, 0, 1],
            ".##\n..#",
        ),
        (
            "kind = 'potts'\nlattice = { rows = 2, columns = 2 }\ncolours = 3\ncoupling = 0.4",
            "",
            vec![0, 1, 2, 0],
            "01\n20",
        ),
        (
            "kind = 'glass'\nlattice = { rows = 1, columns = 3, open = true }\ncoupling = 0.4\ninstance = 2",
            "",
            vec![1, 0, 1],
            "#.#",
        ),
        ("kind = 'hypergrid'\nside = 4\ndimensions = 2\nrewards = [0.1, 0.5, 2.0]", "", vec![3, 0], "3 0"),
        ("kind = 'dag'\npath = 'table.csv'", table, vec![0, 1, 0, 0, 0, 0], "a→c"),
        ("kind = 'graph'\npath = 'rain.json'", rain, vec![1, 2], "rain=yes grass=wet"),
    ];
    for (keys, text, tokens, shown) in cases {
        let config: TargetConfig = toml::from_str(keys).unwrap();
        assert_eq!(toml::from_str::<TargetConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
        let model = config.model(text).unwrap();
        assert_eq!(model.render(&tokens), shown, "{keys}");
        assert!(config.sites().is_none_or(|sites| sites == tokens.len()) && model.target.len() == tokens.len());
        let exact = model.exact().unwrap().expect("a small target").value;
        let listed = exact::enumerate(&*model.target).unwrap().log_partition();
        assert!((exact - listed).abs() < 1e-9, "{keys}: {exact} for {listed}");
        assert_eq!(config.path().is_some(), !text.is_empty());
    }
    assert!(toml::from_str::<TargetConfig>("kind = 'hypergrid'\nside = 4").is_err());
    assert!(
        toml::from_str::<TargetConfig>("kind = 'ising'\nlattice = { rows = 2, columns = 3 }\ncoupling = 0.4\nbeta = 1")
            .is_err()
    );
}
