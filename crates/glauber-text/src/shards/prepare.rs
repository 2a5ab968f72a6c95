//! From a corpus to a token cache.

use std::path::Path;

use glauber_shards::{ShardError, Split, TokenData, TokenWriter, VERSION, cached};
use glauber_tokens::{Codec, Token};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::packing::Packing;
use super::split::{Assigned, Division};
use super::surroundings::Surroundings;
use crate::{Corpus, Coverage, TextCodec, TextError};

/// Text encoded in parallel at a time.
const BATCH_BYTES: usize = 4 << 20;
/// Beside the shards: how much of the text they stand for, where that is not all of it by
/// construction.
const COVERAGE: &str = "coverage.json";
/// Part of the key of tokens that were encoded with the text around them.
const JOINED: &[u8] = b"passages encoded within their document";

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
    /// The share of the corpus' characters that may be lost or unknown, `0 ≤ s ≤ 1`: a tokenizer
    /// that cannot express more of it is refused.
    #[serde(skip_serializing_if = "is_usual")]
    pub max_lost: f64,
}

/// The share that is let pass unless the configuration says otherwise.
const MAX_LOST: f64 = 0.1;

fn is_usual(share: &f64) -> bool {
    *share == MAX_LOST
}

impl Default for PrepareConfig {
    /// 0.05, seed 0, a tenth.
    fn default() -> Self {
        Self { validation_fraction: 0.05, split_seed: 0, max_lost: MAX_LOST }
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
    /// Rows of the corpus that have no text, all of them.
    pub rows_without_text: u64,
}

/// Encodes a corpus into memory-mapped token shards under `cache`, or maps those that an earlier call left there.
///
/// The folder's name is a hash of the content of the files, the reading options, the codec's fingerprint and `config`: a change of
/// any of them prepares anew, and the shards of all variants live side by side. Documents are packed into one stream per split with
/// an [end of text](TextCodec::end_of_text) between them; where validation took a passage out of a long document, the seam gets
/// one too. Encoding is parallel, its result does not depend on the number of threads. A folder is written under a temporary name
/// and renamed when complete; what an interrupted call left is removed by the next.
///
/// A long document comes in passages. A tokenizer that puts something before a text, or cuts by
/// more than the text itself, encodes each passage within what stands around it: the tokens are
/// those of the whole document.
///
/// `progress` is called after each batch of about 4 MiB, and never when the cache is hit.
///
/// # Errors
/// Everything that reading the corpus, encoding it and writing the shards can meet; [`TextError::EmptyCorpus`];
/// [`TextError::NoTokens`] and [`TextError::Inexpressible`] when the codec cannot express the corpus;
/// [`TextError::ValidationFraction`]; [`TextError::MaxLost`]; [`TextError::Shards`] when a prepared folder is damaged.
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
    if !(0.0..=1.0).contains(&config.max_lost) {
        return Err(TextError::MaxLost { found: config.max_lost });
    }
    let data = cached(cache, &key(config, corpus, codec)?, |folder| write(config, corpus, codec, folder, progress))?;
    let file = data.folder().join(COVERAGE);
    if !codec.is_exact() && !file.exists() {
        // Prepared before this was measured.
        let again = tempfile::tempdir_in(cache).map_err(TextError::io("create a folder in", cache))?;
        write(config, corpus, codec, again.path(), progress)?;
        std::fs::copy(again.path().join(COVERAGE), &file).map_err(TextError::io("write", &file))?;
    }
    let [mut all, validation] = coverage(&data, codec)?;
    all += validation;
    if all.missing() > config.max_lost {
        return Err(TextError::Inexpressible { coverage: all, limit: config.max_lost });
    }
    Ok(data)
}

/// How much of the training text and of the validation text has tokens.
///
/// # Errors
/// [`TextError::Io`] when the cache folder has lost what [`prepare`] wrote, [`TextError::Shards`]
/// when that is damaged.
pub fn coverage(data: &TokenData, codec: &TextCodec) -> Result<[Coverage; 2], TextError> {
    if codec.is_exact() {
        let streams = [data.train(), data.validation()];
        return Ok(streams.map(|stream| Coverage { characters: stream.characters(), ..Coverage::default() }));
    }
    let path = data.folder().join(COVERAGE);
    let json = std::fs::read_to_string(&path).map_err(TextError::io("read", &path))?;
    serde_json::from_str(&json).map_err(|e| ShardError::Cache { path, reason: e.to_string() }.into())
}

/// The name of the cache folder, 32 hexadecimal digits.
fn key(config: &PrepareConfig, corpus: &Corpus, codec: &TextCodec) -> Result<String, TextError> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&VERSION.to_le_bytes());
    hasher.update(corpus.content_hash()?.as_bytes());
    hasher.update(codec.fingerprint().as_bytes());
    hasher.update(&config.validation_fraction.to_bits().to_le_bytes());
    hasher.update(&config.split_seed.to_le_bytes());
    if !codec.is_piecewise() {
        hasher.update(JOINED);
    }
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
    let mut coverage = [Coverage::default(); 2];
    let mut passages = 0;
    let mut documents = corpus.documents();
    for passage in documents.by_ref() {
        passage?;
        passages += 1;
    }
    done.rows_without_text = documents.rows_without_text();
    let division = Division::new(passages, config.validation_fraction, config.split_seed);
    let mut assigned = division.assign(corpus.documents()).peekable();
    let mut last: Option<Assigned> = None;
    loop {
        let mut batch = next_batch(&mut assigned)?;
        if batch.is_empty() {
            break;
        }
        let next = assigned.peek().and_then(|next| next.as_ref().ok());
        let compare = coverage.map(|coverage| coverage.altered == 0);
        let encode = |at: usize| {
            let Assigned { passage, validation, .. } = &batch[at];
            let around = match codec.is_piecewise() {
                true => Surroundings::default(),
                false => {
                    let before = at.checked_sub(1).map_or(last.as_ref(), |before| batch.get(before));
                    Surroundings::new(before, &batch[at], batch.get(at + 1).or(next))
                }
            };
            codec.encode_between(around.before, &passage.text, around.after, compare[usize::from(*validation)])
        };
        let encoded: Vec<(Vec<Token>, Coverage)> =
            (0..batch.len()).into_par_iter().map(encode).collect::<Result<_, _>>()?;
        for (Assigned { index, passage, validation: held_out }, (tokens, covered)) in batch.iter().zip(&encoded) {
            let (split, packing) = &mut packings[usize::from(*held_out)];
            let separated = packing.push(writer.split(*split), *index, passage, tokens)?;
            coverage[usize::from(*held_out)] += *covered;
            done.passages += 1;
            done.bytes += passage.text.len() as u64;
            done.tokens += tokens.len() as u64 + u64::from(separated);
        }
        last = batch.pop();
        progress(done);
    }
    match done {
        PrepareProgress { bytes: 0, .. } => return Err(TextError::EmptyCorpus { files: corpus.files().count() }),
        PrepareProgress { tokens: 0, bytes, .. } => return Err(TextError::NoTokens { bytes }),
        _ => {}
    }
    if !codec.is_exact() {
        let path = folder.join(COVERAGE);
        let json = serde_json::to_string(&coverage).expect("numbers always serialise");
        std::fs::write(&path, json).map_err(TextError::io("write", &path))?;
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
