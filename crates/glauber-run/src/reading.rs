//! Texts of text runs, for judges.

use std::path::Path;

use burn::tensor::{Int, Tensor, TensorData};
use glauber_judge::{Bootstrap, JudgeError, MauveSettings, Score, TextJudge, Texts, mauve};
use glauber_model::{Conditions, Network};
use glauber_text::{TextCodec, TokenStream};
use glauber_tokens::{Codec, Token, TokenBatch};

use crate::Say;
use crate::data::Opening;
use crate::error::{Context, Result, ensure};
use crate::text::{PreparedText, TextData};
use crate::trained::Trained;

/// Rows per network evaluation.
const ROWS: usize = 64;
/// The score that already compares with real texts.
const MAUVE: &str = "MAUVE";
/// Tokens decoded per batch.
const DECODED: usize = 1 << 16;

/// The decoded training and held-out texts of a run.
///
/// # Errors
/// When the run is not on text, or its corpus cannot be read or has changed.
pub fn corpus(trained: &Trained, cache: &Path, say: Say<'_>) -> Result<[Texts; 2]> {
    let config = &trained.config;
    let text = config.data.get::<TextData>().context("not a run on text, which `judge` needs")?;
    let (device, begun) = (&trained.device, Some(trained.folder()));
    let prepared = PreparedText::new(text, &mut Opening { config, begun, first: true, cache, device, say })?;
    Ok([decoded(prepared.data.train(), &prepared.codec)?, decoded(prepared.data.validation(), &prepared.codec)?])
}

/// Decodes a stream to one text per document.
fn decoded(stream: &TokenStream, codec: &TextCodec) -> Result<Texts> {
    let document = |number: usize| -> Result<String> {
        let range = stream.document(number);
        let mut text = String::new();
        // Documents may be long; tokens of a character are rarely cut by the border of two parts.
        for start in range.clone().step_by(DECODED) {
            let mut tokens: Vec<Token> = vec![0; DECODED.min(range.end - start)];
            stream.window(start, &mut tokens);
            text.push_str(&codec.decode(&tokens)?);
        }
        Ok(text)
    };
    let documents = (0..stream.documents()).map(document);
    Ok(documents.collect::<Result<Vec<_>>>()?.into_iter().collect())
}

/// Samples of a run as texts.
///
/// # Errors
/// When the run is not on text.
pub fn texts(trained: &Trained, samples: &TokenBatch) -> Result<Texts> {
    let codec = trained.codec()?;
    let rows = samples.iter().map(|row| Ok(codec.decode(row)?));
    Ok(rows.collect::<Result<Vec<String>>>()?.into_iter().collect())
}

/// An autoregressive run as a judge: its surprisal of texts and, [given real texts](Self::beside), MAUVE on its last
/// states. Unlike n-gram judges, it does not favour n-gram samples.
pub struct AutoregressiveJudge {
    trained: Trained,
    /// States of real texts.
    real: Vec<Vec<f32>>,
}

/// A run's score of a text.
#[derive(Default)]
struct Read {
    bits: f64,
    characters: f64,
    /// The state after the whole text.
    state: Vec<f32>,
}

/// States of nonempty texts.
fn states(read: Vec<Read>) -> Vec<Vec<f32>> {
    read.into_iter().map(|read| read.state).filter(|state| !state.is_empty()).collect()
}

impl AutoregressiveJudge {
    /// A run as a judge.
    ///
    /// # Errors
    /// If it is not on text, or its network is not autoregressive.
    pub fn new(trained: Trained) -> Result<Self> {
        trained.codec()?;
        ensure!(
            matches!(trained.network, Network::Autoregressive(_)),
            "{}: the network `{}` has no likelihood of its own, expected one trained with `--network autoregressive`",
            trained.path().display(),
            trained.config.model.network.name()
        );
        Ok(Self { trained, real: Vec::new() })
    }

    /// Adds a comparison with these real texts (MAUVE).
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn beside(self, real: &Texts) -> Result<Self> {
        let real = states(self.read(real)?);
        Ok(Self { real, ..self })
    }

