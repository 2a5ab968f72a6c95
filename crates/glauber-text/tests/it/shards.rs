//! From files to mapped tokens and back.

use std::path::{Path, PathBuf};

use glauber_text::{
    Corpus, CorpusConfig, DocumentSplit, PrepareConfig, TextCodec, TextError, TokenData, TokenStream, TokenizerConfig,
    prepare,
};
use glauber_tokens::{Codec, Token};

fn tokens(stream: &TokenStream) -> Vec<Token> {
    let mut tokens = vec![0; stream.tokens()];
    stream.window(0, &mut tokens);
    tokens
}

fn corpus(path: &Path, split_documents: DocumentSplit) -> Corpus {
    Corpus::open(&CorpusConfig { split_documents, ..CorpusConfig::new([path]) }).unwrap()
}

fn novel(folder: &Path) -> (PathBuf, String) {
    let text: String = (0..3000).map(|i| format!("Chapter {i}: what happened on day {}.\n\n", i * 7 % 31)).collect();
    let path = folder.join("novel.txt");
    std::fs::write(&path, &text).unwrap();
    (path, text)
}

/// The calls of the progress callback tell a fresh preparation from a hit.
fn run(
    config: &PrepareConfig,
    corpus: &Corpus,
    codec: &TextCodec,
    cache: &Path,
) -> Result<(TokenData, usize), TextError> {
    let mut calls = 0;
    let data = prepare(config, corpus, codec, cache, &mut |_| calls += 1)?;
    Ok((data, calls))
}

#[test]
fn the_second_run_maps_what_the_first_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = novel(folder.path());
    let cache = folder.path().join("cache/deep");
    let codec = TextCodec::bytes();
    let config = PrepareConfig::default();
    let (first, calls) = run(&config, &corpus(&path, DocumentSplit::WholeFile), &codec, &cache).unwrap();
    assert!(calls > 0);
    // The name of a file does not matter, its content does.
    let moved = folder.path().join("renamed.txt");
    std::fs::rename(&path, &moved).unwrap();
    let (second, calls) = run(&config, &corpus(&moved, DocumentSplit::WholeFile), &codec, &cache).unwrap();
    assert_eq!(calls, 0);
    assert_eq!(first.folder(), second.folder());
    assert_eq!(tokens(first.train()), tokens(second.train()));
    assert_eq!(tokens(first.validation()), tokens(second.validation()));
    assert_eq!(first.counts(), second.counts());
    assert_eq!(second.fingerprint(), codec.fingerprint());

    let mut folders = std::collections::HashSet::from([first.folder().to_owned()]);
    let mut fresh = |config: &PrepareConfig, split, codec: &TextCodec| {
        let (data, calls) = run(config, &corpus(&moved, split), codec, &cache).unwrap();
        assert!(calls > 0 && folders.insert(data.folder().to_owned()));
    };
    fresh(&PrepareConfig { split_seed: 1, ..config }, DocumentSplit::WholeFile, &codec);
    fresh(&PrepareConfig { validation_fraction: 0.1, ..config }, DocumentSplit::WholeFile, &codec);
    fresh(&config, DocumentSplit::Lines, &codec);
    fresh(&config, DocumentSplit::WholeFile, &codec.clone().with_mask().unwrap());
    std::fs::write(&moved, "another text").unwrap();
    fresh(&config, DocumentSplit::WholeFile, &codec);
}

#[test]
fn documents_are_packed_with_an_end_of_text_between() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.txt");
    let lines: Vec<String> = (0..500).map(|i| format!("línea {i}")).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let codec = TextCodec::bytes();
    let config = PrepareConfig { validation_fraction: 0.2, split_seed: 5, ..PrepareConfig::default() };
    let (data, _) = run(&config, &corpus(&path, DocumentSplit::Lines), &codec, folder.path()).unwrap();
    let mut seen = Vec::new();
    for stream in [data.train(), data.validation()] {
        let all = tokens(stream);
        let documents: Vec<String> =
            all.split(|&t| t == codec.end_of_text()).map(|document| codec.decode(document).unwrap()).collect();
        assert_eq!(documents.len(), stream.documents());
        for (index, document) in documents.iter().enumerate() {
            assert_eq!(&codec.decode(&all[stream.document(index)]).unwrap(), document);
        }
        assert_eq!(stream.bytes() as usize, documents.iter().map(String::len).sum::<usize>());
        assert_eq!(stream.characters() as usize, documents.iter().map(|d| d.chars().count()).sum::<usize>());
        seen.extend(documents);
    }
    seen.sort_by_key(|line| line.rsplit(' ').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(seen, lines);
    let mut counts = vec![0u64; codec.vocab_size()];
    tokens(data.train()).iter().for_each(|&t| counts[t as usize] += 1);
    assert_eq!(data.counts(), counts);
}

