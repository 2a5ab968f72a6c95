//! The lazy kernel: the posterior of a site given everything that stands there now, the site's own token included.

mod predicted;

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token, TokenError};

use crate::update::{self, Refusal, SiteDraw};
use crate::{ChainError, Chains, DrawControls, SiteConditional, StepDiagnostics};

pub use predicted::predicted_changes;

/// Undoes forward steps by the true posterior, equation (L): given that site `i` shows `a` after step `t`, it showed `b` before with
/// probability proportional to `r(b) K(b → a)`, where `K(b → a) = Π_t(φ) 1{a = b} + Π_t(a)`.
///
/// [`HeatBath`](crate::HeatBath) ignores the token that stands at the site and gives the right law at each time; this kernel gives the
/// right joint law of all times: it is the time reversal of the forward chain. Where `β_t` is small nearly every update keeps the
/// token, and [`predicted_changes`] says how many do not. The sites of a block are drawn from one evaluation, as by heat bath.
///
/// Each update uses one uniform number `u`, and keeps the token if and only if `u` is below the probability of keeping it.
///
/// Draw controls act on `log r`, before (L) is formed. Under absorbing noise a token that the noise law cannot have drawn is signal
/// for sure: it stays, whatever the controls would do to it. At temperature 0 every token that may be noise becomes the most probable
/// one, so the kernel is heat bath at temperature 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lazy {
    controls: DrawControls,
}

impl Lazy {
    /// A kernel that draws under the given controls. [`Lazy::default`] draws from the posterior itself.
    ///
    /// # Errors
    /// When a control is out of range.
    pub fn new(controls: DrawControls) -> Result<Self, ChainError> {
        controls.validate()?;
        Ok(Self { controls })
    }

    /// How `r` is changed before the posterior is formed.
    pub fn controls(&self) -> DrawControls {
        self.controls
    }

    /// Turns the conditional `r` of a site, shape `[token]`, into its posterior by equation (L), in place: the law of the site before
    /// step `step`, given that it shows `shown` after it. `r` may have any positive mass; the posterior sums to 1.
    ///
    /// # Errors
    /// When `rates` or `shown` are not of the schedule's vocabulary; when `rates` has no positive finite mass, or the posterior has none: the
    /// site shows a token that neither the data nor the noise can have put there. Errors name row 0 and the site given.
    ///
    /// # Panics
    /// When `step` is not below the horizon.
    pub fn posterior(
        schedule: &Schedule,
        step: Step,
        site: Site,
        shown: Token,
        rates: &mut [f64],
    ) -> Result<(), ChainError> {
        let vocab = schedule.law().vocab();
        if rates.len() != vocab {
            return Err(ChainError::Mismatch {
                what: "tokens of the conditional",
                found: rates.len(),
                expected: vocab,
            });
        }
        if shown as usize >= vocab {
            return Err(TokenError::OutsideVocabulary { token: shown, row: 0, site, vocab }.into());
        }
        let touch = Touch::new(schedule, step);
        let mass = touch.weigh(rates, shown).map_err(|refusal| refusal.at(0, site, step, shown))?;
        rates.iter_mut().for_each(|weight| *weight /= mass);
        Ok(())
    }

    /// Undoes one step in every chain: redraws the free sites that it touches, from one evaluation. Uses one uniform number for each
    /// such site; evaluates nothing where all of them are clamped.
    ///
    /// # Errors
    /// When the conditional fails, writes a NaN or leaves no token possible, when a site shows a token that neither the data nor the
    /// noise can have put there, or when the conditional, the schedule and the chains do not fit. Chains before the one at fault have
    /// been updated.
    ///
    /// # Panics
    /// When `step` is not below the horizon.
    pub fn update<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        schedule: &Schedule,
        step: Step,
    ) -> Result<StepDiagnostics, ChainError> {
        check_vocab(conditional, schedule)?;
        update::update(&self.down(schedule), conditional, chains, step, schedule.sites(step))
    }

    /// Undoes steps of a schedule in the order given, all chains in one evaluation a step. A reverse chain takes the steps backwards.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    ///
    /// # Panics
    /// When a step is not below the horizon.
    pub fn run<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        schedule: &Schedule,
        steps: impl Iterator<Item = Step>,
    ) -> Result<StepDiagnostics, ChainError> {
        check_vocab(conditional, schedule)?;
        update::run(&self.down(schedule), conditional, chains, schedule.order(), steps)
    }

    /// [`run`](Self::run) with the chains shared out over the threads of the rayon pool: for conditionals that are cheap to evaluate.
    /// The result is the same, bit by bit.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    ///
    /// # Panics
    /// When a step is not below the horizon.
    pub fn run_parallel<C: SiteConditional + Sync + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        schedule: &Schedule,
        steps: impl Iterator<Item = Step> + Clone + Sync,
    ) -> Result<StepDiagnostics, ChainError> {
        check_vocab(conditional, schedule)?;
        update::run_parallel(&self.down(schedule), conditional, chains, schedule.order(), steps)
    }

    fn down<'a>(&self, schedule: &'a Schedule) -> Down<'a> {
        Down { controls: self.controls, schedule }
    }
}

