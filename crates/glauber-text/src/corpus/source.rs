//! A file of a corpus: format, compression and content.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use encoding_rs::{Encoding, UTF_8};

use super::{decoded, json, kinds};
use crate::TextError;

/// The format of a file after decompression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    /// Objects: one per line, in sequence, or in arrays.
    Json,
    /// Fields separated by commas, or by the delimiter of the file's head.
    Csv,
    /// Fields separated by tabs, or by the delimiter of the file's head.
    Tsv,
    Parquet,
}

impl Format {
    /// The name in the hash of a corpus, which must not change.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Plain => "Plain",
            Self::Json => "JsonLines",
            Self::Csv => "Csv",
            Self::Tsv => "Tsv",
            Self::Parquet => "Parquet",
        }
    }
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Whether a search of folders includes files of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sought {
    Always,
    /// If a folder has none of those always included.
    Otherwise,
    Never,
}

/// Format and compression from a file name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) format: Format,
    compression: Compression,
    pub(super) sought: Sought,
    /// The ending in lower case with its dot and that of a compression; empty if there is none.
    pub(super) ending: String,
}

impl Name {
    pub(super) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let (stem, compression) = match name.rsplit_once('.') {
            Some((stem, "gz" | "gzip")) => (stem, Compression::Gzip),
            Some((stem, "zst" | "zstd")) => (stem, Compression::Zstd),
            _ => (name.as_str(), Compression::None),
        };
        let kind = stem.rsplit_once('.').map(|(_, kind)| kind);
        let (format, sought) = match kind {
            Some("txt" | "md") => (Format::Plain, Sought::Always),
            Some("jsonl") => (Format::Json, Sought::Always),
            Some("parquet") => (Format::Parquet, Sought::Always),
            Some("json" | "ndjson" | "jsonlines") => (Format::Json, Sought::Otherwise),
            Some("csv") => (Format::Csv, Sought::Otherwise),
            Some("tsv") => (Format::Tsv, Sought::Otherwise),
            Some("pq" | "parq") => (Format::Parquet, Sought::Otherwise),
            _ => (Format::Plain, Sought::Never),
        };
        let ending = name[kind.map_or(stem.len(), |kind| stem.len() - kind.len() - 1)..].to_owned();
        Self { format, compression, sought, ending }
    }
}

/// A file of the corpus.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) compression: Compression,
    /// The encoding of the byte-order mark.
    pub(super) mark: Option<&'static Encoding>,
    /// Whether a file named as plain text starts with a JSON object.
    pub(super) is_doubtful: bool,
}

/// The first bytes.
const HEAD: usize = 1 << 16;

