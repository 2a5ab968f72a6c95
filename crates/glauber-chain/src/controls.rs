//! Temperature, top-k and nucleus sampling.

use glauber_tokens::Token;

use crate::{ChainError, Refusal, Result};

/// Controls that modify the conditional `r` before a draw. The default draws from `r` itself.
///
/// The order is temperature, then top-k, then nucleus; ties go to the smaller token.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct DrawControls {
    /// Draw from `r^{1/temperature}`, normalised. 0 takes the most probable token. Default: 1.
    pub temperature: f64,
    /// Keep only the `k ≥ 1` most probable tokens. Default: all.
    pub top_k: Option<usize>,
    /// Keep only the nucleus: the fewest most probable tokens whose mass is at least `p`, in `(0, 1]`. Default: all.
    pub top_p: Option<f64>,
}

impl Default for DrawControls {
    fn default() -> Self {
        Self { temperature: 1.0, top_k: None, top_p: None }
    }
}

impl DrawControls {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ChainError::OutOfRange`] names the control.
    pub fn validate(&self) -> Result<()> {
        let (temperature, top_p) = (self.temperature, self.top_p.unwrap_or(1.0));
        let warm = temperature >= 0.0 && temperature.is_finite();
        ChainError::unless_in_range(warm, "temperature", temperature, "a finite number of at least 0")?;
        ChainError::unless_in_range(self.top_k != Some(0), "top_k", 0.0, "at least 1")?;
        ChainError::unless_in_range(top_p > 0.0 && top_p <= 1.0, "top_p", top_p, "a number in (0, 1]")
    }

    /// Whether draws come from `r` unchanged.
    pub fn is_neutral(&self) -> bool {
        self.temperature == 1.0 && self.top_k.is_none() && self.top_p.is_none()
    }

    /// Turns log-probabilities, shape `[token]`, into non-negative weights in place; they need not sum to one. A NaN stays a NaN.
    pub fn apply(&self, row: &mut [f64]) {
        // `max` would drop a NaN silently.
        if row.iter().any(|x| x.is_nan()) {
            row.fill(f64::NAN);
            return;
        }
        let peak = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if peak == f64::NEG_INFINITY {
            row.fill(0.0);
            return;
        }
        if self.temperature == 0.0 {
            let best = row.iter().position(|&x| x == peak);
            row.fill(0.0);
            if let Some(best) = best {
                row[best] = 1.0;
            }
            return;
        }
        for x in row.iter_mut() {
            *x = ((*x - peak) / self.temperature).exp();
        }
        if self.top_k.is_some_and(|k| k < row.len()) || self.top_p.is_some() {
            self.truncate(row);
        }
    }

    /// Applies the controls to log-probabilities, shape `[token]`, in place, and normalises them. The default controls
    /// only normalise.
    ///
    /// # Errors
    /// When the total mass is not a positive finite number.
    pub fn log_law(&self, row: &mut [f64]) -> Result<(), Refusal> {
        if !self.is_neutral() {
            self.apply(row);
            row.iter_mut().for_each(|weight| *weight = weight.ln());
        }
        normalise(row).map_err(Refusal::Mass)
    }

    fn truncate(&self, weights: &mut [f64]) {
        let mut ranked: Vec<usize> = (0..weights.len()).collect();
        let better = |a: &usize, b: &usize| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b));
        if let Some(k) = self.top_k.filter(|&k| k < ranked.len()) {
            ranked.select_nth_unstable_by(k - 1, better);
            ranked.truncate(k);
        }
        if let Some(p) = self.top_p {
            ranked.sort_unstable_by(better);
            let goal = p * ranked.iter().map(|&a| weights[a]).sum::<f64>();
            let mut mass = 0.0;
            let enough = ranked.iter().position(|&a| {
                mass += weights[a];
                mass >= goal
            });
            ranked.truncate(enough.map_or(ranked.len(), |last| last + 1));
        }
        ranked.sort_unstable();
        let mut kept = ranked.into_iter().peekable();
        for (token, weight) in weights.iter_mut().enumerate() {
            if kept.next_if_eq(&token).is_none() {
                *weight = 0.0;
            }
        }
    }
}

/// Normalises log-probabilities, shape `[token]`, in place.
///
/// # Errors
/// The total mass, when it is not a positive finite number.
pub(crate) fn normalise(logs: &mut [f64]) -> Result<(), f64> {
    // `max` would drop a NaN silently.
    if logs.iter().any(|x| x.is_nan()) {
        return Err(f64::NAN);
    }
    let peak = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total = peak + logs.iter().map(|x| (x - peak).exp()).sum::<f64>().ln();
    if !total.is_finite() {
        return Err(peak.exp());
    }
    logs.iter_mut().for_each(|x| *x -= total);
    Ok(())
}

/// The token at a uniform number in `[0, 1)` by inversion of the cumulative weights, shape `[token]`. Never a token of weight 0.
///
/// # Errors
/// The total weight, when it is not a positive finite number.
#[inline]
pub(crate) fn draw(weights: &[f64], uniform: f64) -> Result<Token, f64> {
    let total: f64 = weights.iter().sum();
    if !(total > 0.0 && total < f64::INFINITY) {
        return Err(total);
    }
    let goal = uniform * total;
    if let [first, second] = *weights {
        // What the loop below does, without a branch to mispredict.
        return Ok(Token::from((goal >= first) & (second > 0.0)));
    }
    let mut mass = 0.0;
    for (token, weight) in weights.iter().enumerate() {
        mass += weight;
        if mass > goal {
            return Ok(token as Token);
        }
    }
    // Only rounding leads here.
    let last = weights.iter().rposition(|&w| w > 0.0);
    last.map_or(Err(total), |token| Ok(token as Token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn weights(controls: DrawControls, probabilities: &[f64]) -> Vec<f64> {
        let mut row: Vec<f64> = probabilities.iter().map(|p| p.ln()).collect();
        controls.apply(&mut row);
        let total: f64 = row.iter().sum();
        row.iter().map(|w| w / total).collect()
    }

    fn close(a: &[f64], b: &[f64]) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
    }

    const R: [f64; 4] = [0.1, 0.4, 0.4, 0.1];

    #[test]
    fn temperature_raises_to_a_power() {
        let controls = DrawControls { temperature: 0.5, ..Default::default() };
        let squares: Vec<f64> = R.iter().map(|p| p * p / 0.34).collect();
        assert!(close(&weights(controls, &R), &squares));
        let cold = DrawControls { temperature: 0.0, ..Default::default() };
        assert_eq!(weights(cold, &R), [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn top_k_keeps_the_smaller_token_of_a_tie() {
        let top = |k| DrawControls { top_k: Some(k), ..Default::default() };
        assert!(close(&weights(top(1), &R), &[0.0, 1.0, 0.0, 0.0]));
        assert!(close(&weights(top(3), &R), &[1.0 / 9.0, 4.0 / 9.0, 4.0 / 9.0, 0.0]));
        assert!(close(&weights(top(9), &R), &R));
    }

    #[test]
    fn the_nucleus_is_the_smallest_set_with_the_mass() {
        let top = |p| DrawControls { top_p: Some(p), ..Default::default() };
        assert!(close(&weights(top(0.3), &R), &[0.0, 1.0, 0.0, 0.0]));
        assert!(close(&weights(top(0.7), &R), &[0.0, 0.5, 0.5, 0.0]));
        assert!(close(&weights(top(0.85), &R), &[1.0 / 9.0, 4.0 / 9.0, 4.0 / 9.0, 0.0]));
        assert!(close(&weights(top(1.0), &R), &R));
    }

    #[test]
    fn bad_controls_are_refused() {
        let ok = DrawControls::default();
        assert!(ok.validate().is_ok() && ok.is_neutral());
        for bad in [
            DrawControls { temperature: -1.0, ..ok },
            DrawControls { temperature: f64::NAN, ..ok },
            DrawControls { top_k: Some(0), ..ok },
            DrawControls { top_p: Some(0.0), ..ok },
            DrawControls { top_p: Some(1.1), ..ok },
        ] {
            assert!(bad.validate().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert_eq!(draw(&[0.0, 0.0], 0.5), Err(0.0));
        assert!(draw(&[f64::NAN, 1.0], 0.5).is_err_and(f64::is_nan));
        let mut row = [f64::NAN, 0.0];
        DrawControls { temperature: 2.0, ..Default::default() }.apply(&mut row);
        assert!(draw(&row, 0.5).is_err());
    }

    proptest! {
        #[test]
        fn draws_invert_the_cumulative_weights(w in prop::collection::vec(0u8..4, 1..8), u in 0.0..1.0f64) {
            let w: Vec<f64> = w.into_iter().map(f64::from).collect();
            prop_assume!(w.iter().sum::<f64>() > 0.0);
            let token = draw(&w, u).unwrap() as usize;
            let (below, total): (f64, f64) = (w[..token].iter().sum(), w.iter().sum());
            prop_assert!(w[token] > 0.0 && below <= u * total && u * total < below + w[token]);
        }
    }
}
