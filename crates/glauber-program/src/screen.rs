//! Output to stdout and stderr, with control characters of files and samples escaped on terminals.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Stderr, StdoutLock, Write};
use std::sync::OnceLock;

use anyhow::Context;

/// A deferred printing error.
static UNSAID: OnceLock<ErrorKind> = OnceLock::new();

/// Stdout: text is escaped by [`shown`] on a terminal, and unchanged elsewhere.
pub fn out() -> Screen<StdoutLock<'static>> {
    let to = io::stdout().lock();
    Screen { terminal: to.is_terminal(), to }
}

/// Stderr, likewise.
pub fn err() -> Screen<Stderr> {
    let to = io::stderr();
    Screen { terminal: to.is_terminal(), to }
}

/// Prints a line to stdout. A closed pipe does not stop the work; [`finish`] reports it.
pub fn line(text: &str) {
    if let Err(error) = writeln!(out(), "{text}") {
        UNSAID.get_or_init(|| error.kind());
    }
}

/// Checks that all output has reached stdout.
///
/// # Errors
/// If it has not.
pub fn finish() -> anyhow::Result<()> {
    let unsaid = UNSAID.get().map_or(Ok(()), |&kind| Err(io::Error::from(kind)));
    let kept = unsaid.and_then(|()| io::stdout().flush());
    match kept {
        // A reader that goes away, as in `glauber sample | head`, has heard enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("stdout"),
        _ => Ok(()),
    }
}

/// Prints to stderr, and ignores failures.
pub fn remark(text: &str) {
    let _ = writeln!(err(), "{text}");
}

/// A text output that may be a terminal.
pub struct Screen<W> {
    to: W,
    terminal: bool,
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.terminal {
            return self.to.write(bytes);
        }
        self.to.write_all(shown(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Escapes control characters, except line ends and tabs: ASCII and C1 controls, which move the cursor or change
/// colours, and those that change the reading direction.
pub fn shown(text: &str) -> Cow<'_, str> {
    let harms = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(harms) {
        return text.into();
    }
    let show = |c: char| if harms(c) { c.escape_default().to_string() } else { c.into() };
    text.chars().map(show).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_out_on_a_terminal_alone() {
        let text = "a\x1b[31mb\u{9b}2J\r\u{202e}c\u{2066}\x07\x7f\0 é שלום\tx\n";
        let mut screen = Screen { to: Vec::new(), terminal: true };
        write!(screen, "{text}").unwrap();
        let expected = r"a\u{1b}[31mb\u{9b}2J\r\u{202e}c\u{2066}\u{7}\u{7f}\u{0} é שלום".to_owned() + "\tx\n";
        assert_eq!(String::from_utf8(screen.to).unwrap(), expected);
        let mut file = Screen { to: Vec::new(), terminal: false };
        write!(file, "{text}").unwrap();
        assert_eq!(file.to, text.as_bytes());
    }
}
