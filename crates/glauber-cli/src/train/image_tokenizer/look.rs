//! A tokenizer's run looked at from outside, while it may be training.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::config::TokenizerRunConfig;
use super::folder::{CONFIG, METRICS};
use super::metrics::MetricLine;

/// Whether a folder is that of a tokenizer's run.
pub fn is_run(folder: &Path) -> bool {
    config(folder).is_ok()
}

/// The configuration of a run, and its last evaluation.
pub fn look(folder: &Path) -> anyhow::Result<(TokenizerRunConfig, Option<MetricLine>)> {
    let path = folder.join(METRICS);
    let last = match fs::read_to_string(&path) {
        Ok(lines) => lines.lines().last().map(serde_json::from_str).transpose(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    Ok((config(folder)?, last.with_context(|| path.display().to_string())?))
}

fn config(folder: &Path) -> anyhow::Result<TokenizerRunConfig> {
    let path = folder.join(CONFIG);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}
