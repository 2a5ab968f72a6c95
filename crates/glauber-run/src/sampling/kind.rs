//! The samplers that settings can name: the one place where one is chosen.

use glauber_chain::{
    Blend, ChangesPerEvaluation, Flow, HeatBath, Lazy, MaximalCoupling, Plan, PlannedSampler, Remask, Remasking,
    ReverseKernel, ReverseSampler, Sampler, SkipAhead, SkipAheadSampler,
};
use glauber_schedule::Schedule;
use serde::{Deserialize, Serialize};

use super::SamplerSettings;
use crate::error::{Context, Result, ensure};
use crate::trained::{Blocks, Trained};

/// How the reverse chain undoes the steps of the forward chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SamplerKind {
    /// Redraws each site that it touches from its conditional, whatever stands there.
    #[default]
    HeatBath,
    /// Draws from the posterior given what stands there: most steps change nothing.
    Lazy,
    /// The lazy chain, the network evaluated for all sites at once and again only after changes.
    SkipAhead,
    /// Keeps what stands there, or draws the clean token ([`Flow`]).
    Flow,
    /// Keeps what stands there as often as any kernel can ([`MaximalCoupling`]).
    Coupling,
    /// Heat bath with a probability, else the lazy kernel ([`Blend`]).
    Blend,
    /// Under absorbing noise: masks what was written again, with a probability at most ([`Remasking::Cap`]).
    Remask,
    /// The same with a share of the largest probability that is allowed ([`Remasking::Rescale`]).
    RemaskRescaled,
    /// The same as [`Remask`](Self::Remask), half of the passes where a tenth of the sites is noise.
    RemaskLoop,
    /// Under absorbing noise: masks what was written with little confidence again ([`Plan::Remask`]).
    RemaskConfident,
    /// Under absorbing noise: writes as many masks a pass as there are for each pass left, any of them ([`Plan::Random`]).
    Random,
    /// The same, the first ones.
    InOrder,
    /// The same, those of the least entropy.
    Entropy,
    /// The same, those whose draws are most probable: a search, no sampler of the model.
    Confidence,
    /// The same, those of the least entropy, as many as a bound allows ([`Plan::EntropyBound`]).
    EntropyBound,
    /// The same, and what is improbable is masked again: a search ([`Plan::Path`]).
    Path,
}

impl SamplerKind {
    /// Every one.
    pub const ALL: [Self; 16] = [
        Self::HeatBath,
        Self::Lazy,
        Self::SkipAhead,
        Self::Flow,
        Self::Coupling,
        Self::Blend,
        Self::Remask,
        Self::RemaskRescaled,
        Self::RemaskLoop,
        Self::RemaskConfident,
        Self::Random,
        Self::InOrder,
        Self::Entropy,
        Self::Confidence,
        Self::EntropyBound,
        Self::Path,
    ];