impl Source {
    /// Inspects a file. Its name decides the format, unless the content is Parquet. With a `column`, a file without a
    /// known ending is JSON if it starts with an object that has the column.
    pub(super) fn look(path: &Path, column: Option<&str>) -> Result<Self, TextError> {
        let Name { format, compression, .. } = Name::of(path);
        let mut source = Self { path: path.to_owned(), format, compression, mark: None, is_doubtful: false };
        if let Some(compression) = compressed(&first(source.file()?, 4).map_err(TextError::io("read", path))?) {
            source.compression = compression;
        }
        let head = first(source.bytes()?, HEAD).map_err(source.failed())?;
        if head.starts_with(b"PAR1") && head.get(4).is_none_or(|byte| byte.is_ascii_control()) {
            source.format = Format::Parquet;
            return Ok(source);
        }
        source.mark = decoded::marked(&head);
        let is_utf8 = match std::str::from_utf8(&head) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none() && head.len() == HEAD,
        };
        if source.mark != Some(UTF_8) {
            source.refuse_what_is_no_text(&head, is_utf8)?;
        }
        if source.format == Format::Plain && opens_bracket(&head) {
            match column {
                Some(_) if json::begins(&source, column) => source.format = Format::Json,
                _ => source.is_doubtful = json::begins(&source, None),
            }
        }
        Ok(source)
    }

    fn refuse_what_is_no_text(&self, head: &[u8], is_utf8: bool) -> Result<(), TextError> {
        let refused = |found: String, cure: String| Err(TextError::NotText { path: self.path.clone(), found, cure });
        if [b"\xFF\xFE\0\0", b"\0\0\xFE\xFF"].iter().any(|mark| head.starts_with(*mark)) {
            return refused(
                "UTF-32".into(),
                "convert it to UTF-8, for instance with `iconv -f UTF-32 -t UTF-8`".into(),
            );
        }
        if self.mark.is_some() || is_utf8 && !head.contains(&0) {
            return Ok(());
        }
        if let Some((found, cure)) = kinds::kind(head) {
            return refused(found.into(), cure.into());
        }
        match decoded::unmarked(head, is_utf8) {
            Some(name) => refused(
                format!("{name} without a byte-order mark"),
                format!("convert it to UTF-8, for instance with `iconv -f {name} -t UTF-8`"),
            ),
            None => Ok(()),
        }
    }

    /// For `map_err`: an error of reading the content.
    pub(super) fn failed(&self) -> impl FnOnce(std::io::Error) -> TextError + use<> {
        let (path, action) = match self.compression {
            Compression::None => (self.path.clone(), "read"),
            Compression::Gzip => (self.path.clone(), "decompress (gzip)"),
            Compression::Zstd => (self.path.clone(), "decompress (zstd)"),
        };
        move |error| match error.to_string().contains("too much memory") {
            true => TextError::NotText {
                path,
                found: format!("compressed with a zstd window above 2^{WINDOW_LOG} bytes"),
                cure: format!("compress it again with `zstd --long={WINDOW_LOG}` or less"),
            },
            false => TextError::io(action, &path)(error),
        }
    }

    /// The meaning of a content offset, for errors.
    pub(super) fn within(&self) -> &'static str {
        match self.compression {
            Compression::None => "",
            _ => " of its decompressed content",
        }
    }

    /// The file itself.
    pub(super) fn file(&self) -> Result<File, TextError> {
        glauber_files::open(&self.path).map_err(TextError::io("open", &self.path))
    }

    /// The decompressed bytes.
    pub(super) fn bytes(&self) -> Result<BufReader<Box<dyn Read + Send>>, TextError> {
        let file = self.file()?;
        let bytes: Box<dyn Read + Send> = match self.compression {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file))),
            Compression::Zstd => Box::new(unpacked(file).map_err(self.failed())?),
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

/// Maximal window of a zstd frame, that of `zstd --long=31`. Only files with such a window use that much memory.
const WINDOW_LOG: u32 = if cfg!(target_pointer_width = "64") { 31 } else { 30 };

fn unpacked(file: File) -> std::io::Result<impl Read + Send> {
    let mut decoder = zstd::stream::read::Decoder::new(file)?;
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(decoder)
}

/// Whether the first byte, without blanks and wide-encoding zeros, can start a JSON record.
fn opens_bracket(head: &[u8]) -> bool {
    head.iter().find(|byte| !b" \t\r\n\0\xEF\xBB\xBF\xFF\xFE".contains(byte)).is_some_and(|byte| b"{[".contains(byte))
}

fn compressed(magic: &[u8]) -> Option<Compression> {
    match magic {
        [0x1F, 0x8B, ..] => Some(Compression::Gzip),
        [0x28, 0xB5, 0x2F, 0xFD] | [0x50..=0x5F, 0x2A, 0x4D, 0x18] => Some(Compression::Zstd),
        _ => None,
    }
}

fn first(reader: impl Read, count: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(count as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_format_and_compression() {
        let judge = |name: &str| {
            let Name { format, compression, sought, ending } = Name::of(Path::new(name));
            (format, compression, sought, ending)
        };
        let expect = |name, format, compression, sought, ending: &str| {
            assert_eq!(judge(name), (format, compression, sought, ending.to_owned()), "{name}");
        };
        expect("a/b.TXT", Format::Plain, Compression::None, Sought::Always, ".txt");
        expect("a.jsonl.zst", Format::Json, Compression::Zstd, Sought::Always, ".jsonl.zst");
        expect("a.parquet.gz", Format::Parquet, Compression::Gzip, Sought::Always, ".parquet.gz");
        expect("a.b.JSON.GZIP", Format::Json, Compression::Gzip, Sought::Otherwise, ".json.gzip");
        expect("a.tsv", Format::Tsv, Compression::None, Sought::Otherwise, ".tsv");
        expect("main.rs", Format::Plain, Compression::None, Sought::Never, ".rs");
        expect("a.gz", Format::Plain, Compression::Gzip, Sought::Never, ".gz");
        expect("txt", Format::Plain, Compression::None, Sought::Never, "");
    }
}
