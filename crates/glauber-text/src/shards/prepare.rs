//! From a corpus to a token cache.

use std::path::Path;

use glauber_shards::{Split, TokenData, TokenWriter, VERSION, cached};
use glauber_tokens::{Codec, Token};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::packing::Packing;
use super::split::{Assigned, Division};
use crate::{Corpus, TextCodec, TextError};

/// Text encoded in parallel at a time.
const BATCH_BYTES: usize = 4 << 20;

/// How a corpus becomes training and validation data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrepareConfig {
    /// Share of the passages kept for validation, `0 ≤ f < 1`, met to within one passage. With two passages or more and `f > 0` each
    /// side gets at least one; a single passage is cut, its leading part for training.
    pub validation_fraction: f64,
    /// Seed of the choice: one passage is drawn from each of equally long stretches of the corpus. Nothing looks for duplicates: a
    /// text that occurs twice can be on both sides.
    pub split_seed: u64,
}

impl Default for PrepareConfig {
    /// 0.05, seed 0.
    fn default() -> Self {
        Self { validation_fraction: 0.05, split_seed: 0 }
    }
}

/// How far a preparation has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrepareProgress {
    /// Passages encoded.
    pub passages: u64,
    /// Bytes of text encoded.
    pub bytes: u64,
    /// Tokens written, those between documents included.
    pub tokens: u64,
}

/// Encodes a corpus into memory-mapped token shards under `cache`, or maps those that an earlier call left there.
///
/// The folder's name is a hash of the content of the files, the reading options, the codec's fingerprint and `config`: a change of
/// any of them prepares anew, and the shards of all variants live side by side. Documents are packed into one stream per split with
/// an [end of text](TextCodec::end_of_text) between them; where validation took a passage out of a long document, the seam gets
/// one too. Encoding is parallel, its result does not depend on the number of threads. A folder is written under a temporary name
/// and renamed when complete; what an interrupted call left is removed by the next.
///
/// `progress` is called after each batch of about 4 MiB, and never when the cache is hit.
///
/// # Errors
/// Everything that reading the corpus, encoding it and writing the shards can meet; [`TextError::EmptyCorpus`];
/// [`TextError::ValidationFraction`]; [`TextError::Shards`] when a prepared folder is damaged.
pub fn prepare(
    config: &PrepareConfig,
    corpus: &Corpus,
    codec: &TextCodec,
    cache: &Path,
    progress: &mut dyn FnMut(PrepareProgress),
) -> Result<TokenData, TextError> {
    if !(0.0..1.0).contains(&config.validation_fraction) {
        return Err(TextError::ValidationFraction { found: config.validation_fraction });
    }
    cached(cache, &key(config, corpus, codec)?, |folder| write(config, corpus, codec, folder, progress))
}

/// The name of the cache folder, 32 hexadecimal digits.
fn key(config: &PrepareConfig, corpus: &Corpus, codec: &TextCodec) -> Result<String, TextError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&VERSION.to_le_bytes());
    hasher.update(corpus.content_hash()?.as_bytes());
    hasher.update(codec.fingerprint().as_bytes());
    hasher.update(&config.validation_fraction.to_bits().to_le_bytes());
    hasher.update(&config.split_seed.to_le_bytes());
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

fn write(
    config: &PrepareConfig,
    corpus: &Corpus,
    codec: &TextCodec,
    folder: &Path,
    progress: &mut dyn FnMut(PrepareProgress),
) -> Result<(), TextError> {
    let mut writer = TokenWriter::new(folder, codec.vocab_size(), &codec.fingerprint());
    let mut packings = [Split::Training, Split::Validation].map(|split| (split, Packing::new(codec.end_of_text())));
    let mut done = PrepareProgress::default();
    let mut passages = 0;
    for passage in corpus.documents() {
        passage?;
        passages += 1;
    }
    let division = Division::new(passages, config.validation_fraction, config.split_seed);
    let mut assigned = division.assign(corpus.documents());
    loop {
        let batch = next_batch(&mut assigned)?;
        if batch.is_empty() {
            break;
        }
        let encoded: Vec<Vec<Token>> =
            batch.par_iter().map(|assigned| codec.encode(&assigned.passage.text)).collect::<Result<_, _>>()?;
        for (Assigned { index, passage, validation: held_out }, tokens) in batch.iter().zip(&encoded) {
            let (split, packing) = &mut packings[usize::from(*held_out)];
            let separated = packing.push(writer.split(*split), *index, passage, tokens)?;
            done.passages += 1;
            done.bytes += passage.text.len() as u64;
            done.tokens += tokens.len() as u64 + u64::from(separated);
        }
        progress(done);
    }
    if done.tokens == 0 {
        return Err(TextError::EmptyCorpus { files: corpus.files().count() });
    }
    Ok(writer.finish()?)
}

fn next_batch(passages: &mut impl Iterator<Item = Result<Assigned, TextError>>) -> Result<Vec<Assigned>, TextError> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while bytes < BATCH_BYTES {
        let Some(assigned) = passages.next() else { break };
        let assigned = assigned?;
        bytes += assigned.passage.text.len();
        batch.push(assigned);
    }
    Ok(batch)
}
