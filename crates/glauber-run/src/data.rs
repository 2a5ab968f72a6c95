//! Kinds of data.

use std::any::Any;
use std::fmt::Debug;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use burn::tensor::Device;
use glauber_energy::Model;
use glauber_model::Network;
use glauber_train::{Examples, Excess, SequenceSource, TrainError, require};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Table;

use crate::energy::{self, EnergyData};
use crate::error::{Result, bail, ensure};
use crate::evaluation::{Evaluated, EvaluationSettings};
use crate::images::ImageConfig;
use crate::markov::{MarkovData, Source};
use crate::plane::PlaneData;
use crate::run::{Numbers, RunCodec, RunFolder, Vocabulary};
use crate::sudoku::SudokuData;
use crate::text::TextData;
use crate::{Draw, Flow, Hook, Run, RunConfig, RunError, Sampling, Say, Surroundings, Trained};

/// The kinds of this crate.
static OURS: &[Registered] = &[
    Registered::of::<TextData>("text", &["tokenizer.json"]),
    Registered::of::<MarkovData>("markov", &[]),
    Registered::of::<ImageConfig>("image", &["tokenizer"]),
    Registered::of::<SudokuData>("sudoku", &[]),
    Registered::of::<PlaneData>("plane", &[]),
    Registered::of::<EnergyData>("energy", energy::KEEPS),
];
/// Registered kinds.
static OTHERS: RwLock<Vec<Registered>> = RwLock::new(Vec::new());

/// A kind that configurations can name.
#[derive(Clone, Copy)]
struct Registered {
    name: &'static str,
    /// Files and folders that its codecs write into a run folder.
    keeps: &'static [&'static str],
    read: fn(Table) -> Result<Arc<dyn DataKind>, toml::de::Error>,
}

impl Registered {
    const fn of<K: DataKind + DeserializeOwned>(name: &'static str, keeps: &'static [&'static str]) -> Self {
        Self { name, keeps, read: |keys| Ok(Arc::new(keys.try_into::<K>()?)) }
    }
}

fn registered() -> Vec<Registered> {
    let others = OTHERS.read().unwrap_or_else(PoisonError::into_inner);
    OURS.iter().chain(others.iter()).copied().collect()
}

/// The names of the kinds that configurations can name.
pub fn data_kinds() -> Vec<&'static str> {
    registered().iter().map(|kind| kind.name).collect()
}

/// The `glauber train` command for a kind of data; `data` for kinds without their own command.
pub fn train_command(kind: &str) -> &str {
    const OWN: [&str; 6] = ["text", "markov", "image", "sudoku", "energy", "image-tokenizer"];
    if OWN.contains(&kind) { kind } else { "data" }
}

/// Files that codecs may leave in the folder of a run killed at its start.
pub(crate) fn kept() -> Vec<&'static str> {
    registered().iter().flat_map(|kind| kind.keeps).copied().collect()
}

/// Lets configurations of this process name a kind of data, `[data] kind = "NAME"`. `keeps` are the files and folders that its
/// codecs write into the folder of a run.
///
/// # Errors
/// [`TrainError::Config`] when the name exists.
pub fn register_data_kind<K: DataKind + DeserializeOwned>(
    name: &'static str,
    keeps: &'static [&'static str],
) -> Result<(), TrainError> {
    let mut others = OTHERS.write().unwrap_or_else(PoisonError::into_inner);
    let known = OURS.iter().chain(others.iter()).any(|known| known.name == name);
    require(!known, "data.kind", format!("`{name}` registered twice"), "a unique name of a kind of data")?;
    others.push(Registered::of::<K>(name, keeps));
    Ok(())
}

/// The shape of a run's sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataShape {
    /// Sites per sequence, `L`.
    pub length: usize,
    /// Rows and columns, if sequences are grids.
    pub grid: Option<[usize; 2]>,
    /// Number of classes of the sequences; 0 for none.
    pub classes: usize,
}

impl DataShape {
    /// Sites on a line, without classes.
    pub fn line(length: usize) -> Self {
        Self { length, grid: None, classes: 0 }
    }

