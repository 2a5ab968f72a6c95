//! Modules and training states on disk, as safetensors.

use std::fs::{self, OpenOptions};
use std::path::Path;

use burn::module::Module;
use burn_store::{ModuleStore, SafetensorsStore, bridge};
use glauber_fused::finite;

use crate::{DescentError, Trainer};

/// The files that [`Trainer::save`] may write: weights, their average, and the optimiser's moments.
pub const TRAINER_FILES: [&str; 4] =
    ["weights.safetensors", "average.safetensors", "moment-1.safetensors", "moment-2.safetensors"];
const WEIGHTS: &str = TRAINER_FILES[0];
const AVERAGE: &str = TRAINER_FILES[1];
const MOMENTS: [&str; 2] = [TRAINER_FILES[2], TRAINER_FILES[3]];

/// Writes the tensors of a module; overwrites an existing file. Equal modules give equal files.
///
/// # Errors
/// When the file cannot be written.
pub fn save_module<M: Module>(path: &Path, module: &M) -> Result<(), DescentError> {
    // The store's files are for their owner alone; this one is for whoever may read a new file there.
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(DescentError::io(path))?;
    let permissions = file.metadata().map_err(DescentError::io(path))?.permissions();
    // The default metadata comes in random order.
    let mut store = SafetensorsStore::from_file(path).skip_enum_variants(true).clear_metadata().overwrite(true);
    let saved = store.collect_from(module);
    saved.map_err(|error| DescentError::io(path)(std::io::Error::other(error.to_string())))?;
    fs::set_permissions(path, permissions).map_err(DescentError::io(path))
}

/// Loads tensors into a module of the same shapes.
///
/// # Errors
/// [`DescentError::Io`] when the file is missing, [`DescentError::Malformed`] when it is damaged or from another
/// module, [`DescentError::NotFinite`] when a tensor contains NaN or infinity.
pub fn load_module<M: Module>(path: &Path, module: &mut M) -> Result<(), DescentError> {
    fs::metadata(path).map_err(DescentError::io(path))?;
    let mut store = SafetensorsStore::from_file(path).skip_enum_variants(true).map_indices_contiguous(false);
    for (name, stored) in store.get_all_tensors().map_err(|error| malformed(path, error))? {
        let data = bridge::to_data(stored).map_err(|error| malformed(path, error))?;
        finite(name, data).map_err(|found| DescentError::NotFinite { path: path.into(), found: found.to_string() })?;
    }
    let applied = store.apply_to(module).map_err(|error| malformed(path, error))?;
    match applied.unused.first() {
        Some(unused) => Err(malformed(path, format!("a tensor `{unused}` that this network does not have"))),
        None => Ok(()),
    }
}

fn malformed(path: &Path, found: impl ToString) -> DescentError {
    let found = found.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    DescentError::Malformed { path: path.into(), found: found.chars().take(160).collect() }
}

impl<M: Module + Sync> Trainer<M> {
    /// Writes weights, average and optimiser into an existing folder, one file each. The caller must store the number
    /// of [steps](Self::steps).
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), DescentError> {
        let moments = MOMENTS.into_iter().zip(&self.optimiser.moments);
        let average = self.average.iter().map(|average| (AVERAGE, average));
        let mut files = average.chain(moments).chain([(WEIGHTS, &self.model)]);
        files.try_for_each(|(name, module)| save_module(&folder.join(name), module))
    }

    /// Resumes the training that [`save`](Self::save) wrote after `steps` steps. With the same settings on the CPU
    /// device, it continues bit for bit.
    ///
    /// # Errors
    /// Those of [`load_module`].
    pub fn load(&mut self, folder: &Path, steps: usize) -> Result<(), DescentError> {
        load_module(&folder.join(WEIGHTS), &mut self.model)?;
        if let Some(average) = &mut self.average {
            load_average(folder, average)?;
        }
        for (name, moment) in MOMENTS.iter().zip(&mut self.optimiser.moments) {
            load_module(&folder.join(name), moment)?;
        }
        self.optimiser.time = steps;
        Ok(())
    }

    /// Resumes a training from weights, moments and steps that the caller loaded. The average, if kept, restarts from
    /// the weights.
    pub fn restore(&mut self, model: M, moments: [M; 2], steps: usize) {
        self.average = self.average.as_ref().map(|_| model.clone());
        self.model = model;
        self.optimiser.moments = moments;
        self.optimiser.time = steps;
    }
}

/// Loads the averaged weights that [`Trainer::save`] wrote, which are used for sampling.
///
/// # Errors
/// As [`load_module`].
pub fn load_average<M: Module>(folder: &Path, average: &mut M) -> Result<(), DescentError> {
    load_module(&folder.join(AVERAGE), average)
}
