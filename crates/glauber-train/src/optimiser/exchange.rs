//! Gradients of all ranks, added up.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor, TensorData};
use glauber_model::Network;
use glauber_ranks::Ranks;

/// The sum of the gradients of all ranks' micro-batches: of this rank's in their order, then over the ranks. A rank may have none.
///
/// By way of the host, in the order of the ranks; or among the `devices`, one for each rank, where there are any.
pub(super) fn summed(
    network: &Network,
    parts: Vec<GradientsParams>,
    ranks: &dyn Ranks,
    devices: &[Device],
) -> GradientsParams {
    match devices {
        [] => through_the_host(network, parts, ranks),
        devices => among_devices(network, parts, ranks, devices),
    }
}

/// All gradients are one vector for the time of the exchange, in the order of the network's parameters; behind those of each parameter stands how
/// many ranks have any, for a parameter that no micro-batch touches must stay without a gradient.
fn through_the_host(network: &Network, parts: Vec<GradientsParams>, ranks: &dyn Ranks) -> GradientsParams {
    let mut flat = Flatten { parts, values: Vec::new() };
    network.visit(&mut flat);
    let mut values = flat.values;
    ranks.sum(&mut values);
    let mut unflat = Unflatten { values: &values, gradients: GradientsParams::new() };
    network.visit(&mut unflat);
    unflat.gradients
}

/// The sum of this rank's gradients of a parameter, if it has any.
fn own_sum<const D: usize>(parts: &mut [GradientsParams], param: &Param<Tensor<D>>) -> Option<Tensor<D>> {
    let gradients = parts.iter_mut().filter_map(|part| part.remove::<D>(param.id));
    gradients.reduce(|sum, gradient| sum + gradient)
}

struct Flatten {
    parts: Vec<GradientsParams>,
    values: Vec<f32>,
}

impl ModuleVisitor for Flatten {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (start, sum) = (self.values.len(), own_sum(&mut self.parts, param));
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

/// All parameters' sums are under way before the first is waited for.
fn among_devices(
    network: &Network,
    parts: Vec<GradientsParams>,
    ranks: &dyn Ranks,
    devices: &[Device],
) -> GradientsParams {
    let mut reduce = Reduce { parts, devices, present: Vec::new(), sums: Vec::new() };
    network.visit(&mut reduce);
    let Reduce { mut present, sums, .. } = reduce;
    ranks.sum(&mut present);
    let mut gradients = GradientsParams::new();
    for (register, present) in sums.into_iter().zip(present) {
        if present > 0.0 {
            register(&mut gradients);
        }
    }
    gradients
}

/// Waits for a sum and puts it among the gradients.
type Register = Box<dyn FnOnce(&mut GradientsParams)>;

struct Reduce<'a> {
    parts: Vec<GradientsParams>,
    devices: &'a [Device],
    /// For each parameter, 1 where this rank has a gradient of it.
    present: Vec<f32>,
    sums: Vec<Register>,
}

impl ModuleVisitor for Reduce<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (id, own) = (param.id, own_sum(&mut self.parts, param));
        self.present.push(f32::from(u8::from(own.is_some())));
        let own = own.unwrap_or_else(|| param.val().zeros_like());
        let sum = all_reduce(own, ReduceOperation::Sum, self.devices.to_vec());
        self.sums.push(Box::new(move |gradients| gradients.register(id, sum.resolve())));
    }
}
