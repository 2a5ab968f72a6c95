//! The doc comments of a Rust source file.

/// The doc comments of a file as Markdown: markers and one leading space stripped, blocks separated by blank lines.
///
/// Read line by line: a comment counts where it begins a line, which is where rustfmt puts it.
pub fn extract(source: &str) -> String {
    let mut text = String::new();
    let mut lines = source.lines();
    let mut in_block = false;
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(content) = line_comment(line) {
            if !in_block && !text.is_empty() {
                text.push('\n');
            }
            push_line(&mut text, content);
            in_block = true;
        } else if let Some(first) = block_comment(line) {
            if !text.is_empty() {
                text.push('\n');
            }
            push_block(&mut text, first, &mut lines);
            in_block = false;
        } else {
            in_block = false;
        }
    }
    text
}

/// The content of a `///` or `//!` line; `////` is an ordinary comment.
fn line_comment(line: &str) -> Option<&str> {
    let content =
        line.strip_prefix("//!").or_else(|| line.strip_prefix("///").filter(|rest| !rest.starts_with('/')))?;
    Some(content.strip_prefix(' ').unwrap_or(content))
}

/// What follows the opening of a `/**` or `/*!` comment; `/***` and `/**/` are ordinary comments.
fn block_comment(line: &str) -> Option<&str> {
    line.strip_prefix("/*!").or_else(|| line.strip_prefix("/**").filter(|rest| !rest.starts_with(['*', '/'])))
}

/// Takes the lines of a block comment up to its end.
fn push_block<'a>(text: &mut String, first: &'a str, lines: &mut impl Iterator<Item = &'a str>) {
    let mut line = first;
    loop {
        let (content, ended) = match line.split_once("*/") {
            Some((content, _)) => (content, true),
            None => (line, false),
        };
        let content = content.trim();
        let content = content.strip_prefix('*').unwrap_or(content);
        push_line(text, content.strip_prefix(' ').unwrap_or(content));
        if ended {
            return;
        }
        match lines.next() {
            Some(next) => line = next,
            None => return,
        }
    }
}

fn push_line(text: &mut String, content: &str) {
    text.push_str(content.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_stripped_and_separated() {
        let source = "//! Crate.\n//!\n//!  Indented.\n\n// plain\nfn f() {}\n\n    /// A field,\n    /// wide.\n    x: u8,\n//// no\n";
        assert_eq!(extract(source), "Crate.\n\n Indented.\n\nA field,\nwide.\n");
    }

    #[test]
    fn block_comments_lose_their_stars() {
        let source = "/**\n * One.\n *\n * Two. */\nfn f() {}\n/*! Inner */\n/*** no */\n/**/\n";
        assert_eq!(extract(source), "\nOne.\n\nTwo.\n\nInner\n");
    }

    #[test]
    fn code_alone_has_no_text() {
        assert_eq!(extract("fn f() { let x = 1; // why\n}\n"), "");
    }

    #[test]
    fn an_open_block_ends_with_the_file() {
        assert_eq!(extract("/** Never\n closed"), "Never\nclosed\n");
    }
}
