//! Devices: by name, whether they are there, and how far they agree with the CPU device.

mod compare;
mod list;
mod name;
mod presence;

pub use compare::CompareFlags;
pub use list::Devices;
pub use name::Name;
#[cfg(not(feature = "mpi"))]
pub use name::build_with;
pub use presence::describe;

use std::io::Write;

use anyhow::anyhow;
use burn::tensor::Device;
use clap::Subcommand;

/// What `glauber device` does.
#[derive(Debug, Subcommand)]
pub enum DeviceWhat {
    /// List the devices that the program can be built for, and which of them are here
    List,
    /// Compare a device with the CPU device: logits, loss, gradients, samples; time its steps
    Compare(CompareFlags),
}

/// Runs what the command names.
pub fn run(what: DeviceWhat) -> anyhow::Result<()> {
    match what {
        DeviceWhat::List => list(),
        DeviceWhat::Compare(flags) => compare::compare(&flags),
    }
}

/// The device of a `--device` flag. One that is not there is an error, not a panic at the first operation.
pub fn device(text: &str) -> anyhow::Result<Device> {
    let name: Name = text.parse()?;
    let device = name.open()?;
    presence::check(name, &device)?;
    Ok(device)
}

/// Micro-batches computed side by side: what `--threads` says, or on the CPU device one for each core, which so many `ranks` of this process share;
/// on others, which have threads of their own, one.
pub fn replicas(threads: Option<usize>, device: &str, ranks: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    threads.unwrap_or_else(|| if device.parse() == Ok(Name::Cpu) { (cores() / ranks).max(1) } else { 1 })
}

/// Waits until a device has done what it was told.
pub fn finish(device: &Device) -> anyhow::Result<()> {
    device.sync().map_err(|error| anyhow!("the device failed: {error:?}"))
}

fn list() -> anyhow::Result<()> {
    let mut out = crate::screen::out();
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
