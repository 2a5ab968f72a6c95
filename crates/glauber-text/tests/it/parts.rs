//! Parts of a text are encoded as the whole is: passages of a long file, and what stands around
//! gaps.

use glauber_text::{
    Corpus, CorpusConfig, DocumentSplit, Layout, Piece, PrepareConfig, Template, TextCodec, TokenStream,
    TokenizerConfig, prepare,
};
use glauber_tokens::{Codec, Token};
use serde_json::Value;

use crate::foreign::{all, bert, byte_level, llama, metaspace, plain, unigram, words};

fn tokens(stream: &TokenStream) -> Vec<Token> {
    let mut tokens = vec![0; stream.tokens()];
    stream.window(0, &mut tokens);
    tokens
}

/// Chapters with blank lines between them, then one line that is cut in the middle of words.
fn book() -> String {
    let chapter = |n: usize| format!("{n}. the man walking on the mall\nsat in the other mall, {}.\n\n", n * 7 % 31);
    let line = |n: usize| format!("the walker{} sat  thinking on {n} ", "s".repeat(n % 7));
    (0..300).map(chapter).chain((0..2300).map(line)).collect()
}

#[test]
fn passages_have_the_tokens_of_the_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.txt");
    let text = book();
    std::fs::write(&path, &text).unwrap();
    let own = TextCodec::train(&TokenizerConfig::Bpe { vocab_size: 300 }, [Ok(text.clone())]).unwrap();
    let config = PrepareConfig { validation_fraction: 0.0, max_lost: 1.0, ..PrepareConfig::default() };
    let codecs = all().into_iter().chain([("bytes", TextCodec::bytes()), ("own", own)]);
    for (name, codec) in codecs {
        for split_documents in [DocumentSplit::WholeFile, DocumentSplit::Lines] {
            let corpus = Corpus::open(&CorpusConfig { split_documents, ..CorpusConfig::new([&path]) }).unwrap();
            let passages: Vec<_> = corpus.documents().collect::<Result<_, _>>().unwrap();
            assert!(passages.iter().any(|passage| passage.continues), "there are seams");
            let cut_as_ever = matches!(name, "bytes" | "own" | "byte-level" | "byte-level with NFKC");
            let mut expected = Vec::new();
            if split_documents == DocumentSplit::WholeFile && !cut_as_ever {
                expected = codec.encode(&text).unwrap();
            } else {
                let mut document = String::new();
                for (at, passage) in passages.iter().enumerate() {
                    if !passage.continues && at > 0 {
                        expected.push(codec.end_of_text());
                    }
                    document.push_str(&passage.text);
                    let ends = passages.get(at + 1).is_none_or(|next| !next.continues);
                    if cut_as_ever || ends {
                        expected.extend(codec.encode(&document).unwrap());
                        document.clear();
                    }
                }
            }
            let data = prepare(&config, &corpus, &codec, &folder.path().join("cache"), &mut |_| {}).unwrap();
            let found = tokens(data.train());
            let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
            assert_eq!((found.len(), differs), (expected.len(), None), "{name}, {split_documents:?}");
        }
    }
}

#[test]
fn what_validation_takes_out_is_not_read_by_its_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("book.txt");
    std::fs::write(&path, book()).unwrap();
    let codec = byte_level(true, Value::Null).codec();
    let corpus = Corpus::open(&CorpusConfig::new([&path])).unwrap();
    let config = PrepareConfig { validation_fraction: 0.5, ..PrepareConfig::default() };
    let data = prepare(&config, &corpus, &codec, folder.path(), &mut |_| {}).unwrap();
    assert!(data.train().documents() + data.validation().documents() > 2, "a document is cut");
    for stream in [data.train(), data.validation()] {
        let length: usize = (0..stream.documents())
            .map(|at| codec.decode(&tokens(stream)[stream.document(at)]).unwrap().chars().count())
            .sum();
        // Each stretch begins like a text, with a space.
        assert_eq!(length, stream.characters() as usize + stream.documents());
    }
}

/// A template with the generated tokens in its gaps, and what is shown.
fn shown(codec: &TextCodec, template: &str, generated: &[&str]) -> String {
    let layout = Template::parse(template, codec).unwrap().layout(1, 60, codec).unwrap();
    let mut finished = layout.tokens.clone();
    let gaps = (0..layout.end).filter(|&site| !layout.clamp[site]);
    let token = |name: &str| {
        (0..codec.vocab_size() as Token)
            .find(|&token| serde_json::from_str::<Value>(&saved(codec)).unwrap()["model"]["vocab"][name] == token)
            .unwrap_or_else(|| panic!("no token {name}"))
    };
    gaps.zip(generated).for_each(|(site, name)| finished[site] = token(name));
    layout.render(codec, &finished, "[", "]").unwrap()
}

fn saved(codec: &TextCodec) -> String {
    let folder = tempfile::tempdir().unwrap();
    codec.save(&folder.path().join("t.json")).unwrap();
    std::fs::read_to_string(folder.path().join("t.json")).unwrap()
}

