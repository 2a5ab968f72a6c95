//! Encoding checked against the text: what has no token, what is unknown, what comes back changed.

use std::path::Path;

use glauber_text::{
    Corpus, CorpusConfig, PrepareConfig, TextCodec, TextError, TokenData, TokenizerConfig, coverage, prepare,
};
use glauber_tokens::Codec;
use serde_json::{Value, json};

use crate::foreign::{Parts, bert, byte_level, llama, load, metaspace, plain, unigram, vocab, words};

/// Lost, unknown, and whether the text comes back changed.
fn measured(codec: &TextCodec, text: &str) -> (u64, u64, bool) {
    let (tokens, coverage) = codec.measure(text).unwrap();
    assert_eq!(tokens, codec.encode(text).unwrap(), "{text:?}");
    assert_eq!(coverage.characters, text.chars().count() as u64);
    (coverage.lost, coverage.unknown, coverage.altered > 0)
}

fn replacing(pattern: Value, content: &str) -> Value {
    json!({ "type": "Replace", "pattern": pattern, "content": content })
}

#[test]
fn every_character_is_accounted_for() {
    let small = || plain("abxy .", &[["a", "b"]]);
    let without_digits = replacing(json!({ "Regex": "[0-9]" }), "");
    let accents = json!({ "type": "Sequence", "normalizers": [{ "type": "NFD" }, { "type": "StripAccents" }, { "type": "Lowercase" }] });
    let removing = json!({ "type": "Split", "pattern": { "String": "-" }, "behavior": "Removed", "invert": false });
    let fused =
        Parts { normalizer: replacing(json!({ "String": " " }), ""), decoder: json!({ "type": "Fuse" }), ..small() };
    let bounded = TokenizerConfig::Characters { max_characters: Some(2) };
    let bounded = TextCodec::train(&bounded, [Ok("aabbc".to_owned())]).unwrap();
    let long = "a".repeat(101);
    let bare = words(&["<unk>", "one", "two"]);
    let nfc = byte_level(false, json!({ "type": "NFC" })).codec();
    for (name, codec, text, expected) in [
        ("bytes", TextCodec::bytes(), "Все ☃", (0, 0, false)),
        ("few characters", bounded, "abca☃", (0, 2, false)),
        ("byte-level", byte_level(false, Value::Null).codec(), "Все ☃\n\n  x", (0, 0, false)),
        ("no unknown token", small().codec(), "ab xy.", (0, 0, false)),
        ("no unknown token, first", small().codec(), "Эxy", (1, 0, true)),
        ("no unknown token, within a merge", small().codec(), "xaЭb", (1, 0, true)),
        ("no unknown token, last", small().codec(), "xyЭЖ", (2, 0, true)),
        ("no unknown token, a space", plain("ab", &[]).codec(), "a bb", (1, 0, true)),
        ("nothing left", small().codec(), "ЭЖ", (2, 0, true)),
        ("byte fallback", llama().codec(), "walking Э ☃", (0, 0, false)),
        ("digits deleted", byte_level(false, without_digits.clone()).codec(), "a1b2 33", (4, 0, true)),
        (
            "digits deleted within a token",
            Parts { normalizer: without_digits, ..small() }.codec(),
            "xa11b",
            (2, 0, true),
        ),
        (
            "dashes removed",
            Parts { pre_tokenizer: removing, ..byte_level(false, Value::Null) }.codec(),
            "a-b",
            (1, 0, true),
        ),
        ("spaces deleted", fused.codec(), "ab xy ab", (2, 0, true)),
        ("lower case and accents", byte_level(false, accents).codec(), "É e\u{301} Ü", (0, 0, true)),
        ("compatibility forms", byte_level(false, json!({ "type": "NFKC" })).codec(), "ﬁ ℌ ①", (0, 0, true)),
        ("composed accents", nfc.clone(), "e\u{301} \u{1112}\u{1161}\u{11AB}", (0, 0, true)),
        ("normal already", nfc, "né ☃ 한", (0, 0, false)),
        ("BERT", bert().codec(), "walking in the man", (0, 0, false)),
        ("BERT, case and white space", bert().codec(), "Wálking  in\n\nthe man\n", (0, 0, true)),
        ("BERT, unknown words", bert().codec(), "the ☃ жук, man", (0, 4, true)),
        ("BERT, control characters", bert().codec(), "the\u{0} m\u{200B}an", (2, 0, true)),
        ("BERT, a word too long", bert().codec(), &long, (0, 101, true)),
        ("words", bare.codec(), "one two one", (0, 0, false)),
        ("unknown words", bare.codec(), "one four two", (0, 4, true)),
        ("Metaspace", metaspace().codec(), "walking the man", (0, 0, false)),
        ("Metaspace, a letter missing", metaspace().codec(), "wife's", (1, 0, true)),
        ("Metaspace, the first letter missing", metaspace().codec(), "Жук the", (3, 0, true)),
        ("Unigram, the first letter unknown", unigram("<unk>", Some(0)).codec(), "Жук the", (0, 3, true)),
        ("Unigram", unigram("<unk>", Some(0)).codec(), "walking the", (0, 0, false)),
        ("Unigram, unknown under another name", unigram("<what>", Some(0)).codec(), "the ☃☃ x", (0, 3, true)),
    ] {
        assert_eq!(measured(&codec, text), expected, "{name}: {text:?}");
    }
}

