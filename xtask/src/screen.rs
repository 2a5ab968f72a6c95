//! Printing that does not panic where nobody reads.

use std::io::{self, Write};

/// Prints a line of output.
///
/// # Errors
/// When stdout does not take it.
pub fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Prints to stderr, and ignores failures.
pub fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
