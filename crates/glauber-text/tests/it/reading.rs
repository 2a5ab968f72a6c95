//! What files are by their content, whatever their names, and what is refused or passed over by name.

use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder, StringDictionaryBuilder};
use arrow_array::types::{ArrowDictionaryKeyType, Int8Type, Int32Type, UInt16Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, DictionaryArray, Int32Array, LargeBinaryArray, LargeStringArray,
    RecordBatch, StringArray, StringViewArray, StructArray,
};
use arrow_schema::{DataType, Field};
use glauber_text::{Corpus, CorpusConfig, DocumentSplit, TextError};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression};
use parquet::file::properties::WriterProperties;

use crate::corpus::{gzip, read, texts, write};

fn with_column(path: &Path, column: &str) -> Result<Vec<String>, TextError> {
    texts(&CorpusConfig { column: Some(column.to_owned()), ..CorpusConfig::new([path]) })
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// One line that has all of the parts.
fn assert_says(error: TextError, parts: &[&str]) {
    let said = error.to_string();
    assert!(!said.contains('\n'), "{said:?}");
    for part in parts {
        assert!(said.contains(part), "{said:?} lacks {part:?}");
    }
}

#[test]
fn tables_are_read_by_content_under_every_usual_name() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "{\"text\": \"one\\n{\", \"n\": 1}\n\n{\"n\": [{}], \"text\": \"two\"}\n";
    let array = "[{\"text\": \"one\\n{\"},\n {\"text\": \"two\", \"n\": [1, \"]\"]}]\n";
    let pretty = "{\n  \"text\": \"one\\n{\",\n  \"n\": {\"text\": \"no\"}\n}\n{\n  \"text\": \"two\"\n}";
    let one_line_array = "[{\"text\":\"one\\n{\"},{\"text\":\"two\"}]";
    let csv = "n,text\n1,\"one\n{\"\n2,two\n";
    let tsv = "n\ttext\n1\t\"one\n{\"\n2\ttwo\n";
    let semicolons = "n;text\r\n1,5;\"one\n{\"\r\n2,5;two\r\n";
    let json = ["json", "jsonl", "ndjson", "jsonlines", "JSON"];
    let contents: [(&str, &[&str]); 7] = [
        (lines, &json),
        (array, &json),
        (pretty, &json),
        (one_line_array, &json),
        (csv, &["csv", "tsv"]),
        (tsv, &["tsv", "csv"]),
        (semicolons, &["csv"]),
    ];
    for (content, endings) in contents {
        let marked = format!("\u{FEFF}{content}");
        let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [content.as_bytes(), marked.as_bytes(), &wide] {
            for ending in endings {
                for (name, bytes) in [
                    (format!("a.{ending}"), bytes.to_vec()),
                    (format!("a.{ending}.gz"), gzip(bytes)),
                    (format!("a.{ending}.zst"), zstd(bytes)),
                    (format!("a.b.{ending}"), gzip(bytes)),
                ] {
                    let path = write(folder.path(), &name, bytes);
                    assert_eq!(read(&path).unwrap(), ["one\n{", "two"], "{name}: {content}");
                }
            }
        }
    }
}

