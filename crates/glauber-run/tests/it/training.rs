//! Training on a Markov source: it learns, it does not depend on threads, and its files survive.

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use glauber_chain::oracles::MarkovSource;
use glauber_model::{Conditioning, ModelConfig, Network, NetworkKind, Positions};
use glauber_run::markov::MarkovData;
use glauber_run::{DataConfig, Event, Flow, Hook, Run, RunConfig, RunError, RunFolder, Surroundings, Vocabulary};
use glauber_schedule::{NoiseConfig, ScheduleConfig};
use glauber_train::{
    Denoising, Examples, Extension, Objective, TrainConfig, excess_over_bayes, learning_rate, objectives,
};

const VOCAB: usize = 5;

fn config(objective: &'static dyn Objective, network: NetworkKind, steps: usize) -> RunConfig {
    RunConfig {
        seed: 3,
        data: DataConfig::new(MarkovData { length: 8, vocab: VOCAB, source_seed: 1, classes: 1 }),
        model: ModelConfig {
            network,
            width: 16,
            layers: 1,
            merge_layers: 1,
            heads: 2,
            condition_width: 8,
            positions: Positions::Line,
            site_vectors: false,
            conditioning: Conditioning::Step,
            classes: 0,
            tied: false,
            block: 0,
            prior: None,
        },
        schedule: ScheduleConfig { sweeps: 3.into(), ..ScheduleConfig::default() },
        train: TrainConfig {
            objective,
            steps,
            batch: 16,
            warmup_steps: 10,
            learning_rate: 1e-2,
            average_decay: 0.9,
            validate_every: 20,
            validation_sequences: 32,
            sample_every: 0,
            checkpoint_every: 20,
            ..TrainConfig::default()
        },
    }
}

fn vocabulary() -> Vocabulary {
    Vocabulary::of_counts(vec![1; VOCAB], "test")
}

fn source() -> MarkovSource {
    MarkovSource::random(VOCAB, 1, 3.0).expect("a source")
}

/// Stops after a number of steps, if asked to.
struct Silent {
    stop_after: usize,
}

impl Hook for Silent {
    fn on_event(&mut self, event: Event<'_>) -> Flow {
        match event {
            Event::Step { step, .. } if step == self.stop_after => Flow::Stop,
            _ => Flow::Continue,
        }
    }

    fn seconds(&self) -> f64 {
        0.0
    }
}

fn train(trainer: &mut Run, stop_after: usize) -> Result<Flow, RunError> {
    let source = source();
    let (schedule, objective) = (trainer.schedule().clone(), trainer.config().train.objective);
    let excess = |network: &Network, held_out: &[Examples]| {
        let device = Device::flex();
        excess_over_bayes(network, objective, &schedule, &source, held_out, &device)
    };
    let around = Surroundings { train: &source, validation: &source, sample: None, excess: Some(&excess) };
    trainer.run(&around, &mut Silent { stop_after })
}

fn begin(folder: &Path, config: RunConfig, threads: usize) -> Run {
    Run::begin(config, &vocabulary(), None, folder, &Device::flex(), threads).expect("a trainer")
}

#[test]
fn every_objective_and_network_comes_closer_to_the_bayes_loss() {
    for network in [NetworkKind::Hollow, NetworkKind::MaskedQuery] {
        for objective in objectives().into_iter().filter(|objective| !objective.compares_paths()) {
            let folder = tempfile::tempdir().expect("a folder");
            let mut trainer = begin(&folder.path().join("run"), config(objective, network, 120), 2);
            train(&mut trainer, usize::MAX).expect("training");
            let excess: Vec<f64> = trainer.metrics().iter().filter_map(|line| line.excess).collect();
            assert_eq!(excess.len(), 6);
            assert!(excess.iter().all(|&above| above >= 0.0), "{network:?}, {objective:?}: below Bayes: {excess:?}");
            assert!(excess[5] < excess[0], "{network:?}, {objective:?}: {excess:?}");
        }
    }
}

#[test]
fn the_result_does_not_depend_on_the_threads() {
    let checkpoint = |threads| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run");
        train(&mut begin(&path, config(&Denoising, NetworkKind::Hollow, 20), threads), usize::MAX).expect("training");
        let latest = RunFolder::open(&path).and_then(|run| run.latest_checkpoint()).expect("a checkpoint");
        std::fs::read(latest.path.join("weights.safetensors")).expect("weights")
    };
    assert!(checkpoint(1) == checkpoint(2));
}

