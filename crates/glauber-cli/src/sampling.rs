//! How sequences are drawn: the one place where a sampler is chosen.

use std::ops::ControlFlow;

use anyhow::{Context, bail, ensure};
use glauber_chain::{
    ChainRng, Chains, ChangesPerEvaluation, DrawControls, HeatBath, Lazy, ReverseSampler, Sampler, SiteConditional,
    SkipAhead, SkipAheadSampler, StepDiagnostics,
};
use glauber_model::NetworkKind;
use glauber_schedule::Schedule;
use glauber_tokens::{Step, TokenBatch};

use crate::arguments::{SamplerFlags, SamplerName};
use crate::drawer::Drawer;
use crate::trained::{Blocks, Trained};

/// Chains that run at once: each holds its tokens and a row of conditionals.
pub const MOST_CHAINS: usize = 4096;

/// Checks a number of chains.
pub fn check_count(flag: &str, count: usize) -> anyhow::Result<()> {
    ensure!((1..=MOST_CHAINS).contains(&count), "`{flag}` is {count}, expected a number in 1..={MOST_CHAINS}");
    Ok(())
}

/// A sampler with all its settings.
#[derive(Debug)]
pub struct Sampling {
    sampler: Box<dyn Sampler>,
    /// The controls of heat bath, where that is the kernel: the device draws by no other.
    heat_bath: Option<DrawControls>,
    /// ReDeNoise: the time to go back to, and how often.
    redenoise: Option<(Step, usize)>,
}

impl Sampling {
    /// A sampler, once.
    pub fn new(sampler: Box<dyn Sampler>) -> Self {
        Self { sampler, heat_bath: None, redenoise: None }
    }

    /// Heat bath down a schedule.
    pub fn heat_bath(schedule: &Schedule) -> Self {
        let kernel = HeatBath::default();
        let sampler = Box::new(ReverseSampler::new(schedule.clone(), kernel));
        Self { heat_bath: Some(kernel.controls()), ..Self::new(sampler) }
    }

    /// What the flags ask for.
    pub fn from_flags(trained: &Trained, controls: DrawControls, flags: &SamplerFlags) -> anyhow::Result<Self> {
        let schedule = trained.schedule_with(flags.sweeps, Blocks::from_flags(flags.block, flags.apart))?;
        let masked_query = trained.config.model.network == NetworkKind::MaskedQuery;
        if masked_query && flags.sampler == SamplerName::SkipAhead {
            tracing::warn!(
                "a masked-query network gives one site a pass: `--sampler skip-ahead` asks it for all of them"
            );
        }
        let horizon = schedule.horizon();
        let redenoise = match (flags.renoise_steps, flags.rounds) {
            (None, None) => None,
            (None, Some(_)) => bail!("`--rounds` needs `--renoise-steps`: how far each round goes back"),
            (Some(time), _) if !(1..=horizon).contains(&time) => {
                bail!("`--renoise-steps` is {time}, expected a number in 1..={horizon}, the steps of the chain")
            }
            (Some(time), rounds) => Some((time, rounds.unwrap_or(1))),
        };
        let heat_bath = (flags.sampler == SamplerName::HeatBath).then_some(controls);
        Ok(Self { sampler: sampler(schedule, controls, flags)?, heat_bath, redenoise })
    }

    /// The controls of heat bath, where that is the method.
    pub fn heat_bath_controls(&self) -> Option<DrawControls> {
        self.heat_bath
    }

    /// The schedule.
    pub fn schedule(&self) -> &Schedule {
        self.sampler.schedule()
    }

    /// Steps that each chain goes down, all rounds together.
    pub fn steps(&self) -> usize {
        self.schedule().horizon() + self.redenoise.map_or(0, |(time, rounds)| time * rounds)
    }

    /// Draws sequences from noise, row `i` with stream `i` of `seed`. `progress` is told the steps done, a mean over the chains.
    pub fn draw(
        &self,
        conditional: &dyn SiteConditional,
        count: usize,
        seed: u64,
        progress: &mut dyn FnMut(usize),
    ) -> anyhow::Result<(TokenBatch, StepDiagnostics)> {
        let mut chains = self.start(count, seed);
        let done = self.run(&Drawer::host(conditional), &mut chains, progress)?;
        Ok((chains.into_parts().0, done))
    }