#[test]
fn other_names_are_plain_text_until_a_column_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "{\"text\": \"one\", \"url\": \"u\"}\n{\"text\": \"two\", \"url\": \"v\"}\n";
    for name in ["c4", "c4.txt", "c4.json-00000", "c4.md", "c4.jsonl.1"] {
        let path = write(folder.path(), name, lines);
        assert_eq!(read(&path).unwrap(), [lines], "{name}");
        let corpus = Corpus::open(&CorpusConfig::new([&path])).unwrap();
        assert!(
            corpus.remarks()[0].contains(name) && corpus.remarks()[0].contains("`--column NAME`"),
            "{:?}",
            corpus.remarks()
        );
        assert_eq!(with_column(&path, "text").unwrap(), ["one", "two"], "{name}");
    }
    let column = |path: &Path, column: &str| {
        Corpus::open(&CorpusConfig { column: Some(column.to_owned()), ..CorpusConfig::new([path]) }).unwrap()
    };
    let lacks = write(folder.path(), "lacks.txt", lines);
    assert_says(
        column(&lacks, "body").check_column().unwrap_err(),
        &["lacks.txt", "`--column`", "body", "JSON object"],
    );
    // What merely begins like JSON is plain text, and a column for it is refused by those who ask.
    for text in [
        "{ is a brace\n",
        "{\"a\", \"b\"}\n",
        "{\n",
        "{\"text\": \"never closed\n",
        "[1] A note.\n",
        "{}{}",
        "",
        "a\tb\n",
    ] {
        let path = write(folder.path(), "text.txt", text);
        assert_eq!(with_column(&path, "text").unwrap().concat(), text);
        assert_says(column(&path, "text").check_column().unwrap_err(), &["text.txt", "`--column`", "plain text"]);
        assert!(column(&path, "text").remarks().is_empty());
    }
    let table = write(folder.path(), "a.csv", "text\nb\n");
    let mixed = CorpusConfig { column: Some("text".into()), ..CorpusConfig::new([lacks, table.clone()]) };
    Corpus::open(&mixed).unwrap().check_column().unwrap();
    let lines = CorpusConfig { split_documents: DocumentSplit::Lines, ..CorpusConfig::new([table]) };
    assert_says(Corpus::open(&lines).unwrap().check_split().unwrap_err(), &["`split_documents`", "lines", "a.csv"]);
}

#[test]
fn rows_without_a_text_are_passed_over_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let column: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some(""), None, Some("b"), None]));
    let files: [(&str, Vec<u8>); 4] = [
        (
            "a.jsonl",
            b"{\"n\":1}\n{\"text\":\"a\"}\n{\"text\":null}\n{\"text\":\"\"}\n{\"text\":NaN}\n{\"text\":\"b\"}\n".into(),
        ),
        ("a.json", b"[{}, {\"text\":\"a\"}, {\"text\":null}, {\"text\":\"\"}, {\"a\":[]}, {\"text\":\"b\"}]".into()),
        ("a.csv", b"n,text\n1,a\n2,\n3,\"\"\n4,b\n5,\n".into()),
        ("a.parquet", table("text", column, Compression::UNCOMPRESSED)),
    ];
    for (name, bytes) in files {
        let corpus = Corpus::open(&CorpusConfig::new([write(folder.path(), name, bytes)])).unwrap();
        let mut documents = corpus.documents();
        let texts: Vec<String> = documents.by_ref().map(|passage| passage.unwrap().text).collect();
        assert_eq!((texts, documents.rows_without_text()), (vec!["a".to_owned(), "b".to_owned()], 3), "{name}");
    }
}

