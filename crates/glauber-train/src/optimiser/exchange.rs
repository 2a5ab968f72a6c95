//! Gradients of all ranks, added up.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use glauber_model::Network;
use glauber_ranks::Ranks;

/// The sum of the gradients of all ranks' micro-batches: of this rank's in their order, then over the ranks in theirs. A rank may have none.
///
/// All gradients are one vector for the time of the exchange, in the order of the network's parameters; behind those of each parameter stands how
/// many ranks have any, for a parameter that no micro-batch touches must stay without a gradient.
pub(super) fn summed(network: &Network, parts: Vec<GradientsParams>, ranks: &dyn Ranks) -> GradientsParams {
    let mut flat = Flatten { parts, values: Vec::new() };
    network.visit(&mut flat);
    let mut values = flat.values;
    ranks.sum(&mut values);
    let mut unflat = Unflatten { values: &values, gradients: GradientsParams::new() };
    network.visit(&mut unflat);
    unflat.gradients
}

struct Flatten {
    parts: Vec<GradientsParams>,
    values: Vec<f32>,
}

impl ModuleVisitor for Flatten {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradients = self.parts.iter_mut().filter_map(|part| part.remove::<D>(param.id));
        let (start, sum) = (self.values.len(), gradients.reduce(|sum, gradient| sum + gradient));
        let present = f32::from(u8::from(sum.is_some()));
        if let Some(sum) = sum {
            self.values.extend(sum.into_data().iter::<f32>());
        }
        self.values.resize(start + param.val().shape().num_elements(), 0.0);
        self.values.push(present);
    }
}

struct Unflatten<'a> {
    values: &'a [f32],
    gradients: GradientsParams,
}

impl ModuleVisitor for Unflatten<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weights = param.val();
        let (own, rest) = self.values.split_at(weights.shape().num_elements());
        let (present, rest) = rest.split_at(1);
        self.values = rest;
        if present[0] > 0.0 {
            let data = TensorData::new(own.to_vec(), weights.shape());
            self.gradients.register(param.id, Tensor::<D>::from_data(data, &weights.device()));
        }
    }
}
