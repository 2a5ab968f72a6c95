//! `glauber-lab device`: a device beside the CPU device, from the same weights, examples and uniform numbers.

mod differences;
mod pace;
mod report;
mod small;
mod subject;

use std::path::PathBuf;

use anyhow::bail;
use burn::tensor::FloatDType;
use clap::Args;
use glauber_program::device::{describe, device};
use glauber_program::progress::say;
use glauber_run::check_count;
use glauber_train::Precision;

use self::differences::Differences;
use self::report::Report;
use self::subject::Subject;

/// Flags of `device`.
#[derive(Debug, Args)]
pub struct DeviceFlags {
    /// Device to compare with the CPU: wgpu, cuda or cuda:INDEX
    #[arg(long, value_name = "DEVICE")]
    device: String,
    /// Use the network of this run. Default: train a small network
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Number of sequences to evaluate, and to sample, on both devices
    #[arg(short = 'n', long, default_value_t = 8)]
    count: usize,
    /// Seed of the sequences, their noise and the chains
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// Compares the devices, prints the differences, and fails if one exceeds its tolerance.
pub fn compare(flags: &DeviceFlags) -> anyhow::Result<()> {
    check_count("--count", flags.count)?;
    let devices = [device("cpu")?, device(&flags.device)?];
    let folder = tempfile::tempdir()?;
    let mut differences = Differences::default();
    let (subject, training) = match &flags.run {
        Some(run) => (Subject::of_run(run, &devices)?, None),
        None => {
            let small = folder.path().join("run");
            small::train(&small, &devices[0])?;
            let subject = Subject::of_run(&small, &devices)?;
            let continued = small::go_on(&small, &devices)?;
            differences.losses(&continued.losses);
            differences.checkpoint(&continued.logits);
            (subject, Some(continued.paces))
        }
    };
    let examples = subject.examples(flags.count, flags.seed)?;
    differences.logits(&subject.logits(&examples));
    differences.gradients(&subject.gradients(&examples, Precision::F32));
    if devices[1].supports_dtype(FloatDType::BF16) {
        differences.mixed_gradients(&subject.gradients(&examples, Precision::Bf16));
    }
    differences.samples("on the host", &subject.host_samples(flags.count, flags.seed)?);
    let (samples, sampling) = subject.device_samples(flags.count, flags.seed)?;
    differences.samples("on the device", &samples);
    let report = Report {
        device: flags.device.clone(),
        calls_itself: describe(&devices[1]),
        weights: subject.weights(),
        differences,
        training,
        sampling,
        bytes: devices[1].memory_pool_usage().map(|usage| usage.bytes_reserved),
    };
    say(&if flags.json { report.json() } else { report.text() });
    match report.differences.beyond() {
        beyond if beyond.is_empty() => Ok(()),
        beyond => bail!("`{}` does not agree with the CPU device: {}", flags.device, beyond.join(", ")),
    }
}
