//! Running the program as a user would.

use std::ffi::OsStr;
use std::process::Command;

/// The program with arguments.
pub fn lab<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glauber-lab"));
    command.args(arguments);
    command
}
