//! What a run leaves behind: everything needed to go on, to look, and to sample on another machine.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use glauber_model::Network;
use glauber_schedule::Schedule;
use glauber_text::TextCodec;
use glauber_tokens::Token;

use super::checkpoint::{self, CheckpointInfo};
use super::picture::{Curve, Panel, Scale, picture};
use crate::{MetricLine, RunConfig, TrainError, TrainingState};

const CONFIG: &str = "config.toml";
const VOCABULARY: &str = "vocabulary.json";
const TOKENIZER: &str = "tokenizer.json";
const IMAGE_TOKENIZER: &str = "tokenizer";
const METRICS: &str = "metrics.jsonl";
const PICTURE: &str = "loss.svg";
const EXCESS: &str = "excess.svg";
const SAMPLES: &str = "samples.txt";
const SAMPLE_HEADING: &str = "=== step ";
const CHECKPOINTS: &str = "checkpoints";

const GREY: [u8; 3] = [150, 150, 150];
const RED: [u8; 3] = [200, 60, 30];

/// A run folder.
///
/// | file | what |
/// |---|---|
/// | `config.toml` | the resolved configuration, with the seed |
/// | `vocabulary.json` | tokens, their counts in the training data, version of the program |
/// | `tokenizer.json` | the text codec |
/// | `tokenizer/` | the image tokenizer |
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

/// What the data decided, kept so that sampling needs no data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// Number of tokens, `V`.
    pub size: usize,
    /// How often each token stands in the training data, shape `[token]`.
    pub counts: Vec<u64>,
    /// The mask token of absorbing noise.
    pub mask: Option<Token>,
    /// Fingerprint of the text codec or the image tokenizer; none where the configuration says how tokens are made.
    pub codec: Option<String>,
    /// Hash of the text, the images or their token grids: content, reading and split; none where data are drawn, and in runs on images
    /// that began before it was kept.
    pub corpus: Option<String>,
    /// Version of the program that began the run.
    pub version: String,
}

impl Vocabulary {
    /// Tokens that need no codec, by how often each stands in the training data; begun by a program of this version.
    pub fn of_counts(counts: Vec<u64>, version: &str) -> Self {
        Self { size: counts.len(), counts, mask: None, codec: None, corpus: None, version: version.into() }
    }
}

/// What turns a run's data into tokens, kept in its folder so that it can be sampled on another machine.
pub trait RunCodec {
    /// Writes it to where the run keeps it, in place of what an interrupted call may have left.
    ///
    /// # Errors
    /// When it cannot be written.
    fn keep(&self, folder: &RunFolder) -> Result<(), TrainError>;
}

impl RunCodec for TextCodec {
    fn keep(&self, folder: &RunFolder) -> Result<(), TrainError> {
        Ok(self.save(&folder.tokenizer())?)
    }
}

impl RunFolder {
    /// Begins a run in a folder that does not exist or is empty.
    ///
    /// # Errors
    /// When the folder holds anything, or cannot be written.
    pub fn create(
        path: &Path,
        config: &RunConfig,
        vocabulary: &Vocabulary,
        codec: Option<&dyn RunCodec>,
    ) -> Result<Self, TrainError> {
        fs::create_dir_all(path).map_err(TrainError::io(path))?;
        if !is_free(path)? {
            return Err(TrainError::Mismatch {
                path: path.into(),
                found: "the folder is not empty".into(),
                expected: "a new folder: choose another `--run`, or continue the run in it with `--resume`".into(),
            });
        }
        let folder = Self { path: path.into() };
        let text = toml::to_string(config).map_err(|error| folder.malformed(CONFIG, error))?;
        folder.write(VOCABULARY, &to_json(vocabulary))?;
        if let Some(codec) = codec {
            codec.keep(&folder)?;
        }
        // Last: its presence says that the run has begun.
        folder.write(CONFIG, &text)?;
        Ok(folder)
    }

