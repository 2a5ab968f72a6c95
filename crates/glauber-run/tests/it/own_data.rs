//! A kind of data that this crate does not know: named by a configuration, trained on, kept and shown.

use std::path::Path;

use burn::tensor::Device;
use glauber_chain::{ChainRng, Generator};
use glauber_run::{
    DataConfig, DataKind, DataShape, Event, Flow, Hook, Opened, Opening, Result, Run, RunCodec, RunConfig, RunFolder,
    Trained, Vocabulary, data_kinds, register_data_kind, train_command,
};
use glauber_tokens::Token;
use glauber_train::{SequenceSource, TrainError, within};
use serde::{Deserialize, Serialize};
use toml::Table;

/// Sequences that rise by one from site to site.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ladders {
    length: usize,
    rungs: usize,
}

impl DataKind for Ladders {
    fn name(&self) -> &'static str {
        "ladders"
    }

    fn keys(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }

    fn shape(&self) -> DataShape {
        DataShape::line(self.length)
    }

    fn describe(&self) -> String {
        format!("ladders of {} rungs", self.rungs)
    }

    fn validate(&self) -> Result<(), TrainError> {
        within("data.rungs", self.rungs, 2..=26)
    }

    fn open(&self, opening: &mut Opening<'_>) -> Result<Opened> {
        (opening.say)("opened");
        Ok(Opened {
            train: Box::new(self.clone()),
            held_out: Box::new(self.clone()),
            vocabulary: Vocabulary::of_counts(vec![1; self.rungs], "test"),
            codec: Box::new(Letters),
            excess: None,
            notes: Vec::new(),
        })
    }

    fn codec(&self, run: &RunFolder, _: &Vocabulary, _: &Device) -> Result<Box<dyn RunCodec>> {
        std::fs::read(run.path().join("ladders.txt"))?;
        Ok(Box::new(Letters))
    }
}

impl SequenceSource for Ladders {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        let first = rng.below(self.rungs);
        out.iter_mut().enumerate().for_each(|(site, token)| *token = ((first + site) % self.rungs) as Token);
        Ok(None)
    }
}

struct Letters;

impl RunCodec for Letters {
    fn keep(&self, folder: &Path) -> Result<()> {
        Ok(std::fs::write(folder.join("ladders.txt"), "letters")?)
    }

    fn render(&self, tokens: &[Token]) -> Result<String> {
        Ok(tokens.iter().map(|&token| char::from(b'a' + token as u8)).collect())
    }
}

struct Samples(Vec<String>);

impl Hook for Samples {
    fn on_event(&mut self, event: Event<'_>) -> Flow {
        if let Event::Samples { texts, .. } = event {
            self.0.extend_from_slice(texts);
        }
        Flow::Continue
    }

    fn seconds(&self) -> f64 {
        0.0
    }
}

#[test]
fn a_kind_of_ones_own_is_named_trained_on_kept_and_shown() {
    let text = "[data]\nkind = 'ladders'\nlength = 4\nrungs = 5\n[schedule]\nsweeps = 2\n\
        [train]\nsteps = 2\nbatch = 2\nsample_every = 2\nsamples = 3\nvalidation_sequences = 2\n";
    let read = |text: &str| toml::from_str::<RunConfig>(text).map_err(|error| error.to_string());
    let unknown = read(text).unwrap_err();
    assert!(unknown.contains("`data.kind` is ladders") && unknown.contains("text, markov, image, sudoku"), "{unknown}");
    register_data_kind::<Ladders>("ladders", &["ladders.txt"]).unwrap();
    assert!(
        register_data_kind::<Ladders>("ladders", &[]).is_err() && register_data_kind::<Ladders>("text", &[]).is_err()
    );
    assert!(data_kinds().contains(&"ladders") && train_command("ladders") == "data" && train_command("text") == "text");
    let misspelt = read(&text.replace("rungs", "rings")).unwrap_err();
    assert!(misspelt.contains("[data]") && misspelt.contains("rings"), "{misspelt}");
    assert!(read(&text.replace("rungs = 5", "rungs = 1")).unwrap().validate().is_err());
    let config = read(text).unwrap();
    let written = toml::to_string(&config).unwrap();
    assert_eq!(read(&written).unwrap(), config);
    assert_ne!(config.data, DataConfig::new(Ladders { length: 4, rungs: 6 }));

    let (folder, device) = (tempfile::tempdir().unwrap(), Device::flex());
    let (path, mut said) = (folder.path().join("run"), 0);
    let (begun, say) = (None, &mut |_: &str| said += 1);
    let mut opening = Opening { config: &config, begun, first: true, cache: folder.path(), device: &device, say };
    let opened = config.data.open(&mut opening).unwrap();
    assert_eq!(said, 1);
    let codec = Some(&*opened.codec);
    let mut run = Run::begin(config.clone(), &opened.vocabulary, codec, &path, &device, 1).unwrap();
    let mut seen = Samples(Vec::new());
    opened.train(&mut run, &mut seen).unwrap();
    assert_eq!(seen.0.len(), 3);
    assert!(seen.0.iter().all(|text| text.len() == 4 && text.bytes().all(|byte| (b'a'..b'f').contains(&byte))));
    drop(run);
    let trained = Trained::load(&path, &device).unwrap();
    assert_eq!(trained.render(&[0, 4]).unwrap(), "ae");
    let generator = trained.generator(&trained.schedule).unwrap();
    let samples = generator.draw(5, 1).unwrap();
    assert_eq!((generator.vocab(), generator.len(), samples.rows()), (5, 4, 5));
    let bound = generator.bound(&samples, 2).unwrap().unwrap().bits_per_token();
    assert!(bound.mean.is_finite() && bound.mean > 0.0, "{bound:?}");
    std::fs::remove_file(path.join("ladders.txt")).unwrap();
    assert!(Trained::load(&path, &device).is_err());
}
