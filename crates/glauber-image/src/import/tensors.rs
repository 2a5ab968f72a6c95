//! Tensors of a checkpoint into a model.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use burn::tensor::{Shape, TensorData};
use burn_store::burn_pack::Tensor as StoredTensor;
use burn_store::{ModuleSnapshot, bridge};
use glauber_fused::finite;

use crate::error::DIVERGED;
use crate::model::VqNetwork;
use crate::{ImageError, VqModel};

use super::naming::{AUTOENCODER, Naming};

const HINT: &str = "the checkpoint is damaged, or of a kind that cannot be read";

/// Loads every weight of the model; returns the names of unused tensors.
///
/// A tensor is looked for under each naming in turn.
pub(crate) fn load(
    model: &mut VqModel,
    path: &Path,
    tensors: &BTreeMap<String, StoredTensor>,
    namings: &[&Naming],
) -> Result<Vec<String>, ImageError> {
    let levels = model.config().levels.len();
    let mut used = BTreeSet::new();
    let mut found = Vec::new();
    for weight in model.network.collect(None, None, true) {
        let keys: Vec<String> = namings.iter().map(|naming| naming.key(&weight.name, levels)).collect();
        let Some((key, stored)) = keys.iter().find_map(|key| tensors.get_key_value(key)) else {
            let key = keys.into_iter().next().unwrap_or_default();
            return Err(ImageError::MissingTensor { path: path.into(), key, expected: weight.shape.to_vec() });
        };
        used.insert(key);
        found.push(fitted(stored.clone(), &weight, path, key)?);
    }
    let (surplus, ignored): (Vec<_>, Vec<_>) = tensors
        .keys()
        .filter(|key| !used.contains(key))
        .cloned()
        .partition(|key| AUTOENCODER.iter().any(|prefix| key.starts_with(prefix)));
    if let Some(key) = surplus.into_iter().next() {
        let found = format!("tensor `{key}` belongs to the autoencoder and the configuration has no place for it");
        return Err(ImageError::Malformed { path: path.into(), found });
    }
    apply(&mut model.network, path, found)?;
    Ok(ignored)
}

/// The stored tensor under our name and in our shape: a linear map `[to, from]` is a convolution `[to, from, 1, 1]`.
fn fitted(stored: StoredTensor, weight: &StoredTensor, path: &Path, key: &str) -> Result<StoredTensor, ImageError> {
    let (found, expected) = (stored.shape.to_vec(), weight.shape.to_vec());
    let linear = expected.len() == 4 && expected[2..] == [1, 1] && found == expected[..2];
    if found != expected && !linear {
        let found = format!("tensor `{key}` has shape {found:?}, the configuration says {expected:?}");
        return Err(ImageError::Malformed { path: path.into(), found });
    }
    if !stored.dtype.is_float() {
        let found = format!("tensor `{key}` holds {:?}, expected floating-point numbers", stored.dtype);
        return Err(ImageError::malformed(path, found, HINT));
    }
    let data = bridge::into_data(stored).map_err(|error| ImageError::malformed(path, error, HINT))?;
    let numbers = finite(key, data).map_err(|error| ImageError::malformed(path, error, DIVERGED))?;
    Ok(bridge::from_data(TensorData::new(numbers, Shape::from(expected)), weight.name.clone(), None))
}

fn apply(network: &mut VqNetwork, path: &Path, tensors: Vec<StoredTensor>) -> Result<(), ImageError> {
    let result = network.apply(tensors, None, None, true);
    match (result.errors.first(), result.missing.first()) {
        (Some(error), _) => Err(ImageError::malformed(path, error, HINT)),
        (None, Some((name, _))) => Err(ImageError::malformed(path, format!("no tensor was loaded for `{name}`"), HINT)),
        (None, None) => Ok(()),
    }
}
