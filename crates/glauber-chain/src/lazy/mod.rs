//! The lazy kernel: the posterior of a site given all current tokens, including its own.

mod predicted;

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token, TokenError};

use crate::{ChainError, DrawControls, Refusal, Result, ReverseKernel, Touch};

pub use predicted::predicted_changes;

/// Undoes forward steps by the true posterior, equation (L): given that site `i` shows `a` after step `t`, it showed `b` before with
/// probability proportional to `r(b) K(b → a)`, where `K(b → a) = Π_t(φ) 1{a = b} + Π_t(a)`.
///
/// [`HeatBath`](crate::HeatBath) ignores the current token of the site, and gives the right law at each time. This
/// kernel gives the right joint law of all times: it is the time reversal of the forward chain. For small `β_t` nearly
/// every update keeps the token; [`predicted_changes`] counts those that do not. The sites of a block are drawn from
/// one evaluation, as in heat bath.
///
/// Each update uses one uniform number `u`, and keeps the token exactly if `u` is below the probability of keeping it.
///
/// Draw controls act on `log r`, before (L) is formed. Under absorbing noise, a token that noise cannot draw is signal,
/// and stays under any controls. At temperature 0 every token that may be noise becomes the most probable one, as in
/// heat bath at temperature 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lazy {
    controls: DrawControls,
}

impl Lazy {
    /// A kernel that draws under the given controls. [`Lazy::default`] draws from the posterior itself.
    ///
    /// # Errors
    /// When a control is out of range.
    pub fn new(controls: DrawControls) -> Result<Self> {
        controls.validate()?;
        Ok(Self { controls })
    }

    /// The controls applied to `r` before the posterior is formed.
    pub fn controls(&self) -> DrawControls {
        self.controls
    }

    /// Converts the conditional `r` of a site, shape `[token]`, to its posterior by equation (L), in place: the law of
    /// the site before step `step`, given its token `shown` after it. `r` may have any positive mass; the posterior
    /// sums to 1.
    ///
    /// # Errors
    /// If `rates` or `shown` do not fit the schedule's vocabulary. If `rates` or the posterior has no positive finite
    /// mass; for the posterior this means that neither data nor noise can produce the token. Errors name row 0 and the
    /// given site.
    ///
    /// # Panics
    /// When `step` is not below the horizon.
    pub fn posterior(schedule: &Schedule, step: Step, site: Site, shown: Token, rates: &mut [f64]) -> Result<()> {
        let vocab = schedule.law().vocab();
        ChainError::unless_equal("tokens of the conditional", rates.len(), vocab)?;
        if shown as usize >= vocab {
            return Err(TokenError::OutsideVocabulary { token: shown, row: 0, site, vocab }.into());
        }
        let touch = Touch::new(schedule, step, site, shown);
        let mass = weigh(&touch, rates).map_err(|refusal| refusal.at(0, &touch))?;
        rates.iter_mut().for_each(|weight| *weight /= mass);
        Ok(())
    }
}

impl ReverseKernel for Lazy {
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
        self.controls.log_law(rates)?;
        let shown = touch.shown as usize;
        let (keep, noise) = (touch.keep, touch.noise(touch.shown));
        if noise == 0.0 {
            // Only signal can show this token: it stays, whatever the conditional says.
            rates.fill(f64::NEG_INFINITY);
            rates[shown] = 0.0;
            return Ok(());
        }
        let kept = rates[shown];
        let mass = log_add(keep.ln() + kept, noise.ln());
        let moved = noise.ln() - mass;
        rates.iter_mut().for_each(|log| *log += moved);
        rates[shown] = kept + (keep + noise).ln() - mass;
        Ok(())
    }

    fn asks(&self, touch: &Touch<'_>) -> bool {
        touch.noise[touch.shown as usize] > 0.0
    }

    fn name(&self) -> &'static str {
        "lazy"
    }

    fn reads_logs(&self) -> bool {
        !self.controls.is_neutral()
    }

    fn draw(&self, touch: &Touch<'_>, rates: &mut [f64], uniform: f64) -> Result<Token, Refusal> {
        let shown = touch.shown as usize;
        if !self.controls.is_neutral() {
            // A token that noise cannot have drawn stays: the controls have no say, unless it is impossible anyway.
            if touch.noise[shown] == 0.0 && rates[shown] > f64::NEG_INFINITY {
                return Ok(touch.shown);
            }
            self.controls.apply(rates);
        }
        let mass = weigh(touch, rates)?;
        Ok(draw_shown_first(rates, mass, touch.shown, uniform))
    }
}

