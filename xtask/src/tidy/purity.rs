//! Libraries do not print, read the environment or the clock, choose a device, or leave work undone.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::files::shown;
use super::graph::Graph;

/// What the code of a library must not say, and why.
const FORBIDDEN: [(&str, &str); 13] = [
    ("println!", "a library does not print"),
    ("eprintln!", "a library does not print"),
    ("print!", "a library does not print"),
    ("eprint!", "a library does not print"),
    ("dbg!", "a library does not print"),
    ("std::env", "a library does not read the environment"),
    ("env::var", "a library does not read the environment"),
    ("env::args", "a library does not read the environment"),
    ("Instant::now", "time comes in as an argument"),
    ("SystemTime", "time comes in as an argument"),
    ("Device::default()", "the device is an argument"),
    ("todo!", "unfinished"),
    ("unimplemented!", "unfinished"),
];

/// Forbidden words in the sources of libraries, comments and tests aside.
///
/// # Errors
/// If a source cannot be read.
pub fn check(root: &Path, graph: &Graph, sources: &[PathBuf]) -> anyhow::Result<Vec<String>> {
    let folders: Vec<PathBuf> = graph.members().filter(|p| p.is_library()).map(|p| p.folder.join("src")).collect();
    let mut violations = Vec::new();
    for path in sources.iter().filter(|path| folders.iter().any(|folder| path.starts_with(folder))) {
        if is_test_module(path) {
            continue;
        }
        let source = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let found = check_source(&source);
        violations.extend(found.into_iter().map(|violation| format!("{}:{violation}", shown(path, root))));
    }
    Ok(violations)
}

/// Whether a file is a module of tests: `tests.rs`, or under a folder `tests`.
fn is_test_module(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "tests")
        || path.parent().is_some_and(|folder| folder.ends_with("tests"))
}

/// Forbidden words as `line: word: why`.
fn check_source(source: &str) -> Vec<String> {
    let mut violations = Vec::new();
    let mut lines = source.lines().enumerate();
    let mut in_comment = false;
    while let Some((number, line)) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            skip_item(line, &mut lines);
            continue;
        }
        let code = code_of(line, &mut in_comment);
        let words = FORBIDDEN.iter().filter(|(word, _)| has_word(code, word));
        violations.extend(words.map(|(word, why)| format!("{}: `{word}`: {why}", number + 1)));
    }
    violations
}

/// Passes over the item behind a `#[cfg(test)]`: to its `;`, or to the closing brace in the column of the attribute, where rustfmt
/// puts it.
fn skip_item<'a>(attribute: &str, lines: &mut impl Iterator<Item = (usize, &'a str)>) {
    let indent = &attribute[..attribute.len() - attribute.trim_start().len()];
    let end = format!("{indent}}}");
    for (_, line) in lines {
        let trimmed = line.trim();
        let is_statement = trimmed.ends_with(';') && line.strip_prefix(indent).is_some_and(|l| !l.starts_with(' '));
        let is_one_line_item = trimmed.ends_with("{}");
        if is_statement || is_one_line_item || line.starts_with(&end) {
            return;
        }
    }
}

/// The part of a line that is code. Block comments are followed from line to line.
fn code_of<'a>(line: &'a str, in_comment: &mut bool) -> &'a str {
    if *in_comment {
        let Some((_, rest)) = line.split_once("*/") else { return "" };
        *in_comment = false;
        return rest;
    }
    if line.trim_start().starts_with("/*") {
        *in_comment = !line.contains("*/");
        return "";
    }
    match line.find("//") {
        // A URL within a string is code.
        Some(start) if !line[..start].ends_with(':') => &line[..start],
        _ => line,
    }
}

/// Whether a word occurs that is not the tail of a longer one.
fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(start, _)| {
        let before = code[..start].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_forbidden_word_is_found_once() {
        for (word, _) in FORBIDDEN {
            let found = check_source(&format!("fn f() {{\n    {word}(x);\n}}\n"));
            assert!(found.iter().any(|v| v.starts_with(&format!("2: `{word}`"))), "{word}: {found:?}");
        }
        assert_eq!(check_source("    eprintln!(\"x\");").len(), 1, "not also println! and print!");
    }

    #[test]
    fn comments_are_not_code() {
        let source =
            "//! println!\n/// dbg!\n// todo!\nlet x = 1; // std::env\n/* dbg!\n dbg! */\nlet url = \"https://x\";\n";
        assert_eq!(check_source(source), Vec::<String>::new());
        assert_eq!(check_source("/* a\n */ dbg!(x);\n").len(), 1);
    }

    #[test]
    fn tests_may_print_and_what_follows_them_may_not() {
        let source = "#[cfg(test)]\nuse std::env;\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {\n        println!();\n    }\n}\n\nfn f() {\n    dbg!(1);\n}\n";
        assert_eq!(check_source(source), ["12: `dbg!`: a library does not print"]);
        let inner = "impl X {\n    #[cfg(test)]\n    fn t() {\n        dbg!(1);\n    }\n    fn u() {\n        todo!();\n    }\n}\n";
        assert_eq!(check_source(inner), ["7: `todo!`: unfinished"]);
    }

    #[test]
    fn compile_time_environment_is_fine() {
        assert_eq!(check_source("const V: &str = env!(\"CARGO_PKG_VERSION\");"), Vec::<String>::new());
    }

    #[test]
    fn test_modules_are_known_by_their_place() {
        assert!(is_test_module(Path::new("src/chain/tests.rs")));
        assert!(is_test_module(Path::new("src/tests/exact.rs")));
        assert!(!is_test_module(Path::new("src/chain.rs")));
    }
}
