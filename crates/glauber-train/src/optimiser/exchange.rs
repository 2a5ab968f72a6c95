//! What ranks send each other at a step: gradients, and the weights that each of them has stepped.

use std::collections::HashSet;
use std::rc::Rc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor, TensorData};
use glauber_model::Network;
use glauber_ranks::Ranks;

/// How a step is shared.
pub(crate) enum Exchange {
    /// It is not.
    None,
    /// By way of the host, in the order of the ranks. Each rank adds up the gradients of some parameters and steps these alone, with their average
    /// and the optimiser's state of them (as in ZeRO; Rajbhandari et al., 2020); then all send each other the weights.
    Parts(Rc<dyn Ranks>, Parts),
    /// The devices, one for each rank, add up gradients among themselves; every rank steps everything.
    Devices(Rc<dyn Ranks>, Vec<Device>),
}

impl Exchange {
    /// By way of the host.
    pub fn parts(network: &Network, ranks: Rc<dyn Ranks>) -> Self {
        if ranks.size() == 1 {
            return Self::None;
        }
        let parts = Parts::of(network, &*ranks);
        Self::Parts(ranks, parts)
    }

    /// Adds up numbers of all ranks.
    pub fn add_up(&self, numbers: &mut [f64]) {
        if let Self::Parts(ranks, _) | Self::Devices(ranks, _) = self {
            ranks.sum_doubles(numbers);
        }
    }

    /// Adds up numbers of which each belongs to a parameter, and is 0 where this rank does not step it.
    pub fn complete(&self, numbers: &mut [f64]) {
        if let Self::Parts(ranks, _) = self {
            ranks.sum_doubles(numbers);
        }
    }

    /// Gradients of micro-batches to be added up in order: this rank's own, or those of all ranks already added up, for the parameters that
    /// this rank steps.
    pub fn gradients(&self, network: &Network, parts: Vec<GradientsParams>) -> Vec<GradientsParams> {
        match self {
            Self::None => parts,
            Self::Parts(ranks, steps) => vec![through_the_host(network, parts, &**ranks, steps)],
            Self::Devices(ranks, devices) => vec![among_devices(network, parts, &**ranks, devices)],
        }
    }

    /// Whether this rank steps a parameter.
    pub fn steps(&self, parameter: ParamId) -> bool {
        match self {
            Self::Parts(_, parts) => parts.own.contains(&parameter),
            Self::None | Self::Devices(..) => true,
        }
    }

    /// The network with every parameter as the rank has it that steps it; of weights, of their average or of moments.
    pub fn whole(&self, network: Network) -> Network {
        let Self::Parts(ranks, parts) = self else { return network };
        let mut own = Own { parts, values: Vec::new() };
        network.visit(&mut own);
        let all = ranks.join_parts(&own.values, &parts.borders);
        network.map(&mut Whole { parts, values: &all })
    }
}

/// Which parameters each rank steps: those that follow each other in the network, about as many weights for each.
pub(crate) struct Parts {
    /// Where the ranks' weights begin and end, of all in the order of the network.
    borders: Vec<usize>,
    /// What this rank steps.
    own: HashSet<ParamId>,
}

impl Parts {
    fn of(network: &Network, ranks: &dyn Ranks) -> Self {
        let mut sizes = Sizes(Vec::new());
        network.visit(&mut sizes);
        let total: usize = sizes.0.iter().map(|(_, size)| size).sum();
        let mut borders = vec![0; ranks.size() + 1];
        let (mut own, mut end) = (HashSet::new(), 0);
        for (parameter, size) in sizes.0 {
            // By the middle of the parameter.
            let rank = ranks.size() * (2 * end + size) / (2 * total + 1);
            end += size;
            borders[rank + 1..].fill(end);
            if rank == ranks.rank() {
                own.insert(parameter);
            }
        }
        Self { borders, own }
    }
}

struct Sizes(Vec<(ParamId, usize)>);

impl ModuleVisitor for Sizes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push((param.id, param.val().shape().num_elements()));
    }
}