    /// A grid in row-major order, without classes. The number of sites saturates.
    pub fn grid([rows, columns]: [usize; 2]) -> Self {
        Self { length: rows.saturating_mul(columns), grid: Some([rows, columns]), classes: 0 }
    }
}

/// A kind of data: the keys of a configuration's table `[data]`, and the methods that a run needs.
///
/// For your own kind, implement this trait and serde's traits, and call [`register_data_kind`]; see `examples/outside`
/// in the repository.
pub trait DataKind: Any + Debug + Send + Sync {
    /// The name in files and of the `glauber train` command, equal to the registered name.
    fn name(&self) -> &'static str;

    /// The keys except `kind`.
    ///
    /// # Errors
    /// When they cannot be written as TOML.
    fn keys(&self) -> Result<Table, toml::ser::Error>;

    /// The shape of its sequences.
    fn shape(&self) -> DataShape;

    /// A one-line description.
    fn describe(&self) -> String;

    /// Opens the data for training.
    ///
    /// # Errors
    /// If they cannot be read, or have changed since the run started.
    fn open(&self, opening: &mut Opening<'_>) -> Result<Opened>;

    /// Checks the keys.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key out of range.
    fn validate(&self) -> Result<(), TrainError> {
        Ok(())
    }

    /// The input files and folders, each with its flag.
    fn reads(&self) -> Vec<(&'static str, &Path)> {
        Vec::new()
    }

    /// Resolves the keys for a new run: absolute paths, and values read from other files. `None` if nothing changes.
    ///
    /// # Errors
    /// When such a file cannot be read.
    fn resolved(&self, device: &Device, say: Say<'_>) -> Result<Option<DataConfig>> {
        let _ = (device, say);
        Ok(None)
    }

    /// The codec of an existing run, checked against its training. By default it shows tokens as numbers.
    ///
    /// # Errors
    /// If it is missing or different.
    fn codec(&self, run: &RunFolder, vocabulary: &Vocabulary, device: &Device) -> Result<Box<dyn RunCodec>> {
        let _ = (run, vocabulary, device);
        Ok(Box::new(Numbers))
    }

    /// The name of held-out sequences.
    fn held_out(&self) -> &'static str {
        "held-out sequences"
    }

    /// The sequences for the likelihood bound of a finished run. By default draws from the held-out ones.
    ///
    /// # Errors
    /// When the settings do not fit, or the data cannot be opened.
    fn evaluated(&self, trained: &Trained, settings: &EvaluationSettings, say: Say<'_>) -> Result<Evaluated> {
        ensure!(settings.class.is_none(), "`--class` has no effect: {} are of all classes", self.held_out());
        let (config, device, cache) = (&trained.config, &trained.device, settings.cache.as_path());
        let opened =
            self.open(&mut Opening { config, begun: Some(trained.folder()), first: true, cache, device, say })?;
        Evaluated::drawn(self.held_out(), settings, |rng| {
            let mut sequence = vec![0; trained.schedule.len()];
            opened.held_out.draw(rng, &mut sequence)?;
            Ok(sequence)
        })
    }

    /// The unnormalised target of the sequences; `None` for data without one.
    ///
    /// # Errors
    /// When its file in the run folder cannot be read.
    fn target(&self, run: &RunFolder) -> Result<Option<Arc<Model>>> {
        let _ = run;
        Ok(None)
    }

    /// The Markov source of the sequences, or of a class; `None` for other kinds of data.
    ///
    /// # Errors
    /// When there is no such class.
    fn source(&self, class: Option<usize>) -> Result<Option<Source>> {
        let _ = class;
        Ok(None)
    }
}

/// Arguments for opening data.
pub struct Opening<'a> {
    /// The configuration of the run.
    pub config: &'a RunConfig,
    /// The folder of a resumed run, or of one that the first rank started.
    pub begun: Option<&'a RunFolder>,
    /// Whether this is the first rank, which prepares the data for the others.
    pub first: bool,
    /// Cache folder of prepared tokens.
    pub cache: &'a Path,
    /// Device of networks that compute tokens.
    pub device: &'a Device,
    /// Receives progress messages.
    pub say: Say<'a>,
}

/// Computes a run's excess over the Bayes loss on its held-out examples.
pub type ExcessFn<'a> = dyn Fn(&Network, &[Examples]) -> Result<Excess, TrainError> + 'a;

