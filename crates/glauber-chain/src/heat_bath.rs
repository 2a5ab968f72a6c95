//! The heat-bath (Glauber) kernel.

use glauber_tokens::Token;

use crate::controls::draw;
use crate::{DrawControls, Refusal, Result, ReverseKernel, Touch};

/// Redraws sites from their conditional law given all others, independently of their current tokens.
///
/// With a conditional that ignores the step this is ordinary Glauber dynamics;
/// [`ReverseSampler`](crate::ReverseSampler) runs it down a schedule. The sites of a block are redrawn from one
/// evaluation. This is exact if they are conditionally independent (a colour class of a lattice), and otherwise an
/// approximation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HeatBath {
    controls: DrawControls,
}

impl HeatBath {
    /// A kernel that draws under the given controls. [`HeatBath::default`] draws from the conditional itself.
    ///
    /// # Errors
    /// When a control is out of range.
    pub fn new(controls: DrawControls) -> Result<Self> {
        controls.validate()?;
        Ok(Self { controls })
    }

    /// The controls of the draws.
    pub fn controls(&self) -> DrawControls {
        self.controls
    }
}

impl ReverseKernel for HeatBath {
    fn log_probabilities(&self, _touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
        self.controls.log_law(rates)
    }

    fn name(&self) -> &'static str {
        "heat bath"
    }

    fn reads_logs(&self) -> bool {
        !self.controls.is_neutral()
    }

    fn is_plain(&self) -> bool {
        self.controls.is_neutral()
    }

    fn draw(&self, _touch: &Touch<'_>, rates: &mut [f64], uniform: f64) -> Result<Token, Refusal> {
        if self.reads_logs() {
            self.controls.apply(rates);
        }
        draw(rates, uniform).map_err(Refusal::Mass)
    }
}
