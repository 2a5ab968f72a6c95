//! Small tokenizer files of every make, for the tests.

use glauber_text::TextCodec;
use serde_json::{Value, json};

/// The parts of a `tokenizer.json`; what is null is left out.
pub struct Parts {
    pub normalizer: Value,
    pub pre_tokenizer: Value,
    pub decoder: Value,
    pub model: Value,
}

impl Parts {
    pub fn json(&self) -> Value {
        json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": self.normalizer,
            "pre_tokenizer": self.pre_tokenizer, "post_processor": null, "decoder": self.decoder, "model": self.model,
        })
    }

    pub fn codec(&self) -> TextCodec {
        load(&self.json().to_string()).unwrap()
    }
}

/// Loads the content of a file.
pub fn load(content: &str) -> Result<TextCodec, glauber_text::TextError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("foreign.json");
    std::fs::write(&path, content).unwrap();
    TextCodec::load(&path)
}

/// Names in the order of their ids.
pub fn vocab<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Value {
    names
        .into_iter()
        .enumerate()
        .map(|(id, name)| (name.as_ref().to_owned(), json!(id)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A byte-pair encoding of single characters and what merges make of them.
pub fn bpe(characters: &str, merges: &[[&str; 2]]) -> Value {
    let mut names: Vec<String> = characters.chars().map(String::from).collect();
    names.extend(merges.iter().map(|pair| pair.concat()));
    json!({ "type": "BPE", "vocab": vocab(names), "merges": merges, "dropout": null, "unk_token": null,
        "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false })
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?-\n";

/// Merges within English words, those with the mark of a space first.
fn english(space: &'static str) -> Vec<[String; 2]> {
    let marked = ["t", "a", "s", "m", "w"].map(|letter| [space.to_owned(), letter.to_owned()]);
    let plain = [["i", "n"], ["in", "g"], ["t", "h"], ["th", "e"], ["a", "l"], ["e", "r"], ["o", "u"], ["o", "n"]];
    let more = [[format!("{space}w"), "al".to_owned()], [format!("{space}wal"), "k".to_owned()]];
    let plain = plain.map(|pair| pair.map(str::to_owned));
    marked.into_iter().chain(plain).chain(more).collect()
}

fn with_merges(characters: &str, merges: &[[String; 2]]) -> Value {
    let merges: Vec<[&str; 2]> = merges.iter().map(|pair| [pair[0].as_str(), pair[1].as_str()]).collect();
    bpe(characters, &merges)
}

/// The letters that stand for bytes.
fn byte_letters() -> String {
    let mut letters: Vec<char> = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet().into_iter().collect();
    letters.sort_unstable();
    letters.into_iter().collect()
}

/// Byte-level, with or without a space put before the text.
pub fn byte_level(add_prefix_space: bool, normalizer: Value) -> Parts {
    Parts {
        normalizer,
        pre_tokenizer: json!({ "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": true, "use_regex": true }),
        decoder: json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true }),
        model: with_merges(&byte_letters(), &english("Ġ")),
    }
}

/// As Llama's: a space put before the text by the normaliser and stripped by the decoder, the text
/// one word, bytes for what is unknown.
pub fn llama() -> Parts {
    let bytes = (0..=255).map(|byte| format!("<0x{byte:02X}>"));
    let merges = english("▁");
    let letters = format!("▁{LETTERS}");
    let names = bytes.chain(letters.chars().map(String::from)).chain(merges.iter().map(|pair| pair.concat()));
    let mut model = json!({ "type": "BPE", "vocab": vocab(names), "merges": merges });
    model["byte_fallback"] = json!(true);
    Parts {
        normalizer: json!({ "type": "Sequence", "normalizers": [
            { "type": "Prepend", "prepend": "▁" }, { "type": "Replace", "pattern": { "String": " " }, "content": "▁" }] }),
        pre_tokenizer: Value::Null,
        decoder: json!({ "type": "Sequence", "decoders": [
            { "type": "Replace", "pattern": { "String": "▁" }, "content": " " }, { "type": "ByteFallback" }, { "type": "Fuse" },
            { "type": "Strip", "content": " ", "start": 1, "stop": 0 }] }),
        model,
    }
}

/// Words that carry a mark for the space before them, and no unknown token.
pub fn metaspace() -> Parts {
    let mark = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true });
    Parts {
        normalizer: Value::Null,
        pre_tokenizer: mark.clone(),
        decoder: mark,
        model: with_merges(&format!("▁{LETTERS}"), &english("▁")),
    }
}

/// As BERT's: lower case, no accents, parts of words marked, spaces left out.
pub fn bert() -> Parts {
    let letters: Vec<String> = "abcdefghijklmnopqrstuvwxyz0123456789".chars().map(String::from).collect();
    let words = ["[UNK]", "walk", "##ing", "##er", "the", "man", "in", "sat", ".", ",", "!", "?", ";", ":", "-", "'"];
    let names = words.iter().map(|&word| word.to_owned());
    let names = names.chain(letters.iter().cloned()).chain(letters.iter().map(|letter| format!("##{letter}")));
    Parts {
        normalizer: json!({ "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": true }),
        pre_tokenizer: json!({ "type": "BertPreTokenizer" }),
        decoder: json!({ "type": "WordPiece", "prefix": "##", "cleanup": true }),
        model: json!({ "type": "WordPiece", "vocab": vocab(names), "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100 }),
    }
}

/// Whole words, the others unknown.
pub fn words(names: &[&str]) -> Parts {
    Parts {
        normalizer: Value::Null,
        pre_tokenizer: json!({ "type": "Whitespace" }),
        decoder: Value::Null,
        model: json!({ "type": "WordLevel", "vocab": vocab(names), "unk_token": "<unk>" }),
    }
}

/// Pieces with scores; the unknown token is called `name` and may be missing.
pub fn unigram(name: &str, unknown: Option<usize>) -> Parts {
    let mut pieces = vec![(name.to_owned(), 0.0)];
    pieces.extend(format!("▁{LETTERS}").chars().map(|letter| (letter.to_string(), -4.0)));
    pieces.extend(["▁walk", "ing", "▁the"].map(|piece| (piece.to_owned(), -5.0)));
    Parts {
        model: json!({ "type": "Unigram", "unk_id": unknown, "vocab": pieces, "byte_fallback": false }),
        ..metaspace()
    }
}

/// Characters and nothing else: no cutting, no decoder, no unknown token.
pub fn plain(characters: &str, merges: &[[&str; 2]]) -> Parts {
    Parts { normalizer: Value::Null, pre_tokenizer: Value::Null, decoder: Value::Null, model: bpe(characters, merges) }
}

/// All of them that encode English, by name.
pub fn all() -> Vec<(&'static str, TextCodec)> {
    let nfkc = json!({ "type": "NFKC" });
    vec![
        ("byte-level", byte_level(false, Value::Null).codec()),
        ("byte-level with NFKC", byte_level(false, nfkc).codec()),
        ("byte-level with a space before", byte_level(true, Value::Null).codec()),
        ("Llama", llama().codec()),
        ("Metaspace", metaspace().codec()),
        ("Unigram", unigram("<unk>", Some(0)).codec()),
        ("BERT", bert().codec()),
        ("words", words(&["<unk>", "walk", "the", "man"]).codec()),
        ("characters", plain(&format!(" {LETTERS}x"), &[["t", "h"], ["th", "e"], ["e", " "]]).codec()),
    ]
}
