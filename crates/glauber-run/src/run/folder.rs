//! Run folders: everything needed to resume, inspect and sample a run, also on another machine.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use glauber_files::write_whole;
use glauber_model::Network;
use glauber_schedule::{Schedule, ScheduleError};
use glauber_tokens::Token;

use super::changes::{Change, changes};
use super::checkpoint::{self, CheckpointInfo};
use super::checksums::{self, CHECKSUMS};
use super::codec::RunCodec;
use crate::data::kept;
use crate::prior::PRIOR;
use crate::{FolderLock, RunConfig, RunError, TrainingState};

const CONFIG: &str = "config.toml";
const VOCABULARY: &str = "vocabulary.json";
const CHECKPOINTS: &str = "checkpoints";
/// The fix for a damaged file that nothing has a copy of.
const RESTORE: &str = "restore the file, or start a new run";
/// The format of the run folders that this program writes. It increases when an older program would misread a folder,
/// or this one an older folder.
///
/// 1. Folders without a number.
/// 2. Image tokenizers store optimiser moments like weights; format 1 is read too.
pub const FORMAT: u32 = 2;

/// A run folder.
///
/// | file | what |
/// |---|---|
/// | `config.toml` | the resolved configuration, with the seed |
/// | `vocabulary.json` | tokens, their counts in the training data, version of the program, format of the folder |
/// | `prior.safetensors` | the n-grams under the network, where it has a prior |
/// | `tokenizer.json` or `tokenizer/` | the codec of text or of images |
/// | `checksums.b3` | hashes of the files above but the configuration; every checkpoint has its own |
/// | `metrics.jsonl` | one evaluation a line |
/// | `loss.svg` | the loss curves |
/// | `excess.svg` | the distance to the Bayes loss, where it is known |
/// | `samples.txt` | samples over time |
/// | `checkpoints/` | the last few, each complete |
/// | `lock` | held by the process that trains |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// Properties of a run that depend on the data, stored so that sampling needs no data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// The format of the run folder.
    #[serde(default = "first_format")]
    pub format: u32,
    /// Number of tokens, `V`.
    pub size: usize,
    /// Token counts of the training data, shape `[token]`.
    pub counts: Vec<u64>,
    /// The mask token of absorbing noise.
    pub mask: Option<Token>,
    /// Fingerprint of the text codec or image tokenizer; `None` if the configuration defines the tokens.
    pub codec: Option<String>,
    /// Hash of the text, the images or their token grids: content, reading and split. `None` for generated data, and
    /// for image runs of older programs.
    pub corpus: Option<String>,
    /// Version of the program that started the run.
    pub version: String,
    /// The names of the classes of class conditioning; empty without classes, and in runs of older programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// The format of folders without a number.
pub(crate) fn first_format() -> u32 {
    1
}

impl Vocabulary {
    /// A vocabulary without a codec, from token counts, with this program's version.
    pub fn of_counts(counts: Vec<u64>, version: &str) -> Self {
        let (format, size, version, classes) = (FORMAT, counts.len(), version.into(), Vec::new());
        Self { format, size, counts, mask: None, codec: None, corpus: None, version, classes }
    }
}

impl RunFolder {
    /// Starts a run in a new or empty folder, and locks the folder.
    ///
    /// # Errors
    /// As [`check_new`](Self::check_new), if another process has locked the folder, or if it cannot be written.
    pub fn create(
        path: &Path,
        config: &RunConfig,
        vocabulary: &Vocabulary,
        codec: Option<&dyn RunCodec>,
    ) -> Result<(Self, FolderLock), RunError> {
        let lock = FolderLock::begin(path, &first())?;
        let folder = Self::begun_at(path);
        folder.write(VOCABULARY, to_json(vocabulary))?;
        if let Some(codec) = codec {
            codec.keep(path)?;
        }
        folder.seal()?;
        // Last: its presence says that the run has begun.
        folder.write_config(config)?;
        lock.begun()?;
        Ok((folder, lock))
    }

    /// Writes the checksums of the files that do not change. The configuration may be edited.
    pub(crate) fn seal(&self) -> Result<(), RunError> {
        let kept = [first(), vec![PRIOR]].concat();
        checksums::write(&self.path, |name| kept.iter().any(|kept| Path::new(name).starts_with(kept)))
    }

