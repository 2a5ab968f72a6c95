//! Start, logging and end of a program.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use glauber_run::one_line;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::device::built_as;
use crate::screen::{self, remark};

/// `mi_option_purge_delay`, in milliseconds; −1 for never. The binding does not name this option, but the one after it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = libmimalloc_sys::mi_option_use_numa_nodes - 1;

/// Freed pages are kept for the next tensor; otherwise the allocator returns them, and the system clears new ones.
///
/// A quarter more training steps in the same time (`docs/performance.md`).
#[allow(unsafe_code)]
fn keep_freed_pages() {
    // SAFETY: stores an integer into the allocator's table of options, which has an entry of this index; the function has no
    // preconditions, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
}

/// A writer that ignores failures, so that a closed terminal does not end a training that logs.
struct Unheard<W>(W);

impl<W: Write> Write for Unheard<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

/// Panics of tokenizers' regular expressions are caught where they are used, and reported there in one line.
fn leave_caught_panics_unsaid() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.location().is_some_and(|place| place.file().contains("/onig-")) {
            say(panic);
        }
    }));
}

/// Initialises a program of the workspace; call it once, at the start. `package` is the one to build for other devices.
/// The program's allocator must be mimalloc.
pub fn begin(package: &'static str) {
    keep_freed_pages();
    leave_caught_panics_unsaid();
    built_as(package);
    // From here on configurations can name them.
    glauber_baselines::register().expect("names of their own, registered once");
}

/// The exit code; prints the error, if any.
pub fn ended(done: anyhow::Result<()>, code: ExitCode) -> ExitCode {
    match done {
        Ok(()) => code,
        // A reader that went away, as in `glauber sample | head`, is no failure.
        Err(error) if is_broken_pipe(&error) => code,
        Err(error) => {
            remark(&format!("error: {}", one_line(error.as_ref())));
            ExitCode::from(2)
        }
    }
}

/// Prints help, or the error of the arguments.
pub fn explained(error: &clap::Error) -> ExitCode {
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    let styled = !std::env::args_os().any(|argument| argument.to_string_lossy().contains(char::is_control));
    let mut printed = Ok(());
    match (error.use_stderr(), styled) {
        (false, _) => printed = error.print(),
        // Nobody may be there to read it.
        (true, true) => drop(error.print()),
        (true, false) => remark(error.render().to_string().trim_end()),
    }
    ended(printed.map_err(Into::into).and_then(|()| screen::finish()), code)
}

/// Logs to stderr: warnings, with `-v` also progress, with `-vv` everything.
pub fn log(verbose: u8) {
    let level = match verbose {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // What these libraries warn of, the program says in its own words or refuses; with `-v` they
    // are heard as well.
    let heard = if level > LevelFilter::WARN { level } else { LevelFilter::OFF };
    let shown = Targets::new().with_default(level).with_target("cubecl_common", heard).with_target("tokenizers", heard);
    // Colours are for terminals, where nobody has asked to do without (<https://no-color.org>).
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(|| Unheard(io::stderr()));
    tracing_subscriber::registry().with(lines).with(shown).init();
}

/// Whether an error is a closed pipe.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
    kind == Some(io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An option is known by its default, which those beside it do not have.
    #[test]
    #[allow(unsafe_code)]
    fn the_option_that_keeps_freed_pages_is_the_delay_of_purges() {
        // SAFETY: reads the allocator's table of options, which has entries of these indices.
        let get = |option| unsafe { libmimalloc_sys::mi_option_get(option) };
        assert_eq!([-1, 0, 1].map(|by| get(PURGE_DELAY + by)), [1, 1000, 0], "commit delay, purge delay, NUMA nodes");
        keep_freed_pages();
        assert_eq!(get(PURGE_DELAY), -1);
    }
}
