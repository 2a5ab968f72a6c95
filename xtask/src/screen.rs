//! Printing that does not panic where nobody reads.

use std::io::{self, Write};

/// Prints a line of what was asked for.
///
/// # Errors
/// When stdout does not take it.
pub fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Says something on stderr. Nobody may be there to hear it: that is no failure.
pub fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
