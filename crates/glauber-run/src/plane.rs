//! Points of the plane, encoded as bits, as data of a run.

use glauber_chain::ChainRng;
use glauber_plane::{GrayCode, PlaneSet};
use glauber_tokens::Token;
use glauber_train::{SequenceSource, TrainError};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::data::{DataKind, DataShape, Opened, Opening};
use crate::error::Result;
use crate::{RunCodec, RunFolder, Vocabulary};

/// Points of one of the seven sets of `glauber-plane`, 32 bits each, sampled for every batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaneData {
    /// The name of the set, such as `moons`.
    pub set: String,
    /// Bits per token; default 1. More bits give fewer sites with more tokens.
    #[serde(default = "one_bit")]
    pub bits: usize,
}

fn one_bit() -> usize {
    1
}

impl PlaneData {
    /// The set.
    ///
    /// # Errors
    /// If the name is unknown.
    pub fn set(&self) -> Result<PlaneSet, TrainError> {
        let names = || PlaneSet::ALL.iter().map(|set| set.name()).collect::<Vec<_>>().join(", ");
        let unknown = |_| TrainError::Config { key: "data.set", found: self.set.clone(), expected: names() };
        self.set.parse().map_err(unknown)
    }

    /// The code of the points.
    ///
    /// # Errors
    /// If the set is unknown, or the bits per token are not 1, 2, 4, 8 or 16.
    pub fn code(&self) -> Result<GrayCode, TrainError> {
        GrayCode::of(self.set()?).with_bits(self.bits).ok_or_else(|| TrainError::Config {
            key: "data.bits",
            found: self.bits.to_string(),
            expected: "1, 2, 4, 8 or 16".into(),
        })
    }

    fn points(&self) -> Result<Box<Points>, TrainError> {
        Ok(Box::new(Points(self.set()?, self.code()?)))
    }
}

impl DataKind for PlaneData {
    fn name(&self) -> &'static str {
        "plane"
    }

    fn keys(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }

    fn shape(&self) -> DataShape {
        DataShape::line(self.code().map_or(glauber_plane::BITS, |code| code.sites()))
    }

    fn describe(&self) -> String {
        format!("points of the plane, {}", self.set)
    }

    fn validate(&self) -> Result<(), TrainError> {
        self.code().map(|_| ())
    }

    fn open(&self, _: &mut Opening<'_>) -> Result<Opened> {
        Ok(Opened {
            train: self.points()?,
            held_out: self.points()?,
            // As if every bit were a coin.
            vocabulary: Vocabulary::of_counts(vec![1; self.code()?.vocab()], env!("CARGO_PKG_VERSION")),
            codec: self.points()?,
            excess: None,
            notes: Vec::new(),
        })
    }

    fn codec(&self, _: &RunFolder, _: &Vocabulary, _: &burn::tensor::Device) -> Result<Box<dyn RunCodec>> {
        Ok(self.points()?)
    }

    fn held_out(&self) -> &'static str {
        "points of the set"
    }
}

/// Points as training sequences, and sequences as points.
struct Points(PlaneSet, GrayCode);

impl SequenceSource for Points {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        out.copy_from_slice(&self.1.encode(self.0.draw(rng)));
        Ok(None)
    }
}

impl RunCodec for Points {
    fn render(&self, tokens: &[Token]) -> Result<String> {
        let [x, y] = self.1.decode(tokens);
        Ok(format!("{x:.4} {y:.4}"))
    }
}
