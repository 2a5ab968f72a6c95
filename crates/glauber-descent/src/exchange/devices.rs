//! Sums that devices make among themselves.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor};
use glauber_ranks::Ranks;

use super::own_sum;

/// Begins to add up, over all ranks, what each gives; what it returns waits for the sums.
pub(crate) type DeviceSums = Box<dyn Fn(Tensor<1>) -> Box<dyn FnOnce() -> Tensor<1>>>;

/// The sums of burn's own.
pub fn sums(devices: Vec<Device>) -> DeviceSums {
    Box::new(move |own| {
        let sum = all_reduce(own, ReduceOperation::Sum, devices.clone());
        Box::new(move || sum.resolve())
    })
}

/// Gradients of this rank's micro-batches to those of all ranks. All parameters' sums are under way before the first is waited for.
pub fn add_up<M: Module>(
    module: &M,
    gradients: Vec<GradientsParams>,
    ranks: &dyn Ranks,
    sums: &DeviceSums,
) -> GradientsParams {
    let mut reduce = Reduce { gradients, sums, present: Vec::new(), waiting: Vec::new() };
    module.visit(&mut reduce);
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
