//! Corpora as flags name them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::program::glauber;

/// Learns a vocabulary of characters from a corpus; what is written to the program's input comes through a pipe.
fn learn(folder: &Path, flags: &[&str]) -> Output {
    let tokenizer: &[&str] = if flags.contains(&"--tokenizer") { &[] } else { &["--tokenizer", "characters"] };
    let mut program = glauber(["tokenize", "--out", "t.json", "--overwrite"])
        .args(tokenizer)
        .args(flags)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // Refused before it is read, perhaps.
    let _ = program.stdin.take().expect("a pipe").write_all(b"some text");
    program.wait_with_output().expect("the program ends")
}

#[test]
fn files_are_read_by_content_and_flags_have_an_effect_or_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    fs::create_dir(at.join("folder")).expect("a folder");
    for (name, text) in [
        ("a.json", "[{\"body\": \"abc\"}]"),
        ("a.csv", "n,body\n1,abc\n"),
        ("a", "{\"body\": \"abc\"}\n"),
        ("a.txt", "abc"),
        ("wide.txt", "a\0b\0c\0 \0"),
        ("folder/a.txt", "abc"),
        ("folder/b.json", "{}"),
    ] {
        fs::write(at.join(name), text).expect("a file");
    }
    for name in ["a.json", "a.csv", "a"] {
        let output = learn(at, &["--data", name, "--column", "body"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // Three letters and the end of text.
        assert!(said.contains("vocabulary: 4 tokens"), "{name}: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    let output = learn(at, &["--data", "folder"]);
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stderr).contains("passed over in folders: 1 .json")
    );

    let refused = |flags: &[&str], parts: &[&str]| {
        let output = learn(at, flags);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{flags:?}: no `{part}` in: {said}");
        }
        said
    };
    let one_line = |flags: &[&str], parts: &[&str]| assert_eq!(refused(flags, parts).trim().lines().count(), 1);
    one_line(&["--data", "a.txt", "--column", "body"], &["a.txt", "--column", "plain text"]);
    one_line(&["--data", "a", "--column", "text"], &["--column", "JSON object"]);
    let doubtful = learn(at, &["--data", "a", "--data", "a.csv", "--column", "n"]);
    let said = String::from_utf8_lossy(&doubtful.stderr).into_owned();
    assert!(doubtful.status.success() && said.contains("1 file(s) that begin with a JSON object"), "{said}");
    one_line(&["--data", "a.csv"], &["\"text\"", "n, body", "--column"]);
    one_line(&["--data", "wide.txt"], &["wide.txt", "UTF-16LE"]);
    refused(&["--column", "body"], &["--data"]);
    #[cfg(unix)]
    {
        one_line(&["--data", "/dev/stdin"], &["/dev/stdin", "a pipe", "regular file"]);
        one_line(&["--data", "a.txt", "--tokenizer", "/dev/stdin"], &["--tokenizer", "a pipe"]);
    }
}

#[test]
fn a_file_that_is_read_through_a_link_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    fs::create_dir(at.join("folder")).expect("a folder");
    fs::write(at.join("book.txt"), "abc").expect("a file");
    fs::hard_link(at.join("book.txt"), at.join("folder/book.txt")).expect("a link");
    let words = ["tokenize", "--data", "folder", "--tokenizer", "characters", "--out", "book.txt", "--overwrite"];
    let output = glauber(words).current_dir(at).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("that is the file of `--data`"), "{said}");
    assert_eq!(fs::read(at.join("book.txt")).expect("the file"), b"abc");
}

#[test]
fn an_expression_that_gives_up_is_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let split = r#"{"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": false}"#;
    let model = r#"{"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1}, "unk_token": "[UNK]"}"#;
    let file = format!(
        r#"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
            "pre_tokenizer": {split}, "post_processor": null, "decoder": null, "model": {model}}}"#
    );
    fs::write(at.join("t.json"), file).expect("a file");
    let text = format!("{}b", "a".repeat(40));
    let words = ["tokenize", "--tokenizer", "t.json", "--text", &text];
    let output = glauber(words).current_dir(at).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("fails on a text"), "{said}");
}