#[test]
fn known_text_is_shown_as_it_was_written_and_gaps_as_they_read() {
    let prefix = byte_level(true, Value::Null).codec();
    let bare = words(&["<unk>", "walk", "the", "man"]).codec();
    for (codec, template, generated, expected) in [
        (&prefix, "walk{1}ing in", &["m"][..], "walk[m]ing in"),
        (&prefix, "walk{1}ing in", &["Ġm"], "walk[ m]ing in"),
        (&prefix, "The ____ sat", &["Ġm"], "The[ m] sat"),
        (&prefix, "{1}ing", &["Ġwalk"], "[ walk]ing"),
        (&llama().codec(), "walk{1}ing in", &["ing"], "walk[ing]ing in"),
        (&llama().codec(), "a ____ man", &["▁walk"], "a[ walk] man"),
        (&llama().codec(), "{1}ing Жx", &["▁walk"], "[walk]ing Жx"),
        (&metaspace().codec(), "a ____ man's wife's", &["▁walk"], "a[ walk] man's wife's"),
        (&metaspace().codec(), "the{2}", &["▁", "m"], "the[ m]"),
        (&bert().codec(), "The Wáll{1}  sat\tin ☃____.", &["##ing", "man"], "The Wáll[ing]  sat\tin ☃[ man]."),
        (&bert().codec(), "____ ____ walk{1}", &["the", "man", "##er"], "[the man] walk[er]"),
        (&bare, "One ____, two", &["walk"], "One[ walk], two"),
        (&plain("abc", &[]).codec(), "ab жc____ c", &["b"], "ab жc[ b] c"),
    ] {
        assert_eq!(shown(codec, template, generated), expected, "{template}");
    }
}

#[test]
fn known_text_has_the_tokens_of_the_whole_text() {
    for (name, codec) in all() {
        for (before, gap, after) in [
            ("the man", " walking", " in the mall"),
            ("the walk", "ing", ""),
            ("", "walking", " the man"),
            ("walk", " on", ", the man sat.\n"),
            ("the man's ", "walking", " walker's"),
        ] {
            if name == "words" && gap == "ing" {
                // One word, unknown as a whole.
                continue;
            }
            let template = format!("{before}____{after}");
            let found = Template::parse(&template, &codec).unwrap();
            let known = found.pieces.iter().filter_map(|piece| match piece {
                Piece::Known { tokens, .. } => Some(tokens.as_slice()),
                Piece::Gap(_) => None,
            });
            let known: Vec<&[Token]> = known.collect();
            let whole = codec.encode(&format!("{}{gap}{after}", before.trim_end())).unwrap();
            let first = if before.is_empty() { &[][..] } else { known[0] };
            let last = if after.is_empty() { &[][..] } else { known[known.len() - 1] };
            assert!(whole.starts_with(first) && whole.ends_with(last), "{name}, {template:?}: {known:?} of {whole:?}");
            assert!(!first.is_empty() || before.is_empty(), "{name}, {template:?}");
        }
    }
}

#[test]
fn parts_of_words_have_the_tokens_of_parts() {
    let last = |codec: &TextCodec, template: &str| {
        let pieces = Template::parse(template, codec).unwrap().pieces;
        let Some(Piece::Known { tokens, .. }) = pieces.last() else { panic!("{pieces:?}") };
        tokens.iter().map(|&token| codec.token_text(token)).collect::<Vec<_>>()
    };
    assert_eq!(last(&byte_level(true, Value::Null).codec(), "walk{1}ing in"), ["ing", " ", "in"]);
    assert_eq!(last(&byte_level(false, Value::Null).codec(), "walk{1}ing in"), ["ing", " ", "in"]);
    assert_eq!(last(&metaspace().codec(), "walk{1}ing")[0], "ing");
    assert_eq!(last(&llama().codec(), "walk{1}ing")[0], "ing");
    assert_eq!(last(&unigram("<unk>", Some(0)).codec(), "walk{1}ing the").len(), 2);
    assert_eq!(last(&bert().codec(), "walk{1}ing in"), ["##ing", "in"]);
    assert_eq!(last(&bert().codec(), "walk {1} in"), ["in"]);
    // Without an unknown token.
    assert_eq!(last(&words(&["walk", "the"]).codec(), "walk {1} the"), ["the"]);
    assert_eq!(last(&unigram("<none>", None).codec(), "walk{1}ing the").len(), 2);
    assert!(Template::parse("{1} ☃", &words(&["walk"]).codec()).is_err());
}

#[test]
fn a_layout_around_a_gap_of_a_sequence_shows_its_text() {
    for (name, codec) in all() {
        let text = "the man walking in";
        let tokens = codec.encode(text).unwrap();
        let whole = codec.decode(&tokens).unwrap();
        let gap = tokens.len() / 2..tokens.len() / 2 + 1;
        let layout = Layout::around(&codec, tokens.clone(), gap).unwrap();
        assert_eq!(layout.render(&codec, &tokens, "", "").unwrap(), whole, "{name}");
    }
}
