//! From a corpus to a token cache.

use std::fs::File;
use std::path::{Path, PathBuf};

use glauber_tokens::{Codec, Token};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::format::{INDEX, Index, Layout, VERSION};
use super::split::{Assigned, Split};
use super::stream::TokenData;
use super::writer::SplitWriter;
use crate::{Corpus, TextCodec, TextError};

/// Tokens in a shard.
const SHARD_TOKENS: usize = 64 << 20;
/// Text encoded in parallel at a time.
const BATCH_BYTES: usize = 4 << 20;
/// Folders being written begin so.
const PARTIAL: &str = ".partial-";
/// Held by whoever writes such a folder.
const LOCK: &str = "lock";

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
/// [`TextError::ValidationFraction`]; [`TextError::Cache`] when a prepared folder is damaged.
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
    let folder = cache.join(key(config, corpus, codec)?);
    if !folder.join(INDEX).exists() {
        std::fs::create_dir_all(cache).map_err(TextError::io("create", cache))?;
        remove_interrupted(cache)?;
        let partial = Partial::create(cache)?;
        write(config, corpus, codec, &partial.content, progress)?;
        partial.publish(&folder)?;
    }
    TokenData::open(&folder)
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
    let layout = Layout::new(codec.vocab_size(), SHARD_TOKENS, codec.fingerprint());
    let writer = |split| SplitWriter::new(folder, split, &layout, codec.end_of_text());
    let mut train = writer("train");
    let mut validation = writer("validation");
    let mut counts = vec![0u64; codec.vocab_size()];
    let mut done = PrepareProgress::default();
    let mut passages = 0;
    for passage in corpus.documents() {
        passage?;
        passages += 1;
    }
    let split = Split::new(passages, config.validation_fraction, config.split_seed);
    let mut assigned = split.assign(corpus.documents());
    loop {
        let batch = next_batch(&mut assigned)?;
        if batch.is_empty() {
            break;
        }
        let encoded: Vec<Vec<Token>> =
            batch.par_iter().map(|assigned| codec.encode(&assigned.passage.text)).collect::<Result<_, _>>()?;
        for (Assigned { index, passage, validation: held_out }, tokens) in batch.iter().zip(&encoded) {
            let split = if *held_out { &mut validation } else { &mut train };
            let separated = split.push(*index, passage, tokens)?;
            if !held_out {
                counts[codec.end_of_text() as usize] += u64::from(separated);
                tokens.iter().for_each(|&token| counts[token as usize] += 1);
            }
            done.passages += 1;
            done.bytes += passage.text.len() as u64;
            done.tokens += tokens.len() as u64 + u64::from(separated);
        }
        progress(done);
    }
    if done.tokens == 0 {
        return Err(TextError::EmptyCorpus { files: corpus.files().count() });
    }
    Index::new(&layout, train.finish()?, validation.finish()?, counts).write(folder)
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

/// A cache folder that is being written: a temporary folder that holds a lock and the content.
struct Partial {
    content: PathBuf,
    // Dropped in this order: the lock is free before the folder goes.
    _lock: File,
    _folder: tempfile::TempDir,
}

impl Partial {
    fn create(cache: &Path) -> Result<Self, TextError> {
        let folder = tempfile::Builder::new()
            .prefix(PARTIAL)
            .tempdir_in(cache)
            .map_err(TextError::io("create a folder in", cache))?;
        let path = folder.path().join(LOCK);
        let lock = File::create(&path).map_err(TextError::io("create", &path))?;
        // Where the file system has no locks nobody can take them either: then nothing is ever removed.
        let _ = lock.try_lock();
        let content = folder.path().join("content");
        std::fs::create_dir(&content).map_err(TextError::io("create", &content))?;
        Ok(Self { content, _lock: lock, _folder: folder })
    }

    /// Gives the folder its name. If somebody else has prepared the same in the meantime, theirs stays: it is equal.
    fn publish(self, folder: &Path) -> Result<(), TextError> {
        match std::fs::rename(&self.content, folder) {
            Err(_) if folder.join(INDEX).exists() => Ok(()),
            renamed => renamed.map_err(TextError::io("create", folder)),
        }
    }
}

/// Removes the folders of interrupted calls: those whose lock nobody holds.
fn remove_interrupted(cache: &Path) -> Result<(), TextError> {
    for entry in std::fs::read_dir(cache).map_err(TextError::io("search", cache))? {
        let entry = entry.map_err(TextError::io("search", cache))?;
        if !entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            std::fs::remove_dir_all(entry.path()).map_err(TextError::io("remove the interrupted", &entry.path()))?;
        }
    }
    Ok(())
}
