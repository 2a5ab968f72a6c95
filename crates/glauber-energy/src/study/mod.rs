//! A target looked at from all sides: `log Z` by annealing, exact values beside it, and means in equilibrium.

mod config;
mod equilibrium;
mod model;

use std::ops::ControlFlow;

use glauber_chain::ChainRng;
use glauber_tokens::TokenBatch;

use crate::anneal::systematic;
use crate::{
    Annealed, Annealing, EnergyError, Increment, IsingBits, Levels, LogPartition, Particles, Population, Result,
};

pub use config::{LatticeConfig, TargetConfig};
pub use equilibrium::Mean;
pub use model::{Exact, Measure, Model, Moves, Observable, Show, Update};

/// How much work a study does.
#[derive(Debug, Clone, PartialEq)]
pub struct StudySettings {
    /// Annealed particles; of an Ising torus rounded up to a multiple of 64.
    pub particles: usize,
    /// Sweeps of the annealing.
    pub sweeps: usize,
    /// What a level adds to a weight.
    pub increment: Increment,
    /// Particles are resampled below this share of effective ones; `None` never.
    pub resample_below: Option<f64>,
    /// Levels from a pilot run that keeps this share of effective particles at each step; `None` for linear levels.
    pub pilot: Option<f64>,
    /// Chains in equilibrium.
    pub chains: usize,
    /// Updates of a chain that are measured: sweeps, or cluster updates where there are any.
    pub updates: usize,
    /// Updates before the first measurement.
    pub burn_in: usize,
    /// Seed of everything.
    pub seed: u64,
}

impl Default for StudySettings {
    fn default() -> Self {
        Self {
            particles: 1024,
            sweeps: 1024,
            increment: Increment::RaoBlackwell,
            resample_below: Some(0.5),
            pilot: Some(0.99),
            chains: 16,
            updates: 2000,
            burn_in: 200,
            seed: 1,
        }
    }
}

impl StudySettings {
    /// Refuses what does not fit in memory, or never ends.
    fn check(&self, model: &Model) -> Result<()> {
        let (chains, updates) = (self.chains as f64, self.updates as f64);
        let most = 1 << 28;
        for (key, found, least) in
            [("chains", self.chains, 1), ("updates", self.updates, 1), ("burn_in", self.burn_in, 0)]
        {
            let expected = if found < least { "at least 1" } else { "at most 2^28" };
            EnergyError::unless_in_range((least..=most).contains(&found), key, found as f64, expected)?;
        }
        let sites = chains * model.target.len() as f64;
        EnergyError::unless_in_range(sites <= MOST_NUMBERS, "chains times sites", sites, "at most 2^28")?;
        let numbers = chains * updates * (model.observables.len() as f64).max(1.0);
        EnergyError::unless_in_range(
            numbers <= MOST_NUMBERS,
            "chains times updates times means",
            numbers,
            "at most 2^28",
        )
    }
}

/// What a study found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Study {
    /// What the target is.
    pub name: String,
    /// Sites `L`.
    pub sites: usize,
    /// Tokens `V`.
    pub tokens: usize,
    /// Whether some sites have fewer.
    pub tokens_differ: bool,
    /// `log Z`, in nats.
    pub log_partition: LogPartition,
    /// The exact `log Z`, where one exists.
    pub exact: Option<Exact>,
    /// Particles.
    pub particles: usize,
    /// Sweeps of the annealing.
    pub sweeps: usize,
    /// How often particles were resampled.
    pub resamplings: usize,
    /// How the chains in equilibrium move.
    pub moves: &'static str,
    /// Chains in equilibrium, and measured updates of each.
    pub equilibrium: [usize; 2],
    /// Means in equilibrium.
    pub means: Vec<Mean>,
    /// States of the chains at the end, shape `[chain, site]`.
    #[serde(skip)]
    pub samples: TokenBatch,
}