/// The kernel and the schedule whose steps it undoes.
struct Down<'a> {
    controls: DrawControls,
    schedule: &'a Schedule,
}

impl SiteDraw for Down<'_> {
    fn reads_logs(&self) -> bool {
        !self.controls.is_neutral()
    }

    fn at(&self, step: Step) -> impl Fn(&mut [f64], Token, f64) -> Result<Token, Refusal> {
        let touch = Touch::new(self.schedule, step);
        move |law, shown, uniform| touch.draw(&self.controls, law, shown, uniform)
    }
}

/// One step of a schedule, as the lazy kernel sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touch<'a> {
    /// `Π_t(φ)`.
    keep: f64,
    /// `β_t`.
    beta: f64,
    /// The noise distribution, shape `[token]`.
    noise: &'a [f64],
}

impl<'a> Touch<'a> {
    pub fn new(schedule: &'a Schedule, step: Step) -> Self {
        let keep = schedule.keep_probability(step);
        Self { keep, beta: 1.0 - keep, noise: schedule.law().probabilities() }
    }

    /// The draw at a uniform number. `law`, shape `[token]`, is overwritten; it has probabilities under neutral controls, else their
    /// logarithms.
    pub fn draw(&self, controls: &DrawControls, law: &mut [f64], shown: Token, uniform: f64) -> Result<Token, Refusal> {
        if !controls.is_neutral() {
            // A token that noise cannot have drawn stays: the controls have no say, unless it is impossible anyway.
            if self.noise[shown as usize] == 0.0 && law[shown as usize] > f64::NEG_INFINITY {
                return Ok(shown);
            }
            controls.apply(law);
        }
        let mass = self.weigh(law, shown)?;
        Ok(draw_shown_first(law, mass, shown, uniform))
    }

    /// Turns `r` into the weights `r(b) K(b → shown)` of equation (L) in place and returns their positive sum. The terms other than the
    /// one of `shown` share the factor `Π_t(shown)`.
    fn weigh(&self, rates: &mut [f64], shown: Token) -> Result<f64, Refusal> {
        let mass: f64 = rates.iter().sum();
        if !(mass > 0.0 && mass < f64::INFINITY) {
            return Err(Refusal::Mass(mass));
        }
        let noise = self.beta * self.noise[shown as usize];
        let kept = (self.keep + noise) * rates[shown as usize];
        rates.iter_mut().for_each(|rate| *rate *= noise);
        rates[shown as usize] = kept;
        let mass: f64 = rates.iter().sum();
        if mass > 0.0 { Ok(mass) } else { Err(Refusal::Shown) }
    }
}

/// The token at a uniform number by inversion of the cumulative weights, the token shown first and the others in order.
fn draw_shown_first(weights: &[f64], total: f64, shown: Token, uniform: f64) -> Token {
    let goal = uniform * total;
    let mut mass = weights[shown as usize];
    if goal < mass {
        return shown;
    }
    let mut last = shown;
    for (token, &weight) in weights.iter().enumerate() {
        if token == shown as usize || weight == 0.0 {
            continue;
        }
        mass += weight;
        last = token as Token;
        if mass > goal {
            break;
        }
    }
    // Without a break, rounding has put the goal beyond the sum.
    last
}

