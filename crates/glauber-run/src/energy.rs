//! Targets given by an energy, as data of a run.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_energy::{Model, Stage, StudySettings, TargetConfig};
use glauber_files::write_whole;
use glauber_gflownet::Buffer;
use glauber_tokens::Token;
use glauber_train::{SequenceSource, TrainError, require, within};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::data::{DataConfig, DataKind, DataShape, Opened, Opening};
use crate::error::{Context, Result, ensure};
use crate::run::checksums;
use crate::{RunCodec, RunError, RunFolder, Say, Vocabulary};

/// The copy of a target's file in a run folder: a table or a factor graph.
const KEPT: &str = "target.txt";

/// The annealed particles.
const PARTICLES: &str = "particles.safetensors";

/// Files that runs on targets keep.
pub(crate) const KEEPS: &[&str] = &[KEPT, PARTICLES];

/// Samples of an unnormalised target.
///
/// Annealed particles are the start. A training sequence is a particle, drawn in proportion to its weight and moved by some
/// updates that keep the target. An objective on them is a weighted denoising cross-entropy (E20; MDNS, arXiv 2508.10684).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnergyData {
    /// The target: its `kind` is `ising`, `potts`, `glass`, `hypergrid`, `dag` or `graph`.
    pub target: TargetConfig,
    /// Sites per sequence, `L`: those of the target. A new run sets it.
    #[serde(default)]
    pub length: usize,
    /// Annealed particles. Default: 1024.
    #[serde(default = "particles")]
    pub particles: usize,
    /// Sweeps of the annealing. Default: 1024.
    #[serde(default = "sweeps")]
    pub sweeps: usize,
    /// Updates of a training sequence after its particle: cluster updates, structure MCMC or heat-bath sweeps. Default: 4.
    #[serde(default = "updates")]
    pub updates: usize,
}

fn particles() -> usize {
    1024
}

fn sweeps() -> usize {
    1024
}

fn updates() -> usize {
    4
}

impl EnergyData {
    /// Samples of a target, with the default settings.
    pub fn new(target: TargetConfig) -> Self {
        Self { target, length: 0, particles: particles(), sweeps: sweeps(), updates: updates() }
    }

    /// The target, by the copy of its file in a run folder, or by the file.
    fn read(&self, run: Option<&RunFolder>) -> Result<Target> {
        let Some(path) = self.target.path() else {
            return Ok(Target { model: Arc::new(self.target.model("")?), file: None, particles: None });
        };
        let path = run.map_or_else(|| path.to_owned(), |run| run.path().join(KEPT));
        let named = || path.display().to_string();
        if let Some(run) = run {
            checksums::verify(run.path(), |name| name == KEPT, "restore the file, or start a new run")?;
        }
        let text = fs::read_to_string(&path).with_context(named)?;
        let model = self.target.model(&text).map_err(RunError::from).with_context(named)?;
        Ok(Target { model: Arc::new(model), file: Some(text), particles: None })
    }

    /// Anneals particles; also what to say of them. Says how far it is at every quarter.
    fn annealed(&self, model: &Model, seed: u64, say: Say<'_>) -> Result<(Buffer, String)> {
        say(&format!("annealing {} particles, {} sweeps: {}", self.particles, self.sweeps, model.name));
        let (particles, sweeps) = (self.particles, self.sweeps);
        let settings = StudySettings { particles, sweeps, seed, ..StudySettings::default() };
        let mut quarter = 0;
        let found = model.annealed(&settings, &mut |stage| {
            if let Stage::Annealing(done, of) = stage
                && 4 * done / of > quarter
            {
                quarter = 4 * done / of;
                say(&format!("annealing: {done} of {of} sweeps"));
            }
            ControlFlow::Continue(())
        })?;
        let exact = model.exact()?;
        let exact = exact.map_or_else(String::new, |exact| format!("; exactly {:.4} by {}", exact.value, exact.by));
        let [low, high] = found.log_partition.interval;
        let note = format!(
            "log Z {:.4} nats, 95 % {low:.4} to {high:.4}{exact}; {:.1} % of the particles effective",
            found.log_partition.estimate,
            100.0 * found.log_partition.effective_share
        );
        Ok((Buffer::of_particles(&found)?, note))
    }
}