#[test]
fn a_book_gives_stretches_to_validation_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, text) = novel(folder.path());
    let codec = TextCodec::bytes();
    let config = PrepareConfig { validation_fraction: 0.25, split_seed: 2, ..PrepareConfig::default() };
    let (data, _) = run(&config, &corpus(&path, DocumentSplit::WholeFile), &codec, folder.path()).unwrap();
    assert_eq!(data.train().bytes() + data.validation().bytes(), text.len() as u64);
    assert!(data.validation().sequences(4096).is_ok());
    for stream in [data.train(), data.validation()] {
        for document in tokens(stream).split(|&t| t == codec.end_of_text()) {
            assert!(text.contains(&codec.decode(document).unwrap()), "a stretch of the book");
        }
    }
    let everything = PrepareConfig { validation_fraction: 0.0, split_seed: 2, ..PrepareConfig::default() };
    let (data, _) = run(&everything, &corpus(&path, DocumentSplit::WholeFile), &codec, folder.path()).unwrap();
    assert_eq!(codec.decode(&tokens(data.train())).unwrap(), text);
    assert_eq!((data.train().documents(), data.validation().tokens()), (1, 0));
    let error = data.validation().sequences(8).unwrap_err().to_string();
    assert!(error.contains("the validation split has 0 tokens") && error.contains("validation_fraction"), "{error}");
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = novel(folder.path());
    let corpus = corpus(&path, DocumentSplit::Lines);
    let codec = TextCodec::from_config(&TokenizerConfig::Bpe { vocab_size: 300 }, &corpus).unwrap();
    let of = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let cache = folder.path().join(threads.to_string());
        let (data, _) = pool.install(|| run(&PrepareConfig::default(), &corpus, &codec, &cache)).unwrap();
        (tokens(data.train()), tokens(data.validation()))
    };
    assert_eq!(of(1), of(4));
}

#[test]
fn interrupted_folders_are_removed_unless_somebody_writes_them() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = novel(folder.path());
    let cache = folder.path().join("cache");
    for name in [".partial-dead", ".partial-alive"] {
        std::fs::create_dir_all(cache.join(name)).unwrap();
        std::fs::write(cache.join(name).join("lock"), "").unwrap();
    }
    let alive = std::fs::File::open(cache.join(".partial-alive/lock")).unwrap();
    alive.lock().unwrap();
    let corpus = corpus(&path, DocumentSplit::WholeFile);
    run(&PrepareConfig::default(), &corpus, &TextCodec::bytes(), &cache).unwrap();
    assert!(!cache.join(".partial-dead").exists());
    assert!(cache.join(".partial-alive").exists());
    let left: Vec<_> = std::fs::read_dir(&cache).unwrap().collect();
    assert_eq!(left.len(), 2, "the shards and the living folder: {left:?}");
}

#[test]
fn a_failed_preparation_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, b"good\n\nbad \xFF").unwrap();
    let cache = folder.path().join("cache");
    let corpus = corpus(&path, DocumentSplit::Paragraphs);
    assert!(matches!(
        run(&PrepareConfig::default(), &corpus, &TextCodec::bytes(), &cache),
        Err(TextError::NotUtf8 { offset: 10, .. })
    ));
    assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0);
}

#[test]
fn damaged_shards_and_impossible_wishes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = novel(folder.path());
    let book = corpus(&path, DocumentSplit::WholeFile);
    let codec = TextCodec::bytes();
    for fraction in [-0.1, 1.0, f64::NAN] {
        let config = PrepareConfig { validation_fraction: fraction, split_seed: 0, ..PrepareConfig::default() };
        let refused = run(&config, &book, &codec, folder.path());
        assert!(matches!(refused, Err(TextError::OutOfRange { key: "validation_fraction", .. })));
    }
    let (data, _) = run(&PrepareConfig::default(), &book, &codec, folder.path()).unwrap();
    let shard = data.folder().join("train-00000.bin");
    let whole = std::fs::read(&shard).unwrap();
    // Cut under another name: the first is still mapped.
    let damage = |bytes: &[u8]| {
        std::fs::remove_file(&shard).unwrap();
        std::fs::write(&shard, bytes).unwrap();
        TokenData::open(data.folder()).unwrap_err().to_string()
    };
    assert!(damage(&whole[..whole.len() - 2]).contains("delete the folder"));
    let mut header = whole.clone();
    header[40] ^= 1;
    assert!(damage(&header).contains("header"));

    let empty = folder.path().join("empty.txt");
    std::fs::write(&empty, "").unwrap();
    let empty = corpus(&empty, DocumentSplit::WholeFile);
    assert!(matches!(
        run(&PrepareConfig::default(), &empty, &codec, folder.path()),
        Err(TextError::EmptyCorpus { files: 1 })
    ));
}

#[test]
fn an_unwritable_cache_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = novel(folder.path());
    // A file stands where the folder should be.
    let error = run(&PrepareConfig::default(), &corpus(&path, DocumentSplit::WholeFile), &TextCodec::bytes(), &path)
        .unwrap_err();
    assert!(error.to_string().contains("novel.txt"), "{error}");
}
