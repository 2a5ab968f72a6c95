//! Devices by name, and their availability.

mod list;
mod name;
mod presence;

pub use list::Devices;
pub use name::{Name, build_with, built_as};
pub use presence::describe;

use anyhow::anyhow;
use burn::tensor::Device;

/// The device of a `--device` flag. A missing device is an error, not a panic at the first operation.
///
/// # Errors
/// If it is not built in, or not available.
pub fn device(text: &str) -> anyhow::Result<Device> {
    let name: Name = text.parse()?;
    let device = name.open()?;
    presence::check(name, &device)?;
    Ok(device)
}

/// Micro-batches computed in parallel: `--threads`, or on the CPU one per core, divided by the `ranks` of this process.
/// On other devices the default is one.
pub fn replicas(threads: Option<usize>, device: &str, ranks: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    threads.unwrap_or_else(|| if device.parse() == Ok(Name::Cpu) { (cores() / ranks).max(1) } else { 1 })
}

/// Waits until a device has finished all queued work.
///
/// # Errors
/// If the work failed.
pub fn finish(device: &Device) -> anyhow::Result<()> {
    device.sync().map_err(|error| anyhow!("the device failed: {error:?}"))
}
