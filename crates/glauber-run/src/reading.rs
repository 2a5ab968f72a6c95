//! Texts of runs on text, ready to be judged.

use std::path::Path;

use burn::tensor::{Int, Tensor, TensorData};
use glauber_judge::{Bootstrap, JudgeError, Score, TextJudge, Texts};
use glauber_model::{Conditions, SiteClassifier, Sites};
use glauber_text::{TextCodec, TokenStream};
use glauber_tokens::{Codec, Token, TokenBatch};

use crate::Say;
use crate::data::Opening;
use crate::error::{Context, Result, ensure};
use crate::text::{PreparedText, TextData};
use crate::trained::Trained;

/// Rows that a network judges at a time.
const ROWS: usize = 64;
/// Tokens that are decoded at a time.
const DECODED: usize = 1 << 16;

/// The training text of a run and what it held out, decoded.
///
/// # Errors
/// When the run is not on text, or its corpus cannot be read or has changed.
pub fn corpus(trained: &Trained, cache: &Path, say: Say<'_>) -> Result<[Texts; 2]> {
    let config = &trained.config;
    let text = config.data.get::<TextData>().context("judged are texts: this run is on something else")?;
    let (device, begun) = (&trained.device, Some(trained.folder()));
    let prepared = PreparedText::new(text, &mut Opening { config, begun, first: true, cache, device, say })?;
    Ok([decoded(prepared.data.train(), &prepared.codec)?, decoded(prepared.data.validation(), &prepared.codec)?])
}

/// A stream as one text for each of its documents.
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

/// How surprised an autoregressive run is by texts: a judge that no n-gram flatters.
pub struct AutoregressiveJudge(Trained);

impl AutoregressiveJudge {
    /// A run as a judge.
    ///
    /// # Errors
    /// When it is not on text, or its network not autoregressive.
    pub fn new(trained: Trained) -> Result<Self> {
        trained.codec()?;
        let answers = trained.network.answers();
        ensure!(
            answers == glauber_model::Asked::After,
            "{}: the network `{}` has no likelihood of its own, expected one trained with `--network autoregressive`",
            trained.path().display(),
            trained.config.model.network.name()
        );
        Ok(Self(trained))
    }

    /// Nats of each row of tokens, all of one length.
    fn nats(&self, rows: &[Vec<Token>]) -> Vec<f64> {
        let Trained { network, device, .. } = &self.0;
        let (count, len) = (rows.len(), rows[0].len());
        let tokens: Vec<i32> = rows.iter().flatten().map(|&token| token as i32).collect();
        let tokens = Tensor::<2, Int>::from_data(TensorData::new(tokens, [count, len]), device);
        let conditions = Conditions {
            time: Tensor::zeros([count], device),
            levels: Tensor::ones([count, len], device),
            classes: None,
            parts: None,
            right: None,
        };
        let logits: Vec<f64> = network.logits(tokens, &conditions, Sites::All).into_data().iter::<f64>().collect();
        let vocab = logits.len() / (count * len);
        let surprise = |(logits, &token): (&[f64], &Token)| {
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
            most + sum.ln() - logits[token as usize]
        };
        let sites = logits.chunks_exact(vocab).zip(rows.iter().flatten()).map(surprise).collect::<Vec<f64>>();
        sites.chunks_exact(len).map(|row| row.iter().sum()).collect()
    }

    /// Bits and characters of each text; of one that has more tokens than the network has sites the first ones are judged.
    fn judged(&self, texts: &Texts) -> Result<Vec<(f64, f64)>> {
        let codec = self.0.codec()?;
        let mut rows = Vec::with_capacity(texts.rows());
        for text in texts.iter() {
            let mut tokens = codec.encode(&text.iter().collect::<String>())?;
            tokens.truncate(self.0.schedule.len());
            let characters = codec.decode(&tokens)?.chars().count();
            rows.push((tokens, characters));
        }
        let mut found = vec![(0.0, 0.0); rows.len()];
        let mut order: Vec<usize> = (0..rows.len()).filter(|&at| !rows[at].0.is_empty()).collect();
        order.sort_by_key(|&at| rows[at].0.len());
        for same in order.chunk_by(|&a, &b| rows[a].0.len() == rows[b].0.len()) {
            for part in same.chunks(ROWS) {
                let tokens: Vec<Vec<Token>> = part.iter().map(|&at| rows[at].0.clone()).collect();
                for (&at, nats) in part.iter().zip(self.nats(&tokens)) {
                    found[at] = (nats / std::f64::consts::LN_2, rows[at].1 as f64);
                }
            }
        }
        Ok(found)
    }
}

impl TextJudge for AutoregressiveJudge {
    fn judge(&self, texts: &Texts, bootstrap: &Bootstrap) -> Result<Vec<Score>, JudgeError> {
        let rows = self.judged(texts).map_err(|error| JudgeError::Own(Box::new(error)))?;
        Ok(vec![Score::of("autoregressive", bootstrap.ratio(&rows), "bits/character")])
    }

    fn by_gap(&self) -> bool {
        true
    }
}
