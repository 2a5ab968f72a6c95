//! What the contestants are trained on.

use std::path::PathBuf;

use anyhow::Context;
use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_chain::oracles::MarkovSource;
use glauber_model::Network;
use glauber_program::MARKOV;
use glauber_run::markov::MarkovData;
use glauber_run::text::TextData;
use glauber_run::{DataConfig, Vocabulary};
use glauber_schedule::Schedule;
use glauber_text::{CorpusConfig, TextCodec, TextError, TokenizerConfig};
use glauber_tokens::{Token, TokenBatch};
use glauber_train::{Examples, Excess, Objective, SequenceSource, TrainError, excess_over_bayes};
use toml::{Table, Value};

use super::letters::{ALPHABET, Letters};

/// Sites of a text sequence.
const TEXT_LENGTH: usize = 64;

/// A source of sequences, held-out ones too.
pub struct Source {
    /// The name of its folder.
    pub name: &'static str,
    /// What the report calls it.
    pub title: String,
    /// The table `data` of its runs.
    pub data: Value,
    /// Sites per sequence, `L`.
    pub length: usize,
    /// Tokens of the data, `V`, without a mask.
    vocab: usize,
    counts: Vec<u64>,
    law: Law,
}

enum Law {
    /// The second has one more token, the mask, which it never shows.
    Markov(MarkovSource, MarkovSource),
    /// Training and held-out text.
    Letters([Letters; 2]),
}

impl Source {
    /// The source of `configs/markov.toml` of glauber-program.
    pub fn markov() -> anyhow::Result<Self> {
        let table: Table = MARKOV.parse().context("the built-in configuration")?;
        let data = table.get("data").cloned().context("`data` of the built-in configuration")?;
        let config: DataConfig = data.clone().try_into()?;
        let markov: &MarkovData = config.get().context("the built-in configuration has no Markov source")?;
        let mixture = markov.mixture()?;
        let (length, vocab) = (config.length(), mixture.vocab());
        let source = mixture.classes()[0].clone();
        let masked = with_mask(&source)?;
        let entropy = source.entropy(length) / length as f64;
        Ok(Self {
            name: "markov",
            title: format!("Markov source: {vocab} symbols, {length} sites, entropy {entropy:.4} nats per site"),
            data,
            length,
            vocab,
            counts: markov.vocabulary(&mixture).counts,
            law: Law::Markov(source, masked),
        })
    }

    /// Text files, reduced to letters and spaces.
    pub fn letters(paths: &[PathBuf]) -> anyhow::Result<Self> {
        let absolute = paths.iter().map(std::path::absolute).collect::<Result<Vec<_>, _>>()?;
        let [train, held_out] = Letters::read(&absolute, TEXT_LENGTH)?;
        let data = DataConfig::new(TextData {
            length: TEXT_LENGTH,
            corpus: CorpusConfig::new(absolute),
            tokenizer: TokenizerConfig::Characters { max_characters: None },
            prepare: Default::default(),
        });
        Ok(Self {
            name: "text",
            title: format!(
                "Text in letters a to z and spaces: {:.2} M symbols, {:.2} M held out, {TEXT_LENGTH} sites",
                train.symbols() as f64 / 1e6,
                held_out.symbols() as f64 / 1e6
            ),
            data: Value::try_from(data)?,
            length: TEXT_LENGTH,
            vocab: ALPHABET.len(),
            counts: train.counts().to_vec(),
            law: Law::Letters([train, held_out]),
        })
    }

    /// Whether the Bayes loss is known.
    pub fn is_markov(&self) -> bool {
        matches!(self.law, Law::Markov(..))
    }

    /// Nats per site that no bound can go below, where they are known.
    pub fn entropy(&self) -> Option<f64> {
        match &self.law {
            Law::Markov(source, _) => Some(source.entropy(self.length) / self.length as f64),
            Law::Letters(_) => None,
        }
    }

    /// The tokens, with one more as a mask where noise needs it.
    pub fn vocabulary(&self, masked: bool) -> Vocabulary {
        let mut counts = self.counts.clone();
        counts.extend(masked.then_some(0));
        Vocabulary {
            mask: masked.then_some(self.vocab as Token),
            codec: self.codec(masked).ok().flatten().map(|codec| codec.fingerprint()),
            ..Vocabulary::of_counts(counts, env!("CARGO_PKG_VERSION"))
        }
    }

    /// The text codec of these tokens; `None` without text, or if the mask replaces its end of text.
    pub fn codec(&self, masked: bool) -> Result<Option<TextCodec>, TextError> {
        if masked || self.is_markov() {
            return Ok(None);
        }
        TextCodec::train(&TokenizerConfig::Characters { max_characters: None }, [Ok(ALPHABET.to_owned())]).map(Some)
    }

    /// Relative frequencies of the tokens, none of them 0 but the mask's, shape `[token]`.
    pub fn frequencies(&self, masked: bool) -> Vec<f64> {
        let total = (self.counts.iter().sum::<u64>() + self.vocab as u64) as f64;
        let mut law: Vec<f64> = self.counts.iter().map(|&count| (count + 1) as f64 / total).collect();
        law.extend(masked.then_some(0.0));
        law
    }

    pub fn train(&self) -> &dyn SequenceSource {
        match &self.law {
            Law::Markov(source, _) => source,
            Law::Letters([train, _]) => train,
        }
    }

    pub fn held_out(&self) -> &dyn SequenceSource {
        match &self.law {
            Law::Markov(source, _) => source,
            Law::Letters([_, held_out]) => held_out,
        }
    }

    /// The same held-out sequences for every contestant.
    pub fn held_out_batch(&self, rows: usize) -> Result<TokenBatch, TrainError> {
        let mut batch = TokenBatch::filled(rows, self.length, 0);
        for row in 0..rows {
            self.held_out().draw(&mut ChainRng::new(u64::MAX, row as u64), batch.row_mut(row))?;
        }
        Ok(batch)
    }

    /// The distance to the Bayes loss, where it is known.
    pub fn excess(
        &self,
        network: &Network,
        objective: &dyn Objective,
        schedule: &Schedule,
        held_out: &[Examples],
        device: &Device,
    ) -> Option<Result<Excess, TrainError>> {
        let Law::Markov(plain, masked) = &self.law else { return None };
        let source = if schedule.law().mask().is_some() { masked } else { plain };
        Some(excess_over_bayes(network, objective, schedule, source, held_out, device))
    }
}

/// The same source with one more symbol that it never shows: where noise masks, exact posteriors need a law over its tokens too.
fn with_mask(source: &MarkovSource) -> anyhow::Result<MarkovSource> {
    let vocab = source.vocab();
    let initial = [source.initial(), &[0.0]].concat();
    let rows = (0..vocab as Token).map(|from| [source.successors(from), &[0.0]].concat());
    // What would follow the mask: never asked for, but it must be a law.
    let transition = rows.chain([initial.clone()]).flatten().collect();
    Ok(MarkovSource::new(initial, transition)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masked_source_is_the_same_law() {
        let source = MarkovSource::random(5, 1, 3.0).unwrap();
        let masked = with_mask(&source).unwrap();
        assert!((source.entropy(12) - masked.entropy(12)).abs() < 1e-12);
        let (mut a, mut b) = (ChainRng::new(3, 0), ChainRng::new(3, 0));
        assert_eq!(source.sample(50, &mut a), masked.sample(50, &mut b));
    }
}
