//! Which lines and documents are prose.

/// A document must have this many bytes to be worth a line.
pub const SHORTEST: usize = 200;
/// A document must consist of ASCII letters and blanks to this share, or it is a table of data.
const LETTER_SHARE: f64 = 0.8;

/// The prose of a Markdown text, without fenced code and its headings, badges, HTML lines and link definitions. Runs of
/// blank lines become one. `None` if the rest is short or not prose.
pub fn of_markdown(markdown: &str) -> Option<String> {
    let mut text = String::with_capacity(markdown.len());
    let mut fence: Option<&str> = None;
    for line in markdown.lines() {
        let content = line.trim_start();
        if let Some(open) = fence {
            if content.starts_with(open) {
                fence = None;
            }
            continue;
        }
        fence = opening_fence(content);
        if fence.is_some() {
            drop_last_heading(&mut text);
        }
        if fence.is_some() || is_decoration(content) {
            continue;
        }
        let is_second_blank = content.is_empty() && (text.is_empty() || text.ends_with("\n\n"));
        if !is_second_blank {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    (text.len() >= SHORTEST && letter_share(&text) >= LETTER_SHARE).then_some(text)
}

fn opening_fence(content: &str) -> Option<&'static str> {
    ["```", "~~~"].into_iter().find(|marker| content.starts_with(marker))
}

/// Takes off the last line that is not blank if it is a heading, such as "# Examples" before code.
fn drop_last_heading(text: &mut String) {
    let written = text.trim_end();
    let last_line = written.rfind('\n').map_or(0, |end| end + 1);
    if written[last_line..].trim_start().starts_with('#') {
        text.truncate(last_line);
    }
}

/// Whether a line is a badge, an image, HTML or the definition of a link.
fn is_decoration(content: &str) -> bool {
    let is_link_definition = || content.starts_with('[') && content.contains("]: ");
    content.starts_with('<') || content.starts_with("[![") || content.starts_with("![") || is_link_definition()
}

fn letter_share(text: &str) -> f64 {
    let letters = text.chars().filter(|c| c.is_ascii_alphabetic() || c.is_ascii_whitespace()).count();
    letters as f64 / text.chars().count().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(line: &str) -> String {
        format!("{line}\n").repeat(SHORTEST / line.len() + 1)
    }

    #[test]
    fn code_and_badges_go_and_prose_stays() {
        let prose = long("Words about a chain of sites.");
        let markdown = format!(
            "# Title\n\n[![ci](a)](b)\n<p align=\"center\">\n\n\n{prose}```rust\nlet gone = 1;\n```\n~~~\n``` gone\n~~~\nEnd.\n\n[ci]: https://example.org\n"
        );
        assert_eq!(of_markdown(&markdown).unwrap(), format!("# Title\n\n{prose}End."));
    }

    #[test]
    fn a_heading_of_code_goes_with_it() {
        let prose = long("Words about a chain of sites.");
        let markdown = format!("# Title\n\n{prose}\n# Examples\n\n```\ncode\n```\n\nMore.");
        assert_eq!(of_markdown(&markdown).unwrap(), format!("# Title\n\n{prose}\nMore."));
        assert_eq!(of_markdown(&format!("# Code\n```\n```\n{prose}")).unwrap(), prose.trim_end());
    }

    #[test]
    fn short_documents_are_dropped() {
        assert_eq!(of_markdown("Too short."), None);
        assert!(of_markdown(&"a".repeat(SHORTEST)).is_some());
        assert_eq!(of_markdown(&"a".repeat(SHORTEST - 1)), None);
    }

    #[test]
    fn tables_of_data_are_dropped() {
        assert_eq!(of_markdown(&long("| 0x12 | 3.14159 | 2718281828 |")), None);
        assert_eq!(of_markdown(&long("文字は英語ではありません")), None);
    }

    #[test]
    fn an_unclosed_fence_takes_the_rest() {
        let prose = long("Words about a chain of sites.");
        assert_eq!(of_markdown(&format!("{prose}```\n{prose}")).unwrap(), prose.trim_end());
    }
}
