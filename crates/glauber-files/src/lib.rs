//! Files as users name them.
//!
//! Whatever is read more than once, or from its end, must be a regular file: a pipe is empty at the second reading, and a named pipe
//! waits for ever. [`open`] refuses everything else and says what it is. The crate depends on nothing.

mod regular;

pub use regular::{check, open, read, read_text};
