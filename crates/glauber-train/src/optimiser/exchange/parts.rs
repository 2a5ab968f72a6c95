//! Sums by way of the host, of which each rank has a part.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::mpsc::RecvError;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use glauber_model::Network;
use glauber_ranks::Ranks;

use super::append;
use super::told::Sums;

/// Which parameters each rank steps: whole ones, for Muon makes a matrix orthogonal as one. No rank has more weights than its share and the largest
/// parameter.
pub(crate) struct Parts {
    rank: usize,
    /// What is added up together, in the order in which backward passes complete the gradients.
    stages: Vec<Stage>,
    /// All parameters, in the order of the network those of each rank.
    all: Stage,
    /// Where the entries of each parameter are among all, and the rank that steps it.
    places: HashMap<ParamId, (Range<usize>, usize)>,
}

/// Parameters whose entries lie one after the other, those of the first rank first.
struct Stage {
    parameters: Vec<Owned>,
    /// Where the ranks' entries begin and end.
    borders: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Owned {
    parameter: ParamId,
    entries: usize,
    /// The rank that steps it.
    owner: usize,
}

impl Stage {
    fn new(mut parameters: Vec<Owned>, ranks: usize) -> Self {
        parameters.sort_by_key(|one| one.owner);
        let mut borders = vec![0; ranks + 1];
        parameters.iter().for_each(|one| borders[one.owner + 1] += one.entries);
        (0..ranks).for_each(|rank| borders[rank + 1] += borders[rank]);
        Self { parameters, borders }
    }

    /// Where the entries of each parameter lie.
    fn ranges(&self) -> impl Iterator<Item = (Owned, Range<usize>)> {
        self.parameters.iter().scan(0, |end, one| {
            *end += one.entries;
            Some((*one, *end - one.entries..*end))
        })
    }
}

impl Parts {
    pub fn of(network: &Network, ranks: &dyn Ranks) -> Self {
        let mut sizes = Sizes(Vec::new());
        network.visit(&mut sizes);
        let entries: HashMap<ParamId, usize> = sizes.0.iter().copied().collect();
        let mut stages = network.stages();
        let early: HashSet<ParamId> = stages.iter().flatten().copied().collect();
        stages.push(sizes.0.iter().map(|(parameter, _)| *parameter).filter(|one| !early.contains(one)).collect());
        let of_stage = |stage: &Vec<ParamId>| stage.iter().map(|one| entries[one]).collect();
        let owners = owners(&stages.iter().map(of_stage).collect::<Vec<_>>(), ranks.size());
        let owner_of: HashMap<ParamId, usize> =
            stages.iter().flatten().copied().zip(owners.into_iter().flatten()).collect();
        let owned = |parameter: &ParamId| Owned {
            parameter: *parameter,
            entries: entries[parameter],
            owner: owner_of[parameter],
        };
        let stage = |stage: &Vec<ParamId>| Stage::new(stage.iter().map(owned).collect(), ranks.size());
        let all = Stage::new(sizes.0.iter().map(|(parameter, _)| owned(parameter)).collect(), ranks.size());
        let places = all.ranges().map(|(one, range)| (one.parameter, (range, one.owner))).collect();
        Self { rank: ranks.rank(), stages: stages.iter().map(stage).collect(), all, places }
    }

    /// Whether this rank steps a parameter.
    pub fn steps(&self, parameter: ParamId) -> bool {
        self.places.get(&parameter).is_some_and(|(_, owner)| *owner == self.rank)
    }

    /// The sums over all ranks of what is told of at each, for the parameters that this one steps, exchanged as soon as all of a stage is there. A parameter
    /// that no micro-batch of any rank touches stays without a gradient.
    ///
    /// # Errors
    /// When those who tell have ended before all was told.
    pub fn add_up(&self, network: &Network, mut sums: Sums, ranks: &dyn Ranks) -> Result<GradientsParams, RecvError> {
        let (mut present, mut own) = (Vec::new(), HashMap::new());
        for stage in &self.stages {
            let mut values = Vec::with_capacity(stage.borders[ranks.size()]);
            for one in &stage.parameters {
                let sum = sums.wait_for(one.parameter)?;
                present.push(f32::from(u8::from(sum.is_some())));
                match sum {
                    Some(sum) => values.extend(sum),
                    None => values.resize(values.len() + one.entries, 0.0),
                }
            }
            let part = ranks.sum_parts(values, &stage.borders);
            let start = stage.borders[self.rank];
            let owned = stage.ranges().filter(|(one, _)| one.owner == self.rank);
            own.extend(owned.map(|(one, at)| (one.parameter, part[at.start - start..at.end - start].to_vec())));
        }
        ranks.sum(&mut present);
        let parameters = self.stages.iter().flat_map(|stage| &stage.parameters);
        for (one, _) in parameters.zip(present).filter(|(_, present)| *present == 0.0) {
            own.remove(&one.parameter);
        }
        let mut summed = Summed { own, gradients: GradientsParams::new() };
        network.visit(&mut summed);
        Ok(summed.gradients)
    }

    /// The network with every parameter as the rank has it that steps it.
    pub fn whole(&self, network: Network, ranks: &dyn Ranks) -> Network {
        let mut own = Own { parts: self, values: Vec::new() };
        network.visit(&mut own);
        let all = ranks.join_parts(own.values, &self.all.borders);
        network.map(&mut Whole { parts: self, all: &all })
    }
}

/// The rank that steps each parameter, given the sizes of those of each stage: in every stage, the largest first, the one that has the least so far.
fn owners(stages: &[Vec<usize>], ranks: usize) -> Vec<Vec<usize>> {
    let mut loads = vec![0; ranks];
    let of_stage = |sizes: &Vec<usize>| {
        let mut owners = vec![0; sizes.len()];
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(sizes[at]));
        for at in order {
            let least = (0..ranks).min_by_key(|&rank| loads[rank]).unwrap_or(0);
            loads[least] += sizes[at];
            owners[at] = least;
        }
        owners
    };
    stages.iter().map(of_stage).collect()
}

pub(super) struct Sizes(pub Vec<(ParamId, usize)>);

impl ModuleVisitor for Sizes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push((param.id, param.val().shape().num_elements()));
    }
}

/// Numbers as a tensor of the shape of another, where it is.
pub(super) fn tensor<const D: usize>(values: Vec<f32>, like: &Tensor<D>) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, like.shape()), &like.device())
}

/// Makes gradients of entries.
struct Summed {
    own: HashMap<ParamId, Vec<f32>>,
    gradients: GradientsParams,
}

impl ModuleVisitor for Summed {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(values) = self.own.remove(&param.id) {
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
            append(&mut self.values, param.val());
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
        let stages = [vec![300, 10, 10, 700], vec![1, 299], vec![], vec![0, 80]];
        let entries: usize = stages.iter().flatten().sum();
        for ranks in [1, 2, 3, 8, 50] {
            let owners = owners(&stages, ranks);
            let mut loads = vec![0; ranks];
            let pairs = stages.iter().flatten().zip(owners.iter().flatten());
            pairs.for_each(|(size, owner)| loads[*owner] += size);
            assert!(owners.iter().zip(&stages).all(|(owners, sizes)| owners.len() == sizes.len()));
            assert!(loads.iter().all(|load| *load <= entries / ranks + 700), "{ranks} ranks: {loads:?}");
        }
        assert_eq!(owners(&stages, 2)[0], [1, 1, 1, 0]);
    }
}
