//! The forward (noising) chain, in closed form and step by step.

use glauber_schedule::{NoiseLaw, Schedule};
use glauber_tokens::{Site, Step, Token};

use crate::ChainRng;

/// Draws `X_t` given `X_0` by equation (M): site `j` keeps its token with probability `α_j(t)`, and otherwise receives
/// a draw of `q`.
///
/// Uses one uniform number for each site, and another for each site noised. `clean` and `out` have shape `[site]`.
///
/// # Panics
/// When `clean` or `out` does not have one token for each site of the schedule.
pub fn corrupt(schedule: &Schedule, clean: &[Token], t: Step, rng: &mut ChainRng, out: &mut [Token]) {
    assert_eq!(clean.len(), schedule.len(), "one clean token for each site");
    corrupt_at_levels(schedule.law_of_levels(), |site| schedule.signal_level(site, t), clean, rng, out);
}

/// Draws each site's noisy token given its signal level: equation (M) for any levels. The law may move with the level.
///
/// # Panics
/// When `clean` and `out`, both `[site]`, differ in length.
pub fn corrupt_at_levels(
    law: &NoiseLaw,
    level: impl Fn(Site) -> f64,
    clean: &[Token],
    rng: &mut ChainRng,
    out: &mut [Token],
) {
    assert_eq!(out.len(), clean.len(), "one noisy token for each site");
    for (site, (noisy, &token)) in out.iter_mut().zip(clean).enumerate() {
        let level = level(site);
        *noisy = if rng.uniform() < level { token } else { law.draw_at(level, rng.uniform()) };
    }
}

/// Simulates step `t`: each of its sites draws `Z ~ Π_t` and shows it, unless `Z` is `φ`.
///
/// Returns the draws in the order of [`Schedule::sites`], `None` for `φ`. `tokens` has shape `[site]` and goes from `X_t` to
/// `X_{t+1}`.
///
/// # Panics
/// When `t` is not below the horizon or `tokens` does not have one token for each site.
pub fn step(schedule: &Schedule, t: Step, tokens: &mut [Token], rng: &mut ChainRng) -> Vec<Option<Token>> {
    assert_eq!(tokens.len(), schedule.len(), "one token for each site");
    let keep = schedule.keep_probability(t);
    schedule
        .sites(t)
        .iter()
        .map(|&site| {
            if rng.uniform() < keep {
                return None;
            }
            let noise = schedule.step_law(t).draw(rng.uniform());
            tokens[site] = noise;
            Some(noise)
        })
        .collect()
}
