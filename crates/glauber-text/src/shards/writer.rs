//! Packs the documents of one split into shards.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use glauber_tokens::Token;

use super::format::{Layout, SplitIndex, documents_path, shard_path};
use crate::{Passage, TextError};

/// Writes one split.
pub(super) struct SplitWriter {
    folder: PathBuf,
    split: &'static str,
    layout: Layout,
    end_of_text: Token,
    shards: usize,
    shard: Option<Shard>,
    starts: Option<Shard>,
    index: SplitIndex,
    /// Place in the corpus of the last passage written.
    last: Option<u64>,
}

/// A file being written.
struct Shard {
    path: PathBuf,
    file: BufWriter<File>,
    tokens: usize,
}

impl SplitWriter {
    pub(super) fn new(folder: &Path, split: &'static str, layout: &Layout, end_of_text: Token) -> Self {
        Self {
            folder: folder.to_owned(),
            split,
            layout: layout.clone(),
            end_of_text,
            shards: 0,
            shard: None,
            starts: None,
            index: SplitIndex::default(),
            last: None,
        }
    }

    /// Appends a passage. Unless it goes on where the last one ended, an end of text comes between; the answer says whether one did.
    pub(super) fn push(&mut self, place: u64, passage: &Passage, tokens: &[Token]) -> Result<bool, TextError> {
        self.index.bytes += passage.text.len() as u64;
        self.index.characters += passage.text.chars().count() as u64;
        if tokens.is_empty() {
            return Ok(false);
        }
        let adjacent = passage.continues && self.last.is_some_and(|last| last + 1 == place);
        let separated = !adjacent && self.index.tokens > 0;
        if separated {
            self.write(&[self.end_of_text])?;
        }
        if !adjacent {
            self.start_document()?;
        }
        self.last = Some(place);
        self.write(tokens)?;
        Ok(separated)
    }

    /// Completes all files.
    pub(super) fn finish(mut self) -> Result<SplitIndex, TextError> {
        self.close_shard()?;
        if let Some(starts) = self.starts {
            starts.close(None)?;
        }
        Ok(self.index)
    }

    fn start_document(&mut self) -> Result<(), TextError> {
        let starts = match &mut self.starts {
            Some(starts) => starts,
            none => none.insert(Shard::create(documents_path(&self.folder, self.split))?),
        };
        self.index.documents += 1;
        starts.write(&(self.index.tokens as u64).to_le_bytes())
    }

    fn write(&mut self, mut tokens: &[Token]) -> Result<(), TextError> {
        while !tokens.is_empty() {
            let shard = match &mut self.shard {
                Some(shard) => shard,
                none => {
                    let mut shard = Shard::create(shard_path(&self.folder, self.split, self.shards))?;
                    self.shards += 1;
                    shard.write(&self.layout.header(0))?;
                    none.insert(shard)
                }
            };
            let (now, later) = tokens.split_at(tokens.len().min(self.layout.shard_tokens - shard.tokens));
            for token in now {
                // Two bytes hold every token of a vocabulary of at most 65536.
                shard.write(&token.to_le_bytes()[..self.layout.token_bytes])?;
            }
            shard.tokens += now.len();
            self.index.tokens += now.len();
            tokens = later;
            if shard.tokens == self.layout.shard_tokens {
                self.close_shard()?;
            }
        }
        Ok(())
    }

    fn close_shard(&mut self) -> Result<(), TextError> {
        match self.shard.take() {
            Some(shard) => {
                let header = self.layout.header(shard.tokens);
                shard.close(Some(&header))
            }
            None => Ok(()),
        }
    }
}

impl Shard {
    fn create(path: PathBuf) -> Result<Self, TextError> {
        let file = File::create(&path).map_err(TextError::io("create", &path))?;
        Ok(Self { path, file: BufWriter::with_capacity(1 << 18, file), tokens: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TextError> {
        self.file.write_all(bytes).map_err(TextError::io("write", &self.path))
    }

    /// Writes the header that is known only now, and waits for the disk.
    fn close(mut self, header: Option<&[u8]>) -> Result<(), TextError> {
        let mut complete = || {
            if let Some(header) = header {
                self.file.seek(SeekFrom::Start(0))?;
                self.file.write_all(header)?;
            }
            self.file.flush()?;
            self.file.get_ref().sync_all()
        };
        complete().map_err(TextError::io("write", &self.path))
    }
}
