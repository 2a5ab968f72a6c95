//! The heat-bath (Glauber) kernel.

use glauber_schedule::SiteOrder;
use glauber_tokens::{Site, Step, Token};

use crate::controls::draw;
use crate::update::{self, Refusal, SiteDraw};
use crate::{ChainError, Chains, DrawControls, SiteConditional, StepDiagnostics};

/// Redraws sites from their conditional law given all others, whatever stands there now.
///
/// With a conditional that ignores the step this is ordinary Glauber dynamics; [`ReverseSampler`](crate::ReverseSampler) drives it
/// down a schedule. The sites of a block are redrawn from one evaluation: exact where the block's sites are independent given the
/// rest (a colour class of a lattice), an approximation otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct HeatBath {
    controls: DrawControls,
}

impl HeatBath {
    /// A kernel that draws under the given controls. [`HeatBath::default`] draws from the conditional itself.
    ///
    /// # Errors
    /// When a control is out of range.
    pub fn new(controls: DrawControls) -> Result<Self, ChainError> {
        controls.validate()?;
        Ok(Self { controls })
    }

    /// How draws depart from the conditional.
    pub fn controls(&self) -> DrawControls {
        self.controls
    }

    /// Redraws the free sites of `sites` in every chain, from one evaluation. Uses one uniform number for each redraw; evaluates
    /// nothing where all the sites are clamped.
    ///
    /// # Errors
    /// When the conditional fails, writes a NaN or leaves no token possible, or has another number of sites than the chains, or when a
    /// chain shows a token outside the vocabulary. Chains
    /// before the one at fault have been updated.
    pub fn update<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        step: Step,
        sites: &[Site],
    ) -> Result<StepDiagnostics, ChainError> {
        update::update(self, conditional, chains, step, sites)
    }

    /// Updates the sites of each step of an order, all chains in one evaluation a step. A sweep of Markov-chain Monte Carlo takes
    /// the steps `0..order.horizon()`; a reverse chain takes them backwards.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    ///
    /// # Panics
    /// When a step is not below the order's horizon.
    pub fn run<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        order: &SiteOrder,
        steps: impl Iterator<Item = Step>,
    ) -> Result<StepDiagnostics, ChainError> {
        update::run(self, conditional, chains, order, steps)
    }

    /// [`run`](Self::run) with the chains shared out over the threads of the rayon pool: for conditionals that are cheap to evaluate.
    /// The result is the same, bit by bit.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    ///
    /// # Panics
    /// When a step is not below the order's horizon.
    pub fn run_parallel<C: SiteConditional + Sync + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        order: &SiteOrder,
        steps: impl Iterator<Item = Step> + Clone + Sync,
    ) -> Result<StepDiagnostics, ChainError> {
        update::run_parallel(self, conditional, chains, order, steps)
    }
}

impl SiteDraw for HeatBath {
    fn reads_logs(&self) -> bool {
        !self.controls.is_neutral()
    }

    fn is_plain(&self) -> bool {
        self.controls.is_neutral()
    }

    fn at(&self, _step: Step) -> impl Fn(&mut [f64], Token, f64) -> Result<Token, Refusal> {
        |law, _shown, uniform| {
            if self.reads_logs() {
                self.controls.apply(law);
            }
            draw(law, uniform).map_err(Refusal::Mass)
        }
    }
}