    /// Scores rows of tokens of equal length: nats, and the state after all sites except the first.
    fn rows(&self, rows: &[&[Token]]) -> (Vec<f64>, Vec<Vec<f32>>) {
        let Trained { network, device, .. } = &self.trained;
        let (count, len) = (rows.len(), rows[0].len());
        let tokens: Vec<i32> = rows.iter().flat_map(|row| row.iter()).map(|&token| token as i32).collect();
        let tokens = Tensor::<2, Int>::from_data(TensorData::new(tokens, [count, len]), device);
        let conditions = Conditions {
            time: Tensor::zeros([count], device),
            levels: Tensor::ones([count, len], device),
            classes: None,
            parts: None,
            right: None,
        };
        let Network::Autoregressive(network) = network else { unreachable!("refused when the judge was made") };
        let [logits, states] = network.logits_and_states(tokens, &conditions);
        let width = states.dims()[2];
        let states: Vec<f32> = states.narrow(1, 0, 1).into_data().iter::<f32>().collect();
        let logits: Vec<f64> = logits.into_data().iter::<f64>().collect();
        let vocab = logits.len() / (count * len);
        let surprise = |(logits, &token): (&[f64], &Token)| {
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
            most + sum.ln() - logits[token as usize]
        };
        let tokens = rows.iter().flat_map(|row| row.iter());
        let sites = logits.chunks_exact(vocab).zip(tokens).map(surprise).collect::<Vec<f64>>();
        let nats = sites.chunks_exact(len).map(|row| row.iter().sum()).collect();
        (nats, states.chunks_exact(width).map(<[f32]>::to_vec).collect())
    }

    /// Scores each text; texts longer than the network's sites are truncated.
    fn read(&self, texts: &Texts) -> Result<Vec<Read>> {
        let codec = self.trained.codec()?;
        let mut rows = Vec::with_capacity(texts.rows());
        let mut found: Vec<Read> = Vec::with_capacity(texts.rows());
        for text in texts.iter() {
            let mut tokens = codec.encode(&text.iter().collect::<String>())?;
            tokens.truncate(self.trained.schedule.len());
            found.push(Read { characters: codec.decode(&tokens)?.chars().count() as f64, ..Read::default() });
            rows.push(tokens);
        }
        let mut order: Vec<usize> = (0..rows.len()).filter(|&at| !rows[at].is_empty()).collect();
        order.sort_by_key(|&at| rows[at].len());
        for same in order.chunk_by(|&a, &b| rows[a].len() == rows[b].len()) {
            for part in same.chunks(ROWS) {
                let tokens: Vec<&[Token]> = part.iter().map(|&at| rows[at].as_slice()).collect();
                let (nats, states) = self.rows(&tokens);
                for ((&at, nats), state) in part.iter().zip(nats).zip(states) {
                    (found[at].bits, found[at].state) = (nats / std::f64::consts::LN_2, state);
                }
            }
        }
        Ok(found)
    }
}

impl TextJudge for AutoregressiveJudge {
    fn judge(&self, texts: &Texts, bootstrap: &Bootstrap) -> Result<Vec<Score>, JudgeError> {
        let read = self.read(texts).map_err(|error| JudgeError::Own(Box::new(error)))?;
        let bits: Vec<(f64, f64)> = read.iter().map(|read| (read.bits, read.characters)).collect();
        let mut scores = vec![Score::of("autoregressive", bootstrap.ratio(&bits), "bits/character")];
        if !self.real.is_empty() {
            let states = states(read);
            let count = states.len().min(self.real.len());
            let settings = MauveSettings { seed: bootstrap.seed, ..MauveSettings::default() };
            let value = mauve(&self.real[..count], &states[..count], &settings)?.value;
            scores.push(Score { name: MAUVE.into(), value, standard_error: None, unit: "of 1" });
        }
        Ok(scores)
    }

    fn by_gap(&self, score: &Score) -> bool {
        score.name != MAUVE
    }
}
