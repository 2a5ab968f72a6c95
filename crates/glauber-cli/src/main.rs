//! The `glauber` program: trains Glauber generative models, samples from them, fills in gaps.

// They panic where nobody reads: `screen` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod arguments;
mod bench;
mod device;
mod eval;
mod experiment;
mod fidelity;
mod infill;
mod info;
mod outputs;
mod paint;
mod progress;
mod ranks;
mod run_config;
mod sample;
mod screen;
mod status;
mod tokenize;
mod train;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser;
use glauber_run::one_line;
use screen::remark;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// Training allocates and frees large tensors all the time; this allocator keeps their pages, see [`keep_freed_pages`].
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, in milliseconds; −1 for never. The binding does not name it, but the option behind it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = libmimalloc_sys::mi_option_use_numa_nodes - 1;

/// Freed pages are kept for the next tensor, where the allocator would hand them back and have the system clear new ones.
///
/// A quarter more training steps in the same time (`docs/performance.md`).
#[allow(unsafe_code)]
fn keep_freed_pages() {
    // SAFETY: stores an integer into the allocator's table of options, which has an entry of this index; the function has no
    // preconditions, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) }
}

/// A writer whose failures are let be: a terminal that was closed must not end a training that has something to log.
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

/// What the regular expressions of tokenizers panic of is caught where they are used, and said in one line there.
fn leave_caught_panics_unsaid() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !panic.location().is_some_and(|place| place.file().contains("/onig-")) {
            say(panic);
        }
    }));
}

fn main() -> ExitCode {
    keep_freed_pages();
    leave_caught_panics_unsaid();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explained(&error),
    };
    log(arguments.verbosity().into());
    // A run is worth more than what is said of it.
    let trains = matches!(arguments.command, Command::Train { .. });
    let shared = matches!(arguments.command, Command::Train { .. } | Command::Sample(_));
    let done = if shared { Ok(()) } else { ranks::expect_single() }.and_then(|()| perform(arguments.command));
    ended(if trains { done } else { done.and_then(|()| screen::finish()) }, ExitCode::SUCCESS)
}

/// The exit code, and the error where there is one.
fn ended(done: anyhow::Result<()>, code: ExitCode) -> ExitCode {
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

/// Prints help, or what is wrong with the arguments.
fn explained(error: &clap::Error) -> ExitCode {
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

/// Logs to stderr from a level on.
fn log(level: LevelFilter) {
    // What these libraries warn of, the program says in its own words or refuses; with `-v` they
    // are heard as well.
    let heard = if level > LevelFilter::WARN { level } else { LevelFilter::OFF };
    let shown = Targets::new().with_default(level).with_target("cubecl_common", heard).with_target("tokenizers", heard);
    // Colours are for terminals, where nobody has asked to do without (<https://no-color.org>).
    let colours = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(|| Unheard(io::stderr()));
    tracing_subscriber::registry().with(lines).with(shown).init();
}

fn perform(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Train { what } => train::train(what),
        Command::Sample(flags) => sample::sample(&flags),
        Command::Infill(flags) => infill::infill(&flags),
        Command::Eval(flags) => eval::eval(&flags),
        Command::Fidelity(flags) => fidelity::fidelity(&flags),
        Command::Info(flags) => info::info(&flags),
        Command::Status(flags) => status::status(&flags),
        Command::Tokenize(flags) => tokenize::tokenize(&flags),
        Command::Device { what } => device::run(what),
        Command::Experiment { what } => experiment::run(what),
        Command::Bench { what } => bench::run(what),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
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