impl DataKind for EnergyData {
    fn name(&self) -> &'static str {
        "energy"
    }

    fn keys(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }

    fn shape(&self) -> DataShape {
        match self.target.grid() {
            Some(grid) => DataShape::grid(grid),
            None => DataShape::line(self.target.sites().unwrap_or(self.length)),
        }
    }

    fn describe(&self) -> String {
        let [rows, columns] = self.target.grid().unwrap_or_default();
        match &self.target {
            TargetConfig::Ising { coupling, .. } => format!("Ising model, {rows} x {columns}, coupling {coupling}"),
            TargetConfig::Potts { colours, coupling, .. } => {
                format!("Potts model of {colours} colours, {rows} x {columns}, coupling {coupling}")
            }
            TargetConfig::Glass { coupling, .. } => {
                format!("Edwards-Anderson glass, {rows} x {columns}, coupling {coupling}")
            }
            TargetConfig::Hypergrid { side, dimensions, .. } => format!("hypergrid of {side}^{dimensions} cells"),
            TargetConfig::Dag { path, .. } => format!("acyclic graphs given {}", path.display()),
            TargetConfig::Graph { path } => format!("factor graph {}", path.display()),
        }
    }

    fn validate(&self) -> Result<(), TrainError> {
        within("data.particles", self.particles, 1..=1 << 20)?;
        within("data.sweeps", self.sweeps, 1..=1 << 24)?;
        within("data.updates", self.updates, 0..=1 << 16)?;
        let sites = self.target.sites().unwrap_or(self.length);
        let expected = format!("{sites}, the sites of the target: leave it out");
        require(self.length == 0 || self.length == sites, "data.length", self.length, &expected)
    }

    fn reads(&self) -> Vec<(&'static str, &Path)> {
        self.target.path().map(|path| ("--data", path)).into_iter().collect()
    }

    fn resolved(&self, _: &Device, _: Say<'_>) -> Result<Option<DataConfig>> {
        let target = match self.target.path() {
            Some(path) => self.target.clone().at(std::path::absolute(path)?),
            None => self.target.clone(),
        };
        let resolved = Self { target, ..self.clone() };
        let length = resolved.read(None)?.model.target.len();
        ensure!(
            self.length == 0 || self.length == length,
            "`data.length` (`--length`) is {}, expected {length}, the sites of the target: leave it out",
            self.length
        );
        Ok(Some(DataConfig::new(Self { length, ..resolved })))
    }

    fn open(&self, opening: &mut Opening<'_>) -> Result<Opened> {
        let mut target = self.read(opening.begun)?;
        let model = Arc::clone(&target.model);
        let (vocab, sites) = (model.target.vocab(), model.target.len());
        let kept = opening.begun.map(|run| run.path().join(PARTICLES)).filter(|path| path.is_file());
        let (buffer, notes) = match kept {
            Some(path) => {
                let hint = "restore the file, or delete it to anneal the particles again";
                checksums::verify(path.parent().unwrap_or(&path), |name| name == PARTICLES, hint)?;
                let bytes = fs::read(&path).map_err(RunError::file(&path))?;
                let buffer = Buffer::from_bytes(&bytes, vocab, sites).map_err(|error| RunError::Damaged {
                    path,
                    found: error.to_string(),
                    hint,
                })?;
                (buffer, Vec::new())
            }
            None => {
                let (buffer, note) = self.annealed(&model, opening.config.seed, &mut *opening.say)?;
                (buffer, vec![note])
            }
        };
        let counts = buffer.token_counts(vocab);
        let buffer = Arc::new(buffer);
        target.particles = Some(Arc::clone(&buffer));
        let samples = Samples { model, buffer, updates: self.updates };
        Ok(Opened {
            train: Box::new(samples.clone()),
            held_out: Box::new(samples),
            vocabulary: Vocabulary::of_counts(counts, env!("CARGO_PKG_VERSION")),
            codec: Box::new(target),
            excess: None,
            notes,
        })
    }

    fn codec(&self, run: &RunFolder, _: &Vocabulary, _: &Device) -> Result<Box<dyn RunCodec>> {
        Ok(Box::new(self.read(Some(run))?))
    }

    fn held_out(&self) -> &'static str {
        "particles of the target"
    }

    fn target(&self, run: &RunFolder) -> Result<Option<Arc<Model>>> {
        self.read(Some(run)).map(|target| Some(target.model))
    }
}

/// A target with the text of its file and its particles. It writes sequences as the target has them.
struct Target {
    model: Arc<Model>,
    file: Option<String>,
    particles: Option<Arc<Buffer>>,
}

impl RunCodec for Target {
    fn keep(&self, folder: &Path) -> Result<()> {
        let particles = self.particles.as_ref().map(|buffer| buffer.to_bytes()).transpose()?;
        let files = [(KEPT, self.file.as_ref().map(|text| text.clone().into_bytes())), (PARTICLES, particles)];
        files
            .into_iter()
            .filter_map(|(name, bytes)| Some((folder.join(name), bytes?)))
            .try_for_each(|(path, bytes)| write_whole(&path, bytes).map_err(RunError::file(&path)))
    }

    fn render(&self, tokens: &[Token]) -> Result<String> {
        Ok(self.model.render(tokens))
    }
}

/// Weighted particles, each moved before it is used.
#[derive(Clone)]
struct Samples {
    model: Arc<Model>,
    buffer: Arc<Buffer>,
    updates: usize,
}

impl SequenceSource for Samples {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        out.copy_from_slice(self.buffer.draw(rng));
        let unlawful = |error: glauber_energy::EnergyError| TrainError::Sequence {
            found: error.to_string(),
            expected: "a law of every site of a particle".into(),
        };
        (0..self.updates).try_for_each(|_| self.model.update(0, out, rng)).map_err(unlawful)?;
        Ok(None)
    }

    fn log_density(&self, tokens: &[Token]) -> Option<f64> {
        Some(self.model.target.log_density(tokens))
    }
}