    /// Checks that a run can start in a folder: it must be writable, and new, empty or left by a process killed at the
    /// start of a run.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check_new(path: &Path) -> Result<(), RunError> {
        FolderLock::check_free(path, &first())
    }

    /// The folder of a run being started.
    pub(crate) fn begun_at(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// Opens the folder of an existing run.
    ///
    /// # Errors
    /// If the path has no run, or one in a later format.
    pub fn open(path: &Path) -> Result<Self, RunError> {
        let refuse = |found, expected| Err(RunError::Mismatch { path: path.into(), found, expected });
        if !path.join(CONFIG).is_file() {
            return refuse(format!("no `{CONFIG}` there"), "the folder of a run".into());
        }
        let run = Self::begun_at(path);
        // Whoever needs an unreadable file reports it.
        match run.begun_with() {
            Some((format, version)) if format > FORMAT => refuse(
                format!("a run in format {format}, started with {version}"),
                format!("a format up to {FORMAT}: open it with {version}"),
            ),
            _ => Ok(run),
        }
    }

    /// The format of the folder and the version of the program that started the run. An image tokenizer's run stores it
    /// in its configuration.
    fn begun_with(&self) -> Option<(u32, String)> {
        let file: serde_json::Value = match self.read(VOCABULARY) {
            Ok(text) => serde_json::from_str(&text).ok()?,
            Err(_) => toml::from_str(&self.read(CONFIG).ok()?).ok()?,
        };
        let format = u32::try_from(file.get("format")?.as_u64()?).ok()?;
        // Where this version began the run, another has gone on with it.
        let version = file.get("version").and_then(serde_json::Value::as_str);
        let version = version.filter(|&version| version != env!("CARGO_PKG_VERSION"));
        Some((format, version.map_or("a later version of glauber".into(), |version| format!("glauber {version}"))))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The resolved configuration.
    ///
    /// # Errors
    /// When the file is missing or malformed.
    pub fn config(&self) -> Result<RunConfig, RunError> {
        self.read_config()
    }

    /// The configuration of a run of any kind.
    pub(crate) fn read_config<C: DeserializeOwned>(&self) -> Result<C, RunError> {
        toml::from_str(&self.read(CONFIG)?).map_err(|error| self.malformed(CONFIG, error))
    }

    pub(crate) fn write_config(&self, config: &impl Serialize) -> Result<(), RunError> {
        let text = toml::to_string(config).map_err(|error| self.malformed(CONFIG, error))?;
        self.write(CONFIG, text)
    }

    /// Checks the configuration against that of the newest checkpoint, except for keys that may change. Returns the
    /// changes that alter further training. Checkpoints of older programs have no configuration to check.
    ///
    /// # Errors
    /// Names the first key that must not change. Also if a file cannot be read.
    pub fn check_config(&self) -> Result<Vec<Change>, RunError> {
        // Whoever needs more of an unreadable checkpoint reports it.
        let newest = checkpoint::newest::<TrainingState>(&self.checkpoint_folder());
        let Ok(Some(newest)) = newest else { return Ok(Vec::new()) };
        self.changes_since(&newest.path, &self.config()?)
    }

    /// The changes since a checkpoint, as in [`check_config`](Self::check_config).
    pub(crate) fn changes_since<C: Serialize + DeserializeOwned>(
        &self,
        checkpoint: &Path,
        config: &C,
    ) -> Result<Vec<Change>, RunError> {
        checkpoint::verify(checkpoint, |name| name == CONFIG)?;
        let Ok(Some(trained)) = checkpoint::load_config::<C>(checkpoint) else { return Ok(Vec::new()) };
        let found = changes(&trained, config);
        match found.iter().find(|change| !change.course) {
            Some(Change { key, before, after, .. }) => Err(RunError::Mismatch {
                path: self.path.join(CONFIG),
                found: format!("`{key}` is {after}"),
                expected: format!("{before}, as in training: restore it, or start a new run"),
            }),
            None => Ok(found),
        }
    }

    /// Properties of the run that depend on the data.
    ///
    /// # Errors
    /// When the file is missing or malformed.
    pub fn vocabulary(&self) -> Result<Vocabulary, RunError> {
        checksums::verify(&self.path, |name| name == VOCABULARY, RESTORE)?;
        serde_json::from_str(&self.read(VOCABULARY)?).map_err(|error| self.malformed(VOCABULARY, error))
    }

    /// The forward chain of the run.
    ///
    /// # Errors
    /// If configuration or vocabulary are malformed.
    pub fn schedule(&self) -> Result<Schedule, RunError> {
        let (config, vocabulary) = (self.config()?, self.vocabulary()?);
        schedule(&config, &vocabulary)
    }

    /// The finished checkpoints, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<CheckpointInfo>, RunError> {
        checkpoint::list(&self.path.join(CHECKPOINTS))
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// When there is none.
    pub fn latest_checkpoint(&self) -> Result<CheckpointInfo, RunError> {
        self.checkpoints()?.pop().ok_or_else(|| self.no_checkpoint())
    }

    pub(crate) fn no_checkpoint(&self) -> RunError {
        // Evaluations are written after the checkpoint that holds them: where there are any, there was a checkpoint.
        let (found, expected) = match self.has_metrics() {
            true => (
                "no checkpoint, though `metrics.jsonl` tells of one",
                "the folder as the run left it: restore it, or start a new run",
            ),
            false => {
                ("no checkpoint yet", "a run that has written one: let it train longer, or resume it if it was ended")
            }
        };
        RunError::Mismatch { path: self.checkpoint_folder(), found: found.into(), expected: expected.into() }
    }

    pub(crate) fn checkpoint_folder(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// The averaged weights and the state of the newest checkpoint with readable state.
    ///
    /// # Errors
    /// When configuration or checkpoints are missing or malformed.
    pub fn load_average(&self, device: &Device) -> Result<(Network, TrainingState), RunError> {
        let newest =
            checkpoint::newest::<TrainingState>(&self.checkpoint_folder())?.ok_or_else(|| self.no_checkpoint())?;
        Ok((self.average_of(&newest.path, device)?, newest.state))
    }

    /// The averaged weights and the state of a checkpoint.
    ///
    /// # Errors
    /// As [`load_average`](Self::load_average).
    pub fn load_average_at(
        &self,
        checkpoint: &CheckpointInfo,
        device: &Device,
    ) -> Result<(Network, TrainingState), RunError> {
        Ok((self.average_of(&checkpoint.path, device)?, checkpoint::load_state(&checkpoint.path)?))
    }

    fn average_of(&self, checkpoint: &Path, device: &Device) -> Result<Network, RunError> {
        let (config, vocabulary) = (self.config()?, self.vocabulary()?);
        let length = config.data.length();
        let mut network = Network::new(&config.model, vocabulary.size, length, config.seed, device)?;
        if config.model.prior.is_some() {
            network.set_prior(crate::prior::load(&self.path, self.schedule()?.law())?);
        }
        checkpoint::verify(checkpoint, |name| name != "weights.safetensors" && !name.starts_with("moment-"))?;
        glauber_descent::load_average(checkpoint, &mut network)?;
        Ok(network)
    }

    fn read(&self, name: &str) -> Result<String, RunError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Err(error) if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::NotFound) => {
                Err(self.malformed(name, error))
            }
            read => read.map_err(RunError::file(&path)),
        }
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> Result<(), RunError> {
        let path = self.path.join(name);
        write_whole(&path, text).map_err(RunError::file(&path))
    }

    fn malformed(&self, name: &str, error: impl ToString) -> RunError {
        RunError::Damaged {
            path: self.path.join(name),
            found: error.to_string().trim().replace('\n', " "),
            hint: match name {
                CONFIG => "restore the file from its copy in a checkpoint, or start a new run",
                _ => RESTORE,
            },
        }
    }
}

/// The forward chain of a configuration over a vocabulary.
pub(crate) fn schedule(config: &RunConfig, vocabulary: &Vocabulary) -> Result<Schedule, RunError> {
    let Vocabulary { size, counts, mask, .. } = vocabulary;
    let vocab = *size;
    // Also where the noise law needs neither.
    if counts.len() != vocab {
        return Err(ScheduleError::VocabularySize { what: "token counts", found: counts.len(), vocab }.into());
    }
    if let Some(token) = mask.filter(|&mask| mask as usize >= vocab) {
        return Err(ScheduleError::OutsideVocabulary { token, vocab }.into());
    }
    Ok(Schedule::from_config(&config.schedule, config.data.length(), vocab, Some(counts), *mask)?)
}

/// Files written before the configuration, whose presence marks a started run.
fn first() -> Vec<&'static str> {
    [kept(), vec![VOCABULARY, CHECKSUMS]].concat()
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() // plain numbers and strings always serialise
}
