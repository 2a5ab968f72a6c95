//! The labels of a whole sweep are asked for in the contexts in which the reverse chain asks.

use burn::module::Module;
use burn::tensor::Device;
use glauber_chain::oracles::MarkovSource;
use glauber_chain::{ChainRng, RowSites, SiteConditional, TokenRows};
use glauber_model::{Conditioning, ModelConfig, Network, NetworkKind, Preset, SiteClassifier};
use glauber_schedule::{NoiseLaw, Schedule, SiteOrder};
use glauber_train::{Denoising, Drawing, Examples, NetworkConditional, Objective, Place, TrainConfig, WholeSweeps};

use crate::device_sampler::Wake;

const VOCAB: usize = 5;
const LEN: usize = 6;
const ROWS: usize = 12;

fn network(kind: NetworkKind, conditioning: Conditioning) -> Network {
    let sizes = ModelConfig { width: 16, layers: 1, heads: 2, condition_width: 8, ..Preset::Tiny.config() };
    let config = ModelConfig { network: kind, conditioning, ..sizes };
    let network = Network::new(&config, VOCAB, LEN, 1, &Device::flex()).expect("valid sizes");
    network.map(&mut Wake(ChainRng::new(5, 0)))
}

fn schedule(order: SiteOrder) -> Schedule {
    let law = NoiseLaw::uniform(VOCAB).expect("a law");
    Schedule::ending_at(&[0.4, 0.8, 1.0], order, law, 1e-3, false).expect("a schedule")
}

fn round_robin() -> Schedule {
    schedule(SiteOrder::round_robin(LEN, 3).expect("an order"))
}

fn examples(network: &Network, schedule: &Schedule, clamped_share: f64) -> Examples {
    let source = MarkovSource::random(VOCAB, 1, 2.0).expect("a source");
    let drawing = Drawing { whole_sweeps: true, clamped_share, ..Drawing::held_out(network) };
    Examples::draw(&source, schedule, ROWS, &drawing, &mut ChainRng::new(2, 0)).expect("examples")
}

#[test]
fn labels_have_the_conditionals_that_the_chain_asks_for() {
    let (network, schedule) = (network(NetworkKind::Hollow, Conditioning::SignalLevelOnly), round_robin());
    let device = Device::flex();
    let chain = NetworkConditional::new(&network, &Denoising, &schedule, &device).expect("they fit");
    let examples = examples(&network, &schedule, 0.9);
    let right = examples.right.as_ref().expect("whole sweeps");
    let (context, conditions) = examples.inputs(&device);
    let logits: Vec<f64> = network.logits(context, &conditions, examples.query()).into_data().iter::<f64>().collect();
    let mut clamped = 0;
    for row in 0..ROWS {
        let here = |site: usize| row * LEN + site;
        for site in 0..LEN {
            let label = examples.label(&schedule, here(site));
            assert_eq!(schedule.sites(label.step), [site]);
            let seen = |at: usize| if at < site { &examples.context } else { &right.context }[here(at)];
            let level = |at: usize| if at < site { &examples.levels } else { &right.levels }[here(at)];
            let tokens: Vec<u32> = (0..LEN).map(seen).collect();
            // What is not as noisy as its step says is known.
            let known: Vec<bool> = (0..LEN).map(|at| level(at) != schedule.signal_level(at, label.step)).collect();
            assert!((0..LEN).all(|at| !known[at] || (level(at) == 1.0 && tokens[at] == examples.clean[here(at)])));
            clamped += known.iter().filter(|known| **known).count();
            let mut expected = vec![0.0; VOCAB];
            let rows = TokenRows::new(&tokens, LEN).with_clamped(Some(&known));
            let asked = RowSites::Each(std::slice::from_ref(&site));
            chain.log_conditionals_at(rows, &[label.step], asked, &mut expected).expect("conditionals");
            let mut found = logits[here(site) * VOCAB..][..VOCAB].to_vec();
            let place = Place { schedule: &schedule, step: label.step, site };
            Denoising.output().log_conditional(&place, &mut found);
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 2e-4, "row {row}, site {site}: {found} for {expected}");
            }
        }
    }
    assert!(clamped > 0);
}

