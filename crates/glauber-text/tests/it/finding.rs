//! Which files a corpus has, what they are encoded in, and what is passed over or refused by name.

use std::path::Path;

use glauber_text::{Corpus, CorpusConfig, DocumentSplit, PrepareConfig, TextCodec, prepare};

use crate::corpus::{gzip, read, split, texts, write};

fn says(path: &Path, parts: &[&str]) {
    let said = read(path).unwrap_err().to_string();
    assert!(!said.contains('\n'), "{said:?}");
    for part in parts {
        assert!(said.contains(part), "{said:?} lacks {part:?}");
    }
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn a_byte_order_mark_is_no_text_and_tells_utf_16() {
    let folder = tempfile::tempdir().unwrap();
    // Longer than what is decoded at a time, with characters of one to four bytes at every place of a chunk.
    let long: String = (0..40_000).map(|i| ["a", "é", "€", "𝄞", "x\n"][i % 5]).collect();
    let texts = ["It is a truth.\r\n\nSecond — paragraph", "", "a", "𝄞", "中\u{FEFF}文", &long];
    for text in texts {
        let marked = format!("\u{FEFF}{text}");
        for (index, bytes) in
            [marked.clone().into_bytes(), utf16(&marked, false), utf16(&marked, true)].into_iter().enumerate()
        {
            for (name, bytes) in [("a.txt", bytes.clone()), ("a.txt.gz", gzip(&bytes)), ("b", bytes)] {
                let path = write(folder.path(), name, bytes);
                assert_eq!(read(&path).unwrap().concat(), text, "{name} {index}");
            }
        }
    }
    let two = ["1.txt", "2.txt"].map(|name| write(folder.path(), name, "\u{FEFF}one\n"));
    assert_eq!(self::texts(&CorpusConfig::new(two)).unwrap(), ["one\n", "one\n"]);
    let path = write(folder.path(), "a.md", "\u{FEFF}\n\none\n\ntwo");
    let of = |mode| split(&path, mode).into_iter().map(|p| p.text).collect::<Vec<_>>();
    assert_eq!(of(DocumentSplit::Paragraphs), ["one", "two"]);
    assert_eq!(of(DocumentSplit::Lines), ["one", "two"]);
}

#[test]
fn a_mark_makes_another_cache() {
    let folder = tempfile::tempdir().unwrap();
    let key = |name: &str, bytes: Vec<u8>| {
        let corpus = Corpus::open(&CorpusConfig::new([write(folder.path(), name, bytes)])).unwrap();
        let data =
            prepare(&PrepareConfig::default(), &corpus, &TextCodec::bytes(), folder.path(), &mut |_| {}).unwrap();
        data.folder().file_name().unwrap().to_owned()
    };
    // Pinned: tokens that earlier versions prepared stay in use, and their runs can be resumed.
    assert_eq!(key("a.txt", b"one two three".to_vec()), "55b3a11e1fa361949f7a901425a12616");
    assert_eq!(key("a.jsonl", b"{\"text\":\"one two three\"}".to_vec()), "ebc4444df0eaca88a18fcfe9ea08471f");
    // Read with its mark once: the tokens of then are not those of now.
    assert_ne!(key("a.txt", b"\xEF\xBB\xBFone two three".to_vec()), "bd63c228a2486838abb025dc4f86a41c");
}

#[test]
fn other_encodings_are_named_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let russian = "Все счастливые семьи похожи друг на друга. ".repeat(20);
    let cases: [(&str, Vec<u8>, &[&str]); 12] = [
        ("latin1.txt", b"caf\xE9 au lait, caf\xE9 noir".to_vec(), &["byte 3", "Latin-1", "iconv", "UTF-8"]),
        ("late.txt", [&b"x".repeat(200_000)[..], b"\xE9t\xE9"].concat(), &["byte 200000", "Latin-1"]),
        ("latin1.csv", b"text\ncaf\xE9 au lait\n".to_vec(), &["byte 8", "Latin-1"]),
        ("latin1.jsonl", b"{\"text\":\"caf\xE9 au lait\"}".to_vec(), &["byte 12", "Latin-1"]),
        ("cp1251.txt", encoding_rs::WINDOWS_1251.encode(&russian).0.into_owned(), &["byte 0", "windows-1251"]),
        ("mixed.txt", b"\xC3\xA9t\xC3\xA9 caf\xE9 au lait".to_vec(), &["byte 9", "mend or remove"]),
        ("cut.txt", b"caf\xC3".to_vec(), &["byte 3", "cut short"]),
        ("wide.txt", utf16("It is a truth.\n", false), &["UTF-16LE", "mark", "iconv"]),
        ("wide.jsonl", utf16("{\"text\": \"It is a truth.\"}\n", true), &["UTF-16BE", "mark", "iconv"]),
        ("cyrillic", utf16(&russian, true), &["UTF-16BE"]),
        ("half.txt", [utf16("\u{FEFF}ab", false), vec![0x00, 0xD8, b'a', 0]].concat(), &["not UTF-16LE at byte 6"]),
        ("utf32.txt", "\u{FEFF}ab".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(), &["UTF-32"]),
    ];
    for (name, bytes, parts) in cases {
        let path = write(folder.path(), name, &bytes);
        says(&path, &[&[name], parts].concat());
        assert!(!read(&path).unwrap_err().to_string().contains("decompressed"), "{name}");
    }
    says(&write(folder.path(), "a.txt.gz", gzip(b"caf\xE9 au lait")), &["byte 3 of its decompressed content"]);
    let nul = "one\0two\0three\0";
    assert_eq!(read(&write(folder.path(), "nul.txt", nul)).unwrap(), [nul]);
}

