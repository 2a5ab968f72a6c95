//! Which files there are, and their bytes.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::TextError;

/// What a file holds once decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    JsonLines,
    Parquet,
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// A file of the corpus.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) compression: Compression,
}

impl Source {
    /// Judges a file by its name; the flag says whether the extension is one that folders are searched for.
    fn of(path: &Path) -> (Self, bool) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let (stem, compression) = if let Some(stem) = name.strip_suffix(".gz") {
            (stem, Compression::Gzip)
        } else if let Some(stem) = name.strip_suffix(".zst") {
            (stem, Compression::Zstd)
        } else {
            (name.as_str(), Compression::None)
        };
        let (format, known) = match stem.rsplit_once('.').map(|(_, extension)| extension) {
            Some("jsonl") => (Format::JsonLines, true),
            Some("parquet") => (Format::Parquet, true),
            Some("txt" | "md") => (Format::Plain, true),
            _ => (Format::Plain, false),
        };
        (Self { path: path.to_owned(), format, compression }, known)
    }

    /// What reading this file is called in an error.
    pub(super) fn action(&self) -> &'static str {
        match self.compression {
            Compression::None => "read",
            Compression::Gzip => "decompress (gzip)",
            Compression::Zstd => "decompress (zstd)",
        }
    }

    /// The file itself.
    pub(super) fn file(&self) -> Result<File, TextError> {
        File::open(&self.path).map_err(TextError::io("open", &self.path))
    }

    /// The decompressed bytes.
    pub(super) fn bytes(&self) -> Result<BufReader<Box<dyn Read + Send>>, TextError> {
        let file = self.file()?;
        let bytes: Box<dyn Read + Send> = match self.compression {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file))),
            Compression::Zstd => {
                Box::new(zstd::stream::read::Decoder::new(file).map_err(TextError::io(self.action(), &self.path))?)
            }
        };
        Ok(BufReader::with_capacity(1 << 16, bytes))
    }

    /// Blake3 of the bytes on disk.
    pub(super) fn content_hash(&self) -> Result<blake3::Hash, TextError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(self.file()?).map_err(TextError::io("read", &self.path))?;
        Ok(hasher.finalize())
    }
}

/// Adds a file, or the text files of a folder in the order of their names.
pub(super) fn find(path: &Path, sources: &mut Vec<Source>) -> Result<(), TextError> {
    if !path.try_exists().map_err(TextError::io("find", path))? {
        return Err(TextError::Missing { path: path.to_owned() });
    }
    if !path.is_dir() {
        sources.push(Source::of(path).0);
        return Ok(());
    }
    let visible =
        |entry: &walkdir::DirEntry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".");
    for entry in walkdir::WalkDir::new(path).follow_links(true).sort_by_file_name().into_iter().filter_entry(visible) {
        let entry = entry.map_err(|e| TextError::Io {
            action: "search",
            path: e.path().unwrap_or(path).to_owned(),
            source: e.into(),
        })?;
        let (source, known) = Source::of(entry.path());
        if known && entry.file_type().is_file() {
            sources.push(source);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_format_and_compression() {
        let judge = |name: &str| {
            let (source, known) = Source::of(Path::new(name));
            (source.format, source.compression, known)
        };
        assert_eq!(judge("a/b.TXT"), (Format::Plain, Compression::None, true));
        assert_eq!(judge("a.jsonl.zst"), (Format::JsonLines, Compression::Zstd, true));
        assert_eq!(judge("a.parquet.gz"), (Format::Parquet, Compression::Gzip, true));
        assert_eq!(judge("main.rs"), (Format::Plain, Compression::None, false));
        assert_eq!(judge("txt"), (Format::Plain, Compression::None, false));
    }
}