#[test]
fn records_that_cannot_be_read_are_named_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let many = format!(
        "{}\nx\n",
        (0..100).map(|i| format!("column number {i} {}", "x".repeat(90))).collect::<Vec<_>>().join(",")
    );
    let cases: [(&str, &str, &[&str]); 17] = [
        ("a.jsonl", "{\"text\":\"a\"}\n\n{\"text\":5}\n", &["line 3", "text (number)", "--column"]),
        ("a.jsonl", "{\"text\":\"a\"}\n{\"text\":[\"a\"]}\n", &["line 2", "text (array)"]),
        ("a.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"\n{\"text\":\"c\"}\n", &["line 2", "EOF", "column 11"]),
        ("a.jsonl", "{\"text\":\"a\"}\nno\n", &["line 2"]),
        ("a.jsonl", "{\"text\":\"\\ud800\"}\n", &["line 1", "hex escape"]),
        ("a.json", "[{\"text\":\"a\"},\n{\"text\":\"b\"}\n", &["line 3", "ends within an array"]),
        ("a.json", "[{\"text\":\"a\"},\n{\"text\":\"b\"", &["line 2", "ends within the object"]),
        ("a.json", "[{\"text\":\"a\"}\n{\"text\":\"b\"}]\n", &["line 2", "expected `{`"]),
        ("a.json", "[\n\"a\", \"b\"]", &["line 2", "expected `{`"]),
        ("a.json", "{\n\"text\":\"a\",\n\"n\": what\n}", &["line 3", "column 6"]),
        ("a.json", "It is a truth", &["line 1", "found `I`"]),
        ("a.json", "{\"text\":{\"0\":\"a\",\"1\":\"b\"}}", &["line 1", "text (object)"]),
        (
            "a.json",
            "{\"a\":1,\"b\":null}\n{\"c\":\"\"}",
            &["line 1", "no text column \"text\"", "a (number), b (null)"],
        ),
        ("a.csv", "n,body\n1,a\n", &["line 1", "no text column \"text\"", "found n, body"]),
        ("a.csv", "n,text\n1,a\n2,b,c\n", &["line 3", "3 fields"]),
        ("a.csv", "n,text\n1,a\n2,\"b\" c\n3,d\n", &["line 3", "closing quote"]),
        ("a.tsv", "n\ttext\n1\t\"a\n2\tb\n3\tc\n", &["line 2", "never closed"]),
    ];
    for (name, content, parts) in cases {
        let error = read(&write(folder.path(), name, content)).expect_err(content);
        assert_says(error, &[&[name], parts].concat());
    }
    let said = read(&write(folder.path(), "many.csv", many)).unwrap_err().to_string();
    assert!(said.len() < 2000 && said.contains("and 80 more"), "{said}");
}

#[test]
fn what_is_not_needed_of_a_record_is_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for value in ["NaN", "-Infinity", "1e999", &deep, "\"\\ud800\"", "{\"text\": 5}"] {
        let record = format!("{{\"score\": {value}, \"te\\u0078t\": \"\\ud83d\\ude00\"}}");
        for content in
            [format!("{record}\n{record}\n"), format!("[{record},\n{record}]"), format!("{{\n{}{record}", &record[1..])]
        {
            assert_eq!(read(&write(folder.path(), "a.json", &content)).unwrap(), ["😀", "😀"], "{content}");
        }
    }
    assert_eq!(read(&write(folder.path(), "a.jsonl", "{\"text\":\"a\",\"text\":\"b\"}")).unwrap(), ["b"]);
    // Files with a mark, one behind the other.
    assert_eq!(
        read(&write(folder.path(), "a.jsonl", "\u{FEFF}{\"text\":\"a\"}\n\u{FEFF}{\"text\":\"b\"}")).unwrap(),
        ["a", "b"]
    );
}

fn table(name: &str, column: ArrayRef, compression: Compression) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable([(name, column, true)]).unwrap();
    let properties =
        WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(400)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn dictionary<K: ArrowDictionaryKeyType>(rows: &[Option<String>]) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<K>::new();
    rows.iter().for_each(|row| builder.append_option(row.as_ref()));
    Arc::new(builder.finish())
}

