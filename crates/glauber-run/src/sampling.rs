//! Sampling.

mod kind;

use std::ops::ControlFlow;

use burn::tensor::Device;
use glauber_chain::{
    AfterStep, ChainRng, Chains, ChangesPerEvaluation, DrawControls, HeatBath, Lazy, ReverseSampler, Sampler,
    SiteConditional, StepDiagnostics, repair,
};
use glauber_model::{Asked, Network, SiteClassifier};
use glauber_schedule::Schedule;
use glauber_tokens::{Step, TokenBatch};
use glauber_train::{NetworkConditional, Objective};

use crate::Advance;
use crate::drawer::Drawer;
use crate::error::{Context, Result, bail, ensure};
use crate::trained::{Blocks, Trained};

pub use kind::SamplerKind;

/// Maximal number of chains at once; each stores its tokens and a row of conditionals.
pub const MOST_CHAINS: usize = 4096;

/// Seed of the site orders of repairs; draws use the chains' own seeds.
const REPAIR_ORDER: u64 = 0x5EED;

/// Checks a number of chains.
///
/// # Errors
/// If it is 0 or too large; the error names `flag`.
pub fn check_count(flag: &str, count: usize) -> Result<()> {
    ensure!((1..=MOST_CHAINS).contains(&count), "`{flag}` is {count}, expected a number in 1..={MOST_CHAINS}");
    Ok(())
}

/// Settings of a sampler. The default is heat bath on the chain of training, or the lazy kernel if steps touch all
/// sites at once.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SamplerSettings {
    /// The sampler; default heat bath, or the lazy kernel if steps touch all sites at once. Heat bath then does not
    /// give the law of the model for any number of passes (`docs/math.md`, §7).
    pub sampler: Option<SamplerKind>,
    /// Temperature and truncation of the draws.
    pub controls: DrawControls,
    /// skip-ahead: changes until the network is re-evaluated; default 1, the reference.
    pub changes_per_eval: Option<ChangesPerEvaluation>,
    /// skip-ahead: maximal steps until re-evaluation; default 1/32 of the steps of the chain.
    pub conditioning_window: Option<usize>,
    /// Sweeps of the chain; default: as in training.
    pub sweeps: Option<usize>,
    /// Sites redrawn together; default: as in training.
    pub blocks: Option<Blocks>,
    /// The probability of heat bath, or of masking again, for samplers with such a parameter.
    pub share: Option<f64>,
    /// The summed entropy of a pass in nats, or the rate of masking again, for samplers with such a parameter.
    pub strength: Option<f64>,
    /// ReDeNoise: number of steps to noise finished sequences.
    pub renoise_steps: Option<usize>,
    /// Rounds of ReDeNoise; default 1.
    pub rounds: Option<usize>,
    /// Final heat-bath sweeps over clean tokens ([`repair`]); default none.
    pub repair: usize,
}

/// A sampler with all its settings.
#[derive(Debug)]
pub struct Sampling {
    sampler: Box<dyn Sampler>,
    /// Its name.
    name: &'static str,
    /// The controls of heat bath, if that is the kernel; the device supports no other.
    heat_bath: Option<DrawControls>,
    /// ReDeNoise: the time to noise to, and the number of rounds.
    redenoise: Option<(Step, usize)>,
    /// Final sweeps, and the controls of their draws.
    repair: (usize, DrawControls),
}

impl Sampling {
    /// A sampler without rounds.
    pub fn new(sampler: Box<dyn Sampler>) -> Self {
        Self {
            sampler,
            name: "one of your own",
            heat_bath: None,
            redenoise: None,
            repair: (0, DrawControls::default()),
        }
    }

    /// Heat bath down a schedule.
    pub fn heat_bath(schedule: &Schedule) -> Self {
        let kernel = HeatBath::default();
        let sampler = Box::new(ReverseSampler::new(schedule.clone(), kernel));
        Self { name: SamplerKind::HeatBath.name(), heat_bath: Some(kernel.controls()), ..Self::new(sampler) }
    }

