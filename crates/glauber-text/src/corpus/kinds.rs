//! Recognises files that are not text by their first bytes.

/// The kind of a file, and how to convert it to text. Call it only for bytes that are not text, because some signatures
/// are letters.
pub(super) fn kind(head: &[u8]) -> Option<(&'static str, &'static str)> {
    let archive = head.get(257..262) == Some(b"ustar");
    let known = KINDS.iter().find(|(mark, ..)| head.starts_with(mark));
    match archive {
        true => Some(("a tar archive", UNPACK)),
        false => known.map(|&(_, what, cure)| (what, cure)),
    }
}

const AGAIN: &str = "decompress it, or compress it with gzip or zstd";
const UNPACK: &str = "unpack it and name the files";
const TABLE: &str = "write it as Parquet, JSON lines or CSV";
const TEXT: &str = "extract its text to a file";
const PICTURE: &str = "`train image` reads pictures";

const KINDS: [(&[u8], &str, &str); 36] = [
    (b"\x1F\x8B", "compressed twice (gzip)", "decompress it once"),
    (b"\x28\xB5\x2F\xFD", "compressed twice (zstd)", "decompress it once"),
    (b"BZh", "compressed with bzip2", AGAIN),
    (b"\xFD7zXZ\0", "compressed with xz", AGAIN),
    (b"\x5D\0\0", "compressed with lzma", AGAIN),
    (b"\x04\x22\x4D\x18", "compressed with lz4", AGAIN),
    (b"\x02\x21\x4C\x18", "compressed with lz4", AGAIN),
    (b"\xFF\x06\0\0sNaPpY", "compressed with snappy", AGAIN),
    (b"LZIP", "compressed with lzip", AGAIN),
    (b"\x89LZO", "compressed with lzop", AGAIN),
    (b"\x1F\x9D", "compressed with compress", AGAIN),
    (b"PK\x03\x04", "a ZIP archive (so are .docx, .xlsx, .epub and .npz)", UNPACK),
    (b"PK\x05\x06", "an empty ZIP archive", UNPACK),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1A\x07", "a RAR archive", UNPACK),
    (b"PARE", "an encrypted Parquet file", "write it without encryption"),
    (b"ARROW1", "an Arrow file", TABLE),
    (b"\xFF\xFF\xFF\xFF", "an Arrow stream", TABLE),
    (b"FEA1", "a Feather file", TABLE),
    (b"ORC", "an ORC file", TABLE),
    (b"Obj\x01", "an Avro file", TABLE),
    (b"\x89HDF\r\n\x1A\n", "an HDF5 file", TABLE),
    (b"\x93NUMPY", "a NumPy array", TABLE),
    (b"SQLite format 3\0", "an SQLite database", TABLE),
    (b"\x80\x02", "a Python pickle", TABLE),
    (b"\x80\x03", "a Python pickle", TABLE),
    (b"\x80\x04", "a Python pickle", TABLE),
    (b"\x80\x05", "a Python pickle", TABLE),
    (b"%PDF-", "a PDF file", TEXT),
    (b"\xD0\xCF\x11\xE0", "an old Office document", TEXT),
    (b"\x89PNG", "a PNG picture", PICTURE),
    (b"\xFF\xD8\xFF", "a JPEG picture", PICTURE),
    (b"GIF8", "a GIF picture", PICTURE),
    (b"RIFF", "a RIFF file (WebP, WAV or AVI)", "name text files"),
    (b"\x7FELF", "a program", "name text files"),
    (b"ID3", "an MP3 file", "name text files"),
];
