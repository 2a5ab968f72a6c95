//! Autoencoders on disk: a folder of one TOML file and one of safetensors, whole or absent.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use burn_store::{ModuleStore, SafetensorsStore};

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
        refuse_stranger(folder)?;
        let scratch = beside(folder, "writing")?;
        remove(&scratch)?;
        fs::create_dir_all(&scratch).map_err(ImageError::io(&scratch))?;
        let path = scratch.join(CONFIG);
        let text = toml::to_string(self.config()).map_err(|error| ImageError::malformed(&path, error, HINT))?;
        fs::write(&path, text).map_err(ImageError::io(&path))?;
        let permissions = fs::metadata(&path).map_err(ImageError::io(&path))?.permissions();
        let path = scratch.join(WEIGHTS);
        // The default metadata comes in random order: without it equal weights make equal files.
        let mut store = SafetensorsStore::from_file(&path).skip_enum_variants(true).clear_metadata();
        let saved = store.collect_from(&self.network);
        saved.map_err(|error| ImageError::io(&path)(std::io::Error::other(error.to_string())))?;
        // The store's files are for their owner alone; a tokenizer is for whoever may read its folder.
        fs::set_permissions(&path, permissions).map_err(ImageError::io(&path))?;
        if !folder.exists() {
            return fs::rename(&scratch, folder).map_err(ImageError::io(folder));
        }
        let old = beside(folder, "removing")?;
        remove(&old)?;
        fs::rename(folder, &old).map_err(ImageError::io(folder))?;
        fs::rename(&scratch, folder).map_err(ImageError::io(folder))?;
        remove(&old)
    }

    /// Reads a folder that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`ImageError::Io`] and [`ImageError::Malformed`] name the file that is missing, damaged or of another tokenizer.
    pub fn load(folder: &Path, device: &Device) -> Result<Self, ImageError> {
        let path = folder.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(ImageError::io(&path))?;
        let config: VqConfig = toml::from_str(&text).map_err(|error| ImageError::malformed(&path, error, HINT))?;
        let mut model = Self::zeros(&config, device)?;
        let path = folder.join(WEIGHTS);
        fs::metadata(&path).map_err(ImageError::io(&path))?;
        let mut store = SafetensorsStore::from_file(&path).skip_enum_variants(true).map_indices_contiguous(false);
        let applied = store.apply_to(&mut model.network);
        let applied = applied.map_err(|error| ImageError::malformed(&path, error, HINT))?;
        match applied.unused.first() {
            Some(unused) => {
                let found = format!("a tensor `{unused}` that its configuration has no place for");
                Err(ImageError::malformed(&path, found, HINT))
            }
            None => Ok(model),
        }
    }
}

/// A hidden name in the same folder.
fn beside(folder: &Path, purpose: &str) -> Result<PathBuf, ImageError> {
    let Some(name) = folder.file_name() else {
        let error = std::io::Error::other("a tokenizer's folder needs a name");
        return Err(ImageError::io(folder)(error));
    };
    Ok(folder.with_file_name(format!(".{}.{purpose}", name.to_string_lossy())))
}

/// A folder that is no tokenizer's is not to be replaced.
fn refuse_stranger(folder: &Path) -> Result<(), ImageError> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(ImageError::io(folder))? {
        let name = entry.map_err(ImageError::io(folder))?.file_name();
        if name != CONFIG && name != WEIGHTS {
            let message = format!("holds `{}`, which is no tokenizer's: give another name", name.to_string_lossy());
            return Err(ImageError::io(folder)(std::io::Error::other(message)));
        }
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<(), ImageError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ImageError::io(folder)(error)),
        _ => Ok(()),
    }
}