#[test]
fn compressions_and_files_of_other_kinds_are_told_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let skippable = [&b"\x50\x2A\x4D\x18\x04\0\0\0abcd"[..], &zstd(b"text")].concat();
    for (name, bytes) in [
        ("a.txt", gzip(b"text")),
        ("b", zstd(b"text")),
        ("c.gz", zstd(b"text")),
        ("d.zst", gzip(b"text")),
        ("e", skippable),
    ] {
        assert_eq!(read(&write(folder.path(), name, bytes)).unwrap(), ["text"], "{name}");
    }
    let binary: &[u8] = b"\0\xFF\xFE\x80";
    let cases: [(&[u8], &str); 12] = [
        (b"BZh91AY&SY", "bzip2"),
        (b"\xFD7zXZ\0", "xz"),
        (b"\x04\x22\x4D\x18", "lz4"),
        (b"PK\x03\x04", "ZIP"),
        (b"7z\xBC\xAF\x27\x1C", "7-Zip"),
        (b"%PDF-1.7\n%", "PDF"),
        (b"ARROW1\0\0", "Arrow"),
        (b"\xFF\xFF\xFF\xFF", "Arrow"),
        (b"\x89PNG\r\n", "PNG"),
        (b"\x93NUMPY", "NumPy"),
        (b"SQLite format 3\0", "SQLite"),
        (b"PARE", "encrypted"),
    ];
    for (start, kind) in cases {
        for name in ["a.txt", "a.jsonl", "a.csv", "a.parquet", "a"] {
            let bytes = [start, binary].concat();
            says(&write(folder.path(), name, &bytes), &[name, kind, ": "]);
            says(&write(folder.path(), &format!("{name}.gz"), gzip(&bytes)), &[name, kind]);
        }
    }
    says(&write(folder.path(), "twice.gz", gzip(&gzip(b"text"))), &["twice.gz", "compressed twice"]);
    let mut tar = vec![0; 512];
    tar[..5].copy_from_slice(b"a.txt");
    tar[257..262].copy_from_slice(b"ustar");
    says(&write(folder.path(), "a.tar.gz", gzip(&tar)), &["tar archive"]);
    // Text stays text, whatever its first letters.
    for text in ["BZh is no word", "PK and ORC", "%PDF-1.7 is a version", "GIF89a", "PAR1 is a mark", "ID3 tags"] {
        assert_eq!(read(&write(folder.path(), "a.txt", text)).unwrap(), [text]);
    }
}