#[test]
fn a_tokenizer_without_its_unknown_token_is_named_with_the_cure() {
    let mut model = plain("ab", &[]).json();
    model["model"]["unk_token"] = json!("<unk>");
    for json in [model, words(&["one"]).json(), unigram("<none>", None).json(), {
        let mut json = bert().json();
        json["model"]["vocab"] = vocab(["a"]);
        json
    }] {
        let error = load(&json.to_string()).unwrap().encode("ж ☃").unwrap_err().to_string();
        assert!(error.contains("foreign.json") && error.contains("add the unknown token"), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

/// Prepares a text under a new name, `lines` of it.
fn prepared(folder: &Path, text: &str, codec: &TextCodec, max_lost: f64) -> Result<TokenData, TextError> {
    let path = folder.join(format!("{}.txt", blake3::hash(text.as_bytes())));
    std::fs::write(&path, text).unwrap();
    let corpus = Corpus::open(&CorpusConfig::new([path])).unwrap();
    let config = PrepareConfig { validation_fraction: 0.2, max_lost, ..PrepareConfig::default() };
    prepare(&config, &corpus, codec, &folder.join("cache"), &mut |_| {})
}

#[test]
fn a_corpus_that_the_tokenizer_cannot_express_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let codec = plain("abxy .", &[]).codec();
    let usual = PrepareConfig::default().max_lost;
    // Twice: the second finds the tokens prepared.
    for _ in 0..2 {
        let error = prepared(at, &"Все xy. ".repeat(200), &codec, usual).unwrap_err().to_string();
        assert!(error.contains("600 have no token (37.50 %)") && error.contains("data.prepare.max_lost"), "{error}");
    }
    let data = prepared(at, &"Все xy. ".repeat(200), &codec, 0.5).unwrap();
    let [mut all, validation] = coverage(&data, &codec).unwrap();
    all += validation;
    assert_eq!((all.characters, all.lost, all.unknown), (1600, 600, 0));
    assert!(!validation.is_complete());

    let error = prepared(at, &"Все".repeat(200), &codec, 1.0).unwrap_err().to_string();
    assert!(error.contains("no token for any of the corpus, 1200 bytes"), "{error}");
    let error = prepared(at, "xy", &codec, -0.5).unwrap_err().to_string();
    assert!(error.contains("data.prepare.max_lost"), "{error}");
    assert!(matches!(prepared(at, "", &codec, 1.0), Err(TextError::EmptyCorpus { .. })));

    let unknown = prepared(at, &"one four ".repeat(200), &words(&["<unk>", "one"]).codec(), usual).unwrap_err();
    assert!(unknown.to_string().contains("800 are unknown (44.44 %)"), "{unknown}");
}

#[test]
fn tokens_that_were_prepared_before_they_were_measured_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let codec =
        TextCodec::train(&TokenizerConfig::Characters { max_characters: Some(3) }, [Ok("abc".to_owned())]).unwrap();
    let text = "abcd".repeat(100);
    let first = prepared(folder.path(), &text, &codec, 1.0).unwrap();
    let expected = coverage(&first, &codec).unwrap();
    assert_eq!(expected[0].unknown + expected[1].unknown, 100);
    std::fs::remove_file(first.folder().join("coverage.json")).unwrap();
    let second = prepared(folder.path(), &text, &codec, 1.0).unwrap();
    assert_eq!((second.folder(), coverage(&second, &codec).unwrap()), (first.folder(), expected));
    assert!(prepared(folder.path(), &text, &codec, 0.2).is_err());
}