/// What a study is at, for its watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Sweeps of the pilot run done, of at most so many.
    Pilot(usize, usize),
    /// Sweeps of the annealing done, of all.
    Annealing(usize, usize),
    /// Updates of each chain in equilibrium done, of all.
    Equilibrium(usize, usize),
}

impl Study {
    /// Studies a model. The watcher may stop it.
    ///
    /// # Errors
    /// When a setting is out of range, the target has no law somewhere, or the watcher stops.
    pub fn of(
        model: &Model,
        settings: &StudySettings,
        watch: &mut dyn FnMut(Stage) -> ControlFlow<()>,
    ) -> Result<Self> {
        settings.check(model)?;
        // First what is cheap: a target that is nowhere possible says so here.
        let exact = model.exact()?;
        let found = model.annealed(settings, watch)?;
        // Chains start from particles drawn by their weights: all modes that the annealing found, as often as they weigh.
        let uniform = ChainRng::new(settings.seed, u64::MAX - 2).uniform();
        let drawn = systematic(&found.log_weights, uniform);
        let mut starts = TokenBatch::filled(settings.chains, found.tokens.len(), 0);
        for row in 0..settings.chains {
            let particle = drawn[row * drawn.len() / settings.chains.max(1)];
            starts.row_mut(row).copy_from_slice(found.tokens.row(particle));
        }
        let (means, samples) =
            equilibrium::measure(model, starts, settings, &mut |done, of| watch(Stage::Equilibrium(done, of)))?;
        Ok(Self {
            name: model.name.clone(),
            sites: model.target.len(),
            tokens: model.target.vocab(),
            tokens_differ: model.tokens_differ(),
            log_partition: found.log_partition,
            exact,
            particles: found.log_weights.len(),
            sweeps: settings.sweeps,
            resamplings: found.resamplings,
            moves: model.moves.as_ref().map_or("heat-bath sweeps", |moves| moves.name),
            equilibrium: [settings.chains, settings.updates],
            means,
            samples,
        })
    }
}

impl Model {
    /// Weighted particles of the target. The watcher may stop it.
    ///
    /// # Errors
    /// When a setting is out of range, the target has no law somewhere, or the watcher stops.
    pub fn annealed(
        &self,
        settings: &StudySettings,
        watch: &mut dyn FnMut(Stage) -> ControlFlow<()>,
    ) -> Result<Annealed> {
        let levels = match settings.pilot {
            Some(keep) => {
                let mut pilot = population(self, 256, settings.seed ^ 0x9110_7000)?;
                let limit = settings.sweeps.max(64);
                Levels::from_pilot(&mut *pilot, keep, limit, settings.sweeps, &mut |done, of| {
                    watch(Stage::Pilot(done, of))
                })
                .map_err(|error| match error {
                    other @ (EnergyError::Stopped { .. } | EnergyError::OutOfRange { .. }) => other,
                    other => EnergyError::Pilot(Box::new(other)),
                })?
            }
            None => Levels::linear(settings.sweeps)?,
        };
        let mut particles = population(self, settings.particles, settings.seed)?;
        let annealing =
            Annealing { increment: settings.increment, resample_below: settings.resample_below, seed: settings.seed };
        annealing.run(&mut *particles, &levels, &mut |done, of| watch(Stage::Annealing(done, of)))
    }
}

/// Numbers of a study that are kept in memory at once.
const MOST_NUMBERS: f64 = (1 << 28) as f64;

fn population<'a>(model: &'a Model, particles: usize, seed: u64) -> Result<Box<dyn Population + 'a>> {
    EnergyError::unless_in_range(particles > 0, "particles", 0.0, "at least 1")?;
    let tokens = particles as f64 * model.target.len() as f64;
    EnergyError::unless_in_range(tokens <= MOST_NUMBERS, "particles times sites", tokens, "at most 2^28")?;
    match &model.bits {
        Some(ising) => Ok(Box::new(IsingBits::new(ising, particles.next_multiple_of(64), seed)?)),
        None => Ok(Box::new(Particles::new(&*model.target, &*model.base, particles, seed)?)),
    }
}
