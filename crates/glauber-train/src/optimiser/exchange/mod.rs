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
    Devices(Rc<dyn Ranks>, DeviceSums),
}

/// Begins to add up, over all ranks, what each gives; what it returns waits for the sums.
pub(crate) type DeviceSums = Box<dyn Fn(Tensor<1>) -> Box<dyn FnOnce() -> Tensor<1>>>;

impl Exchange {
    /// By way of the host.
    pub fn parts(network: &Network, ranks: Rc<dyn Ranks>) -> Self {
        if ranks.size() == 1 {
            return Self::None;
        }
        let parts = Parts::of(network, &*ranks);
        Self::Parts(ranks, parts)
    }

    /// Among devices, given for every rank in their order.
    pub fn devices(ranks: Rc<dyn Ranks>, devices: Vec<Device>) -> Self {
        let sums = move |own| -> Box<dyn FnOnce() -> Tensor<1>> {
            let sum = all_reduce(own, ReduceOperation::Sum, devices.clone());
            Box::new(move || sum.resolve())
        };
        Self::Devices(ranks, Box::new(sums))
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
            Self::Devices(ranks, sums) => vec![among_devices(network, parts, &**ranks, sums)],
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
        let all = ranks.join_parts(own.values, &parts.borders);
        network.map(&mut Whole { parts, values: &all })
    }
}

/// Which parameters each rank steps: whole ones that follow each other in the network, for Muon makes a matrix orthogonal as one. As many weights for
/// each as that allows: no rank has more than its share and the largest parameter.
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
        let owners = owners(&sizes.0, ranks.size());
        let mut borders = vec![0; ranks.size() + 1];
        let (mut own, mut end) = (HashSet::new(), 0);
        for ((parameter, size), rank) in sizes.0.into_iter().zip(owners) {
            end += size;
            borders[rank + 1..].fill(end);
            if rank == ranks.rank() {
                own.insert(parameter);
            }
        }
        Self { borders, own }
    }
}

/// The rank that steps each parameter: the one in whose equal share of all weights the parameter's middle lies.
fn owners<T>(sizes: &[(T, usize)], ranks: usize) -> Vec<usize> {
    let total: usize = sizes.iter().map(|(_, size)| size).sum();
    let owner = |start: &mut usize, (_, size): &(T, usize)| {
        let twice_the_middle = 2 * *start + size;
        *start += size;
        Some((ranks * twice_the_middle / (2 * total).max(1)).min(ranks - 1))
    };
    sizes.iter().scan(0, owner).collect()
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
    let values = ranks.sum_parts(flat.values, &parts.borders);
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

/// The next numbers, as many as a tensor has.
fn take<'a, const D: usize>(values: &mut &'a [f32], like: &Tensor<D>) -> &'a [f32] {
    let (own, rest) = values.split_at(like.shape().num_elements());
    *values = rest;
    own
}

/// Numbers as a tensor of the shape of another, where it is.
fn tensor<const D: usize>(values: &[f32], like: &Tensor<D>) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), like.shape()), &like.device())
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
        let weights = param.val();
        let values = take(&mut self.values, &weights);
        if present {
            self.gradients.register(param.id, tensor(values, &weights));
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
        let values = take(&mut self.values, &param.val());
        match self.parts.own.contains(&param.id) {
            true => param,
            false => param.map(|stale| tensor(values, &stale)),
        }
    }
}

/// All parameters' sums are under way before the first is waited for.
fn among_devices(
    network: &Network,
    gradients: Vec<GradientsParams>,
    ranks: &dyn Ranks,
    sums: &DeviceSums,
) -> GradientsParams {
    let mut reduce = Reduce { gradients, sums, present: Vec::new(), waiting: Vec::new() };
    network.visit(&mut reduce);
    let Reduce { mut present, waiting, .. } = reduce;
    ranks.sum(&mut present);
    let mut gradients = GradientsParams::new();
    for (register, present) in waiting.into_iter().zip(present) {
        register(&mut gradients, present > 0.0);
    }
    gradients
}

/// Waits for a sum and puts it among the gradients, if any rank had a part in it.
type Register = Box<dyn FnOnce(&mut GradientsParams, bool)>;

struct Reduce<'a> {
    gradients: Vec<GradientsParams>,
    sums: &'a DeviceSums,
    /// For each parameter, 1 where this rank has a gradient of it.
    present: Vec<f32>,
    waiting: Vec<Register>,
}

