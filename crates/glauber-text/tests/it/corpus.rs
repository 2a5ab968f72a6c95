//! Every format with every compression, and what can be wrong with files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, LargeStringArray, RecordBatch, StringArray, StringViewArray};
use glauber_text::{Corpus, CorpusConfig, DocumentSplit, Passage, TextError};
use parquet::arrow::ArrowWriter;

pub fn texts(config: &CorpusConfig) -> Result<Vec<String>, TextError> {
    Corpus::open(config)?.documents().map(|passage| passage.map(|p| p.text)).collect()
}

pub fn read(path: &Path) -> Result<Vec<String>, TextError> {
    texts(&CorpusConfig::new([path]))
}

pub fn split(path: &Path, split_documents: DocumentSplit) -> Vec<Passage> {
    let config = CorpusConfig { split_documents, ..CorpusConfig::new([path]) };
    Corpus::open(&config).unwrap().documents().collect::<Result<_, _>>().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn parquet(column: ArrayRef) -> Vec<u8> {
    let other: ArrayRef = Arc::new(Int64Array::from_iter_values(0..column.len() as i64));
    columns([("id", other), ("text", column)])
}

fn columns(columns: [(&str, ArrayRef); 2]) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

pub fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn every_format_reads_plain_gzipped_and_zstandard() {
    let folder = tempfile::tempdir().unwrap();
    let documents = ["Ein Satz.\r\nZwei — ü\n", "second"];
    let column: ArrayRef = Arc::new(StringArray::from(documents.to_vec()));
    let jsonl = "{\"text\":\"Ein Satz.\\r\\nZwei — ü\\n\",\"n\":1}\n\n{\"n\":2,\"text\":\"second\"}";
    let files: [(&str, Vec<u8>, &[&str]); 4] = [
        ("a.txt", documents[0].into(), &documents[..1]),
        ("a.md", documents[0].into(), &documents[..1]),
        ("a.jsonl", jsonl.into(), &documents),
        ("a.parquet", parquet(column), &documents),
    ];
    for (name, bytes, expected) in files {
        for (name, bytes) in [
            (name.to_owned(), bytes.clone()),
            (format!("{name}.gz"), gzip(&bytes)),
            (format!("{name}.zst"), zstd::encode_all(&bytes[..], 1).unwrap()),
        ] {
            let path = write(folder.path(), &name, bytes);
            assert_eq!(read(&path).unwrap(), expected, "{name}");
        }
    }
}

#[test]
fn a_gzip_file_of_several_members_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.txt.gz", [gzip(b"one "), gzip(b"two")].concat());
    assert_eq!(read(&path).unwrap(), ["one two"]);
}

#[test]
fn a_spreadsheets_first_line_tells_the_delimiter_and_names_may_have_space_around_them() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("a.csv", &b"sep=;\r\nn;text\r\n1;a, b\r\n"[..]),
        ("b.csv", b"\xEF\xBB\xBFsep=|\nn|text\n1|a, b\n"),
        ("c.csv", b"n, text \n1,\"a, b\"\n"),
    ] {
        assert_eq!(read(&write(folder.path(), name, bytes)).unwrap(), ["a, b"], "{name}");
    }
}

#[test]
fn parquet_reads_every_string_layout_and_passes_over_nulls() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<Option<String>> = (0..1000).map(|i| (i % 3 > 0).then(|| format!("row {i}"))).collect();
    let expected: Vec<String> = rows.iter().flatten().cloned().collect();
    let columns: [ArrayRef; 3] = [
        Arc::new(StringArray::from(rows.clone())),
        Arc::new(LargeStringArray::from(rows.clone())),
        Arc::new(StringViewArray::from(rows)),
    ];
    for column in columns {
        let path = write(folder.path(), "a.parquet", parquet(column));
        assert_eq!(read(&path).unwrap(), expected);
    }
}

#[test]
fn folders_are_searched_in_order_and_other_files_only_when_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("b.txt", "b"),
        ("a/z.md", "az"),
        ("c.jsonl", "{\"text\":\"c\"}"),
        ("main.rs", "fn"),
        (".hidden.txt", "h"),
        (".git/x.txt", "g"),
    ] {
        write(folder.path(), name, text);
    }
    assert_eq!(read(folder.path()).unwrap(), ["az", "b", "c"]);
    let config = CorpusConfig::new([folder.path().join("main.rs"), folder.path().join("b.txt")]);
    assert_eq!(texts(&config).unwrap(), ["fn", "b"]);
}

#[test]
fn another_column_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.jsonl", "{\"body\":\"b\"}\n");
    let config = CorpusConfig { column: Some("body".to_owned()), ..CorpusConfig::new([&path]) };
    assert_eq!(texts(&config).unwrap(), ["b"]);
}