pub(crate) fn check_vocab<C: SiteConditional + ?Sized>(conditional: &C, schedule: &Schedule) -> Result<(), ChainError> {
    let (found, expected) = (conditional.vocab(), schedule.law().vocab());
    if found == expected {
        return Ok(());
    }
    Err(ChainError::Mismatch { what: "tokens of the conditional, against those of the noise law", found, expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn touch(beta: f64, noise: &[f64]) -> Touch<'_> {
        Touch { keep: 1.0 - beta, beta, noise }
    }

    #[test]
    fn the_posterior_of_a_table() {
        // r = (0.2, 0.3, 0.5), β = 0.1, q = (0.5, 0.25, 0.25), shown 1: weights 0.005, 0.3 · 0.925, 0.0125.
        let mut rates = [0.2, 0.3, 0.5];
        let mass = touch(0.1, &[0.5, 0.25, 0.25]).weigh(&mut rates, 1).unwrap();
        for (found, expected) in rates.iter().zip([0.005, 0.2775, 0.0125]) {
            assert!((found - expected).abs() < 1e-15);
        }
        assert!((mass - 0.295).abs() < 1e-15);
    }

    #[test]
    fn what_noise_cannot_draw_stays_or_is_impossible() {
        let absorbing = [0.0, 0.0, 1.0];
        let touch = touch(0.25, &absorbing);
        for uniform in [0.0, 0.5, 1.0 - f64::EPSILON / 2.0] {
            let neutral = DrawControls::default();
            assert_eq!(touch.draw(&neutral, &mut [0.1, 0.2, 0.7], 1, uniform), Ok(1));
            assert_eq!(touch.draw(&neutral, &mut [0.1, 0.0, 0.9], 1, uniform), Err(Refusal::Shown));
            let top = DrawControls { top_k: Some(1), ..neutral };
            let mut logs = [0.1f64.ln(), 0.2f64.ln(), 0.7f64.ln()];
            assert_eq!(touch.draw(&top, &mut logs, 1, uniform), Ok(1));
            assert_eq!(
                touch.draw(&top, &mut [0.0, f64::NEG_INFINITY, f64::NEG_INFINITY], 1, uniform),
                Err(Refusal::Shown)
            );
        }
    }

    #[test]
    fn a_conditional_without_mass_is_refused() {
        let touch = touch(0.25, &[0.5, 0.5]);
        let neutral = DrawControls::default();
        assert_eq!(touch.draw(&neutral, &mut [0.0, 0.0], 1, 0.5), Err(Refusal::Mass(0.0)));
        assert!(matches!(touch.draw(&neutral, &mut [f64::NAN, 1.0], 1, 0.5), Err(Refusal::Mass(x)) if x.is_nan()));
        let warm = DrawControls { temperature: 2.0, ..neutral };
        assert!(matches!(touch.draw(&warm, &mut [f64::NAN, 1.0], 1, 0.5), Err(Refusal::Mass(x)) if x.is_nan()));
    }

    #[test]
    fn temperature_zero_is_heat_bath_at_temperature_zero() {
        let touch = touch(0.01, &[0.5, 0.25, 0.25]);
        let cold = DrawControls { temperature: 0.0, ..Default::default() };
        for shown in 0..3 {
            assert_eq!(touch.draw(&cold, &mut [-3.0, -0.1, -4.0], shown, 0.3), Ok(1));
        }
    }

    proptest! {
        /// A token other than the one shown stands where the one shown ends and the others before it have been passed.
        #[test]
        fn draws_invert_the_cumulative_weights_from_the_token_shown(
            w in prop::collection::vec(0u8..4, 1..8), shown in 0usize..8, u in 0.0..1.0f64,
        ) {
            let w: Vec<f64> = w.into_iter().map(f64::from).collect();
            let (shown, total) = (shown % w.len(), w.iter().sum::<f64>());
            prop_assume!(total > 0.0);
            let token = draw_shown_first(&w, total, shown as Token, u) as usize;
            let passed: f64 = (0..token).filter(|&b| b != shown).map(|b| w[b]).sum();
            let below = if token == shown { 0.0 } else { w[shown] + passed };
            prop_assert!(w[token] > 0.0 && below <= u * total && u * total < below + w[token]);
        }
    }
}
