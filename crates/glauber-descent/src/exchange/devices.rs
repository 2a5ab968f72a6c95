//! All-reduce between devices.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor};
use glauber_ranks::World;

use super::own_sum;

/// Starts an all-reduce; the returned closure waits for the sums.
pub(crate) type DeviceSums = Box<dyn Fn(Tensor<1>) -> Box<dyn FnOnce() -> Tensor<1>>>;

/// burn's all-reduce.
pub fn sums(devices: Vec<Device>) -> DeviceSums {
    Box::new(move |own| {
        let sum = all_reduce(own, ReduceOperation::Sum, devices.clone());
        Box::new(move || sum.resolve())
    })
}

/// All-reduces the gradients of the ranks' micro-batches. The sums of all parameters start before the first is awaited.
pub fn reduce_gradients<M: Module>(
    module: &M,
    gradients: Vec<GradientsParams>,
    ranks: &dyn World,
    sums: &DeviceSums,
) -> GradientsParams {
    let mut reduce = Reduce { gradients, sums, present: Vec::new(), waiting: Vec::new() };
    module.visit(&mut reduce);
    let Reduce { mut present, waiting, .. } = reduce;
    ranks.all_reduce(&mut present);
    let mut gradients = GradientsParams::new();
    for (register, present) in waiting.into_iter().zip(present) {
        register(&mut gradients, present > 0.0);
    }
    gradients
}

/// Waits for a sum, and stores it if any rank has that gradient.
type Register = Box<dyn FnOnce(&mut GradientsParams, bool)>;

struct Reduce<'a> {
    gradients: Vec<GradientsParams>,
    sums: &'a DeviceSums,
    /// For each parameter, 1 if this rank has its gradient.
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