    /// The sampling of a run with the given settings.
    ///
    /// # Errors
    /// If a setting is out of range, or belongs to another sampler.
    pub fn of(trained: &Trained, settings: &SamplerSettings) -> Result<Self> {
        let schedule = kind::schedule(trained, settings)?;
        let sampler = settings.sampler.unwrap_or_else(|| SamplerKind::of(&schedule));
        let one_site = trained.network.answers() == Asked::OneSite;
        if one_site && sampler == SamplerKind::SkipAhead {
            tracing::warn!(
                "a masked-query network gives one site a pass: `--sampler skip-ahead` asks it for all of them"
            );
        }
        let horizon = schedule.horizon();
        let redenoise = match (settings.renoise_steps, settings.rounds) {
            (None, None) => None,
            (None, Some(_)) => bail!("`--rounds` needs `--renoise-steps`, the number of steps that each round noises"),
            (Some(time), _) if !(1..=horizon).contains(&time) => {
                bail!("`--renoise-steps` is {time}, expected a number in 1..={horizon}, the steps of the chain")
            }
            (Some(time), rounds) => Some((time, rounds.unwrap_or(1))),
        };
        let heat_bath = (sampler == SamplerKind::HeatBath).then_some(settings.controls);
        ensure!(settings.repair <= 1 << 16, "`--repair` is {}, expected at most {} sweeps", settings.repair, 1 << 16);
        let repair = (settings.repair, settings.controls);
        let name = sampler.name();
        Ok(Self { sampler: kind::sampler(schedule, sampler, settings)?, name, heat_bath, redenoise, repair })
    }

    /// Samples a network during training: [`draw`](Self::draw) with the default sampler of its chain.
    ///
    /// # Errors
    /// When the network does not fit to the schedule.
    pub fn of_network(
        network: &Network,
        objective: &dyn Objective,
        schedule: &Schedule,
        device: &Device,
        count: usize,
        seed: u64,
    ) -> Result<TokenBatch> {
        let conditional = NetworkConditional::new(network, objective, schedule, device)?;
        let sampling = match SamplerKind::of(schedule) {
            SamplerKind::HeatBath => Self::heat_bath(schedule),
            _ => Self::new(Box::new(ReverseSampler::new(schedule.clone(), Lazy::default()))),
        };
        let conditional = AfterStep::where_several(conditional, schedule);
        Ok(sampling.draw(&conditional, count, seed, &mut |_| {}).context("drawing samples")?.0)
    }

    /// The name of the sampler.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The controls of heat bath, if that is the method.
    pub fn heat_bath_controls(&self) -> Option<DrawControls> {
        self.heat_bath
    }

    /// Whether the chain ends with repair sweeps.
    pub fn repairs(&self) -> bool {
        self.repair.0 > 0
    }

    /// The schedule.
    pub fn schedule(&self) -> &Schedule {
        self.sampler.schedule()
    }

    /// Steps per chain, over all rounds.
    pub fn steps(&self) -> usize {
        let repair = self.repair.0 * self.schedule().len();
        self.schedule().horizon() + self.redenoise.map_or(0, |(time, rounds)| time * rounds) + repair
    }

    /// Draws sequences from noise, row `i` with stream `i` of `seed`. `progress` receives the number of steps done, a
    /// mean over the chains.
    ///
    /// # Errors
    /// If the conditional has other sites or tokens, or fails.
    pub fn draw(
        &self,
        conditional: &dyn SiteConditional,
        count: usize,
        seed: u64,
        progress: Advance<'_>,
    ) -> Result<(TokenBatch, StepDiagnostics)> {
        let mut chains = self.start(count, seed);
        let done = self.run(&Drawer::host(conditional), &mut chains, progress)?;
        Ok((chains.into_parts().0, done))
    }

    /// [`draw`](Self::draw) in parallel, for conditionals that are cheap to evaluate.
    ///
    /// # Errors
    /// As [`draw`](Self::draw), and with ReDeNoise.
    pub fn draw_parallel(
        &self,
        conditional: &(dyn SiteConditional + Sync),
        count: usize,
        seed: u64,
    ) -> Result<(TokenBatch, StepDiagnostics)> {
        ensure!(self.redenoise.is_none() && self.repair.0 == 0, "several rounds cannot run in parallel");
        let mut chains = self.start(count, seed);
        let done = self.sampler.sample_parallel(conditional, &mut chains);
        Ok((chains.into_parts().0, with_passes(done.context("sampling")?, conditional.passes())))
    }

    /// Chains at the noise law.
    pub fn start(&self, count: usize, seed: u64) -> Chains {
        self.start_with(ChainRng::streams(seed, count))
    }

