//! Several devices that share the work of one process.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::ensure;
use burn::tensor::Device;

use super::device;
use super::name::Name;
use super::presence::{self, describe};

/// How long cards may take to find each other.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a `--device` flag names, which may be several.
pub struct Devices {
    /// Their names.
    pub names: Vec<String>,
    /// Whether there will be gradients to add up.
    pub add_up: bool,
}

impl Devices {
    /// The devices between commas.
    pub fn of(flag: &str, add_up: bool) -> Self {
        Self { names: flag.split(',').map(str::to_owned).collect(), add_up }
    }

    /// Whether all are there, before anything is begun with the first; and no card twice.
    ///
    /// # Errors
    /// When one is not.
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

    /// How many are the CPU device.
    pub fn on_the_cpu(&self) -> usize {
        self.names.iter().filter(|name| name.parse() == Ok(Name::Cpu)).count()
    }

    /// The devices, if they can add up gradients among themselves: NVIDIA cards of one model, with NCCL to bring them together. None otherwise.
    pub fn adding_up(&self) -> Vec<Device> {
        match self.tried() {
            Ok(devices) => devices,
            Err(why) => {
                tracing::warn!("the host sums the gradients, because the GPUs cannot all-reduce: {why}");
                Vec::new()
            }
        }
    }

    /// The devices when they have added up; none where they are no cards; else what went wrong.
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
        assert!(Devices::of("cpu,cpu", true).adding_up().is_empty());
    }
}
