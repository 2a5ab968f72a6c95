//! A tokenizer's run looked at from outside, while it may be training.

use std::fs;
use std::path::Path;

use super::config::TokenizerRunConfig;
use super::folder::{CONFIG, METRICS, read_config};
use super::metrics::MetricLine;
use crate::error::{Context, Result};

/// Whether a folder is that of a tokenizer's run.
pub fn is_run(folder: &Path) -> bool {
    config(folder).is_ok()
}

/// The configuration of a run, and its last evaluation.
///
/// # Errors
/// When it is the folder of something else.
pub fn look(folder: &Path) -> Result<(TokenizerRunConfig, Option<MetricLine>)> {
    let path = folder.join(METRICS);
    let lines = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        lines => lines.with_context(|| path.display().to_string())?,
    };
    // A line that is torn is passed over.
    let last = lines.rsplit(|&byte| byte == b'\n').find_map(|line| serde_json::from_slice(line).ok());
    Ok((config(folder)?, last))
}

fn config(folder: &Path) -> Result<TokenizerRunConfig> {
    read_config(&folder.join(CONFIG))
}
