//! What is written comes back, and nothing else passes for it.

use super::*;
use crate::TokenWriter;

/// Documents of growing length in shards of seven tokens, with a 0 between them and their length as label.
fn data(vocab_size: usize) -> (tempfile::TempDir, TokenData, Vec<Token>) {
    let folder = tempfile::tempdir().unwrap();
    let fingerprint = blake3::hash(b"codec").to_hex().to_string();
    let mut writer = TokenWriter::new(folder.path(), vocab_size, &fingerprint).with_shards_of(7);
    let split = writer.split(Split::Training);
    let mut expected = Vec::new();
    for length in 1..=9u32 {
        let tokens: Vec<Token> = (0..length).map(|i| vocab_size as u32 - 1 - i * length).collect();
        if length > 1 {
            split.write(&[0]).unwrap();
            expected.push(0);
        }
        split.begin_document().unwrap();
        split.write(&tokens).unwrap();
        split.write_label(length).unwrap();
        expected.extend(tokens);
    }
    writer.finish().unwrap();
    let data = TokenData::open(folder.path()).unwrap();
    (folder, data, expected)
}

#[test]
fn windows_cross_shards_in_two_and_four_bytes() {
    for vocab_size in [100, 65_536, 65_537, 200_000] {
        let (_folder, data, expected) = data(vocab_size);
        let stream = data.train();
        assert_eq!(stream.shards.len(), expected.len().div_ceil(7));
        assert_eq!(stream.token_bytes, if vocab_size > 65_536 { 4 } else { 2 });
        for length in 1..=expected.len() {
            let sequences = stream.sequences(length).unwrap();
            let mut out = vec![0; length];
            for start in 0..sequences.windows() {
                sequences.window(start, &mut out);
                assert_eq!(out, expected[start..start + length]);
            }
        }
    }
}

#[test]
fn documents_labels_and_tokens_are_counted() {
    let (_folder, data, expected) = data(100);
    let stream = data.train();
    assert_eq!((stream.documents(), data.validation().documents()), (9, 0));
    for document in 0..9 {
        let range = stream.document(document);
        assert_eq!(range.len(), document + 1);
        assert_eq!(expected[range.start], 99);
        assert!(range.end == expected.len() || expected[range.end] == 0);
        assert_eq!(stream.label(document), Some(document as u32 + 1));
    }
    assert_eq!((stream.label(9), stream.label(usize::MAX), data.validation().label(0)), (None, None, None));
    let mut counts = vec![0u64; 100];
    expected.iter().for_each(|&token| counts[token as usize] += 1);
    assert_eq!(data.counts(), counts);
}

/// The folder's error once a file has other content; the file is put back.
fn refused(folder: &Path, name: &str, content: &[u8]) -> String {
    let path = folder.join(name);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, content).unwrap();
    let error = TokenData::open(folder).err().map(|error| error.to_string());
    std::fs::write(&path, whole).unwrap();
    let error = error.unwrap_or_else(|| panic!("{name} is accepted: {content:?}"));
    let cure = format!("delete the folder {}", folder.display());
    assert!(error.contains(name) && error.contains(&cure), "{error}");
    error
}

#[test]
fn no_bit_of_any_file_changes_unseen() {
    for vocab_size in [100, 70_000] {
        let (folder, ..) = data(vocab_size);
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        // The index of a large vocabulary is long.
        for name in names.into_iter().filter(|name| vocab_size == 100 || name != "index.json") {
            let name = name.into_string().unwrap();
            let whole = std::fs::read(folder.path().join(&name)).unwrap();
            for at in (0..whole.len()).step_by(7) {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << (at % 8);
                refused(folder.path(), &name, &flipped);
            }
            refused(folder.path(), &name, &whole[..whole.len() - 1]);
            refused(folder.path(), &name, &[&whole[..], &[0]].concat());
            refused(folder.path(), &name, &[]);
            let (path, aside) = (folder.path().join(&name), folder.path().join("aside"));
            std::fs::rename(&path, &aside).unwrap();
            let error = TokenData::open(folder.path()).unwrap_err().to_string();
            assert!(error.contains(&name) && error.contains("it is missing; delete the folder"), "{error}");
            std::fs::rename(&aside, &path).unwrap();
        }
        TokenData::open(folder.path()).unwrap();
    }
}

/// Folders of before checksums are read; a token that no network has a place for is still found.
#[test]
fn folders_without_checksums_are_read_and_their_tokens_checked() {
    let (folder, _, expected) = data(100);
    let path = folder.path().join("index.json");
    let mut index: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let fields = index.as_object_mut().unwrap();
    fields.insert("version".into(), 1.into());
    assert!(fields.remove("checksums").is_some() && fields.remove("checksum").is_some());
    std::fs::write(&path, index.to_string()).unwrap();
    let mut tokens = vec![0; expected.len()];
    TokenData::open(folder.path()).unwrap().train().window(0, &mut tokens);
    assert_eq!(tokens, expected);
    let mut shard = std::fs::read(folder.path().join("train-00001.bin")).unwrap();
    shard[HEADER + 2..HEADER + 4].copy_from_slice(&100u16.to_le_bytes());
    let error = refused(folder.path(), "train-00001.bin", &shard);
    assert!(error.contains("the token 100, outside the vocabulary 0..100"), "{error}");
    let mut starts = std::fs::read(folder.path().join("train-documents.bin")).unwrap();
    starts[15] = 1;
    assert!(refused(folder.path(), "train-documents.bin", &starts).contains("not contiguous"));
    let other = |key: &str, value: serde_json::Value| {
        let mut index = index.clone();
        index[key] = value;
        refused(folder.path(), "index.json", index.to_string().as_bytes())
    };
    assert!(other("version", 3.into()).contains("version 3"));
    assert!(other("counts", vec![0; 100].into()).contains("do not sum to"));
}

#[test]
fn shards_of_another_codec_are_found() {
    let ([one, ..], [other, ..]) = ([data(100).0], [data(99).0]);
    let shard = std::fs::read(other.path().join("train-00000.bin")).unwrap();
    assert!(refused(one.path(), "train-00000.bin", &shard).contains("does not match the index"));
}

#[test]
fn a_length_beyond_the_stream_is_refused() {
    let (_folder, data, expected) = data(100);
    let stream = data.train();
    let error = stream.sequences(expected.len() + 1).unwrap_err().to_string();
    assert!(error.contains("53 tokens, fewer than the sequence length 54"), "{error}");
    assert!(stream.sequences(0).is_err());
    assert_eq!(stream.sequences(10).unwrap().count(), 5);
}
