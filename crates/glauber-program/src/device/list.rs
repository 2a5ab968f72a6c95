//! Several devices that share the work of one process.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::ensure;
use burn::tensor::Device;

use super::device;
use super::name::Name;
use super::presence::{self, describe};

/// Timeout for GPUs to connect.
const PATIENCE: Duration = Duration::from_secs(120);

/// The devices that a `--device` flag names.
pub struct Devices {
    /// Their names.
    pub names: Vec<String>,
    /// Whether gradients must be all-reduced.
    pub all_reduce: bool,
}

impl Devices {
    /// Parses a comma-separated list of devices.
    pub fn of(flag: &str, all_reduce: bool) -> Self {
        Self { names: flag.split(',').map(str::to_owned).collect(), all_reduce }
    }

    /// Checks that all devices are available and that no GPU is named twice.
    ///
    /// # Errors
    /// If a device is not available or named twice.
    pub fn check(&self) -> anyhow::Result<()> {
        let mut cards = Vec::new();
        for text in &self.names {
            device(text)?;
            let name: Name = text.parse()?;
            ensure!(!cards.contains(&name), "`--device {}`: the same GPU is named twice", self.names.join(","));
            if let Name::Cuda(_) = name {
                cards.push(name);
            }
        }
        Ok(())
    }

    /// The number of CPU devices.
    pub fn on_the_cpu(&self) -> usize {
        self.names.iter().filter(|name| name.parse() == Ok(Name::Cpu)).count()
    }

    /// The devices, if they can all-reduce gradients: NVIDIA GPUs of one model with NCCL. Otherwise empty.
    pub fn reducing_devices(&self) -> Vec<Device> {
        match self.tried() {
            Ok(devices) => devices,
            Err(why) => {
                tracing::warn!("the host sums the gradients, because the GPUs cannot all-reduce: {why}");
                Vec::new()
            }
        }
    }

    /// The devices after a successful all-reduce; empty if they are not all GPUs; otherwise the failure.
    fn tried(&self) -> Result<Vec<Device>, String> {
        let card = |text: &String| matches!(text.parse(), Ok(Name::Cuda(_)));
        if !self.names.iter().all(card) {
            return Ok(Vec::new());
        }
        let devices: Vec<Device> = self.names.iter().filter_map(|name| device(name).ok()).collect();
        let models: Vec<_> = devices.iter().map(describe).collect();
        if models.windows(2).any(|two| two[0] != two[1]) {
            return Err("they are different models".into());
        }
        // One that cannot join would let the others wait for ever.
        let (done, waiting) = mpsc::channel();
        let cards = devices.clone();
        std::thread::spawn(move || done.send(presence::check_sums(&cards)));
        match waiting.recv_timeout(PATIENCE) {
            Ok(sums) => sums.map(|()| devices),
            Err(_) => Err(format!("they did not connect within {} s", PATIENCE.as_secs())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_checked_before_anything_is_begun() {
        let check = |flag: &str| Devices::of(flag, true).check().map_err(|error| error.to_string());
        assert_eq!(check("cpu,cpu"), Ok(()));
        assert!(check("cpu,").unwrap_err().contains("`--device `: expected cpu"));
        assert!(check("cpu,gpu").unwrap_err().contains("`--device gpu`"));
        let missing = check("cpu,cuda:60000").unwrap_err();
        assert!(missing.contains("`--device cuda:60000`"), "{missing}");
        assert_eq!(Devices::of("cpu,wgpu,cpu", true).on_the_cpu(), 2);
        assert!(Devices::of("cpu,cpu", true).reducing_devices().is_empty());
    }
}