    /// The name that people give it.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeatBath => "heat-bath",
            Self::Lazy => "lazy",
            Self::SkipAhead => "skip-ahead",
            Self::Flow => "flow",
            Self::Coupling => "coupling",
            Self::Blend => "blend",
            Self::Remask => "remask",
            Self::RemaskRescaled => "remask-rescaled",
            Self::RemaskLoop => "remask-loop",
            Self::RemaskConfident => "remask-confident",
            Self::Random => "random",
            Self::InOrder => "in-order",
            Self::Entropy => "entropy",
            Self::Confidence => "confidence",
            Self::EntropyBound => "entropy-bound",
            Self::Path => "path",
        }
    }

    /// What it does, for `--help`.
    pub fn about(self) -> &'static str {
        match self {
            Self::HeatBath => "Redraws each site that it touches from its conditional, whatever stands there",
            Self::Lazy => "Draws from the posterior given what stands there: most steps change nothing",
            Self::SkipAhead => {
                "The lazy chain, the network evaluated for all sites at once and again only after changes"
            }
            Self::Flow => "Keeps the token, or draws a clean one: the Euler step of discrete flow matching",
            Self::Coupling => "Keeps the token as often as any sampler can that is exact",
            Self::Blend => "Heat bath with probability `--share`, else lazy: the sampler of Duo",
            Self::Remask => "Absorbing noise: masks written tokens again with probability `--share` at most (ReMDM)",
            Self::RemaskRescaled => "Absorbing noise: the same with a `--share` of the most that is allowed",
            Self::RemaskLoop => {
                "Absorbing noise: remask, with half of the passes where a tenth is noise (ReMDM's loop)"
            }
            Self::RemaskConfident => {
                "Absorbing noise: masks what was improbable when it was written again, a `--share` of the most allowed"
            }
            Self::Random => "Absorbing noise: writes some masks a pass, any of them",
            Self::InOrder => "Absorbing noise: writes some masks a pass, the first ones",
            Self::Entropy => "Absorbing noise: writes some masks a pass, those of the least entropy",
            Self::Confidence => {
                "Absorbing noise: writes some masks a pass, the most probable draws. A search, no sampler"
            }
            Self::EntropyBound => {
                "Absorbing noise: writes masks of the least entropy, summed up to `--strength` nats a pass"
            }
            Self::Path => {
                "Absorbing noise: the same as confidence, but masks what has become improbable; `--strength`: how readily (P2)"
            }
        }
    }

    /// The default of a chain: lazy where a step touches all sites, or all of a block again and again.
    pub(super) fn of(schedule: &Schedule) -> Self {
        let all_at_once = schedule.len() > 1 && schedule.horizon() == schedule.sweeps();
        if all_at_once || schedule.order().block().is_some() { Self::Lazy } else { Self::HeatBath }
    }

    /// The plan, where it takes away masks; `number` is what `--share` or `--strength` says.
    fn plan(self, number: f64) -> Option<Plan> {
        match self {
            Self::Random => Some(Plan::Random),
            Self::InOrder => Some(Plan::InOrder),
            Self::Entropy => Some(Plan::Entropy),
            Self::Confidence => Some(Plan::Confidence),
            Self::EntropyBound => Some(Plan::EntropyBound(number)),
            Self::Path => Some(Plan::Path(number)),
            Self::RemaskConfident => Some(Plan::Remask(number)),
            _ => None,
        }
    }

    /// Whether it has a probability to be chosen.
    fn has_share(self) -> bool {
        use SamplerKind as Is;
        matches!(self, Is::Blend | Is::Remask | Is::RemaskRescaled | Is::RemaskLoop | Is::RemaskConfident)
    }

    /// Whether it has a number that is no probability.
    fn has_strength(self) -> bool {
        matches!(self, Self::EntropyBound | Self::Path)
    }
}

/// The chain that the settings ask of a run. A plan writes some masks of all sites a pass: by default in as many passes as sites.
pub(super) fn schedule(trained: &Trained, settings: &SamplerSettings) -> Result<Schedule> {
    let &SamplerSettings { sampler, sweeps, blocks, .. } = settings;
    if sampler == Some(SamplerKind::RemaskLoop) {
        let of_all = trained.schedule_with(sweeps, blocks)?;
        return of_all.through(&loop_levels(of_all.sweeps())).context("`--sampler remask-loop`");
    }
    let Some(planned) = sampler.filter(|sampler| sampler.plan(0.0).is_some()) else {
        return trained.schedule_with(sweeps, blocks);
    };
    let name = planned.name();
    ensure!(
        matches!(blocks, None | Some(Blocks::All)),
        "`--sampler {name}` looks at all sites: `--passes` in place of `--block` and `--apart`"
    );
    trained.schedule_with(sweeps.or(Some(trained.schedule.len())), Some(Blocks::All))
}

/// The levels that `sweeps` of ReMDM's loop end at: 45 % of them rise to .9, half stay there and the others rise to 1.
fn loop_levels(sweeps: usize) -> Vec<f64> {
    const LEVEL: f64 = 0.9;
    let (rise, stay) = ((9 * sweeps).div_ceil(20), sweeps / 2);
    let last = sweeps.saturating_sub(rise + stay).max(1);
    let stay = sweeps.saturating_sub(rise + last);
    let up = (1..=rise).map(|sweep| LEVEL * (sweep as f64 / rise as f64)).take(sweeps - last);
    let rest = (1..=last).map(|sweep| LEVEL + (1.0 - LEVEL) * (sweep as f64 / last as f64));
    up.chain(std::iter::repeat_n(LEVEL, stay)).chain(rest).collect()
}

