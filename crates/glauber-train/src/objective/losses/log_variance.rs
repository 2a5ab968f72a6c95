//! Log-variance of whole paths.

use burn::tensor::Tensor;

use crate::objective::{DenoisingLaw, Label, Objective, Output, OwnToken, TargetList, Targets};

/// `Var_x[ Σ_i log μ_i(x_i) − log γ(x) ] / L`: how much the log-weights of paths vary over a batch (E10; VarGrad, Richter et
/// al. 2020), in nats² a site. It is 0 where the chain samples `γ / Z`, whichever sequences the batch has.
///
/// A row is a whole path where one sweep writes each site once. The start of the chain is then complete noise, which
/// `schedule.final_signal` leaves out of the weight: an error of that share of a nat a site.
#[derive(Debug)]
pub struct LogVariance;

impl Objective for LogVariance {
    fn name(&self) -> &'static str {
        "log-variance"
    }

    fn output(&self) -> &'static dyn Output {
        &DenoisingLaw
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        targets.push(label.clean, []);
    }

    /// # Panics
    /// Without densities of the rows.
    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        let shape = targets.token.dims();
        let density = targets.log_density.clone().expect("a log-density for each row");
        let residual = targets.log_probability(logits).sum_dim(1) - density;
        let spread = residual.clone() - residual.mean_dim(0);
        // Every label has its row's square, so that the mean over labels is the mean over rows.
        spread.square().div_scalar(shape[1] as f64).expand(shape)
    }

    fn own_token(&self) -> OwnToken {
        OwnToken::Weighed
    }

    fn compares_paths(&self) -> bool {
        true
    }
}
