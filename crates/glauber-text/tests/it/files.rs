//! Tokenizer files that are marked, damaged or made by hand.

use std::path::PathBuf;

use glauber_text::{TextCodec, TokenizerConfig};
use glauber_tokens::Codec;
use serde_json::{Value, json};

use crate::foreign::{bert, byte_level, load, plain, unigram, words};

fn refusal(content: &str) -> String {
    let error = load(content).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let marked = |name: &str, content: &str| std::fs::write(at(name), format!("\u{FEFF}{content}")).unwrap();
    let characters = TextCodec::train(&TokenizerConfig::Characters { max_characters: None }, [Ok("abc".to_owned())]);
    let own = TextCodec::train(&TokenizerConfig::Bpe { vocab_size: 260 }, [Ok("aa aa".to_owned())]).unwrap();
    for codec in [TextCodec::bytes(), characters.unwrap(), own, byte_level(true, Value::Null).codec()] {
        codec.save(&at("plain.json")).unwrap();
        marked("marked.json", &std::fs::read_to_string(at("plain.json")).unwrap());
        assert_eq!(TextCodec::load(&at("marked.json")).unwrap().fingerprint(), codec.fingerprint());
    }

    let gpt2 = |vocab: &str, merges: &str| {
        TextCodec::train(&TokenizerConfig::Gpt2 { vocab: at(vocab), merges: at(merges) }, [])
    };
    let mut vocab = byte_level(false, Value::Null).model["vocab"].clone();
    vocab["<|endoftext|>"] = json!(vocab.as_object().unwrap().len());
    std::fs::write(at("vocab.json"), vocab.to_string()).unwrap();
    marked("marked-vocab.json", &vocab.to_string());
    for header in ["#version: 0.2\n", ""] {
        let merges = format!("{header}i n\r\nin g\n\n");
        std::fs::write(at("merges.txt"), &merges).unwrap();
        marked("marked-merges.txt", &merges);
        let expected = gpt2("vocab.json", "merges.txt").unwrap();
        assert_eq!(expected.encode("ing").unwrap().len(), 1);
        assert_eq!(gpt2("marked-vocab.json", "marked-merges.txt").unwrap().fingerprint(), expected.fingerprint());
    }
    for (merges, names) in
        [("i n g", "line 1 is \"i n g\""), ("i n\nq ing", "merge of \"q\" and \"ing\""), ("é ☃", "vocabulary lacks")]
    {
        std::fs::write(at("wrong.txt"), merges).unwrap();
        let error = gpt2("vocab.json", "wrong.txt").unwrap_err().to_string();
        assert!(error.contains("wrong.txt") && error.contains(names), "{error}");
    }
    for (token, id, names) in
        [("i", json!(4_294_967_290_u32), "4294967290"), ("i", json!(-3), "-3"), ("new", json!(5), "share the id 5")]
    {
        let mut vocab = vocab.clone();
        vocab[token] = id;
        std::fs::write(at("wrong.json"), vocab.to_string()).unwrap();
        let error = gpt2("wrong.json", "merges.txt").unwrap_err().to_string();
        assert!(error.contains("wrong.json") && error.contains(names), "{error}");
    }
    let absent = TokenizerConfig::Gpt2 { vocab: at("vocab.json"), merges: PathBuf::from("no/merges.txt") };
    assert!(TextCodec::train(&absent, []).unwrap_err().to_string().contains("no/merges.txt"));
}

#[test]
fn ids_are_not_believed() {
    for (model, token) in [(plain("abc", &[]), "b"), (words(&["<unk>", "one", "two"]), "two"), (bert(), "man")] {
        for (id, names) in [
            (json!(4_294_967_290_u32), "has the id 4294967290 in a vocabulary of"),
            (json!(10_000_000), "10000000"),
            (json!(4_294_967_296_u64), "expected a number from 0"),
            (json!(-1), "has the id -1"),
            (json!(2.5), "has the id 2.5"),
            (json!("2"), "has the id \"2\""),
            (json!(null), "has the id null"),
            (json!(0), "share the id 0"),
        ] {
            let mut json = model.json();
            json["model"]["vocab"][token] = id;
            let error = refusal(&json.to_string());
            assert!(error.contains("foreign.json") && error.contains(token) && error.contains(names), "{error}");
        }
    }
    let twice = plain("ab", &[]).json().to_string().replace("\"a\":0", "\"a\":0,\"a\":7");
    assert!(refusal(&twice).contains("\"a\" stands twice"));

    // Holes that a vocabulary may have.
    let mut json = words(&["<unk>", "one"]).json();
    json["model"]["vocab"]["two"] = json!(1000);
    for (name, id) in [("<s>", 500), ("</s>", 4_294_967_290_u32)] {
        let added = json!({ "id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            "special": true });
        json["added_tokens"].as_array_mut().unwrap().push(added);
    }
    let codec = load(&json.to_string()).unwrap();
    assert_eq!((codec.vocab_size(), codec.encode("one two").unwrap()), (1001, vec![1, 1000]));
    assert!(codec.end_of_text() < 1000);
}

#[test]
fn merges_of_what_the_vocabulary_lacks_are_refused() {
    for merge in [json!(["a", "b"]), json!(["a", "x"]), json!("b a"), json!(["aaaaaaaa", "b"])] {
        let mut json = plain("ab", &[]).json();
        json["model"]["merges"] = json!([merge]);
        assert!(refusal(&json.to_string()).contains("the vocabulary lacks one"), "{merge}");
    }
}

/// A word of a megabyte: moving its rest at every merge, and comparing all of it at every token,
/// would take minutes.
#[test]
fn a_very_long_word_is_learned_from_and_encoded() {
    let letters = (0..1u32 << 20).map(|n| ['a', 'b', 'e', 't'][(n.wrapping_mul(2_654_435_761) >> 13 & 3) as usize]);
    let genome: String = letters.collect();
    let own = TextCodec::train(&TokenizerConfig::Bpe { vocab_size: 300 }, [Ok(genome.clone())]).unwrap();
    assert_eq!(own.vocab_size(), 300);
    assert!(own.encode(&genome).unwrap().len() < genome.len() / 2);
    assert_eq!(plain("abet", &[["a", "b"]]).codec().measure(&genome).unwrap().1.lost, 0);
    for codec in [byte_level(true, Value::Null).codec(), bert().codec(), unigram("<unk>", Some(0)).codec()] {
        let (tokens, coverage) = codec.measure(&genome[..1 << 17]).unwrap();
        assert!(!tokens.is_empty() && coverage.lost == 0);
    }
}

#[test]
fn the_merges_of_a_text_are_the_same_as_ever() {
    // Pinned: these are the tokens of runs that exist.
    let text = "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife. ";
    let texts = [text.repeat(3), "aaaa aaaaa abab".to_owned()];
    let codec = TextCodec::train(&TokenizerConfig::Bpe { vocab_size: 320 }, texts.map(Ok)).unwrap();
    assert_eq!(codec.fingerprint(), "ef65f55a107ea5d2e5853af41e921f04f9891aa20d01604864d36025877afb7e");
}