    /// [`draw`](Self::draw) over threads, for conditionals that are cheap to evaluate.
    pub fn draw_parallel(
        &self,
        conditional: &(dyn SiteConditional + Sync),
        count: usize,
        seed: u64,
    ) -> anyhow::Result<(TokenBatch, StepDiagnostics)> {
        ensure!(self.redenoise.is_none(), "several rounds are not run in parallel");
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
    pub fn run(
        &self,
        drawer: &Drawer<'_>,
        chains: &mut Chains,
        progress: &mut dyn FnMut(usize),
    ) -> anyhow::Result<StepDiagnostics> {
        let horizon = self.schedule().horizon();
        let mut done = self.down(drawer, chains, horizon, &mut |time| progress(horizon - time))?;
        let (time, rounds) = self.redenoise.unwrap_or_default();
        for round in 1..=rounds {
            chains.renoise(self.schedule(), time)?;
            done += self.down(drawer, chains, time, &mut |now| progress(horizon + round * time - now))?;
        }
        Ok(done)
    }

    /// [`run`](Self::run) in about so many stages: `watch` sees the chains at noise, after each stage and at the end.
    pub fn run_watched(
        &self,
        drawer: &Drawer<'_>,
        chains: &mut Chains,
        stages: usize,
        watch: &mut dyn FnMut(&Chains),
    ) -> anyhow::Result<StepDiagnostics> {
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
        Ok(done)
    }

    /// From a time down to time 0; `progress` is told the mean time of the chains.
    fn down(
        &self,
        drawer: &Drawer<'_>,
        chains: &mut Chains,
        from: Step,
        progress: &mut dyn FnMut(Step),
    ) -> anyhow::Result<StepDiagnostics> {
        self.between(drawer, chains, from, 0, progress)
    }

    fn between(
        &self,
        drawer: &Drawer<'_>,
        chains: &mut Chains,
        from: Step,
        to: Step,
        progress: &mut dyn FnMut(Step),
    ) -> anyhow::Result<StepDiagnostics> {
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

/// Counts as evaluations how often a sequence passed through the network: guidance asks it twice, with the class and without.
fn with_passes(done: StepDiagnostics, passes: u64) -> StepDiagnostics {
    StepDiagnostics { evaluations: done.evaluations * passes, ..done }
}

fn sampler(schedule: Schedule, controls: DrawControls, flags: &SamplerFlags) -> anyhow::Result<Box<dyn Sampler>> {
    let skips = flags.sampler == SamplerName::SkipAhead;
    for (flag, given) in [
        ("--changes-per-eval", flags.changes_per_eval.is_some()),
        ("--conditioning-window", flags.conditioning_window.is_some()),
    ] {
        ensure!(skips || !given, "`{flag}` needs `--sampler skip-ahead`");
    }
    Ok(match flags.sampler {
        SamplerName::HeatBath => Box::new(ReverseSampler::new(schedule, HeatBath::new(controls)?)),
        SamplerName::Lazy => Box::new(ReverseSampler::new(schedule, Lazy::new(controls)?)),
        SamplerName::SkipAhead => {
            let changes = flags.changes_per_eval.unwrap_or(ChangesPerEvaluation::Fixed(1));
            let window = flags.conditioning_window.or(SkipAhead::adaptive(&schedule).window());
            ensure!(window != Some(0), "`--conditioning-window` is 0, expected at least 1 step");
            Box::new(SkipAheadSampler::new(schedule, SkipAhead::new(changes, window, controls)?))
        }
    })
}

/// What drawing `count` sequences took, for stderr.
pub fn summary(done: StepDiagnostics, count: usize) -> String {
    let each = |number: u64| number as f64 / count as f64;
    format!(
        "for each of {count} sequences: {:.1} evaluations, {:.1} steps, {:.1} changes",
        each(done.evaluations),
        each(done.updates),
        each(done.changes)
    )
}

/// Reads `--changes-per-eval`.
pub fn changes_per_eval(text: &str) -> Result<ChangesPerEvaluation, String> {
    match text.parse() {
        _ if text == "auto" => Ok(ChangesPerEvaluation::AUTO),
        Ok(changes) if changes > 0 => Ok(ChangesPerEvaluation::Fixed(changes)),
        _ => Err("expected a number of changes of at least 1, or `auto`".into()),
    }
}