/// All gradients are one vector for the time of the exchange, in the order of the network's parameters. A parameter that no micro-batch of any rank
/// touches stays without a gradient.
fn through_the_host(
    network: &Network,
    gradients: Vec<GradientsParams>,
    ranks: &dyn Ranks,
    parts: &Parts,
) -> GradientsParams {
    let mut flat = Flatten { gradients, present: Vec::new(), values: Vec::new() };
    network.visit(&mut flat);
    ranks.sum(&mut flat.present);
    let values = ranks.sum_parts(&flat.values, &parts.borders);
    let present = flat.present.into_iter();
    let mut unflat = Unflatten { parts, values: &values, present, gradients: GradientsParams::new() };
    network.visit(&mut unflat);
    unflat.gradients
}

struct Flatten {
    gradients: Vec<GradientsParams>,
    /// For each parameter, 1 where this rank has a gradient of it.
    present: Vec<f32>,
    values: Vec<f32>,
}

impl ModuleVisitor for Flatten {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let sum = own_sum(&mut self.gradients, param);
        self.present.push(f32::from(u8::from(sum.is_some())));
        match sum {
            Some(sum) => append(&mut self.values, sum),
            None => self.values.resize(self.values.len() + param.val().shape().num_elements(), 0.0),
        }
    }
}

/// The sum of this rank's gradients of a parameter, if it has any.
fn own_sum<const D: usize>(gradients: &mut [GradientsParams], param: &Param<Tensor<D>>) -> Option<Tensor<D>> {
    let gradients = gradients.iter_mut().filter_map(|part| part.remove::<D>(param.id));
    gradients.reduce(|sum, gradient| sum + gradient)
}

fn append<const D: usize>(values: &mut Vec<f32>, tensor: Tensor<D>) {
    let data = tensor.into_data();
    match data.as_slice::<f32>() {
        Ok(slice) => values.extend_from_slice(slice),
        Err(_) => values.extend(data.iter::<f32>()),
    }
}

/// The next numbers, as a tensor like another.
fn take<const D: usize>(values: &mut &[f32], like: &Tensor<D>) -> Tensor<D> {
    let (own, rest) = values.split_at(like.shape().num_elements());
    *values = rest;
    Tensor::from_data(TensorData::new(own.to_vec(), like.shape()), &like.device())
}

struct Unflatten<'a> {
    parts: &'a Parts,
    /// Of the parameters that this rank steps.
    values: &'a [f32],
    /// Of all.
    present: std::vec::IntoIter<f32>,
    gradients: GradientsParams,
}

impl ModuleVisitor for Unflatten<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let present = self.present.next().is_some_and(|ranks| ranks > 0.0);
        if !self.parts.own.contains(&param.id) {
            return;
        }
        let gradient = take(&mut self.values, &param.val());
        if present {
            self.gradients.register(param.id, gradient);
        }
    }
}

struct Own<'a> {
    parts: &'a Parts,
    values: Vec<f32>,
}

impl ModuleVisitor for Own<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.parts.own.contains(&param.id) {
            append(&mut self.values, param.val());
        }
    }
}

struct Whole<'a> {
    parts: &'a Parts,
    values: &'a [f32],
}

impl ModuleMapper for Whole<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let sent = take(&mut self.values, &param.val());
        if self.parts.own.contains(&param.id) { param } else { param.map(|_| sent) }
    }
}

/// All parameters' sums are under way before the first is waited for.
fn among_devices(
    network: &Network,
    gradients: Vec<GradientsParams>,
    ranks: &dyn Ranks,
    devices: &[Device],
) -> GradientsParams {
    let mut reduce = Reduce { gradients, devices, present: Vec::new(), sums: Vec::new() };
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
    gradients: Vec<GradientsParams>,
    devices: &'a [Device],
    /// For each parameter, 1 where this rank has a gradient of it.
    present: Vec<f32>,
    sums: Vec<Register>,
}

impl ModuleVisitor for Reduce<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (id, own) = (param.id, own_sum(&mut self.gradients, param));
        self.present.push(f32::from(u8::from(own.is_some())));
        let own = own.unwrap_or_else(|| param.val().zeros_like());
        let sum = all_reduce(own, ReduceOperation::Sum, self.devices.to_vec());
        self.sums.push(Box::new(move |gradients| gradients.register(id, sum.resolve())));
    }
}
