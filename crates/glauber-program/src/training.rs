//! How flags begin a training.

use std::path::Path;

use burn::tensor::Device;
use glauber_run::Rank;
use glauber_run::training::Beginning;
use glauber_train::{Run, RunCodec, RunConfig, Vocabulary};

use crate::device::replicas;
use crate::progress::say;
use crate::train_flags::TrainFlags;

/// The training of a run that the flags begin or resume.
///
/// # Errors
/// When the parts do not fit together, or the folder cannot be written or read.
pub fn trainer(
    config: &RunConfig,
    vocabulary: &Vocabulary,
    codec: Option<&dyn RunCodec>,
    folder: &Path,
    device: &Device,
    flags: &TrainFlags,
    ranks: &Rank,
) -> anyhow::Result<Run> {
    let threads = replicas(flags.threads, &flags.device, ranks.here);
    let beginning =
        Beginning { config, vocabulary, codec, folder, device, resume: flags.resume, steps: flags.steps, threads };
    Ok(beginning.trainer(ranks, &mut say)?)
}
