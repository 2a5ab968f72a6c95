//! Trained runs, loaded for sampling and evaluation.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use glauber_chain::{
    AfterStep, BoundSampling, ChainGenerator, Constrained, Guided, Lazy, ReverseKernel, ReverseSampler, SiteConditional,
};
use glauber_energy::Model;
use glauber_model::Network;
use glauber_schedule::{OrderConfig, Schedule, ScheduleConfig};
use glauber_text::TextCodec;
use glauber_tokens::{Site, Token};
use glauber_train::NetworkConditional;

use crate::error::{Context, Result, bail, ensure};
use crate::evaluation::bound;
use crate::images::PictureCodec;
use crate::kinds::open_run;
use crate::{CheckpointInfo, RunCodec, RunConfig, RunFolder, TrainingState, Vocabulary};

/// Sites redrawn together. Exact if they are conditionally independent; for a network an approximation, worse for
/// closer sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// All sites: each step is a pass over the sequence (`--passes`).
    All,
    /// At most this many sites, spread over the sequence (`--block`).
    Strided(usize),
    /// Sites of a grid at least this many rows or columns apart (`--apart`).
    Spaced(usize),
}

/// A trained network with everything needed for sampling.
pub struct Trained {
    /// The averaged weights.
    pub network: Network,
    /// The progress of its training.
    pub state: TrainingState,
    /// Its configuration.
    pub config: RunConfig,
    /// Properties that depend on the data.
    pub vocabulary: Vocabulary,
    /// The forward chain of training.
    pub schedule: Schedule,
    /// The network's device.
    pub device: Device,
    folder: RunFolder,
    codec: Box<dyn RunCodec>,
}

impl Trained {
    /// Loads the averaged weights of a run's newest checkpoint.
    ///
    /// # Errors
    /// If the folder is not a run, has no checkpoint, or a file is damaged.
    pub fn load(run: &Path, device: &Device) -> Result<Self> {
        let folder = open_run(run)?;
        let vocabulary = folder.vocabulary()?;
        let config = folder.config()?;
        folder.check_config()?;
        let codec = config.data.codec(&folder, &vocabulary, device)?;
        let (network, state) = folder.load_average(device)?;
        if folder.checkpoints()?.pop().is_some_and(|newest| newest.step > state.step) {
            tracing::warn!("{}: the newest checkpoint cannot be read; this is step {}", run.display(), state.step);
        }
        Ok(Self {
            network,
            state,
            config,
            vocabulary,
            schedule: folder.schedule()?,
            device: device.clone(),
            folder,
            codec,
        })
    }

    /// The same run at another checkpoint.
    ///
    /// # Errors
    /// When a file of the checkpoint is damaged.
    pub fn at(self, checkpoint: &CheckpointInfo) -> Result<Self> {
        let (network, state) = self.folder.load_average_at(checkpoint, &self.device)?;
        Ok(Self { network, state, ..self })
    }

    /// The codec of the run, if it has this type.
    fn codec_as<C: RunCodec>(&self) -> Option<&C> {
        let codec: &dyn Any = &*self.codec;
        codec.downcast_ref()
    }

    /// The image codec of an image run; `None` for other runs.
    pub fn pictures(&self) -> Option<&PictureCodec> {
        self.codec_as()
    }

    pub(crate) fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// The run's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The text codec of a run on text.
    ///
    /// # Errors
    /// If the run is not on text.
    pub fn codec(&self) -> Result<&TextCodec> {
        self.codec_as().with_context(|| {
            format!("{}: this run was not trained on text; `glauber info` describes it", self.path().display())
        })
    }

    /// Formats a sequence as text, a grid, or token numbers.
    ///
    /// # Errors
    /// If a token is outside the vocabulary.
    pub fn render(&self, tokens: &[Token]) -> Result<String> {
        self.codec.render(tokens)
    }

    /// The token frequencies of the training data, shape `[token]`.
    pub fn frequencies(&self) -> Vec<f64> {
        let counts = &self.vocabulary.counts;
        let total: u64 = counts.iter().sum();
        counts.iter().map(|&count| count as f64 / total as f64).collect()
    }

    /// The forward chain with another number of sweeps (`--sweeps`), or with blocks of distant sites per step.
    ///
    /// # Errors
    /// If the run's sites have no such chain.
    pub fn schedule_with(&self, sweeps: Option<usize>, blocks: Option<Blocks>) -> Result<Schedule> {
        let mut schedule = self.schedule.clone();
        if let Some(blocks) = blocks {
            let order = self.block_order(blocks)?;
            let config = ScheduleConfig { order, ..self.config.schedule.clone() };
            let Vocabulary { size, counts, mask, .. } = &self.vocabulary;
            let of_blocks = Schedule::from_config(&config, schedule.len(), *size, Some(counts), *mask);
            schedule = of_blocks.context("`--passes`, `--block` or `--apart`")?;
        }
        if let Some(sweeps) = sweeps {
            let flag = if blocks == Some(Blocks::All) { "--passes" } else { "--sweeps" };
            ensure!((1..=1 << 16).contains(&sweeps), "`{flag}` is {sweeps}, expected a number in 1..={}", 1 << 16);
            schedule = schedule.with_sweeps(sweeps).with_context(|| format!("`{flag}`"))?;
        }
        Ok(schedule)
    }

