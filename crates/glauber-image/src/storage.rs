//! Autoencoders on disk: a folder with a TOML and a safetensors file, written atomically.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use glauber_descent::{load_module, save_module};

use crate::{ImageError, VqConfig, VqModel};

const CONFIG: &str = "tokenizer.toml";
const WEIGHTS: &str = "weights.safetensors";
const HINT: &str = "expected the folder of a tokenizer as `VqModel::save` writes it";

impl VqModel {
    /// Writes configuration and weights to a folder, and replaces an existing one.
    ///
    /// The folder is written under a temporary name and renamed when complete.
    ///
    /// # Errors
    /// [`ImageError::Io`] when a file cannot be written, or a folder of this name is there that holds anything but a tokenizer.
    pub fn save(&self, folder: &Path) -> Result<(), ImageError> {
        write_folder(folder, &[CONFIG, WEIGHTS], |scratch| {
            let path = scratch.join(CONFIG);
            let text = toml::to_string(self.config()).map_err(|error| ImageError::malformed(&path, error, HINT))?;
            fs::write(&path, text).map_err(ImageError::io(&path))?;
            Ok(save_module(&scratch.join(WEIGHTS), &self.network)?)
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
        load_module(&folder.join(WEIGHTS), &mut model.network)?;
        Ok(model)
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
    glauber_files::write_folder(folder, |error| ImageError::io(folder)(error), write)
}

/// A folder that holds anything else is not to be replaced.
fn refuse_stranger(folder: &Path, names: &[&str]) -> Result<(), ImageError> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(ImageError::io(folder))? {
        let name = entry.map_err(ImageError::io(folder))?.file_name();
        if !names.iter().any(|own| name == *own) {
            let message =
                format!("contains `{}`, which is not part of a tokenizer: give another name", name.to_string_lossy());
            return Err(ImageError::io(folder)(std::io::Error::other(message)));
        }
    }
    Ok(())
}