/// Converts `r` to the weights `r(b) K(b → shown)` of equation (L), in place, and returns their positive sum. All terms
/// except that of `shown` share the factor `Π_t(shown)`.
fn weigh(touch: &Touch<'_>, rates: &mut [f64]) -> Result<f64, Refusal> {
    let shown = touch.shown as usize;
    let mass: f64 = rates.iter().sum();
    if !(mass > 0.0 && mass < f64::INFINITY) {
        return Err(Refusal::Mass(mass));
    }
    let noise = touch.noise(touch.shown);
    let kept = (touch.keep + noise) * rates[shown];
    rates.iter_mut().for_each(|rate| *rate *= noise);
    rates[shown] = kept;
    let mass: f64 = rates.iter().sum();
    if mass > 0.0 { Ok(mass) } else { Err(Refusal::Shown) }
}

/// The token at a uniform number by inversion of the cumulative weights; the shown token comes first, the others in
/// order.
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

/// `ln(e^a + e^b)`, `a` possibly `−∞`, `b` finite.
fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = (a.min(b), a.max(b));
    high + (low - high).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn touch(beta: f64, noise: &[f64], shown: Token) -> Touch<'_> {
        Touch { step: 0, site: 0, shown, keep: 1.0 - beta, noise, schedule: None }
    }

    fn lazy(controls: DrawControls) -> Lazy {
        Lazy::new(controls).unwrap()
    }

    #[test]
    fn the_posterior_of_a_table() {
        // r = (0.2, 0.3, 0.5), β = 0.1, q = (0.5, 0.25, 0.25), shown 1: weights 0.005, 0.3 · 0.925, 0.0125.
        let mut rates = [0.2, 0.3, 0.5];
        let mass = weigh(&touch(0.1, &[0.5, 0.25, 0.25], 1), &mut rates).unwrap();
        for (found, expected) in rates.iter().zip([0.005, 0.2775, 0.0125]) {
            assert!((found - expected).abs() < 1e-15);
        }
        assert!((mass - 0.295).abs() < 1e-15);
    }

    #[test]
    fn what_noise_cannot_draw_stays_or_is_impossible() {
        let absorbing = [0.0, 0.0, 1.0];
        let touch = touch(0.25, &absorbing, 1);
        for uniform in [0.0, 0.5, 1.0 - f64::EPSILON / 2.0] {
            let neutral = DrawControls::default();
            assert_eq!(lazy(neutral).draw(&touch, &mut [0.1, 0.2, 0.7], uniform), Ok(1));
            assert_eq!(lazy(neutral).draw(&touch, &mut [0.1, 0.0, 0.9], uniform), Err(Refusal::Shown));
            let top = DrawControls { top_k: Some(1), ..neutral };
            let mut logs = [0.1f64.ln(), 0.2f64.ln(), 0.7f64.ln()];
            assert_eq!(lazy(top).draw(&touch, &mut logs, uniform), Ok(1));
            assert_eq!(
                lazy(top).draw(&touch, &mut [0.0, f64::NEG_INFINITY, f64::NEG_INFINITY], uniform),
                Err(Refusal::Shown)
            );
        }
    }

    #[test]
    fn a_conditional_without_mass_is_refused() {
        let touch = touch(0.25, &[0.5, 0.5], 1);
        let neutral = DrawControls::default();
        assert_eq!(lazy(neutral).draw(&touch, &mut [0.0, 0.0], 0.5), Err(Refusal::Mass(0.0)));
        assert!(matches!(lazy(neutral).draw(&touch, &mut [f64::NAN, 1.0], 0.5), Err(Refusal::Mass(x)) if x.is_nan()));
        let warm = DrawControls { temperature: 2.0, ..neutral };
        assert!(matches!(lazy(warm).draw(&touch, &mut [f64::NAN, 1.0], 0.5), Err(Refusal::Mass(x)) if x.is_nan()));
    }

    #[test]
    fn temperature_zero_is_heat_bath_at_temperature_zero() {
        let cold = DrawControls { temperature: 0.0, ..Default::default() };
        for shown in 0..3 {
            let touch = touch(0.01, &[0.5, 0.25, 0.25], shown);
            assert_eq!(lazy(cold).draw(&touch, &mut [-3.0, -0.1, -4.0], 0.3), Ok(1));
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