/// Blocks that are computed again in the backward pass change nothing: not a bit of any weight, of any network, after some steps.
#[test]
fn checkpointed_activations_leave_losses_and_weights_as_they_are() {
    for network in [NetworkKind::Hollow, NetworkKind::MaskedQuery, NetworkKind::Bidirectional] {
        let run = |checkpoint_activations| {
            let mut config = config(&Denoising, network, 20);
            config.train.checkpoint_activations = checkpoint_activations;
            (config.model.layers, config.model.merge_layers) = (3, 2);
            config.model.conditioning = Conditioning::SignalLevel;
            let mut vocabulary = vocabulary();
            if network == NetworkKind::Bidirectional {
                config.schedule.noise = NoiseConfig::Absorbing;
                vocabulary.mask = Some(VOCAB as u32 - 1);
            }
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("run");
            let mut trainer = Run::begin(config, &vocabulary, None, &path, &Device::flex(), 2).expect("a trainer");
            let source = MarkovSource::random(VOCAB - 1, 1, 3.0).expect("a source");
            let losses: Vec<f64> = (0..5).map(|_| trainer.train_step(&source).expect("a step").0).collect();
            let mut weights = Weights(Vec::new());
            trainer.network().visit(&mut weights);
            (losses, weights.0)
        };
        let (plain, again) = (run(false), run(true));
        assert!(plain.1.iter().any(|values| values.iter().any(|&value| value != 0.0)));
        assert_eq!(plain.0, again.0, "{network:?}");
        assert_eq!(plain.1, again.1, "{network:?}");
    }
}

/// All weights of a network.
struct Weights(Vec<Vec<f32>>);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().into_data().iter::<f32>().collect());
    }
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_same_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let (unbroken, broken) = (folder.path().join("unbroken"), folder.path().join("broken"));
    let config = config(&Denoising, NetworkKind::Hollow, 40);
    let mut whole = begin(&unbroken, config.clone(), 2);
    assert_eq!(train(&mut whole, usize::MAX).expect("training"), Flow::Continue);
    assert_eq!(train(&mut begin(&broken, config, 2), 13).expect("training"), Flow::Stop);
    let mut rest = Run::resume(&broken, &Device::flex(), 1).expect("a trainer");
    assert_eq!(rest.state().step, 13);
    train(&mut rest, usize::MAX).expect("training");
    assert_eq!(whole.metrics(), rest.metrics());
}

#[test]
fn a_run_that_is_made_longer_is_from_there_on_one_of_so_many_steps() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let resume = |path: &Path| Run::resume(path, &Device::flex(), 1);
    for name in ["longer", "stopped", "by hand"] {
        train(&mut begin(&at(name), config(&Denoising, NetworkKind::Hollow, 20), 1), usize::MAX).expect("training");
    }
    let mut longer = resume(&at("longer")).expect("a trainer");
    let refused = longer.set_steps(19).expect_err("20 steps are done").to_string();
    assert!(refused.contains("train.steps") && refused.contains("at least 20"), "{refused}");
    longer.set_steps(40).expect("a longer run");
    train(&mut longer, usize::MAX).expect("training");
    // The rate is that of a run of 40 steps, which is not the lowest at its twentieth.
    let rate = learning_rate(&TrainConfig { steps: 40, ..longer.config().train.clone() }, 39);
    assert_eq!(longer.metrics().last().map(|line| (line.step, line.learning_rate)), Some((40, rate)));
    // Stopped on the way, it goes on to the same numbers.
    let mut stopped = resume(&at("stopped")).expect("a trainer");
    stopped.set_steps(40).expect("a longer run");
    train(&mut stopped, 27).expect("training");
    drop(stopped);
    let mut rest = resume(&at("stopped")).expect("a trainer");
    train(&mut rest, usize::MAX).expect("training");
    // So does one whose configuration says 40 from there on.
    let path = at("by hand").join("config.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    std::fs::write(&path, text.replace("steps = 20", "steps = 40").replace("warmup_steps = 40", "warmup_steps = 20"))
        .expect("written");
    train(&mut resume(&at("by hand")).expect("a trainer"), usize::MAX).expect("training");
    let files = ["weights", "average", "moment-1", "moment-2"]
        .map(|name| format!("checkpoints/step-00000040/{name}.safetensors"));
    let read = |name: &str| files.each_ref().map(|file| std::fs::read(at(name).join(file)).expect("a checkpoint"));
    assert!(read("longer") == read("stopped") && read("longer") == read("by hand"));
    assert_eq!(longer.metrics(), rest.metrics());
    let written = RunFolder::open(&at("stopped")).and_then(|run| run.config()).expect("a configuration");
    assert_eq!((written.train.steps, written.train.extended), (40, vec![Extension { step: 20, of: 20 }]));
}

