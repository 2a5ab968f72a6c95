//! Reduce-scatter of gradients and all-gather of weights, through the host.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use glauber_ranks::World;

use super::{entries, own_sum};

/// The parameters that each rank steps. Parameters are not split, because Muon orthogonalises whole matrices. No rank
/// has more weights than an equal share plus the largest parameter.
pub(crate) struct Parts {
    rank: usize,
    /// For each parameter, its range among all entries and the rank that steps it. The first rank's entries come first.
    places: HashMap<ParamId, (Range<usize>, usize)>,
    /// The borders of the ranks' entries.
    borders: Vec<usize>,
}

impl Parts {
    pub fn of<M: Module>(module: &M, ranks: &dyn World) -> Self {
        let mut sizes = Sizes(Vec::new());
        module.visit(&mut sizes);
        let entries: Vec<usize> = sizes.0.iter().map(|(_, entries)| *entries).collect();
        let owners = owners(&entries, ranks.size());
        let (mut places, mut borders) = (HashMap::new(), vec![0]);
        for rank in 0..ranks.size() {
            let mut end = borders[rank];
            for (&(parameter, entries), _) in sizes.0.iter().zip(&owners).filter(|(_, owner)| **owner == rank) {
                places.insert(parameter, (end..end + entries, rank));
                end += entries;
            }
            borders.push(end);
        }
        Self { rank: ranks.rank(), places, borders }
    }

    /// Whether this rank steps a parameter.
    pub fn steps(&self, parameter: ParamId) -> bool {
        self.places.get(&parameter).is_some_and(|(_, owner)| *owner == self.rank)
    }

    /// Sums gradients over the micro-batches of all ranks, and returns those of the parameters that this rank steps. A
    /// parameter without a gradient at any rank has none.
    pub fn reduce_scatter<M: Module>(
        &self,
        module: &M,
        gradients: Vec<GradientsParams>,
        ranks: &dyn World,
    ) -> GradientsParams {
        let values = vec![0.0; self.borders[ranks.size()]];
        let mut own = Gathered { parts: self, gradients, values, present: Vec::new() };
        module.visit(&mut own);
        let Gathered { values, mut present, .. } = own;
        let values = ranks.reduce_scatter(values, &self.borders);
        ranks.all_reduce(&mut present);
        let present = present.into_iter();
        let mut summed = Summed { parts: self, values, present, gradients: GradientsParams::new() };
        module.visit(&mut summed);
        summed.gradients
    }

    /// The module with every parameter from the rank that steps it.
    pub fn all_gather<M: Module>(&self, module: M, ranks: &dyn World) -> M {
        let mut own = Own { parts: self, values: Vec::new() };
        module.visit(&mut own);
        let all = ranks.all_gather(own.values, &self.borders);
        module.map(&mut Whole { parts: self, all: &all })
    }
}

/// Assigns parameters to ranks by size: the largest first, each to the rank with the fewest entries so far.
fn owners(sizes: &[usize], ranks: usize) -> Vec<usize> {
    let (mut loads, mut owners) = (vec![0; ranks], vec![0; sizes.len()]);
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|&at| Reverse(sizes[at]));
    for at in order {
        let least = (0..ranks).min_by_key(|&rank| loads[rank]).unwrap_or(0);
        loads[least] += sizes[at];
        owners[at] = least;
    }
    owners
}

pub(super) struct Sizes(pub Vec<(ParamId, usize)>);

impl ModuleVisitor for Sizes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push((param.id, param.val().shape().num_elements()));
    }
}

/// Numbers as a tensor with the shape and device of another.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, like: &Tensor<D>) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, like.shape()), &like.device())
}

/// The sums of this rank's gradients, in the layout of the parts.
struct Gathered<'a> {
    parts: &'a Parts,
    gradients: Vec<GradientsParams>,
    values: Vec<f32>,
    /// For each parameter, 1 if this rank has its gradient.
    present: Vec<f32>,
}

impl ModuleVisitor for Gathered<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let sum = own_sum(&mut self.gradients, param);
        self.present.push(f32::from(u8::from(sum.is_some())));
        if let (Some(sum), Some((range, _))) = (sum, self.parts.places.get(&param.id)) {
            self.values[range.clone()].copy_from_slice(&entries(sum));
        }
    }
}

/// Converts this rank's sums to gradients.
struct Summed<'a> {
    parts: &'a Parts,
    values: Vec<f32>,
    /// For each parameter, the number of ranks with its gradient.
    present: std::vec::IntoIter<f32>,
    gradients: GradientsParams,
}

impl ModuleVisitor for Summed<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Parts { rank, places, borders } = self.parts;
        let present = self.present.next().is_some_and(|ranks| ranks > 0.0);
        if let Some((range, _)) = places.get(&param.id).filter(|(_, owner)| present && owner == rank) {
            let start = borders[*rank];
            let values = self.values[range.start - start..range.end - start].to_vec();
            self.gradients.register(param.id, tensor(values, &param.val()));
        }
    }
}

struct Own<'a> {
    parts: &'a Parts,
    values: Vec<f32>,
}

impl ModuleVisitor for Own<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.parts.steps(param.id) {
            self.values.extend(entries(param.val()));
        }
    }
}

struct Whole<'a> {
    parts: &'a Parts,
    all: &'a [f32],
}

impl ModuleMapper for Whole<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.parts.places.get(&param.id) {
            Some((range, owner)) if *owner != self.parts.rank => {
                let values = self.all[range.clone()].to_vec();
                param.map(|stale| tensor(values, &stale))
            }
            _ => param,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rank_steps_more_than_its_share_and_the_largest_parameter() {
        let sizes = [300, 10, 10, 700, 1, 299, 0, 80];
        let entries: usize = sizes.iter().sum();
        for ranks in [1, 2, 3, 8, 50] {
            let owners = owners(&sizes, ranks);
            let mut loads = vec![0; ranks];
            sizes.iter().zip(&owners).for_each(|(size, owner)| loads[*owner] += size);
            assert_eq!(owners.len(), sizes.len());
            assert!(loads.iter().all(|load| *load <= entries / ranks + 700), "{ranks} ranks: {loads:?}");
        }
        assert_eq!(owners(&sizes[..4], 2), [1, 1, 1, 0]);
    }
}
