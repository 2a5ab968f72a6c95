//! Kinds of folders that commands receive.

use std::path::Path;

use crate::RunFolder;
use crate::error::{Context, Result, bail};
use crate::tokenizer_run;

/// Kinds of folders that the program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The run of an image tokenizer.
    TokenizerRun,
    /// An image tokenizer.
    Tokenizer,
    /// A feature network or classifier.
    FeatureNetwork,
    /// The run of a model, or unknown.
    Run,
}

impl Kind {
    /// The kind of a folder.
    pub fn of(folder: &Path) -> Self {
        let has = |name: &str| folder.join(name).is_file();
        if has("vocabulary.json") {
            Self::Run
        } else if has("network.toml") {
            Self::FeatureNetwork
        } else if has("tokenizer.toml") {
            Self::Tokenizer
        } else if tokenizer_run::is_run(folder) {
            Self::TokenizerRun
        } else {
            Self::Run
        }
    }
}

/// Opens the folder of a model's run.
///
/// # Errors
/// If it is not a run; the error names its kind.
pub fn open_run(folder: &Path) -> Result<RunFolder> {
    let shown = folder.display();
    match Kind::of(folder) {
        Kind::Run => RunFolder::open(folder).with_context(|| format!("`--run {shown}`")),
        Kind::TokenizerRun | Kind::Tokenizer => bail!(
            "`--run {shown}` is an image tokenizer, expected the run of a model: train one on its tokens with `train image --tokenizer {shown}`"
        ),
        Kind::FeatureNetwork => bail!(
            "`--run {shown}` is a classifier or feature network, expected the run of a model: pass it to `fidelity --classifier` or `--features`"
        ),
    }
}
