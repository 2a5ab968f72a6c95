//! Devices by name.

use burn::tensor::Device;

/// Devices that this binary was built with.
const BUILT: &[&str] = &[
    #[cfg(feature = "cpu")]
    "cpu",
];

/// The device of a `--device` flag.
pub fn device(name: &str) -> anyhow::Result<Device> {
    match name {
        #[cfg(feature = "cpu")]
        "cpu" => Ok(Device::flex()),
        _ => anyhow::bail!("`--device {name}`: this binary was built with {}", BUILT.join(", ")),
    }
}
