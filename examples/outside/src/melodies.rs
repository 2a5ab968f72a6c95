//! A kind of data: melodies that walk up and down a scale.

use burn::tensor::Device;
use glauber::chain::ChainRng;
use glauber::run::{DataKind, DataShape, Opened, Opening, Result, RunCodec, RunFolder, Vocabulary};
use glauber::tokens::Token;
use glauber::train::{SequenceSource, TrainError, within};
use serde::{Deserialize, Serialize};
use toml::Table;

const NOTES: [&str; 12] = ["c", "c#", "d", "d#", "e", "f", "f#", "g", "g#", "a", "a#", "b"];

/// The keys of `[data]`, `kind = "melodies"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Melodies {
    /// Notes of a melody.
    length: usize,
    /// Notes of the scale.
    notes: usize,
}

impl DataKind for Melodies {
    fn name(&self) -> &'static str {
        "melodies"
    }

    fn keys(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }

    fn shape(&self) -> DataShape {
        DataShape::line(self.length)
    }

    fn describe(&self) -> String {
        format!("melodies over {} notes", self.notes)
    }

    fn validate(&self) -> Result<(), TrainError> {
        within("data.notes", self.notes, 2..=NOTES.len())
    }

    fn open(&self, _: &mut Opening<'_>) -> Result<Opened> {
        Ok(Opened {
            train: Box::new(self.clone()),
            held_out: Box::new(self.clone()),
            vocabulary: Vocabulary::of_counts(vec![1; self.notes], env!("CARGO_PKG_VERSION")),
            codec: Box::new(Names),
            excess: None,
            notes: vec![self.describe()],
        })
    }

    fn codec(&self, _: &RunFolder, _: &Vocabulary, _: &Device) -> Result<Box<dyn RunCodec>> {
        Ok(Box::new(Names))
    }
}

impl SequenceSource for Melodies {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        let mut at = rng.below(self.notes);
        for note in out {
            *note = at as Token;
            at = (at + [self.notes - 1, 1][rng.below(2)]) % self.notes;
        }
        Ok(None)
    }
}

struct Names;

impl RunCodec for Names {
    fn render(&self, tokens: &[Token]) -> Result<String> {
        let names: Vec<&str> = tokens.iter().map(|&token| NOTES[token as usize]).collect();
        Ok(names.join(" "))
    }
}
