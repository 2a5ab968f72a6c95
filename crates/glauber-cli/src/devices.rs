//! `glauber device`.

use std::io::Write;

use glauber_program::device::{Name, describe, device};
use glauber_program::screen;

/// Lists devices: whether they are built in, and whether they are available.
pub fn list() -> anyhow::Result<()> {
    let mut out = screen::out();
    for name in Name::FIRST {
        let state = match name.is_built() {
            false => format!("not in this binary; {}", name.build()),
            true => match device(&name.to_string()) {
                Ok(device) => describe(&device).unwrap_or_else(|| "here".into()),
                Err(error) => format!("{error:#}"),
            },
        };
        writeln!(out, "{:<5} {state}", name.to_string())?;
    }
    Ok(())
}
