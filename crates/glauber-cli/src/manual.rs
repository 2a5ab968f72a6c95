//! `glauber completions` and `glauber man`: what a shell and `man` read, made from the flags themselves.

use std::fs::create_dir_all;

use anyhow::Context;
use clap::CommandFactory;
use glauber_program::progress::say;
use glauber_program::screen;

use crate::arguments::{Arguments, CompletionFlags, ManFlags};

/// Prints a shell's completions.
pub fn completions(flags: &CompletionFlags) -> anyhow::Result<()> {
    clap_complete::generate(flags.shell, &mut Arguments::command(), "glauber", &mut screen::out());
    Ok(())
}

/// Writes a manual page of the program, and one of each of its commands.
pub fn man(flags: &ManFlags) -> anyhow::Result<()> {
    create_dir_all(&flags.out).with_context(|| format!("`--out {}`", flags.out.display()))?;
    clap_mangen::generate_to(Arguments::command().name("glauber"), &flags.out)
        .with_context(|| format!("`--out {}`", flags.out.display()))?;
    say(&format!("manual pages: {}", flags.out.display()));
    Ok(())
}
