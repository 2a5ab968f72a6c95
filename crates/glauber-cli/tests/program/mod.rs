//! Running the program as a user would.

use std::ffi::OsStr;
use std::process::Command;

/// The program with arguments.
pub fn glauber<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glauber"));
    command.args(arguments);
    command
}
