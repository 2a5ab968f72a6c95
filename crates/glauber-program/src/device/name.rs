//! The values of `--device`.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use anyhow::bail;
use burn::tensor::Device;

/// The package of this binary.
static PACKAGE: OnceLock<&str> = OnceLock::new();

/// A device that the program can be built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// The pure-Rust CPU device.
    Cpu,
    /// The default GPU of wgpu.
    Wgpu,
    /// An NVIDIA GPU, by its index.
    Cuda(usize),
}

/// Errors of device names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`--device {0}`: expected cpu, wgpu, cuda or cuda:INDEX{several}", several = several(.0))]
pub struct UnknownDevice(String);

fn several(text: &str) -> &'static str {
    if text.contains(',') { "; several share `sample`, and `train` on sequences, alone" } else { "" }
}

impl FromStr for Name {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice(text.into());
        match text {
            "cpu" => Ok(Self::Cpu),
            "wgpu" => Ok(Self::Wgpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => {
                let index = text.strip_prefix("cuda:").and_then(|index| index.parse::<u16>().ok());
                index.map(|index| Self::Cuda(index.into())).ok_or_else(unknown)
            }
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            _ => f.write_str(self.feature()),
        }
    }
}

impl Name {
    /// The first device of every kind.
    pub const FIRST: [Self; 3] = [Self::Cpu, Self::Wgpu, Self::Cuda(0)];

    /// The feature of this package that enables it.
    fn feature(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Wgpu => "wgpu",
            Self::Cuda(_) => "cuda",
        }
    }

    /// Whether this binary was built with it.
    pub fn is_built(self) -> bool {
        match self {
            Self::Cpu => cfg!(feature = "cpu"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Cuda(_) => cfg!(feature = "cuda"),
        }
    }

    /// How to build a binary with it.
    pub fn build(self) -> String {
        build_with(self.feature())
    }

    /// The device, which may be unavailable: see [`check`](super::presence::check).
    pub(super) fn open(self) -> anyhow::Result<Device> {
        match self {
            #[cfg(feature = "cpu")]
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => Ok(Device::cuda(index)),
            #[allow(unreachable_patterns)] // with all features
            missing => bail!("`--device {missing}`: this binary was built with {}; {}", built(), missing.build()),
        }
    }
}

/// How to build a binary with an additional feature of this package.
pub fn build_with(feature: &str) -> String {
    let here = [("wgpu", cfg!(feature = "wgpu")), ("cuda", cfg!(feature = "cuda")), ("mpi", cfg!(feature = "mpi"))];
    let mut features: Vec<&str> = here.iter().filter(|(_, built)| *built).map(|(name, _)| *name).collect();
    features.push(feature);
    let package = PACKAGE.get().unwrap_or(&"glauber-cli");
    format!("build `{package}` with `--features {}`", features.join(","))
}

/// Sets the package of this binary.
pub fn built_as(package: &'static str) {
    PACKAGE.get_or_init(|| package);
}

/// The devices that this binary was built with.
pub fn built() -> String {
    let here = Name::FIRST.iter().filter(|name| name.is_built());
    here.map(Name::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for (text, name) in
            [("cpu", Name::Cpu), ("wgpu", Name::Wgpu), ("cuda", Name::Cuda(0)), ("cuda:3", Name::Cuda(3))]
        {
            assert_eq!(text.parse(), Ok(name));
            assert_eq!(name.to_string(), text);
        }
        assert_eq!("cuda:0".parse(), Ok(Name::Cuda(0)));
        for wrong in ["", "CPU", "gpu", "cuda:", "cuda:-1", "cuda:x", "wgpu:1", "cuda:70000"] {
            let message = wrong.parse::<Name>().unwrap_err().to_string();
            assert_eq!(message, format!("`--device {wrong}`: expected cpu, wgpu, cuda or cuda:INDEX"));
        }
    }

    #[test]
    fn a_device_that_is_not_built_comes_with_its_command() {
        for name in Name::FIRST.into_iter().filter(|name| !name.is_built()) {
            let message = name.open().unwrap_err().to_string();
            let feature = name.feature();
            assert!(message.starts_with(&format!("`--device {feature}`: this binary was built with {}", built())));
            assert!(message.ends_with(&format!("{feature}`")), "{message}");
        }
    }
}