/// The sampler that the settings name.
pub(super) fn sampler(
    schedule: Schedule,
    sampler: SamplerKind,
    settings: &SamplerSettings,
) -> Result<Box<dyn Sampler>> {
    let &SamplerSettings { controls, changes_per_eval, conditioning_window, share, strength, .. } = settings;
    let skips = sampler == SamplerKind::SkipAhead;
    for (flag, given) in
        [("--changes-per-eval", changes_per_eval.is_some()), ("--conditioning-window", conditioning_window.is_some())]
    {
        ensure!(skips || !given, "`{flag}` needs `--sampler skip-ahead`");
    }
    let name = sampler.name();
    ensure!(share.is_none() || sampler.has_share(), "`--share`: the sampler `{name}` has no probability to be chosen");
    ensure!(strength.is_none() || sampler.has_strength(), "`--strength`: the sampler `{name}` has no such number");
    let share = || share.with_context(|| format!("`--sampler {name}` needs `--share`: a probability"));
    let remask = |remasking, schedule: &Schedule| {
        Remask::new(schedule.law(), remasking, controls).with_context(|| format!("`--sampler {name}`, `--share`"))
    };
    if sampler.has_strength() {
        strength.with_context(|| format!("`--sampler {name}` needs `--strength`: a number of at least 0"))?;
    }
    let number = if sampler.has_share() { share()? } else { strength.unwrap_or(0.0) };
    if let Some(plan) = sampler.plan(number) {
        let planned = PlannedSampler::new(schedule, plan, controls);
        return Ok(Box::new(planned.with_context(|| format!("`--sampler {name}`"))?));
    }
    let kernel: Box<dyn ReverseKernel> = match sampler {
        SamplerKind::HeatBath => return Ok(Box::new(ReverseSampler::new(schedule, HeatBath::new(controls)?))),
        SamplerKind::Lazy => return Ok(Box::new(ReverseSampler::new(schedule, Lazy::new(controls)?))),
        SamplerKind::SkipAhead => {
            let changes = changes_per_eval.unwrap_or(ChangesPerEvaluation::Fixed(1));
            let window = conditioning_window.or(SkipAhead::adaptive(&schedule).window());
            ensure!(window != Some(0), "`--conditioning-window` is 0, expected at least 1 step");
            return Ok(Box::new(SkipAheadSampler::new(schedule, SkipAhead::new(changes, window, controls)?)));
        }
        SamplerKind::Flow => {
            let moving = schedule.law_of_levels().is_moving();
            ensure!(
                !moving,
                "`--sampler flow` undoes noise that stays the same: under noise of kind `moving` use `lazy`"
            );
            Box::new(Flow::new(controls)?)
        }
        SamplerKind::Coupling => Box::new(MaximalCoupling::new(controls)?),
        SamplerKind::Blend => {
            let (heat_bath, lazy) = (HeatBath::new(controls)?, Lazy::new(controls)?);
            Box::new(Blend::new(share()?, heat_bath, lazy).context("`--share`")?)
        }
        SamplerKind::Remask | SamplerKind::RemaskLoop => Box::new(remask(Remasking::Cap(share()?), &schedule)?),
        SamplerKind::RemaskRescaled => Box::new(remask(Remasking::Rescale(share()?), &schedule)?),
        _ => unreachable!("the others have plans"),
    };
    Ok(Box::new(ReverseSampler::new(schedule, kernel)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use glauber_schedule::{NoiseLaw, SignalShape, SiteOrder};

    #[test]
    fn half_of_a_loop_stays_at_one_level() {
        for sweeps in 1..300 {
            let levels = loop_levels(sweeps);
            assert_eq!((levels.len(), levels[sweeps - 1]), (sweeps, 1.0), "{sweeps}");
            assert!(levels[0] > 0.0 && levels.windows(2).all(|pair| pair[0] <= pair[1]), "{sweeps}: {levels:?}");
        }
        assert_eq!(loop_levels(20).iter().filter(|level| **level == 0.9).count(), 11);
    }

    #[test]
    fn passes_of_all_sites_are_lazy_unless_told_otherwise() {
        let of = |order: SiteOrder| {
            let law = NoiseLaw::uniform(3).expect("a law");
            SamplerKind::of(&Schedule::new(SignalShape::Linear, order, law, 1e-3, false).expect("a schedule"))
        };
        assert_eq!(of(SiteOrder::round_robin(4, 8).expect("an order")), SamplerKind::HeatBath);
        assert_eq!(of(SiteOrder::strided(4, 2, 8).expect("an order")), SamplerKind::HeatBath);
        assert_eq!(of(SiteOrder::strided(4, 4, 8).expect("an order")), SamplerKind::Lazy);
        assert_eq!(of(SiteOrder::block_by_block(4, 2, 8).expect("an order")), SamplerKind::Lazy);
    }
}