    /// Chains at the noise law, one for each generator.
    pub fn start_with(&self, rngs: Vec<ChainRng>) -> Chains {
        Chains::from_noise(self.schedule(), rngs)
    }

    /// Runs chains at the noise law down to time 0, and through the rounds of ReDeNoise.
    ///
    /// # Errors
    /// If the chains do not fit the drawer, or drawing fails.
    pub fn run(&self, drawer: &Drawer<'_>, chains: &mut Chains, progress: Advance<'_>) -> Result<StepDiagnostics> {
        let horizon = self.schedule().horizon();
        let mut done = self.between(drawer, chains, horizon, 0, &mut |time| progress(horizon - time))?;
        let (time, rounds) = self.redenoise.unwrap_or_default();
        for round in 1..=rounds {
            chains.renoise(self.schedule(), time)?;
            done += self.between(drawer, chains, time, 0, &mut |now| progress(horizon + round * time - now))?;
        }
        done += self.repair(drawer, chains, progress)?;
        Ok(done)
    }

    /// The repair sweeps, if any.
    fn repair(&self, drawer: &Drawer<'_>, chains: &mut Chains, progress: Advance<'_>) -> Result<StepDiagnostics> {
        let ((sweeps, controls), all) = (self.repair, self.steps());
        match drawer {
            Drawer::Host(conditional) => {
                let done = repair(conditional.as_ref(), chains, sweeps, controls, REPAIR_ORDER, &mut |seen| {
                    progress(all - seen.step);
                    ControlFlow::Continue(())
                });
                Ok(with_passes(done.context("`--repair`")?, conditional.passes()))
            }
            Drawer::Device(_) => {
                ensure!(sweeps == 0, "`--repair` draws on the host: `--draw-on host`");
                Ok(StepDiagnostics::default())
            }
        }
    }

    /// [`run`](Self::run) in about `stages` stages. `watch` receives the chains at noise, after each stage and at the
    /// end.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_watched(
        &self,
        drawer: &Drawer<'_>,
        chains: &mut Chains,
        stages: usize,
        watch: &mut dyn FnMut(&Chains),
    ) -> Result<StepDiagnostics> {
        let mut done = StepDiagnostics::default();
        let stride = self.steps().div_ceil(stages).max(1);
        let (time, rounds) = self.redenoise.unwrap_or_default();
        watch(chains);
        for round in 0..=rounds {
            let mut at = self.schedule().horizon();
            if round > 0 {
                chains.renoise(self.schedule(), time)?;
                at = time;
            }
            while at > 0 {
                let to = at.saturating_sub(stride);
                done += self.between(drawer, chains, at, to, &mut |_| {})?;
                watch(chains);
                at = to;
            }
        }
        if self.repair.0 > 0 {
            done += self.repair(drawer, chains, &mut |_| {})?;
            watch(chains);
        }
        Ok(done)
    }

    /// Runs from a time down to another; `progress` receives the mean time of the chains.
    fn between(
        &self,
        drawer: &Drawer<'_>,
        chains: &mut Chains,
        from: Step,
        to: Step,
        progress: &mut dyn FnMut(Step),
    ) -> Result<StepDiagnostics> {
        let conditional = match drawer {
            Drawer::Host(conditional) => conditional.as_ref(),
            Drawer::Device(sampler) => return sampler.undo(chains, from, to, progress).context("sampling"),
        };
        let done = self.sampler.run(conditional, chains, from, to, &mut |seen| {
            progress(seen.step);
            ControlFlow::Continue(())
        });
        Ok(with_passes(done.context("sampling")?, conditional.passes()))
    }
}

/// Counts network passes as evaluations: guidance needs two, with and without the class.
fn with_passes(done: StepDiagnostics, passes: u64) -> StepDiagnostics {
    StepDiagnostics { evaluations: done.evaluations * passes, ..done }
}

/// The cost of drawing `count` sequences, for stderr.
pub fn summary(done: StepDiagnostics, count: usize) -> String {
    let each = |number: u64| number as f64 / count as f64;
    format!(
        "for each of {count} sequences: {:.1} evaluations, {:.1} steps, {:.1} changes",
        each(done.evaluations),
        each(done.updates),
        each(done.changes)
    )
}