#[test]
fn a_configuration_that_was_changed_by_hand_is_refused_by_its_key_where_it_decides_the_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    train(&mut begin(&path, config(&Denoising, NetworkKind::Hollow, 3), 1), usize::MAX).expect("training");
    let file = path.join("config.toml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    let resumed = |from: &str, to: &str| {
        assert!(text.contains(from), "no `{from}` in {text}");
        std::fs::write(&file, text.replacen(from, to, 1)).expect("written");
        let resumed = Run::resume(&path, &Device::flex(), 1);
        resumed.map(|trainer| trainer.notes().join("; ")).map_err(|error| error.to_string())
    };
    for (from, to, key) in [
        ("seed = 3", "seed = 4", "`seed` is 4, expected 3"),
        ("length = 8", "length = 9", "`data.length`"),
        ("source_seed = 1", "source_seed = 2", "`data.source_seed`"),
        ("sweeps = 3", "sweeps = 4", "`schedule.sweeps`"),
        ("kind = \"uniform\"", "kind = \"unigram\"", "`schedule.noise.kind`"),
        ("objective = \"denoising\"", "objective = \"binary\"", "`train.objective`"),
        ("optimiser = \"muon\"", "optimiser = \"adam-w\"", "`train.optimiser`"),
        ("\nbatch = 16", "\nbatch = 8", "`train.batch`"),
        ("micro_batches = 2", "micro_batches = 4", "`train.micro_batches`"),
        ("validation_sequences = 32", "validation_sequences = 64", "`train.validation_sequences`"),
        ("width = 16", "width = 32", "`model.width`"),
        ("conditioning = \"step\"", "conditioning = \"signal-level\"", "`model.conditioning`"),
    ] {
        let refused = resumed(from, to).expect_err(to);
        assert!(refused.contains(key) && refused.contains("as in training: restore it"), "{to}: {refused}");
    }
    for (from, to) in [
        ("checkpoint_every = 20", "checkpoint_every = 10"),
        ("validate_every = 20", "validate_every = 10"),
        ("\nsteps = 3", "\nsteps = 9"),
        ("checkpoint_activations = false", "checkpoint_activations = true"),
    ] {
        assert_eq!(resumed(from, to).as_deref(), Ok(""), "{to}");
    }
    let told = resumed("learning_rate = 0.01", "learning_rate = 0.005").expect("another course");
    assert!(told.contains("`train.learning_rate` is 0.005 from step 3 on, 0.01 before"), "{told}");
    // Logits of both are those of the clean token.
    let told = resumed("objective = \"denoising\"", "objective = \"level-bound\"").expect("another course");
    assert!(told.contains("`train.objective` is \"level-bound\" from step 3 on"), "{told}");
    // A checkpoint of an older program does not tell, and has no checksums.
    for name in ["config.toml", "checksums.b3"] {
        std::fs::remove_file(path.join("checkpoints/step-00000003").join(name)).expect("removed");
    }
    assert_eq!(resumed("\nbatch = 16", "\nbatch = 8").as_deref(), Ok(""));
}

#[test]
fn what_is_torn_or_gone_beside_whole_weights_stops_no_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    let mut config = config(&Denoising, NetworkKind::Hollow, 6);
    (config.train.checkpoint_every, config.train.validate_every) = (2, 2);
    train(&mut begin(&path, config, 1), usize::MAX).expect("training");
    let at = |name: &str| path.join(name);
    let whole = std::fs::read(at("metrics.jsonl")).expect("evaluations");
    let resumed = || Run::resume(&path, &Device::flex(), 1);
    let evaluated = |steps: &[usize]| {
        let trainer = resumed().expect("a run that is whole");
        assert_eq!(trainer.metrics().iter().map(|line| line.step).collect::<Vec<_>>(), steps);
        assert_eq!(RunFolder::open(&path).and_then(|run| run.metrics()).expect("evaluations").len(), steps.len());
        trainer.notes().join("; ")
    };
    std::fs::write(at("metrics.jsonl"), [&whole[..], b"{\"bad"].concat()).expect("written");
    assert!(evaluated(&[2, 4, 6]).contains("rewritten from the checkpoint"));
    assert!(std::fs::read(at("metrics.jsonl")).expect("evaluations") == whole);
    std::fs::write(at("checkpoints/step-00000006/metrics.jsonl"), b"\0\0").expect("written");
    assert!(evaluated(&[2, 4, 6]).contains("damaged"));
    std::fs::write(at("checkpoints/step-00000006/state.toml"), "step = ").expect("written");
    assert_eq!(RunFolder::open(&path).and_then(|run| run.load_average(&Device::flex())).expect("weights").1.step, 4);
    let told = evaluated(&[2, 4]);
    assert!(told.contains("state.toml") && told.contains("resuming from step 4"), "{told}");
    assert!(at("checkpoints/damaged-step-00000006").is_dir());
    train(&mut resumed().expect("a trainer"), usize::MAX).expect("training");
    assert_eq!(evaluated(&[2, 4, 6]), "");
    std::fs::remove_dir_all(at("checkpoints")).expect("removed");
    let refused = resumed().err().expect("no checkpoint").to_string();
    assert!(refused.contains("restore it, or start a new run") && !refused.contains("longer"), "{refused}");
}

