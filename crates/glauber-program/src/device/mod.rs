//! Devices: by name, and whether they are there.

mod list;
mod name;
mod presence;

pub use list::Devices;
pub use name::{Name, build_with, built_as};
pub use presence::describe;

use anyhow::anyhow;
use burn::tensor::Device;

/// The device of a `--device` flag. One that is not there is an error, not a panic at the first operation.
///
/// # Errors
/// When it is not built in, or not there.
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
///
/// # Errors
/// When it failed.
pub fn finish(device: &Device) -> anyhow::Result<()> {
    device.sync().map_err(|error| anyhow!("the device failed: {error:?}"))
}