#[test]
fn parquet_reads_strings_of_every_layout() {
    let folder = tempfile::tempdir().unwrap();
    let rows: Vec<Option<String>> = (0..1000).map(|i| (i % 3 > 0).then(|| format!("row {}", i % 50))).collect();
    let expected: Vec<String> = rows.iter().flatten().cloned().collect();
    let bytes: Vec<Option<&[u8]>> = rows.iter().map(|row| row.as_deref().map(str::as_bytes)).collect();
    let keys =
        || Int32Array::from_iter(rows.iter().map(|row| row.as_ref().map(|text| text[4..].parse::<i32>().unwrap())));
    let values: Vec<Option<String>> = (0..50).map(|i| Some(format!("row {i}"))).collect();
    // Here null is an entry of the dictionary.
    let null_entry: Vec<Option<String>> = values.iter().cloned().chain([None]).collect();
    let null_keys = Int32Array::from_iter_values(keys().iter().map(|key| key.unwrap_or(50)));
    let of =
        |keys, values: ArrayRef| Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values).unwrap()) as ArrayRef;
    let columns: Vec<ArrayRef> = vec![
        dictionary::<Int8Type>(&rows),
        dictionary::<UInt16Type>(&rows),
        dictionary::<Int32Type>(&rows),
        dictionary::<UInt64Type>(&rows),
        of(keys(), Arc::new(LargeStringArray::from(values.clone()))),
        of(keys(), Arc::new(StringViewArray::from(values))),
        of(null_keys, Arc::new(StringArray::from(null_entry))),
        Arc::new(StringArray::from(rows.clone())),
        Arc::new(LargeStringArray::from(rows.clone())),
        Arc::new(StringViewArray::from(rows.clone())),
        Arc::new(BinaryArray::from(bytes.clone())),
        Arc::new(LargeBinaryArray::from(bytes.clone())),
        Arc::new(BinaryViewArray::from(bytes)),
    ];
    for column in columns {
        let kind = column.data_type().clone();
        let path = write(folder.path(), "a.parquet", table("text", column.clone(), Compression::SNAPPY));
        assert_eq!(read(&path).unwrap(), expected, "{kind}");
        let meta = StructArray::from(vec![(Arc::new(Field::new("text", kind.clone(), true)), column)]);
        let path = write(folder.path(), "nested", table("meta", Arc::new(meta), Compression::SNAPPY));
        assert_eq!(with_column(&path, "meta.text").unwrap(), expected, "{kind}");
    }
}

#[test]
fn parquet_reads_every_compression_and_a_file_of_any_name() {
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..1000).map(|i| format!("It is truth {}, universally acknowledged.", i % 7)).collect();
    let level = BrotliLevel::try_new(3).unwrap();
    for compression in [Compression::LZ4, Compression::LZ4_RAW, Compression::BROTLI(level), Compression::UNCOMPRESSED] {
        let bytes = table("text", Arc::new(StringArray::from(texts.clone())), compression);
        for name in ["a.parquet", "a.pq", "a.parq", "a", "a.txt", "a.jsonl"] {
            assert_eq!(read(&write(folder.path(), name, &bytes)).unwrap(), texts, "{compression:?} {name}");
        }
        assert_eq!(read(&write(folder.path(), "a.bin", gzip(&bytes))).unwrap(), texts);
    }
}

#[test]
fn parquet_columns_that_hold_no_text_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.values().append_value("a");
    lists.append(true);
    let lists: ArrayRef = Arc::new(lists.finish());
    let inner = StructArray::from(vec![(
        Arc::new(Field::new("a", DataType::Utf8, true)),
        Arc::new(StringArray::from(vec!["b"])) as ArrayRef,
    )]);
    let numbers: ArrayRef =
        Arc::new(DictionaryArray::<Int8Type>::try_new(vec![0].into(), Arc::new(Int32Array::from(vec![5]))).unwrap());
    let pictures: ArrayRef = Arc::new(BinaryArray::from(vec![&b"text"[..], b"\xFF\xD8\xFF"]));
    let cases: [(ArrayRef, &[&str]); 4] = [
        (lists, &["\"text\"", "List"]),
        (Arc::new(inner), &["\"text\"", "Struct"]),
        (numbers, &["\"text\"", "Int32"]),
        (pictures, &["row 2", "not UTF-8"]),
    ];
    for (column, parts) in cases {
        let path = write(folder.path(), "a.parquet", table("text", column, Compression::UNCOMPRESSED));
        assert_says(read(&path).unwrap_err(), &[&["a.parquet"], parts].concat());
    }
}