#[test]
fn zstandard_with_long_windows_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(30).unwrap();
    std::io::Write::write_all(&mut encoder, b"text").unwrap();
    assert_eq!(read(&write(folder.path(), "a.zst", encoder.finish().unwrap())).unwrap(), ["text"]);
    // A frame whose header asks for a window of 2^41 bytes.
    says(&write(folder.path(), "b.zst", b"\x28\xB5\x2F\xFD\x00\xF8\x21\0\0text"), &["b.zst", "window", "--long"]);
}

#[test]
fn files_of_folders_that_are_passed_over_are_counted_by_ending() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a.txt", "a"),
        ("b.jsonl", "{\"text\":\"b\"}"),
        ("c.json", "{\"text\":\"c\"}"),
        ("d/d.JSON.gz", ""),
        ("d/LICENSE", ""),
        ("d/e.csv", "text\nd"),
        (".hidden.png", ""),
    ] {
        write(folder.path(), name, text);
    }
    let corpus = Corpus::open(&CorpusConfig::new([folder.path()])).unwrap();
    assert_eq!(corpus.files().count(), 2);
    assert_eq!(corpus.remarks().len(), 1);
    assert!(corpus.remarks()[0].contains("1 without ending, 1 .csv, 1 .json, 1 .json.gz"), "{:?}", corpus.remarks());
    // A folder of nothing but other tables is a corpus of these.
    let tables = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("1.json", "{\"text\":\"1\"}"),
        ("a/2.csv", "text\n2"),
        ("b/3.ndjson", "{\"text\":\"3\"}"),
        ("b/4.tsv", "text\n4"),
        ("x.png", ""),
    ] {
        write(tables.path(), name, text);
    }
    assert_eq!(read(tables.path()).unwrap(), ["1", "2", "3", "4"]);
    std::fs::remove_dir_all(folder.path().join("d")).unwrap();
    let only = tempfile::tempdir().unwrap();
    write(only.path(), "x.png", "");
    says(only.path(), &["1 .png", ".jsonl"]);
}

#[test]
fn a_file_is_read_once_however_often_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let [a, b] = ["a.txt", "sub/b.txt"].map(|name| write(at, name, name));
    let dotted = at.join("sub/../a.txt");
    let mut paths = vec![a.clone(), dotted, at.to_owned(), at.join("sub"), b];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("a.txt", at.join("link.txt")).unwrap();
        std::os::unix::fs::symlink("sub", at.join("linked")).unwrap();
        std::fs::hard_link(&a, at.join("hard.txt")).unwrap();
        paths.push(at.join("link.txt"));
    }
    let corpus = Corpus::open(&CorpusConfig::new(paths)).unwrap();
    let found: Vec<String> = corpus.documents().map(|passage| passage.unwrap().text).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        corpus.remarks()[0].contains("second time") && corpus.remarks()[0].contains("a.txt"),
        "{:?}",
        corpus.remarks()
    );
}

#[cfg(unix)]
#[test]
fn links_that_lead_nowhere_or_in_a_circle_are_passed_over() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "sub/a.txt", "a");
    for (link, to) in [
        ("absent.txt", "nowhere"),
        ("sub/loop", ".."),
        ("self.txt", "self.txt"),
        ("x.txt", "y.txt"),
        ("y.txt", "x.txt"),
    ] {
        symlink(to, at.join(link)).unwrap();
    }
    let corpus = Corpus::open(&CorpusConfig::new([at])).unwrap();
    assert_eq!(corpus.files().count(), 1);
    assert!(corpus.remarks()[0].contains("5 link(s)"), "{:?}", corpus.remarks());
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let [pipe, socket, link, text] = ["pipe", "socket", "link.txt", "a.txt"].map(|name| folder.path().join(name));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::os::unix::fs::symlink(&pipe, &link).unwrap();
    for (path, kind) in
        [(&*pipe, "a pipe"), (&socket, "a socket"), (&link, "a pipe"), (Path::new("/dev/null"), "a device")]
    {
        says(path, &[path.to_str().unwrap(), kind, "regular file"]);
    }
    // In a folder they are passed over like any other file.
    std::fs::write(&text, "a").unwrap();
    std::fs::rename(&pipe, folder.path().join("pipe.txt")).unwrap();
    assert_eq!(read(folder.path()).unwrap(), ["a"]);
}