/// Data that are ready for training.
pub struct Opened {
    /// Training sequences.
    pub train: Box<dyn SequenceSource>,
    /// Held-out sequences.
    pub held_out: Box<dyn SequenceSource>,
    /// Properties of a run that depend on the data.
    pub vocabulary: Vocabulary,
    /// Decodes tokens for display.
    pub codec: Box<dyn RunCodec>,
    /// The excess over the Bayes loss, if it is known.
    pub excess: Option<Box<ExcessFn<'static>>>,
    /// Messages before training.
    pub notes: Vec<String>,
}

impl Opened {
    /// Trains a run on these data, and draws samples during training.
    ///
    /// # Errors
    /// As [`Run::run`].
    pub fn train(&self, run: &mut Run, hook: &mut dyn Hook) -> Result<Flow> {
        let (schedule, objective) = (run.schedule().clone(), run.config().train.objective);
        let (device, folder) = (run.device().clone(), run.folder().path().to_owned());
        let sample = |network: &Network, Draw { count, seed, step }: Draw| {
            let samples = Sampling::of_network(network, objective, &schedule, &device, count, seed)?;
            self.codec.show(&samples, &folder, step)
        };
        let (train, validation, excess) = (&*self.train, &*self.held_out, self.excess.as_deref());
        run.run(&Surroundings { train, validation, sample: Some(&sample), excess }, hook)
    }
}

/// The data of a configuration: one of the known [kinds](DataKind).
///
/// ```
/// use glauber_run::markov::MarkovData;
/// use glauber_run::{DataConfig, RunConfig};
///
/// let config: RunConfig = toml::from_str("[data]\nkind = 'markov'\nlength = 8\nvocab = 5\nsource_seed = 1")?;
/// assert_eq!(config.data.describe(), "Markov source of 5 symbols, seed 1");
/// assert_eq!(config.data, DataConfig::new(MarkovData { length: 8, vocab: 5, source_seed: 1, classes: 1 }));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct DataConfig(Arc<dyn DataKind>);

impl DataConfig {
    /// Data of a kind.
    pub fn new(kind: impl DataKind) -> Self {
        Self(Arc::new(kind))
    }

    /// The keys, if the data have this kind.
    pub fn get<K: DataKind>(&self) -> Option<&K> {
        let kind: &dyn Any = &*self.0;
        kind.downcast_ref()
    }

    /// The mutable keys, if the data have this kind.
    pub fn get_mut<K: DataKind + Clone>(&mut self) -> Option<&mut K> {
        self.0 = Arc::new(self.get::<K>()?.clone());
        let kind: &mut dyn Any = Arc::get_mut(&mut self.0)?;
        kind.downcast_mut()
    }

    /// Sites per sequence, `L`.
    pub fn length(&self) -> usize {
        self.shape().length
    }

    fn read(mut keys: Table) -> Result<Self> {
        let known = registered();
        let names = || known.iter().map(|kind| kind.name).collect::<Vec<_>>().join(", ");
        let name = match keys.remove("kind") {
            Some(toml::Value::String(name)) => name,
            Some(other) => bail!("`data.kind` is {other}, expected one of {}", names()),
            None => bail!("`data.kind` is missing, expected one of {}", names()),
        };
        let Some(kind) = known.iter().find(|kind| kind.name == name) else {
            bail!("`data.kind` is {name}, expected one of {}", names());
        };
        let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let read = (kind.read)(keys).map_err(|error| RunError::Refused(one_line(error.to_string())))?;
        ensure!(
            read.name() == name,
            "the kind of data `{name}` has the name `{}`, expected the name it is registered under",
            read.name()
        );
        Ok(Self(read))
    }

    fn table(&self) -> Result<Table, toml::ser::Error> {
        let mut table = self.keys()?;
        table.insert("kind".into(), self.name().into());
        Ok(table)
    }
}

impl Deref for DataConfig {
    type Target = dyn DataKind;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl PartialEq for DataConfig {
    fn eq(&self, other: &Self) -> bool {
        self.table().is_ok_and(|table| other.table() == Ok(table))
    }
}

impl Serialize for DataConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.table().map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DataConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Table::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