impl ModuleVisitor for Reduce<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (id, own) = (param.id, own_sum(&mut self.gradients, param));
        self.present.push(f32::from(u8::from(own.is_some())));
        let own = own.unwrap_or_else(|| param.val().zeros_like());
        let shape = own.shape();
        let sum = (self.sums)(own.flatten(0, D - 1));
        self.waiting.push(Box::new(move |gradients, present| {
            let sum: Tensor<D> = sum().reshape(shape);
            if present {
                gradients.register(id, sum);
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glauber_model::Preset;
    use glauber_ranks::Threads;

    /// A gradient of every parameter but the last, whose entries are those of the weights times `factor`.
    fn gradients(network: &Network, factor: f64) -> GradientsParams {
        struct Scaled(GradientsParams, f64, usize);
        impl ModuleVisitor for Scaled {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.2 -= 1;
                if self.2 > 0 {
                    self.0.register(param.id, param.val().add_scalar(1.0).mul_scalar(self.1));
                }
            }
        }
        let mut sizes = Sizes(Vec::new());
        network.visit(&mut sizes);
        let mut scaled = Scaled(GradientsParams::new(), factor, sizes.0.len());
        network.visit(&mut scaled);
        scaled.0
    }

    /// The entries of gradients in the order of the parameters; none where there is no gradient.
    fn entries(network: &Network, gradients: GradientsParams) -> Vec<Option<Vec<f32>>> {
        struct Entries(GradientsParams, Vec<Option<Vec<f32>>>);
        impl ModuleVisitor for Entries {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let gradient = self.0.remove::<D>(param.id);
                self.1.push(gradient.map(|gradient| gradient.into_data().iter::<f32>().collect()));
            }
        }
        let mut entries = Entries(gradients, Vec::new());
        network.visit(&mut entries);
        entries.1
    }

    /// What each rank has of the sum of all ranks' gradients; rank `r` has `r` micro-batches.
    fn summed(ranks: usize, exchange: impl Fn(&Network, Rc<Threads>) -> Exchange + Sync) -> Vec<Vec<Option<Vec<f32>>>> {
        let one = |rank: Threads| {
            let mut config = Preset::Tiny.config();
            (config.width, config.layers, config.heads, config.condition_width) = (8, 1, 2, 4);
            let network = Network::new(&config, 5, 6, 1, &Device::flex()).expect("a network");
            let own = (0..rank.rank()).map(|at| gradients(&network, (rank.rank() + at) as f64)).collect();
            let mut sums = exchange(&network, Rc::new(rank)).gradients(&network, own);
            entries(&network, sums.pop().expect("one sum"))
        };
        std::thread::scope(|scope| {
            let one = &one;
            let ranks: Vec<_> = Threads::group(ranks).into_iter().map(|rank| scope.spawn(move || one(rank))).collect();
            ranks.into_iter().map(|rank| rank.join().expect("a rank")).collect()
        })
    }

    #[test]
    fn parts_and_devices_add_up_the_same_gradients() {
        // Devices that add up as NVIDIA's do are not at hand: the host does it for them.
        let devices = |_: &Network, ranks: Rc<Threads>| {
            let summing = Rc::clone(&ranks);
            let sums = move |own: Tensor<1>| -> Box<dyn FnOnce() -> Tensor<1>> {
                let mut values: Vec<f32> = own.to_data().iter::<f32>().collect();
                summing.sum(&mut values);
                Box::new(move || tensor(&values, &own))
            };
            Exchange::Devices(ranks, Box::new(sums))
        };
        let whole = summed(3, devices);
        assert!(whole.iter().all(|sums| sums == &whole[0]), "every rank has every sum");
        let parameters = whole[0].len();
        assert!(whole[0][..parameters - 1].iter().all(Option::is_some) && whole[0][parameters - 1].is_none());
        // More ranks than there are parameters, too: the last have no gradients of their own, nor anything to step.
        for ranks in [3, parameters + 20] {
            let parts = summed(ranks, |network, ranks| Exchange::parts(network, ranks));
            for parameter in 0..parameters {
                let has: Vec<&Vec<f32>> = parts.iter().filter_map(|sums| sums[parameter].as_ref()).collect();
                assert_eq!(has.len(), usize::from(parameter + 1 < parameters), "one rank steps parameter {parameter}");
                assert!(ranks > 3 || has.first().copied() == whole[0][parameter].as_ref());
            }
        }
    }

    #[test]
    fn no_rank_steps_more_than_its_share_and_the_largest_parameter() {
        let sizes = [(0, 700), (1, 10), (2, 10), (3, 300), (4, 1), (5, 299), (6, 0), (7, 80)];
        for ranks in [1, 2, 3, 8, 50] {
            let owners = owners(&sizes, ranks);
            assert!(owners.is_sorted() && owners.iter().all(|&owner| owner < ranks), "{owners:?}");
            for rank in 0..ranks {
                let of_rank = sizes.iter().zip(&owners).filter(|(_, owner)| **owner == rank);
                let weights: usize = of_rank.map(|((_, size), _)| size).sum();
                assert!(weights <= 1400 / ranks + 700, "{ranks} ranks: {weights}");
            }
        }
    }
}
