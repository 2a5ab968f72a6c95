//! What a run begins with must fit together.

use burn::tensor::Device;
use glauber_model::{ModelConfig, NetworkKind, Positions, Preset};
use glauber_run::markov::MarkovData;
use glauber_run::sudoku::SudokuData;
use glauber_run::{DataConfig, Run, RunConfig, Vocabulary};
use glauber_schedule::NoiseConfig;
use glauber_train::{TrainConfig, TrainError, Windows};

const VOCAB: usize = 7;
const LEN: usize = 6;

fn model(network: NetworkKind, classes: usize) -> ModelConfig {
    ModelConfig { network, width: 16, layers: 1, heads: 2, condition_width: 8, classes, ..Preset::Tiny.config() }
}

fn config() -> RunConfig {
    RunConfig {
        seed: 1,
        data: DataConfig::new(MarkovData { length: LEN, vocab: VOCAB, source_seed: 1, classes: 1 }),
        model: model(NetworkKind::Hollow, 0),
        schedule: Default::default(),
        train: TrainConfig { steps: 1, batch: 4, ..TrainConfig::default() },
    }
}

#[test]
fn a_run_begins_with_a_vocabulary_that_fits_itself_and_data_that_fit_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let begin = |vocabulary: &Vocabulary, config: RunConfig, name: &str| {
        let path = folder.path().join(name);
        let begun = Run::begin(config, vocabulary, None, &path, &Device::flex(), 1);
        assert!(begun.is_ok() || !path.exists(), "a refusal leaves no folder");
        begun
    };
    let fits = Vocabulary::of_counts(vec![1; VOCAB], "test");
    let refused = |vocabulary: Vocabulary, config: RunConfig, words: &str| {
        let error = begin(&vocabulary, config, "refused").err().expect("a refusal").to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(Vocabulary { size: VOCAB + 1, ..fits.clone() }, config(), "7 token counts");
    refused(Vocabulary { mask: Some(7), ..fits.clone() }, config(), "token 7");
    let data = DataConfig::new(SudokuData { side: 4 });
    let positions = Positions::Grid { columns: 8 };
    let grid = RunConfig { data, model: ModelConfig { positions, ..config().model }, ..config() };
    refused(Vocabulary::of_counts(vec![1; 4], "test"), grid, "model.positions.grid.columns");
    let masked = ModelConfig { network: NetworkKind::Bidirectional, ..config().model };
    refused(fits.clone(), RunConfig { model: masked, ..config() }, "`schedule.noise`");
    let mut trainer = begin(&fits, config(), "begun").expect("a run");
    let wider = Windows::new(vec![7; LEN], LEN).expect("windows");
    assert!(matches!(trainer.train_step(&wider), Err(TrainError::Sequence { .. })));
    assert!(matches!(trainer.next_examples(&wider), Err(TrainError::Sequence { .. })));
    assert_eq!(config().schedule.noise, NoiseConfig::Uniform);
}

#[test]
fn a_folder_of_a_later_format_is_refused_by_the_version_that_reads_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    let begun = Vocabulary::of_counts(vec![1; VOCAB], "0.1.0");
    drop(Run::begin(config(), &begun, None, &path, &Device::flex(), 1).expect("a run"));
    let file = path.join("vocabulary.json");
    let text = std::fs::read_to_string(&file).expect("a vocabulary");
    let opened = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        std::fs::write(&file, text.replace(from, to).replace("0.1.0", "3.4.5")).expect("written");
        Run::resume(&path, &Device::flex(), 1).map(|_| ()).map_err(|error| error.to_string())
    };
    // Folders from before there was a number, which had no checksums either.
    std::fs::remove_file(path.join("checksums.b3")).expect("removed");
    assert_eq!(opened("\"format\": 2,", ""), Ok(()));
    let refused = opened("\"format\": 2,", "\"format\": 3, \"new\": true,").expect_err("a later format");
    assert!(refused.contains("format 3") && refused.contains("open it with glauber 3.4.5"), "{refused}");
}

/// A server shares a loaded run among its threads.
#[test]
fn a_loaded_run_goes_to_other_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<glauber_run::Trained>();
}
