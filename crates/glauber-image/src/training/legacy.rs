//! Trainings of programs before the optimiser's moments were written like weights.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bytes, Tensor, TensorData};
use burn_store::bridge;
use burn_store::burn_pack::Reader;
use glauber_descent::{Trainer, load_module};
use glauber_fused::finite;

use crate::ImageError;
use crate::error::{DIVERGED, UNFIT};

/// Files of a network and its optimiser.
pub(super) struct Files {
    pub weights: &'static str,
    /// burn's record of the optimiser.
    pub moments: &'static str,
    /// The number of the first parameter there; the others follow in their order.
    first: u64,
}

pub(super) const AUTOENCODER: Files = Files { weights: "weights.safetensors", moments: "moments.bpk", first: 0 };
pub(super) const OPPONENT: Files =
    Files { weights: "discriminator.safetensors", moments: "discriminator-moments.bpk", first: 1 << 32 };

/// Resumes a training after `steps` steps.
pub(super) fn load<M: Module + Sync>(
    trainer: &mut Trainer<M>,
    steps: usize,
    folder: &Path,
    files: &Files,
) -> Result<(), ImageError> {
    let mut module = trainer.model().clone();
    load_module(&folder.join(files.weights), &mut module)?;
    let moments = load_moments(&folder.join(files.moments), &module, files.first)?;
    trainer.restore(module, moments, steps);
    Ok(())
}

/// Both moments of every parameter; of those that never had a gradient they are not there, and zero.
fn load_moments<M: Module>(path: &Path, module: &M, first: u64) -> Result<[M; 2], ImageError> {
    let bytes = fs::read(path).map_err(ImageError::io(path))?;
    let read = Reader::from_bytes(Bytes::from_bytes_vec(bytes)).and_then(Reader::into_tensors);
    let mut tensors = HashMap::new();
    for stored in read.map_err(|error| ImageError::malformed(path, error, UNFIT))? {
        let name = stored.name.clone();
        let data = bridge::into_data(stored).map_err(|error| ImageError::malformed(path, error, UNFIT))?;
        let numbers = finite(&name, data).map_err(|error| ImageError::malformed(path, error, DIVERGED))?;
        tensors.insert(name, numbers);
    }
    let moments = ["moment_1", "moment_2"]
        .map(|moment| module.clone().map(&mut Fill { tensors: &mut tensors, moment, next: first }));
    match tensors.keys().next() {
        Some(name) => Err(ImageError::malformed(path, format!("a tensor `{name}` of another network"), UNFIT)),
        None => Ok(moments),
    }
}

/// Takes the numbers that fit in place of a module's own.
struct Fill<'a> {
    tensors: &'a mut HashMap<String, Vec<f32>>,
    moment: &'static str,
    next: u64,
}

impl ModuleMapper for Fill<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = format!("{}.momentum.{}", self.next, self.moment);
        self.next += 1;
        let size = param.shape().num_elements();
        let fits = self.tensors.get(&name).is_some_and(|numbers| numbers.len() == size);
        let numbers = fits.then(|| self.tensors.remove(&name)).flatten();
        param.map(|old| match numbers {
            Some(numbers) => Tensor::from_data(TensorData::new(numbers, old.shape()), &old.device()),
            None => old.zeros_like(),
        })
    }
}