#[test]
fn a_long_file_comes_in_passages_that_join_to_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let paragraphs: String = (0..2000).map(|i| format!("Paragraph {i} ändert nichts.\r\nSecond line.\n\n")).collect();
    let path = write(folder.path(), "book.txt", &paragraphs);
    let passages = split(&path, DocumentSplit::WholeFile);
    assert!(passages.len() > 5);
    assert!(!passages[0].continues && passages[1..].iter().all(|p| p.continues));
    assert!(passages.iter().all(|p| p.text.ends_with("\n\n") && p.text.len() < 9000));
    assert_eq!(passages.iter().map(|p| p.text.as_str()).collect::<String>(), paragraphs);
    // Without any line ending it is cut within lines, at a character.
    for unbroken in ["ü€".repeat(100_000), format!("x{}", "ü€".repeat(100_000)), format!("xy{}", "😀".repeat(70_000))]
    {
        let path = write(folder.path(), "line.txt", &unbroken);
        for mode in [DocumentSplit::WholeFile, DocumentSplit::Paragraphs, DocumentSplit::Lines] {
            let passages = split(&path, mode);
            assert!(passages.len() > 3 && passages.iter().all(|p| p.text.len() <= 2 << 16));
            assert!(!passages[0].continues && passages[1..].iter().all(|p| p.continues));
            assert_eq!(passages.iter().map(|p| p.text.as_str()).collect::<String>(), unbroken);
        }
    }
}

#[test]
fn paragraphs_and_lines_are_documents_without_their_endings() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.txt", "\n\none\r\ntwo\r\n \t\r\n\nthree\n\n\nfour");
    let of = |mode| split(&path, mode).into_iter().map(|p| p.text).collect::<Vec<_>>();
    assert_eq!(of(DocumentSplit::Paragraphs), ["one\r\ntwo", "three", "four"]);
    assert_eq!(of(DocumentSplit::Lines), ["one", "two", "three", "four"]);
    assert!(split(&path, DocumentSplit::Lines).iter().all(|p| !p.continues));
}

#[test]
fn errors_name_file_and_place() {
    let folder = tempfile::tempdir().unwrap();
    let expect = |name: &str, bytes: &[u8], parts: &[&str]| {
        let path = write(folder.path(), name, bytes);
        let error = read(&path).unwrap_err().to_string();
        for part in parts.iter().chain([&name]) {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
    };
    expect("latin1.txt", b"abc\nd\xE9f\n", &["not UTF-8 at byte 5"]);
    expect("cut.txt", "abc\u{e9}".as_bytes().split_last().unwrap().1, &["not UTF-8 at byte 3"]);
    let mut long = "é".repeat(100_000).into_bytes();
    long.push(0xFF);
    expect("long.txt", &long, &["not UTF-8 at byte 200000"]);
    expect("bad.jsonl", b"{\"text\":\"a\"}\n\n{\"text\":", &["line 3"]);
    expect("list.jsonl", b"[1]\n", &["line 1"]);
    expect("fields.jsonl", b"{\"body\":\"a\",\"n\":1}\n", &["line 1", "\"text\"", "body (string), n (number)"]);
    expect("type.jsonl", b"{\"text\":5}\n", &["text (number)"]);
    expect("broken.txt.gz", b"no gzip at all", &["gzip"]);
    let whole = gzip("text ".repeat(1000).as_bytes());
    expect("cut.txt.gz", &whole[..whole.len() / 2], &["gzip"]);
    expect("broken.jsonl.zst", b"no zstd at all", &["zstd"]);
    expect("broken.parquet", b"no parquet at all", &["Parquet"]);
    expect("twice.csv", b"n,text,text\n1,a,b\n", &["2 columns are named \"text\" in line 1", "rename"]);
    expect("short.csv", b"n,text\n1,a\n2,b,c\n", &["line 3 has 3 fields", "line of names 2", "quote"]);
    expect("short.tsv", b"sep=;\nn;text\n1;a\n2\n", &["line 4 has 1 fields"]);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    expect("numbers.parquet", &parquet(numbers), &["\"text\"", "id (Int64), text (Int64)"]);
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
    let twice = columns([("text", text.clone()), ("text", text)]);
    expect("twice.parquet", &twice, &["2 columns are named \"text\"", "rename"]);
}

#[test]
fn missing_paths_and_empty_folders_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = read(&folder.path().join("absent.txt")).unwrap_err();
    assert!(matches!(&missing, TextError::Missing { path } if path.ends_with("absent.txt")));
    assert!(matches!(read(folder.path()), Err(TextError::NoFiles { .. })));
}
