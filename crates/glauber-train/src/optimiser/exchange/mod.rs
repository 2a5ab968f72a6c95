//! What ranks send each other at a step: gradients, and the weights that each of them has stepped.

mod devices;
mod parts;

use std::rc::Rc;

use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use glauber_ranks::Ranks;

use devices::DeviceSums;
use parts::Parts;

/// How a step is shared.
pub(crate) enum Exchange {
    /// It is not.
    None,
    /// By way of the host, in the order of the ranks. Each rank has the summed gradients of some parameters and
    /// steps these alone, with their average and the optimiser's state of them (as in ZeRO; Rajbhandari et al., 2020); then all send each other the weights.
    Parts(Rc<dyn Ranks>, Parts),
    /// The devices, one for each rank, add up gradients among themselves; every rank steps everything.
    Devices(Rc<dyn Ranks>, DeviceSums),
}

impl Exchange {
    /// By way of the host.
    pub fn parts<M: Module>(module: &M, ranks: Rc<dyn Ranks>) -> Self {
        if ranks.size() == 1 {
            return Self::None;
        }
        let parts = Parts::of(module, &*ranks);
        Self::Parts(ranks, parts)
    }

    /// Among devices, given for every rank in their order.
    pub fn devices(ranks: Rc<dyn Ranks>, devices: Vec<Device>) -> Self {
        Self::Devices(ranks, devices::sums(devices))
    }

    /// What is to be added up to the gradients of a step, of the parameters that this rank steps, given those of its own micro-batches.
    pub fn gradients<M: Module>(&self, module: &M, own: Vec<GradientsParams>) -> Vec<GradientsParams> {
        match self {
            Self::None => own,
            Self::Parts(ranks, parts) => vec![parts.add_up(module, own, &**ranks)],
            Self::Devices(ranks, sums) => vec![devices::add_up(module, own, &**ranks, sums)],
        }
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

    /// Whether this rank steps a parameter.
    pub fn steps(&self, parameter: ParamId) -> bool {
        match self {
            Self::Parts(_, parts) => parts.steps(parameter),
            Self::None | Self::Devices(..) => true,
        }
    }

    /// The module with every parameter as the rank has it that steps it; of weights, of their average or of moments.
    pub fn whole<M: Module>(&self, module: M) -> M {
        match self {
            Self::Parts(ranks, parts) => parts.whole(module, &**ranks),
            Self::None | Self::Devices(..) => module,
        }
    }
}

/// The sum of gradients of a parameter, if there are any.
fn own_sum<const D: usize>(gradients: &mut [GradientsParams], param: &Param<Tensor<D>>) -> Option<Tensor<D>> {
    let gradients = gradients.iter_mut().filter_map(|part| part.remove::<D>(param.id));
    gradients.reduce(|sum, gradient| sum + gradient)
}

/// The numbers of a tensor, row by row.
fn entries<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().try_into_vec::<f32>().expect("of f32 now")
}

#[cfg(test)]
mod tests {
    use burn::module::ModuleVisitor;
    use glauber_model::{Network, Preset};
    use glauber_ranks::Threads;

    use super::parts::{Sizes, tensor};
    use super::*;

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
            let own: Vec<_> = (0..rank.rank()).map(|at| gradients(&network, (rank.rank() + at) as f64)).collect();
            let sums = exchange(&network, Rc::new(rank)).gradients(&network, own).pop().expect("one of all");
            entries(&network, sums)
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
                Box::new(move || tensor(values, &own))
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
}