    /// Opens the folder of a run that was begun.
    ///
    /// # Errors
    /// When there is none at the path.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        match path.join(CONFIG).is_file() {
            true => Ok(Self { path: path.into() }),
            false => Err(TrainError::Mismatch {
                path: path.into(),
                found: format!("no `{CONFIG}` there"),
                expected: "the folder of a run: check `--run`".into(),
            }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the text codec is kept.
    pub fn tokenizer(&self) -> PathBuf {
        self.path.join(TOKENIZER)
    }

    /// Where the image tokenizer is kept.
    pub fn image_tokenizer(&self) -> PathBuf {
        self.path.join(IMAGE_TOKENIZER)
    }

    /// Where the loss curves are drawn.
    pub fn picture(&self) -> PathBuf {
        self.path.join(PICTURE)
    }

    /// The resolved configuration.
    ///
    /// # Errors
    /// When the file is missing or malformed.
    pub fn config(&self) -> Result<RunConfig, TrainError> {
        toml::from_str(&self.read(CONFIG)?).map_err(|error| self.malformed(CONFIG, error))
    }

    /// What the data decided.
    ///
    /// # Errors
    /// When the file is missing or malformed.
    pub fn vocabulary(&self) -> Result<Vocabulary, TrainError> {
        serde_json::from_str(&self.read(VOCABULARY)?).map_err(|error| self.malformed(VOCABULARY, error))
    }

    /// The forward chain of the run.
    ///
    /// # Errors
    /// When configuration or vocabulary are malformed.
    pub fn schedule(&self) -> Result<Schedule, TrainError> {
        let (config, vocabulary) = (self.config()?, self.vocabulary()?);
        schedule(&config, &vocabulary)
    }

    /// All evaluations up to the newest checkpoint.
    ///
    /// # Errors
    /// When a line is malformed.
    pub fn metrics(&self) -> Result<Vec<MetricLine>, TrainError> {
        match self.path.join(METRICS).exists() {
            true => self.parse_metrics(&self.read(METRICS)?),
            false => Ok(Vec::new()),
        }
    }

    /// Parses evaluations. Parsing may round the last digit: keep the text to write it again.
    pub(crate) fn parse_metrics(&self, text: &str) -> Result<Vec<MetricLine>, TrainError> {
        let parse = |line| serde_json::from_str(line).map_err(|error| self.malformed(METRICS, error));
        text.lines().map(parse).collect()
    }

    /// Replaces the evaluations, as JSON lines and parsed, and redraws the curves.
    pub(crate) fn write_metrics(&self, title: &str, text: &str, lines: &[MetricLine]) -> Result<(), TrainError> {
        self.write(METRICS, text)?;
        let curve = |name: &str, colour, value: fn(&MetricLine) -> Option<f64>| {
            let point = |line: &MetricLine| Some((line.step as f64, value(line)?));
            Curve { name: name.into(), colour, dashed: false, points: lines.iter().filter_map(point).collect() }
        };
        let draw = |file: &str, unit: &str, curves| {
            let panel = Panel {
                title: title.into(),
                x_label: "optimiser steps".into(),
                y_label: unit.into(),
                scale: Scale::FromZero,
                curves,
            };
            self.write(file, &picture(&self.path.join(file), &[panel])?)
        };
        let losses = [
            curve("training", GREY, |line| Some(line.train_loss)),
            curve("held out, averaged weights", RED, |line| Some(line.loss)),
        ];
        draw(PICTURE, "loss, nats per site", losses.into())?;
        let excess = curve("held out, averaged weights", RED, |line| line.excess);
        match excess.points.is_empty() {
            true => Ok(()),
            false => draw(EXCESS, "loss above the Bayes loss, nats per site", vec![excess]),
        }
    }

    /// Forgets the samples of steps after `done`.
    pub(crate) fn trim_samples(&self, done: usize) -> Result<(), TrainError> {
        if !self.path.join(SAMPLES).exists() {
            return Ok(());
        }
        let mut keep = true;
        let mut kept = String::new();
        for line in self.read(SAMPLES)?.split_inclusive('\n') {
            let step = line.strip_prefix(SAMPLE_HEADING).and_then(|step| step.trim().parse::<usize>().ok());
            keep = step.map_or(keep, |step| step <= done);
            if keep {
                kept += line;
            }
        }
        self.write(SAMPLES, &kept)
    }

    /// Appends samples. The file is as it was before, or complete.
    pub(crate) fn append_samples(&self, step: usize, texts: &[String]) -> Result<(), TrainError> {
        let mut all = match self.path.join(SAMPLES).exists() {
            true => self.read(SAMPLES)?,
            false => String::new(),
        };
        all += &format!("{SAMPLE_HEADING}{step}\n");
        for text in texts {
            all += text;
            all += "\n---\n";
        }
        self.write(SAMPLES, &all)
    }

    /// The finished checkpoints, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn checkpoints(&self) -> Result<Vec<CheckpointInfo>, TrainError> {
        checkpoint::list(&self.path.join(CHECKPOINTS))
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// When there is none.
    pub fn latest_checkpoint(&self) -> Result<CheckpointInfo, TrainError> {
        let last = self.checkpoints()?.pop();
        last.ok_or_else(|| TrainError::Mismatch {
            path: self.path.join(CHECKPOINTS),
            found: "no checkpoint yet".into(),
            expected: "a run that has written one: let it train longer, or lower `train.checkpoint_every`".into(),
        })
    }

    pub(crate) fn checkpoint_folder(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    /// The averaged weights of the newest checkpoint, and where training stood.
    ///
    /// # Errors
    /// When configuration or checkpoint are missing or malformed.
    pub fn load_average(&self, device: &Device) -> Result<(Network, TrainingState), TrainError> {
        let (config, vocabulary) = (self.config()?, self.vocabulary()?);
        let latest = self.latest_checkpoint()?;
        let state = checkpoint::load_state(&latest.path)?;
        let length = config.data.length();
        let mut network = Network::new(&config.model, vocabulary.size, length, config.seed, device)?;
        checkpoint::load_average(&latest.path, &mut network)?;
        Ok((network, state))
    }

    fn read(&self, name: &str) -> Result<String, TrainError> {
        let path = self.path.join(name);
        fs::read_to_string(&path).map_err(TrainError::io(&path))
    }

    /// Writes under a temporary name and renames: a reader sees the old file or the new one.
    fn write(&self, name: &str, text: &str) -> Result<(), TrainError> {
        let (path, unfinished) = (self.path.join(name), self.path.join(format!("{name}.writing")));
        fs::write(&unfinished, text).map_err(TrainError::io(&path))?;
        fs::rename(&unfinished, &path).map_err(TrainError::io(&path))
    }

    fn malformed(&self, name: &str, error: impl ToString) -> TrainError {
        TrainError::Malformed {
            path: self.path.join(name),
            found: error.to_string().trim().replace('\n', " "),
            hint: "restore the file, or begin a new run",
        }
    }
}

/// Whether a run can begin in a folder: it is empty, or a kill left only what precedes the configuration.
fn is_free(path: &Path) -> Result<bool, TrainError> {
    // A tokenizer without the vocabulary, which is written first, is not of this program's making.
    let begun = path.join(VOCABULARY).is_file();
    for entry in fs::read_dir(path).map_err(TrainError::io(path))? {
        let name = entry.map_err(TrainError::io(path))?.file_name();
        let name = name.to_string_lossy();
        let left = [VOCABULARY, TOKENIZER].contains(&name.as_ref()) || (begun && name == IMAGE_TOKENIZER);
        if !left && !name.ends_with(".writing") && !name.ends_with(".removing") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The forward chain that a configuration describes over a vocabulary.
pub(crate) fn schedule(config: &RunConfig, vocabulary: &Vocabulary) -> Result<Schedule, TrainError> {
    let length = config.data.length();
    let counts = Some(vocabulary.counts.as_slice());
    Ok(Schedule::from_config(&config.schedule, length, vocabulary.size, counts, vocabulary.mask)?)
}

fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() // plain numbers and strings always serialise
}

/// An evaluation as a line of `metrics.jsonl`.
pub(crate) fn json_line(line: &MetricLine) -> String {
    serde_json::to_string(line).unwrap_or_default() // plain numbers always serialise
}
