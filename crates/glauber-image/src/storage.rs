//! Autoencoders on disk: a folder of one TOML file and one of safetensors, whole or absent.

use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use burn_store::{ModuleStore, SafetensorsStore, bridge};
use glauber_fused::finite;

use crate::error::DIVERGED;
use crate::{ImageError, VqConfig, VqModel};

const CONFIG: &str = "tokenizer.toml";
const WEIGHTS: &str = "weights.safetensors";
const HINT: &str = "expected the folder of a tokenizer as `VqModel::save` writes it";

impl VqModel {
    /// Writes configuration and weights into a folder of this name, in place of one that is there.
    ///
    /// Everything is written beside it first and renamed when it is whole.
    ///
    /// # Errors
    /// [`ImageError::Io`] when a file cannot be written, or a folder of this name is there that holds anything but a tokenizer.
    pub fn save(&self, folder: &Path) -> Result<(), ImageError> {
        write_folder(folder, &[CONFIG, WEIGHTS], |scratch| {
            let path = scratch.join(CONFIG);
            let text = toml::to_string(self.config()).map_err(|error| ImageError::malformed(&path, error, HINT))?;
            fs::write(&path, text).map_err(ImageError::io(&path))?;
            save_module(&scratch.join(WEIGHTS), &self.network)
        })
    }

    /// Reads a folder that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`ImageError::Io`] and [`ImageError::Malformed`] name the file that is missing, damaged or of another tokenizer, and the tensor
    /// that holds NaN or infinity.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, ImageError> {
        let path = folder.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(ImageError::io(&path))?;
        let config: VqConfig = toml::from_str(&text).map_err(|error| ImageError::malformed(&path, error, HINT))?;
        let mut model = Self::zeros(&config, device)?;
        load_module(&folder.join(WEIGHTS), &mut model.network, HINT)?;
        Ok(model)
    }
}

/// Writes the weights of a module into a file of safetensors.
pub(crate) fn save_module<M: Module>(path: &Path, module: &M) -> Result<(), ImageError> {
    // The default metadata comes in random order: without it equal weights make equal files.
    let mut store = SafetensorsStore::from_file(path).skip_enum_variants(true).clear_metadata();
    let saved = store.collect_from(module);
    saved.map_err(|error| ImageError::io(path)(std::io::Error::other(error.to_string())))
}

/// Reads the weights of a module of the same sizes.
pub(crate) fn load_module<M: Module>(path: &Path, module: &mut M, hint: &'static str) -> Result<(), ImageError> {
    fs::metadata(path).map_err(ImageError::io(path))?;
    let mut store = SafetensorsStore::from_file(path).skip_enum_variants(true).map_indices_contiguous(false);
    for (name, stored) in store.get_all_tensors().map_err(|error| ImageError::malformed(path, error, hint))? {
        let data = bridge::to_data(stored).map_err(|error| ImageError::malformed(path, error, hint))?;
        finite(name, data).map_err(|error| ImageError::malformed(path, error, DIVERGED))?;
    }
    let applied = store.apply_to(module).map_err(|error| ImageError::malformed(path, error, hint))?;
    match applied.unused.first() {
        Some(unused) => {
            let found = format!("a tensor `{unused}` that its configuration has no place for");
            Err(ImageError::malformed(path, found, hint))
        }
        None => Ok(()),
    }
}

/// Writes a folder whole, in place of one of this name that holds nothing but files of these names. Who is killed while the old folder makes
/// place leaves none of that name; the next call writes it.
pub(crate) fn write_folder(
    folder: &Path,
    names: &[&str],
    write: impl FnOnce(&Path) -> Result<(), ImageError>,
) -> Result<(), ImageError> {
    refuse_stranger(folder, names)?;
    let refused = |error| ImageError::io(folder)(error);
    glauber_files::write_folder(folder, refused, |scratch| write(scratch).and_then(|()| open_to_all(scratch)))
}

/// Gives the files of a folder the permissions of new ones: the store's are for their owner alone, these for whoever may read the folder.
fn open_to_all(folder: &Path) -> Result<(), ImageError> {
    let probe = folder.join(".permissions");
    fs::write(&probe, "").map_err(ImageError::io(&probe))?;
    let permissions = fs::metadata(&probe).map_err(ImageError::io(&probe))?.permissions();
    fs::remove_file(&probe).map_err(ImageError::io(&probe))?;
    for entry in fs::read_dir(folder).map_err(ImageError::io(folder))? {
        let path = entry.map_err(ImageError::io(folder))?.path();
        fs::set_permissions(&path, permissions.clone()).map_err(ImageError::io(&path))?;
    }
    Ok(())
}

/// A folder that holds anything else is not to be replaced.
fn refuse_stranger(folder: &Path, names: &[&str]) -> Result<(), ImageError> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(ImageError::io(folder))? {
        let name = entry.map_err(ImageError::io(folder))?.file_name();
        if !names.iter().any(|own| name == *own) {
            let message = format!("holds `{}`, which does not belong there: give another name", name.to_string_lossy());
            return Err(ImageError::io(folder)(std::io::Error::other(message)));
        }
    }
    Ok(())
}