#[test]
fn every_sweep_and_both_ends_of_its_levels_are_drawn() {
    let (network, schedule) = (network(NetworkKind::Hollow, Conditioning::SignalLevelOnly), round_robin());
    let examples = examples(&network, &schedule, 0.0);
    let right = examples.right.as_ref().expect("whole sweeps");
    // Half a third, and half of the .2, .4 and .4 of the signal that a sweep takes away.
    let rows = |sweep: usize| examples.steps.iter().filter(|step| **step == sweep * LEN).count();
    assert!(examples.steps.is_sorted() && rows(0) + rows(1) + rows(2) == ROWS, "stratified over the sweeps");
    let shares = [0.2, 0.4, 0.4].map(|taken| 0.5 * (1.0 / 3.0 + taken));
    assert!(
        (0..3).all(|sweep| (rows(sweep) as f64 - ROWS as f64 * shares[sweep]).abs() <= 1.0),
        "{:?}",
        examples.steps
    );
    for (row, step) in examples.steps.iter().enumerate() {
        let levels = [&examples.levels, &right.levels].map(|levels| levels[row * LEN]);
        assert_eq!(levels, [schedule.signal_level(0, step + LEN), schedule.signal_level(0, *step)]);
    }
    let first = |tokens: &[u32]| tokens[..LEN].to_vec();
    assert_eq!(first(&right.context), first(&examples.clean), "the first sweep begins with clean tokens");
}

#[test]
fn what_has_no_such_labels_is_refused() {
    let train = TrainConfig { whole_sweeps: WholeSweeps::Always, ..TrainConfig::default() };
    let check = |network: &Network, schedule: &Schedule| {
        train.check(network, schedule, &Device::flex()).map_err(|error| error.to_string())
    };
    let hollow = network(NetworkKind::Hollow, Conditioning::SignalLevelOnly);
    assert_eq!(check(&hollow, &round_robin()), Ok(()));
    let hold = |network: &Network, schedule: &Schedule| WholeSweeps::WherePossible.hold(network, &Denoising, schedule);
    assert!(hold(&hollow, &round_robin()));
    let permuted = schedule(SiteOrder::permutation(LEN, 3, 1).expect("an order"));
    let told = network(NetworkKind::Hollow, Conditioning::SignalLevel);
    let query = network(NetworkKind::MaskedQuery, Conditioning::SignalLevelOnly);
    for (network, schedule, why) in [
        (&hollow, &permuted, "an order other than round-robin"),
        (&told, &round_robin(), "a network that is conditioned on the step"),
        (&query, &round_robin(), "one sequence on both sides"),
    ] {
        let error = check(network, schedule).unwrap_err();
        assert!(error.contains("`train.whole_sweeps`") && error.contains(why), "{error}");
        assert!(!hold(network, schedule), "{why}");
    }
}

#[test]
fn files_say_when_sequences_have_whole_sweeps() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct File {
        whole_sweeps: WholeSweeps,
    }
    let values = [("true", WholeSweeps::Always), ("false", WholeSweeps::Never)];
    for (written, whole_sweeps) in [&values[..], &[("\"where-possible\"", WholeSweeps::WherePossible)]].concat() {
        let text = format!("whole_sweeps = {written}\n");
        assert_eq!(toml::from_str(&text), Ok(File { whole_sweeps }));
        assert_eq!(toml::to_string(&File { whole_sweeps }).expect("a file"), text);
    }
    let error = toml::from_str::<File>("whole_sweeps = \"sometimes\"").unwrap_err().to_string();
    assert!(error.contains("where-possible"), "{error}");
}
