//! Sequences of one's own type through a codec of one's own: melodies.

use std::error::Error;

use burn::tensor::Device;
use glauber::chain::{ChainRng, HeatBath, ReverseSampler, Sampler};
use glauber::model::{Network, Preset};
use glauber::schedule::{Schedule, ScheduleConfig};
use glauber::tokens::{Codec, Token};
use glauber::train::{Denoising, NetworkConditional, SequenceSource, SiteTask, TrainConfig, TrainError};

const LENGTH: usize = 16;
const NAMES: [&str; 8] = ["c", "d", "e", "f", "g", "a", "b", "-"];

/// A note of the scale, or a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note(u8);

/// A token for each note.
struct Scale;

#[derive(Debug, thiserror::Error)]
#[error("the note {0} is none of the scale")]
pub(crate) struct OutOfScale(u32);

impl Codec for Scale {
    type Item = [Note];
    type Decoded = Vec<Note>;
    type Error = OutOfScale;

    fn encode(&self, melody: &[Note]) -> Result<Vec<Token>, OutOfScale> {
        let token = |note: &Note| Some(Token::from(note.0)).filter(|&t| t < 8).ok_or(OutOfScale(note.0.into()));
        melody.iter().map(token).collect()
    }

    fn decode(&self, tokens: &[Token]) -> Result<Vec<Note>, OutOfScale> {
        tokens
            .iter()
            .map(|&token| u8::try_from(token).ok().filter(|&n| n < 8).map(Note).ok_or(OutOfScale(token)))
            .collect()
    }

    fn vocab_size(&self) -> usize {
        NAMES.len()
    }

    fn special(&self) -> &[Token] {
        &[]
    }
}

/// Walks up and down the scale, with rests.
struct Walks;

impl Walks {
    fn melody(rng: &mut ChainRng) -> Vec<Note> {
        let mut at = rng.below(7);
        let mut note = || {
            at = (at + [6, 1][rng.below(2)]) % 7;
            if rng.uniform() < 0.1 { Note(7) } else { Note(at as u8) }
        };
        (0..LENGTH).map(|_| note()).collect()
    }
}

impl SequenceSource for Walks {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        let tokens = Scale.encode(&Self::melody(rng)).map_err(|error| TrainError::Source(Box::new(error)))?;
        out.copy_from_slice(&tokens);
        Ok(None)
    }
}

pub(crate) fn melodies(steps: usize) -> Result<Vec<Vec<Note>>, Box<dyn Error>> {
    let device = Device::flex();
    let schedule = Schedule::from_config(&ScheduleConfig::default(), LENGTH, Scale.vocab_size(), None, None)?;
    let network = Network::new(&Preset::Tiny.config(), Scale.vocab_size(), LENGTH, 0, &device)?;
    let task = SiteTask::new(&network, &Walks, &schedule, &Denoising, 8)?;
    let config = TrainConfig { steps, ..TrainConfig::default() };
    let mut trainer = config.trainer(network, 0, &device, 1);
    while trainer.steps() < steps {
        trainer.step(&task)?;
    }
    let conditional = NetworkConditional::new(trainer.average(), &Denoising, &schedule, &device)?;
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut chains = sampler.start(2, 0);
    sampler.sample(&conditional, &mut chains)?;
    Ok(Scale.decode_all(chains.tokens())?)
}

fn main() -> Result<(), Box<dyn Error>> {
    for melody in melodies(300)? {
        println!("{}", melody.iter().map(|note| NAMES[usize::from(note.0)]).collect::<Vec<_>>().join(" "));
    }
    Ok(())
}