    fn block_order(&self, blocks: Blocks) -> Result<OrderConfig> {
        let len = self.schedule.len();
        match blocks {
            Blocks::All => Ok(OrderConfig::AllAtOnce),
            Blocks::Strided(block) => {
                ensure!((1..=len).contains(&block), "`--block` is {block}, expected a number in 1..={len}");
                Ok(OrderConfig::Strided { block })
            }
            Blocks::Spaced(spacing) => {
                let Some([height, width]) = self.config.data.shape().grid else {
                    bail!("`--apart` needs sites on a grid, but {} has none; use `--block`", self.path().display());
                };
                let most = height.max(width);
                ensure!((1..=most).contains(&spacing), "`--apart` is {spacing}, expected a number in 1..={most}");
                Ok(OrderConfig::Spaced { height, width, spacing })
            }
        }
    }

    /// The network's unconditional (all-class) conditional under a schedule, as [`AfterStep`] if steps touch several
    /// sites.
    ///
    /// # Errors
    /// If the schedule has other sites or tokens.
    pub fn conditional<'a>(&'a self, schedule: &'a Schedule) -> Result<Box<dyn SiteConditional + 'a>> {
        self.conditional_of_class(schedule, None, None)
    }

    fn fitted<'a>(&'a self, schedule: &'a Schedule) -> Result<NetworkConditional<'a>> {
        let fitted = NetworkConditional::new(&self.network, self.config.train.objective, schedule, &self.device);
        fitted.with_context(|| self.path().display().to_string())
    }

    /// The network's conditional under a schedule, with optional class number and guidance weight.
    ///
    /// # Errors
    /// If the network lacks the class, or guidance has no class.
    pub fn conditional_of_class<'a>(
        &'a self,
        schedule: &'a Schedule,
        class: Option<usize>,
        guidance: Option<f64>,
    ) -> Result<Box<dyn SiteConditional + 'a>> {
        let of_class = self.fitted(schedule)?.of_class(class).context("`--class`")?;
        if let (Some(model), None) = (self.constraint(schedule)?, guidance) {
            let exclude = move |known: &[Option<Token>], site: Site, possible: &mut [bool]| {
                model.target.exclude(known, site, possible);
            };
            return Ok(Box::new(Constrained::new(of_class, schedule, exclude)?));
        }
        Ok(match (guidance, class) {
            (None, _) => AfterStep::where_several(of_class, schedule),
            (Some(_), None) => bail!("`--guidance` needs `--class`, the class to emphasise"),
            (Some(weight), Some(_)) => {
                let guided = Guided::new(of_class, self.fitted(schedule)?, weight).context("`--guidance`")?;
                AfterStep::where_several(guided, schedule)
            }
        })
    }

    /// The target of the run, if it excludes tokens and every step of the schedule touches one site. Chains on the host then
    /// never end in what it excludes.
    ///
    /// # Errors
    /// When the target's file in the run folder cannot be read.
    pub fn constraint(&self, schedule: &Schedule) -> Result<Option<Arc<Model>>> {
        if !schedule.order().is_single_site() {
            return Ok(None);
        }
        Ok(self.config.data.target(self.folder())?.filter(|model| model.target.has_constraint()))
    }

    /// The run as a generator: chains of the lazy kernel under a schedule, with their bound (N).
    ///
    /// # Errors
    /// If the schedule has other sites or tokens.
    pub fn generator<'a>(&'a self, schedule: &'a Schedule) -> Result<ChainGenerator<'a>> {
        let sampler = ReverseSampler::new(schedule, Lazy::default());
        let kernel: Box<dyn ReverseKernel> = Box::new(Lazy::default());
        let bound = bound(schedule, kernel, &self.vocabulary)?;
        let chain =
            ChainGenerator::new(self.path().display().to_string(), self.conditional(schedule)?, Box::new(sampler));
        Ok(chain.bounded_by(bound, BoundSampling::default()))
    }

    /// The class number of `--class`, a name or a number. A name that is also another class's number counts as the
    /// number.
    ///
    /// # Errors
    /// When there is no such class.
    pub fn class(&self, asked: Option<&str>) -> Result<Option<usize>> {
        let Some(asked) = asked else { return Ok(None) };
        let (run, names, classes) = (self.path().display(), &self.vocabulary.classes, self.config.model.classes);
        ensure!(classes > 0, "`--class {asked}`: {run} was trained without classes");
        let number = asked.parse().ok().filter(|&number| number < classes);
        let named = names.iter().position(|name| name == asked);
        if let (Some(number), Some(named)) = (number, named)
            && number != named
        {
            tracing::warn!(
                "`--class {asked}` is the class of this number, `{}`; `{asked}` has number {named}",
                names[number]
            );
        }
        let class = number.or(named);
        ensure!(class.is_some(), "`--class {asked}`: {run} has {}", known(names, classes));
        Ok(class)
    }
}

/// A list of a run's classes, truncated if long.
fn known(names: &[String], classes: usize) -> String {
    const NAMED: usize = 20;
    match names.len() {
        0 => format!("the classes 0..{classes}, whose names it does not keep"),
        count => {
            let named = names.iter().take(NAMED).enumerate().map(|(number, name)| format!("{number} {name}"));
            let more =
                if count > NAMED { format!(" and {} more, see `glauber info`", count - NAMED) } else { String::new() };
            format!("the classes {}{more}", named.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_classes_the_first_are_named() {
        let names: Vec<String> = (0..1000).map(|class| format!("class{class}")).collect();
        assert_eq!(known(&names[..2], 2), "the classes 0 class0, 1 class1");
        let many = known(&names, 1000);
        assert!(many.ends_with("19 class19 and 980 more, see `glauber info`"), "{many}");
        assert_eq!(known(&[], 3), "the classes 0..3, whose names it does not keep");
    }
}
