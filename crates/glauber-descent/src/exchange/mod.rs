//! What ranks exchange in a step: gradients and stepped weights.

mod devices;
mod parts;

use std::rc::Rc;

use burn::module::{Module, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use glauber_ranks::World;

use devices::DeviceSums;
use parts::Parts;

/// How ranks share a training step.
pub struct Exchange(How);

enum How {
    /// Not shared.
    Alone,
    /// Sharded optimiser (as in ZeRO; Rajbhandari et al., 2020): each rank steps some parameters, and keeps their
    /// average and optimiser state. The ranks then all-gather the weights.
    Parts(Rc<dyn World>, Parts),
    /// The devices, one per rank, all-reduce the gradients.
    Devices(Rc<dyn World>, DeviceSums),
}

impl Exchange {
    /// A step that is not shared.
    pub fn none() -> Self {
        Self(How::Alone)
    }

    /// Sharded optimiser through the host: each rank receives the summed gradients of some parameters, and steps only
    /// these. Sums run in the order of the ranks. All ranks must have the same parameters in the same order.
    pub fn sharded<M: Module>(module: &M, ranks: Rc<dyn World>) -> Self {
        if ranks.size() == 1 {
            return Self::none();
        }
        let parts = Parts::of(module, &*ranks);
        Self(How::Parts(ranks, parts))
    }

    /// All-reduce between `devices`, one per rank in their order. Every rank steps all parameters. For ranks that are
    /// threads of one process.
    pub fn devices(ranks: Rc<dyn World>, devices: Vec<Device>) -> Self {
        Self(How::Devices(ranks, devices::sums(devices)))
    }

    /// The gradients to sum for this rank's parameters, given the gradients of its own micro-batches.
    pub(crate) fn gradients<M: Module>(&self, module: &M, own: Vec<GradientsParams>) -> Vec<GradientsParams> {
        match &self.0 {
            How::Alone => own,
            How::Parts(ranks, parts) => vec![parts.reduce_scatter(module, own, &**ranks)],
            How::Devices(ranks, sums) => vec![devices::reduce_gradients(module, own, &**ranks, sums)],
        }
    }

    /// All-reduce: sums numbers over all ranks.
    pub fn all_reduce(&self, numbers: &mut [f64]) {
        if let How::Parts(ranks, _) | How::Devices(ranks, _) = &self.0 {
            ranks.all_reduce_f64(numbers);
        }
    }

    /// Sums numbers, one per parameter, that are 0 for parameters that this rank does not step.
    pub(crate) fn complete(&self, numbers: &mut [f64]) {
        if let How::Parts(ranks, _) = &self.0 {
            ranks.all_reduce_f64(numbers);
        }
    }

    /// Whether this rank steps a parameter.
    pub(crate) fn steps(&self, parameter: ParamId) -> bool {
        match &self.0 {
            How::Parts(_, parts) => parts.steps(parameter),
            How::Alone | How::Devices(..) => true,
        }
    }

    /// All-gather: the module with every parameter from the rank that steps it. For weights, their average, and
    /// moments.
    pub fn all_gather<M: Module>(&self, module: M) -> M {
        match &self.0 {
            How::Parts(ranks, parts) => parts.all_gather(module, &**ranks),
            How::Alone | How::Devices(..) => module,
        }
    }
}

/// The sum of a parameter's gradients, if it has any.
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
    use burn::nn::{Linear, LinearConfig};
    use glauber_ranks::Threads;

    use super::parts::{Sizes, tensor};
    use super::*;

    /// A gradient of every parameter but the last, the same at every call.
    fn gradients(module: &Vec<Linear>, factor: f32) -> GradientsParams {
        struct Scaled(GradientsParams, f32, usize);
        impl ModuleVisitor for Scaled {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.2 -= 1;
                if self.2 > 0 {
                    let values = (0..param.shape().num_elements()).map(|at| self.1 * (at as f32 + 0.1).sin());
                    self.0.register(param.id, tensor(values.collect(), &param.val()));
                }
            }
        }
        let mut sizes = Sizes(Vec::new());
        module.visit(&mut sizes);
        let mut scaled = Scaled(GradientsParams::new(), factor, sizes.0.len());
        module.visit(&mut scaled);
        scaled.0
    }

    /// The entries of gradients in the order of the parameters; none where there is no gradient.
    fn entries(module: &Vec<Linear>, gradients: GradientsParams) -> Vec<Option<Vec<f32>>> {
        struct Entries(GradientsParams, Vec<Option<Vec<f32>>>);
        impl ModuleVisitor for Entries {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let gradient = self.0.remove::<D>(param.id);
                self.1.push(gradient.map(|gradient| gradient.into_data().iter::<f32>().collect()));
            }
        }
        let mut entries = Entries(gradients, Vec::new());
        module.visit(&mut entries);
        entries.1
    }

    /// What each rank has of the sum of all ranks' gradients; rank `r` has `r` micro-batches.
    fn summed(
        ranks: usize,
        exchange: impl Fn(&Vec<Linear>, Rc<Threads>) -> Exchange + Sync,
    ) -> Vec<Vec<Option<Vec<f32>>>> {
        let one = |rank: Threads| {
            let layer = |(from, to)| LinearConfig::new(from, to).init(&Device::flex());
            let module: Vec<Linear> = [(5, 8), (8, 8), (8, 3), (3, 40)].into_iter().map(layer).collect();
            let own: Vec<_> = (0..rank.rank()).map(|at| gradients(&module, (rank.rank() + at) as f32)).collect();
            let sums = exchange(&module, Rc::new(rank)).gradients(&module, own).pop().expect("one of all");
            entries(&module, sums)
        };
        std::thread::scope(|scope| {
            let one = &one;
            let ranks: Vec<_> = Threads::world(ranks).into_iter().map(|rank| scope.spawn(move || one(rank))).collect();
            ranks.into_iter().map(|rank| rank.join().expect("a rank")).collect()
        })
    }

    #[test]
    fn parts_and_devices_add_up_the_same_gradients() {
        // Devices that add up as NVIDIA's do are not at hand: the host does it for them.
        let devices = |_: &Vec<Linear>, ranks: Rc<Threads>| {
            let summing = Rc::clone(&ranks);
            let sums = move |own: Tensor<1>| -> Box<dyn FnOnce() -> Tensor<1>> {
                let mut values: Vec<f32> = own.to_data().iter::<f32>().collect();
                summing.all_reduce(&mut values);
                Box::new(move || tensor(values, &own))
            };
            Exchange(How::Devices(ranks, Box::new(sums)))
        };
        let whole = summed(3, devices);
        assert!(whole.iter().all(|sums| sums == &whole[0]), "every rank has every sum");
        let parameters = whole[0].len();
        assert!(whole[0][..parameters - 1].iter().all(Option::is_some) && whole[0][parameters - 1].is_none());
        // More ranks than there are parameters, too: the last have no gradients of their own, nor anything to step.
        for ranks in [3, parameters + 20] {
            let parts = summed(ranks, |module, ranks| Exchange::sharded(module, ranks));
            for parameter in 0..parameters {
                let has: Vec<&Vec<f32>> = parts.iter().filter_map(|sums| sums[parameter].as_ref()).collect();
                assert_eq!(has.len(), usize::from(parameter + 1 < parameters), "one rank steps parameter {parameter}");
                assert!(ranks > 3 || has.first().copied() == whole[0][parameter].as_ref());
            }
        }
    }
}
