//! Networks on disk: `network.toml`, the description, and `weights.safetensors`, the tensors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::tensor::{Bytes, DType, Device, Shape, TensorData};
use glauber_files::write_whole;
use glauber_fused::finite;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::{FeatureNetwork, FidelityError, NetworkConfig};

const CONFIG: &str = "network.toml";
const WEIGHTS: &str = "weights.safetensors";
const HINT: &str = "expected the folder of a feature network, as `glauber train classifier` writes one";
const DIVERGED: &str = "its training has diverged, or the file is damaged: take another network";
/// What PyTorch's batch normalisation counts and nothing here needs.
const COUNTER: &str = ".num_batches_tracked";

impl FeatureNetwork {
    /// Writes `network.toml` and `weights.safetensors` into a folder, which is created if missing; each file is written
    /// atomically.
    ///
    /// # Errors
    /// [`FidelityError::Io`] when a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), FidelityError> {
        fs::create_dir_all(folder).map_err(FidelityError::io(folder))?;
        let path = folder.join(WEIGHTS);
        write(&path, &self.serialised(&path)?)?;
        let path = folder.join(CONFIG);
        let text = toml::to_string(self.config()).map_err(|error| FidelityError::malformed(&path, error, HINT))?;
        write(&path, text.as_bytes())
    }

    /// The tensors as a file, layer `N`'s `weight` under the name `N.weight`.
    fn serialised(&self, path: &Path) -> Result<Vec<u8>, FidelityError> {
        let mut tensors = BTreeMap::new();
        for (at, layer) in self.stack.layers.iter().enumerate() {
            for (name, shape, values) in layer.stored() {
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
                tensors.insert(format!("{at}.{name}"), (shape, bytes));
            }
        }
        let views = tensors.iter().map(|(name, (shape, bytes))| {
            TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (name.as_str(), view))
        });
        let views =
            views.collect::<Result<Vec<_>, _>>().map_err(|error| FidelityError::malformed(path, error, HINT))?;
        safetensors::serialize(views, None).map_err(|error| FidelityError::malformed(path, error, HINT))
    }

    /// Reads a folder: one that [`save`](Self::save) wrote, or any network with such a description.
    ///
    /// Weights may be of 16, 32 or 64 bits a number. Every tensor of the description must be there, and no others, save
    /// `num_batches_tracked`.
    ///
    /// # Errors
    /// An error names the file, and the key or tensor that is missing, of another shape, or in nobody's place.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, FidelityError> {
        let path = folder.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(FidelityError::io(&path))?;
        let config: NetworkConfig =
            toml::from_str(&text).map_err(|error| FidelityError::malformed(&path, error, HINT))?;
        config.validate().map_err(|error| FidelityError::malformed(&path, error, "correct the key"))?;
        let path = folder.join(WEIGHTS);
        let bytes = fs::read(&path).map_err(FidelityError::io(&path))?;
        let read = SafeTensors::deserialize(&bytes).map_err(|error| FidelityError::malformed(&path, error, HINT))?;
        let mut tensors: BTreeMap<String, TensorView<'_>> = read.tensors().into_iter().collect();
        let network = Self::supplied(&config, device, &mut |at, name, shape| {
            let name = format!("{at}.{name}");
            match tensors.remove(&name) {
                Some(tensor) => numbers(&tensor, &path, name, shape),
                None => {
                    let found = format!("no tensor `{name}` of shape {shape:?}, which `network.toml` asks for");
                    Err(FidelityError::Malformed { path: path.clone(), found })
                }
            }
        })?;
        match tensors.into_keys().find(|name| !name.ends_with(COUNTER)) {
            Some(name) => {
                let place = "a layer of it is missing or of another kind";
                let found = format!("`network.toml` has no place for the tensor `{name}`: {place}");
                Err(FidelityError::Malformed { path, found })
            }
            None => Ok(network),
        }
    }
}

/// The numbers of a tensor that should be of this shape.
fn numbers(tensor: &TensorView<'_>, path: &Path, name: String, shape: &[usize]) -> Result<Vec<f32>, FidelityError> {
    if tensor.shape() != shape {
        let found = format!("tensor `{name}` has shape {:?}, `network.toml` says {shape:?}", tensor.shape());
        return Err(FidelityError::Malformed { path: path.into(), found });
    }
    let dtype = match tensor.dtype() {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        other => {
            let found = format!("tensor `{name}` holds {other:?}");
            return Err(FidelityError::malformed(path, found, "save it as floating-point numbers of 16 bits or more"));
        }
    };
    let bytes = Bytes::from_bytes_vec(tensor.data().to_vec());
    let data = TensorData::from_bytes(bytes, Shape::from(shape.to_vec()), dtype);
    finite(&name, data).map_err(|error| FidelityError::malformed(path, error, DIVERGED))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FidelityError> {
    write_whole(path, bytes).map_err(FidelityError::io(path))
}
