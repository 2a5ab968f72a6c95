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

/// Text encoded per parallel batch.
const BATCH_BYTES: usize = 4 << 20;
/// File beside the shards: the coverage of the text, if it is not complete by construction.
const COVERAGE: &str = "coverage.json";
/// Part of the cache key of tokens encoded with the surrounding text.
const JOINED: &[u8] = b"passages encoded within their document";

/// Configuration of the preparation of training and validation data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrepareConfig {
    /// Share of passages for validation, `0 ≤ f < 1`, exact to one passage. With at least two passages and `f > 0`,
    /// each side gets at least one. A single passage is split, with its leading part for training.
    pub validation_fraction: f64,
    /// Seed of the choice: one passage is drawn from each of equally long ranges of the corpus. There is no
    /// deduplication: a text that occurs twice can be on both sides.
    pub split_seed: u64,
    /// The share of the corpus' characters that may be lost or unknown, `0 ≤ s ≤ 1`: a tokenizer that loses more is an
    /// error.
    #[serde(skip_serializing_if = "is_usual")]
    pub max_lost: f64,
}

/// The default allowed share of lost characters.
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

/// Progress of a preparation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PrepareProgress {
    /// Passages encoded.
    pub passages: u64,
    /// Bytes of text encoded.
    pub bytes: u64,
    /// Tokens written, including those between documents.
    pub tokens: u64,
    /// All rows of the corpus without text.
    pub rows_without_text: u64,
}

/// Encodes a corpus into memory-mapped token shards under `cache`, or maps those of an earlier call.
///
/// The folder's name is a hash of the content of the files, the reading options, the codec's fingerprint and `config`.
/// A change of any of them prepares again, in another folder. Documents are packed into one stream per split with an
/// [end of text](TextCodec::end_of_text) between them, also where validation took a passage out of a long document. The
/// result does not depend on the number of threads. A folder is written under a temporary name and renamed when
/// complete; the next call removes files of an interrupted one.
///
/// A long document is read in passages. A tokenizer whose tokens depend on surrounding text encodes each passage with
/// its surroundings, so the tokens are those of the whole document.
///
/// `progress` is called after each batch of about 4 MiB, and not for a cached corpus.
///
/// # Errors
/// Errors of reading the corpus, encoding it and writing the shards; [`TextError::EmptyCorpus`];
/// [`TextError::NoTokens`] and [`TextError::Inexpressible`] when the codec cannot express the corpus;
/// [`TextError::OutOfRange`]; [`TextError::Shards`] when a prepared folder is damaged.
pub fn prepare(
    config: &PrepareConfig,
    corpus: &Corpus,
    codec: &TextCodec,
    cache: &Path,
    progress: &mut dyn FnMut(PrepareProgress),
) -> Result<TokenData, TextError> {
    let (split, lost) = (config.validation_fraction, config.max_lost);
    for (good, key, found, expected) in [
        ((0.0..1.0).contains(&split), "validation_fraction", split, "0 ≤ fraction < 1"),
        ((0.0..=1.0).contains(&lost), "data.prepare.max_lost", lost, "a share from 0 to 1"),
    ] {
        if !good {
            return Err(TextError::OutOfRange { key, found, expected });
        }
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

/// The coverage of the training text and of the validation text.
///
/// # Errors
/// [`TextError::Io`] when a file of [`prepare`] is missing from the cache folder, [`TextError::Shards`] when that is
/// damaged.
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