#[test]
fn a_flipped_bit_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    train(&mut begin(&path, config(&Denoising, NetworkKind::Hollow, 2), 1), usize::MAX).expect("training");
    let said = |error: RunError| error.to_string();
    let resumed = || Run::resume(&path, &Device::flex(), 1).map(|run| run.notes().join("; ")).map_err(said);
    let averaged =
        || RunFolder::open(&path).and_then(|run| run.load_average(&Device::flex())).map(|_| ()).map_err(said);
    resumed().and_then(|_| averaged()).expect("a whole run");
    let at = |name: &str| path.join("checkpoints/step-00000002").join(name);
    let weights = ["weights", "average", "moment-1", "moment-2"].map(|name| at(&format!("{name}.safetensors")));
    let texts = [path.join("vocabulary.json"), at("config.toml"), at("checksums.b3"), path.join("checksums.b3")];
    for file in weights.iter().chain(&texts) {
        let bytes = std::fs::read(file).expect("a file");
        // Some of each part of a file: its header, and what follows.
        // A name that is damaged in the checksums of the run folder is that of another file, which has none.
        let end = if *file == path.join("checksums.b3") { 64 } else { bytes.len() };
        for byte in (0..end.min(64)).step_by(7).chain((0..end).step_by(end / 16 + 1)) {
            let mut flipped = bytes.clone();
            flipped[byte] ^= 1;
            std::fs::write(file, flipped).expect("written");
            // The checkpoint's copy of the evaluations is mended, and a note says so.
            let mended = |notes: String| {
                if notes.contains("damaged") { notes } else { panic!("byte {byte} of {file:?}: {notes}") }
            };
            let told = resumed().map_or_else(|told| told, mended);
            // A digit of a checksum is a checksum of something else; one of the format is another format.
            let named = told.contains(&file.display().to_string());
            let named = named || file.ends_with("checksums.b3") || told.contains("a run in format 3");
            assert!(named, "byte {byte} of {}: {told}", file.display());
            let trained_only = weights[..1].iter().chain(&weights[2..]).any(|other| other == file);
            let seen = trained_only || file.ends_with("checksums.b3") || averaged().is_err();
            assert!(seen, "byte {byte} of {}", file.display());
        }
        std::fs::write(file, bytes).expect("written");
    }
    resumed().and_then(|_| averaged()).expect("a whole run");
}

#[test]
fn old_checkpoints_go_and_unfinished_ones_are_ignored() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    let mut trainer = begin(&path, config(&Denoising, NetworkKind::Hollow, 80), 1);
    train(&mut trainer, 70).expect("training");
    let run = RunFolder::open(&path).expect("a run");
    let steps = |run: &RunFolder| run.checkpoints().expect("checkpoints").iter().map(|c| c.step).collect::<Vec<_>>();
    assert_eq!(steps(&run), [60, 70]);
    let unfinished = path.join("checkpoints/.writing");
    std::fs::create_dir(&unfinished).expect("a folder");
    assert_eq!(steps(&run), [60, 70]);
    let second = Run::resume(&path, &Device::flex(), 1).err().expect("the folder is taken").to_string();
    assert!(second.contains("another process"), "{second}");
    drop(trainer);
    train(&mut Run::resume(&path, &Device::flex(), 1).expect("a trainer"), usize::MAX).expect("training");
    assert_eq!(steps(&run), [70, 80]);
    assert!(!unfinished.exists());
    assert!(run.picture().is_file());
}

#[test]
fn a_learning_rate_that_is_too_high_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(&Denoising, NetworkKind::Hollow, 60);
    config.train.learning_rate = 1e30;
    config.train.warmup_steps = 0;
    let error = train(&mut begin(&folder.path().join("run"), config, 1), usize::MAX).expect_err("a divergence");
    assert!(error.to_string().contains("train.learning_rate"), "{error}");
}
