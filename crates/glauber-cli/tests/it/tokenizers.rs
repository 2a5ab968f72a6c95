//! Tokenizers that cannot express all of a text: what `train`, `eval`, `infill` and `tokenize` say
//! of them.

use std::fs;
use std::path::Path;

use crate::program::{mistake, run};

/// Standard output of a command that succeeds.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Characters of English without an unknown token, behind a space that is put before each text.
fn tokenizer(folder: &Path) {
    let names = "▁abcdefghijklmnopqrstuvwyzIT.\n".chars().enumerate();
    let vocab: Vec<String> = names.map(|(id, name)| format!("{}: {id}", serde_json::json!(name))).collect();
    let mark = r#"{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}"#;
    let json = format!(
        r#"{{"version": "1.0", "added_tokens": [], "pre_tokenizer": {mark}, "decoder": {mark},
        "model": {{"type": "BPE", "vocab": {{{}}}, "merges": []}}}}"#,
        vocab.join(", ")
    );
    fs::write(folder.join("plain.json"), json).expect("a file");
}

#[test]
fn what_a_tokenizer_cannot_express_is_told_and_not_counted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    tokenizer(at);
    fs::write(at.join("russian.txt"), "Все счастливые семьи похожи. ".repeat(100)).expect("a file");
    fs::write(at.join("mixed.txt"), "It is a truth universally acknowledged. Жук \n\n".repeat(100)).expect("a file");
    fs::write(at.join("english.txt"), "It is a truth universally acknowledged. ".repeat(100)).expect("a file");
    fs::write(at.join("none.txt"), "Жук".repeat(100)).expect("a file");
    let sizes = "--length 32 --sweeps 2 --batch 4 --steps 1 --cache cache --set model.width=16 --set model.layers=1 \
                 --set model.heads=2 --set model.condition_width=8 --set train.validation_sequences=4 --tokenizer plain.json";
    let sizes: Vec<&str> = sizes.split_whitespace().collect();
    let train = |data: &'static str| [&["train", "text", "--run", "run", "--data", data], &sizes[..]].concat();

    mistake(at, &train("russian.txt"), &["cannot express", "(82.76 %)", "data.prepare.max_lost"]);
    mistake(at, &train("none.txt"), &["have no token (100.00 %)"]);
    assert!(!at.join("run").exists());
    let trained = said(at, &train("mixed.txt"));
    assert_eq!(trained.matches("the tokenizer cannot express all of the text").count(), 1, "{trained}");
    assert!(trained.contains("300 have no token (6.52 %)"), "{trained}");

    let few = ["--sequences", "2", "--draws", "1", "--cache", "cache"];
    let eval = |more: &[&str]| said(at, &[&["eval", "--run", "run"], &few[..], more].concat());
    let withheld = eval(&[]);
    assert!(
        withheld.contains("bits per token") && withheld.contains("no bits per character: the tokens"),
        "{withheld}"
    );
    assert!(eval(&["--data", "russian.txt"]).contains("have no token"));
    let printed = eval(&["--data", "english.txt"]);
    assert!(!printed.contains("no bits per character"), "{printed}");
    assert!(eval(&["--data", "mixed.txt", "--json"]).contains("no_bits_per_character"));

    let infill = |text| run(at, &["infill", "--run", "run", "-n", "1", text]);
    let output = infill("truth's Жук walk{1}ing in");
    let infilled = String::from_utf8_lossy(&output.stdout);
    assert!(infilled.contains("truth's Жук walk⟦") && infilled.contains("⟧ing in"), "{infilled}");
    let remarks = String::from_utf8_lossy(&output.stderr);
    assert!(remarks.contains("do not stand for all of the known text: of 22 characters 4 have no token"), "{remarks}");
    assert!(!String::from_utf8_lossy(&infill("a walk{1}ing in").stderr).contains("known text"));
}

#[test]
fn tokenize_tells_what_is_lost_and_colours_nothing_in_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    tokenizer(at);
    let shown = said(at, &["tokenize", "--tokenizer", "plain.json", "--text", "truth's"]);
    assert!(
        shown.contains("of 7 characters 1 have no token (14.29 %)") && shown.contains("decoded: truths"),
        "{shown}"
    );
    fs::write(at.join("a.txt"), "a").expect("a file");
    mistake(at, &["tokenize", "--tokenizer", "plain.json", "--text", "a", "--data", "a.txt"], &["--data", "no effect"]);
    let whole = said(at, &["tokenize", "--tokenizer", "plain.json", "--text", "truths"]);
    assert!(!whole.contains("no token"), "{whole}");

    // A library warns of the hole.
    let json = fs::read_to_string(at.join("plain.json")).expect("a file").replace("\"a\": 1,", "\"a\": 99,");
    fs::write(at.join("hole.json"), json).expect("a file");
    for (flags, warned) in [
        (&["tokenize", "--tokenizer", "hole.json", "--text", "a"][..], false),
        (&["-v", "tokenize", "--tokenizer", "hole.json", "--text", "a"], true),
    ] {
        let output = run(at, flags);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && log.contains("WARN") == warned && !log.contains('\u{1b}'), "{log}");
    }
}
